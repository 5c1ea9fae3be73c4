package he

import (
	"encoding/binary"

	"entente/crypto/he/sample"
)

// Labels of the streams that are expanded from seeds.
const (
	uniformLabel = "entente/he/uniform/1" // of a ciphertext's public part
	secretLabel  = "entente/he/secret/1"  // of the secret key
	errorLabel   = "entente/he/error/1"   // of a ciphertext's error
	replyLabel   = "entente/he/reply/1"   // of all that one reply draws
)

// SeedSize is the length of a seed in bytes.
const SeedSize = sample.SeedSize

// uniform fills a polynomial of one limb with residues: four bytes each, little endian, cut
// to the modulus's length, and taken if below it.
func uniform(s *sample.Stream, limb int, out []uint64) {
	q, mask := modulus(limb), uint64(1)<<modulusBits(limb)-1
	for i := 0; i < len(out); {
		x := uint64(binary.LittleEndian.Uint32(s.Next(4))) & mask
		if x < q {
			out[i] = x
			i++
		}
	}
}

// lift writes small values as residues of a limb, without a branch on them.
func lift(limb int, small []int8, out []uint64) {
	q := modulus(limb)
	for i, v := range small {
		out[i] = uint64(int64(v)) + q&uint64(int64(v)>>63)
	}
}
