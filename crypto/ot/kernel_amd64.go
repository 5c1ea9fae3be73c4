package ot

//go:generate go run ./gen kernel_amd64.s

import "golang.org/x/sys/cpu"

// expandKey writes the round keys of AES-128.
//
//go:noescape
func expandKey(keys *[11]Block, key *Block)

// hashRows hashes n rows under one key.
//
//go:noescape
func hashRows(out, rows, offsets *Block, keys *[11]Block, n uint64)

// turnSquares turns 256 rows of 64 columns; a column has stride bytes.
//
//go:noescape
func turnSquares(rows, columns *byte, stride uint64, between *[64][4]uint64)

// haveKernel reports whether this machine runs the assembly.
func haveKernel() bool { return cpu.X86.HasAES && cpu.X86.HasAVX2 }

// newRowHash returns the fastest hash of this machine.
func newRowHash() rowHash {
	if haveKernel() {
		return new(kernelHash)
	}
	return new(genericHash)
}

// kernelHash hashes rows in assembly.
type kernelHash struct{ keys [11]Block }

func (h *kernelHash) setKey(key *Block) { expandKey(&h.keys, key) }

func (h *kernelHash) hash(out, rows, offsets []Block) {
	n := min(len(out), len(rows), len(offsets))
	if n > 0 {
		hashRows(&out[0], &rows[0], &offsets[0], &h.keys, uint64(n))
	}
}

// turnFast turns as many of the first rows as the kernel can, and returns how many.
func (m *matrix) turnFast(rows []Block) int {
	const width = 4 * 64
	if !haveKernel() {
		return 0
	}
	var between [64][4]uint64
	size := m.rows / 8
	done := 0
	for ; done+width <= len(rows); done += width {
		for half := range 2 {
			in := m.bits[half*64*size+done/8:]
			_, _ = in[63*size+width/8-1], rows[done+width-1] // what the kernel touches
			turnSquares(&rows[done][half*8], &in[0], uint64(size), &between)
		}
	}
	return done
}
