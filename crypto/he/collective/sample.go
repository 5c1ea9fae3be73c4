package collective

import (
	"encoding/binary"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
)

// Labels of the streams that are expanded from seeds.
const (
	referenceLabel = "entente/collective/reference/1" // the common reference polynomial
	secretLabel    = "entente/collective/secret/1"    // a dealer's part of the key
	keyErrorLabel  = "entente/collective/key-error/1" // of a dealer's public part
	shareLabel     = "entente/collective/share/1"     // a share that is dealt as a seed
	maskLabel      = "entente/collective/mask/1"      // u of a ciphertext
	errorLabel     = "entente/collective/error/1"     // e₀ and e₁ of a ciphertext
	floodLabel     = "entente/collective/flood/1"     // of a decryption share
)

// uniform fills a polynomial, limb after limb.
func uniform(s *sample.Stream, out ring.Poly) {
	for limb := range limbs {
		residues(s, limb, out.Coeffs[limb])
	}
}

// residues fills out with residues of a limb: eight bytes each, little endian, cut to the
// modulus's length, and taken if below it.
func residues(s *sample.Stream, limb int, out []uint64) {
	q, mask := modulus(limb), uint64(1)<<modulusBits(limb)-1
	for i := 0; i < len(out); {
		if x := binary.LittleEndian.Uint64(s.Next(8)) & mask; x < q {
			out[i] = x
			i++
		}
	}
}

// flood adds values uniform in [−2⁷⁹, 2⁷⁹) to a polynomial: ten bytes each, little endian,
// less 2⁷⁹.
func (p *Parameters) flood(s *sample.Stream, out ring.Poly) {
	const half = floodBits / 2
	for i := range Degree {
		b := s.Next(floodBits / 8)
		x := binary.LittleEndian.Uint64(b)
		low := x & (1<<half - 1)
		high := x>>half | uint64(binary.LittleEndian.Uint16(b[8:]))<<(64-half)
		for limb := range limbs {
			l, to := &p.limb[limb], out.Coeffs[limb]
			v := l.add(l.mul(high, l.high), l.add(low, l.flood)) // low < 2⁴⁰ < q
			to[i] = l.add(to[i], v)
		}
	}
}

// lift writes small values as residues of all limbs.
func lift(small []int8, out ring.Poly) {
	for limb := range limbs {
		liftLimb(limb, small, out.Coeffs[limb])
	}
}

// liftLimb has no branch on the values.
func liftLimb(limb int, small []int8, out []uint64) {
	q := modulus(limb)
	for i, v := range small {
		out[i] = uint64(int64(v)) + q&uint64(int64(v)>>63)
	}
}
