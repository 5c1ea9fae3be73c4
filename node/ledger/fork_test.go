package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/replay"
)

// branch is one of two orders in which an attacker shows the same entries.
type branch struct {
	entries [][]byte
	honest  []int // who was shown this one
	mirrors map[int]*Mirror
	own     *Mirror // the attackers' copy
}

// fork shows the honest members of a federation one of two orders each, and signs all that
// the attackers can sign of both, in both roles. It returns what it could collect of the
// trees of one size.
func fork(t *testing.T, seed uint64, n, sequencers int, attackers []int) (*writers, [2]*branch, [2]checkpoint.Signed) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	w := federation(t, n, sequencers)
	common := w.begin()
	x, y := w.sealed(n-1, 1), w.sealed(n-2, 2)
	branches := [2]*branch{{entries: [][]byte{x, y}}, {entries: [][]byte{y, x}}}
	for i := range n {
		if !slices.Contains(attackers, i) {
			b := branches[r.IntN(2)]
			b.honest = append(b.honest, i)
		}
	}
	size := uint64(len(common)) + 1 + r.Uint64N(2)
	var out [2]checkpoint.Signed
	for k, b := range branches {
		b.own, b.mirrors = w.mirror(slices.Concat(common, b.entries)...), map[int]*Mirror{}
		out[k] = w.signed(b.own, size, nil, nil)
		for _, i := range attackers {
			c, err := b.own.Checkpoint(size)
			must(t, err)
			if i < sequencers {
				out[k].Signatures = append(out[k].Signatures, checkpoint.Sign(c, name(i), checkpoint.Sequencer, w.keys[i], w.now))
			}
		}
		for _, i := range b.honest {
			b.mirrors[i] = w.mirror(slices.Concat(common, b.entries)...)
			if i >= sequencers {
				continue
			}
			_, s, err := w.signer(b.mirrors[i], i).Sequence(size)
			must(t, err)
			out[k].Signatures = append(out[k].Signatures, s)
		}
	}
	for k, b := range branches {
		for _, i := range b.honest {
			s, err := w.signer(b.mirrors[i], i).Cosign(out[k])
			if err == nil {
				out[k].Signatures = append(out[k].Signatures, s)
			}
			if _, err := w.signer(b.mirrors[i], i).Cosign(out[1-k]); !errors.Is(err, ErrConflict) {
				t.Errorf("seed %d: %s was asked to sign the other tree: %v", seed, name(i), err)
			}
		}
		for _, i := range attackers {
			c, err := b.own.Checkpoint(size)
			must(t, err)
			out[k].Signatures = append(out[k].Signatures, checkpoint.Sign(c, name(i), checkpoint.Cosigner, w.keys[i], w.now))
		}
	}
	return w, branches, out
}

// Within the bound no way of showing members different orders makes two trees final, and
// honest members on the same side still can; beyond it, the same attack succeeds, and the
// two final trees convict the attackers and nobody else.
func TestNoTwoFinalTreesConflict(t *testing.T) {
	for _, c := range []struct {
		n, sequencers int
		attackers     []int
		beyond        bool
	}{
		{3, 1, []int{0}, false}, // the only sequencer
		{4, 4, []int{0}, false},
		{4, 4, []int{3}, false},
		{7, 4, []int{0, 5}, false}, // a sequencer, and another
		{7, 4, []int{0, 1, 2, 6}, true},
		{5, 4, []int{0, 2, 3}, true},
	} {
		both, one := 0, 0
		for seed := range uint64(8) {
			name := fmt.Sprintf("%d members, attackers %v, seed %d", c.n, c.attackers, seed)
			w, branches, trees := fork(t, seed, c.n, c.sequencers, c.attackers)
			final := 0
			for k, b := range branches {
				if b.own.Finalise(trees[k]) == nil {
					final++
				}
			}
			if final > 0 {
				one++
			}
			if final < 2 {
				continue
			}
			if both++; !c.beyond {
				t.Errorf("%s: two trees are final", name)
			}
			convicted(t, w, branches[1].own, trees, c.attackers)
		}
		if one == 0 || c.beyond && both == 0 {
			t.Errorf("%d members, attackers %v: %d seeds had a final tree, %d two: the test shows nothing", c.n, c.attackers, one, both)
		}
	}
}

