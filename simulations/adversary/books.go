package adversary

import (
	"context"
	"iter"
	"time"

	"entente/protocol/round"
	"entente/protocol/standing"
)

// books are B's shelf, account and receipts in memory, for one feed. The decisions are
// those of standing.Account, which B's node keeps in its store. One sync uses them at a
// time, and within it one call at a time.
type books struct {
	*published
	now      func() time.Time
	account  standing.Account
	limits   standing.Limits
	answers  map[uint32][]byte // that are not acknowledged
	receipts int
}

func newBooks(p *published, now func() time.Time) *books {
	return &books{
		published: p, now: now, limits: standing.Limits{Queries: p.session.Queries, Checks: p.session.Checks},
		account: standing.Account{Index: p.open.Period.Index}, answers: map[uint32][]byte{},
	}
}

// Period returns the one tag period of the scenario.
func (b *books) Period(context.Context) (standing.Open, error) { return b.open, nil }

// Publication yields the tags from a block on.
func (b *books) Publication(_ context.Context, _, block uint32) iter.Seq2[standing.Tag, error] {
	return b.publication(block)
}

// Runs yields nothing: B's list does not change in the scenario.
func (b *books) Runs(context.Context, uint32, uint32) iter.Seq2[standing.Run, error] {
	return func(func(standing.Run, error) bool) {}
}

// Mark returns the mark after the publication.
func (b *books) Mark(_ context.Context, _, run uint32) (standing.Mark, bool, error) {
	return b.mark, run == 0 || run == standing.Latest, nil
}

// Position returns where the account stands.
func (b *books) Position(context.Context, uint32) (standing.Position, error) {
	return b.account.Position(b.now().UnixMilli()), nil
}

// Take charges a chunk, or refuses it.
func (b *books) Take(_ context.Context, c standing.Chunk) ([]byte, error) {
	again, err := b.account.Take(b.limits, c, b.now().UnixMilli())
	if err != nil || !again {
		return nil, err
	}
	return b.answers[c.Number], nil
}

// Keep stores an answer.
func (b *books) Keep(_ context.Context, _, number uint32, answer []byte) error {
	b.answers[number] = answer
	return nil
}

// Acknowledged drops answers that the asker has.
func (b *books) Acknowledged(_ context.Context, index, next uint32) error {
	for n := range b.answers {
		if n < next {
			delete(b.answers, n)
		}
	}
	return b.account.Acknowledge(index, next)
}

// Applied counts the receipts.
func (b *books) Applied(context.Context, standing.Applied, round.Signed) error {
	b.receipts++
	return nil
}
