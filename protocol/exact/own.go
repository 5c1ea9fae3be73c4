package exact

import (
	"context"
	"fmt"

	"entente/protocol/pipeline"
)

// ownChunk is how many of a sender's own items are worked on together.
const ownChunk = 1024

// ownList is what a sender computes of its own list: one entry a place, of its items in
// their order, then dummies, then filling up to the class, so that the time that it takes
// depends on the class alone. It is kept in the journal: a resumed run does not compute it
// again.
type ownList struct {
	ledger
	dummies int
	padding []byte // seed
	done    int    // records in the journal
}

// newOwnList describes the list of a sender whose entries have a size in bytes.
func newOwnList(d *side, size, dummies int) ownList {
	l := ledger{side: d, record: outputRecord, class: d.session.Sender, chunk: ownChunk / d.suite.divide, size: size}
	return ownList{ledger: l, dummies: dummies}
}

// restore counts what the journal holds.
func (o *ownList) restore(ctx context.Context) (err error) {
	if o.padding, err = o.side.root.seed(padLabel); err != nil {
		return err
	}
	o.done, err = o.count(ctx)
	return err
}

// taken tells in which places items stand.
func (o *ownList) taken(place int) bool { return place < o.side.size }

// compute works out the records that the journal does not hold yet: work takes the inputs of
// a chunk and returns their entries.
func (o *ownList) compute(ctx context.Context, work func(inputs [][]byte) ([]byte, error)) error {
	if o.done == o.chunks() {
		return nil
	}
	one := func(s stretch) ([]byte, error) {
		entries, err := work(o.side.inputsOf(s, o.dummies, o.padding))
		if err != nil {
			return nil, fmt.Errorf("compute tags of the own list: %w", err)
		}
		return entries, nil
	}
	places := o.side.stretches(o.class, o.chunk, o.done, o.taken)
	return pipeline.Ordered(ctx, places, one, func(entries []byte) error {
		if err := o.side.diary.put(ctx, outputRecord, o.done, entries); err != nil {
			return err
		}
		o.done++
		return nil
	})
}
