package replay

import (
	"reflect"
	"testing"

	"entente/protocol/entry"
	"entente/protocol/roster"
)

// FuzzApply: no bytes bring a replay down, and what is refused changes nothing. Without
// the authors' keys next to nothing is admitted, so the checks before the signature are
// what is met.
func FuzzApply(f *testing.F) {
	w := found(f, 4, 4, roster.Spread{})
	fresh := func(t testing.TB) *State {
		s, err := New(w.roster)
		must(t, err)
		for _, b := range w.entries {
			if _, err := s.Apply(b); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	for k, v := range map[entry.Kind]any{
		entry.SealedDigest: entry.Sealed{Digest: make([]byte, 32)}, entry.BudgetSpent: entry.Spend{Kind: "phone", Period: 1, Class: 64},
		entry.AddressesChanged: entry.AddressState{Addresses: []string{}}, entry.Approval: entry.Reference{Proposal: make([]byte, 32)},
	} {
		b, _ := w.next(1, k, body(f, v))
		f.Add(b)
	}
	b, _ := w.next(1, entry.Proposal, mustPropose(f, w.now))
	f.Add(b)
	s := fresh(f)
	before := fingerprint(s)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := s.Apply(b); err == nil {
			s = fresh(t)
		} else if !reflect.DeepEqual(before, fingerprint(s)) {
			t.Errorf("refused, and the state changed: %v", err)
		}
	})
}
