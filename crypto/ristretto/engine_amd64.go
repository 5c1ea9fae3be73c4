package ristretto

import (
	"encoding/binary"

	"filippo.io/edwards25519"
)

// vectorEngine is the kernel IFMA: the formulas of generic.go for eight lanes at a time.
type vectorEngine struct {
	*arena
	sums   sumMemory
	halves []half
}

// arena is the aligned memory of an engine.
type arena struct {
	work      scratch
	table     [8]cached8      // odd multiples of a block
	multiples [3]point8       // once, three times and twice a block
	digits    [windows]lanes8 // of scalars
	other     point8          // for one step
	run, sum  sum8            // of buckets
	bucket    sum8            // one of each lane
	entry     cached8         // for one step
	chain     [3]field8       // of powers
	v         [12]field8      // variables of a formula; 8 to 11 are squareRootRatio's
	mask      [4]lanes        // conditions of a formula, 0 or 1; the first three likewise

	zero, one, minusOne, d, twiceD, sqrtMinusOne    field8
	sqrtADMinusOne, invSqrtAMinusD, oneMinusDSquare field8
	dMinusOneSquare, spareXY                        field8
}

func newVectorEngine() engine {
	a := &aligned[arena](1)[0]
	a.one.fill([4]uint64{1})
	fieldSubtract(&a.minusOne, &a.zero, &a.one)
	a.d.fill(edwardsD)
	fieldAdd(&a.twiceD, &a.d, &a.d)
	a.sqrtMinusOne.fill(sqrtMinusOne)
	a.sqrtADMinusOne.fill(sqrtADMinusOne)
	a.invSqrtAMinusD.fill(invSqrtAMinusD)
	a.oneMinusDSquare.fill(oneMinusDSquare)
	a.dMinusOneSquare.fill(dMinusOneSquare)
	return &vectorEngine{arena: a}
}

// power raises to (p − 5)/8 = 2²⁵² − 3, with the usual chain of exponents 2ⁿ − 1.
func (a *arena) power(dst, x *field8) {
	t, u, v := &a.chain[0], &a.chain[1], &a.chain[2]
	fieldSquare(t, x, 1)
	fieldSquare(u, t, 2)
	fieldMultiply(u, u, x)
	fieldMultiply(t, t, u) // 11
	fieldSquare(t, t, 1)
	fieldMultiply(t, t, u) // 2⁵ − 1
	fieldSquare(u, t, 5)
	fieldMultiply(t, u, t) // 2¹⁰ − 1
	fieldSquare(u, t, 10)
	fieldMultiply(u, u, t) // 2²⁰ − 1
	fieldSquare(v, u, 20)
	fieldMultiply(u, v, u) // 2⁴⁰ − 1
	fieldSquare(u, u, 10)
	fieldMultiply(t, u, t) // 2⁵⁰ − 1
	fieldSquare(u, t, 50)
	fieldMultiply(u, u, t) // 2¹⁰⁰ − 1
	fieldSquare(v, u, 100)
	fieldMultiply(u, v, u) // 2²⁰⁰ − 1
	fieldSquare(u, u, 50)
	fieldMultiply(t, u, t) // 2²⁵⁰ − 1
	fieldSquare(t, t, 2)
	fieldMultiply(dst, t, x)
}

// squareRootRatio is SQRT_RATIO_M1 of RFC 9496 section 4.2. It sets root, which must be
// neither u nor v nor one of a.v[8:], and returns 1 in a.mask[0] where u/v is square.
func (a *arena) squareRootRatio(root, u, v *field8) {
	v3, check, minusU, other := &a.v[8], &a.v[9], &a.v[10], &a.v[11]
	fieldSquare(v3, v, 1)
	fieldMultiply(v3, v3, v)
	fieldSquare(root, v3, 1)
	fieldMultiply(root, root, v)
	fieldMultiply(root, root, u)
	a.power(root, root)
	fieldMultiply(root, root, v3)
	fieldMultiply(root, root, u)

	fieldSquare(check, root, 1)
	fieldMultiply(check, check, v)
	fieldSubtract(minusU, &a.zero, u)
	fieldMultiply(other, minusU, &a.sqrtMinusOne)
	right, flipped, flippedI := &a.mask[0], &a.mask[1], &a.mask[2]
	a.equal(right, check, u)
	a.equal(flipped, check, minusU)
	a.equal(flippedI, check, other)
	fieldMultiply(other, root, &a.sqrtMinusOne)
	for i := range flipped {
		right[i] |= flipped[i]
		flipped[i] |= flippedI[i]
	}
	fieldSelect(root, other, root, flipped)
	fieldAbsolute(root, root)
}

