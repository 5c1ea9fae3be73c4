package main

import "fmt"

// Offsets in the scratch memory of point routines.
const (
	workE, workF, workG, workH = 0, 320, 640, 960
	workState                  = 1280 // the running point: X, Y, Z, T
	workEntry                  = 2560 // the chosen entry of the table
	cachedSize                 = 1280
)

// doubleTail says what the products at the end of a doubling or an addition are for.
type doubleTail int

const (
	forDouble doubleTail = iota // X, Y, Z: all that a doubling reads
	forAdd                      // Y + X in the place of X, Y − X in that of Y, Z and T
	forAll                      // X, Y, Z, T
)

// doublePoint doubles the point X, Y, Z at from (Hisil et al. section 3.3, a = −1). With
// A = X², B = Y², C = Z² it takes
//
//	E = 2·X·Y,  G = B − A,  H = A + B,  F = 2·C − G
//
// whose products are the coordinates, all with the opposite sign, which is the same
// point. G, H and F are formed of columns before their carry, with B and C biased. Bounds
// of columns: A < 2⁵⁹; B and C < 2⁵⁹ + 2⁶⁰; E < 2⁶⁰; H < 2⁶¹; G < 2⁵⁹ + 2⁶⁰, not negative as
// the bias exceeds A; F < 3·2⁶⁰, not negative as twice the bias exceeds G. The last limb
// of F, the largest, is below 2⁶¹ + 2⁵⁸.
//
// during, if not nil, adds instructions that may run with the squarings and use opB.
func (p *program) doublePoint(from string, offset int, to string, toOffset int, tail doubleTail, during func()) {
	if during != nil {
		during()
	}
	p.load(opA, from, offset+offY)
	p.square(wide{stashB, high}, opA, biased)
	p.load(opA, from, offset+offZ)
	p.square(product, opA, biased)
	p.load(opA, from, offset+offX)
	p.square(wide{stashA, high}, opA, plain)
	p.add(high, stashA, stashB)
	p.less(stashB, stashB, stashA)
	p.double(low[:]...)
	p.less(low, low, stashB)
	p.keep(low, stashA, workF)
	p.keep(high, stashA, workH)
	p.keep(stashB, stashA, workG)
	p.load(opB, from, offset+offY)
	p.multiply(product, opA, opB, plain)
	p.double(low[:]...)
	p.keep(low, high, workE)
	p.finish(to, toOffset, tail)
}

// keep carries columns and stores them as scratch.
func (p *program) keep(columns, spare limbs, offset int) {
	p.carry(columns, columns, spare)
	p.store(columns, "R8", offset)
}

// finish multiplies E, F, G and H to coordinates: X = E·F, Y = G·H, Z = F·G, T = E·H. For
// an addition it gives Y + X and Y − X instead, with Y biased, both below 2⁶¹.
func (p *program) finish(to string, offset int, tail doubleTail) {
	first, second := wide{stashA, high}, wide{stashB, high}
	if tail != forAdd {
		second = product
	}
	p.load(opA, "R8", workG)
	p.load(opB, "R8", workH)
	p.multiply(second, opA, opB, bias(tail == forAdd))
	if tail != forAdd {
		p.carry(low, low, high)
		p.store(low, to, offset+offY)
	}
	p.load(opB, "R8", workF)
	p.multiply(wide{low, stashA}, opA, opB, plain)
	p.carry(low, low, stashA)
	p.store(low, to, offset+offZ)
	p.load(opA, "R8", workE)
	p.multiply(first, opA, opB, plain)
	if tail == forAdd {
		p.add(low, stashB, stashA)
		p.carry(low, low, high)
		p.store(low, to, offset+offPlus)
		p.less(stashB, stashB, stashA)
		p.carry(stashB, stashB, stashA)
		p.store(stashB, to, offset+offMinus)
	} else {
		p.carry(stashA, stashA, high)
		p.store(stashA, to, offset+offX)
	}
	if tail != forDouble {
		p.load(opB, "R8", workH)
		p.multiply(product, opA, opB, plain)
		p.carry(low, low, high)
		p.store(low, to, offset+offT)
	}
}

