package exact

import (
	"context"
	"fmt"
	"io"
	"iter"

	"entente/crypto/oprf"
	"entente/protocol/pipeline"
)

// oprfSuite is the suites "oprf" and "oprf-rfc9497": a verifiable function, each item's
// output on its own. They differ in the form of proofs only.
type oprfSuite struct{ suite }

// oprfReceiver is the receiver's part.
type oprfReceiver struct {
	*side
	link     *link
	taken    bitmap // slots that items stand in, in their order; the others hold filling
	blinds   []byte // seed
	padding  []byte // seed
	tags     tagReceiver
	free     chan struct{}    // one token for each question under way
	asked    chan *oprf.Batch // in order of their questions
	answered chan arrival     // from the reader; closed when no more come
	entries  ledger           // of each slot that is answered
	done     int              // records of them in the journal
}

// Receive finds which own items the peer has.
func (o oprfSuite) Receive(ctx context.Context, rw io.ReadWriter, s Session, set Set, j Journal, p Progress) (Result, error) {
	d, err := openSide(ctx, o.suite, receiver, s, set, j)
	if err != nil {
		return refused(rw, err)
	}
	n := window()
	r := &oprfReceiver{side: d, free: make(chan struct{}, n), asked: make(chan *oprf.Batch, n),
		answered: make(chan arrival, n)}
	durable, err := r.restore(ctx)
	if err != nil {
		return refused(rw, err)
	}
	r.link = d.link(rw, durable, p)
	r.link.begin = r.vet
	r.link.accept[answers] = r.takeAnswer
	r.link.accept[listed] = r.tags.accept(d, r.link)
	var hit bitmap
	err = r.link.run(ctx, func() { close(r.answered) }, r.ask,
		func(context.Context) error { return r.verify(ctx) },
		func(inner context.Context) (err error) {
			if err = r.link.waitAll(inner); err == nil && s.Mutual {
				hit, err = r.conclude(inner)
			}
			return err
		})
	var result Result
	if err == nil && !s.Mutual {
		// After Done, so that a sender who must not learn cannot time it.
		hit, err = r.conclude(ctx)
	}
	if err == nil {
		result, err = r.entries.hits(ctx, hit, r.taken.has)
	}
	return d.finish(ctx, r.link, result, err)
}

// restore derives what the questions are made of and reads the journal.
func (r *oprfReceiver) restore(ctx context.Context) (durable [flowCount]int, err error) {
	stream, err := r.root.stream(slotLabel)
	if err != nil {
		return durable, err
	}
	if r.taken, err = choose(stream, r.size, r.session.Receiver); err != nil {
		return durable, err
	}
	if r.blinds, err = r.root.seed(blindLabel); err != nil {
		return durable, err
	}
	if r.padding, err = r.root.seed(padLabel); err != nil {
		return durable, err
	}
	f := r.plan[answers]
	r.entries = ledger{side: r.side, record: f.name, class: f.items, chunk: f.chunk, size: entrySize}
	if r.done, err = r.entries.count(ctx); err != nil {
		return durable, err
	}
	durable[answers] = r.done
	durable[listed], err = r.tags.restore(ctx, r.side)
	return durable, err
}

// vet knows that returns go out only when all else is here.
func (r *oprfReceiver) vet(_ context.Context, have [flowCount]int) error {
	for _, id := range r.role.incoming() {
		if have[returns] > 0 && have[id] != r.plan[id].chunks() {
			return lost("the peer has %d returns, this side %d of %d %s", have[returns], have[id], r.plan[id].chunks(), r.plan[id].name)
		}
	}
	return nil
}

// ask blinds the questions that lack an answer, and sends those that the peer lacks.
func (r *oprfReceiver) ask(ctx context.Context) error {
	first, _ := r.link.at(answers)
	known, _ := r.link.at(questions)
	if first > known {
		return lost("%d answers to %d questions", first, known)
	}
	next := first
	return pipeline.Ordered(ctx, r.open(first), r.blind, func(b *oprf.Batch) error {
		index := next
		next++
		r.asked <- b // never blocks: as wide as the window
		if index < known {
			return nil
		}
		return r.link.send(ctx, questions, index, b.Blinded())
	})
}

