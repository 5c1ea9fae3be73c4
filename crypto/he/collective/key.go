package collective

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
	"entente/crypto/transcript"
)

// Labels of digests.
const (
	keyLabel     = "entente/collective/key/1"     // of a public key
	dealingLabel = "entente/collective/dealing/1" // the seed of one dealing
	pointLabel   = "entente/collective/point/1"   // the seed that is dealt to a point
)

// Reference is the common reference polynomial a, which everyone expands from a public seed.
// The seed must be a digest that nobody chose. Immutable; for concurrent use.
type Reference struct {
	params *Parameters
	seed   [SeedSize]byte
	a      ring.Poly // transformed
}

// NewReference expands a seed.
func (p *Parameters) NewReference(seed [SeedSize]byte) *Reference {
	r := &Reference{params: p, seed: seed, a: p.ring.NewPoly()}
	uniform(sample.New(referenceLabel, seed, 0), r.a)
	p.ring.NTT(r.a, r.a)
	return r
}

// Dealing is one holder's part in making a key: a public polynomial −a·s + e, and for each
// holder its share of s. It prints nothing of itself.
type Dealing struct{ *dealing }

type dealing struct {
	public []byte
	shares map[uint8][]byte
}

// Public is the part of a dealing that everyone gets, PolynomialSize bytes: the same for every
// group, so that a holder can commit to it before the group is known.
func (r *Reference) Public(seed [SeedSize]byte) []byte {
	p := r.params
	seed = r.own(seed)
	s, b, e := p.ring.NewPoly(), p.ring.NewPoly(), p.ring.NewPoly()
	small := make([]int8, Degree)
	sample.New(secretLabel, seed, 0).Ternary(small)
	lift(small, s)
	p.ring.NTT(s, b)
	p.ring.MulCoeffsBarrett(b, r.a, b)
	p.ring.INTT(b, b)
	sample.New(keyErrorLabel, seed, 0).Binomial(small)
	lift(small, e)
	p.ring.Sub(e, b, b) // −a·s + e
	clear(small)
	s.Zero()
	e.Zero()
	return pack(nil, b)
}

// own makes a seed used again for another reference as good as another one: two public parts
// with one secret would show it.
func (r *Reference) own(seed [SeedSize]byte) [SeedSize]byte {
	return transcript.Digest(dealingLabel, seed[:], r.seed[:])
}

// Deal makes a holder's part from a secret seed, always the same for the same reference and
// group. ErrGroup is the only error.
//
// The first t − 1 holders are dealt seeds of their own, which expand to the polynomial's values
// there, and the rest the values that follow from these and from s: so many of what is dealt are
// 32 bytes long, and the work is one product for each node and remaining holder.
func (r *Reference) Deal(g Group, seed [SeedSize]byte) (Dealing, error) {
	if err := g.Check(); err != nil {
		return Dealing{}, fmt.Errorf("deal: %w", err)
	}
	d := &dealing{public: r.Public(seed), shares: make(map[uint8][]byte, len(g.Points))}
	seed = r.own(seed)
	streams := make([]*sample.Stream, 0, g.Threshold-1)
	for _, point := range g.seeded() {
		s := transcript.Digest(pointLabel, seed[:], []byte{byte(g.Threshold)}, g.Points, []byte{point})
		streams = append(streams, sample.New(shareLabel, s, 0))
		d.shares[point] = s[:]
	}
	small := make([]int8, Degree)
	sample.New(secretLabel, seed, 0).Ternary(small)
	for i, b := range r.params.evaluate(g, small, streams) {
		d.shares[g.dealt()[i]] = b
	}
	clear(small)
	return Dealing{d}, nil
}

// evaluate returns the packed values of a polynomial at the points that are dealt them: it has
// the secret at 0 and what streams give at the points that are dealt seeds. It works limb by
// limb, so that less memory is touched.
func (p *Parameters) evaluate(g Group, secret []int8, streams []*sample.Stream) [][]byte {
	nodes := append([]uint8{0}, g.seeded()...)
	rows := words(len(nodes))
	values := words(len(g.dealt()))
	out := make([][]byte, len(values))
	for limb := range limbs {
		liftLimb(limb, secret, rows[0])
		for i, s := range streams {
			residues(s, limb, rows[i+1])
		}
		p.limb[limb].interpolate(rows, nodes, values, g.dealt())
		for i, v := range values {
			out[i] = packLimb(slices.Grow(out[i], PolynomialSize-len(out[i])), limb, v)
		}
	}
	for _, row := range slices.Concat(rows, values) {
		clear(row)
	}
	return out
}

