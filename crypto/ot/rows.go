package ot

import "encoding/binary"

// rowsFor is the number of rows, that is of bits of a column, for n transfers: whole blocks,
// and one block more for the check.
func rowsFor(n int) int { return (n+security-1)/security*security + security }

// matrix is a matrix of bits: security columns, each of a multiple of security rows. In a
// column row j is bit j mod 8 of byte j/8; in a row column i is bit i mod 8 of byte i/8.
type matrix struct {
	rows int
	bits []byte // column by column
}

// column returns a column, of rows/8 bytes.
func (m *matrix) column(i int) []byte {
	size := m.rows / 8
	return m.bits[i*size : (i+1)*size : (i+1)*size]
}

// turn writes the first rows. There is room for whole squares: a multiple of 64 rows.
func (m *matrix) turn(rows []Block) { m.turnFrom(m.turnFast(rows), rows) }

// turnFrom writes the rows from one on.
func (m *matrix) turnFrom(from int, rows []Block) {
	size := m.rows / 8
	var square [64]uint64
	for ; from < len(rows); from += 64 {
		for half := range 2 {
			in := m.bits[half*64*size+from/8:]
			for i := range square {
				square[i] = binary.LittleEndian.Uint64(in[i*size:])
			}
			transpose(&square)
			for i, word := range square {
				binary.LittleEndian.PutUint64(rows[from+i][half*8:], word)
			}
		}
	}
}

// transpose turns a square of bits round its diagonal: squares of half the size change
// places, then those in each of them, and so on (Warren, "Hacker's Delight", section 7-3).
func transpose(a *[64]uint64) {
	for i := range 32 {
		t := (a[i]>>32 ^ a[i+32]) & 0x00000000ffffffff
		a[i] ^= t << 32
		a[i+32] ^= t
	}
	halve(a, 16, 0x0000ffff0000ffff)
	halve(a, 8, 0x00ff00ff00ff00ff)
	halve(a, 4, 0x0f0f0f0f0f0f0f0f)
	halve(a, 2, 0x3333333333333333)
	halve(a, 1, 0x5555555555555555)
}

// halve is one step of transpose.
func halve(a *[64]uint64, by uint, mask uint64) {
	for from := 0; from < 64; from += int(2 * by) {
		upper, lower := a[from:from+int(by)], a[from+int(by):from+int(2*by)]
		for i := range upper {
			t := (upper[i]>>(by&63) ^ lower[i]) & mask
			upper[i] ^= t << (by & 63)
			lower[i] ^= t
		}
	}
}
