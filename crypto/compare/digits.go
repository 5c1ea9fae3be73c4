package compare

import (
	"encoding/binary"

	"entente/crypto/ot"
)

// A table of 32 entries of one bit is a number: entry j is its bit j. Two tables that are
// looked up at once, of g and of p, are the lower and the upper half of 64 bits; the tables
// of pads are the first eight bytes of a block, g before p.

// places has for each bit of an index the entries in whose index it is set, in both halves.
func places(bit int) uint64 {
	return [digitBits]uint64{
		0xaaaaaaaaaaaaaaaa, 0xcccccccccccccccc, 0xf0f0f0f0f0f0f0f0, 0xff00ff00ff00ff00, 0xffff0000ffff0000,
	}[bit]
}

// pad reads the pads of a block: bit j for entry j.
func pad(b *ot.Block) uint64 {
	return uint64(binary.BigEndian.Uint32(b[:])) | uint64(binary.BigEndian.Uint32(b[4:]))<<32
}

// pads returns the pad of each entry of a table: for entry j the sum of the pads for it in
// the block of each bit of j. So each entry has bits of its own, of which whoever lacks one
// block of each pair knows those of one entry.
func pads(zero, one []ot.Block) uint64 {
	var sum uint64
	for bit := range zero {
		z, o := pad(&zero[bit]), pad(&one[bit])
		sum ^= z ^ (z^o)&places(bit)
	}
	return sum
}

// move moves entry j of both halves to j + by, by without carries, in the same time for each
// by below 32.
func move(table uint64, by uint16) uint64 {
	for bit := range digitBits {
		high := places(bit)
		shift := uint(1) << bit & 63
		moved := (table&high)>>shift | table<<shift&high
		table ^= (table ^ moved) & -uint64(by>>bit&1)
	}
	return table
}

// carries returns the tables of a digit a of the sender: of g, which is [a + j ≥ 32], and of
// p, which is [a + j = 31].
func carries(a uint16) uint64 {
	return 0xffffffff<<(32-uint64(a))&0xffffffff | 1<<(63-uint64(a))
}

// combining is the table of p₂·(g₁ + p₁·g₀), + without carries, where g₀, p₁, g₁ and p₂ are
// the bits of the index, the lowest first.
const combining = 0b0111_1000_0000_0000

// Shares of one pair: bits of a byte.
const (
	shareG0, shareP1, shareG1, shareP2 = 0, 1, 2, 3 // the index of combining
	shareG2                            = 4
	shareTop                           = 5
)
