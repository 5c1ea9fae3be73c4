package standing

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"entente/protocol/pipeline"
	"entente/protocol/wire"
)

// desk answers the questions of one sync.
type desk struct {
	*holder
	line     *line
	index    uint32
	position Position
	expected uint32        // number of the next chunk
	told     uint32        // acknowledged so far in this sync
	heard    bool          // once at least
	answered atomic.Uint32 // chunks below are answered, or were before this sync
	account  sync.Mutex    // held while the meter works
}

// reply is a chunk on its way to its answer.
type reply struct {
	asked
	answer []byte // nil: to be evaluated
}

// answers evaluates what the asker asks, each place charged before.
func (h *holder) answers(ctx context.Context, l *line, p Position) error {
	d := &desk{holder: h, line: l, index: h.open.Period.Index, position: p}
	d.answered.Store(p.Next)
	f, err := l.next(ctx, kindAcknowledged)
	if err != nil {
		return err
	}
	if err := d.acknowledge(ctx, f.body); err != nil {
		return err
	}
	d.expected = d.told
	d.answered.Store(d.told)
	return pipeline.Ordered(ctx, d.questions, d.evaluate, func(r reply) error {
		d.answered.Store(r.number + 1) // first: it may be acknowledged before the write returns
		h.sum.Chunks++
		return l.sendBytes(kindAnswers, encodeAnswers(r.number, r.answer))
	})
}

// questions yields the chunks that come, each charged.
func (d *desk) questions(ctx context.Context) iter.Seq2[reply, error] {
	return func(yield func(reply, error) bool) {
		for {
			f, err := d.line.next(ctx, kindQuestions, kindAcknowledged, kindQuestionsDone)
			var r reply
			switch {
			case err != nil:
			case f.kind == kindQuestionsDone:
				return
			case f.kind == kindAcknowledged:
				if err = d.acknowledge(ctx, f.body); err == nil {
					continue
				}
			default:
				r, err = d.charge(ctx, f.body)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// charge has a chunk's places counted, durably, before anything is evaluated.
func (d *desk) charge(ctx context.Context, body []byte) (reply, error) {
	a, err := decodeQuestions(body)
	if err != nil {
		return reply{}, err
	}
	if a.number != d.expected {
		return reply{}, fault(wire.Malformed, "chunk %d came when %d was due", a.number, d.expected)
	}
	d.expected++
	if d.Now().UnixMilli() >= d.open.Period.Ends {
		return reply{}, fmt.Errorf("chunk %d: %w", a.number, ErrOver)
	}
	d.account.Lock()
	defer d.account.Unlock()
	answer, err := d.meter.Take(ctx, Chunk{
		Index: d.index, Number: a.number, Urgent: a.urgent, Class: a.class(),
		Digest: questionsDigest(d.Session, d.index, a.number, a.urgent, a.blinded),
	})
	if err != nil {
		return reply{}, fmt.Errorf("charge chunk %d: %w", a.number, err)
	}
	if answer != nil && len(answer) != len(a.blinded)+AnswerExtra {
		return reply{}, fmt.Errorf("read answer to chunk %d: %d bytes", a.number, len(answer))
	}
	return reply{a, answer}, nil
}

// evaluate works an answer out, unless there is one, and keeps it also when the sync has
// failed meanwhile: so a peer cannot have the same work done again and again.
func (d *desk) evaluate(r reply) (reply, error) {
	if r.answer != nil {
		return r, nil
	}
	evaluated, proof, err := d.open.Key.Evaluate(r.blinded)
	if err != nil {
		return r, fmt.Errorf("chunk %d: %w", r.number, blame(err))
	}
	r.answer = append(evaluated, proof...)
	d.account.Lock()
	defer d.account.Unlock()
	if err := d.meter.Keep(context.Background(), d.index, r.number, r.answer); err != nil {
		return r, fmt.Errorf("keep answer to chunk %d: %w", r.number, err)
	}
	return r, nil
}

// acknowledge drops the stored answers that the asker holds.
func (d *desk) acknowledge(ctx context.Context, body []byte) error {
	m, err := decode[acknowledgedMessage](body)
	switch {
	case err != nil:
		return err
	case m.Next < d.told:
		return fault(wire.Malformed, "%d chunks are acknowledged after %d", m.Next, d.told)
	case m.Next > d.answered.Load():
		return fault(wire.Malformed, "%d chunks are acknowledged, %d were answered", m.Next, d.answered.Load())
	}
	if d.heard && m.Next == d.told {
		return nil
	}
	d.told, d.heard = m.Next, true
	d.account.Lock()
	defer d.account.Unlock()
	if err := d.meter.Acknowledged(ctx, d.index, m.Next); err != nil {
		return fmt.Errorf("drop answers: %w", err)
	}
	return nil
}
