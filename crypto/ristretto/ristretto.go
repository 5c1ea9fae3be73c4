// Package ristretto computes in the prime-order group ristretto255 (RFC 9496) on batches
// of elements, for protocols that multiply lists of points by secret scalars.
//
// A Worker decodes (RFC 9496 section 4.3.1), encodes (4.3.2), maps uniform bytes to
// elements (4.3.4), hashes to the group (RFC 9380 section 5.3.1 with SHA-512, as the
// suite ristretto255-SHA512 of RFC 9497 does) and multiplies:
//
//	bytes ── Decode, FromUniform, HashToGroup ──► Points ── Mul, MulEach, Add ──► Points
//	                                              Points ── MultiScalar ────────► one element
//	bytes ◄────────────── Encode ──────────────── Points
//
// Two kernels give the same bytes. IFMA works on eight elements at a time with the
// AVX-512 integer multiply-add of amd64, in assembly that the folder gen writes. Generic
// is filippo.io/edwards25519, one element at a time, for everything else. Both use the
// extended coordinates and complete formulas of Hisil, Wong, Carter and Dawson, "Twisted
// Edwards Curves Revisited" (2008), so no input needs a branch of its own.
//
// Promises: Mul, MulEach, Add, Encode, FromUniform and the arithmetic of scalars take
// the same time and touch the same addresses whatever the secrets are; HashToGroup
// depends on the lengths of inputs only. Decode accepts canonical encodings only, and
// each element has exactly one. No bytes from outside make any function panic.
//
// Does not promise: constant time in MultiScalar, MultiScalarFull and in whether Decode
// succeeds, which are for public values; that memory is cleared of secrets after use; a
// check for the identity element, which Decode accepts (FirstIdentity tells).
package ristretto

import (
	"errors"
	"fmt"
)

const (
	// Size is the length of an encoded element in bytes.
	Size = 32
	// ScalarSize is the length of an encoded scalar in bytes.
	ScalarSize = 32
	// UniformSize is the length in bytes of what maps to an element or a scalar.
	UniformSize = 64
	// CoefficientSize is the length of a public coefficient of MultiScalar in bytes.
	CoefficientSize = 16
)

var (
	// ErrEncoding says that bytes are not the canonical encoding of an element.
	ErrEncoding = errors.New("not a canonical group element")
	// ErrScalar says that a scalar is not reduced, or is zero where it must not be.
	ErrScalar = errors.New("not a scalar that is allowed here")
	// ErrSize says that a length is not allowed.
	ErrSize = errors.New("length not allowed")
	// ErrKernel says that this machine cannot run the kernel asked for.
	ErrKernel = errors.New("kernel not available on this machine")
)

// Kernel names an implementation of the group.
type Kernel uint8

const (
	// Auto is the fastest kernel of the machine.
	Auto Kernel = iota
	// Generic runs everywhere.
	Generic
	// IFMA needs amd64 with AVX-512 F, DQ and IFMA.
	IFMA
)

// String returns the kernel's name.
func (k Kernel) String() string {
	switch k {
	case Auto:
		return "auto"
	case Generic:
		return "generic"
	case IFMA:
		return "ifma"
	}
	return fmt.Sprintf("kernel %d", uint8(k))
}

// Detect returns what Auto means on this machine.
func Detect() Kernel {
	if haveIFMA() {
		return IFMA
	}
	return Generic
}

// engine is what a kernel implements. Lengths are checked before; dst holds as many
// elements as the result has and may be one of the operands.
type engine interface {
	// decode returns the index of the first encoding that is not canonical, or -1.
	decode(dst *Points, b []byte) int
	fromUniform(dst *Points, b []byte)
	encode(dst []byte, p *Points)
	generator(dst *Points)
	add(dst, p, q *Points)
	// multiply takes one scalar for all or one for each element.
	multiply(dst, p *Points, s []Scalar)
	// multiScalar takes little-endian digits of equal length for each element, at most
	// 32 bytes and below the order; dst must not be p.
	multiScalar(dst, p *Points, coefficients [][]byte)
	// firstIdentity returns the index of the first identity, or -1.
	firstIdentity(p *Points) int
	// move copies n elements of p from place i to place j of dst; dst must not be p.
	move(dst *Points, j int, p *Points, i, n int)
}