// equal sets dst to 1 where a and b are the same, 0 elsewhere.
func (a *arena) equal(dst *lanes, x, y *field8) {
	fieldSubtract(&a.spareXY, x, y)
	fieldZero(dst, &a.spareXY)
}

func (a *vectorEngine) decode(dst *Points, b []byte) int {
	dst.halved = false
	for i := range dst.blocks {
		rest := b[i*width*Size:]
		n := min(width, len(rest)/Size)
		var bad lanes
		s := &a.v[0]
		for lane := range width {
			if lane >= n {
				s.setWords(lane, [4]uint64{})
				continue
			}
			one := rest[lane*Size : (lane+1)*Size]
			s.setBytes(lane, one)
			if !canonical(one) {
				bad[lane] = 1
			}
		}
		a.decodeBlock(&dst.blocks[i], s, &bad)
		for lane := range n {
			if bad[lane] != 0 {
				return i*width + lane
			}
		}
	}
	return -1
}

// decodeBlock is RFC 9496 section 4.3.1 for canonical s. It marks lanes that do not decode
// in bad. Zero, in unused lanes too, decodes to the identity.
func (a *vectorEngine) decodeBlock(p *point8, s *field8, bad *lanes) {
	ss, u1, u2, u2Square, v, root := &a.v[1], &a.v[2], &a.v[3], &a.v[4], &a.v[5], &a.v[6]
	fieldSquare(ss, s, 1)
	fieldSubtract(u1, &a.one, ss)
	fieldAdd(u2, &a.one, ss)
	fieldSquare(u2Square, u2, 1)
	fieldSquare(v, u1, 1)
	fieldMultiply(v, v, &a.d)
	fieldAdd(v, v, u2Square)
	fieldSubtract(v, &a.zero, v)
	fieldMultiply(u2Square, u2Square, v)
	a.squareRootRatio(root, &a.one, u2Square)
	fieldMultiply(u2, root, u2)
	fieldMultiply(root, root, u2)
	fieldMultiply(root, root, v)
	fieldAdd(&p.x, s, s)
	fieldMultiply(&p.x, &p.x, u2)
	fieldAbsolute(&p.x, &p.x)
	fieldMultiply(&p.y, u1, root)
	fieldMultiply(&p.t, &p.x, &p.y)
	p.z = a.one
	square, negative, zero := &a.mask[0], &a.mask[1], &a.mask[2]
	fieldParity(negative, &p.t)
	fieldZero(zero, &p.y)
	for i := range bad {
		bad[i] |= 1 - square[i] | negative[i] | zero[i]
	}
}

func (a *vectorEngine) encode(dst []byte, p *Points) {
	if p.halved {
		a.encodeHalves(dst, p)
		return
	}
	for i := range p.blocks {
		s := &a.v[0]
		a.encodeBlock(s, &p.blocks[i])
		for lane := range min(width, p.n-i*width) {
			j := (i*width + lane) * Size
			s.putBytes(dst[j:j+Size], lane)
		}
	}
}

