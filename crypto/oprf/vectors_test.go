package oprf

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"entente/protocol/vectors"

	"github.com/cloudflare/circl/group"
)

// list splits a comma-separated field of hex strings.
func list(t *testing.T, s string) [][]byte {
	var all [][]byte
	for part := range strings.SplitSeq(s, ",") {
		all = append(all, unhex(t, part))
	}
	return all
}

// TestVectors runs the published vectors of RFC 9497 appendix A.1.2 and the refusals.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("oprf")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d vectors", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			want, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !v.Valid {
				refuse(t, v, want)
				return
			}
			if got := compute(t, v); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func compute(t *testing.T, v vectors.Vector) []byte {
	in := func(name string) []byte { return unhex(t, v.Input[name]) }
	switch what := v.Name[strings.LastIndex(v.Name, "/")+1:]; what {
	case "scalar":
		s, err := DeriveScalar(in("seed"), uint64(in("index")[0]))
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	case "masked", "remasked", "unmasked":
		s, err := ParseScalar(in("scalar"))
		if err != nil {
			t.Fatal(err)
		}
		var b []byte
		switch what {
		case "masked":
			b, err = s.MaskInputs(list(t, v.Input["input"]))
		case "remasked":
			b, err = s.Mask(in("points"))
		default:
			b, err = s.Unmask(in("points"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	default:
		return computeVOPRF(t, v, what)
	}
}

func computeVOPRF(t *testing.T, v vectors.Vector, what string) []byte {
	k, err := DeriveKey(unhex(t, v.Input["seed"]), unhex(t, v.Input["info"]))
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
	nonce, err := ParseScalar(unhex(t, v.Input["nonce"]))
	if err != nil {
		t.Fatal(err)
	}
	evaluated, proof, err := k.evaluate(batch.Blinded(), func([]byte) group.Scalar { return nonce.s })
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
	t.Fatalf("no vector is called %s", what)
	return nil
}

// refuse feeds bad bytes to every function that reads them from a peer.
func refuse(t *testing.T, v vectors.Vector, bad []byte) {
	k := newKey(t, 1)
	batch, _ := newBatch(t, k.Public(), 1)
	evaluated, proof, err := k.Evaluate(batch.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	switch v.Fault {
	case "element":
		_, _, e1 := k.Evaluate(bad)
		_, e2 := batch.Finalize(bad, proof)
		_, e3 := k.Scalar().Mask(bad)
		_, e4 := k.Scalar().Unmask(bad)
		_, e5 := ParsePublicKey(bad)
		for i, err := range []error{e1, e2, e3, e4, e5} {
			if !errors.Is(err, ErrElement) {
				t.Errorf("reader %d: %v", i, err)
			}
		}
	case "proof":
		if _, err := batch.Finalize(evaluated, bad); !errors.Is(err, ErrProof) {
			t.Errorf("%v", err)
		}
	default:
		t.Errorf("no fault is called %q", v.Fault)
	}
}
