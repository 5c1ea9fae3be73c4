package he

import (
	"encoding/binary"
	"fmt"
)

// packedSize is how many bytes so many residues of a limb take.
func packedSize(limb, count int) int { return (count*modulusBits(limb) + 7) / 8 }

// CiphertextSize is the length in bytes of a query's ciphertext, and of its public key: the
// first polynomial, limb after limb. The second one comes from the public seed.
const CiphertextSize = Degree * (28 + 3*26) / 8

// ReplySize is the length of a reply in bytes: the first polynomial as far as it is used,
// then the second, modulo q₀.
func (l Layout) ReplySize() int { return packedSize(0, l.Pairs()) + packedSize(0, Degree) }

// pack appends residues, each as a number of the modulus's length, the lowest bits first.
func pack(b []byte, limb int, residues []uint64) []byte {
	var word uint64
	held := 0
	width := modulusBits(limb)
	for _, r := range residues {
		word |= r << held
		for held += width; held >= 32; held -= 32 {
			b = binary.LittleEndian.AppendUint32(b, uint32(word))
			word >>= 32
		}
	}
	for ; held > 0; held -= 8 {
		b = append(b, byte(word))
		word >>= 8
	}
	return b
}

// unpack is pack's inverse, and refuses all that pack does not write; b has the right length.
func unpack(b []byte, limb int, out []uint64) error {
	var word uint64
	held := 0
	width := modulusBits(limb)
	q, mask := modulus(limb), uint64(1)<<width-1
	for i := range out {
		for held < width {
			if len(b) >= 4 {
				word |= uint64(binary.LittleEndian.Uint32(b)) << held
				b, held = b[4:], held+32
			} else {
				word |= uint64(b[0]) << held
				b, held = b[1:], held+8
			}
		}
		if out[i] = word & mask; out[i] >= q {
			return fmt.Errorf("%w: residue %d is not below the modulus", ErrMalformed, i)
		}
		word, held = word>>width, held-width
	}
	if word != 0 || len(b) > 0 {
		return fmt.Errorf("%w: filling bits are set", ErrMalformed)
	}
	return nil
}

// unpackPoly reads all limbs of a polynomial.
func unpackPoly(b []byte, out [][]uint64) error {
	if len(b) != CiphertextSize {
		return fmt.Errorf("%w: %d bytes, not %d", ErrMalformed, len(b), CiphertextSize)
	}
	for limb := range limbs {
		n := packedSize(limb, Degree)
		if err := unpack(b[:n], limb, out[limb]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func packPoly(in [][]uint64) []byte {
	b := make([]byte, 0, CiphertextSize)
	for limb := range limbs {
		b = pack(b, limb, in[limb])
	}
	return b
}
