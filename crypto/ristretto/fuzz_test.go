package ristretto

import (
	"bytes"
	"errors"
	"math/big"
	"testing"

	"github.com/cloudflare/circl/group"
)

// FuzzDecode: all kernels and circl accept the same bytes, and what they accept encodes to
// itself.
func FuzzDecode(f *testing.F) {
	for _, s := range append(multiples(), badEncodings()...) {
		f.Add(unhex(f, s))
	}
	f.Add(elements(f, "fuzz", 9))
	var workers []*Worker
	for _, k := range kernels() {
		workers = append(workers, newWorker(f, k))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := len(b)%Size == 0
		for i := 0; want && i < len(b); i += Size {
			want = group.Ristretto255.NewElement().UnmarshalBinary(b[i:i+Size]) == nil
		}
		for _, w := range workers {
			var p Points
			err := w.Decode(&p, b)
			if (err == nil) != want {
				t.Errorf("%v: %v, circl accepts: %v", w.Kernel(), err, want)
			}
			if err == nil && !bytes.Equal(encode(w, &p), b) {
				t.Errorf("%v: encodes to %x", w.Kernel(), encode(w, &p))
			}
			if err != nil && !errors.Is(err, ErrEncoding) && !errors.Is(err, ErrSize) {
				t.Errorf("%v: other error: %v", w.Kernel(), err)
			}
		}
	})
}

// FuzzProduct: all kernels map and multiply to the same elements as circl.
func FuzzProduct(f *testing.F) {
	f.Add(stream("fuzz", 9*UniformSize), stream("fuzz", UniformSize))
	f.Add(make([]byte, UniformSize), make([]byte, UniformSize))
	f.Add(bytes.Repeat([]byte{0xff}, UniformSize), bytes.Repeat([]byte{0x88}, UniformSize))
	var workers []*Worker
	for _, k := range kernels() {
		workers = append(workers, newWorker(f, k))
	}
	f.Fuzz(func(t *testing.T, uniform, scalar []byte) {
		var wide [UniformSize]byte
		copy(wide[:], scalar)
		s, err := ScalarFromUniform(wide[:])
		if err != nil {
			t.Fatal(err)
		}
		uniform = uniform[:min(len(uniform)/UniformSize, 9)*UniformSize]
		var first []byte
		for _, w := range workers {
			var p Points
			if err := w.FromUniform(&p, uniform); err != nil {
				t.Fatal(err)
			}
			b := encode(w, &p)
			w.Mul(&p, &p, &s)
			product := encode(w, &p)
			if first == nil {
				first = append(bytes.Clone(b), product...)
			}
			if !bytes.Equal(first, append(b, product...)) {
				t.Errorf("%v gives other bytes", w.Kernel())
			}
			if len(b) > 0 && !bytes.Equal(product[:Size], circlMul(t, b[:Size], &s)) {
				t.Errorf("%v: circl multiplies to other bytes", w.Kernel())
			}
		}
	})
}

// FuzzParseScalar: what parses is reduced and prints back, and circl agrees.
func FuzzParseScalar(f *testing.F) {
	for _, s := range edgeScalars(f) {
		f.Add(s.Bytes())
	}
	f.Add(littleEndian(groupOrder()))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseScalar(b)
		want := len(b) == ScalarSize && group.Ristretto255.NewScalar().UnmarshalBinary(b) == nil
		reduced := len(b) == ScalarSize && new(big.Int).SetBytes(reversed(b)).Cmp(groupOrder()) < 0
		if (err == nil) != reduced || reduced && !want {
			t.Errorf("%x: %v; reduced: %v, circl accepts: %v", b, err, reduced, want)
		}
		if err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Errorf("%x prints as %x", b, s.Bytes())
		}
	})
}