// addPoint adds a cached point to a point of which it reads Y + X, Y − X, Z and T (Hisil
// et al. section 3.1, a = −1, complete since d is not a square). With
//
//	A = (Y₁−X₁)·(Y₂−X₂),  B = (Y₁+X₁)·(Y₂+X₂),  C = T₁·2d·T₂,  D = Z₁·2·Z₂
//
// it takes E = B − A, F = D − C, G = D + C, H = B + A, with B and D biased. Columns are
// below 2⁶⁰ − 2¹⁴ without the bias, also if 2d·T₂ is below 2⁵² only, so sums are below
// 3·2⁶⁰ and differences not negative; the last limbs of both are below 2⁶⁰ + 2⁵⁸.
//
// other loads a coordinate of the cached point.
func (p *program) addPoint(from string, offset int, other func(r limbs, coordinate int), to string, toOffset int, tail doubleTail) {
	pair := func(w wide, mine, others int, extra bias) {
		p.load(opA, from, offset+mine)
		other(opB, others)
		p.multiply(w, opA, opB, extra)
	}
	sums := func(difference, sum int) {
		p.add(low, stashB, stashA)
		p.keep(low, high, sum)
		p.less(stashB, stashB, stashA)
		p.keep(stashB, stashA, difference)
	}
	first, second := wide{stashA, low}, wide{stashB, high}
	pair(first, offMinus, offMinus, plain)
	pair(second, offPlus, offPlus, biased)
	sums(workE, workH)
	pair(first, offT, offT2d, plain)
	pair(second, offZ, offZ2, biased)
	sums(workF, workG)
	p.finish(to, toOffset, tail)
}

// from loads coordinates of what lies at an offset from a pointer.
func (p *program) from(pointer string, offset int) func(limbs, int) {
	return func(r limbs, coordinate int) { p.load(r, pointer, offset+coordinate) }
}

// digitMasks sets K1 to K7 to the lanes whose digit names entry 0 to 6. The digits are
// bytes at DX: the number of an entry, and −128 for a negative one.
func (p *program) digitMasks() {
	p.op("VPMOVSXBQ", "(DX)", opB[0])
	p.op("VPANDQ.BCST", "·seven<>(SB)", opB[0], opB[0])
	for e := range 7 {
		p.op("VPCMPEQQ.BCST", fmt.Sprintf("·entry%d<>(SB)", e), opB[0], fmt.Sprintf("K%d", e+1))
	}
}

// choose copies a coordinate of the entry that each lane's digit names from the table at
// SI to the scratch memory. It reads all eight entries whatever the digits are.
func (p *program) choose(coordinate int) {
	p.load(opB, "SI", 7*cachedSize+coordinate)
	for e := range 7 {
		for k := range 5 {
			p.op("VMOVDQU64", at("SI", e*cachedSize+coordinate, k), fmt.Sprintf("K%d", e+1), opB[k])
		}
	}
	p.store(opB, "R8", workEntry+coordinate)
}

// chosen loads a coordinate of the chosen entry, negated in the lanes of K1: that
// exchanges Y + X and Y − X, and takes 2p − 2d·T, which is below 2⁵².
func (p *program) chosen(r limbs, coordinate int) {
	other, swapped := map[int]int{offPlus: offMinus, offMinus: offPlus}[coordinate]
	for k := range r {
		p.op("VMOVDQU64", at("R8", workEntry+coordinate, k), r[k])
		if swapped {
			p.op("VMOVDQU64", at("R8", workEntry+other, k), "K1", r[k])
		}
		if coordinate == offT2d {
			p.broadcast(limbOf("twice", k), high[0])
			p.op("VPSUBQ", r[k], high[0], "K1", r[k])
		}
	}
}

