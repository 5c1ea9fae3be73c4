package wire

import "math"

// MinSizeClass is the smallest class: below it a size would say too much about a list.
const MinSizeClass = 64

// SizeClass returns the class that n items are padded to: the smallest of the numbers
// 2ᵏ·{4,5,6,7}/4 that is at least n and at least MinSizeClass. So a partner learns a size
// to within a quarter, for a padding of less than a quarter. Above the largest class that
// an int holds it returns that class.
func SizeClass(n int) int {
	class, step := MinSizeClass, MinSizeClass/4
	for class < n {
		if class > math.MaxInt-step {
			break
		}
		class += step
		if class == 8*step { // a power of two: the next four steps are twice as wide
			step *= 2
		}
	}
	return class
}

// IsSizeClass reports whether n is a size class.
func IsSizeClass(n int) bool { return n >= MinSizeClass && SizeClass(n) == n }
