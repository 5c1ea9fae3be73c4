package ristretto

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
)

// sum is the reference for MultiScalar.
func sum(t *testing.T, encodings []byte, s []Scalar) []byte {
	t.Helper()
	total := group.Ristretto255.Identity()
	for i := range s {
		e := circlElement(t, encodings[i*Size:(i+1)*Size])
		total.Add(total, e.Mul(e, circlScalar(t, &s[i])))
	}
	return circlBytes(t, total)
}

// extremes are coefficients whose digits carry through, vanish or reach the ends.
func extremes() [][CoefficientSize]byte {
	var out [][CoefficientSize]byte
	for _, digit := range []byte{0, 0xff, 0x80, 0x7f, 0x88, 0x77, 0x01} {
		out = append(out, [CoefficientSize]byte(bytes.Repeat([]byte{digit}, CoefficientSize)))
	}
	return append(out, [CoefficientSize]byte{1}, [CoefficientSize]byte{15: 0x80})
}

func widen(t *testing.T, c [][CoefficientSize]byte) []Scalar {
	t.Helper()
	out := make([]Scalar, len(c))
	for i := range c {
		out[i] = parse(t, append(c[i][:], make([]byte, ScalarSize-CoefficientSize)...))
	}
	return out
}

func TestMultiScalarAgreesWithCircl(t *testing.T) {
	const most = 300
	encodings := elements(t, "sum", most)
	copy(encodings[3*Size:4*Size], encodings[2*Size:]) // the same one twice, and the identity
	clear(encodings[5*Size : 6*Size])
	full := randomScalars(t, "sum", most)
	short := extremes()
	for _, s := range full[len(short):] {
		short = append(short, [CoefficientSize]byte(s.Bytes()))
	}
	for i, s := range edgeScalars(t) {
		full[i] = s
	}
	for _, n := range append(sizes(), 100, most) {
		wantShort := sum(t, encodings[:n*Size], widen(t, short[:n]))
		wantFull := sum(t, encodings[:n*Size], full[:n])
		onEach(t, func(t *testing.T, w *Worker) {
			p, q := decode(t, w, encodings[:n*Size]), new(Points)
			w.MultiScalar(q, p, short[:n])
			wantRows(t, fmt.Sprint("short sum of ", n), encode(w, q), wantShort)
			w.MultiScalarFull(p, p, full[:n])
			wantRows(t, fmt.Sprint("full sum of ", n), encode(w, p), wantFull)
		})
	}
}

// Points with other denominators than 1, which decoding never gives.
func TestMultiScalarOfProducts(t *testing.T) {
	const n = 40
	encodings, s := elements(t, "products", n), randomScalars(t, "products", n)
	var want []byte
	products := make([]Scalar, n)
	for i := range s {
		products[i].Mul(&s[i], &s[i])
	}
	want = sum(t, encodings, products)
	onEach(t, func(t *testing.T, w *Worker) {
		p := decode(t, w, encodings)
		w.MulEach(p, p, s)
		w.MultiScalarFull(p, p, s)
		wantRows(t, "sum of products", encode(w, p), want)
	})
}
