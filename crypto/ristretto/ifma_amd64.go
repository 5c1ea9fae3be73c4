package ristretto

//go:generate go run ./gen ifma_amd64.s

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// haveIFMA reports whether the kernel IFMA runs here: the processor has the
// instructions and the operating system keeps the wide registers.
func haveIFMA() bool {
	return cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512IFMA
}

// width is the number of elements that the kernel works on at a time, its lanes.
const width = 8

// windows is the number of signed digits in radix 16 of a scalar.
const windows = 64

type (
	// lanes is a vector of one number for each lane.
	lanes [width]uint64
	// field8 holds one field element in each lane, in five limbs of radix 2⁵¹, all below
	// 2⁵¹ + 2¹⁵; see the generator.
	field8 [5]lanes
	// point8 holds one point in each lane, in extended coordinates.
	point8 struct{ x, y, z, t field8 }
	// cached8 holds what is added: Y + X, Y − X, 2d·T and 2·Z.
	cached8 struct{ plus, minus, t2d, z2 field8 }
	// sum8 holds points in the form to which others are added: Y + X, Y − X, Z and T.
	sum8 struct{ plus, minus, z, t field8 }
	// offsets8 says in bytes where the bucket of each lane lies.
	offsets8 [width]uint32
	// lanes8 has one signed digit for each lane.
	lanes8 [width]int8
	// scratch is what point routines write to while they run.
	scratch [4]point8
)

//go:noescape
func fieldMultiply(dst, a, b *field8)

// fieldSquare squares n times; n must not be zero.
//
//go:noescape
func fieldSquare(dst, a *field8, n uint64)

//go:noescape
func fieldAdd(dst, a, b *field8)

//go:noescape
func fieldSubtract(dst, a, b *field8)

// fieldSelect takes a where the choice is not zero, b elsewhere.
//
//go:noescape
func fieldSelect(dst, a, b *field8, choice *lanes)

// fieldReduce makes the limbs canonical.
//
//go:noescape
func fieldReduce(dst, a *field8)

// fieldAbsolute is CT_ABS of RFC 9496 section 3.1.
//
//go:noescape
func fieldAbsolute(dst, a *field8)

// fieldParity is IS_NEGATIVE of RFC 9496 section 3.1, as 0 or 1.
//
//go:noescape
func fieldParity(dst *lanes, a *field8)

// fieldZero is 1 where a is zero, 0 elsewhere.
//
//go:noescape
func fieldZero(dst *lanes, a *field8)

//go:noescape
func pointDouble(dst, p *point8, work *scratch)

//go:noescape
func pointAdd(dst, p *point8, q *cached8, work *scratch)

//go:noescape
func pointCache(dst *cached8, p *point8, twiceD *field8)

// pointMultiply goes on from p, the entry for the highest digit, with the table's entries
// that the other digits choose, the least significant digit first in memory. It runs for
// tens of microseconds during which its goroutine cannot be preempted.
//
//go:noescape
func pointMultiply(p *point8, table *[8]cached8, digits *[windows]lanes8, work *scratch)

//go:noescape
func sumAdd(dst, p *sum8, q *cached8, work *scratch)

//go:noescape
func sumCache(dst *cached8, p *sum8, twiceD *field8)

// bucketLoad reads one bucket for each lane.
//
//go:noescape
func bucketLoad(dst *sum8, buckets *uint64, offsets *offsets8)

// bucketAdd adds, for each of the first n lanes of points, the point in that lane to one
// bucket of each lane, negated if the offset is odd; n must not be zero.
//
//go:noescape
func bucketAdd(buckets *uint64, offsets *[width]offsets8, points *cached8, n uint64, work *scratch)

// vectors is a batch in blocks of eight; unused lanes of the last block hold the
// identity. If halved is set, the blocks hold halves of the elements, which products do
// since it saves Encode the square roots.
type vectors struct {
	blocks []point8
	halved bool
}

// aligned returns n zero values of a type at a multiple of 64 bytes, a cache line and the
// width of the vectors: accesses across lines cost a third of the speed.
func aligned[T any](n int) []T {
	var one T
	const word = 8
	size := int(unsafe.Sizeof(one)) * n
	memory := make([]uint64, (size+64)/word)
	skip := -uintptr(unsafe.Pointer(&memory[0])) % 64 / word
	return unsafe.Slice((*T)(unsafe.Pointer(&memory[skip])), n)
}

// resize makes room for n elements and fills lanes that are new or no longer used with
// the identity.
func (v *vectors) resize(n int) {
	need := (n + width - 1) / width
	if need > cap(v.blocks) {
		blocks := aligned[point8](need)
		copy(blocks, v.blocks)
		v.blocks = blocks
	}
	v.blocks = v.blocks[:need]
	for lane := n % width; n%width != 0 && lane < width; lane++ {
		v.blocks[need-1].setIdentity(lane)
	}
}

// setIdentity sets one lane to the identity.
func (p *point8) setIdentity(lane int) {
	for k := range 5 {
		p.x[k][lane], p.y[k][lane], p.z[k][lane], p.t[k][lane] = 0, 0, 0, 0
	}
	p.y[0][lane], p.z[0][lane] = 1, 1
}

// copyLane sets a lane to one of another block.
func (p *point8) copyLane(lane int, from *point8, other int) {
	p.x.copyLane(lane, &from.x, other)
	p.y.copyLane(lane, &from.y, other)
	p.z.copyLane(lane, &from.z, other)
	p.t.copyLane(lane, &from.t, other)
}

func (c *cached8) copyLane(lane int, from *cached8, other int) {
	c.plus.copyLane(lane, &from.plus, other)
	c.minus.copyLane(lane, &from.minus, other)
	c.t2d.copyLane(lane, &from.t2d, other)
	c.z2.copyLane(lane, &from.z2, other)
}

func (f *field8) copyLane(lane int, from *field8, other int) {
	for k := range f {
		f[k][lane] = from[k][other]
	}
}
