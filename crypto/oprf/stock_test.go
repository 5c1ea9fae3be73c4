package oprf

import (
	"bytes"
	"errors"
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

// Masked points are those of another implementation, of which suite count depends.
func TestStockMasksAgree(t *testing.T) {
	scalar, err := DeriveScalar(seed(4), 3)
	if err != nil {
		t.Fatal(err)
	}
	by := group.Ristretto255.NewScalar()
	if err := by.UnmarshalBinary(scalar.s.Bytes()); err != nil {
		t.Fatal(err)
	}
	var inputs [][]byte
	var points, masked []group.Element
	for i := range 67 {
		inputs = append(inputs, bytes.Repeat([]byte{byte(i)}, 5*i))
		points = append(points, group.Ristretto255.HashToElement(inputs[i], []byte(pointLabel)))
		masked = append(masked, group.Ristretto255.NewElement().Mul(points[i], by))
	}
	plain, want := pack(t, points), pack(t, masked)
	for _, kernel := range kernels() {
		for _, n := range []int{1, 2, 7, 8, 9, 64, 67} {
			ours, err := scalar.mask(kernel, "mask inputs", &scalar.s, hashed(inputs[:n]))
			if err != nil {
				t.Fatal(err)
			}
			again, err := scalar.mask(kernel, "mask", &scalar.s, decoded(plain[:n*ElementSize]))
			if err != nil {
				t.Fatal(err)
			}
			off, err := scalar.unmask(kernel, want[:n*ElementSize])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ours, want[:n*ElementSize]) || !bytes.Equal(again, ours) || !bytes.Equal(off, plain[:n*ElementSize]) {
				t.Errorf("%v, %d points: they differ from the stock ones", kernel, n)
			}
		}
	}
}

// The two forms of proof share keys and elements, and nothing else.
func TestFormsDoNotPassForEachOther(t *testing.T) {
	for _, kernel := range kernels() {
		keys := map[Form]*Key{Standard: keyWith(t, kernel, Standard, 1), Batched: keyWith(t, kernel, Batched, 1)}
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
				if _, err := b.Finalize(evaluated, proof); !errors.Is(err, ErrProof) {
					t.Errorf("a %v proof as a %v one: %v", other, form, err)
				}
			}
		}
	}
}

// One wrong element must be found wherever it stands: a composite that left a place out
// would not see it there.
func TestEveryPlaceIsProved(t *testing.T) {
	for _, form := range []Form{Standard, Batched} {
		for _, kernel := range kernels() {
			for _, n := range []int{1, 8, 19} {
				k := keyWith(t, kernel, form, 1)
				b, _ := newBatch(t, k.Public(), n)
				right, _, err := k.Evaluate(b.Blinded())
				if err != nil {
					t.Fatal(err)
				}
				wrong, _, err := keyWith(t, kernel, form, 2).Evaluate(b.Blinded())
				if err != nil {
					t.Fatal(err)
				}
				for place := range n {
					evaluated := bytes.Clone(right)
					copy(evaluated[place*ElementSize:(place+1)*ElementSize], wrong[place*ElementSize:])
					if _, err := b.Finalize(evaluated, cheat(t, k, b, evaluated)); !errors.Is(err, ErrProof) {
						t.Errorf("%v, %v: a wrong element at place %d of %d: %v", form, kernel, place, n, err)
					}
					if _, err := b.Finalize(right, cheat(t, k, b, right)); err != nil {
						t.Errorf("%v, %v: the control was refused: %v", form, kernel, err)
					}
				}
			}
		}
	}
}

// cheat proves an answer, right or wrong, as well as the holder of the key can.
func cheat(t *testing.T, k *Key, b *Batch, evaluated []byte) []byte {
	t.Helper()
	w, err := k.public.benches.take()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.read(&w.b, evaluated); err != nil {
		t.Fatal(err)
	}
	nonce, err := k.nonce(nil, b.blinded, evaluated)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := k.prove(w, statement{b.blinded, evaluated, &b.points, &w.b}, &nonce)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// What makes Batched sound in large batches: each coefficient depends on the key and on
// every pair. In Standard, the RFC has it depend on its own pair only.
func TestCoefficientsBindTheBatch(t *testing.T) {
	const n = 9
	k, other := newKey(t, 1), newKey(t, 2)
	b, _ := newBatch(t, k.Public(), n)
	evaluated, _, err := k.Evaluate(b.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	short := func(p *PublicKey, blinded, evaluated []byte) [][ristretto.CoefficientSize]byte {
		return shortCoefficients(p.batchedSeed(statement{blinded, evaluated, &b.points, &b.points}), n)
	}
	base := short(k.Public(), b.Blinded(), evaluated)
	standard := keyWith(t, ristretto.Auto, Standard, 1).Public()
	full := func(evaluated []byte) []ristretto.Scalar {
		d, err := standard.fullCoefficients(statement{b.Blinded(), evaluated, &b.points, &b.points})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	before := full(evaluated)
	altered := [][][ristretto.CoefficientSize]byte{
		short(other.Public(), b.Blinded(), evaluated),
		short(k.Public(), evaluated, b.Blinded()),
	}
	for place := range n {
		changed := func(all []byte) []byte {
			all = bytes.Clone(all)
			all[place*ElementSize] ^= 2
			return all
		}
		altered = append(altered, short(k.Public(), changed(b.Blinded()), evaluated), short(k.Public(), b.Blinded(), changed(evaluated)))
		for i, d := range full(changed(evaluated)) {
			if d.Equal(&before[i]) == (i == place) {
				t.Errorf("standard: coefficient %d after a change at %d", i, place)
			}
		}
	}
	for which, d := range altered {
		for i := range d {
			if d[i] == base[i] {
				t.Errorf("change %d leaves coefficient %d", which, i)
			}
		}
	}
}
