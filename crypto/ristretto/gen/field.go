package main

import "fmt"

// The bounds of products, for factors a and b: a partial product splits into its low 52
// bits, below 2⁵² in column i+j, and the rest, which counts twice in column i+j+1. With
// tight factors the rest is below 2⁵⁰ + 2¹⁵, so with n(k) pairs i + j = k a column is below
// n(k)·2⁵² + n(k−1)·(2⁵¹ + 2¹⁷); the columns 5 to 9, times 19, join columns 0 to 4:
//
//	column   0      1     2     3     4      (in units of 2⁵²)
//	alone    1      2.5   4     5.5   7
//	folded   124.6  97.6  70.6  43.6  16.6   < 2⁵⁹
//
// With one factor below 2⁵² only, the rest is below 2⁵¹ + 2¹⁵ and folded columns are below
// 172.1·2⁵² < 2⁶⁰ − 2¹⁴, and column 4 below 28.1·2⁵² < 2⁵⁷.

// A product is plain, or biased: 2⁹·p more, so that a plain one can be subtracted from it.
// In each limb 2⁹·p lies between 2⁶⁰ − 2¹⁴ and 2⁶⁰.
type bias bool

const (
	plain  bias = false
	biased bias = true
)

// beginSums starts the columns of a product; doublings[k] says how often column k will double.
func (p *program) beginSums(w wide, b bias, doublings limbs) {
	for k := range 10 {
		z := fmt.Sprint("Z", w.column(k))
		p.starts[z] = "\tVPXORQ DESTINATION, DESTINATION, DESTINATION\n"
		if b == biased && k < 5 {
			p.starts[z] = fmt.Sprintf("\tVPBROADCASTQ ·bias%d<>(SB), DESTINATION\n", doublings[k])
		}
	}
}

// double doubles vectors.
func (p *program) double(registers ...int) {
	for _, r := range registers {
		p.op("VPSLLQ", "$1", r, r)
	}
}

// multiply sets w.low to the product of a and b, folded but not carried, bounded as above.
// High parts are summed first, doubled, and the low parts added on top, which needs one
// accumulator for each column. Rows run from the highest limb down, so that the columns
// which are folded are ready first.
func (p *program) multiply(w wide, a, b limbs, extra bias) {
	p.beginSums(w, extra, limbs{0, 1, 1, 1, 1})
	for i := 4; i >= 0; i-- {
		for j := 4; j >= 0; j-- {
			p.op("VPMADD52HUQ", b[j], a[i], w.column(i+j+1))
		}
		p.double(w.column(i + 5))
	}
	p.double(w.column(4), w.column(3), w.column(2), w.column(1))
	p.fold(w, 4)
	for i := 4; i >= 0; i-- {
		for j := 4; j >= 0; j-- {
			p.op("VPMADD52LUQ", b[j], a[i], w.column(i+j))
		}
		if i > 0 {
			p.fold(w, i-1)
		}
	}
	p.join(w)
}

// fold multiplies column k+5 by 19, since 2²⁵⁵ = 19 modulo p.
func (p *program) fold(w wide, k int) {
	p.op("VPMULLQ", nineteen, w.high[k], w.high[k])
}

// join adds the folded columns.
func (p *program) join(w wide) {
	for k := range 5 {
		p.op("VPADDQ", w.high[k], w.low[k], w.low[k])
	}
}

// square is multiply with both factors a. A column is D + 2X + 4Y: D sums low parts of
// squares, X the high ones and low parts of mixed products, Y high parts of mixed ones.
// They share one accumulator, which is doubled between the three.
func (p *program) square(w wide, a limbs, extra bias) {
	p.beginSums(w, extra, limbs{0, 1, 2, 2, 2})
	for i := 3; i >= 0; i-- {
		for j := 4; j > i; j-- {
			p.op("VPMADD52HUQ", a[j], a[i], w.column(i+j+1))
		}
	}
	for k := 8; k >= 2; k-- {
		p.double(w.column(k))
	}
	for i := 4; i >= 0; i-- {
		p.op("VPMADD52HUQ", a[i], a[i], w.column(2*i+1))
		for j := 4; j > i; j-- {
			p.op("VPMADD52LUQ", a[j], a[i], w.column(i+j))
		}
	}
	for k := 9; k >= 1; k-- {
		p.double(w.column(k))
	}
	for i := 4; i >= 0; i-- {
		p.op("VPMADD52LUQ", a[i], a[i], w.column(2*i))
	}
	for k := 4; k >= 0; k-- {
		p.fold(w, k)
	}
	p.join(w)
}

// carry moves what each limb of from has above 51 bits to the next, and 19 times that of
// the last to the first, all at once. For limbs below 3·2⁶⁰ with the last below 2⁶¹ + 2⁵⁸
// the carries are below 3·2⁹ and 2¹⁰ + 2⁷, so the result is tight: 19·(2¹⁰ + 2⁷) < 2¹⁵.
func (p *program) carry(to, from, spare limbs) {
	for k := range 5 {
		p.op("VPSRLQ", "$51", from[k], spare[k])
	}
	for k := range 5 {
		p.op("VPANDQ", mask, from[k], to[k])
	}
	p.op("VPMADD52LUQ", nineteen, spare[4], to[0])
	for k := range 4 {
		p.op("VPADDQ", spare[k], to[k+1], to[k+1])
	}
}

// add sets to = a + b limb by limb.
func (p *program) add(to, a, b limbs) {
	for k := range 5 {
		p.op("VPADDQ", b[k], a[k], to[k])
	}
}

// less sets to = a − b limb by limb.
func (p *program) less(to, a, b limbs) {
	for k := range 5 {
		p.op("VPSUBQ", b[k], a[k], to[k])
	}
}

// subtract sets to = a − b + 2·p for tight a and b, which is not negative in any limb and
// below 2⁵¹ + 2⁵² + 2¹⁵.
func (p *program) subtract(to, a, b limbs) {
	for k := range 5 {
		p.op("VPADDQ.BCST", "·"+limbOf("twice", k)+"<>(SB)", a[k], to[k])
	}
	p.less(to, to, b)
}

// limbOf names the word of a constant for limb k; limbs 1 to 4 share one.
func limbOf(name string, k int) string {
	if k == 0 {
		return name + "0"
	}
	return name + "1"
}

// reduce makes tight limbs canonical. One pass from limb 0 up leaves limbs below 2⁵¹, but
// for at most 19 more in limb 0, from what was above 2²⁵⁵. The value is then below
// 2²⁵⁵ + 19, so one p too large at most, and that is so just if adding 19 carries out of
// the top.
func (p *program) reduce(a limbs, spare int) {
	ripple := func(top bool) {
		for k := range 5 {
			p.op("VPSRLQ", "$51", a[k], spare)
			p.op("VPANDQ", mask, a[k], a[k])
			if k < 4 {
				p.op("VPADDQ", spare, a[k+1], a[k+1])
			} else if top {
				p.op("VPMADD52LUQ", nineteen, spare, a[0])
			}
		}
	}
	ripple(true)
	p.op("VPADDQ", nineteen, a[0], spare)
	p.op("VPSRLQ", "$51", spare, spare)
	for k := 1; k < 5; k++ {
		p.op("VPADDQ", spare, a[k], spare)
		p.op("VPSRLQ", "$51", spare, spare)
	}
	p.op("VPMADD52LUQ", nineteen, spare, a[0])
	ripple(false)
}
