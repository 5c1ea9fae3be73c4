package replay

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

var start = time.UnixMilli(1_795_000_000_000)

// world is a federation that writes a ledger.
type world struct {
	t       testing.TB
	state   *State
	now     time.Time
	open    time.Duration // until proposals lapse
	roster  roster.Roster
	authors map[string]entry.Author
	heads   map[string]entry.Head
	entries [][]byte
}

func key(t testing.TB, n byte) *sign.PrivateKey {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{n}, sign.SeedSize))
	must(t, err)
	return k
}

// channel is a transport key, and half of no signing key.
func channel(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n, 0xff}, ed25519.SeedSize/2))
}

func cosigning(t testing.TB, n byte) *sign.CosigningKey {
	t.Helper()
	k, err := sign.NewCosigningKey(bytes.Repeat([]byte{n}, sign.CosigningSeedSize))
	must(t, err)
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func id(i int) string { return fmt.Sprintf("M%02d", i) }

func ids(list ...int) []string {
	var out []string
	for _, i := range list {
		out = append(out, id(i))
	}
	return out
}

func card(t testing.TB, i int, k byte) roster.Card {
	t.Helper()
	c, err := roster.NewCard(roster.Member{
		ID: id(i), Name: fmt.Sprint("Member ", i), Role: roster.State, Sign: key(t, k).Public().Bytes(),
		Transport: channel(k).Public().(ed25519.PublicKey), Addresses: []string{},
	}, key(t, k))
	must(t, err)
	return c
}

// under is the roster with other sequencers and blocs.
func (w *world) under(sequencers []string, spread roster.Spread) roster.Roster {
	r := w.roster
	r.Sequencers, r.Spread = sequencers, spread
	return r
}

// found begins a ledger of n members, the first s of which are sequencers.
func found(t testing.TB, n, s int, spread roster.Spread) *world {
	t.Helper()
	w := &world{t: t, now: start, open: time.Hour, authors: map[string]entry.Author{}, heads: map[string]entry.Head{}}
	var cards []roster.Card
	for i := range n {
		cards = append(cards, card(t, i, byte(i+1)))
		w.authors[id(i)] = entry.Author{Member: id(i), Key: key(t, byte(i+1))}
	}
	var err error
	w.roster, err = roster.New("test", cards)
	must(t, err)
	w.roster.Spread = spread
	for i := range s {
		w.roster.Sequencers = append(w.roster.Sequencers, id(i))
	}
	w.state, err = New(w.roster)
	must(t, err)
	digest := w.roster.Digest()
	joined := body(t, entry.RosterState{Version: 1, Digest: digest[:]})
	for i := range n {
		w.add(i, entry.Created, nil)
		w.add(i, entry.RosterJoined, joined)
		w.add(i, entry.CosigningKey, w.keyState(i, byte(i+1)))
	}
	w.add(0, entry.Genesis, joined)
	w.tick()
	return w
}

func body(t testing.TB, v any) []byte {
	t.Helper()
	b, err := entry.Body(v)
	must(t, err)
	return b
}

// next makes a member's next entry without applying it.
func (w *world) next(i int, k entry.Kind, b []byte) ([]byte, entry.Head) {
	w.t.Helper()
	s, head, err := w.authors[id(i)].Next(w.heads[id(i)], entry.Submitted, k, b, w.now)
	must(w.t, err)
	out, err := s.Marshal()
	must(w.t, err)
	return out, head
}

// keyState is the body with which a member names a cosigning key next.
func (w *world) keyState(i int, k byte) []byte {
	w.t.Helper()
	b, err := entry.NewKeyState(w.heads[id(i)], id(i), cosigning(w.t, k))
	must(w.t, err)
	return body(w.t, b)
}

// try applies a member's next entry, and goes on in its chain if it was taken. The error
// says why it was not, or why it is void.
func (w *world) try(i int, k entry.Kind, b []byte) (Applied, error) {
	w.t.Helper()
	signed, head := w.next(i, k, b)
	a, err := w.state.Apply(signed)
	if err == nil {
		w.heads[id(i)] = head
		w.entries = append(w.entries, signed)
		err = a.Void
	}
	return a, err
}

func (w *world) add(i int, k entry.Kind, b []byte) Applied {
	w.t.Helper()
	a, err := w.try(i, k, b)
	must(w.t, err)
	return a
}

// tick lets a minute pass by the clocks of all sequencers, and returns what that ended.
func (w *world) tick() (out []Outcome) {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	for i := range 20 {
		for _, s := range w.state.Sequencers() {
			if s == id(i) {
				out = append(out, w.add(i, entry.Tick, nil).Outcomes...)
			}
		}
	}
	return out
}

// propose makes a proposal that others approve, and returns what it came to.
func (w *world) propose(by int, a entry.Action, change any, approvals ...int) (digest [32]byte, out []Outcome) {
	w.t.Helper()
	b, err := entry.Propose(a, change, w.now.Add(w.open).UnixMilli())
	must(w.t, err)
	out = w.add(by, entry.Proposal, b).Outcomes
	digest = w.heads[id(by)].Digest
	for _, i := range approvals {
		if len(out) > 0 {
			w.t.Fatalf("%s is settled before %s approves", a, id(i))
		}
		out = w.approve(i, digest)
	}
	return digest, out
}

// approve lets a member approve a proposal, and returns what that came to.
func (w *world) approve(i int, proposal [32]byte) []Outcome {
	w.t.Helper()
	return w.add(i, entry.Approval, body(w.t, entry.Reference{Proposal: proposal[:]})).Outcomes
}

// rotate lets a member hand over to another signing and another transport key.
func (w *world) rotate(i int, to, transport byte) error {
	w.t.Helper()
	s, head, err := w.authors[id(i)].Rotate(w.heads[id(i)], entry.Submitted, key(w.t, to), channel(transport), w.now)
	must(w.t, err)
	b, err := s.Marshal()
	must(w.t, err)
	a, err := w.state.Apply(b)
	if err != nil {
		return err
	}
	w.heads[id(i)], w.authors[id(i)] = head, entry.Author{Member: id(i), Key: key(w.t, to)}
	w.entries = append(w.entries, b)
	return a.Void
}

// join lets others take a member in, with its n-th keys.
func (w *world) join(i int, n byte, by int, approvals ...int) {
	w.t.Helper()
	c := card(w.t, i, n)
	_, out := w.propose(by, entry.Join, entry.Joining{Member: c.Member, Signature: c.Signature}, approvals...)
	w.settled(out)
	w.authors[id(i)] = entry.Author{Member: id(i), Key: key(w.t, n)}
}

// settled requires that one change has taken effect.
func (w *world) settled(out []Outcome) {
	w.t.Helper()
	if len(out) != 1 || out[0].Err != nil {
		w.t.Fatalf("no change took effect: %+v", out)
	}
}

func second(_ Applied, err error) error { return err }

func mustPropose(t testing.TB, now time.Time) []byte {
	t.Helper()
	b, err := entry.Propose(entry.Suspend, entry.Concerned{Member: id(3)}, now.Add(time.Hour).UnixMilli())
	must(t, err)
	return b
}

func marshal(t testing.TB, a entry.Author, h entry.Head, c entry.Chain, k entry.Kind, now time.Time) []byte {
	t.Helper()
	s, _, err := a.Next(h, c, k, nil, now)
	must(t, err)
	b, err := s.Marshal()
	must(t, err)
	return b
}

func rosterCard(m roster.Member, k byte, t testing.TB) (roster.Card, error) {
	return roster.NewCard(m, key(t, k))
}

// fingerprint is all of a state that can be compared.
func fingerprint(s *State) map[string]any {
	out := effects(s)
	out["size"] = s.size
	for id, m := range s.members {
		out["chain of "+id] = []any{m.check.Head(), m.check.Key(), m.entries, m.bulky, m.day}
	}
	return out
}

// effects are those parts of it that a void entry leaves as they are.
func effects(s *State) map[string]any {
	out := map[string]any{
		"clock": s.clock, "roster": s.roster.Digest(), "sequencers": s.Sequencers(), "eras": len(s.eras),
		"proposals": len(s.proposals), "convicted": s.Convicted(), "ticks": fmt.Sprint(s.ticks),
	}
	for id, m := range s.members {
		out[id] = []any{m.suspended, len(m.cosigning), m.refused, m.policy}
	}
	for a, b := range s.budgets.All() {
		out[fmt.Sprint(a)] = b
	}
	return out
}

func first(b []byte, _ entry.Head) []byte { return b }