// Points is a batch of elements in a kernel's own form. The zero value is empty and
// ready to be a destination of any worker; after that it belongs to the worker's kernel.
// A copy of the struct shares the elements. Several workers may read it at once.
type Points struct {
	kernel Kernel
	n      int
	generic
	vectors
}

// Len returns the number of elements.
func (p *Points) Len() int { return p.n }

// Worker does the arithmetic and owns its scratch memory. It is not safe for concurrent
// use; each goroutine needs one of its own. Points may move between workers of one
// kernel.
//
// Methods panic when the caller confuses lengths or kernels, as an index out of range
// does; what comes from outside are only the bytes, and those give errors. A destination
// may be an operand unless the method says otherwise; it grows as needed.
type Worker struct {
	kernel   Kernel
	engine   engine
	expander expander
	uniform  []byte
	digits   [][]byte
}

// NewWorker returns a worker. It fails with ErrKernel if the machine lacks the kernel.
func NewWorker(k Kernel) (*Worker, error) {
	if k == Auto {
		k = Detect()
	}
	w := &Worker{kernel: k}
	switch {
	case k == Generic:
		w.engine = new(genericEngine)
	case k == IFMA && haveIFMA():
		w.engine = newVectorEngine()
	default:
		return nil, fmt.Errorf("%v: %w", k, ErrKernel)
	}
	return w, nil
}

// Kernel returns the kernel in use, never Auto.
func (w *Worker) Kernel() Kernel { return w.kernel }

// resize makes p a batch of n elements of the worker's kernel. What it held before is
// kept, as far as it fits, if it was of that kernel.
func (w *Worker) resize(p *Points, n int) {
	if p.kernel != w.kernel {
		*p = Points{kernel: w.kernel}
	}
	if w.kernel == Generic {
		p.generic.resize(n)
	} else {
		p.vectors.resize(n)
	}
	p.n = n
}

// need panics if operands are of another kernel or not of the length n.
func (w *Worker) need(n int, operands ...*Points) {
	for _, p := range operands {
		if p.n != n {
			panic("ristretto: lengths differ")
		}
		if p.kernel != w.kernel && n != 0 {
			panic("ristretto: points of another kernel")
		}
	}
}

// Decode reads a batch of encodings of Size bytes each, strictly; the identity is
// accepted. Errors are ErrSize and ErrEncoding, with the index of the first bad one;
// dst then holds nothing useful. Time depends on where that is.
func (w *Worker) Decode(dst *Points, b []byte) error {
	if len(b)%Size != 0 {
		return fmt.Errorf("decode %d bytes: %w", len(b), ErrSize)
	}
	n := len(b) / Size
	w.resize(dst, n)
	if bad := w.engine.decode(dst, b); bad >= 0 {
		w.resize(dst, 0)
		return fmt.Errorf("decode element %d of %d: %w", bad, n, ErrEncoding)
	}
	return nil
}

// Encode writes the canonical encodings to dst, which must have Size bytes for each
// element.
func (w *Worker) Encode(dst []byte, p *Points) {
	w.need(p.n, p)
	if len(dst) != Size*p.n {
		panic("ristretto: lengths differ")
	}
	w.engine.encode(dst, p)
}

// FromUniform maps UniformSize bytes each to elements, as RFC 9496 section 4.3.4 does.
// It fails with ErrSize only.
func (w *Worker) FromUniform(dst *Points, b []byte) error {
	if len(b)%UniformSize != 0 {
		return fmt.Errorf("map %d uniform bytes: %w", len(b), ErrSize)
	}
	w.resize(dst, len(b)/UniformSize)
	w.engine.fromUniform(dst, b)
	return nil
}

