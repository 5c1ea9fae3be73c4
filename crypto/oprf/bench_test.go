package oprf

import (
	"fmt"
	"testing"

	"entente/crypto/ristretto"
)

// batchSize is that of protocol/exact.
const batchSize = 1024

func perItem(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(b.N)/batchSize, "µs/item")
}

func BenchmarkBatch(b *testing.B) {
	for _, form := range []Form{Unproven, Standard, Batched} {
		k := keyWith(b, ristretto.Auto, form, 1)
		batch, inputs := newBatch(b, k.Public(), batchSize)
		blinds := make([]Scalar, batchSize)
		for i := range blinds {
			blinds[i] = Scalar{batch.blinds[i]}
		}
		evaluated, proof, err := k.Evaluate(batch.Blinded())
		if err != nil {
			b.Fatal(err)
		}
		for _, step := range []struct {
			name string
			run  func() error
		}{
			{"blinds", func() error { newBatch(b, k.Public(), batchSize); return nil }},
			{"blind", func() error { _, err := k.Public().Blind(inputs, blinds); return err }},
			{"evaluate", func() error { _, _, err := k.Evaluate(batch.Blinded()); return err }},
			{"finalize", func() error { _, err := batch.Finalize(evaluated, proof); return err }},
			{"outputs", func() error { _, err := k.Outputs(inputs); return err }},
			{"mask", func() error { _, err := k.Scalar().Mask(evaluated); return err }},
			{"hashmask", func() error { _, err := k.Scalar().MaskInputs(inputs); return err }},
		} {
			b.Run(fmt.Sprint(form, "/", step.name), func(b *testing.B) {
				for b.Loop() {
					if err := step.run(); err != nil {
						b.Fatal(err)
					}
				}
				perItem(b)
			})
		}
	}
}
