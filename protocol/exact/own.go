package exact

import (
	"context"
	"fmt"
	"slices"
)

// ownChunk is how many of a sender's own items are worked on together.
const ownChunk = 512

// ownList is what a sender computes of its own list: one record an item, in order of
// position, then dummies, then filling up to the class, so that the time that it takes
// depends on the class alone. It is kept in the journal: a resumed run does not compute it
// again.
type ownList struct {
	side    *side
	size    int // bytes of a record
	dummies int
	padding []byte // seed
	records []byte
	chunks  int // in the journal
}

// restore reads what the journal holds.
func (o *ownList) restore(ctx context.Context) (err error) {
	if o.padding, err = o.side.root.seed(padLabel); err != nil {
		return err
	}
	o.records = make([]byte, 0, o.side.session.Sender*o.size)
	o.chunks, err = o.side.diary.read(ctx, outputRecord, exactly(o.length, func(_ int, data []byte) error {
		o.records = append(o.records, data...)
		return nil
	}))
	return err
}

// length returns the bytes of a chunk's records; not above 0 past the end.
func (o *ownList) length(chunk int) int {
	return o.count(chunk) * o.size
}

func (o *ownList) count(chunk int) int { return min(ownChunk, o.side.session.Sender-chunk*ownChunk) }

// compute works out the records of what the journal does not hold yet: work takes the
// inputs of a chunk and returns their records.
func (o *ownList) compute(ctx context.Context, work func(inputs [][]byte) ([]byte, error)) error {
	end := (o.side.session.Sender + ownChunk - 1) / ownChunk
	one := func(chunk int) ([]byte, error) {
		first := chunk * ownChunk
		inputs := make([][]byte, o.count(chunk))
		for i := range inputs {
			inputs[i] = o.side.input(first+i, o.dummies, o.padding, uint32(first+i))
		}
		records, err := work(inputs)
		if err != nil {
			return nil, fmt.Errorf("compute tags of the own list: %w", err)
		}
		return records, nil
	}
	return inOrder(ctx, numbers(o.chunks, end), one, func(records []byte) error {
		if err := o.side.diary.put(ctx, outputRecord, o.chunks, records); err != nil {
			return err
		}
		o.chunks++
		o.records = append(o.records, records...)
		return nil
	})
}

// tags is the column of tags.
func (o *ownList) tags() column { return column{o.records, o.size, 0, TagSize} }

// sendTags sends the list from where the peer has it.
func (o *ownList) sendTags(ctx context.Context, l *link) error {
	padding, err := o.side.root.stream(tagPadLabel)
	if err != nil {
		return err
	}
	list, err := tagList(o.side.session.Sender, o.tags(), padding)
	if err != nil {
		return err
	}
	f := l.plan[tags]
	first, _ := l.at(tags)
	i := 0
	for chunk := range slices.Chunk(list, f.chunk*f.size) {
		if i >= first {
			if err := l.send(ctx, tags, i, chunk); err != nil {
				return err
			}
		}
		i++
	}
	return nil
}