// HashToGroup hashes each input to an element under a domain, which is the whole domain
// separation tag: HashToGroup of RFC 9497 section 4.1. It fails with ErrSize on an empty
// domain only.
func (w *Worker) HashToGroup(dst *Points, inputs [][]byte, domain []byte) error {
	if err := w.expander.setDomain(domain); err != nil {
		return fmt.Errorf("hash to group: %w", err)
	}
	if need := len(inputs) * UniformSize; cap(w.uniform) < need {
		w.uniform = make([]byte, need)
	} else {
		w.uniform = w.uniform[:need]
	}
	for i, in := range inputs {
		w.expander.expand((*[UniformSize]byte)(w.uniform[i*UniformSize:]), in)
	}
	return w.FromUniform(dst, w.uniform)
}

// Generator sets dst to n times the generator, as separate elements.
func (w *Worker) Generator(dst *Points, n int) {
	w.resize(dst, n)
	w.engine.generator(dst)
}

// Mul multiplies each element by the same secret scalar.
func (w *Worker) Mul(dst, p *Points, s *Scalar) {
	w.need(p.n, p)
	w.resize(dst, p.n)
	w.engine.multiply(dst, p, []Scalar{*s})
}

// MulEach multiplies each element by the secret scalar at the same place.
func (w *Worker) MulEach(dst, p *Points, s []Scalar) {
	w.need(len(s), p)
	w.resize(dst, p.n)
	if p.n > 0 {
		w.engine.multiply(dst, p, s)
	}
}

// Add adds element by element.
func (w *Worker) Add(dst, p, q *Points) {
	w.need(p.n, p, q)
	w.resize(dst, p.n)
	w.engine.add(dst, p, q)
}

// MultiScalar sets dst to one element, the sum of all elements times their public
// coefficients, which are 128-bit numbers, little endian. Its time depends on them. The
// sum of nothing is the identity.
func (w *Worker) MultiScalar(dst, p *Points, coefficients [][CoefficientSize]byte) {
	w.need(len(coefficients), p)
	w.digits = w.digits[:0]
	for i := range coefficients {
		w.digits = append(w.digits, coefficients[i][:])
	}
	w.multiScalar(dst, p)
}

// MultiScalarFull is MultiScalar with public scalars of full size.
func (w *Worker) MultiScalarFull(dst, p *Points, s []Scalar) {
	w.need(len(s), p)
	w.digits = w.digits[:0]
	for i := range s {
		w.digits = append(w.digits, s[i].Bytes())
	}
	w.multiScalar(dst, p)
}

func (w *Worker) multiScalar(dst, p *Points) {
	var sum Points
	w.resize(&sum, 1)
	w.engine.multiScalar(&sum, p, w.digits)
	clear(w.digits)
	*dst = sum
}

// FirstIdentity returns the index of the first element that is the identity, or -1. It
// takes the same time for all elements up to that one.
func (w *Worker) FirstIdentity(p *Points) int {
	w.need(p.n, p)
	return w.engine.firstIdentity(p)
}

// Join sets dst to the elements of all parts in order. dst must not be one of them.
func (w *Worker) Join(dst *Points, parts ...*Points) {
	n := 0
	for _, p := range parts {
		w.need(p.n, p)
		n += p.n
	}
	w.resize(dst, n)
	n = 0
	for _, p := range parts {
		w.engine.move(dst, n, p, 0, p.n)
		n += p.n
	}
}

// Slice sets dst to the elements from ≤ i < to of p. dst must not be p.
func (w *Worker) Slice(dst, p *Points, from, to int) {
	w.need(p.n, p)
	if from < 0 || to < from || to > p.n {
		panic("ristretto: slice bounds out of range")
	}
	w.resize(dst, to-from)
	w.engine.move(dst, 0, p, from, to-from)
}
