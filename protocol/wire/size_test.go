package wire

import (
	"math"
	"slices"
	"testing"
)

// classes computes the classes from their definition.
func classes(below int) []int {
	var all []int
	for k := 0; 1<<k <= below; k++ {
		for _, quarter := range []int{4, 5, 6, 7} {
			if c := (1 << k) * quarter / 4; (1<<k)*quarter%4 == 0 && c >= MinSizeClass {
				all = append(all, c)
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestSizeClassIsTheNextOne(t *testing.T) {
	all := classes(1 << 17)
	for n, i := -3, 0; n < 1<<16; n++ {
		for all[i] < n {
			i++
		}
		if got := SizeClass(n); got != all[i] {
			t.Fatalf("SizeClass(%d) = %d, want %d", n, got, all[i])
		}
		if got, want := IsSizeClass(n), n == all[i]; got != want {
			t.Fatalf("IsSizeClass(%d) = %v", n, got)
		}
	}
}

func TestSizeClassAtTheEnds(t *testing.T) {
	for n, want := range map[int]int{
		math.MinInt: 64, -1: 64, 0: 64, 1: 64, 64: 64, 65: 80, 80: 80, 81: 96, 97: 112, 113: 128, 129: 160,
		10_000: 10_240, 10_241: 12_288, 1 << 20: 1 << 20, 1<<20 + 1: 5 << 18, math.MaxInt: 7 << 60,
	} {
		if got := SizeClass(n); got != want {
			t.Errorf("SizeClass(%d) = %d, want %d", n, got, want)
		}
	}
	if IsSizeClass(math.MaxInt) || !IsSizeClass(7<<60) {
		t.Error("the largest class is wrong")
	}
}

func TestPaddingIsBelowAQuarter(t *testing.T) {
	for n := MinSizeClass; n < 1<<20; n += 7 {
		if c := SizeClass(n); 4*(c-n) >= n {
			t.Fatalf("%d items are padded to %d", n, c)
		}
	}
}