// convicted checks whom two final trees of one size convict.
func convicted(t *testing.T, w *writers, m *Mirror, trees [2]checkpoint.Signed, attackers []int) {
	t.Helper()
	second, err := trees[1].Checkpoint()
	must(t, err)
	e := checkpoint.Evidence{First: trees[0], Second: trees[1], Root: second.Root[:]}
	var got []string
	var c checkpoint.Committee
	must(t, m.State(func(s *replay.State) { c = s.Committee(second.Size) }))
	got, err = e.Convicts(func(id string) []*sign.CosigningPublicKey { return []*sign.CosigningPublicKey{c.Seats[id].Key} })
	must(t, err)
	var want []string
	for _, i := range attackers {
		want = append(want, name(i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v are convicted, the attackers are %v", got, want)
	}
}

// An honest member loses its store, and with it what it signed, and names a new cosigning
// key. An attacker who shows it another order makes no second tree final: with the new key
// it counts only in trees beyond one that is final without it.
func TestNewKeyMakesNoSecondTreeFinal(t *testing.T) {
	w := federation(t, 4, 4) // M00 attacks, M03 loses its store; M01 and M02 see one order each
	common := w.begin()
	x, y := w.sealed(1, 1), w.sealed(2, 2)
	fresh, err := sign.NewCosigningKey(bytes.Repeat([]byte{40}, sign.CosigningSeedSize))
	must(t, err)
	named, err := entry.NewKeyState(w.heads[3], name(3), fresh)
	must(t, err)
	orders := [2][][]byte{{x, y}, {w.entry(3, entry.CosigningKey, named), x}}
	old := w.keys[3]
	begun := uint64(len(common))
	for size := begun + 1; size <= begun+2; size++ {
		var final [2]error
		for k, order := range orders {
			w.keys[3] = []*sign.CosigningKey{old, fresh}[k]
			own, honest := w.mirror(slices.Concat(common, order)...), w.mirror(slices.Concat(common, order)...)
			again := w.mirror(slices.Concat(common, order)...) // M03's own, empty before
			signed := w.signed(own, size, []int{0}, nil)
			for i, m := range map[int]*Mirror{k + 1: honest, 3: again} {
				_, s, err := w.signer(m, i).Sequence(size)
				must(t, err)
				signed.Signatures = append(signed.Signatures, s)
			}
			for i, m := range map[int]*Mirror{k + 1: honest, 3: again} {
				if s, err := w.signer(m, i).Cosign(signed); err == nil {
					signed.Signatures = append(signed.Signatures, s)
				}
			}
			signed.Signatures = append(signed.Signatures, w.signed(own, size, nil, []int{0}).Signatures...)
			final[k] = own.Finalise(signed)
		}
		if final[0] != nil || final[1] == nil {
			t.Errorf("at %d entries: the first tree: %v; the second: %v", size-begun, final[0], final[1])
		}
	}

	// Where the others hold the new key as final, it signs.
	m := w.mirror(slices.Concat(common, orders[1])...)
	signer := w.signer(m, 3)
	beyond := w.signed(m, begun+2, []int{0, 1, 3}, []int{0, 1, 3})
	if _, err := signer.Cosign(beyond); !errors.Is(err, ErrBoundary) {
		t.Errorf("beyond the new key: %v", err)
	}
	if err := m.Finalise(w.signed(m, begun+1, []int{0, 1, 2}, []int{0, 1, 3})); err == nil {
		t.Error("the new key made the tree final that names it")
	}
	must(t, m.Finalise(w.signed(m, begun+1, []int{0, 1, 2}, []int{0, 1, 2})))
	_, err = signer.Cosign(beyond)
	must(t, err)
	must(t, m.Finalise(beyond))
}
