package oprf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"entente/crypto/ristretto"
)

// seed is a fixed seed for tests.
func seed(b byte) []byte { return bytes.Repeat([]byte{b}, SeedSize) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newKey(t testing.TB, b byte) *Key { return keyWith(t, ristretto.Auto, Batched, b) }

// kernels are those that this machine has.
func kernels() []ristretto.Kernel {
	if ristretto.Detect() == ristretto.Generic {
		return []ristretto.Kernel{ristretto.Generic}
	}
	return []ristretto.Kernel{ristretto.Generic, ristretto.Detect()}
}

func keyWith(t testing.TB, kernel ristretto.Kernel, form Form, b byte) *Key {
	t.Helper()
	k, err := deriveKey(kernel, form, seed(b), []byte("test"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newBatch blinds n inputs of different lengths.
func newBatch(t testing.TB, p *PublicKey, n int) (*Batch, [][]byte) {
	t.Helper()
	inputs, blinds := make([][]byte, n), make([]Scalar, n)
	for i := range inputs {
		inputs[i] = bytes.Repeat([]byte{byte(i)}, i%70)
		var err error
		if blinds[i], err = DeriveScalar(seed(9), uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := p.Blind(inputs, blinds)
	if err != nil {
		t.Fatal(err)
	}
	return b, inputs
}

func TestBatchGivesTheServersOutputs(t *testing.T) {
	for _, form := range []Form{Unproven, Standard, Batched} {
		want := map[int][]byte{} // of the first kernel
		for _, kernel := range kernels() {
			k := keyWith(t, kernel, form, 1)
			for _, n := range []int{1, 2, 8, 9, 71} {
				b, inputs := newBatch(t, k.Public(), n)
				evaluated, proof, err := k.Evaluate(b.Blinded())
				if err != nil {
					t.Fatal(err)
				}
				if len(proof) != form.proofSize() {
					t.Errorf("%v: a proof of %d bytes", form, len(proof))
				}
				outputs, err := b.Finalize(evaluated, proof)
				if err != nil {
					t.Fatal(err)
				}
				own, err := k.Outputs(inputs)
				if err != nil {
					t.Fatal(err)
				}
				for i := range inputs {
					if len(outputs[i]) != OutputSize || !bytes.Equal(outputs[i], own[i]) {
						t.Errorf("%v, %v, batch of %d, input %d: outputs differ", form, kernel, n, i)
					}
				}
				all := bytes.Join(append(outputs, b.Blinded(), evaluated), nil)
				if want[n] == nil {
					want[n] = all
				} else if !bytes.Equal(all, want[n]) {
					t.Errorf("%v, batch of %d: kernels differ", form, n)
				}
			}
		}
	}
}

// Goroutines share a key, and each call must have memory of its own.
func TestKeysServeManyGoroutines(t *testing.T) {
	for _, form := range []Form{Unproven, Standard, Batched} {
		for _, kernel := range kernels() {
			k := keyWith(t, kernel, form, 1)
			var group sync.WaitGroup
			for i := range 8 {
				b, inputs := newBatch(t, k.Public(), 1+5*i)
				group.Go(func() {
					for range 4 {
						evaluated, proof, e1 := k.Evaluate(b.Blinded())
						outputs, e2 := b.Finalize(evaluated, proof)
						own, e3 := k.Outputs(inputs)
						if err := errors.Join(e1, e2, e3); err != nil {
							t.Errorf("%v, %v: %v", form, kernel, err)
							return
						}
						if !bytes.Equal(bytes.Join(outputs, nil), bytes.Join(own, nil)) {
							t.Errorf("%v, %v: calls disturb each other", form, kernel)
						}
					}
				})
			}
			group.Wait()
		}
	}
}

func TestFinalizeRefusesWrongAnswers(t *testing.T) {
	for _, form := range []Form{Standard, Batched} {
		for _, kernel := range kernels() {
			t.Run(fmt.Sprint(form, " ", kernel), func(t *testing.T) {
				refuseWrongAnswers(t, keyWith(t, kernel, form, 1), keyWith(t, kernel, form, 2))
			})
		}
	}
}

func refuseWrongAnswers(t *testing.T, k, other *Key) {
	b, _ := newBatch(t, k.Public(), 4)
	evaluated, proof, err := k.Evaluate(b.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	foreign, foreignProof, err := other.Evaluate(b.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	swapped := bytes.Clone(evaluated)
	copy(swapped, evaluated[ElementSize:2*ElementSize])
	copy(swapped[ElementSize:], evaluated[:ElementSize])
	one := bytes.Clone(evaluated)
	copy(one[3*ElementSize:], foreign[3*ElementSize:])
	altered := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i] ^= 1
		return b
	}
	big := bytes.Clone(proof)
	copy(big[ScalarSize:], bytes.Repeat([]byte{0xff}, ScalarSize))
	identity := bytes.Clone(evaluated)
	clear(identity[:ElementSize])
	for _, c := range []struct {
		name             string
		evaluated, proof []byte
		want             error
	}{
		{"another key", foreign, foreignProof, ErrProof},
		{"another key's proof", evaluated, foreignProof, ErrProof},
		{"another key's elements", foreign, proof, ErrProof},
		{"one element of another key", one, proof, ErrProof},
		{"swapped", swapped, proof, ErrProof},
		{"echo", b.Blinded(), proof, ErrProof},
		{"challenge altered", evaluated, altered(proof, 0), ErrProof},
		{"response altered", evaluated, altered(proof, ScalarSize), ErrProof},
		{"response not reduced", evaluated, big, ErrProof},
		{"proof short", evaluated, proof[1:], ErrProof},
		{"proof long", evaluated, append(bytes.Clone(proof), 0), ErrProof},
		{"no proof", evaluated, nil, ErrProof},
		{"identity", identity, proof, ErrElement},
		{"not canonical", altered(evaluated, 0), proof, ErrElement},
		{"short", evaluated[ElementSize:], proof, ErrSize},
		{"long", append(bytes.Clone(evaluated), evaluated[:ElementSize]...), proof, ErrSize},
		{"empty", nil, proof, ErrSize},
	} {
		if _, err := b.Finalize(c.evaluated, c.proof); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := b.Finalize(evaluated, proof); err != nil {
		t.Errorf("the right answer after all wrong ones: %v", err)
	}
}

func TestLimits(t *testing.T) {
	k := newKey(t, 1)
	blind, err := DeriveScalar(seed(1), 0)
	if err != nil {
		t.Fatal(err)
	}
	long := make([]byte, MaxInput+1)
	many := make([][]byte, MaxBatch+1)
	calls := map[string]func() error{
		"no inputs":      func() error { _, err := k.Public().Blind(nil, nil); return err },
		"blinds missing": func() error { _, err := k.Public().Blind([][]byte{{1}}, nil); return err },
		"long input":     func() error { _, err := k.Public().Blind([][]byte{long}, []Scalar{blind}); return err },
		"many inputs":    func() error { _, err := blind.MaskInputs(many); return err },
		"no points":      func() error { _, err := blind.Mask(nil); return err },
		"half a point":   func() error { _, err := blind.Unmask(make([]byte, 33)); return err },
		"many points":    func() error { _, _, err := k.Evaluate(make([]byte, (MaxBatch+1)*ElementSize)); return err },
		"many outputs":   func() error { _, err := k.Outputs(many); return err },
		"unknown form":   func() error { _, err := DeriveKey(Batched+1, seed(1), nil); return err },
		"long output":    func() error { _, err := k.Outputs([][]byte{long}); return err },
		"short key":      func() error { _, err := ParsePublicKey(Batched, make([]byte, 31)); return err },
		"short seed":     func() error { _, err := DeriveKey(Batched, seed(1)[1:], nil); return err },
		"long info":      func() error { _, err := DeriveKey(Batched, seed(1), long); return err },
		"scalar's seed":  func() error { _, err := DeriveScalar(nil, 0); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Public().Blind([][]byte{{1}}, []Scalar{{}}); !errors.Is(err, ErrScalar) {
		t.Errorf("unset blind: %v", err)
	}
	if _, err := k.Outputs([][]byte{long[1:]}); err != nil {
		t.Errorf("longest input: %v", err)
	}
}

func TestMasksCommuteAndComeOff(t *testing.T) {
	a, err := DeriveScalar(seed(1), 0)
	if err != nil {
		t.Fatal(err)
	}
	k := newKey(t, 3).Scalar()
	inputs := [][]byte{{}, []byte("x"), []byte("y")}
	client, err := a.MaskInputs(inputs)
	if err != nil {
		t.Fatal(err)
	}
	server, err := k.MaskInputs(inputs)
	if err != nil {
		t.Fatal(err)
	}
	both, err := k.Mask(client)
	if err != nil {
		t.Fatal(err)
	}
	reverse, err := a.Mask(server)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(both, reverse) {
		t.Error("masks do not commute")
	}
	off, err := a.Unmask(both)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(off, server) {
		t.Error("the mask does not come off")
	}
	if bytes.Equal(client, server) || bytes.Equal(both, server) {
		t.Error("a mask changes nothing")
	}
	// Masked points and VOPRF elements of one input have nothing in common.
	b, err := newKey(t, 3).Public().Blind([][]byte{{}}, []Scalar{a})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(b.Blinded(), client[:ElementSize]) {
		t.Error("the two hashes to the group are not apart")
	}
}

func TestScalars(t *testing.T) {
	seen := make(map[string]bool)
	for s := range byte(3) {
		for i := range uint64(4) {
			a, err := DeriveScalar(seed(s), i)
			if err != nil {
				t.Fatal(err)
			}
			b := a.s.Bytes()
			if seen[string(b)] {
				t.Errorf("scalar %d of seed %d came before", i, s)
			}
			seen[string(b)] = true
			again, err := ParseScalar(b)
			if err != nil || !again.s.Equal(&a.s) {
				t.Errorf("scalar %d of seed %d does not parse back: %v", i, s, err)
			}
		}
	}
	// The group's order, little endian, and one below.
	order := unhex(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	for _, bad := range [][]byte{nil, make([]byte, ScalarSize), order, bytes.Repeat([]byte{0xff}, ScalarSize), order[1:]} {
		if _, err := ParseScalar(bad); !errors.Is(err, ErrScalar) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	order[0]--
	if _, err := ParseScalar(order); err != nil {
		t.Errorf("order minus one: %v", err)
	}
}

// A nonce that served two batches would give the key away, so it must change with
// everything that can change.
func TestProofNonces(t *testing.T) {
	k, other := newKey(t, 1), newKey(t, 2)
	nonce := func(k *Key, parts ...string) string {
		n, err := k.nonce([]byte(parts[0]), []byte(parts[1]), []byte(parts[2]))
		if err != nil {
			t.Fatal(err)
		}
		return string(n.Bytes())
	}
	base := nonce(k, "f", "b", "e")
	for name, n := range map[string]string{
		"fresh bytes": nonce(k, "g", "b", "e"),
		"questions":   nonce(k, "f", "c", "e"),
		"answers":     nonce(k, "f", "b", "d"),
		"key":         nonce(other, "f", "b", "e"),
		"form":        nonce(keyWith(t, ristretto.Auto, Standard, 1), "f", "b", "e"),
	} {
		if n == base {
			t.Errorf("the nonce does not depend on the %s", name)
		}
	}
	b, _ := newBatch(t, k.Public(), 1)
	_, first, err := k.Evaluate(b.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := k.Evaluate(b.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first[:ScalarSize], second[:ScalarSize]) {
		t.Error("two proofs share their challenge, so their nonce")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	k := newKey(t, 1)
	s := k.Scalar()
	secret := s.s.Bytes()
	var out bytes.Buffer
	for _, v := range []any{k, *k, s, &s} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	}
	text := strings.ToLower(out.String())
	if !strings.Contains(text, secretText) {
		t.Fatal("the control was not printed")
	}
	reversed := bytes.Clone(secret)
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	for _, form := range []string{hex.EncodeToString(secret), hex.EncodeToString(reversed), fmt.Sprint(secret)} {
		if strings.Contains(text, form) {
			t.Error("a secret was printed")
		}
	}
}

func TestPublicKey(t *testing.T) {
	k, other := newKey(t, 1), newKey(t, 2)
	p, err := ParsePublicKey(Batched, k.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !p.Equal(k.Public()) || p.Equal(other.Public()) {
		t.Error("equality of keys")
	}
	b := p.Bytes()
	b[0] ^= 1
	if !p.Equal(k.Public()) {
		t.Error("the caller can change the key")
	}
}
