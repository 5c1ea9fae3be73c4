package main

import "fmt"

const header = `// Written by the program in the folder gen; change that.

//go:build amd64

#include "textflag.h"

`

// Offsets of the coordinates in a point and in a cached point.
const (
	offX, offY, offZ, offT           = 0, 320, 640, 960
	offPlus, offMinus, offT2d, offZ2 = 0, 320, 640, 960
)

// kernel returns the whole file.
func kernel() []byte {
	p := &program{starts: map[string]string{}}
	p.raw(header)
	const limb = 1<<51 - 1
	p.constant("mask", limb)
	p.constant("nineteen", 19)
	p.constant("one", 1)
	p.constant("seven", 7)
	for e := range 7 {
		p.constant(fmt.Sprint("entry", e), uint64(e))
	}
	// 2p in limbs, and 2⁹·p as what sums start with that are doubled or quadrupled on the
	// way.
	p.constant("twice0", 2*(limb-18))
	p.constant("twice1", 2*limb)
	p.constant("bias0", 1<<9*(limb-18))
	p.constant("bias1", 1<<8*limb)
	p.constant("bias2", 1<<7*limb)
	p.fieldRoutines()
	p.pointRoutines()
	p.bucketRoutines()
	return p.text.Bytes()
}

func (p *program) fieldRoutines() {
	dst, a, b := [2]string{"dst", "DI"}, [2]string{"a", "SI"}, [2]string{"b", "DX"}

	p.begin("func fieldMultiply(dst, a, b *field8)", "fieldMultiply", dst, a, b)
	p.load(opA, "SI", 0)
	p.load(opB, "DX", 0)
	p.multiply(product, opA, opB, plain)
	p.carry(low, low, high)
	p.store(low, "DI", 0)
	p.end()

	p.begin("func fieldSquare(dst, a *field8, n uint64)", "fieldSquare", dst, a, [2]string{"n", "CX"})
	p.load(opA, "SI", 0)
	p.raw("again:\n")
	p.square(product, opA, plain)
	p.carry(opA, low, high)
	p.raw("\tDECQ CX\n\tJNZ again\n")
	p.store(opA, "DI", 0)
	p.end()

	p.begin("func fieldAdd(dst, a, b *field8)", "fieldAdd", dst, a, b)
	p.load(opA, "SI", 0)
	p.load(opB, "DX", 0)
	p.add(low, opA, opB)
	p.carry(low, low, high)
	p.store(low, "DI", 0)
	p.end()

	p.begin("func fieldSubtract(dst, a, b *field8)", "fieldSubtract", dst, a, b)
	p.load(opA, "SI", 0)
	p.load(opB, "DX", 0)
	p.subtract(low, opA, opB)
	p.carry(low, low, high)
	p.store(low, "DI", 0)
	p.end()

	p.begin("func fieldSelect(dst, a, b *field8, choice *lanes)", "fieldSelect",
		dst, a, b, [2]string{"choice", "CX"})
	p.load(opA, "SI", 0)
	p.load(opB, "DX", 0)
	p.op("VMOVDQU64", "(CX)", low[0])
	p.op("VPTESTMQ", low[0], low[0], "K1")
	for k := range 5 {
		p.op("VPBLENDMQ", opA[k], opB[k], "K1", opA[k])
	}
	p.store(opA, "DI", 0)
	p.end()

	p.begin("func fieldReduce(dst, a *field8)", "fieldReduce", dst, a)
	p.load(opA, "SI", 0)
	p.reduce(opA, low[0])
	p.store(opA, "DI", 0)
	p.end()

	p.begin("func fieldAbsolute(dst, a *field8)", "fieldAbsolute", dst, a)
	p.load(opA, "SI", 0)
	p.reduce(opA, low[0])
	p.op("VPTESTMQ.BCST", "·one<>(SB)", opA[0], "K1")
	for k := range 5 {
		p.broadcast(limbOf("twice", k), low[0])
		p.op("VPSUBQ", opA[k], low[0], "K1", opA[k])
	}
	p.carry(low, opA, high)
	p.store(low, "DI", 0)
	p.end()

	p.begin("func fieldParity(dst *lanes, a *field8)", "fieldParity", dst, a)
	p.load(opA, "SI", 0)
	p.reduce(opA, low[0])
	p.op("VPANDQ.BCST", "·one<>(SB)", opA[0], opA[0])
	p.op("VMOVDQU64", opA[0], "(DI)")
	p.end()

	p.begin("func fieldZero(dst *lanes, a *field8)", "fieldZero", dst, a)
	p.load(opA, "SI", 0)
	p.reduce(opA, low[0])
	for k := 1; k < 5; k++ {
		p.op("VPORQ", opA[k], opA[0], opA[0])
	}
	p.op("VPTESTNMQ", opA[0], opA[0], "K1")
	p.op("VPBROADCASTQ.Z", "·one<>(SB)", "K1", opA[0])
	p.op("VMOVDQU64", opA[0], "(DI)")
	p.end()
}
