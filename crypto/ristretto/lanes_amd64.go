package ristretto

import (
	"encoding/binary"
	"math/bits"
)

// order is the order of the group, the lowest word first. It is never written to.
var order = [4]uint64{0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0x0000000000000000, 0x1000000000000000}

// limbMask covers a limb of 51 bits.
const limbMask = 1<<51 - 1

// setBytes sets one lane to a number of 32 bytes, little endian, without its highest bit.
func (f *field8) setBytes(lane int, b []byte) {
	f.setWords(lane, [4]uint64{
		binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]),
		binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:]),
	})
}

// setWords sets one lane to a number of four words, the lowest first, without its highest
// bit.
func (f *field8) setWords(lane int, w [4]uint64) {
	f[0][lane] = w[0] & limbMask
	f[1][lane] = (w[0]>>51 | w[1]<<13) & limbMask
	f[2][lane] = (w[1]>>38 | w[2]<<26) & limbMask
	f[3][lane] = (w[2]>>25 | w[3]<<39) & limbMask
	f[4][lane] = w[3] >> 12 & limbMask
}

// putBytes writes one lane, which must be canonical, as 32 bytes.
func (f *field8) putBytes(b []byte, lane int) {
	l0, l1, l2, l3, l4 := f[0][lane], f[1][lane], f[2][lane], f[3][lane], f[4][lane]
	binary.LittleEndian.PutUint64(b, l0|l1<<51)
	binary.LittleEndian.PutUint64(b[8:], l1>>13|l2<<38)
	binary.LittleEndian.PutUint64(b[16:], l2>>26|l3<<25)
	binary.LittleEndian.PutUint64(b[24:], l3>>39|l4<<12)
}

// fill sets all lanes to a constant.
func (f *field8) fill(words [4]uint64) {
	for lane := range width {
		f.setWords(lane, words)
	}
}

// recode writes an odd number t below 2²⁵⁴ as digits of radix 16 that are odd, from −15 to
// 15, to one lane (Joye and Tunstall, "Exponent recoding and regular exponentiation
// algorithms", 2009): digit i is 2·u − 15 with u the nibble i of (t − 1)/2, the highest is
// 2·u + 1. The digit of magnitude 2·j + 1 is stored as j, and j − 128 if it is negative.
func recode(digits *[windows]lanes8, lane int, t *[4]uint64) {
	for i := range windows - 1 {
		place := 4*i + 1
		u := t[place/64] >> (place % 64)
		if place%64 > 60 {
			u |= t[place/64+1] << (64 - place%64)
		}
		negative := ^u >> 3 & 1
		digits[i][lane] = int8((u^-negative)&7 | negative<<7)
	}
	digits[windows-1][lane] = int8(t[3] >> 61)
}

// halve divides a number below the order by 2 modulo the order, in place.
func halve(w *[4]uint64) {
	addOrder(w, w[0]&1) // to below 2²⁵⁴
	for i := range w {
		w[i] >>= 1
		if i < 3 {
			w[i] |= w[i+1] << 63
		}
	}
}

// addOrder adds the order if yes is 1.
func addOrder(w *[4]uint64, yes uint64) {
	carry := uint64(0)
	for i := range w {
		w[i], carry = bits.Add64(w[i], order[i]&-yes, carry)
	}
}
