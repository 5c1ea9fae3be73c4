package exact

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	"entente/protocol/tags"
)

// oprfSender is the sender's part.
type oprfSender struct {
	*side
	link    *link
	own     ownList
	answers once
	old     []arrival    // questions of the journal that have no answer there
	asked   chan arrival // questions from the reader; closed after the last
}

// Send lets the peer find which of its items this side has and, if the run is mutual, finds
// the same.
func (s oprfSuite) Send(ctx context.Context, rw io.ReadWriter, agreed Session, set Set, j Journal, p Progress) (Result, error) {
	d, err := openSide(ctx, s.suite, sender, agreed, set, j)
	if err != nil {
		return refused(rw, err)
	}
	o := &oprfSender{side: d, asked: make(chan arrival, 1),
		own: newOwnList(d, entrySize, 0), answers: once{side: d, id: answers}}
	durable, err := o.restore(ctx)
	if err != nil {
		return refused(rw, err)
	}
	o.link = d.link(rw, durable, p)
	o.link.begin = func(_ context.Context, have [flowCount]int) error { return o.answers.vet(have) }
	o.link.accept[questions] = o.takeQuestion
	if durable[questions] == o.plan[questions].chunks() {
		close(o.asked)
	}
	o.link.accept[returns] = o.takeReturn
	var result Result
	err = o.link.run(ctx, func() {}, o.evaluate, func(inner context.Context) (err error) {
		result, err = o.tell(inner)
		return err
	})
	return d.finish(ctx, o.link, result, err)
}

// restore reads what the journal holds of the own list, and counts what came in.
func (o *oprfSender) restore(ctx context.Context) (durable [flowCount]int, err error) {
	if err = o.answers.restore(ctx); err != nil {
		return durable, err
	}
	for _, id := range o.role.incoming() {
		f := o.plan[id]
		durable[id], err = o.diary.read(ctx, f.name, exactly(f.bytes, func(i int, data []byte) error {
			if id == questions && i >= o.answers.chunks { // no more than were under way
				o.old = append(o.old, arrival{i, bytes.Clone(data)})
			}
			return nil
		}))
		if err != nil {
			return durable, err
		}
	}
	if o.answers.chunks > durable[questions] {
		return durable, fmt.Errorf("read journal: %d answers to %d questions", o.answers.chunks, durable[questions])
	}
	return durable, o.own.restore(ctx)
}

// takeQuestion makes a chunk of questions durable before anything is answered: the journal
// takes each place once, so no disconnect gets a peer more answers than its class has
// places, or other questions into an old place.
func (o *oprfSender) takeQuestion(ctx context.Context, index int, content []byte) error {
	if err := o.keep(ctx, o.link, questions, index, content); err != nil {
		return err
	}
	if err := o.link.queue(o.asked, index, content); err != nil {
		return err
	}
	if index == o.plan[questions].chunks()-1 {
		close(o.asked)
	}
	return nil
}

// takeReturn keeps a chunk of returns, which an honest peer has only when it has all else.
func (o *oprfSender) takeReturn(ctx context.Context, index int, content []byte) error {
	for _, id := range o.role.outgoing() {
		if _, sent := o.link.at(id); sent != o.plan[id].chunks() {
			return malformed("returns before all %s were sent", o.plan[id].name)
		}
	}
	return o.keep(ctx, o.link, returns, index, content)
}

// evaluate answers the questions, old ones first.
func (o *oprfSender) evaluate(ctx context.Context) error {
	return o.answers.send(ctx, o.link, o.pending, func(a arrival) ([]byte, error) {
		evaluated, proof, err := o.key.Evaluate(a.content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.plan[questions].describe(a.index), blame(err))
		}
		return append(evaluated, proof...), nil
	})
}

func (o *oprfSender) pending(ctx context.Context) iter.Seq2[arrival, error] {
	return func(yield func(arrival, error) bool) {
		for i, a := range o.old {
			o.old[i] = arrival{}
			if !yield(a, nil) {
				return
			}
		}
		for a := range arrivals(o.asked)(ctx) {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// tell sends the own list and, if the run is mutual, finds the hits among the returns.
func (o *oprfSender) tell(ctx context.Context) (Result, error) {
	err := o.own.compute(ctx, func(inputs [][]byte) ([]byte, error) {
		outputs, err := o.key.Outputs(inputs)
		if err != nil {
			return nil, err
		}
		entries := make([]byte, 0, len(inputs)*entrySize)
		for _, output := range outputs {
			entries = appendEntry(entries, output)
		}
		return entries, nil
	})
	if err != nil {
		return Result{}, err
	}
	if err := o.own.sendTags(ctx, o.link); err != nil {
		return Result{}, err
	}
	if err := o.link.waitAll(ctx); err != nil {
		return Result{}, err
	}
	if !o.session.Mutual {
		return Result{}, nil
	}
	hit, err := o.match(ctx)
	if err != nil {
		return Result{}, err
	}
	return o.own.hits(ctx, hit, o.own.taken)
}

// match finds the own places whose proofs came back. A proof can only come from a peer that
// had the item evaluated, so a hit cannot be made up; one that comes twice can.
func (o *oprfSender) match(ctx context.Context) (bitmap, error) {
	hit := newBitmap(o.own.class)
	f := o.plan[returns]
	return hit, o.own.sweep(ctx, byProof, func(part []entry) error {
		_, err := o.diary.read(ctx, f.name, exactly(f.bytes, func(_ int, data []byte) error {
			for proof := range slices.Chunk(data, ProofSize) {
				if err := mark(hit, part, tags.Proof(proof)); err != nil {
					return err
				}
			}
			return nil
		}))
		return err
	})
}

// mark notes the places of a proof, if it is one of those in a part.
func mark(hit bitmap, part []entry, proof tags.Proof) error {
	key := tags.Tag(proof[:TagSize])
	if n := len(part); n == 0 || tags.Compare(key, *byProof(&part[0])) < 0 || tags.Compare(key, *byProof(&part[n-1])) > 0 {
		return nil // of another part, as most are where there are many
	}
	at, found := slices.BinarySearchFunc(part, key, func(e entry, t tags.Tag) int { return tags.Compare(*byProof(&e), t) })
	for ; found && at < len(part) && *byProof(&part[at]) == key; at++ {
		if part[at].proof != proof {
			continue // alike by chance, as far as they were sorted
		}
		place := int(part[at].place)
		if hit.has(place) {
			return malformed("a proof was returned twice")
		}
		hit.add(place)
	}
	return nil
}
