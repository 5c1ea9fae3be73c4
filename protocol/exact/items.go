package exact

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"iter"
	"math"
	"slices"
)

// Labels of the inputs of the function, by what they stand for. They differ, so that
// padding and dummies can never meet an element.
const (
	elementLabel = "entente/exact/input/1/element/"
	paddingLabel = "entente/exact/input/1/padding/"
	dummyLabel   = "entente/exact/input/1/dummy/"
)

// items is a list in memory, one element after the other: the questions of a count go out in
// a secret order, which a list on disk cannot be read in.
type items struct {
	arena []byte
	ends  []uint32 // end of each element in the arena
}

// loadItems reads a set of at most limit items and feeds it to the list's hash.
func loadItems(ctx context.Context, set Set, limit int, h hash.Hash) (*items, error) {
	it := new(items)
	ascending := true
	_, err := scan(ctx, set, limit, h, func(i int, element []byte) error {
		if uint64(len(it.arena))+uint64(len(element)) > math.MaxUint32 {
			return errors.New("more than 4 GiB")
		}
		if i > 0 {
			ascending = ascending && bytes.Compare(it.at(i-1), element) < 0
		}
		it.arena = append(it.arena, element...)
		it.ends = append(it.ends, uint32(len(it.arena)))
		return nil
	})
	if err == nil && !ascending {
		err = it.unique()
	}
	return it, err
}

// Len returns the number of items.
func (it *items) Len() int { return len(it.ends) }

// All iterates over the list in its order.
func (it *items) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := range it.ends {
			if !yield(it.at(i), nil) {
				return
			}
		}
	}
}

// at returns the element at a position.
func (it *items) at(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = it.ends[i-1]
	}
	return it.arena[start:it.ends[i]]
}

// unique refuses a list that holds an element twice: it would count twice, and two equal
// points would tell the peer so.
func (it *items) unique() error {
	order := make([]uint32, it.Len())
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(it.at(int(a)), it.at(int(b))) })
	for i := 1; i < len(order); i++ {
		if a, b := order[i-1], order[i]; bytes.Equal(it.at(int(a)), it.at(int(b))) {
			return fmt.Errorf("load list: items %d and %d are the same", min(a, b), max(a, b))
		}
	}
	return nil
}

// inputs encodes what goes into the function: label, agreement, run, kind, version and
// content, each preceded by its length as two bytes. So a value means nothing outside its
// agreement, and no two different sextuples encode alike.
type inputs struct{ element, padding, dummy []byte } // all but the content

func newInputs(suite string, s *Session) inputs {
	prefix := func(label string) []byte {
		b := field(nil, []byte(label+suite))
		b = field(b, s.Agreement[:])
		b = field(b, binary.BigEndian.AppendUint32(nil, uint32(s.Run)))
		b = field(b, []byte(s.Kind))
		return field(b, binary.BigEndian.AppendUint16(nil, s.Version))
	}
	return inputs{prefix(elementLabel), prefix(paddingLabel), prefix(dummyLabel)}
}

func field(b, content []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(content))), content...)
}

func (in inputs) ofElement(element []byte) []byte {
	return field(slices.Clip(in.element), element)
}

// paddingOf returns the keyed hash that fills slots, from its seed.
func paddingOf(seed []byte) hash.Hash { return hmac.New(sha256.New, seed) }

// ofPadding returns the input that fills a slot: nobody else can compute it.
func (in inputs) ofPadding(m hash.Hash, slot uint32) []byte {
	m.Reset()
	m.Write(binary.BigEndian.AppendUint32(nil, slot))
	return field(slices.Clip(in.padding), m.Sum(nil))
}

// ofDummy returns a public input that both sides of a count may hold.
func (in inputs) ofDummy(number int) []byte {
	return field(slices.Clip(in.dummy), binary.BigEndian.AppendUint32(nil, uint32(number)))
}
