package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// MergeSegments joins segments of the same form into a new one. Where several have an entry
// with one key, that of the last argument counts. Entries for which drop says so are left
// out; drop may be nil, and must not keep or change what it gets. It holds a chunk of each
// segment in memory. The old ones stay.
func (s *Store) MergeSegments(ctx context.Context, segments []*Segment, drop func(entry []byte) bool) (SegmentInfo, error) {
	if len(segments) == 0 {
		return SegmentInfo{}, errors.New("merge segments: there are none")
	}
	form := segments[0].info
	for _, g := range segments {
		if g.info.Width != form.Width || g.info.KeyLength != form.KeyLength {
			return SegmentInfo{}, errors.New("merge segments: they are not of one form")
		}
	}
	w, err := s.CreateSegment(form.Width, form.KeyLength)
	if err != nil {
		return SegmentInfo{}, fmt.Errorf("merge segments: %w", err)
	}
	if err := w.merge(ctx, segments, drop); err != nil {
		return SegmentInfo{}, fmt.Errorf("merge segments: %w", errors.Join(err, w.Abort()))
	}
	info, err := w.Commit()
	if err != nil {
		return SegmentInfo{}, fmt.Errorf("merge segments: %w", err)
	}
	return info, nil
}

func (w *SegmentWriter) merge(ctx context.Context, segments []*Segment, drop func(entry []byte) bool) error {
	h := heap{key: w.info.KeyLength}
	for i, g := range segments {
		c := g.cursor(0)
		if err := h.push(branch{cursor: c, age: len(segments) - i}); err != nil {
			return err
		}
	}
	last := make([]byte, 0, w.info.KeyLength)
	for n := 0; len(h.branches) > 0; n++ {
		if n%chunkEntries == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		entry := h.branches[0].entry
		key := entry[:w.info.KeyLength]
		if len(last) == 0 || !bytes.Equal(key, last) { // else a newer segment had it
			last = append(last[:0], key...)
			if drop == nil || !drop(entry) {
				if err := w.Append(entry); err != nil {
					return err
				}
			}
		}
		if err := h.advance(); err != nil {
			return err
		}
	}
	return nil
}

// branch is one segment in a merge, at its next entry.
type branch struct {
	cursor
	entry []byte
	age   int // 1 for the newest
}

// heap keeps the branch with the smallest next key first, the newest among equals.
type heap struct {
	key      int // bytes of a key
	branches []branch
}

func (h *heap) less(i, j int) bool {
	a, b := &h.branches[i], &h.branches[j]
	if c := bytes.Compare(a.entry[:h.key], b.entry[:h.key]); c != 0 {
		return c < 0
	}
	return a.age < b.age
}

// push adds a branch, unless it is empty.
func (h *heap) push(b branch) error {
	var err error
	if b.entry, err = b.next(); err != nil || b.entry == nil {
		return err
	}
	h.branches = append(h.branches, b)
	for i := len(h.branches) - 1; i > 0 && h.less(i, (i-1)/2); i = (i - 1) / 2 {
		h.branches[i], h.branches[(i-1)/2] = h.branches[(i-1)/2], h.branches[i]
	}
	return nil
}

// advance takes the next entry of the first branch, and puts the branch where it belongs now.
func (h *heap) advance() error {
	var err error
	b := &h.branches[0]
	if b.entry, err = b.next(); err != nil {
		return err
	}
	if b.entry == nil {
		last := len(h.branches) - 1
		h.branches[0] = h.branches[last]
		h.branches = h.branches[:last]
	}
	for i := 0; ; {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < len(h.branches) && h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return nil
		}
		h.branches[i], h.branches[least] = h.branches[least], h.branches[i]
		i = least
	}
}
