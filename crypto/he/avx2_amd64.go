package he

import "golang.org/x/sys/cpu"

//go:generate go run ./gen avx2_amd64.s

// Kernel names the code that multiplies here.
func Kernel() string {
	if cpu.X86.HasAVX2 {
		return "AVX2"
	}
	return "generic"
}

//go:noescape
func multiplyAVX2(out *int32, words, templates *int16, pairs int)

//go:noescape
func accumulateAVX2(out *uint64, query, values *uint32, terms int)

// multiply is multiplyGeneric, for whole pairs and at least one.
func multiply(out *[groupSums]int32, words, templates []int16) {
	pairs := len(words) / pairWords
	if !cpu.X86.HasAVX2 || pairs == 0 || len(templates) < pairs*groupSize*2 {
		multiplyGeneric(out, words, templates)
		return
	}
	multiplyAVX2(&out[0], &words[0], &templates[0], pairs)
}

// accumulate is accumulateGeneric, for whole terms and at least one.
func accumulate(out *[2 * blockSize]uint64, query, values []uint32) {
	terms := len(values) / blockSize
	if !cpu.X86.HasAVX2 || terms == 0 || len(query) < terms*2*blockSize {
		accumulateGeneric(out, query, values)
		return
	}
	accumulateAVX2(&out[0], &query[0], &values[0], terms)
}
