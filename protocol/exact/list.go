package exact

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"iter"
)

// errChangedList says that a set broke its promise to be the same in every iteration.
var errChangedList = errors.New("read list: it ended before the items that it had at first")

// scan reads a set of at most limit items once, feeds it to the list's hash, each element
// preceded by its length, and returns the number of items.
func scan(ctx context.Context, set Set, limit int, h hash.Hash, visit func(i int, element []byte) error) (int, error) {
	n := set.Len()
	if n < 0 || n > limit {
		return 0, fmt.Errorf("load list: %d items, %d fit the size class agreed", n, limit)
	}
	i := 0
	for element, err := range set.All() {
		if err == nil {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			return 0, fmt.Errorf("load list: %w", err)
		case i == n:
			return 0, fmt.Errorf("load list: more than the %d items announced", n)
		case len(element) == 0 || len(element) > MaxElement:
			return 0, fmt.Errorf("load list: item %d has %d bytes", i, len(element))
		}
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(element)))
		h.Write(length[:])
		h.Write(element)
		if err := visit(i, element); err != nil {
			return 0, fmt.Errorf("load list: %w", err)
		}
		i++
	}
	if i != n {
		return 0, fmt.Errorf("load list: %d items of the %d announced", i, n)
	}
	return n, nil
}

// measure reads a list that stays where it is. It must ascend strictly, which shows that it
// holds nothing twice without any of it in memory: an item would count twice, and two equal
// tags would tell the peer so.
func measure(ctx context.Context, set Set, limit int, h hash.Hash) (int, error) {
	var last []byte
	return scan(ctx, set, limit, h, func(i int, element []byte) error {
		if i > 0 && bytes.Compare(last, element) >= 0 {
			return fmt.Errorf("items %d and %d do not ascend", i-1, i)
		}
		last = append(last[:0], element...)
		return nil
	})
}

// stretch is one chunk of the places of a class, with the elements that stand in them.
type stretch struct {
	index    int
	first    int      // place
	elements [][]byte // nil where none stands
}

// stretches yields a class in chunks, from one on: where a place is taken, the list's next
// element stands. The list is read once, in its own order.
func (d *side) stretches(class, chunk, from int, taken func(place int) bool) func(context.Context) iter.Seq2[stretch, error] {
	return func(ctx context.Context) iter.Seq2[stretch, error] {
		return func(yield func(stretch, error) bool) {
			next, stop := iter.Pull2(d.set.All())
			defer stop()
			for index := 0; index*chunk < class; index++ {
				first := index * chunk
				s := stretch{index, first, make([][]byte, min(chunk, class-first))}
				for i := range s.elements {
					if !taken(first + i) {
						continue
					}
					element, err, more := next()
					if err == nil {
						err = ctx.Err()
					}
					if err == nil && !more {
						err = errChangedList
					}
					if err != nil {
						yield(stretch{}, err)
						return
					}
					if index >= from {
						s.elements[i] = bytes.Clone(element)
					}
				}
				if index >= from && !yield(s, nil) {
					return
				}
			}
		}
	}
}

// inputsOf returns the inputs of a stretch: elements, then as many dummies as the list is
// said to hold behind its items, else filling.
func (d *side) inputsOf(s stretch, dummies int, padding []byte) [][]byte {
	inputs, filling := make([][]byte, len(s.elements)), paddingOf(padding)
	for i, element := range s.elements {
		place := s.first + i
		inputs[i] = d.input(element, place-d.size, dummies, filling, uint32(place))
	}
	return inputs
}

// input returns what stands for a place: its element, or the dummy of a number if there are
// so many, or filling. Filling is derived for each, so that the time tells nothing of how
// much of it there is.
func (d *side) input(element []byte, number, dummies int, padding hash.Hash, place uint32) []byte {
	filling := d.inputs.ofPadding(padding, place)
	switch {
	case element != nil:
		return d.inputs.ofElement(element)
	case number < dummies:
		return d.inputs.ofDummy(number)
	}
	return filling
}
