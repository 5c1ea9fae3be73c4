package standing

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"entente/crypto/oprf"
	"entente/protocol/pipeline"
	"entente/protocol/wire"
)

// inquiry is the questions' part of one sync at the asker. Nothing that takes answers ever
// waits for the writing of questions or acknowledgements: else two full directions could
// block each other.
type inquiry struct {
	*asker
	line    *line
	index   uint32
	inputs  Inputs
	first   uint32           // number of the oldest question
	next    uint32           // number of the next one to ask
	free    chan struct{}    // one token for each chunk that is not acknowledged
	pending chan outstanding // sent or about to be, in order
	durable atomic.Uint32    // answers below are durable
	nudge   chan struct{}    // durable grew; capacity 1
	through chan struct{}    // closed when all answers are in
}

// outstanding is a chunk that waits for its answer.
type outstanding struct {
	Question
	batch *oprf.Batch
}

// answered is a chunk whose answer is checked.
type answered struct {
	number  uint32
	entries []Entry
}

// questions asks what there is to ask, unless the period is over.
func (a *asker) questions(ctx context.Context, l *line, p Position) error {
	index := a.state.Period.Index
	next, err := a.queue.Resume(ctx, index, p)
	if err != nil {
		return fmt.Errorf("resume questions: %w", err)
	}
	if next < p.Acknowledged || next > p.Next {
		return fault(wire.UnknownRound, "the partner's account is at chunk %d of %d, this side's at %d", p.Acknowledged, p.Next, next)
	}
	if err := l.send(kindAcknowledged, acknowledgedMessage{Next: next}); err != nil {
		return err
	}
	if a.over() {
		return nil
	}
	q := &inquiry{
		asker: a, line: l, index: index, inputs: NewInputs(a.Agreement, a.Feed, index), first: next, next: next,
		free: make(chan struct{}, Window), pending: make(chan outstanding, Window),
		nudge: make(chan struct{}, 1), through: make(chan struct{}),
	}
	q.durable.Store(next)
	return together(ctx, l.fail, q.ask, q.verify, q.acknowledge)
}

// over tells whether the period's end has passed by this side's clock, and notes it.
func (a *asker) over() bool {
	if a.Now().UnixMilli() < a.state.Period.Ends {
		return false
	}
	a.sum.Over = true
	return true
}

// ask blinds the chunks and sends them.
func (q *inquiry) ask(ctx context.Context) error {
	defer close(q.pending)
	return pipeline.Ordered(ctx, q.open, q.blind, func(o outstanding) error {
		q.pending <- o // never blocks: as wide as there are tokens
		return q.line.sendBytes(kindQuestions, encodeQuestions(asked{o.Number, o.Urgent, o.batch.Blinded()}))
	})
}

// open are the chunks to ask, each when there is room for it.
func (q *inquiry) open(ctx context.Context) iter.Seq2[Question, error] {
	return func(yield func(Question, error) bool) {
		for question, err := range q.queue.Questions(ctx, q.index) {
			if err == nil && question.Number != q.next {
				err = fmt.Errorf("question %d when %d is next", question.Number, q.next)
			}
			if err != nil {
				yield(question, fmt.Errorf("read questions: %w", err))
				return
			}
			q.next++
			select {
			case q.free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if q.over() || !yield(question, nil) {
				return
			}
		}
	}
}

// blind makes the batch of one chunk: the same bytes whenever it is done.
func (q *inquiry) blind(question Question) (outstanding, error) {
	o := outstanding{Question: question}
	if err := question.check(q.Kinds); err != nil {
		return o, err
	}
	inputs, err := question.inputs(q.inputs)
	if err != nil {
		return o, err
	}
	blinds, err := question.blinds(q.public, inputs)
	if err != nil {
		return o, err
	}
	o.batch, err = q.public.Blind(inputs, blinds)
	return o, err
}

// verify checks the answers under the period's key, in order, and keeps the entries.
func (q *inquiry) verify(ctx context.Context) error {
	defer close(q.through)
	type task struct {
		outstanding
		evaluated, proof []byte
	}
	due := func(ctx context.Context) iter.Seq2[task, error] {
		return func(yield func(task, error) bool) {
			for o := range q.pending {
				t := task{outstanding: o}
				f, err := q.line.next(ctx, kindAnswers)
				if err == nil {
					t.evaluated, t.proof, err = decodeAnswers(f.body, o.Number, o.Class)
				}
				if !yield(t, err) || err != nil {
					return
				}
			}
		}
	}
	return pipeline.Ordered(ctx, due, func(t task) (answered, error) {
		outputs, err := t.batch.Finalize(t.evaluated, t.proof)
		if err != nil {
			return answered{}, fmt.Errorf("answer to chunk %d: %w", t.Number, blame(err))
		}
		entries := make([]Entry, len(t.Items))
		for i := range entries {
			entries[i] = EntryOf(outputs[i])
		}
		return answered{t.Number, entries}, nil
	}, func(a answered) error {
		if err := q.queue.Answered(ctx, q.index, a.number, a.entries); err != nil {
			return fmt.Errorf("keep answers: %w", err)
		}
		q.sum.Chunks++
		q.durable.Store(a.number + 1)
		select {
		case q.nudge <- struct{}{}:
		default: // the last one has yet to be said
		}
		return nil
	})
}

// acknowledge says how far the answers are durable, and only then lets new chunks out: so
// the holder never sees more under way than it allows.
func (q *inquiry) acknowledge(ctx context.Context) error {
	told := q.first // not what is durable by the time this begins
	for more := true; more; {
		select {
		case <-q.nudge:
		case <-q.through:
			more = false
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		durable := q.durable.Load()
		if durable == told {
			continue
		}
		if err := q.line.send(kindAcknowledged, acknowledgedMessage{Next: durable}); err != nil {
			return err
		}
		for ; told < durable; told++ {
			<-q.free
		}
	}
	return nil
}

// together runs parts of one side until all have returned. The first error ends the others
// through fail.
func together(ctx context.Context, fail func(error), parts ...func(context.Context) error) error {
	var running sync.WaitGroup
	for _, part := range parts {
		running.Go(func() {
			if err := part(ctx); err != nil {
				fail(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}
