package ledger

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/wire"
)

// adversary is a member that does, besides what its node does, one kind of harm again and again.
type adversary struct {
	w    *world
	self string
	r    *rand.Rand
	harm func()
	copy string   // of its folder, old
	old  [][]byte // checkpoints that were final
	lost bool     // the ledger may hold another chain of it than it has itself
}

// newAdversary draws what a member does.
func newAdversary(w *world, self string, r *rand.Rand) (*adversary, error) {
	a := &adversary{w: w, self: self, r: r}
	harms := []func(){func() {}, a.signTwice, a.replay, a.makeUp, a.comeBackOld, a.flood}
	a.harm = harms[r.IntN(len(harms))]
	if w.members[self].service == nil {
		return nil, errors.New("it does not run")
	}
	w.mu.Lock()
	w.bad[self] = true
	w.mu.Unlock()
	return a, nil
}

func (a *adversary) act() { a.harm() }

// victim is a member that runs, or nil.
func (a *adversary) victim() *Service {
	ids := slices.DeleteFunc(a.w.ids(), func(id string) bool { return id == a.self || a.w.members[id].service == nil })
	if len(ids) == 0 {
		return nil
	}
	return a.w.members[ids[a.r.IntN(len(ids))]].service
}

// ask sends somebody a request, as bytes.
func (a *adversary) ask(k wire.Kind, body []byte) error {
	s := a.victim()
	if s == nil {
		return errors.New("nobody runs")
	}
	_, err := s.reply(context.Background(), a.self, k, body)
	return err
}

// final are the final checkpoints that the adversary knows, or somebody if it does not run.
func (a *adversary) final() []checkpoint.Signed {
	s := a.w.members[a.self].service
	if s == nil {
		s = a.victim()
	}
	if s == nil {
		return nil
	}
	kept, err := s.mirror.Final()
	must(a.w.t, err)
	return kept
}

// signTwice signs, in both roles, another tree of a size that is final.
func (a *adversary) signTwice() {
	kept := a.final()
	if len(kept) == 0 {
		return
	}
	c, err := kept[a.r.IntN(len(kept))].Checkpoint()
	must(a.w.t, err)
	c.Root[a.r.IntN(len(c.Root))] ^= 1
	forged := checkpoint.Signed{Text: c.Text()}
	key := a.w.members[a.self].options.Key
	for _, role := range []checkpoint.Role{checkpoint.Sequencer, checkpoint.Cosigner} {
		forged.Signatures = append(forged.Signatures, checkpoint.Sign(c, a.self, role, key, today()))
	}
	b, err := forged.Marshal()
	must(a.w.t, err)
	if a.ask(exchange.KindFinal, b) == nil {
		a.w.t.Error("a forged checkpoint was taken")
	}
}

// replay shows checkpoints again that were final before.
func (a *adversary) replay() {
	for _, one := range a.final() {
		b, err := one.Marshal()
		must(a.w.t, err)
		a.old = append(a.old, b)
	}
	for _, b := range a.old[max(0, len(a.old)-8):] {
		_ = a.ask(exchange.KindFinal, b) // known, or of no use
		signed, _, err := checkpoint.Unmarshal(b)
		must(a.w.t, err)
		offer, err := wire.Marshal(exchange.Offer{Signed: signed})
		must(a.w.t, err)
		_ = a.ask(exchange.KindOffer, offer)
	}
}

// makeUp hands in entries in others' names, and other own ones than those in its chain.
func (a *adversary) makeUp() {
	author := a.w.w.authors[a.r.IntN(len(a.w.w.authors))]
	a.lost = a.lost || author.Member == a.self
	author.Key = a.w.w.authors[slices.Index(a.w.ids(), a.self)].Key
	body, err := entry.Body(entry.Sealed{Digest: bytes.Repeat([]byte{1}, 32)})
	must(a.w.t, err)
	c := a.w.members[author.Member].chain
	c.mu.Lock()
	head := c.heads[a.r.IntN(len(c.heads))]
	c.mu.Unlock()
	one, _, err := author.Next(head, entry.Submitted, entry.SealedDigest, body, today())
	must(a.w.t, err)
	b, err := one.Marshal()
	must(a.w.t, err)
	list, err := wire.Marshal(exchange.Entries{Entries: [][]byte{b, b}})
	must(a.w.t, err)
	_ = a.ask(exchange.KindSubmit, list)
}

// comeBackOld goes back to an old copy of the own folder, or makes one.
func (a *adversary) comeBackOld() {
	m := a.w.members[a.self]
	if m.stop != nil {
		m.stop()
	}
	if a.copy == "" {
		a.copy = a.w.copied(a.self)
	} else {
		a.w.revert(a.self, a.copy)
	}
	a.w.start(a.self)
}

// flood asks for what is refused.
func (a *adversary) flood() {
	position, err := wire.Marshal(exchange.Position{Size: 1 << 40})
	must(a.w.t, err)
	beyond, err := wire.Marshal(exchange.Range{From: 1 << 40, Until: 1<<40 + 1})
	must(a.w.t, err)
	for range 50 {
		_ = a.ask(exchange.KindNext, position)
		if a.ask(exchange.KindFetch, beyond) == nil {
			a.w.t.Error("entries came that nobody holds")
		}
		_ = a.ask(exchange.KindOffer, position)
	}
}
