package oprf

import "testing"

// batchSize is that of protocol/exact.
const batchSize = 1024

func perItem(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/batchSize, "µs/item")
}

func BenchmarkBatch(b *testing.B) {
	k := newKey(b, 1)
	batch, inputs := newBatch(b, k.Public(), batchSize)
	evaluated, proof, err := k.Evaluate(batch.Blinded())
	if err != nil {
		b.Fatal(err)
	}
	for name, run := range map[string]func() error{
		"blind":    func() error { newBatch(b, k.Public(), batchSize); return nil },
		"evaluate": func() error { _, _, err := k.Evaluate(batch.Blinded()); return err },
		"finalize": func() error { _, err := batch.Finalize(evaluated, proof); return err },
		"mask":     func() error { _, err := k.Scalar().Mask(evaluated); return err },
		"hashmask": func() error { _, err := k.Scalar().MaskInputs(inputs); return err },
		"output": func() error {
			for _, in := range inputs {
				if _, err := k.Output(in); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			perItem(b)
		})
	}
}
