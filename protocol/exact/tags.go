package exact

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"entente/crypto/transcript"
)

// Labels of the two hashes of one output. They differ, so a tag says nothing of a proof.
const (
	tagLabel      = "entente/exact/tag/1"
	proofLabel    = "entente/exact/proof/1"
	countTagLabel = "entente/exact/count/tag/1"

	// listLabel is the label of the digest of the peer's list.
	listLabel = "entente/exact/tags/1"
)

// entrySize is the length of tag and proof together.
const entrySize = TagSize + ProofSize

// appendEntry appends tag and proof of an output of the function.
func appendEntry(b, output []byte) []byte {
	tag := transcript.Digest(tagLabel, output)
	proof := transcript.Digest(proofLabel, output)
	return append(append(b, tag[:TagSize]...), proof[:ProofSize]...)
}

// appendPointTags appends the tag of each of a batch of points of a count.
func appendPointTags(b, points []byte) []byte {
	for point := range slices.Chunk(points, elementSize) {
		tag := transcript.Digest(countTagLabel, point)
		b = append(b, tag[:TagSize]...)
	}
	return b
}

// column reads one field out of equal records that lie one after the other.
type column struct {
	records            []byte
	stride, from, size int
}

func (c column) at(i uint32) []byte {
	start := int(i)*c.stride + c.from
	return c.records[start : start+c.size]
}

func (c column) len() int { return len(c.records) / c.stride }

// sorted returns the numbers of the records ordered by the field.
func (c column) sorted() []uint32 {
	order := make([]uint32, c.len())
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(c.at(a), c.at(b)) })
	return order
}

// repeats tells whether two records have the same field; order sorts by it.
func (c column) repeats(order []uint32) bool {
	for i := 1; i < len(order); i++ {
		if bytes.Equal(c.at(order[i-1]), c.at(order[i])) {
			return true
		}
	}
	return false
}

// tagList returns the sender's list: the distinct own tags, strictly ascending. If two were
// the same, random ones make up for them.
func tagList(class int, own column, padding io.Reader) ([]byte, error) {
	list := make([][TagSize]byte, 0, class)
	for i := range uint32(own.len()) {
		list = append(list, [TagSize]byte(own.at(i)))
	}
	for {
		slices.SortFunc(list, func(a, b [TagSize]byte) int { return bytes.Compare(a[:], b[:]) })
		list = slices.Compact(list)
		if len(list) >= class {
			break
		}
		for len(list) < class {
			var tag [TagSize]byte
			if _, err := io.ReadFull(padding, tag[:]); err != nil {
				return nil, fmt.Errorf("fill tags: %w", err)
			}
			list = append(list, tag)
		}
	}
	b := make([]byte, 0, class*TagSize)
	for _, tag := range list {
		b = append(b, tag[:]...)
	}
	return b, nil
}

// ascending checks that a chunk of tags goes up strictly from the tag before it, and
// returns its last tag. The order is what makes the list say nothing but its content, and
// what lets it be compared without being held in memory.
func ascending(before, chunk []byte) ([]byte, error) {
	for tag := range slices.Chunk(chunk, TagSize) {
		if before != nil && bytes.Compare(before, tag) >= 0 {
			return nil, malformed("tags do not ascend")
		}
		before = tag
	}
	return bytes.Clone(before), nil
}

// join visits the numbers of the own records whose tag is on the peer's list, which the
// journal holds, and returns the list's digest. order sorts own by tag.
func (d *side) join(ctx context.Context, own column, order []uint32, hit func(i uint32)) ([32]byte, error) {
	f := d.plan[tags]
	list := transcript.New(listLabel)
	next := 0
	n, err := d.diary.read(ctx, f.name, exactly(f.bytes, func(_ int, data []byte) error {
		list.Append("", data)
		for tag := range slices.Chunk(data, TagSize) {
			for next < len(order) && bytes.Compare(own.at(order[next]), tag) < 0 {
				next++
			}
			for next < len(order) && bytes.Equal(own.at(order[next]), tag) {
				hit(order[next])
				next++
			}
		}
		return nil
	}))
	if err == nil && n != f.chunks() {
		err = fmt.Errorf("read journal: %d of %d %s", n, f.chunks(), f.name)
	}
	return list.Sum(), err
}

// tagReceiver accepts the peer's list, chunk by chunk.
type tagReceiver struct{ last []byte }

// restore reads what the journal holds of the list and returns the number of chunks.
func (t *tagReceiver) restore(ctx context.Context, d *side) (int, error) {
	f := d.plan[tags]
	return d.diary.read(ctx, f.name, exactly(f.bytes, func(_ int, data []byte) error {
		t.last = bytes.Clone(data[len(data)-TagSize:])
		return nil
	}))
}

func (t *tagReceiver) take(content []byte) (err error) {
	t.last, err = ascending(t.last, content)
	return err
}