// words are rows of a limb's residues.
func words(n int) [][]uint64 {
	out := make([][]uint64, n)
	for i := range out {
		out[i] = make([]uint64, Degree)
	}
	return out
}

// interpolate writes the values at other points that follow from those at the nodes.
func (l *limb) interpolate(rows [][]uint64, nodes []uint8, out [][]uint64, at []uint8) {
	const span = 16 // coefficients at once: their columns and the weights stay in the cache
	factors := weights(nodes, at, l.q)
	for _, row := range factors {
		for k, w := range row {
			row[k] = l.form(w)
		}
	}
	n := len(rows)
	columns := make([]uint64, span*n)
	for base := 0; base < len(rows[0]); base += span {
		for k, row := range rows {
			for i, v := range row[base : base+span] {
				columns[i*n+k] = v
			}
		}
		for t, w := range factors {
			to := out[t][base : base+span]
			for i := range to {
				to[i] = l.inner(columns[i*n:(i+1)*n], w)
			}
		}
	}
	clear(columns)
}

// inner is the sum of products of residues with constants in Montgomery's form. 64 products
// below 2¹¹⁰ are below 2¹¹⁶, so that the upper word stays below q.
func (l *limb) inner(x, w []uint64) uint64 {
	var hi, lo, carry uint64
	w = w[:len(x)]
	for i, v := range x {
		h, m := bits.Mul64(v, w[i])
		lo, carry = bits.Add64(lo, m, 0)
		hi, _ = bits.Add64(hi, h, carry)
	}
	return l.reduce(hi, lo)
}

// Public is Reference.Public of the dealing's seed.
func (d Dealing) Public() []byte { return d.public }

// Share is what a holder gets and nobody else, ShareSize bytes; nil if it is none.
func (d Dealing) Share(point uint8) []byte { return d.shares[point] }

// Format hides the dealing from every verb of package fmt.
func (d Dealing) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

const redacted = "[secret key]"

// KeySum adds up the public parts of a key. For one goroutine.
type KeySum struct {
	reference *Reference
	sum, part ring.Poly
}

// NewKeySum begins with no part.
func (r *Reference) NewKeySum() *KeySum {
	return &KeySum{reference: r, sum: r.params.ring.NewPoly(), part: r.params.ring.NewPoly()}
}

// Add takes a dealer's public part, or changes nothing and reports ErrMalformed.
func (k *KeySum) Add(public []byte) error {
	if err := unpack(public, k.part); err != nil {
		return fmt.Errorf("add public part: %w", err)
	}
	k.reference.params.ring.Add(k.sum, k.part, k.sum)
	return nil
}

// Key is the public key of all parts so far.
func (k *KeySum) Key() *Key { return k.reference.key(k.sum) }

func (r *Reference) key(sum ring.Poly) *Key {
	k := &Key{params: r.params, reference: r.seed, a: r.a, b: r.params.ring.NewPoly(), packed: pack(nil, sum)}
	k.digest = transcript.Digest(keyLabel, r.seed[:], k.packed)
	r.params.ring.NTT(sum, k.b)
	return k
}

// LoadKey takes a key from the bytes that Key.Bytes returned, or reports ErrMalformed.
func (r *Reference) LoadKey(b []byte) (*Key, error) {
	sum := r.params.ring.NewPoly()
	if err := unpack(b, sum); err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	return r.key(sum), nil
}

// Key is a collective public key. Immutable; for concurrent use.
type Key struct {
	params    *Parameters
	reference [SeedSize]byte // seed of a
	a, b      ring.Poly      // transformed
	packed    []byte         // b
	digest    [transcript.Size]byte
}

// Digest names the key.
func (k *Key) Digest() [transcript.Size]byte { return k.digest }

// Bytes returns the sum of the public parts, PolynomialSize bytes.
func (k *Key) Bytes() []byte { return bytes.Clone(k.packed) }