// encodeBlock is RFC 9496 section 4.3.2; s becomes canonical.
func (a *vectorEngine) encodeBlock(s *field8, p *point8) {
	u1, u2, root, zInverse, x, y, spare := &a.v[1], &a.v[2], &a.v[3], &a.v[4], &a.v[5], &a.v[6], &a.v[7]
	fieldAdd(u1, &p.z, &p.y)
	fieldSubtract(u2, &p.z, &p.y)
	fieldMultiply(u1, u1, u2)
	fieldMultiply(u2, &p.x, &p.y)
	fieldSquare(spare, u2, 1)
	fieldMultiply(spare, spare, u1)
	a.squareRootRatio(root, &a.one, spare)
	fieldMultiply(u1, u1, root)
	fieldMultiply(u2, u2, root)
	fieldMultiply(zInverse, u1, u2)
	fieldMultiply(zInverse, zInverse, &p.t)
	rotate, negative := &a.mask[0], &a.mask[1]
	fieldMultiply(spare, &p.t, zInverse)
	fieldParity(rotate, spare)
	fieldMultiply(x, &p.x, &a.sqrtMinusOne)
	fieldMultiply(y, &p.y, &a.sqrtMinusOne)
	fieldMultiply(u1, u1, &a.invSqrtAMinusD)
	fieldSelect(spare, y, &p.x, rotate)
	fieldSelect(y, x, &p.y, rotate)
	fieldSelect(u2, u1, u2, rotate)
	fieldMultiply(x, spare, zInverse)
	fieldParity(negative, x)
	fieldSubtract(spare, &a.zero, y)
	fieldSelect(y, spare, y, negative)
	fieldSubtract(s, &p.z, y)
	fieldMultiply(s, s, u2)
	fieldAbsolute(s, s)
	fieldReduce(s, s)
}

func (a *vectorEngine) fromUniform(dst *Points, b []byte) {
	dst.halved = false
	q := &a.other
	for i := range dst.blocks {
		rest := b[i*width*UniformSize:]
		n := min(width, len(rest)/UniformSize)
		t := &a.v[0]
		for half, p := range []*point8{&dst.blocks[i], q} {
			for lane := range width {
				if lane < n {
					t.setBytes(lane, rest[lane*UniformSize+half*UniformSize/2:])
				} else {
					t.setWords(lane, [4]uint64{})
				}
			}
			a.elligator(p, t)
		}
		a.addBlock(&dst.blocks[i], &dst.blocks[i], q)
		for lane := n; lane < width; lane++ {
			dst.blocks[i].setIdentity(lane)
		}
	}
}

// elligator is MAP of RFC 9496 section 4.3.4.
func (a *vectorEngine) elligator(p *point8, t *field8) {
	r, u, v, s, n, w := &a.v[1], &a.v[2], &a.v[3], &a.v[4], &a.v[5], &a.v[6]
	fieldSquare(r, t, 1)
	fieldMultiply(r, r, &a.sqrtMinusOne)
	fieldAdd(u, r, &a.one)
	fieldMultiply(u, u, &a.oneMinusDSquare)
	fieldMultiply(v, r, &a.d)
	fieldSubtract(v, &a.minusOne, v)
	fieldAdd(n, r, &a.d)
	fieldMultiply(v, v, n)
	a.squareRootRatio(s, u, v)
	square := &a.mask[0]
	fieldMultiply(n, s, t)
	fieldAbsolute(n, n)
	fieldSubtract(n, &a.zero, n)
	fieldSelect(s, s, n, square)
	fieldSubtract(n, r, &a.one)
	fieldSelect(r, &a.minusOne, r, square)
	fieldMultiply(n, n, r)
	fieldMultiply(n, n, &a.dMinusOneSquare)
	fieldSubtract(n, n, v)
	w0, w1, w2, w3 := u, n, r, w
	fieldAdd(w0, s, s)
	fieldMultiply(w0, w0, v)
	fieldMultiply(w1, n, &a.sqrtADMinusOne)
	fieldSquare(s, s, 1)
	fieldSubtract(w2, &a.one, s)
	fieldAdd(w3, &a.one, s)
	fieldMultiply(&p.x, w0, w3)
	fieldMultiply(&p.y, w2, w1)
	fieldMultiply(&p.z, w1, w3)
	fieldMultiply(&p.t, w0, w2)
}

// addBlock adds points; all three may be the same.
func (a *arena) addBlock(dst, p, q *point8) {
	pointCache(&a.table[0], q, &a.twiceD)
	pointAdd(dst, p, &a.table[0], &a.work)
}

