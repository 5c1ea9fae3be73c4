package bench

import (
	"context"
	"iter"

	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/tags"
)

// The two sides of a feed in memory, as far as one tag period without runs needs them. A
// node keeps the same on disk.

// benchShelf is what the holder publishes.
type benchShelf struct {
	open standing.Open
	tags []tags.Tag
	mark standing.Mark
}

func (s *benchShelf) Period(context.Context) (standing.Open, error) { return s.open, nil }

func (s *benchShelf) Publication(_ context.Context, _, block uint32) iter.Seq2[tags.Tag, error] {
	return eachTag(s.tags[block*standing.BlockTags:])
}

func (*benchShelf) Runs(context.Context, uint32, uint32) iter.Seq2[standing.Run, error] {
	return func(func(standing.Run, error) bool) {}
}

func (s *benchShelf) Mark(_ context.Context, _, run uint32) (standing.Mark, bool, error) {
	return s.mark, run == 0 || run == standing.Latest, nil
}

// benchMeter is the holder's account of questions.
type benchMeter struct {
	account standing.Account
	answers map[uint32][]byte
}

func (m *benchMeter) Position(_ context.Context, index uint32) (standing.Position, error) {
	err := m.account.Begin(index)
	return m.account.Position(0), err
}

func (m *benchMeter) Take(_ context.Context, c standing.Chunk) ([]byte, error) {
	_, err := m.account.Take(standing.Limits{Queries: standing.MaxTags}, c, 0)
	return m.answers[c.Number], err
}

func (m *benchMeter) Keep(_ context.Context, _, number uint32, answer []byte) error {
	if m.answers == nil {
		m.answers = map[uint32][]byte{}
	}
	m.answers[number] = answer
	return nil
}

func (m *benchMeter) Acknowledged(_ context.Context, index, next uint32) error {
	for number := range m.answers {
		if number < next {
			delete(m.answers, number)
		}
	}
	return m.account.Acknowledge(index, next)
}

// benchReceipts takes receipts and keeps none.
type benchReceipts struct{}

func (benchReceipts) Applied(context.Context, standing.Applied, round.Signed) error { return nil }

// benchCache is the asker's copy of the tags.
type benchCache struct {
	state standing.State
	tags  []tags.Tag
}

func (c *benchCache) State(context.Context) (standing.State, error) { return c.state, nil }

func (c *benchCache) Begin(_ context.Context, p standing.Period, s round.Signed) error {
	c.state = standing.State{Signed: s, Period: p}
	c.tags = make([]tags.Tag, 0, p.Class)
	return nil
}

func (c *benchCache) Block(_ context.Context, b standing.Block) error {
	c.tags = append(c.tags, b.Tags...)
	c.state.Blocks, c.state.Last, c.state.Mark = b.Index+1, b.Tags[len(b.Tags)-1], b.Mark
	if b.Last {
		c.state.Known = b.Mark
	}
	return nil
}

func (*benchCache) Apply(context.Context, standing.Run, standing.Mark) error { return nil }

// benchAsking is the asker's queue of questions.
type benchAsking struct {
	questions []standing.Question
	tags      []tags.Tag // answered
}

func (*benchAsking) Resume(context.Context, uint32, standing.Position) (uint32, error) { return 0, nil }

func (a *benchAsking) Questions(context.Context, uint32) iter.Seq2[standing.Question, error] {
	return func(yield func(standing.Question, error) bool) {
		for _, q := range a.questions {
			if !yield(q, nil) {
				return
			}
		}
	}
}

func (a *benchAsking) Answered(_ context.Context, _, _ uint32, entries []standing.Entry) error {
	for _, e := range entries {
		a.tags = append(a.tags, e.Tag)
	}
	return nil
}
