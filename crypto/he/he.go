// Package he computes inner products of vectors of which one side is encrypted, and returns
// them only as additive shares.
//
// The side that asks encrypts its probes under ring learning with errors (Lyubashevsky,
// Peikert, Regev 2010; the symmetric scheme with plaintexts in the upper bits is that of
// Fan and Vercauteren 2012 without its multiplication). The side that answers has templates
// in the clear, multiplies the ciphertexts by their coordinates and adds them up. What it
// returns for a pair of probe and template is an encryption of ⟨probe, template⟩ + r mod 2¹⁶,
// and −r is its own share:
//
//	asker                                            answerer
//	NewQuery: key, one ciphertext a coordinate ────►  Take
//	                                                  Σ gᵢ·cᵢ  (scalars or polynomials)
//	                                                  + encryption of zero + flooding + r
//	Open: the share  ◄────────────────────────────    switched to one modulus
//
// Where only some pairs are wanted, a reply is for one template and holds these alone, and few
// coordinates are multiplied (SparseGallery, OpenSome).
//
// Promises. Against an answerer who may do anything, as long as nothing that depends on the
// asker's shares reaches it: it learns nothing of the probes but their number (ring learning with
// errors, see Parameters). Against an asker whose ciphertexts and public key come from a seed
// as they should, whichever it is: a reply shows its shares, and nothing else of a template
// (flooding and ring learning with errors, see Parameters).
//
// What it does not promise. An asker that encrypts other errors than its seed gives, or
// ciphertexts of nothing sensible, can open templates in spite of the flooding; it is caught
// only if its seeds and probes are opened: whoever has both makes the same Query. An answerer can add up anything it likes: the
// asker cannot tell. If it then sees any outcome that the asker's shares decide, it has an
// oracle for decryption and gets the key, and with it the probes: so whoever shows an answerer
// outcomes must be able to have its replies opened too. Nothing here hides how many templates
// there are, nor how long it takes, which depends on sizes alone.
//
// Lattigo's ring arithmetic is used (transforms, rescaling), not its encryption: errors must
// come from a committed seed, in a form that others can recompute, and its floating-point
// sampler gives no such form. Its panics cannot be reached from outside: all that is received
// is checked for its length and each residue for its size before the ring sees it.
package he

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// Sizes of the set of parameters.
const (
	Degree       = 4096 // N, of the ring Z[X]/(X^N + 1); also the most probes of a query
	ShareBits    = 16   // shares are modulo 2^ShareBits
	MaxDimension = 1024 // coordinates of a vector
	MaxSquare    = 1<<15 - 1
	limbs        = 4

	floodBits    = 89 // flooding is uniform in [−2⁸⁸, 2⁸⁸)
	lowFloodBits = 45 // of them are drawn as one number
)

// MaxPairs is how many pairs of places for probe and template an answerer may give one asker in
// all, in the span for which it wants the distance of Parameters; of a reply for some slots, those
// slots. One query knows only its own:
// whoever keeps quotas must count them.
const MaxPairs = 1 << 29

// The moduli: the largest prime below 2²⁸, and the three largest below 2²⁶, that are 1 modulo
// 2¹⁷. So transforms of length N exist, Q = q₀·q₁·q₂·q₃ is 1 modulo 2¹⁶, and a product of two
// residues fits into 56 bits: 256 of them are added up in a word.
const (
	q0 = 268042241
	q1 = 65929217
	q2 = 64749569
	q3 = 63700993
)

// Errors.
var (
	ErrMalformed = errors.New("malformed ciphertext") // wrong length, residue or filling bits
	ErrVector    = errors.New("vector out of bounds") // dimension, or norm above MaxSquare
	ErrLayout    = errors.New("layout out of bounds")
)

// Parameters are the one set in use, with what is calculated from it. Immutable; for
// concurrent use.
//
// Security. N = 4096 with log₂ Q = 105.85, secrets uniform in {−1, 0, 1}: 128 bits against
// classical attacks by the tables of the Homomorphic Encryption Standard (2018), which allow
// 109, and within the 106 that newer ones are quoted with (Bossuat et al., ePrint 2024/463).
// No claim is made against a quantum computer: it would need about a third less. There is no
// other modulus, since no keys are switched. Errors are centred binomial with η = 24, of
// standard deviation √12 = 3.46 (the standard: at least 3.2) and never above 24.
//
// Noise. Let ‖p‖², ‖g‖² ≤ MaxSquare for probe and template, so that every score lies strictly
// within ±2¹⁵ (Cauchy–Schwarz). A reply's coefficient adds up at most N·D products of errors
// and template coordinates, of norm at most √N·√MaxSquare. In the worst case that is
// 24·N·√(1024·MaxSquare) < 2³⁰. For errors that come from a seed it is far less: centred
// binomial errors are sub-Gaussian with their own variance, and
//
//	B = 15.3 · 3.47 · √4096 · √32767 < 2^19.3
//
// is exceeded with probability below 2·e^(−15.3²/2) < 2⁻¹⁶⁷ in a coefficient: over 2³² of
// them and 2⁶⁴ seeds that an asker tries, below 2⁻⁷¹. In the same sense the encryption of
// zero adds u·e below 15.3·24·√4096 < 2^14.6 (u is sub-Gaussian with variance at most 1) and
// e₁·s + e₀ below 15.3·3.47·√4097 < 2^11.8; the message wraps at most once, which adds Q mod
// 2¹⁶ = 1. All together stay below 2^19.4.
//
// Hiding. (1) f uniform in [−2⁸⁸, 2⁸⁸) hides a shift by b up to the statistical distance
// b/2⁸⁹, here 2^−69.6, over MaxPairs coefficients 2^−40.6: so what the asker decrypts is as
// if the noise were f alone, whatever u, e₀ and e₁ are. (2) Given that, the second polynomial,
// a·u + e₁ added, is a sample of ring learning with errors with the secret u of one reply, and
// so looks uniform; the first follows from it and from what is decrypted. (3) Switching the
// modulus and leaving coefficients out work on these alone. A public key that no seed gives
// breaks (1), and then u and the rest: it belongs to what is audited.
//
// Correctness. The message is scaled by Δ = (Q−1)/2¹⁶ > 2^89.8, and the noise below
// 2⁸⁸ + 2³⁰ < Δ/2. After the switch to q₀ it is below 2⁸⁸·q₀/Q + 1 + ρ < 1140 + ρ, where ρ
// comes from rounding the second polynomial: a sum of at most N uniform values in ±½ times
// s, sub-Gaussian with ½·√N = 32, and above 900 with probability below
// 2·e^(−900²/(2·32²)) < 2⁻⁵⁶⁹. A share is wrong only from q₀/2¹⁷ = 2045 on. So decryption does
// not fail.
type Parameters struct {
	ring *ring.Ring // modulo q₀, q₁, q₂, q₃
	limb [limbs]constants
}

