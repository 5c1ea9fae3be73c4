package oprf

import (
	"bytes"
	"errors"
	"testing"

	"entente/crypto/ristretto"
	"entente/protocol/vectors/memory"
)

// FuzzElements: what decodes must encode to the same bytes, what does not must say why,
// and memory stays in proportion to the input.
func FuzzElements(f *testing.F) {
	k := newKey(f, 1)
	b, _ := newBatch(f, k.Public(), 3)
	f.Add(b.Blinded())
	f.Add(make([]byte, ElementSize))
	f.Add([]byte{1})
	w, err := new(benches).take()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var err error
		used := memory.Allocated(func() {
			var points ristretto.Points
			if err = w.read(&points, data); err != nil {
				return
			}
			if again := w.write(&points); !bytes.Equal(again, data) {
				t.Errorf("%x encodes to %x", data, again)
			}
		})
		if limit := uint64(16*len(data) + 64<<10); used > limit {
			t.Errorf("%d bytes allocated for %d", used, len(data))
		}
		if err != nil && !errors.Is(err, ErrElement) && !errors.Is(err, ErrSize) {
			t.Errorf("other error: %v", err)
		}
	})
}

// FuzzFinalize: no bytes but the right ones pass as an answer.
func FuzzFinalize(f *testing.F) {
	k := newKey(f, 1)
	b, _ := newBatch(f, k.Public(), 1)
	evaluated, proof, err := k.Evaluate(b.Blinded())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(evaluated, proof)
	f.Add(b.Blinded(), proof)
	f.Fuzz(func(t *testing.T, e, p []byte) {
		outputs, err := b.Finalize(e, p)
		if err == nil && (!bytes.Equal(e, evaluated) || len(outputs) != 1) {
			t.Errorf("passed: %x %x", e, p)
		}
		if err != nil && !errors.Is(err, ErrElement) && !errors.Is(err, ErrProof) && !errors.Is(err, ErrSize) {
			t.Errorf("other error: %v", err)
		}
	})
}
