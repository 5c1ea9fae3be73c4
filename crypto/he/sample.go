package he

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"

	"entente/crypto/transcript"
)

// Labels of the streams that are expanded from seeds.
const (
	uniformLabel = "entente/he/uniform/1" // of a ciphertext's public part
	secretLabel  = "entente/he/secret/1"  // of the secret key
	errorLabel   = "entente/he/error/1"   // of a ciphertext's error
	replyLabel   = "entente/he/reply/1"   // of all that one reply draws
)

// SeedSize is the length of a seed in bytes.
const SeedSize = 32

// stream is AES-256 in counter mode from block 0 on (NIST SP 800-38A), under the key
// Digest(label, seed, index as 4 bytes, big endian).
type stream struct {
	ctr cipher.Stream
	buf [4096]byte
	at  int
}

func newStream(label string, seed [SeedSize]byte, index uint32) *stream {
	key := transcript.Digest(label, seed[:], binary.BigEndian.AppendUint32(nil, index))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("he: AES refuses a key of 32 bytes") // never
	}
	s := &stream{ctr: cipher.NewCTR(block, make([]byte, aes.BlockSize))}
	s.at = len(s.buf)
	return s
}

// next returns the stream's next n bytes, valid until the next call; n is at most 64.
func (s *stream) next(n int) []byte {
	if s.at+n <= len(s.buf) {
		s.at += n
		return s.buf[s.at-n : s.at]
	}
	rest := copy(s.buf[:], s.buf[s.at:])
	fresh := s.buf[rest:]
	clear(fresh)
	s.ctr.XORKeyStream(fresh, fresh)
	s.at = n
	return s.buf[:n]
}

// uniform fills a polynomial of one limb with residues: four bytes each, little endian, cut
// to the modulus's length, and taken if below it.
func (s *stream) uniform(limb int, out []uint64) {
	q, mask := modulus(limb), uint64(1)<<modulusBits(limb)-1
	for i := 0; i < len(out); {
		x := uint64(binary.LittleEndian.Uint32(s.next(4))) & mask
		if x < q {
			out[i] = x
			i++
		}
	}
}

// ternary fills out with values uniform in {−1, 0, 1}: pairs of bits from a byte's lowest on,
// where 2 is −1, and 3 is passed over. How many are passed over says nothing of those taken.
func (s *stream) ternary(out []int8) {
	for i := 0; i < len(out); {
		b := s.next(1)[0]
		for range 4 {
			if v := int8(b & 3); v != 3 && i < len(out) {
				out[i] = v - 3*(v>>1)
				i++
			}
			b >>= 2
		}
	}
}

// binomial fills out with centred binomial values for η = 24: the bits set in three bytes,
// less those set in the next three.
func (s *stream) binomial(out []int8) {
	for i := range out {
		b := s.next(6)
		x := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		y := uint32(b[3]) | uint32(b[4])<<8 | uint32(b[5])<<16
		out[i] = int8(bits.OnesCount32(x) - bits.OnesCount32(y))
	}
}

// lift writes small values as residues of a limb, without a branch on them.
func lift(limb int, small []int8, out []uint64) {
	q := modulus(limb)
	for i, v := range small {
		out[i] = uint64(int64(v)) + q&uint64(int64(v)>>63)
	}
}