// constants are what is calculated for one modulus.
type constants struct {
	barrett
	delta   uint64        // Δ
	half    uint64        // 2⁴⁵: what the upper half of a flooding counts
	flood   uint64        // −2⁸⁸
	inverse [limbs]uint64 // of the moduli behind it
}

// New makes the parameters, with the tables of their transforms.
func New() (*Parameters, error) {
	r, err := ring.NewRing(Degree, []uint64{q0, q1, q2, q3})
	if err != nil {
		return nil, fmt.Errorf("make ring: %w", err)
	}
	p := &Parameters{ring: r}
	one := big.NewInt(1)
	delta := new(big.Int).Rsh(r.Modulus(), ShareBits) // Q is 1 modulo 2¹⁶
	flood := new(big.Int).Neg(new(big.Int).Lsh(one, floodBits-1))
	half := new(big.Int).Lsh(one, lowFloodBits)
	for i := range p.limb {
		k, q := &p.limb[i], new(big.Int).SetUint64(modulus(i))
		residue := func(x *big.Int) uint64 { return new(big.Int).Mod(x, q).Uint64() }
		k.barrett = newBarrett(modulus(i))
		k.delta, k.half, k.flood = residue(delta), residue(half), residue(flood)
		for last := i + 1; last < limbs; last++ {
			k.inverse[last] = new(big.Int).ModInverse(new(big.Int).SetUint64(modulus(last)), q).Uint64()
		}
	}
	return p, nil
}

// modulusBits is the length of a residue of a limb.
func modulusBits(limb int) int {
	if limb == 0 {
		return 28
	}
	return 26
}

func modulus(limb int) uint64 { return [limbs]uint64{q0, q1, q2, q3}[limb] }

// barrett reduces words modulo q by a multiplication (Barrett 1986).
type barrett struct{ q, inverse uint64 }

func newBarrett(q uint64) barrett { return barrett{q, ^uint64(0) / q} } // ⌊(2⁶⁴−1)/q⌋

// reduce returns x mod q for any x.
func (b barrett) reduce(x uint64) uint64 {
	h, _ := bits.Mul64(x, b.inverse)
	r := x - h*b.q // below 2q
	if r >= b.q {
		r -= b.q
	}
	return r
}

// Layout says how probes and templates lie in the coefficients of a polynomial. Both sides
// must have the same.
//
// With Slots = n and Split = k, coordinate i·k + j of probe p is the coefficient p + j·N/k of
// ciphertext i. A reply holds the n probes against Templates() = N/(n·k) templates, probe p
// against template t in coefficient p + t·n. So n = N is a batch, and n = 1 a single probe. A
// larger Split makes a query shorter and replies longer.
type Layout struct {
	Dimension int // coordinates of a vector, 1 to MaxDimension, a multiple of Split
	Slots     int // probes, a power of two up to N
	Split     int // coordinates in one ciphertext, a power of two, Slots·Split ≤ N
}

// Check reports ErrLayout.
func (l Layout) Check() error {
	power := func(n int) bool { return n > 0 && n&(n-1) == 0 && n <= Degree }
	if !power(l.Slots) || !power(l.Split) || l.Slots*l.Split > Degree ||
		l.Dimension < 1 || l.Dimension > MaxDimension || l.Dimension%l.Split != 0 {
		return fmt.Errorf("%w: %d coordinates, %d slots, split by %d", ErrLayout, l.Dimension, l.Slots, l.Split)
	}
	return nil
}

// Ciphertexts is how many a query has.
func (l Layout) Ciphertexts() int { return l.Dimension / l.Split }

// Templates is how many a reply is for.
func (l Layout) Templates() int { return Degree / (l.Slots * l.Split) }

// Pairs is how many pairs of probe and template a reply is for.
func (l Layout) Pairs() int { return Degree / l.Split }

// CheckVector reports ErrVector if a vector has another dimension, or a norm that makes
// scores ambiguous or noise larger than it may be.
func (l Layout) CheckVector(v []int8) error {
	if len(v) != l.Dimension {
		return fmt.Errorf("%w: %d coordinates, not %d", ErrVector, len(v), l.Dimension)
	}
	square := 0
	for _, x := range v {
		if x == math.MinInt8 {
			return fmt.Errorf("%w: a coordinate is below −127", ErrVector)
		}
		square += int(x) * int(x)
	}
	if square > MaxSquare {
		return fmt.Errorf("%w: its norm is too large", ErrVector)
	}
	return nil
}
