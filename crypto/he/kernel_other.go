//go:build !amd64

package he

// Kernel names the code that multiplies here.
func Kernel() string { return "generic" }

func multiply(out *[groupSums]int32, words, templates []int16) {
	multiplyGeneric(out, words, templates)
}

func accumulate(out *[2 * blockSize]uint64, query, values []uint32) {
	accumulateGeneric(out, query, values)
}
