package ristretto

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"filippo.io/edwards25519"
)

// fill overwrites the points of a batch.
func fill(p *Points, points []*edwards25519.Point) {
	if p.kernel == Generic {
		fillGeneric(p, points)
		return
	}
	for i, q := range points {
		x, y, z, t := q.ExtendedCoordinates()
		block, lane := &p.blocks[i/width], i%width
		block.x.setBytes(lane, x.Bytes())
		block.y.setBytes(lane, y.Bytes())
		block.z.setBytes(lane, z.Bytes())
		block.t.setBytes(lane, t.Bytes())
	}
}

// tightest is the largest limb that routines take and give.
const tightest = 1<<51 + 1<<15 - 1

// number returns the value of one lane, not reduced.
func number(f *field8, lane int) *big.Int {
	x := new(big.Int)
	for k := 4; k >= 0; k-- {
		x.Lsh(x, 51)
		x.Add(x, new(big.Int).SetUint64(f[k][lane]))
	}
	return x
}

// fields returns elements whose limbs are at the ends of what is allowed, near p, or
// random, with highest as the largest limb.
func fields(r *rand.Rand, highest uint64) []field8 {
	ends := []uint64{0, 1, 18, 19, 1<<51 - 20, 1<<51 - 19, 1<<51 - 18, 1<<51 - 1, 1 << 51, 1<<51 + 1, highest - 1, highest}
	out := make([]field8, 40)
	for i := range out {
		for k := range 5 {
			for lane := range width {
				limb := ends[r.IntN(len(ends))]
				switch {
				case i == 0:
					limb = highest
				case i < 10 && k > 0:
					limb = 1<<51 - 1
				case i < 10: // p − 1, p, p + 1 … 2²⁵⁵ + 1
					limb = 1<<51 - 20 + uint64(i*width+lane)%22
				case i > 25:
					limb = r.Uint64N(highest + 1)
				}
				out[i][k][lane] = limb
			}
		}
	}
	return out
}

// check compares every lane of a result with a number and that its limbs are tight.
func check(t *testing.T, what string, got *field8, want func(lane int) *big.Int) {
	t.Helper()
	p := prime()
	for lane := range width {
		x, y := number(got, lane), want(lane)
		if x.Mod(x, p).Cmp(y.Mod(y, p)) != 0 {
			t.Fatalf("%s, lane %d: %x, want %x", what, lane, x, y)
		}
		for k := range 5 {
			if got[k][lane] > tightest {
				t.Fatalf("%s, lane %d: limb %d is %x", what, lane, k, got[k][lane])
			}
		}
	}
}

// Every routine on single elements, at the bounds that the generator's comments prove.
func TestFieldRoutines(t *testing.T) {
	if !haveIFMA() {
		return // nothing to test, the kernel does not run here
	}
	r := rand.New(rand.NewPCG(1, 2))
	p, one := prime(), big.NewInt(1)
	all := fields(r, tightest)
	var zero field8
	for i := range all {
		a := &all[i]
		got := &aligned[field8](1)[0]
		x := func(lane int) *big.Int { return number(a, lane) }
		for _, n := range []uint64{1, 2, 50} {
			fieldSquare(got, a, n)
			e := new(big.Int).Lsh(one, uint(n))
			check(t, "square", got, func(l int) *big.Int { return new(big.Int).Exp(x(l), e, p) })
		}
		fieldReduce(got, a)
		for lane := range width {
			if number(got, lane).Cmp(new(big.Int).Mod(x(lane), p)) != 0 {
				t.Fatalf("reduce %x: %x", x(lane), number(got, lane))
			}
		}
		canonical := func(l int) *big.Int { return new(big.Int).Mod(x(l), p) }
		fieldAbsolute(got, a)
		check(t, "absolute", got, func(l int) *big.Int {
			if y := canonical(l); y.Bit(0) == 0 {
				return y
			}
			return new(big.Int).Sub(p, canonical(l))
		})
		var parity, isZero lanes
		fieldParity(&parity, a)
		fieldZero(&isZero, a)
		for lane := range width {
			if y := canonical(lane); uint64(y.Bit(0)) != parity[lane] || (y.Sign() == 0) != (isZero[lane] == 1) {
				t.Fatalf("%x: parity %d, zero %d", y, parity[lane], isZero[lane])
			}
		}
		for j := range all {
			b := &all[j]
			y := func(lane int) *big.Int { return number(b, lane) }
			fieldMultiply(got, a, b)
			check(t, "product", got, func(l int) *big.Int { return new(big.Int).Mul(x(l), y(l)) })
			fieldAdd(got, a, b)
			check(t, "sum", got, func(l int) *big.Int { return new(big.Int).Add(x(l), y(l)) })
			fieldSubtract(got, a, b)
			check(t, "difference", got, func(l int) *big.Int { return new(big.Int).Sub(x(l), y(l)) })
			choice := lanes{0, 1, 0, 1, 1, 0, 1 << 63, 0}
			fieldSelect(got, a, b, &choice)
			check(t, "choice", got, func(l int) *big.Int {
				if choice[l] != 0 {
					return x(l)
				}
				return y(l)
			})
		}
		fieldSubtract(got, &zero, a)
		check(t, "negative", got, func(l int) *big.Int { return new(big.Int).Neg(x(l)) })
	}
	// One factor may have limbs of full 52 bits.
	for _, b := range fields(r, 1<<52-1) {
		for i := range all {
			var got field8
			fieldMultiply(&got, &all[i], &b)
			check(t, "wide product", &got, func(l int) *big.Int {
				return new(big.Int).Mul(number(&all[i], l), number(&b, l))
			})
		}
	}
}

