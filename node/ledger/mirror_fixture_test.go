package ledger

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

var noon = time.UnixMilli(1_795_000_000_000)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writers are the members of a federation, who write entries.
type writers struct {
	t       testing.TB
	genesis roster.Roster
	authors []entry.Author
	keys    []*sign.CosigningKey
	heads   []entry.Head
	now     time.Time
}

func name(i int) string { return fmt.Sprintf("M%02d", i) }

// federation makes n members, the first s of which are sequencers.
func federation(t testing.TB, n, s int) *writers {
	t.Helper()
	w := &writers{t: t, heads: make([]entry.Head, n), now: noon}
	var cards []roster.Card
	for i := range n {
		key, err := sign.NewPrivateKey(bytes.Repeat([]byte{byte(i + 1)}, sign.SeedSize))
		must(t, err)
		cosigning, err := sign.NewCosigningKey(bytes.Repeat([]byte{byte(i + 1)}, sign.CosigningSeedSize))
		must(t, err)
		card, err := roster.NewCard(roster.Member{
			ID: name(i), Name: name(i), Role: roster.State, Sign: key.Public().Bytes(),
			Transport: bytes.Repeat([]byte{byte(i + 1)}, 32), Addresses: []string{},
		}, key)
		must(t, err)
		cards = append(cards, card)
		w.authors = append(w.authors, entry.Author{Member: name(i), Key: key})
		w.keys = append(w.keys, cosigning)
		if i < s {
			w.genesis.Sequencers = append(w.genesis.Sequencers, name(i))
		}
	}
	r, err := roster.New("test", cards)
	must(t, err)
	r.Sequencers = w.genesis.Sequencers
	w.genesis = r
	return w
}

// entry is a member's next entry.
func (w *writers) entry(i int, k entry.Kind, v any) []byte {
	w.t.Helper()
	var b []byte
	var err error
	if v != nil {
		b, err = entry.Body(v)
		must(w.t, err)
	}
	s, head, err := w.authors[i].Next(w.heads[i], entry.Submitted, k, b, w.now)
	must(w.t, err)
	w.heads[i] = head
	out, err := s.Marshal()
	must(w.t, err)
	return out
}

// begin is how every ledger begins: all join and name their cosigning keys.
func (w *writers) begin() [][]byte {
	digest := w.genesis.Digest()
	joined := entry.RosterState{Version: 1, Digest: digest[:]}
	var out [][]byte
	for i := range w.authors {
		out = append(out, w.entry(i, entry.Created, nil), w.entry(i, entry.RosterJoined, joined))
		key, err := entry.NewKeyState(w.heads[i], name(i), w.keys[i])
		must(w.t, err)
		out = append(out, w.entry(i, entry.CosigningKey, key))
	}
	out = append(out, w.entry(0, entry.Genesis, joined))
	for i := range w.genesis.Sequencers {
		out = append(out, w.entry(i, entry.Tick, nil))
	}
	return out
}

// sealed is an entry of no consequence.
func (w *writers) sealed(i int, content byte) []byte {
	return w.entry(i, entry.SealedDigest, entry.Sealed{Digest: bytes.Repeat([]byte{content}, 32)})
}

// propose is a proposal and approvals of it.
func (w *writers) propose(a entry.Action, change any, voices ...int) (out [][]byte) {
	body, err := entry.Propose(a, change, w.now.Add(time.Hour).UnixMilli())
	must(w.t, err)
	by := voices[0]
	s, head, err := w.authors[by].Next(w.heads[by], entry.Submitted, entry.Proposal, body, w.now)
	must(w.t, err)
	w.heads[by] = head
	b, err := s.Marshal()
	must(w.t, err)
	out = append(out, b)
	for _, i := range voices[1:] {
		out = append(out, w.entry(i, entry.Approval, entry.Reference{Proposal: head.Digest[:]}))
	}
	return out
}

func (w *writers) open(file string) *Mirror {
	w.t.Helper()
	m, err := OpenMirror(w.t.Context(), file, w.genesis)
	must(w.t, err)
	return m
}

// mirror is a new one that holds these entries.
func (w *writers) mirror(entries ...[]byte) *Mirror {
	w.t.Helper()
	m := w.open(filepath.Join(w.t.TempDir(), "ledger"))
	w.t.Cleanup(func() { must(w.t, m.Close()) })
	_, err := m.Append(entries...)
	must(w.t, err)
	return m
}

func (w *writers) signer(m *Mirror, i int) *Signer {
	return NewSigner(m, name(i), w.keys[i], func() time.Time { return w.now })
}

// signed is the tree that a mirror holds at a size, signed by these sequencers and cosigners.
func (w *writers) signed(m *Mirror, size uint64, sequencers, cosigners []int) checkpoint.Signed {
	w.t.Helper()
	c, err := m.Checkpoint(size)
	must(w.t, err)
	out := checkpoint.Signed{Text: c.Text()}
	for _, i := range sequencers {
		out.Signatures = append(out.Signatures, checkpoint.Sign(c, name(i), checkpoint.Sequencer, w.keys[i], w.now))
	}
	for _, i := range cosigners {
		out.Signatures = append(out.Signatures, checkpoint.Sign(c, name(i), checkpoint.Cosigner, w.keys[i], w.now))
	}
	return out
}
