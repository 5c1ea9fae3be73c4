package collective

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// PolynomialSize is the length in bytes of a polynomial: its limbs one after the other, in
// each the residues as numbers of 55 or 54 bits, the lowest bits first. No bits are left over.
const PolynomialSize = Degree * (55 + 54 + 54) / 8

func limbSize(limb int) int { return Degree * modulusBits(limb) / 8 }

// pack appends a polynomial with residues below the moduli.
func pack(b []byte, in ring.Poly) []byte {
	b = slices.Grow(b, PolynomialSize)
	for limb := range limbs {
		b = packLimb(b, limb, in.Coeffs[limb])
	}
	return b
}

func packLimb(b []byte, limb int, in []uint64) []byte {
	var word uint64
	held, width := 0, modulusBits(limb)
	for _, r := range in {
		word |= r << held
		if held += width; held >= 64 {
			b = binary.LittleEndian.AppendUint64(b, word)
			held -= 64
			word = r >> (width - held)
		}
	}
	return b
}

// unpack is pack's inverse, and refuses all that pack does not write.
func unpack(b []byte, out ring.Poly) error {
	if len(b) != PolynomialSize {
		return fmt.Errorf("%w: %d bytes, not %d", ErrMalformed, len(b), PolynomialSize)
	}
	for limb := range limbs {
		n := limbSize(limb)
		if err := unpackLimb(b[:n], limb, out.Coeffs[limb]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// CheckPolynomial reports ErrMalformed unless b is a polynomial as it goes over the wire: for
// who passes it on without calculating.
func CheckPolynomial(b []byte) error {
	if len(b) != PolynomialSize {
		return fmt.Errorf("%w: %d bytes, not %d", ErrMalformed, len(b), PolynomialSize)
	}
	out := make([]uint64, Degree)
	for limb := range limbs {
		n := limbSize(limb)
		if err := unpackLimb(b[:n], limb, out); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func unpackLimb(b []byte, limb int, out []uint64) error {
	width, q := modulusBits(limb), modulus(limb)
	mask := uint64(1)<<width - 1
	var word, wrong uint64
	held := 0
	for i := range out {
		x := word
		if held < width {
			word = binary.LittleEndian.Uint64(b)
			b = b[8:]
			x |= word << held
			word >>= width - held // width − held ≤ 55
			held += 64
		} else {
			word >>= width
		}
		held -= width
		x &= mask
		wrong |= (q - 1 - x) >> 63
		out[i] = x
	}
	if wrong != 0 {
		i := slices.IndexFunc(out, func(x uint64) bool { return x >= q })
		return fmt.Errorf("%w: residue %d of limb %d is not below the modulus", ErrMalformed, i, limb)
	}
	return nil
}
