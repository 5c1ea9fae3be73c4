package ristretto

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"filippo.io/edwards25519"

	"github.com/cloudflare/circl/group"
)

// kernels are those that run on this machine; every test runs on each.
func kernels() []Kernel {
	if Detect() == IFMA {
		return []Kernel{Generic, IFMA}
	}
	return []Kernel{Generic}
}

func newWorker(t testing.TB, k Kernel) *Worker {
	t.Helper()
	w, err := NewWorker(k)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// onEach runs a test on every kernel.
func onEach(t *testing.T, f func(t *testing.T, w *Worker)) {
	for _, k := range kernels() {
		t.Run(k.String(), func(t *testing.T) { f(t, newWorker(t, k)) })
	}
}

// stream returns n bytes that look random and are the same each time.
func stream(label string, n int) []byte {
	var out []byte
	for i := uint64(0); len(out) < n; i++ {
		d := sha512.Sum512(binary.LittleEndian.AppendUint64([]byte(label), i))
		out = append(out, d[:]...)
	}
	return out[:n]
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sizes are the batch lengths around the boundaries of blocks.
func sizes() []int {
	s := []int{0, 63, 64, 65}
	for n := range 17 {
		s = append(s, n+1)
	}
	return s
}

func encode(w *Worker, p *Points) []byte {
	b := make([]byte, Size*p.Len())
	w.Encode(b, p)
	return b
}

// elements returns the encodings of n elements that look random.
func elements(t testing.TB, label string, n int) []byte {
	t.Helper()
	w := newWorker(t, Generic)
	var p Points
	if err := w.FromUniform(&p, stream(label, n*UniformSize)); err != nil {
		t.Fatal(err)
	}
	return encode(w, &p)
}

func decode(t testing.TB, w *Worker, b []byte) *Points {
	t.Helper()
	p := new(Points)
	if err := w.Decode(p, b); err != nil {
		t.Fatal(err)
	}
	return p
}

// edgeScalars are the ends and the corners of the range, and digits that carry far.
func edgeScalars(t testing.TB) []Scalar {
	t.Helper()
	var one, minusOne, zero Scalar
	b := make([]byte, ScalarSize)
	b[0] = 1
	one = parse(t, b)
	minusOne.Neg(&one)
	out := []Scalar{zero, one, minusOne}
	for bit := range 252 {
		b = make([]byte, ScalarSize)
		b[bit/8] = 1 << (bit % 8)
		out = append(out, parse(t, b))
	}
	for _, digit := range []byte{0x77, 0x78, 0x87, 0x88, 0xff} {
		b = bytes.Repeat([]byte{digit}, ScalarSize)
		b[31] = 0x0f
		out = append(out, parse(t, b))
	}
	return out
}

func parse(t testing.TB, b []byte) Scalar {
	t.Helper()
	s, err := ParseScalar(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func randomScalars(t testing.TB, label string, n int) []Scalar {
	t.Helper()
	b, out := stream(label, n*UniformSize), make([]Scalar, n)
	for i := range out {
		var err error
		if out[i], err = ScalarFromUniform(b[i*UniformSize : (i+1)*UniformSize]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// The other library's forms of ours.
func circlElement(t testing.TB, b []byte) group.Element {
	t.Helper()
	e := group.Ristretto255.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	return e
}

func circlScalar(t testing.TB, s *Scalar) group.Scalar {
	t.Helper()
	c := group.Ristretto255.NewScalar()
	if err := c.UnmarshalBinary(s.Bytes()); err != nil {
		t.Fatal(err)
	}
	return c
}

func circlBytes(t testing.TB, e group.Element) []byte {
	t.Helper()
	b, err := e.MarshalBinaryCompress()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func circlMul(t testing.TB, b []byte, s *Scalar) []byte {
	t.Helper()
	return circlBytes(t, group.Ristretto255.NewElement().Mul(circlElement(t, b), circlScalar(t, s)))
}

// wantRows compares encodings row by row.
func wantRows(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d bytes, want %d", what, len(got), len(want))
	}
	for i := 0; i < len(got); i += Size {
		if !bytes.Equal(got[i:i+Size], want[i:i+Size]) {
			t.Errorf("%s, element %d: %x, want %x", what, i/Size, got[i:i+Size], want[i:i+Size])
			return
		}
	}
}

func TestMulAgreesWithCircl(t *testing.T) {
	all := elements(t, "mul", 65)
	each := randomScalars(t, "mul", 65)
	var one, many []byte
	for i := range 65 {
		one = append(one, circlMul(t, all[i*Size:(i+1)*Size], &each[0])...)
		many = append(many, circlMul(t, all[i*Size:(i+1)*Size], &each[i])...)
	}
	onEach(t, func(t *testing.T, w *Worker) {
		for _, n := range sizes() {
			p, q := decode(t, w, all[:n*Size]), new(Points)
			w.Mul(q, p, &each[0])
			wantRows(t, fmt.Sprint("Mul of ", n), encode(w, q), one[:n*Size])
			w.MulEach(p, p, each[:n])
			wantRows(t, fmt.Sprint("MulEach of ", n), encode(w, p), many[:n*Size])
		}
	})
}

func TestMulByEdgeScalars(t *testing.T) {
	scalars := edgeScalars(t)
	all := elements(t, "edge", len(scalars))
	var want []byte
	for i := range scalars {
		want = append(want, circlMul(t, all[i*Size:(i+1)*Size], &scalars[i])...)
	}
	onEach(t, func(t *testing.T, w *Worker) {
		p := decode(t, w, all)
		w.MulEach(p, p, scalars)
		wantRows(t, "edge scalars", encode(w, p), want)
		for i := range scalars[:8] { // the same scalar takes a path of its own
			p = decode(t, w, all[i*Size:(i+1)*Size])
			w.Mul(p, p, &scalars[i])
			wantRows(t, fmt.Sprint("scalar ", i), encode(w, p), want[i*Size:(i+1)*Size])
		}
	})
}

func TestHashToGroupAgreesWithCircl(t *testing.T) {
	var inputs [][]byte
	for n := range 300 {
		inputs = append(inputs, stream("input", n))
	}
	for _, domain := range [][]byte{[]byte("d"), []byte("HashToGroup-OPRFV1-\x01-ristretto255-SHA512"), stream("long", 255), stream("longer", 256)} {
		var want []byte
		for _, in := range inputs {
			want = append(want, circlBytes(t, group.Ristretto255.HashToElement(in, domain))...)
		}
		onEach(t, func(t *testing.T, w *Worker) {
			var p Points
			if err := w.HashToGroup(&p, inputs, domain); err != nil {
				t.Fatal(err)
			}
			wantRows(t, fmt.Sprintf("domain of %d bytes", len(domain)), encode(w, &p), want)
		})
	}
	onEach(t, func(t *testing.T, w *Worker) {
		if err := w.HashToGroup(new(Points), inputs, nil); !errors.Is(err, ErrSize) {
			t.Errorf("empty domain: %v", err)
		}
	})
}

// fillGeneric overwrites the points of a batch of the kernel Generic.
func fillGeneric(p *Points, points []*edwards25519.Point) {
	for i, q := range points {
		p.points[i].Set(q)
	}
}
