package main

// Registers of turnSquares: eight words, a mask for each of three steps, and two for work.
const (
	firstMask = 8
	work      = 11
)

// turnSquares turns four squares of 64 by 64 bits that lie side by side: word k of square i
// is at columns + k·stride + 8·i, and row r of square i goes to rows + 1024·i + 16·r. One
// lane of a vector belongs to each square, so that the six steps of the transposition never
// cross lanes. A step of distance d exchanges bits between words k and k + d only; so the
// words k, k + 8, … k + 56 go through the three wide steps together, and k, k + 1, … k + 7
// with k a multiple of 8 through the narrow ones.
func (p *program) turnSquares() {
	p.op("")
	for i, m := range []string{"00000000ffffffff", "0000ffff0000ffff", "00ff00ff00ff00ff",
		"0f0f0f0f0f0f0f0f", "3333333333333333", "5555555555555555"} {
		p.op("DATA ·mask%d<>(SB)/8, $0x%s\nGLOBL ·mask%d<>(SB), RODATA|NOPTR, $8", i, m, i)
	}
	p.begin("func turnSquares(rows, columns *byte, stride uint64, between *[64][4]uint64)", "turnSquares",
		[2]string{"rows", "DI"}, [2]string{"columns", "SI"}, [2]string{"stride", "DX"}, [2]string{"between", "R8"})
	p.op("\tMOVQ DX, R9\n\tSHLQ $3, R9 // 8 words on")
	p.masks(0)
	for k := range 8 {
		p.op("\tMOVQ SI, R10")
		for i := range 8 {
			p.op("\tVMOVDQU (R10), Y%d\n\tADDQ R9, R10", i)
		}
		p.steps(32)
		for i := range 8 {
			p.op("\tVMOVDQU Y%d, %d(R8)", i, 32*(k+8*i))
		}
		p.op("\tADDQ DX, SI")
	}
	p.masks(3)
	for k := 0; k < 64; k += 8 {
		for i := range 8 {
			p.op("\tVMOVDQU %d(R8), Y%d", 32*(k+i), i)
		}
		p.steps(4)
		for i := range 8 {
			at := 16 * (k + i)
			p.op("\tVMOVQ X%d, %d(DI)\n\tVMOVHPD X%d, %d(DI)", i, at, i, at+1024)
			p.op("\tVEXTRACTI128 $1, Y%d, X%d", i, work)
			p.op("\tVMOVQ X%d, %d(DI)\n\tVMOVHPD X%d, %d(DI)", work, at+2048, work, at+3072)
		}
	}
	p.op("\tVZEROUPPER\n\tRET")
}

// masks loads those of three steps.
func (p *program) masks(first int) {
	for i := range 3 {
		p.op("\tVPBROADCASTQ ·mask%d<>(SB), Y%d", first+i, firstMask+i)
	}
}

// steps does three steps on eight words; the first exchanges bits by so many places between
// words 0 and 4, 1 and 5 and so on.
func (p *program) steps(places int) {
	for step, distance := 0, 4; distance > 0; step, distance = step+1, distance/2 {
		for k := range 8 {
			if k&distance != 0 {
				continue
			}
			p.op("\tVPSRLQ $%d, Y%d, Y%d", places, k, work)
			p.op("\tVPXOR Y%d, Y%d, Y%d", k+distance, work, work)
			p.op("\tVPAND Y%d, Y%d, Y%d", firstMask+step, work, work)
			p.op("\tVPXOR Y%d, Y%d, Y%d", work, k+distance, k+distance)
			p.op("\tVPSLLQ $%d, Y%d, Y%d", places, work, work)
			p.op("\tVPXOR Y%d, Y%d, Y%d", work, k, k)
		}
		places /= 2
	}
}
