package oprf

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"entente/crypto/ristretto"
	"entente/protocol/vectors"
)

// list splits a comma-separated field of hex strings.
func list(t *testing.T, s string) [][]byte {
	var all [][]byte
	for part := range strings.SplitSeq(s, ",") {
		all = append(all, unhex(t, part))
	}
	return all
}

// TestVectors runs the published vectors of RFC 9497 appendices A.1.1 and A.1.2, and the refusals.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("oprf")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, kernel := range kernels() {
		for _, v := range all {
			t.Run(kernel.String()+"/"+v.Name, func(t *testing.T) {
				want, err := v.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				if !v.Valid {
					for _, form := range []Form{Unproven, Standard, Batched} {
						refuse(t, keyWith(t, kernel, form, 1), v, want)
					}
					return
				}
				if got := compute(t, kernel, v); !bytes.Equal(got, want) {
					t.Errorf("got %x, want %x", got, want)
				}
			})
		}
	}
}

func compute(t *testing.T, kernel ristretto.Kernel, v vectors.Vector) []byte {
	in := func(name string) []byte { return unhex(t, v.Input[name]) }
	switch what := v.Name[strings.LastIndex(v.Name, "/")+1:]; what {
	case "scalar":
		s, err := DeriveScalar(in("seed"), uint64(in("index")[0]))
		if err != nil {
			t.Fatal(err)
		}
		return s.s.Bytes()
	case "masked", "remasked", "unmasked":
		s, err := ParseScalar(in("scalar"))
		if err != nil {
			t.Fatal(err)
		}
		var b []byte
		switch what {
		case "masked":
			b, err = s.mask(kernel, what, &s.s, hashed(list(t, v.Input["input"])))
		case "remasked":
			b, err = s.mask(kernel, what, &s.s, decoded(in("points")))
		default:
			b, err = s.unmask(kernel, in("points"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	default:
		return computeVOPRF(t, kernel, v, what)
	}
}

func computeVOPRF(t *testing.T, kernel ristretto.Kernel, v vectors.Vector, what string) []byte {
	k, err := deriveKey(kernel, formOf(v.Name), unhex(t, v.Input["seed"]), unhex(t, v.Input["info"]))
	if err != nil {
		t.Fatal(err)
	}
	if what == "public" {
		return k.Public().Bytes()
	}
	inputs := list(t, v.Input["input"])
	var blinds []Scalar
	for _, b := range list(t, v.Input["blind"]) {
		s, err := ParseScalar(b)
		if err != nil {
			t.Fatal(err)
		}
		blinds = append(blinds, s)
	}
	batch, err := k.Public().Blind(inputs, blinds)
	if err != nil {
		t.Fatal(err)
	}
	var nonce Scalar // none where there is no proof
	if in, ok := v.Input["nonce"]; ok {
		if nonce, err = ParseScalar(unhex(t, in)); err != nil {
			t.Fatal(err)
		}
	}
	evaluated, proof, err := k.evaluate(batch.Blinded(), func([]byte) (ristretto.Scalar, error) { return nonce.s, nil })
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := batch.Finalize(evaluated, proof)
	if err != nil {
		t.Fatal(err)
	}
	switch what {
	case "blinded":
		return batch.Blinded()
	case "evaluated":
		return evaluated
	case "proof":
		return proof
	case "output":
		return bytes.Join(outputs, nil)
	}
	return computeProof(t, k, batch, evaluated, what)
}

// computeProof returns what a proof of form Batched is made of.
func computeProof(t *testing.T, k *Key, batch *Batch, evaluated []byte, what string) []byte {
	w, err := k.public.benches.take()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.read(&w.b, evaluated); err != nil {
		t.Fatal(err)
	}
	m, z := &w.few[0], &w.few[1]
	seed, err := k.public.composite(w, statement{batch.blinded, evaluated, &batch.points, &w.b}, m, z)
	if err != nil {
		t.Fatal(err)
	}
	switch what {
	case "seed":
		return seed
	case "coefficients":
		var all []byte
		for _, d := range shortCoefficients(seed, len(evaluated)/ElementSize) {
			all = append(all, d[:]...)
		}
		return all
	case "composites":
		return append(w.write(m), w.write(z)...)
	}
	t.Fatalf("no vector is called %s", what)
	return nil
}

// formOf tells from a vector's name which form it is about.
func formOf(name string) Form {
	switch {
	case strings.Contains(name, "/oprf/"):
		return Unproven
	case strings.Contains(name, "/voprf/"):
		return Standard
	}
	return Batched
}

// refuse feeds bad bytes to every function that reads them from a peer.
func refuse(t *testing.T, k *Key, v vectors.Vector, bad []byte) {
	form, kernel := k.public.form, k.public.benches.kernel
	batch, _ := newBatch(t, k.Public(), 1)
	evaluated, proof, err := k.Evaluate(batch.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	switch v.Fault {
	case "element":
		s := k.Scalar()
		_, _, e1 := k.Evaluate(bad)
		_, e2 := batch.Finalize(bad, proof)
		_, e3 := s.mask(kernel, "mask", &s.s, decoded(bad))
		_, e4 := s.unmask(kernel, bad)
		_, e5 := parsePublicKey(kernel, form, bad)
		for i, err := range []error{e1, e2, e3, e4, e5} {
			if !errors.Is(err, ErrElement) {
				t.Errorf("%v, reader %d: %v", form, i, err)
			}
		}
	case "proof":
		if form == Unproven && len(bad) == 0 {
			return // which is its proof
		}
		if _, err := batch.Finalize(evaluated, bad); !errors.Is(err, ErrProof) {
			t.Errorf("%v: %v", form, err)
		}
	default:
		t.Errorf("no fault is called %q", v.Fault)
	}
}
