package rounds

import (
	"context"
	"fmt"
	"iter"

	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/round"
	"entente/protocol/terms"
)

// runs executes the runs that one of the two sides has not finished.
func (t *talk) runs(ctx context.Context, peerFinished int) error {
	for i, r := range t.machine.Runs() {
		if i < min(peerFinished, t.machine.Finished()) {
			continue
		}
		result, err := t.run(ctx, i, r)
		if err != nil {
			return fmt.Errorf("run %s: %w", r.Suite, err)
		}
		if i < t.machine.Finished() {
			continue // it was repeated for the peer's sake
		}
		if err := t.finish(ctx, i, r, result); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) run(ctx context.Context, index int, r round.Run) (exact.Result, error) {
	own, err := t.file.secrets()
	if err != nil {
		return exact.Result{}, err
	}
	if r.Suite == round.SimilarSuite {
		return t.compare(ctx, index, own)
	}
	suite, err := exact.Lookup(r.Suite)
	if err != nil {
		return exact.Result{}, err
	}
	session, err := t.session(index, r, own)
	if err != nil {
		return exact.Result{}, err
	}
	items := set{ctx: ctx, store: t.s.o.Store, snapshot: t.file.Snapshot, length: int(t.file.Items)}
	journal := t.s.o.Store.Journal(t.file.ID, index)
	report := func(done, total int64) { t.s.report(t.file.id, done, total) }
	if r.ProposerReceives == t.machine.Proposer() {
		return suite.Receive(ctx, t.bytes, session, items, journal, report)
	}
	return suite.Send(ctx, t.bytes, session, items, journal, report)
}

// session gives a suite what both sides agreed on, and the own secret.
func (t *talk) session(index int, r round.Run, own secrets) (exact.Session, error) {
	o := t.machine.Offer()
	s := exact.Session{
		Agreement: t.machine.Agreement(), Kind: o.Kind, Version: o.Normaliser, Run: index,
		Receiver: r.Receiver, Sender: r.Sender, Mutual: r.Mutual,
		EpsilonMilli: r.EpsilonMilli, PeerPublic: r.SenderPublic,
	}
	var err error
	s.Secret, err = own.of(r.Suite)
	return s, err
}

// finish stores what a run gave this side, then the fact that it is done. What is
// stored is as long for no hit as for many, and what the hits are is looked up after
// the stream has ended: the time that this side takes must not tell their number.
func (t *talk) finish(ctx context.Context, index int, r round.Run, result exact.Result) error {
	receives := r.ProposerReceives == t.machine.Proposer()
	if r.Suite == round.CountSuite && receives {
		t.file.Counted, t.file.Count = true, int64(result.Count)
	}
	if r.Suite == round.SimilarSuite && !r.Mutual {
		receives = (t.machine.Answer().Terms.Proposer != terms.None) == t.machine.Proposer()
	}
	if r.Suite != round.CountSuite && (receives || r.Mutual) {
		class := r.Receiver
		if r.ProposerReceives != t.machine.Proposer() {
			class = r.Sender
		}
		if err := keep(ctx, t.s.o.Store.Journal(t.file.ID, index), result, class); err != nil {
			return err
		}
	}
	t.machine.FinishRun()
	return t.save(ctx, nil)
}

// set gives a suite the elements of a snapshot in their order.
type set struct {
	ctx      context.Context
	store    *store.Store
	snapshot int64
	length   int
}

func (s set) Len() int { return s.length }

func (s set) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for item, err := range s.store.SnapshotItems(s.ctx, s.snapshot) {
			if !yield(item.Element, err) || err != nil {
				return
			}
		}
	}
}
