// Package collective adds up vectors of counters that nobody sees apart: each contributor
// encrypts its own under a key that all holders made together, anyone adds the ciphertexts,
// and t holders together, not fewer, decrypt the one sum.
//
//	holders                        contributors               collector
//	Deal: public part, shares ──►  KeySum: Key
//	                               Encrypt: masks, bodies ──► Sum
//	MaskSum ◄──────────────────────────── masks ─────────────
//	Holder.Share: one sum, one set of t holders, once ──────► Combiner: the counters' sums
//
// Encryption is ring learning with errors with the plaintext in the upper bits (Lyubashevsky,
// Peikert, Regev 2010; Fan and Vercauteren 2012, additions alone). The collective key is the
// sum of what each holder deals over a common reference polynomial, after Asharov et al.
// (Eurocrypt 2012) and Mouchet et al. (PoPETs 2021, "Multiparty Homomorphic Encryption from
// Ring-Learning-with-Errors"); each holder shares its part by Shamir's polynomials over the
// same ring, after Mouchet, Bertrand and Hubaux (ePrint 2022/780).
//
// A ciphertext has a mask, which hides, and a body, in which the plaintext is. Holders get the
// masks alone, so that all of them together read nothing without who has the bodies.
//
// Promises, to all who follow the protocol. Against who has the bodies with fewer than t
// holders, of whom no more than f share more than once, and any number of contributors: they learn the sum and their own, and nothing else
// (128-bit security of ring learning with errors, and a statistical distance below 2⁻⁴⁰, see
// Parameters). Against holders and contributors without the bodies: nothing. That holds for
// one decryption share of each holder under a key. Two shares of one holder for the same
// ciphertext, or for two sets of holders, differ by their noise alone and open the key (ePrint
// 2024/194, 2025/409, 2026/031). So a key opens one sum: Holder.Share cannot be called without
// a Journal that remembers it durably, and what was computed once is never computed again.
//
// What it does not promise. There is no proof that contributions, dealings or shares are well
// formed: parties are semi-honest. A contributor whose ciphertext is not an encryption can
// have the sum show the key, to who has the bodies; a dealer or a holder can spoil the sum (seen with overwhelming
// probability, ErrInconsistent, without telling who). A contribution is recomputed byte by
// byte by whom its seed and counters are opened to. Who has all shares sees all sums: noise
// and suppression are the protocol's.
//
// Of Lattigo the ring's transforms and products are used. Its packages for several parties
// (mhe) are the reference that tests compare with, not what runs, for these reasons: errors
// must be recomputable from a seed; its smudging of deviation 2⁸⁰ is drawn in floating point
// and takes so few values that a shift by 2³⁰ shows in every coefficient and one by 2²⁰ in
// some, and it panics once in some 2²⁷ draws; its Combiner takes the first t of a longer
// active set, so that the order of a list decides which key a share is for. Nothing received
// reaches the ring before its length and each residue were checked.
package collective

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
)

// Sizes of the set of parameters, which is named AGG.
const (
	Degree           = 8192            // N, of the ring Z[X]/(X^N + 1)
	CountersPerBlock = digits * Degree // counters in one ciphertext
	MaxBlocks        = 8               // ciphertexts of a vector
	MaxCounters      = MaxBlocks * CountersPerBlock
	MaxHolders       = 64                     // members that deal and hold one key
	MaxContributors  = 64                     // vectors in one sum
	MaxValue         = 1<<(counterBits-7) - 1 // of a contributor's counter, in either sign
	SeedSize         = sample.SeedSize        // bytes

	limbs       = 3
	digits      = 3  // counters in one coefficient
	counterBits = 25 // of a sum, its sign included
	scaleBits   = 87 // Δ = 2⁸⁷
	floodBits   = 80 // flooding is uniform in [−2⁷⁹, 2⁷⁹)
	noiseBits   = 31 // well-formed contributions have noise below 2³¹
)

// The moduli: the largest prime below 2⁵⁵, and the two largest below 2⁵⁴, that are 1 modulo
// 2¹⁴, so that transforms of length N exist.
const (
	q0 = 36028797018652673 // 2⁵⁵ − 311,295
	q1 = 18014398508400641 // 2⁵⁴ − 1,081,343
	q2 = 18014398508138497 // 2⁵⁴ − 1,343,487
)

// Errors.
var (
	ErrMalformed    = errors.New("malformed polynomial")                  // wrong length, or a residue that is not below its modulus
	ErrRange        = errors.New("counters out of range")                 // a value, how many there are, or the number of a block
	ErrGroup        = errors.New("holders or threshold out of bounds")    // of a group, or a set of active holders
	ErrFull         = errors.New("more vectors than a sum may have")      //
	ErrOrder        = errors.New("part comes twice or not in its time")   //
	ErrInconsistent = errors.New("the parts do not give a sum's opening") // some holder's, dealer's or contributor's part is wrong
)

