package collective

import (
	"encoding/binary"
	"fmt"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
	"entente/crypto/transcript"
)

const encryptionLabel = "entente/collective/encryption/1" // the seed of one ciphertext

// Blocks is how many ciphertexts a vector of counters takes, or ErrRange.
func Blocks(counters int) (int, error) {
	if counters < 1 || counters > MaxCounters {
		return 0, fmt.Errorf("%w: %d counters, at most %d", ErrRange, counters, MaxCounters)
	}
	return (counters + CountersPerBlock - 1) / CountersPerBlock, nil
}

// Vector is a contributor's encrypted vector: for each block a mask and a body, PolynomialSize
// bytes each. To read it takes the key and both.
type Vector struct {
	Masks  [][]byte // a·u + e₁
	Bodies [][]byte // b·u + e₀ + Δ·m
}

// Encrypt encrypts a contributor's vector. The values lie within ±MaxValue; those missing from
// the last block are 0. ErrRange is the only error.
//
// All that is random comes from the secret seed, the key and the values: the same gives the
// same bytes, so that who has the seed and the values opened recomputes them, and a seed used
// again for other values gives ciphertexts as independent as another seed would.
func (k *Key) Encrypt(seed [SeedSize]byte, values []int32) (Vector, error) {
	blocks, err := Blocks(len(values))
	if err != nil {
		return Vector{}, fmt.Errorf("encrypt: %w", err)
	}
	encoded := make([]byte, 0, 4*len(values))
	for i, v := range values {
		if v < -MaxValue || v > MaxValue {
			return Vector{}, fmt.Errorf("encrypt: %w: counter %d is not within ±%d", ErrRange, i, MaxValue)
		}
		encoded = binary.BigEndian.AppendUint32(encoded, uint32(v))
	}
	own := transcript.Digest(encryptionLabel, seed[:], k.digest[:], encoded)
	clear(encoded)
	w := newEncryption(k)
	var out Vector
	for i := range blocks {
		part := values[i*CountersPerBlock : min(len(values), (i+1)*CountersPerBlock)]
		mask, body := w.block(own, uint32(i), part)
		out.Masks, out.Bodies = append(out.Masks, mask), append(out.Bodies, body)
	}
	w.clear()
	return out, nil
}

// encryption is the memory for making ciphertexts.
type encryption struct {
	key   *Key
	small []int8
	u     ring.Poly
	c, e  ring.Poly
	rows  [digits][]int32
}

func newEncryption(k *Key) *encryption {
	r := k.params.ring
	w := &encryption{key: k, small: make([]int8, Degree), u: r.NewPoly(), c: r.NewPoly(), e: r.NewPoly()}
	for i := range w.rows {
		w.rows[i] = make([]int32, Degree)
	}
	return w
}

// block is a·u + e₁ and b·u + e₀ + Δ·m, packed.
func (w *encryption) block(seed [SeedSize]byte, i uint32, values []int32) (mask, body []byte) {
	r := w.key.params.ring
	sample.New(maskLabel, seed, i).Ternary(w.small)
	lift(w.small, w.u)
	r.NTT(w.u, w.u)
	errors := sample.New(errorLabel, seed, i)
	w.product(w.key.b, errors)
	w.addPlain(values)
	body = pack(nil, w.c)
	w.product(w.key.a, errors)
	return pack(nil, w.c), body
}

// product writes u times a polynomial, plus the next errors, to c.
func (w *encryption) product(factor ring.Poly, errors *sample.Stream) {
	r := w.key.params.ring
	r.MulCoeffsBarrett(w.u, factor, w.c)
	r.INTT(w.c, w.c)
	errors.Binomial(w.small)
	lift(w.small, w.e)
	r.Add(w.c, w.e, w.c)
}

// addPlain adds Δ·m: counter c of a block is digit ⌊c/N⌋ of coefficient c mod N.
func (w *encryption) addPlain(values []int32) {
	for k, row := range w.rows {
		clear(row)
		copy(row, values[min(len(values), k*Degree):])
	}
	for i := range limbs {
		l, to := &w.key.params.limb[i], w.c.Coeffs[i]
		for n := range to {
			// Values are made positive, below 2¹⁹, so three products are below 2⁷⁶.
			var x [digits]uint64
			for k, row := range w.rows {
				x[k] = uint64(int64(row[n]) + MaxValue + 1)
			}
			to[n] = l.add(to[n], l.add(l.inner(x[:], l.digit[:]), l.offset))
		}
	}
}

// clear forgets what is secret.
func (w *encryption) clear() {
	clear(w.small)
	w.u.Zero()
	w.e.Zero()
	for _, row := range w.rows {
		clear(row)
	}
}
