package ristretto

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
)

// batchSize is that of the protocols.
const batchSize = 1024

func perItem(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n)/1e3, "µs/item")
}

// BenchmarkKernels measures each operation on a batch, and combinations as protocols
// need them.
func BenchmarkKernels(b *testing.B) {
	encodings := elements(b, "bench", batchSize)
	scalars := randomScalars(b, "bench", batchSize)
	coefficients := make([][CoefficientSize]byte, batchSize)
	inputs := make([][]byte, batchSize)
	for i := range inputs {
		inputs[i] = stream(fmt.Sprint(i), 60+i%41)
		copy(coefficients[i][:], scalars[i].Bytes())
	}
	uniform := stream("uniform", batchSize*UniformSize)
	domain := []byte("HashToGroup-OPRFV1-\x01-ristretto255-SHA512")
	out := make([]byte, len(encodings))
	for _, k := range kernels() {
		w := newWorker(b, k)
		p, q := decode(b, w, encodings), new(Points)
		for _, run := range []struct {
			name string
			f    func() error
		}{
			{"decode", func() error { return w.Decode(q, encodings) }},
			{"uniform", func() error { return w.FromUniform(q, uniform) }},
			{"hash", func() error { return w.HashToGroup(q, inputs, domain) }},
			{"mul", func() error { w.Mul(q, p, &scalars[0]); return nil }},
			{"encode", func() error { w.Encode(out, p); return nil }},
			{"add", func() error { w.Add(q, p, p); return nil }},
			{"decode·mul·encode", func() error {
				err := w.Decode(q, encodings)
				w.Mul(q, q, &scalars[0])
				w.Encode(out, q)
				return err
			}},
			{"decode·each·encode", func() error {
				err := w.Decode(q, encodings)
				w.MulEach(q, q, scalars)
				w.Encode(out, q)
				return err
			}},
			{"hash·mul·encode", func() error {
				err := w.HashToGroup(q, inputs, domain)
				w.Mul(q, q, &scalars[0])
				w.Encode(out, q)
				return err
			}},
			{"sum128", func() error { w.MultiScalar(q, p, coefficients); return nil }},
			{"sum252", func() error { w.MultiScalarFull(q, p, scalars); return nil }},
		} {
			b.Run(k.String()+"/"+run.name, func(b *testing.B) {
				for b.Loop() {
					if err := run.f(); err != nil {
						b.Fatal(err)
					}
				}
				perItem(b, batchSize)
			})
		}
	}
}

// BenchmarkCircl is the yardstick.
func BenchmarkCircl(b *testing.B) {
	const n = 64
	encodings := elements(b, "bench", n)
	s := group.Ristretto255.RandomScalar(rand.Reader)
	b.Run("decode·mul·encode", func(b *testing.B) {
		for b.Loop() {
			for i := range n {
				e := circlElement(b, encodings[i*Size:(i+1)*Size])
				circlBytes(b, e.Mul(e, s))
			}
		}
		perItem(b, n)
	})
	b.Run("hash·mul·encode", func(b *testing.B) {
		input := make([]byte, 80)
		for b.Loop() {
			for range n {
				e := group.Ristretto255.HashToElement(input, input[:40])
				circlBytes(b, e.Mul(e, s))
			}
		}
		perItem(b, n)
	})
}

func BenchmarkInvertAll(b *testing.B) {
	s := randomScalars(b, "invert", batchSize)
	for b.Loop() {
		if err := InvertAll(s); err != nil {
			b.Fatal(err)
		}
	}
	perItem(b, batchSize)
}
