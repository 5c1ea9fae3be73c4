package he

import "github.com/tuneinsight/lattigo/v5/ring"

// polynomials multiply a query's ciphertexts by polynomials whose coefficients are the
// coordinates of many templates: for few probes this fills all coefficients of a reply.
type polynomials struct {
	params *Parameters
	layout Layout
	// values holds, for each limb and block of eight places of the transform, unit values:
	// for each ciphertext the eight of its first polynomial and the eight of its second.
	values []uint32
	unit   int
	sums   [2]ring.Poly
}

// chunkTerms is how many products of residues are added up in 64 bits before they are
// reduced: each is below 2⁵⁶.
const chunkTerms = 256

func newPolynomials(p *Parameters, l Layout) *polynomials {
	s := &polynomials{params: p, layout: l, unit: l.Ciphertexts() * 2 * blockSize, sums: newSums(p.ring)}
	s.values = make([]uint32, limbs*blocks*s.unit)
	return s
}

func (s *polynomials) take(i int, c [2]ring.Poly) {
	for poly := range c {
		s.params.ring.NTT(c[poly], c[poly])
		scatter(s.values, s.unit, (2*i+poly)*blockSize, c[poly])
	}
}

// scatter puts a polynomial's residues into their blocks, at a place of each.
func scatter(values []uint32, unit, place int, c ring.Poly) {
	for limb := range limbs {
		for block := range blocks {
			out := values[(limb*blocks+block)*unit+place:][:blockSize]
			for lane, x := range c.Coeffs[limb][block*blockSize:][:blockSize] {
				out[lane] = uint32(x)
			}
		}
	}
}

// polynomialValues lays templates out: coordinate i·k + j of template t is the coefficient
// t·n − j·N/k of polynomial i, where X^N = −1.
func (p *Parameters) polynomialValues(l Layout, templates [][]int8) []uint32 {
	unit := l.Ciphertexts() * blockSize
	out := make([]uint32, limbs*blocks*unit)
	small, c := make([]int8, Degree), p.ring.NewPoly()
	for i := range l.Ciphertexts() {
		clear(small)
		for t, v := range templates {
			small[t*l.Slots] = v[i*l.Split]
			for j := 1; j < l.Split; j++ {
				small[Degree+t*l.Slots-j*Degree/l.Split] = -v[i*l.Split+j]
			}
		}
		for limb := range limbs {
			lift(limb, small, c.Coeffs[limb])
		}
		p.ring.NTT(c, c)
		scatter(out, unit, i*blockSize, c)
	}
	return out
}

func (s *polynomials) sum(g *Gallery, next func([2]ring.Poly) error) error {
	unit := s.layout.Ciphertexts() * blockSize
	var sums [2 * blockSize]uint64
	for limb := range limbs {
		k := &s.params.limb[limb]
		for block := range blocks {
			query := s.values[(limb*blocks+block)*s.unit:][:s.unit]
			values := g.values[(limb*blocks+block)*unit:][:unit]
			var out [2 * blockSize]uint64
			for len(values) > 0 {
				n := min(len(values), chunkTerms*blockSize)
				accumulate(&sums, query[:2*n], values[:n])
				for i, x := range sums {
					out[i] += k.reduce(x)
				}
				query, values = query[2*n:], values[n:]
			}
			for poly := range s.sums {
				for lane, x := range out[poly*blockSize:][:blockSize] {
					s.sums[poly].Coeffs[limb][block*blockSize+lane] = k.reduce(x)
				}
			}
		}
	}
	for _, c := range s.sums {
		s.params.ring.INTT(c, c)
	}
	return next(s.sums)
}

// accumulateGeneric adds up the products of up to chunkTerms values with both values of a
// query that belong to them.
func accumulateGeneric(out *[2 * blockSize]uint64, query, values []uint32) {
	clear(out[:])
	for len(values) > 0 {
		for lane, x := range values[:blockSize] {
			out[lane] += uint64(x) * uint64(query[lane])
			out[lane+blockSize] += uint64(x) * uint64(query[lane+blockSize])
		}
		query, values = query[2*blockSize:], values[blockSize:]
	}
}
