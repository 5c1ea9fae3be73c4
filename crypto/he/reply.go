package he

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/tuneinsight/lattigo/v5/ring"

	"entente/crypto/he/sample"
)

// Answerer is the side with the templates: it takes a query's ciphertexts, and then makes
// replies. For one goroutine.
type Answerer struct {
	params *Parameters
	layout Layout
	public [SeedSize]byte
	key    [2]ring.Poly // the asker's public key, transformed
	query  product
	taken  int

	fresh replyMemory
}

// product holds a query's ciphertexts, and adds up their products with templates.
type product interface {
	// take holds a ciphertext of two polynomials, which it may change.
	take(i int, c [2]ring.Poly)
	// sum writes the sums for each reply of a gallery, residues below the moduli, and hands
	// them on; they are its own again afterwards.
	sum(g *Gallery, next func(sums [2]ring.Poly) error) error
}

// NewAnswerer begins the answer to a query; the public key is as Query.PublicKey made it.
// Errors: ErrLayout, ErrMalformed.
func (p *Parameters) NewAnswerer(layout Layout, public [SeedSize]byte, publicKey []byte) (*Answerer, error) {
	if err := layout.Check(); err != nil {
		return nil, fmt.Errorf("answer query: %w", err)
	}
	return p.newAnswerer(layout, public, publicKey, newProduct(p, layout))
}

func (p *Parameters) newAnswerer(layout Layout, public [SeedSize]byte, publicKey []byte, query product) (*Answerer, error) {
	a := &Answerer{params: p, layout: layout, public: public, query: query, fresh: newReplyMemory(p.ring)}
	for i := range a.key {
		a.key[i] = p.ring.NewPoly()
	}
	if err := unpackPoly(publicKey, a.key[0].Coeffs); err != nil {
		return nil, fmt.Errorf("answer query: public key: %w", err)
	}
	expand(public, publicKeyIndex, a.key[1])
	for i := range a.key {
		p.ring.NTT(a.key[i], a.key[i])
	}
	return a, nil
}

// Take takes the query's next ciphertext.
func (a *Answerer) Take(ciphertext []byte) error {
	if a.taken >= a.layout.Ciphertexts() {
		return fmt.Errorf("take ciphertext: %w: there are more than %d", ErrMalformed, a.layout.Ciphertexts())
	}
	c := a.fresh.sums
	if err := unpackPoly(ciphertext, c[0].Coeffs); err != nil {
		return fmt.Errorf("take ciphertext %d: %w", a.taken, err)
	}
	expand(a.public, uint32(a.taken), c[1])
	a.query.take(a.taken, c)
	a.taken++
	return nil
}

// replyMemory is what making one reply needs.
type replyMemory struct {
	small []int8
	u     ring.Poly
	sums  [2]ring.Poly
	zero  ring.Poly
}

func newReplyMemory(r *ring.Ring) replyMemory {
	return replyMemory{
		small: make([]int8, Degree), u: r.NewPoly(), zero: r.NewPoly(),
		sums: [2]ring.Poly{r.NewPoly(), r.NewPoly()},
	}
}

// Reply is the answer for layout.Templates() templates, or for the slots that were chosen.
type Reply struct {
	Ciphertext []byte
	Shares     []uint16 // the answerer's, in the order of the asker's
}

