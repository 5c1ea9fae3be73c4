package ristretto

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
)

// state is a batch that got where it is in one of several ways: a kernel may keep
// products in another form than decoded elements.
type state struct {
	name      string
	p         *Points
	encodings []byte
}

func states(t *testing.T, w *Worker, label string, n int) []state {
	t.Helper()
	encodings := elements(t, label, n)
	s := randomScalars(t, label, 2*n)
	decoded := decode(t, w, encodings)
	var once, twice, sum, mapped Points
	w.MulEach(&once, decoded, s[:n])
	w.MulEach(&twice, &once, s[n:])
	w.Add(&sum, decoded, &once)
	if err := w.FromUniform(&mapped, stream(label, n*UniformSize)); err != nil {
		t.Fatal(err)
	}
	var b1, b2, b3 []byte
	for i := range n {
		one := circlMul(t, encodings[i*Size:(i+1)*Size], &s[i])
		b1 = append(b1, one...)
		b2 = append(b2, circlMul(t, one, &s[n+i])...)
		b3 = append(b3, circlAdd(t, one, encodings[i*Size:(i+1)*Size])...)
	}
	return []state{
		{"decoded", decoded, encodings}, {"mapped", &mapped, encodings},
		{"product", &once, b1}, {"product of product", &twice, b2}, {"sum", &sum, b3},
	}
}

func circlAdd(t testing.TB, a, b []byte) []byte {
	t.Helper()
	return circlBytes(t, group.Ristretto255.NewElement().Add(circlElement(t, a), circlElement(t, b)))
}

// Every operation on batches of every origin.
func TestOperationsOnAllStates(t *testing.T) {
	const n = 19
	onEach(t, func(t *testing.T, w *Worker) {
		all := states(t, w, "states", n)
		k := randomScalars(t, "k", n)
		for _, s := range all {
			wantRows(t, s.name, encode(w, s.p), s.encodings)
			var q Points
			w.Mul(&q, s.p, &k[0])
			var want []byte
			for i := range n {
				want = append(want, circlMul(t, s.encodings[i*Size:(i+1)*Size], &k[0])...)
			}
			wantRows(t, "product of "+s.name, encode(w, &q), want)
			w.MultiScalarFull(&q, s.p, k)
			wantRows(t, "sum of "+s.name, encode(w, &q), sum(t, s.encodings, k))
			if i := w.FirstIdentity(s.p); i != -1 {
				t.Errorf("%s: identity at %d", s.name, i)
			}
			for from := range 4 {
				for _, to := range []int{from, from + 1, 11, n} {
					w.Slice(&q, s.p, from, to)
					wantRows(t, fmt.Sprint(s.name, " from ", from, " to ", to), encode(w, &q), s.encodings[from*Size:to*Size])
				}
			}
			for _, o := range all {
				w.Add(&q, s.p, o.p)
				want = want[:0]
				for i := 0; i < n*Size; i += Size {
					want = append(want, circlAdd(t, s.encodings[i:i+Size], o.encodings[i:i+Size])...)
				}
				wantRows(t, s.name+" plus "+o.name, encode(w, &q), want)
				w.Join(&q, s.p, new(Points), o.p, s.p)
				want = append(append(append(want[:0], s.encodings...), o.encodings...), s.encodings...)
				wantRows(t, s.name+" and "+o.name, encode(w, &q), want)
			}
		}
	})
}

// A destination may be an operand, and may have held anything before.
func TestDestinations(t *testing.T) {
	onEach(t, func(t *testing.T, w *Worker) {
		k := randomScalars(t, "k", 1)
		for _, n := range []int{9, 16, 0, 3} {
			for _, s := range states(t, w, "alias", n) {
				for _, before := range states(t, w, "before", 10) {
					dst := before.p
					w.Add(dst, s.p, s.p)
					want := encode(w, dst)
					w.Slice(dst, s.p, 0, n)
					wantRows(t, s.name+" over "+before.name, encode(w, dst), s.encodings)
					w.Add(dst, dst, dst)
					wantRows(t, s.name+" doubled in place", encode(w, dst), want)
					w.Mul(dst, s.p, &k[0])
					want = encode(w, dst)
					w.Join(dst, s.p)
					w.Mul(dst, dst, &k[0])
					wantRows(t, s.name+" multiplied in place", encode(w, dst), want)
				}
			}
		}
	})
}

