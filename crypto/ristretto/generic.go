package ristretto

import (
	"encoding/binary"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// generic is a batch as points of the curve, each of which stands for its coset.
type generic struct {
	points []edwards25519.Point
}

func (g *generic) resize(n int) {
	if n > cap(g.points) {
		g.points = append(make([]edwards25519.Point, 0, n), g.points...)
	}
	g.points = g.points[:n]
}

// genericEngine is the kernel Generic.
type genericEngine struct{}

func (*genericEngine) decode(dst *Points, b []byte) int {
	c := fieldConstants()
	for i := range dst.points {
		if !c.decode(&dst.points[i], b[i*Size:(i+1)*Size]) {
			return i
		}
	}
	return -1
}

func (*genericEngine) encode(dst []byte, p *Points) {
	c := fieldConstants()
	for i := range p.points {
		c.encode(dst[i*Size:(i+1)*Size], &p.points[i])
	}
}

func (*genericEngine) fromUniform(dst *Points, b []byte) {
	c := fieldConstants()
	for i := range dst.points {
		one := b[i*UniformSize : (i+1)*UniformSize]
		var q edwards25519.Point
		c.elligator(&dst.points[i], one[:UniformSize/2])
		c.elligator(&q, one[UniformSize/2:])
		dst.points[i].Add(&dst.points[i], &q)
	}
}

func (*genericEngine) generator(dst *Points) {
	for i := range dst.points {
		dst.points[i].Set(edwards25519.NewGeneratorPoint())
	}
}

func (*genericEngine) add(dst, p, q *Points) {
	for i := range dst.points {
		dst.points[i].Add(&p.points[i], &q.points[i])
	}
}

func (*genericEngine) multiply(dst, p *Points, s []Scalar) {
	for i := range dst.points {
		dst.points[i].ScalarMult(&s[i%len(s)].s, &p.points[i])
	}
}

func (*genericEngine) multiScalar(dst, p *Points, coefficients [][]byte) {
	scalars, points := make([]*edwards25519.Scalar, p.n), make([]*edwards25519.Point, p.n)
	for i := range p.points {
		var wide [UniformSize]byte
		copy(wide[:], coefficients[i])
		s, err := ScalarFromUniform(wide[:])
		if err != nil {
			panic(err) // the length is right
		}
		scalars[i], points[i] = &s.s, &p.points[i]
	}
	dst.points[0].Set(edwards25519.NewIdentityPoint().VarTimeMultiScalarMult(scalars, points))
}

// firstIdentity looks for members of the identity's coset, the four points of order at
// most four: those with x = 0 or y = 0 (RFC 9496 section 4.3.3).
func (*genericEngine) firstIdentity(p *Points) int {
	var zero, product field.Element
	for i := range p.points {
		x, y, _, _ := p.points[i].ExtendedCoordinates()
		if product.Multiply(x, y).Equal(&zero) == 1 {
			return i
		}
	}
	return -1
}

func (*genericEngine) move(dst *Points, j int, p *Points, i, n int) {
	copy(dst.points[j:j+n], p.points[i:i+n])
}

// constants are the constants of RFC 9496 section 4.1.
type constants struct {
	one, minusOne, d, sqrtMinusOne, sqrtADMinusOne   field.Element
	invSqrtAMinusD, oneMinusDSquare, dMinusOneSquare field.Element
}

// element is a field constant from its four words of 64 bits, the lowest first.
func element(words [4]uint64) field.Element {
	var b [32]byte
	for i, w := range words {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
	var e field.Element
	if _, err := e.SetBytes(b[:]); err != nil {
		panic(err) // the length is right
	}
	return e
}

func fieldConstants() *constants {
	c := &constants{
		d:               element(edwardsD),
		sqrtMinusOne:    element(sqrtMinusOne),
		sqrtADMinusOne:  element(sqrtADMinusOne),
		invSqrtAMinusD:  element(invSqrtAMinusD),
		oneMinusDSquare: element(oneMinusDSquare),
		dMinusOneSquare: element(dMinusOneSquare),
	}
	c.one.One()
	c.minusOne.Negate(&c.one)
	return c
}

// decode is RFC 9496 section 4.3.1. It reports whether b was canonical.
func (c *constants) decode(p *edwards25519.Point, b []byte) bool {
	if !canonical(b) {
		return false
	}
	var s, ss, u1, u2, u2Square, v, root, denX, denY, x, y, t field.Element
	if _, err := s.SetBytes(b); err != nil {
		return false
	}
	ss.Square(&s)
	u1.Subtract(&c.one, &ss)
	u2.Add(&c.one, &ss)
	u2Square.Square(&u2)
	v.Square(&u1)
	v.Multiply(&v, &c.d)
	v.Negate(&v)
	v.Subtract(&v, &u2Square)
	root.Multiply(&v, &u2Square)
	_, square := root.SqrtRatio(&c.one, &root)
	denX.Multiply(&root, &u2)
	denY.Multiply(&root, &denX)
	denY.Multiply(&denY, &v)
	x.Add(&s, &s)
	x.Multiply(&x, &denX)
	x.Absolute(&x)
	y.Multiply(&u1, &denY)
	t.Multiply(&x, &y)
	if square == 0 || t.IsNegative() == 1 || y.Equal(new(field.Element)) == 1 {
		return false
	}
	_, err := p.SetExtendedCoordinates(&x, &y, &c.one, &t)
	return err == nil
}

// canonical tells whether b is a number below p = 2²⁵⁵ − 19 and even, which is what RFC
// 9496 calls not negative.
func canonical(b []byte) bool {
	low := binary.LittleEndian.Uint64(b)
	high := binary.LittleEndian.Uint64(b[24:])
	if low&1 == 1 || high>>63 == 1 {
		return false
	}
	middle := binary.LittleEndian.Uint64(b[8:]) & binary.LittleEndian.Uint64(b[16:])
	return high != 1<<63-1 || middle != 1<<64-1 || low < 1<<64-19
}

// encode is RFC 9496 section 4.3.2.
func (c *constants) encode(b []byte, p *edwards25519.Point) {
	x, y, z, t := p.ExtendedCoordinates()
	var u1, u2, root, den1, den2, zInverse, ix, iy, enchanted field.Element
	u1.Add(z, y)
	u2.Subtract(z, y)
	u1.Multiply(&u1, &u2)
	u2.Multiply(x, y)
	root.Square(&u2)
	root.Multiply(&root, &u1)
	root.SqrtRatio(&c.one, &root)
	den1.Multiply(&root, &u1)
	den2.Multiply(&root, &u2)
	zInverse.Multiply(&den1, &den2)
	zInverse.Multiply(&zInverse, t)
	ix.Multiply(x, &c.sqrtMinusOne)
	iy.Multiply(y, &c.sqrtMinusOne)
	enchanted.Multiply(&den1, &c.invSqrtAMinusD)
	rotate := u1.Multiply(t, &zInverse).IsNegative()
	x.Select(&iy, x, rotate)
	y.Select(&ix, y, rotate)
	den2.Select(&enchanted, &den2, rotate)
	negative := u1.Multiply(x, &zInverse).IsNegative()
	y.Select(u2.Negate(y), y, negative)
	u1.Subtract(z, y)
	u1.Multiply(&u1, &den2)
	copy(b, u1.Absolute(&u1).Bytes())
}

// elligator is MAP of RFC 9496 section 4.3.4 for 32 bytes, whose highest bit is ignored.
func (c *constants) elligator(p *edwards25519.Point, b []byte) {
	var t, r, u, v, s, prime, n, w0, w1, w2, w3 field.Element
	if _, err := t.SetBytes(b); err != nil {
		panic(err) // the length is right
	}
	r.Square(&t)
	r.Multiply(&r, &c.sqrtMinusOne)
	u.Add(&r, &c.one)
	u.Multiply(&u, &c.oneMinusDSquare)
	v.Multiply(&r, &c.d)
	v.Subtract(&c.minusOne, &v)
	n.Add(&r, &c.d)
	v.Multiply(&v, &n)
	_, square := s.SqrtRatio(&u, &v)
	prime.Multiply(&s, &t)
	prime.Absolute(&prime)
	prime.Negate(&prime)
	s.Select(&s, &prime, square)
	n.Subtract(&r, &c.one)
	r.Select(&c.minusOne, &r, square)
	n.Multiply(&n, &r)
	n.Multiply(&n, &c.dMinusOneSquare)
	n.Subtract(&n, &v)
	w0.Add(&s, &s)
	w0.Multiply(&w0, &v)
	w1.Multiply(&n, &c.sqrtADMinusOne)
	s.Square(&s)
	w2.Subtract(&c.one, &s)
	w3.Add(&c.one, &s)
	t.Multiply(&w0, &w2)
	u.Multiply(&w0, &w3)
	v.Multiply(&w2, &w1)
	n.Multiply(&w1, &w3)
	if _, err := p.SetExtendedCoordinates(&u, &v, &n, &t); err != nil {
		panic("ristretto: the map left the curve") // it cannot, whatever the bytes
	}
}
