package he

import "github.com/tuneinsight/lattigo/v5/ring"

// scalars multiply a query's ciphertexts by the coordinates of templates as integers: for
// many probes at once this is one product of integer matrices, without transforms.
//
// A residue, taken nearest to zero, is low + high·2¹⁶ with both within 16 bits, so that
// a multiply-add instruction for pairs of 16-bit integers (VPMADDWD) does the work. Sums stay
// within 32 bits: |low| ≤ 2¹⁵, and ‖g‖₁ ≤ √(1024·32767) < 2¹³.
type scalars struct {
	params *Parameters
	layout Layout
	pairs  int
	// words holds, for each polynomial, limb and block of eight coefficients, unit words: for
	// each pair of ciphertexts both digits of the eight coefficients, of both ciphertexts in turn.
	words []int16
	unit  int
	sums  [][2]ring.Poly
}

const (
	blockSize  = 8                         // coefficients of a block: lanes of a vector
	blocks     = Degree / blockSize        //
	pairWords  = 2 * blockSize * 2         // words of a pair of ciphertexts in a block
	groupSize  = 4                         // templates that are multiplied at once
	groupSums  = groupSize * 2 * blockSize // 32-bit sums of a group: for each template, the eight low ones, then the high ones
	scalarStep = 64                        // templates of one pass over the query, which does not fit into a cache
)

func newScalars(p *Parameters, l Layout) *scalars {
	s := &scalars{params: p, layout: l, pairs: (l.Dimension + 1) / 2}
	s.unit = s.pairs * pairWords
	s.words = make([]int16, 2*limbs*blocks*s.unit)
	s.sums = make([][2]ring.Poly, l.Step()/l.Templates())
	return s
}

func (s *scalars) take(i int, c [2]ring.Poly) {
	for poly := range c {
		for limb := range limbs {
			q := int64(modulus(limb))
			at := s.at(poly, limb, 0) + i/2*pairWords + i%2
			for block := range blocks {
				for lane, x := range c[poly].Coeffs[limb][block*blockSize : (block+1)*blockSize] {
					r := int64(x)
					r -= q & ((q>>1 - r) >> 63) // nearest to zero
					low := int16(r)
					s.words[at+2*lane] = low
					s.words[at+2*lane+2*blockSize] = int16((r - int64(low)) >> 16)
				}
				at += s.unit
			}
		}
	}
}

func (s *scalars) at(poly, limb, block int) int { return ((poly*limbs+limb)*blocks + block) * s.unit }

// scalarWords lays templates out in groups: for each pair of coordinates those of each template.
func scalarWords(l Layout, templates [][]int8) []int16 {
	pairs := (l.Dimension + 1) / 2
	groups := (len(templates) + groupSize - 1) / groupSize
	out := make([]int16, groups*pairs*groupSize*2)
	for t, v := range templates {
		at := (t/groupSize*pairs*groupSize + t%groupSize) * 2
		for i, x := range v {
			out[at+i/2*groupSize*2+i%2] = int16(x)
		}
	}
	return out
}

func (s *scalars) sum(g *Gallery, next func([2]ring.Poly) error) error {
	for i := range g.replies {
		if len(s.sums[i][0].Coeffs) == 0 {
			s.sums[i] = newSums(s.params.ring)
		}
		for _, c := range s.sums[i] {
			c.Zero()
		}
	}
	var group [groupSums]int32
	each := s.pairs * groupSize * 2
	for poly := range 2 {
		for limb := range limbs {
			for block := range blocks {
				words := s.words[s.at(poly, limb, block):][:s.unit]
				for first := 0; first*each < len(g.words); first++ {
					multiply(&group, words, g.words[first*each:][:each])
					s.add(&group, g.replies, poly, limb, block, first*groupSize)
				}
			}
		}
	}
	for i := range g.replies {
		if err := next(s.sums[i]); err != nil {
			return err
		}
	}
	return nil
}

// add puts a group's sums into the places of its templates: a reply's template t is shifted
// by t·Slots coefficients, where X^N = −1.
func (s *scalars) add(group *[groupSums]int32, replies, poly, limb, block, first int) {
	k := &s.params.limb[limb]
	each := s.layout.Templates()
	for t := range groupSize {
		reply := (first + t) / each
		if reply >= replies {
			return // an empty place of the last group
		}
		place := block*blockSize + (first+t)%each*s.layout.Slots
		negative := place >= Degree
		place %= Degree
		out := s.sums[reply][poly].Coeffs[limb][place : place+blockSize]
		sums := group[t*2*blockSize:][:2*blockSize]
		for lane := range blockSize {
			v := int64(sums[lane]) + int64(sums[lane+blockSize])<<16 // within 2⁴²
			if negative {
				v = -v
			}
			out[lane] = k.reduce(out[lane] + uint64(v+int64(k.q)<<20))
		}
	}
}

// multiplyGeneric writes the sums of products of a group of templates with a block's words.
func multiplyGeneric(out *[groupSums]int32, words, templates []int16) {
	clear(out[:])
	for len(words) > 0 {
		for t := range groupSize {
			a, b := int32(templates[2*t]), int32(templates[2*t+1])
			sums := out[t*2*blockSize:][:2*blockSize]
			for i := range sums {
				sums[i] += a*int32(words[2*i]) + b*int32(words[2*i+1])
			}
		}
		words, templates = words[pairWords:], templates[2*groupSize:]
	}
}
