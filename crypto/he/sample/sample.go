// Package sample expands seeds to what encryption under ring learning with errors draws: bytes
// of a key stream, uniform ternary values and centred binomial ones. All is computed with whole
// numbers, so that who has an opened seed computes the same.
//
// It promises that without the seed the values look random (AES-256 in counter mode, NIST SP
// 800-38A), and that each label and index has a stream of its own. How many bytes are read
// depends on those passed over, which says nothing of those taken.
package sample

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"

	"entente/crypto/transcript"
)

// SeedSize is the length of a seed in bytes.
const SeedSize = 32

// Stream is AES-256 in counter mode from block 0 on (NIST SP 800-38A), under the key
// Digest(label, seed, index as 4 bytes, big endian).
type Stream struct {
	ctr cipher.Stream
	buf [4096]byte
	at  int
}

// New begins the stream of a seed for a label and an index.
func New(label string, seed [SeedSize]byte, index uint32) *Stream {
	key := transcript.Digest(label, seed[:], binary.BigEndian.AppendUint32(nil, index))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("sample: AES refuses a key of 32 bytes") // never
	}
	s := &Stream{ctr: cipher.NewCTR(block, make([]byte, aes.BlockSize))}
	s.at = len(s.buf)
	return s
}

// Next returns the stream's next n bytes, valid until the next call; n is at most 64.
func (s *Stream) Next(n int) []byte {
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

// Ternary fills out with values uniform in {−1, 0, 1}: pairs of bits from a byte's lowest on,
// where 2 is −1, and 3 is passed over. How many are passed over says nothing of those taken.
func (s *Stream) Ternary(out []int8) {
	for i := 0; i < len(out); {
		b := s.Next(1)[0]
		for range 4 {
			if v := int8(b & 3); v != 3 && i < len(out) {
				out[i] = v - 3*(v>>1)
				i++
			}
			b >>= 2
		}
	}
}

// Binomial fills out with centred binomial values for η = 24: the bits set in three bytes,
// less those set in the next three.
func (s *Stream) Binomial(out []int8) {
	for i := range out {
		b := s.Next(6)
		x := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		y := uint32(b[3]) | uint32(b[4])<<8 | uint32(b[5])<<16
		out[i] = int8(bits.OnesCount32(x) - bits.OnesCount32(y))
	}
}