// Lanes that a shrunk batch no longer uses must not come back.
func TestUnusedLanes(t *testing.T) {
	onEach(t, func(t *testing.T, w *Worker) {
		p := decode(t, w, elements(t, "lanes", 13))
		var q Points
		w.Slice(&q, p, 0, 13)
		if err := w.Decode(&q, elements(t, "lanes", 2)); err != nil {
			t.Fatal(err)
		}
		ones := make([][CoefficientSize]byte, 2)
		ones[0][0], ones[1][0] = 1, 1
		w.MultiScalar(&q, &q, ones)
		b := elements(t, "lanes", 2)
		wantRows(t, "sum", encode(w, &q), circlAdd(t, b[:Size], b[Size:]))
	})
}

func TestNewWorker(t *testing.T) {
	w := newWorker(t, Auto)
	if w.Kernel() != Detect() {
		t.Errorf("auto is %v, detected %v", w.Kernel(), Detect())
	}
	if _, err := NewWorker(IFMA); (err == nil) != haveIFMA() || err != nil && !errors.Is(err, ErrKernel) {
		t.Errorf("IFMA: %v", err)
	}
	if _, err := NewWorker(9); !errors.Is(err, ErrKernel) {
		t.Errorf("unknown kernel: %v", err)
	}
	for k, want := range map[Kernel]string{Auto: "auto", Generic: "generic", IFMA: "ifma", 9: "kernel 9"} {
		if k.String() != want {
			t.Errorf("%q, want %q", k.String(), want)
		}
	}
}

// What the caller can get wrong panics, and says why.
func TestMisuse(t *testing.T) {
	onEach(t, func(t *testing.T, w *Worker) {
		p, q := decode(t, w, elements(t, "misuse", 3)), decode(t, w, elements(t, "misuse", 2))
		foreign := &Points{kernel: 7, n: 3}
		for name, f := range map[string]func(){
			"Add":         func() { w.Add(p, p, q) },
			"MulEach":     func() { w.MulEach(p, p, make([]Scalar, 2)) },
			"MultiScalar": func() { w.MultiScalar(p, p, nil) },
			"Encode":      func() { w.Encode(make([]byte, 95), p) },
			"Slice":       func() { w.Slice(q, p, 2, 4) },
			"foreign":     func() { w.Mul(p, foreign, new(Scalar)) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s does not panic", name)
					}
				}()
				f()
			}()
		}
	})
}

// In the steady state nothing is allocated for an element.
func TestAllocations(t *testing.T) {
	const n = 64
	encodings, scalars := elements(t, "alloc", n), randomScalars(t, "alloc", n)
	inputs, uniform := make([][]byte, n), stream("alloc", n*UniformSize)
	domain := []byte("domain")
	coefficients := make([][CoefficientSize]byte, n)
	onEach(t, func(t *testing.T, w *Worker) {
		var p, q, r Points
		out := make([]byte, n*Size)
		for name, f := range map[string]func(){
			"Decode":      func() { w.Decode(&p, encodings) },
			"FromUniform": func() { w.FromUniform(&p, uniform) },
			"HashToGroup": func() { w.HashToGroup(&p, inputs, domain) },
			"Mul":         func() { w.Mul(&q, &p, &scalars[0]) },
			"MulEach":     func() { w.MulEach(&q, &p, scalars) },
			"Add":         func() { w.Add(&r, &p, &p) },
			"Encode":      func() { w.Encode(out, &p); w.Encode(out, &q) },
			"MultiScalar": func() { w.MultiScalar(&r, &p, coefficients) },
		} {
			p, q = *decode(t, w, encodings), *decode(t, w, encodings)
			w.Mul(&q, &q, &scalars[0])
			most := 8.0
			if w.Kernel() == Generic && (name == "MultiScalar" || name == "Encode") {
				most = 4 * n // the library makes tables and copies
			}
			if got := testing.AllocsPerRun(5, f); got > most {
				t.Errorf("%s of %d: %v allocations", name, n, got)
			}
		}
	})
}
