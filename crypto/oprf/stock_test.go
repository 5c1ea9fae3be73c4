package oprf

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/group"
	circl "github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"

	"entente/crypto/ristretto"
)

// Our client must work with another implementation's server, and the reverse, in both
// modes of RFC 9497.

func pack(t *testing.T, elements []group.Element) []byte {
	t.Helper()
	var b []byte
	for _, e := range elements {
		one, err := e.MarshalBinaryCompress()
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, one...)
	}
	return b
}

func unpack(t *testing.T, b []byte) []group.Element {
	t.Helper()
	var elements []group.Element
	for ; len(b) > 0; b = b[ElementSize:] {
		e := group.Ristretto255.NewElement()
		if err := e.UnmarshalBinary(b[:ElementSize]); err != nil {
			t.Fatal(err)
		}
		elements = append(elements, e)
	}
	return elements
}

// stock is the other implementation with the same key.
type stock struct {
	private *circl.PrivateKey
	proven  bool
}

func stockOf(t *testing.T, form Form) stock {
	t.Helper()
	mode := circl.BaseMode
	if form != Unproven {
		mode = circl.VerifiableMode
	}
	private, err := circl.DeriveKey(circl.SuiteRistretto255, mode, seed(1), []byte("test"))
	if err != nil {
		t.Fatal(err)
	}
	return stock{private, form != Unproven}
}

// evaluate is the other server.
func (s stock) evaluate(t *testing.T, blinded []byte) (evaluated, proof []byte) {
	t.Helper()
	request := &circl.EvaluationRequest{Elements: unpack(t, blinded)}
	if !s.proven {
		e, err := circl.NewServer(circl.SuiteRistretto255, s.private).Evaluate(request)
		if err != nil {
			t.Fatal(err)
		}
		return pack(t, e.Elements), nil
	}
	e, err := circl.NewVerifiableServer(circl.SuiteRistretto255, s.private).Evaluate(request)
	if err != nil {
		t.Fatal(err)
	}
	if proof, err = e.Proof.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return pack(t, e.Elements), proof
}

// ask is the other client, with our server.
func (s stock) ask(t *testing.T, k *Key, inputs [][]byte) ([][]byte, error) {
	t.Helper()
	var data *circl.FinalizeData
	var request *circl.EvaluationRequest
	var err error
	if s.proven {
		data, request, err = circl.NewVerifiableClient(circl.SuiteRistretto255, s.private.Public()).Blind(inputs)
	} else {
		data, request, err = circl.NewClient(circl.SuiteRistretto255).Blind(inputs)
	}
	if err != nil {
		t.Fatal(err)
	}
	evaluated, proof, err := k.Evaluate(pack(t, request.Elements))
	if err != nil {
		t.Fatal(err)
	}
	answer := &circl.Evaluation{Elements: unpack(t, evaluated)}
	if !s.proven {
		return circl.NewClient(circl.SuiteRistretto255).Finalize(data, answer)
	}
	answer.Proof = new(dleq.Proof)
	if err := answer.Proof.UnmarshalBinary(group.Ristretto255, proof); err != nil {
		t.Fatal(err)
	}
	return circl.NewVerifiableClient(circl.SuiteRistretto255, s.private.Public()).Finalize(data, answer)
}

func TestStockServerAndClientAgree(t *testing.T) {
	for _, form := range []Form{Unproven, Standard} {
		other := stockOf(t, form)
		for _, kernel := range kernels() {
			k := keyWith(t, kernel, form, 1)
			for _, n := range []int{1, 2, 7, 8, 9, 64} {
				t.Run(fmt.Sprint(form, " ", kernel, " ", n), func(t *testing.T) {
					b, inputs := newBatch(t, k.Public(), n)
					own, err := k.Outputs(inputs)
					if err != nil {
						t.Fatal(err)
					}
					evaluated, proof := other.evaluate(t, b.Blinded())
					outputs, err := b.Finalize(evaluated, proof)
					if err != nil {
						t.Fatalf("we refuse the stock server's answer: %v", err)
					}
					theirs, err := other.ask(t, k, inputs)
					if err != nil {
						t.Fatalf("the stock client refuses our answer: %v", err)
					}
					for i := range inputs {
						if !bytes.Equal(outputs[i], own[i]) || !bytes.Equal(theirs[i], own[i]) {
							t.Errorf("output %d differs", i)
						}
					}
				})
			}
		}
	}
}

// The two forms of proof share keys and elements, and nothing else.
func TestFormsDoNotPassForEachOther(t *testing.T) {
	keys := map[Form]*Key{Standard: keyWith(t, ristretto.Auto, Standard, 1), Batched: keyWith(t, ristretto.Auto, Batched, 1)}
	if !keys[Standard].Public().Equal(keys[Batched].Public()) {
		t.Fatal("the keys differ: the test shows nothing")
	}
	for _, n := range []int{1, 9} {
		for form, other := range map[Form]Form{Standard: Batched, Batched: Standard} {
			b, _ := newBatch(t, keys[form].Public(), n)
			evaluated, proof, err := keys[other].Evaluate(b.Blinded())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Finalize(evaluated, proof); err == nil {
				t.Errorf("a %v proof passed as a %v one", other, form)
			}
		}
	}
}

// One wrong element must be found wherever it stands: a composite that left a place out
// would not see it there.
func TestEveryPlaceIsProved(t *testing.T) {
	const n = 67
	for _, form := range []Form{Standard, Batched} {
		k, other := keyWith(t, ristretto.Auto, form, 1), keyWith(t, ristretto.Auto, form, 2)
		b, _ := newBatch(t, k.Public(), n)
		wrong, _, err := other.Evaluate(b.Blinded())
		if err != nil {
			t.Fatal(err)
		}
		for place := range n {
			// A cheat proves what it sends as well as it can.
			cheat := func(nonce ristretto.Scalar) (evaluated, proof []byte) {
				w, err := k.public.benches.take()
				if err != nil {
					t.Fatal(err)
				}
				if evaluated, _, err = k.Evaluate(b.Blinded()); err != nil {
					t.Fatal(err)
				}
				copy(evaluated[place*ElementSize:(place+1)*ElementSize], wrong[place*ElementSize:])
				if err := w.read(&w.b, evaluated); err != nil {
					t.Fatal(err)
				}
				if proof, err = k.prove(w, statement{b.blinded, evaluated, &b.points, &w.b}, &nonce); err != nil {
					t.Fatal(err)
				}
				return evaluated, proof
			}
			nonce, err := DeriveScalar(seed(7), uint64(place))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Finalize(cheat(nonce.s)); err == nil {
				t.Errorf("%v: a wrong element at place %d passed", form, place)
			}
		}
	}
}