// questions are the slots of the questions from one on.
func (r *oprfReceiver) questions(first int) func(context.Context) iter.Seq2[stretch, error] {
	f := r.plan[questions]
	return r.stretches(f.items, f.chunk, first, r.taken.has)
}

// open are the questions from the first on, each when there is room for it.
func (r *oprfReceiver) open(first int) func(context.Context) iter.Seq2[stretch, error] {
	return func(ctx context.Context) iter.Seq2[stretch, error] {
		return func(yield func(stretch, error) bool) {
			for s, err := range r.questions(first)(ctx) {
				if err == nil {
					select {
					case r.free <- struct{}{}:
					case <-ctx.Done():
						return
					}
				}
				if !yield(s, err) {
					return
				}
			}
		}
	}
}

// blind makes the batch of one chunk.
func (r *oprfReceiver) blind(s stretch) (*oprf.Batch, error) {
	inputs := r.inputsOf(s, 0, r.padding)
	blinds, err := blindsOf(r.blinds, s.first, inputs)
	if err != nil {
		return nil, err
	}
	return r.peer.Blind(inputs, blinds)
}

// takeAnswer queues a chunk of answers for verification.
func (r *oprfReceiver) takeAnswer(_ context.Context, index int, content []byte) error {
	if _, sent := r.link.at(questions); index >= sent {
		return malformed("answer %d to %d questions", index, sent)
	}
	return r.link.queue(r.answered, index, content)
}

// verification is a question with its answer.
type verification struct {
	batch *oprf.Batch
	arrival
}

// verify checks answers and keeps their tags and proofs. It goes on under the caller's
// context when the stream fails, so that what has come is not lost.
func (r *oprfReceiver) verify(ctx context.Context) error {
	return pipeline.Ordered(ctx, r.pairs, r.finalize, func(entries []byte) error {
		if err := r.keep(ctx, r.link, answers, r.done, entries); err != nil {
			return err
		}
		r.done++
		select {
		case <-r.free:
		default: // a question that was made after a failure took none
		}
		return nil
	})
}

// pairs joins answers, which come in order, with their questions. A resumed run may be
// answered before the question is made again; after a failure it is made here, so that an
// answer that has arrived is never lost and each attempt gets further.
func (r *oprfReceiver) pairs(ctx context.Context) iter.Seq2[verification, error] {
	return func(yield func(verification, error) bool) {
		failed := false
		var again func() (stretch, error, bool)
		for a := range arrivals(r.answered)(ctx) {
			var b *oprf.Batch
			var err error
			if !failed {
				select {
				case b = <-r.asked:
				case <-r.link.failed:
					failed = true
				case <-ctx.Done():
					return
				}
			}
			if failed && again == nil {
				var stop func()
				again, stop = iter.Pull2(r.questions(a.index)(ctx))
				defer stop()
			}
			if failed {
				var s stretch
				if s, err, _ = again(); err == nil {
					b, err = r.blind(s)
				}
			}
			if !yield(verification{b, a}, err) {
				return
			}
		}
	}
}

func (r *oprfReceiver) finalize(v verification) ([]byte, error) {
	split := len(v.content) - evaluationProofSize
	outputs, err := v.batch.Finalize(v.content[:split], v.content[split:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.plan[answers].describe(v.index), blame(err))
	}
	entries := make([]byte, 0, len(outputs)*entrySize)
	for _, output := range outputs {
		entries = appendEntry(entries, output)
	}
	return entries, nil
}

// conclude finds the slots of hits once all has come, and returns their proofs if the run is
// mutual.
func (r *oprfReceiver) conclude(ctx context.Context) (bitmap, error) {
	hit, n := newBitmap(r.session.Receiver), 0
	list, err := r.entries.join(ctx, func(e entry) {
		if r.taken.has(int(e.place)) { // filling is compared too: it costs the same
			hit.add(int(e.place))
			n++
		}
	})
	if err == nil && r.session.Mutual {
		err = r.giveBack(ctx, list, hit, n)
	}
	return hit, err
}