// cache writes the cached form of the point at SI to DI: Y + X, Y − X, 2d·T, 2·Z. The
// constant 2d lies at R9.
func (p *program) cache() {
	p.load(opA, "SI", offX)
	p.load(opB, "SI", offY)
	p.add(low, opA, opB)
	p.carry(low, low, high)
	p.store(low, "DI", offPlus)
	p.subtract(low, opB, opA)
	p.carry(low, low, high)
	p.store(low, "DI", offMinus)
	p.cacheRest()
}

// cacheRest writes the last two coordinates.
func (p *program) cacheRest() {
	p.load(opA, "SI", offZ)
	p.add(low, opA, opA)
	p.carry(low, low, high)
	p.store(low, "DI", offZ2)
	p.load(opA, "SI", offT)
	p.load(opB, "R9", 0)
	p.multiply(product, opA, opB, plain)
	p.carry(low, low, high)
	p.store(low, "DI", offT2d)
}

func (p *program) pointRoutines() {
	dst, point, work := [2]string{"dst", "DI"}, [2]string{"p", "SI"}, [2]string{"work", "R8"}

	p.begin("func pointDouble(dst, p *point8, work *scratch)", "pointDouble", dst, point, work)
	p.doublePoint("SI", 0, "DI", 0, forAll, nil)
	p.end()

	p.begin("func pointCache(dst *cached8, p *point8, twiceD *field8)", "pointCache",
		dst, point, [2]string{"twiceD", "R9"})
	p.cache()
	p.end()

	p.begin("func pointAdd(dst, p *point8, q *cached8, work *scratch)", "pointAdd",
		dst, point, [2]string{"q", "DX"}, work)
	p.load(opA, "SI", offX)
	p.load(opB, "SI", offY)
	p.add(low, opA, opB)
	p.carry(low, low, high)
	p.store(low, "R8", workState+offPlus)
	p.subtract(low, opB, opA)
	p.carry(low, low, high)
	p.store(low, "R8", workState+offMinus)
	for _, c := range []int{offZ, offT} {
		p.load(opA, "SI", c)
		p.store(opA, "R8", workState+c)
	}
	p.addPoint("R8", workState, p.from("DX", 0), "DI", 0, forAll)
	p.end()

	p.begin("func pointMultiply(p *point8, table *[8]cached8, digits *[windows]lanes8, work *scratch)",
		"pointMultiply", [2]string{"p", "DI"}, [2]string{"table", "SI"}, [2]string{"digits", "DX"}, work)
	p.multiplyLoop()
	p.end()
}

// multiplyLoop runs through the digits from the highest down, with four doublings and an
// addition for each.
func (p *program) multiplyLoop() {
	for _, c := range []int{offX, offY, offZ} {
		p.load(opA, "DI", c)
		p.store(opA, "R8", workState+c)
	}
	p.raw("\tADDQ $8*62, DX\n\tMOVQ $63, CX\ndigit:\n")
	double := func(tail doubleTail, coordinate int) {
		p.doublePoint("R8", workState, "R8", workState, tail, func() { p.choose(coordinate) })
	}
	p.digitMasks()
	double(forDouble, offPlus)
	double(forDouble, offMinus)
	double(forDouble, offZ2)
	double(forAdd, offT2d)
	p.op("VPMOVSXBQ", "(DX)", high[0])
	p.op("VPMOVQ2M", high[0], "K1")
	p.addPoint("R8", workState, p.chosen, "R8", workState, forDouble)
	p.raw("\tSUBQ $8, DX\n\tDECQ CX\n\tJNZ digit\n")
	for _, c := range []int{offX, offY, offZ} {
		p.load(opA, "R8", workState+c)
		p.store(opA, "DI", c)
	}
	p.load(opA, "R8", workE)
	p.load(opB, "R8", workH)
	p.multiply(product, opA, opB, plain)
	p.carry(low, low, high)
	p.store(low, "DI", offT)
}
