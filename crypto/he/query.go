package he

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
)

// Seeds of a query. Public goes to the answerer and expands to the uniform polynomials;
// Secret gives key and errors, and stays with the asker, who commits to it before. They must
// be drawn apart: whoever has Secret reads the probes. Neither may be used for a second query,
// since two ciphertexts under one key and error differ by their plaintexts.
//
// It prints nothing of the secret one.
type Seeds struct {
	Public [SeedSize]byte
	secret [SeedSize]byte
}

// NewSeeds takes both seeds; secret is what the asker committed to.
func NewSeeds(public, secret [SeedSize]byte) (Seeds, error) {
	if public == secret || secret == [SeedSize]byte{} {
		return Seeds{}, errors.New("the secret seed is the public one, or zero")
	}
	return Seeds{Public: public, secret: secret}, nil
}

// Format hides the secret seed from every verb of package fmt.
func (s Seeds) Format(f fmt.State, _ rune) { io.WriteString(f, "[seeds]") }

// Query is the asker's side: a secret key, its public key and the ciphertexts of its probes.
// For one goroutine.
type Query struct {
	params *Parameters
	layout Layout
	seeds  Seeds
	probes [][]int8
	key    ring.Poly // s, transformed

	message []int8
	small   []int8
	a, b    ring.Poly
}

// publicKeyIndex is the place of the public key's parts in the streams, behind those of all
// ciphertexts.
const publicKeyIndex = MaxDimension

// NewQuery begins a query of up to layout.Slots probes; the rest are filled with zeros.
// Errors: ErrLayout, ErrVector.
func (p *Parameters) NewQuery(layout Layout, seeds Seeds, probes [][]int8) (*Query, error) {
	if err := layout.Check(); err != nil {
		return nil, fmt.Errorf("begin query: %w", err)
	}
	if len(probes) > layout.Slots {
		return nil, fmt.Errorf("begin query: %w: %d probes for %d slots", ErrLayout, len(probes), layout.Slots)
	}
	for i, v := range probes {
		if err := layout.CheckVector(v); err != nil {
			return nil, fmt.Errorf("begin query: probe %d: %w", i, err)
		}
	}
	q := &Query{
		params: p, layout: layout, seeds: seeds, probes: probes, key: p.ring.NewPoly(),
		message: make([]int8, Degree), small: make([]int8, Degree), a: p.ring.NewPoly(), b: p.ring.NewPoly(),
	}
	sample.New(secretLabel, seeds.secret, 0).Ternary(q.small)
	for limb := range limbs {
		lift(limb, q.small, q.key.Coeffs[limb])
	}
	p.ring.NTT(q.key, q.key)
	return q, nil
}

// PublicKey is the answerer's means to hide what it computed: −a·s + e, in CiphertextSize bytes.
func (q *Query) PublicKey() []byte {
	clear(q.message)
	return q.encrypt(publicKeyIndex)
}

// Ciphertext is the i-th of layout.Ciphertexts(), in CiphertextSize bytes: −a·s + e + Δ·m.
func (q *Query) Ciphertext(i int) ([]byte, error) {
	if i < 0 || i >= q.layout.Ciphertexts() {
		return nil, fmt.Errorf("encrypt ciphertext %d of %d: %w", i, q.layout.Ciphertexts(), ErrLayout)
	}
	clear(q.message)
	for j := range q.layout.Split {
		for n, v := range q.probes {
			q.message[n+j*Degree/q.layout.Split] = v[i*q.layout.Split+j]
		}
	}
	return q.encrypt(uint32(i)), nil
}

func (q *Query) encrypt(index uint32) []byte {
	p := q.params
	expand(q.seeds.Public, index, q.a)
	p.ring.NTT(q.a, q.a)
	p.ring.MulCoeffsBarrett(q.a, q.key, q.a)
	p.ring.INTT(q.a, q.a)
	sample.New(errorLabel, q.seeds.secret, index).Binomial(q.small)
	for limb := range limbs {
		mod, delta := modulus(limb), p.limb[limb].delta
		lift(limb, q.small, q.b.Coeffs[limb])
		for n, m := range q.message {
			// Everything is below 2²⁸, m·Δ below 2³⁵.
			x := q.b.Coeffs[limb][n] + mod - q.a.Coeffs[limb][n]
			x += uint64(int64(m)+128) * delta
			x += mod<<8 - delta<<7
			q.b.Coeffs[limb][n] = p.limb[limb].reduce(x)
		}
	}
	return packPoly(q.b.Coeffs)
}

// expand gives the uniform polynomial of a place: limb after limb from one stream.
func expand(public [SeedSize]byte, index uint32, out ring.Poly) {
	s := sample.New(uniformLabel, public, index)
	for limb := range limbs {
		uniform(s, limb, out.Coeffs[limb])
	}
}

// Format hides key and probes from every verb of package fmt.
func (q *Query) Format(f fmt.State, _ rune) { io.WriteString(f, "[query]") }

// Opener reads replies to a query.
type Opener struct {
	params *Parameters
	layout Layout
	key    []uint64 // s modulo q₀, transformed
	a, b   []uint64
}

// Format hides the key from every verb of package fmt.
func (o *Opener) Format(f fmt.State, _ rune) { io.WriteString(f, "[opener]") }

// Opener returns a reader of replies, which forgets the probes.
func (q *Query) Opener() *Opener {
	return &Opener{
		params: q.params, layout: q.layout, key: slices.Clone(q.key.Coeffs[0]),
		a: make([]uint64, Degree), b: make([]uint64, Degree),
	}
}

// Open returns the asker's shares of a reply, layout.Pairs() of them modulo 2¹⁶: that of
// probe p and template t of the reply at p + t·Slots. ErrMalformed is the only error.
func (o *Opener) Open(reply []byte) ([]uint16, error) {
	return o.open(reply, o.layout.Pairs(), func(i int) int { return i })
}

// OpenSome returns the asker's shares of a reply for some slots, in their order. Errors:
// ErrLayout if they do not ascend or are none of the layout's, ErrMalformed.
func (o *Opener) OpenSome(reply []byte, slots []int) ([]uint16, error) {
	if err := o.layout.checkSlots(slots); err != nil {
		return nil, fmt.Errorf("open reply: %w", err)
	}
	return o.open(reply, len(slots), func(i int) int { return slots[i] })
}

// open reads a reply whose first polynomial has so many coefficients, each at its place.
func (o *Opener) open(reply []byte, pairs int, place func(int) int) ([]uint16, error) {
	first := packedSize(0, pairs)
	if size := first + packedSize(0, Degree); len(reply) != size {
		return nil, fmt.Errorf("open reply: %w: %d bytes, not %d", ErrMalformed, len(reply), size)
	}
	if err := unpack(reply[:first], 0, o.b[:pairs]); err != nil {
		return nil, fmt.Errorf("open reply: %w", err)
	}
	if err := unpack(reply[first:], 0, o.a); err != nil {
		return nil, fmt.Errorf("open reply: %w", err)
	}
	sub := o.params.ring.SubRings[0]
	sub.NTT(o.a, o.a)
	sub.MulCoeffsBarrett(o.a, o.key, o.a)
	sub.INTT(o.a, o.a)
	shares := make([]uint16, pairs)
	for i := range shares {
		phase := o.params.limb[0].reduce(o.b[i] + o.a[place(i)])
		shares[i] = uint16((phase<<ShareBits + q0/2) / q0)
	}
	return shares, nil
}
