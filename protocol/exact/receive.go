package exact

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	"entente/crypto/oprf"
)

// oprfSuite is the suite "oprf": a verifiable function, each item's output on its own.
type oprfSuite struct{ suite }

// oprfReceiver is the receiver's part.
type oprfReceiver struct {
	*side
	link     *link
	slots    []uint32 // value of each slot
	blinds   []byte   // seed
	padding  []byte   // seed
	tags     tagReceiver
	free     chan struct{}    // one token for each question under way
	asked    chan *oprf.Batch // in order of their questions
	answered chan arrival     // from the reader; closed when no more come
	entries  []byte           // tag and proof of each slot that is answered
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
	r.link.accept[tags] = func(ctx context.Context, index int, content []byte) error {
		if err := r.tags.take(content); err != nil {
			return err
		}
		return d.keep(ctx, r.link, tags, index, content)
	}
	var result Result
	err = r.link.run(ctx, func() { close(r.answered) }, r.ask,
		func(context.Context) error { return r.verify(ctx) },
		func(inner context.Context) (err error) {
			if err = r.link.waitAll(inner); err == nil && s.Mutual {
				result, err = r.conclude(inner)
			}
			return err
		})
	if err == nil && !s.Mutual {
		// After Done, so that a sender who must not learn cannot time it.
		result, err = r.conclude(ctx)
	}
	return d.finish(ctx, r.link, result, err)
}

// restore derives the order and reads the journal.
func (r *oprfReceiver) restore(ctx context.Context) (durable [flowCount]int, err error) {
	if r.slots, err = r.side.slots(); err != nil {
		return durable, err
	}
	if r.blinds, err = r.root.seed(blindLabel); err != nil {
		return durable, err
	}
	if r.padding, err = r.root.seed(padLabel); err != nil {
		return durable, err
	}
	r.entries = make([]byte, 0, len(r.slots)*entrySize)
	f := r.plan[answers]
	durable[answers], err = r.diary.read(ctx, f.name, exactly(func(i int) int { return f.count(i) * entrySize },
		func(_ int, data []byte) error {
			r.entries = append(r.entries, data...)
			return nil
		}))
	if err != nil {
		return durable, err
	}
	durable[tags], err = r.tags.restore(ctx, r.side)
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
	return inOrder(ctx, r.open(first), r.blind, func(b *oprf.Batch) error {
		index := next
		next++
		r.asked <- b // never blocks: as wide as the window
		if index < known {
			return nil
		}
		return r.link.send(ctx, questions, index, b.Blinded())
	})
}

// open are the questions from the first on, each when there is room for it.
func (r *oprfReceiver) open(first int) func(context.Context) iter.Seq2[int, error] {
	return func(ctx context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := first; i < r.plan[questions].chunks(); i++ {
				select {
				case r.free <- struct{}{}:
				case <-ctx.Done():
					return
				}
				if !yield(i, nil) {
					return
				}
			}
		}
	}
}

// blind makes the batch of one chunk. A slot's blind derives from the slot and, through
// the root, from the list: it never meets another item.
func (r *oprfReceiver) blind(index int) (*oprf.Batch, error) {
	inputs := r.slotInputs(r.slots, r.padding, index)
	blinds := make([]oprf.Scalar, len(inputs))
	for i := range blinds {
		var err error
		if blinds[i], err = oprf.DeriveScalar(r.blinds, uint64(index*r.plan[questions].chunk+i)); err != nil {
			return nil, err
		}
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
	return inOrder(ctx, r.pairs, r.finalize, func(entries []byte) error {
		index := len(r.entries) / (r.plan[answers].chunk * entrySize)
		r.entries = append(r.entries, entries...)
		if err := r.keep(ctx, r.link, answers, index, entries); err != nil {
			return err
		}
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
			if failed {
				b, err = r.blind(a.index)
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

// conclude finds the hits once all has come, and returns their proofs if the run is mutual.
func (r *oprfReceiver) conclude(ctx context.Context) (Result, error) {
	own := column{r.entries, entrySize, 0, TagSize}
	var hits []uint32 // slots
	list, err := r.join(ctx, own, own.sorted(), func(slot uint32) {
		if int(r.slots[slot]) < r.items.len() { // filling is compared too: it costs the same
			hits = append(hits, slot)
		}
	})
	if err != nil {
		return Result{}, err
	}
	slices.SortFunc(hits, func(a, b uint32) int { return int(r.slots[a]) - int(r.slots[b]) })
	proofs := column{r.entries, entrySize, TagSize, ProofSize}
	var result Result
	for _, slot := range hits {
		result.Positions = append(result.Positions, int(r.slots[slot]))
		result.Proofs = append(result.Proofs, [ProofSize]byte(proofs.at(slot)))
	}
	if !r.session.Mutual {
		return result, nil
	}
	return result, r.giveBack(ctx, list, result.Proofs)
}

// giveBack sends the proofs among random bytes, in random places of a message as long as
// the class, from where the peer has it. Filling and places derive from the peer's list
// too: were it another one, they would be others as well.
func (r *oprfReceiver) giveBack(ctx context.Context, list [32]byte, proofs [][ProofSize]byte) error {
	stream, err := r.root.stream(returnLabel + string(list[:]))
	if err != nil {
		return err
	}
	places, err := permutation(stream, r.session.Receiver)
	if err != nil {
		return err
	}
	message := make([]byte, r.session.Receiver*ProofSize)
	if _, err := io.ReadFull(stream, message); err != nil {
		return fmt.Errorf("fill returns: %w", err)
	}
	for i, proof := range proofs {
		copy(message[int(places[i])*ProofSize:], proof[:])
	}
	first, _ := r.link.at(returns)
	f := r.plan[returns]
	for i := first; i < f.chunks(); i++ {
		start := i * f.chunk * f.size
		if err := r.link.send(ctx, returns, i, bytes.Clone(message[start:start+f.bytes(i)])); err != nil {
			return err
		}
	}
	return nil
}
