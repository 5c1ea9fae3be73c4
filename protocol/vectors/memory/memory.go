// Package memory measures what a decoder allocates, for the tests that hold every decoder to a
// bound in proportion to its input. It measures the whole process, so what it returns is an
// upper bound, and only for tests.
package memory

import "runtime"

// enough is what a decoder may allocate whatever its input, in bytes: below it nothing is
// measured again.
const enough = 64 << 10

// Allocated returns the bytes that f allocates. What is more than the least promise is
// measured again and the least counts: the runtime empties pools when it likes, and filling
// one anew is not the input's doing.
func Allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= enough {
			break
		}
	}
	return least
}