// whole returns a block of elements that are not halved; it may be in a.other.
func (a *arena) whole(p *Points, i int) *point8 {
	if !p.halved {
		return &p.blocks[i]
	}
	pointDouble(&a.other, &p.blocks[i], &a.work)
	return &a.other
}

func (a *vectorEngine) add(dst, p, q *Points) {
	halved := p.halved && q.halved
	for i := range dst.blocks {
		first, second := &p.blocks[i], &q.blocks[i]
		if !halved { // one of them at most needs the space
			first, second = a.whole(p, i), a.whole(q, i)
		}
		a.addBlock(&dst.blocks[i], first, second)
	}
	dst.halved = halved
}

// multiply gives halves: of halves by the scalars, of wholes by half of each.
func (a *vectorEngine) multiply(dst, p *Points, s []Scalar) {
	for i := range dst.blocks {
		if i == 0 || len(s) > 1 {
			for lane := range width {
				j := min(i*width+lane, len(s)-1) // unused lanes hold the identity anyway
				a.setDigits(lane, &s[j], p.halved)
			}
		}
		a.multiplyBlock(&dst.blocks[i], &p.blocks[i])
	}
	dst.halved = true
}

// setDigits prepares a scalar, or its half, for multiplyBlock. The order, which is odd, is
// added to even numbers: it takes every point to the identity's coset.
func (a *arena) setDigits(lane int, s *Scalar, whole bool) {
	b := s.Bytes()
	var t [4]uint64
	for i := range t {
		t[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	if !whole {
		halve(&t)
	}
	addOrder(&t, ^t[0]&1)
	recode(&a.digits, lane, &t)
}

// multiplyBlock multiplies by the digits, with a table of the odd multiples 1 to 15. The
// first digit is 1 or 3.
func (a *arena) multiplyBlock(dst, p *point8) {
	twice, m := &a.multiples[2], &a.multiples
	m[0] = *p
	pointDouble(twice, p, &a.work)
	pointCache(&a.table[0], p, &a.twiceD)
	pointCache(&a.entry, twice, &a.twiceD)
	pointAdd(&m[1], p, &a.entry, &a.work)
	pointCache(&a.table[1], &m[1], &a.twiceD)
	next := &a.other
	*next = m[1]
	for i := 2; i < len(a.table); i++ {
		pointAdd(next, next, &a.entry, &a.work)
		pointCache(&a.table[i], next, &a.twiceD)
	}
	three := &a.mask[0]
	for lane, d := range a.digits[windows-1] {
		three[lane] = uint64(d)
	}
	fieldSelect(&dst.x, &m[1].x, &m[0].x, three)
	fieldSelect(&dst.y, &m[1].y, &m[0].y, three)
	fieldSelect(&dst.z, &m[1].z, &m[0].z, three)
	pointMultiply(dst, &a.table, &a.digits, &a.work)
}

func (a *vectorEngine) firstIdentity(p *Points) int {
	for i := range p.blocks {
		block := a.whole(p, i)
		fieldMultiply(&a.v[0], &block.x, &block.y)
		fieldZero(&a.mask[0], &a.v[0])
		for lane := range min(width, p.n-i*width) {
			if a.mask[0][lane] != 0 {
				return i*width + lane
			}
		}
	}
	return -1
}

func (a *vectorEngine) move(dst *Points, j int, p *Points, i, n int) {
	dst.halved = false
	var block *point8
	for k := range n {
		if k == 0 || (i+k)%width == 0 {
			block = a.whole(p, (i+k)/width)
		}
		dst.blocks[(j+k)/width].copyLane((j+k)%width, block, (i+k)%width)
	}
}

func (a *vectorEngine) generator(dst *Points) {
	x, y, _, t := edwards25519.NewGeneratorPoint().ExtendedCoordinates()
	g := &a.other
	for lane := range width {
		g.x.setBytes(lane, x.Bytes())
		g.y.setBytes(lane, y.Bytes())
		g.t.setBytes(lane, t.Bytes())
	}
	g.z = a.one
	for i := range dst.blocks {
		dst.blocks[i] = *g
	}
	dst.vectors.resize(dst.n)
	dst.halved = false
}
