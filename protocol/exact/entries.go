package exact

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"entente/crypto/transcript"
	"entente/protocol/tags"
)

// Labels of the two hashes of one output. They differ, so a tag says nothing of a proof.
const (
	tagLabel      = "entente/exact/tag/1"
	proofLabel    = "entente/exact/proof/1"
	countTagLabel = "entente/exact/count/tag/1"
)

const (
	// entrySize is the length of tag and proof together.
	entrySize = TagSize + ProofSize
	// sweepEntries is how many entries a sweep expects to hold at once, see sweep.
	sweepEntries = 1 << 20
)

// entry is what one place of a class comes to: 32 bytes in memory.
type entry struct {
	tag   tags.Tag
	proof tags.Proof // none in a count
	place uint32
}

// appendEntry appends tag and proof of an output of the function.
func appendEntry(b, output []byte) []byte {
	tag, proof := tags.Labels{Tag: tagLabel, Proof: proofLabel}.Of(output)
	return append(append(b, tag[:]...), proof[:]...)
}

// appendPointTags appends the tag of each of a batch of points of a count.
func appendPointTags(b, points []byte) []byte {
	for point := range slices.Chunk(points, elementSize) {
		tag := transcript.Digest(countTagLabel, point)
		b = append(b, tag[:TagSize]...)
	}
	return b
}

// ledger is a column of entries that the journal holds, one a place.
type ledger struct {
	side   *side
	record string
	class  int // places
	chunk  int // places in a full record
	size   int // bytes of a place: a tag, or tag and proof
}

// length returns the bytes of a record; not above 0 past the end.
func (l ledger) length(record int) int { return min(l.chunk, l.class-record*l.chunk) * l.size }

// chunks returns the number of records in all.
func (l ledger) chunks() int { return (l.class + l.chunk - 1) / l.chunk }

// count returns how many records the journal holds.
func (l ledger) count(ctx context.Context) (int, error) {
	return l.side.diary.read(ctx, l.record, exactly(l.length, func(int, []byte) error { return nil }))
}

// each visits all places in order; data is tag and proof of one.
func (l ledger) each(ctx context.Context, visit func(place int, data []byte)) error {
	n, err := l.side.diary.read(ctx, l.record, exactly(l.length, func(i int, data []byte) error {
		place := i * l.chunk
		for data := range slices.Chunk(data, l.size) {
			visit(place, data)
			place++
		}
		return nil
	}))
	if err == nil && n != l.chunks() {
		err = fmt.Errorf("read journal: %d of %d records of %s", n, l.chunks(), l.record)
	}
	return err
}

// byTag and byProof are the two orders of entries; of a proof the first bytes decide.
func byTag(e *entry) *tags.Tag { return &e.tag }

func byProof(e *entry) *tags.Tag { return (*tags.Tag)(e.proof[:TagSize]) }

// sweep visits all entries in ascending order of tag or proof, part by part: a part holds
// those that begin with certain bits, so few that no more than some 2^20 entries are in
// memory, twice while they are sorted: 64 MiB. Both orders are those of uniform numbers, so
// parts are equally large but for chance. The journal is read once a part.
func (l ledger) sweep(ctx context.Context, order func(*entry) *tags.Tag, visit func(part []entry) error) error {
	limit, width := l.side.suite.sweep, 0
	if limit == 0 {
		limit = sweepEntries
	}
	for l.class>>width > limit {
		width++
	}
	mean := l.class >> width
	part := make([]entry, 0, mean+mean/64+64) // 16 standard deviations above 2^20
	for number := range uint64(1) << width {
		part = part[:0]
		err := l.each(ctx, func(place int, data []byte) {
			part = append(part, entry{tag: tags.Tag(data), place: uint32(place)})
			e := &part[len(part)-1]
			copy(e.proof[:], data[TagSize:])
			if binary.BigEndian.Uint64(order(e)[:])>>(64-width) != number {
				part = part[:len(part)-1] // of another part
			}
		})
		if err != nil {
			return err
		}
		tags.Sort(part, order)
		if err := visit(part); err != nil {
			return err
		}
	}
	return nil
}

// hits puts the places of a bitmap into a result: positions count the places that an item
// stands in.
func (l ledger) hits(ctx context.Context, hit bitmap, taken func(place int) bool) (result Result, err error) {
	position := 0
	err = l.each(ctx, func(place int, data []byte) {
		if !taken(place) {
			return
		}
		if hit.has(place) {
			result.Positions = append(result.Positions, position)
			result.Proofs = append(result.Proofs, [ProofSize]byte(data[TagSize:]))
		}
		position++
	})
	return result, err
}