// Parameters are the one set in use, with what is calculated from it. Immutable; for
// concurrent use.
//
// Security. N = 8192 with log₂ Q = 163.0 and secrets uniform in {−1, 0, 1}, or sums of such:
// the tables of the Homomorphic Encryption Standard (2018) allow 218 bits for 128-bit security
// against classical attacks and 202 against quantum ones, and 152 for 192-bit. Errors are
// centred binomial with η = 24, of standard deviation √12 = 3.46 (the standard: at least 3.2)
// and never above 24. There is no other modulus, since no keys are switched.
//
// Plaintexts. A coefficient holds three counters, M = v₀ + v₁·2²⁵ + v₂·2⁵⁰, at Δ·M with
// Δ = 2⁸⁷. A contributor's |v| ≤ MaxValue = 2¹⁸ − 1, so the sum of 64 lies within
// ±(2²⁴ − 64): digits do not run into each other, |M| < 2⁷⁴·(1 + 2⁻²⁴), and Δ·|M| < 2^161.1 <
// Q/2.
//
// Noise. The sum over n ≤ 64 contributors, under the key of h ≤ 64 dealers, is off by
//
//	Σᵢ (uᵢ·e + e₀ᵢ + e₁ᵢ·s)        e, s: sums of the dealers' errors and secrets
//
// of which a coefficient is, whatever the seeds are, at most n·(2·N·24·h + 24) < 2^30.6. For
// seeds drawn at random it is far less: every coefficient of e is below 15.3·√(12·h) and of s
// below 15.3·√h (centred binomial and ternary values are sub-Gaussian with variances of at
// most 12 and 1; exceeded with probability below 2⁻¹⁶⁷ each), so that each of the two products
// is a sum with deviation below √n·√N·√12·15.3·√h < 2^18.3 and itself below 15.3 times that:
//
//	B = 2·15.3²·√(12·64·64·8192) < 2^23.3
//
// Flooding. A holder's f, uniform in [−2⁷⁹, 2⁷⁹), hides a shift by b up to the distance b/2⁸⁰,
// here 2^−56.7; over the 2¹⁶ coefficients of MaxBlocks blocks 2^−40.7. A key opens one sum, so
// there is no more to add up. (For the worst seeds there are: 2^−33.4.)
//
// Correctness. Flooding of 64 holders and noise stay below 64·2⁷⁹ + 2³¹ < 2⁸⁶ = Δ/2, so
// decryption does not fail.
type Parameters struct {
	ring  *ring.Ring // modulo q₀, q₁, q₂
	limb  [limbs]limb
	radix radix
}

// limb is a modulus with what is calculated for it. Constants that others are multiplied by
// are in Montgomery's form, multiplied by 2⁶⁴.
type limb struct {
	q       uint64
	inverse uint64         // q⁻¹ mod 2⁶⁴
	digit   [digits]uint64 // Δ·2^(25·k)
	offset  uint64         // −(2¹⁸)·ΣΔ·2^(25·k), which makes values positive before (plain)
	high    uint64         // 2⁴⁰
	flood   uint64         // −2⁷⁹ (plain)
}

// New makes the parameters, with the tables of their transforms.
func New() (*Parameters, error) {
	r, err := ring.NewRing(Degree, []uint64{q0, q1, q2})
	if err != nil {
		return nil, fmt.Errorf("make ring: %w", err)
	}
	p := &Parameters{ring: r}
	for i := range p.limb {
		l := &p.limb[i]
		l.q = modulus(i)
		l.inverse = inverseWord(l.q)
		offset := new(big.Int)
		for k := range l.digit {
			weight := new(big.Int).Lsh(big.NewInt(1), uint(scaleBits+counterBits*k))
			offset.Sub(offset, new(big.Int).Lsh(weight, counterBits-7))
			l.digit[k] = l.form(residue(weight, l.q))
		}
		l.offset = residue(offset, l.q)
		l.high = l.form(1 << (floodBits / 2))
		l.flood = residue(new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), floodBits-1)), l.q)
	}
	p.radix = newRadix(p)
	return p, nil
}

func modulus(limb int) uint64 { return [limbs]uint64{q0, q1, q2}[limb] }

// modulusBits is the length of a residue of a limb.
func modulusBits(limb int) int {
	if limb == 0 {
		return 55
	}
	return 54
}

func residue(x *big.Int, q uint64) uint64 {
	return new(big.Int).Mod(x, new(big.Int).SetUint64(q)).Uint64()
}

// inverseWord is q⁻¹ modulo 2⁶⁴ for odd q, by Newton's iteration: each step doubles the bits.
func inverseWord(q uint64) uint64 {
	x := q // right in three bits
	for range 5 {
		x *= 2 - q*x
	}
	return x
}

// form brings a public constant below q into Montgomery's form.
func (l *limb) form(x uint64) uint64 { return bits.Rem64(x, 0, l.q) }

// reduce returns (hi·2⁶⁴ + lo)/2⁶⁴ mod q for hi < q (Montgomery 1985), without a branch.
func (l *limb) reduce(hi, lo uint64) uint64 {
	h, _ := bits.Mul64(lo*l.inverse, l.q)
	r, borrow := bits.Sub64(hi, h, 0)
	return r + l.q&-borrow
}

// mul returns x·c mod q for x < 2⁶³ and a constant c in Montgomery's form.
func (l *limb) mul(x, c uint64) uint64 { return l.reduce(bits.Mul64(x, c)) }

// add returns x + y mod q for both below q, without a branch.
func (l *limb) add(x, y uint64) uint64 {
	r, borrow := bits.Sub64(x+y, l.q, 0)
	return r + l.q&-borrow
}
