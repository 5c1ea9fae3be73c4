package exact

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"entente/crypto/transcript"
	"entente/protocol/tags"
)

// listLabel is the label of the digest of the peer's list.
const listLabel = "entente/exact/tags/1"

// tagSender makes the blocks of the own list out of ascending tags.
type tagSender struct {
	flow   flow
	code   tags.Code
	first  int // block that the peer lacks
	before *tags.Tag
	block  []tags.Tag
	index  int
	send   func(index int, content []byte) error
}

// sendTags sends the own list, of which the journal holds the entries, from where the peer
// has it.
func (l ledger) sendTags(ctx context.Context, to *link) error {
	f := l.side.plan[listed]
	first, _ := to.at(listed)
	if first == f.chunks() {
		return nil
	}
	s := tagSender{flow: f, code: *f.code, first: first, block: make([]tags.Tag, 0, f.chunk),
		send: func(index int, content []byte) error { return to.send(ctx, listed, index, content) }}
	return l.sweep(ctx, byTag, func(part []entry) error {
		for i := range part {
			if err := s.put(part[i].tag); err != nil {
				return err
			}
		}
		return nil
	})
}

// put adds the next tag. Of two that are the same, which chance hardly makes, the second
// becomes the next larger number: a list ascends strictly.
func (s *tagSender) put(tag tags.Tag) error {
	last := s.before
	if n := len(s.block); n > 0 {
		last = &s.block[n-1]
	}
	if last != nil && tags.Compare(*last, tag) >= 0 {
		tag = successor(*last)
		if tag == (tags.Tag{}) {
			return errors.New("send tags: the largest tag twice")
		}
	}
	if s.block = append(s.block, tag); len(s.block) < s.flow.count(s.index) {
		return nil
	}
	if s.index >= s.first {
		content, err := s.code.AppendBlock(nil, s.before, s.block)
		if err != nil {
			return fmt.Errorf("send tags: %w", err)
		}
		if err := s.send(s.index, content); err != nil {
			return err
		}
	}
	end := tag
	s.before = &end
	s.block = s.block[:0]
	s.index++
	return nil
}

// successor is the next larger number; zero after the largest.
func successor(t tags.Tag) tags.Tag {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i]++; t[i] != 0 {
			break
		}
	}
	return t
}

// tagReceiver accepts the peer's list, block by block. The order is what makes the list say
// nothing but its content, and what lets it be compared without being held in memory.
type tagReceiver struct {
	flow  flow
	last  *tags.Tag
	block []tags.Tag
}

// take decodes the next block; what it returns is overwritten by the next call.
func (t *tagReceiver) take(index int, content []byte) ([]tags.Tag, error) {
	block, err := t.flow.code.DecodeBlock(t.block[:0], t.last, t.flow.count(index), content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.flow.describe(index), err)
	}
	t.block = block
	last := block[len(block)-1]
	t.last = &last
	return block, nil
}

// accept makes the function that takes blocks from the stream and keeps them as they are.
func (t *tagReceiver) accept(d *side, l *link) acceptFunc {
	return func(ctx context.Context, index int, content []byte) error {
		if _, err := t.take(index, content); err != nil {
			return err
		}
		return d.keep(ctx, l, listed, index, content)
	}
}

// stored reads the blocks that the journal holds. Their faults are the journal's.
func (t *tagReceiver) stored(ctx context.Context, d *side, visit func(content []byte, block []tags.Tag) error) (int, error) {
	return d.diary.read(ctx, t.flow.name, func(i int, data []byte) error {
		if i >= t.flow.chunks() {
			return fmt.Errorf("more than %d blocks", t.flow.chunks())
		}
		block, err := t.take(i, data)
		if err != nil {
			return errors.New(err.Error()) // not a peer's
		}
		return visit(data, block)
	})
}

// restore reads what the journal holds of the list and returns the number of blocks.
func (t *tagReceiver) restore(ctx context.Context, d *side) (int, error) {
	t.flow = d.plan[listed]
	return t.stored(ctx, d, func([]byte, []tags.Tag) error { return nil })
}

// join visits the own entries whose tag is on the peer's list, ascending by tag, and returns
// the list's digest. Both sides of it are read as they go.
func (l ledger) join(ctx context.Context, hit func(e entry)) ([32]byte, error) {
	digest := transcript.New(listLabel)
	t := tagReceiver{flow: l.side.plan[listed]}
	next, stop := iter.Pull2(t.all(ctx, l.side, digest))
	defer stop()
	block, err, more := next()
	sweep := l.sweep(ctx, byTag, func(part []entry) error {
		for i := range part {
			for more && err == nil && tags.Compare(block[0], part[i].tag) < 0 {
				if block = block[1:]; len(block) == 0 {
					block, err, more = next()
				}
			}
			if more && err == nil && block[0] == part[i].tag {
				hit(part[i])
			}
		}
		return err
	})
	for sweep == nil && more && err == nil {
		_, err, more = next() // to the end, for the digest
	}
	return digest.Sum(), errors.Join(sweep, err)
}

// all are the blocks of the whole list, which the journal holds.
func (t *tagReceiver) all(ctx context.Context, d *side, digest *transcript.Transcript) iter.Seq2[[]tags.Tag, error] {
	return func(yield func([]tags.Tag, error) bool) {
		enough := errors.New("nobody wants more")
		n, err := t.stored(ctx, d, func(content []byte, block []tags.Tag) error {
			digest.Append("", content)
			if !yield(block, nil) {
				return enough
			}
			return nil
		})
		if errors.Is(err, enough) {
			return
		}
		if err == nil && n != t.flow.chunks() {
			err = fmt.Errorf("read journal: %d of %d %s", n, t.flow.chunks(), t.flow.name)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}
