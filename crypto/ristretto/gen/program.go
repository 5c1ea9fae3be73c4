package main

import (
	"bytes"
	"fmt"
	"strings"
)

// limbs are the vectors of one element or of a half of its product.
type limbs [5]int

// wide are the ten columns of a product; the lower five are those that stay.
type wide struct{ low, high limbs }

// column returns the register of column k.
func (w wide) column(k int) int {
	if k < 5 {
		return w.low[k]
	}
	return w.high[k-5]
}

// run returns five registers in a row.
func run(first int) limbs {
	return limbs{first, first + 1, first + 2, first + 3, first + 4}
}

// Registers have fixed homes: the operands of products, their columns, and two sums that
// wait for others; they leave room for just two constants.
var (
	opA, opB       = run(0), run(5)
	low, high      = run(10), run(15)
	stashA, stashB = run(20), run(25)
	product        = wide{low, high}
)

const (
	mask     = 30 // 2⁵¹ − 1
	nineteen = 31
)

// constants are the registers that keep their value through a routine.
func constants() []string { return []string{fmt.Sprint("Z", mask), fmt.Sprint("Z", nineteen)} }

// program collects instructions, block by block, and their text.
type program struct {
	text  bytes.Buffer
	block []instruction
	// starts has the instructions that are due before vectors are next added to.
	starts map[string]string
}

// op adds one instruction. Numbers of vectors come as ints; other operands as text. The
// order is that of the Go assembler: sources first, the destination last.
func (p *program) op(name string, operands ...any) {
	words := make([]string, len(operands))
	for i, o := range operands {
		if r, ok := o.(int); ok {
			words[i] = fmt.Sprintf("Z%d", r)
		} else {
			words[i] = fmt.Sprint(o)
		}
	}
	in := instruction{name: name, operands: words}
	in.unit, in.latency = timing(name, base(in.destination()) != "")
	in.updates = strings.HasPrefix(name, "VPMADD52") || in.unit != storer && masked(in)
	if in.updates {
		in.start = p.starts[in.destination()]
	}
	delete(p.starts, in.destination())
	p.block = append(p.block, in)
}

// masked tells whether an instruction leaves lanes of its destination as they were.
func masked(in instruction) bool {
	n := len(in.operands)
	return n > 1 && in.operands[n-2][0] == 'K' && in.name != "VPBLENDMQ" && !strings.HasSuffix(in.name, ".Z")
}

// raw ends the block and adds text as it is.
func (p *program) raw(format string, a ...any) {
	for _, in := range schedule(p.block, constants()) {
		p.text.WriteString(in.String())
	}
	p.block = nil
	fmt.Fprintf(&p.text, format, a...)
}

// at is the operand for vector k of what lies at an offset from a pointer.
func at(pointer string, offset, k int) string {
	return fmt.Sprintf("%d(%s)", offset+64*k, pointer)
}

// load reads an element.
func (p *program) load(r limbs, pointer string, offset int) {
	for k := range r {
		p.op("VMOVDQU64", at(pointer, offset, k), r[k])
	}
}

// store writes an element.
func (p *program) store(r limbs, pointer string, offset int) {
	for k := range r {
		p.op("VMOVDQU64", r[k], at(pointer, offset, k))
	}
}

// begin opens a function whose arguments are pointers or numbers of 64 bits, and loads
// them and the constants.
func (p *program) begin(comment, name string, arguments ...[2]string) {
	p.raw("\n// %s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", comment, name, 8*len(arguments))
	for i, a := range arguments {
		p.raw("\tMOVQ %s+%d(FP), %s\n", a[0], 8*i, a[1])
	}
	p.broadcast("mask", mask)
	p.broadcast("nineteen", nineteen)
}

// broadcast fills a vector with a constant.
func (p *program) broadcast(name string, r int) {
	p.op("VPBROADCASTQ", "·"+name+"<>(SB)", r)
}

// end closes a function. The upper halves are cleared because the Go compiler's code
// uses the older encodings, which would wait for them.
func (p *program) end() { p.raw("\tVZEROUPPER\n\tRET\n") }

// constant defines a number of 64 bits.
func (p *program) constant(name string, value uint64) {
	p.raw("DATA ·%s<>(SB)/8, $0x%016x\nGLOBL ·%s<>(SB), RODATA|NOPTR, $8\n", name, value, name)
}
