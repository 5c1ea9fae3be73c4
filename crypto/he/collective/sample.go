package collective

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/transcript"
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
		panic("collective: AES refuses a key of 32 bytes") // never
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

// uniform fills a polynomial, limb after limb.
func (s *stream) uniform(out ring.Poly) {
	for limb := range limbs {
		s.residues(limb, out.Coeffs[limb])
	}
}

// residues fills out with residues of a limb: eight bytes each, little endian, cut to the
// modulus's length, and taken if below it. What is read before is a multiple of eight bytes.
func (s *stream) residues(limb int, out []uint64) {
	q, mask := modulus(limb), uint64(1)<<modulusBits(limb)-1
	for i := 0; i < len(out); {
		if s.at == len(s.buf) {
			clear(s.buf[:])
			s.ctr.XORKeyStream(s.buf[:], s.buf[:])
			s.at = 0
		}
		b := s.buf[s.at:]
		for len(b) >= 8 && i < len(out) {
			if x := binary.LittleEndian.Uint64(b) & mask; x < q {
				out[i] = x
				i++
			}
			b = b[8:]
		}
		s.at = len(s.buf) - len(b)
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

// flood adds values uniform in [−2⁷⁹, 2⁷⁹) to a polynomial: ten bytes each, little endian,
// less 2⁷⁹.
func (p *Parameters) flood(s *stream, out ring.Poly) {
	const half = floodBits / 2
	for i := range Degree {
		b := s.next(floodBits / 8)
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