// The routines on points do the same arithmetic on any field elements, also such that are
// no points: that is how the bounds inside are reached.
func TestPointRoutinesAtBounds(t *testing.T) {
	if !haveIFMA() {
		return
	}
	a := newWorker(t, IFMA).engine.(*vectorEngine)
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(all []field8) field8 { return all[r.IntN(len(all))] }
	all := fields(r, tightest)
	wide := fields(r, 1<<52-1)
	for range 300 {
		p := point8{pick(all), pick(all), pick(all), pick(all)}
		q := cached8{pick(all), pick(all), pick(wide), pick(all)}
		if r.IntN(4) == 0 {
			p, q = point8{all[0], all[0], all[0], all[0]}, cached8{all[0], all[0], wide[0], all[0]}
		}
		var got point8
		pointDouble(&got, &p, &a.work)
		checkPoint(t, "double", &got, func(l int) [4]*big.Int {
			x, y, z := number(&p.x, l), number(&p.y, l), number(&p.z, l)
			e := mul(big.NewInt(2), x, y)
			h := plus(mul(x, x), mul(y, y))
			g := minus(mul(y, y), mul(x, x))
			return products(e, minus(mul(big.NewInt(2), z, z), g), g, h)
		})
		pointAdd(&got, &p, &q, &a.work)
		checkPoint(t, "add", &got, func(l int) [4]*big.Int {
			x, y := number(&p.x, l), number(&p.y, l)
			first := mul(minus(y, x), number(&q.minus, l))
			second := mul(plus(y, x), number(&q.plus, l))
			third, fourth := mul(number(&p.t, l), number(&q.t2d, l)), mul(number(&p.z, l), number(&q.z2, l))
			return products(minus(second, first), minus(fourth, third), plus(fourth, third), plus(second, first))
		})
		s := sum8{p.x, p.y, p.z, p.t}
		sumAdd(&s, &s, &q, &a.work)
		got = point8{s.plus, s.minus, s.z, s.t}
		checkPoint(t, "sum", &got, func(l int) [4]*big.Int {
			first := mul(number(&p.y, l), number(&q.minus, l))
			second := mul(number(&p.x, l), number(&q.plus, l))
			third, fourth := mul(number(&p.t, l), number(&q.t2d, l)), mul(number(&p.z, l), number(&q.z2, l))
			c := products(minus(second, first), minus(fourth, third), plus(fourth, third), plus(second, first))
			return [4]*big.Int{plus(c[1], c[0]), minus(c[1], c[0]), c[2], c[3]}
		})
	}
}

func mul(x ...*big.Int) *big.Int {
	out := big.NewInt(1)
	for _, y := range x {
		out.Mul(out, y)
	}
	return out
}

func plus(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }

func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

// products are the coordinates from E, F, G and H.
func products(e, f, g, h *big.Int) [4]*big.Int {
	return [4]*big.Int{mul(e, f), mul(g, h), mul(f, g), mul(e, h)}
}

func checkPoint(t *testing.T, what string, got *point8, want func(lane int) [4]*big.Int) {
	t.Helper()
	for c, f := range []*field8{&got.x, &got.y, &got.z, &got.t} {
		check(t, what, f, func(l int) *big.Int { return want(l)[c] })
	}
}
