package ristretto

// chunk is the number of blocks that share one inversion in encodeHalves.
const chunk = 32

// half is what is kept of a block between the two passes of encodeHalves: with the half
// at (x, y), the element is at (e/f, g/h).
type half struct {
	e, f, g, h, eg, fh field8
	before             field8 // the product of eg·fh of all blocks before
	product            field8 // eg·fh, or 1 where that is 0
	zero               lanes  // where that is 0: the element is the identity
}

// encodeHalves encodes twice each point. The square root that encoding needs is known for
// a doubled point, up to an inversion, which many points share: the batched
// double-and-encode of https://ristretto.group/details/isogenies.html.
func (a *vectorEngine) encodeHalves(dst []byte, p *Points) {
	if a.halves == nil {
		a.halves = aligned[half](chunk)
	}
	for first := 0; first < len(p.blocks); first += chunk {
		blocks := p.blocks[first:min(first+chunk, len(p.blocks))]
		product := &a.v[0]
		*product = a.one
		for i := range blocks {
			h := &a.halves[i]
			a.beginHalf(h, &blocks[i])
			h.before = *product
			fieldMultiply(product, product, &h.product)
		}
		rest := &a.v[1]
		a.invert(rest, product)
		for i := len(blocks) - 1; i >= 0; i-- {
			h, s := &a.halves[i], &a.v[0]
			fieldMultiply(s, rest, &h.before)
			fieldMultiply(rest, rest, &h.product)
			a.endHalf(s, h)
			for lane := range min(width, p.n-(first+i)*width) {
				j := ((first+i)*width + lane) * Size
				s.putBytes(dst[j:j+Size], lane)
			}
		}
	}
}

// beginHalf doubles a point, without division.
func (a *arena) beginHalf(h *half, p *point8) {
	fieldMultiply(&h.e, &p.x, &p.y)
	fieldAdd(&h.e, &h.e, &h.e)
	zz, tt := &a.v[2], &a.v[3]
	fieldSquare(zz, &p.z, 1)
	fieldSquare(tt, &p.t, 1)
	fieldMultiply(tt, tt, &a.d)
	fieldAdd(&h.f, zz, tt)
	fieldSubtract(&h.h, zz, tt)
	fieldSquare(zz, &p.x, 1)
	fieldSquare(tt, &p.y, 1)
	fieldAdd(&h.g, zz, tt)
	fieldMultiply(&h.eg, &h.e, &h.g)
	fieldMultiply(&h.fh, &h.f, &h.h)
	fieldMultiply(&h.product, &h.eg, &h.fh)
	fieldZero(&h.zero, &h.product)
	fieldSelect(&h.product, &a.one, &h.product, &h.zero)
}

// endHalf encodes to s, canonically, when s holds 1/(eg·fh).
func (a *arena) endHalf(s *field8, h *half) {
	zInverse, tInverse, e, g, other, magic := &a.v[2], &a.v[3], &a.v[4], &a.v[5], &a.v[6], &a.v[7]
	rotate, negative := &a.mask[0], &a.mask[1]
	fieldMultiply(zInverse, &h.eg, s)
	fieldMultiply(tInverse, &h.fh, s)
	fieldMultiply(other, &h.eg, zInverse)
	fieldParity(rotate, other)
	fieldSelect(e, &h.g, &h.e, rotate)
	fieldSubtract(other, &a.zero, &h.e)
	fieldSelect(g, other, &h.g, rotate)
	fieldMultiply(other, &h.f, &a.sqrtMinusOne)
	fieldSelect(&h.h, other, &h.h, rotate)
	fieldSelect(magic, &a.sqrtMinusOne, &a.invSqrtAMinusD, rotate)
	fieldMultiply(other, &h.h, e)
	fieldMultiply(other, other, zInverse)
	fieldParity(negative, other)
	fieldSubtract(other, &a.zero, g)
	fieldSelect(g, other, g, negative)
	fieldSubtract(other, &h.h, g)
	fieldMultiply(g, g, tInverse)
	fieldMultiply(g, g, magic)
	fieldMultiply(s, other, g)
	fieldAbsolute(s, s)
	fieldReduce(s, s)
	fieldSelect(s, &a.zero, s, &h.zero)
}

// invert raises to p − 2 = 8·(2²⁵² − 3) + 3; dst must not be x.
func (a *arena) invert(dst, x *field8) {
	a.power(dst, x)
	fieldSquare(dst, dst, 3)
	fieldMultiply(dst, dst, x)
	fieldSquare(&a.chain[0], x, 1)
	fieldMultiply(dst, dst, &a.chain[0])
}
