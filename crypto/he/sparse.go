package he

import (
	"fmt"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// sparse multiplies a query's ciphertexts by the coordinates of one template that are not 0,
// for templates that have few and are wanted against few probes: features of names. Of the
// first polynomial only the coefficients of those probes are added up.
//
// Coordinate i·k + j times ciphertext i is shifted by −j·N/k coefficients, where X^N = −1: with
// one template a reply, which is Slots·Split = N, by whole runs of Slots.
type sparse struct {
	params *Parameters
	layout Layout
	// values holds, for each ciphertext, polynomial and limb, the residues nearest to zero.
	values []int32
	sums   [2]ring.Poly
	acc    [sparseStretch]int64
}

const (
	// sparseStretch is how many coefficients are added up for all terms before the next: their
	// sums stay in the nearest cache.
	sparseStretch = 512
	// sparseGroup is how many terms are added up at once; a number of terms is a multiple of it.
	sparseGroup = 4
)

// term is a coordinate of a template that counts.
type term struct {
	ciphertext, shift int // shift in runs of Slots coefficients
	factor            int64
}

// choice is what one reply of a sparse gallery is for.
type choice struct {
	terms []term
	slots []int
}

// sparseLayout reports ErrLayout if replies are for more than one template.
func (l Layout) sparseLayout() error {
	if err := l.Check(); err != nil {
		return err
	}
	if l.Templates() != 1 {
		return fmt.Errorf("%w: %d templates in a reply for some slots", ErrLayout, l.Templates())
	}
	return nil
}

// checkSlots reports ErrLayout unless they ascend within the layout's and there is one.
func (l Layout) checkSlots(slots []int) error {
	last := -1
	for _, slot := range slots {
		if slot <= last || slot >= l.Slots {
			return fmt.Errorf("%w: slot %d behind %d of %d", ErrLayout, slot, last, l.Slots)
		}
		last = slot
	}
	if last < 0 {
		return fmt.Errorf("%w: no slots", ErrLayout)
	}
	return nil
}

// SomeSize is the length in bytes of a reply for so many slots: the first polynomial there,
// then the whole second one, modulo q₀.
func SomeSize(slots int) int { return packedSize(0, slots) + packedSize(0, Degree) }

// NewSparseAnswerer is NewAnswerer for replies to sparse galleries; the layout has one template
// a reply.
func (p *Parameters) NewSparseAnswerer(layout Layout, public [SeedSize]byte, publicKey []byte) (*Answerer, error) {
	if err := layout.sparseLayout(); err != nil {
		return nil, fmt.Errorf("answer query: %w", err)
	}
	query := &sparse{
		params: p, layout: layout, sums: newSums(p.ring),
		values: make([]int32, layout.Ciphertexts()*2*limbs*Degree),
	}
	return p.newAnswerer(layout, public, publicKey, query)
}

// SparseGallery lays templates out for one reply each, to the probes in the slots given with
// it, which ascend. Each multiplies as many coordinates as terms says, or the next multiple of
// four, so that the time does not tell how many are not 0; which ones are multiplied a
// processor's caches know. Errors: ErrLayout, ErrVector, also for more coordinates than that.
func (p *Parameters) SparseGallery(layout Layout, templates [][]int8, slots [][]int, terms int) (*Gallery, error) {
	if err := layout.sparseLayout(); err != nil {
		return nil, fmt.Errorf("lay out templates: %w", err)
	}
	if len(templates) == 0 || len(templates) != len(slots) {
		return nil, fmt.Errorf("lay out templates: %w: %d of them, slots for %d", ErrLayout, len(templates), len(slots))
	}
	g := &Gallery{layout: layout, replies: len(templates), sparse: true, choices: make([]choice, len(templates))}
	for i, v := range templates {
		err := layout.CheckVector(v)
		if err == nil {
			err = layout.checkSlots(slots[i])
		}
		if err == nil {
			g.choices[i].slots = slots[i]
			g.choices[i].terms, err = sparseTerms(layout, v, terms)
		}
		if err != nil {
			return nil, fmt.Errorf("lay out templates: template %d: %w", i, err)
		}
	}
	return g, nil
}

// sparseTerms are the coordinates that are not 0, and others up to the number wanted.
func sparseTerms(l Layout, v []int8, count int) ([]term, error) {
	count = min(count, len(v))
	out := make([]term, 0, (count+sparseGroup-1)/sparseGroup*sparseGroup)
	at := func(i int) term { return term{i / l.Split, i % l.Split, int64(v[i])} }
	for i, x := range v {
		if x != 0 {
			out = append(out, at(i))
		}
	}
	if len(out) > count {
		return nil, fmt.Errorf("%w: more than %d coordinates are not 0", ErrVector, count)
	}
	// From all over the vector, as the others are: one that is always the same would be near.
	for start := range fillStride {
		for i := start; i < len(v) && len(out) < count; i += fillStride {
			if v[i] == 0 {
				out = append(out, at(i))
			}
		}
	}
	for len(out)%sparseGroup != 0 {
		out = append(out, term{})
	}
	return out, nil
}

// fillStride is the distance of coordinates that fill a template's terms up.
const fillStride = 31

func (s *sparse) take(i int, c [2]ring.Poly) {
	for poly := range c {
		for limb := range limbs {
			q, out := int64(modulus(limb)), s.at(i, poly, limb)
			for n, x := range c[poly].Coeffs[limb] {
				r := int64(x)
				out[n] = int32(r - q&((q>>1-r)>>63)) // nearest to zero
			}
		}
	}
}

// at are the residues of a polynomial's limb.
func (s *sparse) at(ciphertext, poly, limb int) []int32 {
	return s.values[((ciphertext*2+poly)*limbs+limb)*Degree:][:Degree]
}

func (s *sparse) sum(g *Gallery, next func([2]ring.Poly) error) error {
	for _, c := range g.choices {
		for limb := range limbs {
			s.some(c, limb)
			s.whole(c.terms, limb)
		}
		if err := next(s.sums); err != nil {
			return err
		}
	}
	return nil
}

// some adds up the coefficients of the first polynomial that are wanted; the others are 0.
func (s *sparse) some(c choice, limb int) {
	out, k := s.sums[0].Coeffs[limb], &s.params.limb[limb]
	clear(out)
	for _, slot := range c.slots { // below Slots: no shift passes the end
		sum := int64(0)
		for _, t := range c.terms {
			sum += t.factor * int64(s.at(t.ciphertext, 0, limb)[slot+t.shift*s.layout.Slots])
		}
		out[slot] = k.lift(sum)
	}
}

// whole adds up the second polynomial.
func (s *sparse) whole(terms []term, limb int) {
	out, k, run := s.sums[1].Coeffs[limb], &s.params.limb[limb], s.layout.Slots
	for block := range s.layout.Split {
		for from := 0; from < run; from += sparseStretch {
			acc := s.acc[:min(sparseStretch, run-from)]
			clear(acc)
			for group := terms; len(group) > 0; group = group[sparseGroup:] {
				var x [sparseGroup][]int32
				var factors [sparseGroup]int64
				for i, t := range group[:sparseGroup] {
					source := block + t.shift
					if factors[i] = t.factor; source >= s.layout.Split {
						source, factors[i] = source-s.layout.Split, -t.factor
					}
					x[i] = s.at(t.ciphertext, 1, limb)[source*run+from:][:len(acc)]
				}
				addProducts(acc, x, factors)
			}
			for i, sum := range acc {
				out[block*run+from+i] = k.lift(sum)
			}
		}
	}
}

// addProducts adds four sequences, each times its factor. They are as long as acc.
func addProducts(acc []int64, x [sparseGroup][]int32, f [sparseGroup]int64) {
	a, b, c, d := x[0][:len(acc)], x[1][:len(acc)], x[2][:len(acc)], x[3][:len(acc)]
	for i := range acc {
		acc[i] += f[0]*int64(a[i]) + f[1]*int64(b[i]) + f[2]*int64(c[i]) + f[3]*int64(d[i])
	}
}

// lift reduces a sum of products of residues and a template's coordinates, which is within
// 2²⁷·√(1024·32767) < 2⁴⁰.
func (k *constants) lift(sum int64) uint64 { return k.reduce(uint64(sum + int64(k.q)<<20)) }