// Replies answers for the templates of a gallery, in order. random gives SeedSize bytes a
// reply; a seed must never come again for another query or other templates. Errors: ErrLayout if the gallery is for another layout,
// ErrMalformed if the query is not whole, the context's and random's.
func (a *Answerer) Replies(ctx context.Context, g *Gallery, random io.Reader) ([]Reply, error) {
	if a.taken != a.layout.Ciphertexts() {
		return nil, fmt.Errorf("reply: %w: %d of %d ciphertexts", ErrMalformed, a.taken, a.layout.Ciphertexts())
	}
	if _, sparse := a.query.(*sparse); g.layout != a.layout || g.sparse != sparse {
		return nil, fmt.Errorf("reply: %w: the gallery is for another query", ErrLayout)
	}
	replies := make([]Reply, 0, g.replies)
	err := a.query.sum(g, func(sums [2]ring.Poly) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		var seed [SeedSize]byte
		if _, err := io.ReadFull(random, seed[:]); err != nil {
			return fmt.Errorf("draw: %w", err)
		}
		var slots []int
		if g.sparse {
			slots = g.choices[len(replies)].slots
		}
		replies = append(replies, a.hide(sums, slots, seed))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	return replies, nil
}

// hide turns sums into a reply, which shows the asker its shares alone: for the given slots,
// which ascend, or for all of them. sums are used up.
func (a *Answerer) hide(sums [2]ring.Poly, slots []int, seed [SeedSize]byte) Reply {
	a.addZero(sums, seed)
	pairs := a.layout.Pairs()
	if slots != nil {
		pairs = len(slots)
		for _, c := range sums[0].Coeffs {
			for i, slot := range slots {
				c[i] = c[slot]
			}
		}
	}
	shares := a.flood(sums[0], pairs, seed)
	b := make([]byte, 0, packedSize(0, pairs)+packedSize(0, Degree))
	for i, used := range [2]int{pairs, Degree} {
		b = pack(b, 0, a.params.toFirst(sums[i], used))
	}
	return Reply{Ciphertext: b, Shares: shares}
}

// addZero adds an encryption of zero under the asker's public key, after which the second
// polynomial shows nothing: (b·u + e₀, a·u + e₁).
func (a *Answerer) addZero(sums [2]ring.Poly, seed [SeedSize]byte) {
	m, r := &a.fresh, a.params.ring
	s := sample.New(replyLabel, seed, 0)
	s.Ternary(m.small)
	for limb := range limbs {
		lift(limb, m.small, m.u.Coeffs[limb])
	}
	r.NTT(m.u, m.u)
	for i := range sums {
		r.MulCoeffsBarrett(m.u, a.key[i], m.zero)
		r.INTT(m.zero, m.zero)
		r.Add(sums[i], m.zero, sums[i])
		s.Binomial(m.small)
		for limb := range limbs {
			lift(limb, m.small, m.zero.Coeffs[limb])
		}
		r.Add(sums[i], m.zero, sums[i])
	}
}

// flood adds noise uniform in [−2⁸⁸, 2⁸⁸), and a mask r uniform modulo 2¹⁶ of which it
// returns −r, to the first coefficients, which are those that are used.
func (a *Answerer) flood(c ring.Poly, used int, seed [SeedSize]byte) []uint16 {
	s := sample.New(replyLabel, seed, 1)
	shares := make([]uint16, used)
	for i := range shares {
		d := s.Next(14)
		mask := binary.LittleEndian.Uint16(d[12:])
		shares[i] = -mask
		x := binary.LittleEndian.Uint64(d)
		y := uint64(binary.LittleEndian.Uint32(d[8:]))
		bottom := x & (1<<lowFloodBits - 1)
		top := (x>>lowFloodBits | y<<(64-lowFloodBits)) & (1<<(floodBits-lowFloodBits) - 1)
		for limb := range limbs {
			k := &a.params.limb[limb]
			// Each product is below 2⁵⁶, the rest below 2⁴⁷.
			v := k.reduce(top)*k.half + bottom + uint64(mask)*k.delta + k.flood + c.Coeffs[limb][i]
			c.Coeffs[limb][i] = k.reduce(v)
		}
	}
	return shares
}

// toFirst divides the first coefficients of a polynomial by q₁·q₂·q₃ and rounds: what is left
// is modulo q₀ alone. The polynomial is used up.
func (p *Parameters) toFirst(c ring.Poly, used int) []uint64 {
	for last := limbs - 1; last > 0; last-- {
		from := c.Coeffs[last][:used]
		q, half := p.limb[last].q, p.limb[last].q>>1
		for limb := range last {
			k := &p.limb[limb]
			inverse, to := k.inverse[last], c.Coeffs[limb][:used]
			for i, x := range from {
				// ⌊(c + half)/q⌋ = (c + half − (c + half mod q))/q
				if x += half; x >= q {
					x -= q
				}
				to[i] = k.reduce((to[i] + half + 2*k.q - x) * inverse) // x < 2²⁶ < 2q
			}
		}
	}
	return c.Coeffs[0][:used]
}
