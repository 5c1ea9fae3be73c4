package main

// rows are the registers that point to the buckets of the eight lanes.
var rows = [8]string{"AX", "BX", "R9", "R10", "R11", "R12", "R13", "R15"}

// bucketRoutines are for sums with public coefficients only: they read and write where
// digits say. They work on points in the form that additions read, "sums": Y + X, Y − X,
// Z and T. A bucket is one such point of one lane, 20 words in a row, padded to three
// cache lines.
func (p *program) bucketRoutines() {
	dst, work := [2]string{"dst", "DI"}, [2]string{"work", "R8"}

	p.begin("func sumAdd(dst, p *sum8, q *cached8, work *scratch)", "sumAdd",
		dst, [2]string{"p", "SI"}, [2]string{"q", "DX"}, work)
	p.addPoint("SI", 0, p.from("DX", 0), "DI", 0, forAdd)
	p.end()

	p.begin("func sumCache(dst *cached8, p *sum8, twiceD *field8)", "sumCache",
		dst, [2]string{"p", "SI"}, [2]string{"twiceD", "R9"})
	for _, c := range []int{offPlus, offMinus} {
		p.load(opA, "SI", c)
		p.store(opA, "DI", c)
	}
	p.cacheRest()
	p.end()

	p.begin("func bucketLoad(dst *sum8, buckets *uint64, offsets *offsets8)", "bucketLoad",
		[2]string{"dst", "R8"}, [2]string{"buckets", "DI"}, [2]string{"offsets", "DX"})
	p.findRows()
	p.gather(0)
	p.end()

	p.begin("func bucketAdd(buckets *uint64, offsets *[8]offsets8, points *cached8, n uint64, work *scratch)",
		"bucketAdd", [2]string{"buckets", "DI"}, [2]string{"offsets", "DX"}, [2]string{"points", "SI"},
		[2]string{"n", "CX"}, work)
	p.raw("next:\n")
	p.findRows()
	p.gather(workState)
	p.op("VPMOVZXDQ", "(DX)", opA[0])
	p.op("VPTESTMQ.BCST", "·one<>(SB)", opA[0], "K1")
	p.broadcast("mask", mask)
	p.broadcast("nineteen", nineteen)
	p.addPoint("R8", workState, p.spread, "R8", workState, forAdd)
	p.scatter(workState)
	p.raw("\tADDQ $32, DX\n\tADDQ $8, SI\n\tDECQ CX\n\tJNZ next\n")
	p.end()
}

// findRows sets the pointers to the buckets. Offsets are multiples of 64; the lowest bit
// of one is the sign of its digit.
func (p *program) findRows() {
	for i, r := range rows {
		p.raw("\tMOVL %d(DX), %s\n\tANDQ $-64, %s\n\tADDQ DI, %s\n", 4*i, r, r, r)
	}
}

// spread loads a coordinate of the point at SI, of one lane there, into all lanes,
// negated in those that K1 names.
func (p *program) spread(r limbs, coordinate int) {
	negative := map[int]int{offPlus: offMinus, offMinus: offPlus}
	for k := range r {
		p.op("VPBROADCASTQ", at("SI", coordinate, k), r[k])
		if other, ok := negative[coordinate]; ok {
			p.op("VPBROADCASTQ", at("SI", other, k), "K1", r[k])
		}
		if coordinate == offT2d {
			p.broadcast(limbOf("twice", k), low[0])
			p.op("VPSUBQ", r[k], low[0], "K1", r[k])
		}
	}
}

// transpose turns the rows of eight words in registers 0 to 7 into columns, in 16 to 23,
// by pairs of words and then of pairs.
func (p *program) transpose() {
	for i := 0; i < 8; i += 2 {
		p.op("VPUNPCKLQDQ", i+1, i, 8+i)
		p.op("VPUNPCKHQDQ", i+1, i, 9+i)
	}
	for odd := range 2 {
		for i, half := range []string{"$0x88", "$0xdd"} {
			a, b := 24+2*i, 25+2*i
			p.op("VSHUFI64X2", half, 10+odd, 8+odd, a)
			p.op("VSHUFI64X2", half, 14+odd, 12+odd, b)
			p.op("VSHUFI64X2", "$0x88", b, a, 16+2*i+odd)
			p.op("VSHUFI64X2", "$0xdd", b, a, 20+2*i+odd)
		}
	}
}

// gather reads the buckets into a sum at an offset of R8, scatter writes them back.
func (p *program) gather(offset int) {
	for g := range 3 {
		for i, r := range rows {
			p.op("VMOVDQU64", at(r, 0, g), i)
		}
		p.transpose()
		for k := range min(8, 20-8*g) {
			p.op("VMOVDQU64", 16+k, at("R8", offset, 8*g+k))
		}
	}
}

func (p *program) scatter(offset int) {
	for g := range 3 {
		for k := range min(8, 20-8*g) { // the padding takes what is left in the others
			p.op("VMOVDQU64", at("R8", offset, 8*g+k), k)
		}
		p.transpose()
		for i, r := range rows {
			p.op("VMOVDQU64", 16+i, at(r, 0, g))
		}
	}
}
