package names

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"entente/protocol/exact"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// labelChunk is how many labels one frame of handles has, but the last: below a mebibyte.
const labelChunk = 4096

// errMalformed says that bytes are no handles; it blames the peer.
var errMalformed = errors.New("malformed handles")

// buckets are a side's keys with the positions of the records under each. As a list of keys
// for an exact run they ascend.
type buckets struct {
	keys    [][]byte
	records [][]int
}

// readKeys reads the keys of all records, and leaves out those that too many share, and as many
// of each record's last ones as it takes for the others to fit.
func readKeys(ctx context.Context, records Records, class int) (*buckets, error) {
	if n := records.Len(); n > class {
		return nil, fmt.Errorf("read keys: %d records, the class is %d", n, class)
	}
	all := make([][][]byte, records.Len())
	for position := range all {
		keys, err := records.Keys(ctx, position)
		if err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
		if len(keys) > KeysPerRecord {
			return nil, fmt.Errorf("read keys: record %d has %d", position, len(keys))
		}
		for i, k := range keys {
			if slices.ContainsFunc(keys[:i], func(o []byte) bool { return bytes.Equal(o, k) }) {
				return nil, fmt.Errorf("read keys: record %d has one twice", position)
			}
		}
		all[position] = keys
	}
	most := KeysPerRecord
	b := newBuckets(all, most)
	for len(b.keys) > keyClass(class) { // not below keyShare, where all fit
		most--
		b = newBuckets(all, most)
	}
	return b, nil
}

// newBuckets takes up to so many keys of each record.
func newBuckets(all [][][]byte, most int) *buckets {
	under := map[string][]int{}
	for position, keys := range all {
		for _, k := range keys[:min(len(keys), most)] {
			under[string(k)] = append(under[string(k)], position)
		}
	}
	b := &buckets{}
	for k, records := range under {
		if len(records) <= BucketCap {
			b.keys = append(b.keys, []byte(k))
		}
	}
	slices.SortFunc(b.keys, bytes.Compare)
	for _, k := range b.keys {
		b.records = append(b.records, under[string(k)])
	}
	return b
}

// Len is how many keys there are.
func (b *buckets) Len() int { return len(b.keys) }

// All returns the keys, ascending.
func (b *buckets) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, k := range b.keys {
			if !yield(k, nil) {
				return
			}
		}
	}
}

// label puts the common keys into the order of their proofs, which both sides know and which
// has nothing to do with the keys, and gives the proofs and the places of the own records.
func (b *buckets) label(common exact.Result, places []uint32) ([][exact.ProofSize]byte, [][]uint32, error) {
	if len(common.Positions) != len(common.Proofs) {
		return nil, nil, errors.New("label keys: positions without proofs")
	}
	order := make([]int, len(common.Proofs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return bytes.Compare(common.Proofs[x][:], common.Proofs[y][:]) })
	proofs, handles := make([][exact.ProofSize]byte, len(order)), make([][]uint32, len(order))
	for label, i := range order {
		proofs[label] = common.Proofs[i]
		if common.Positions[i] >= len(b.records) {
			return nil, nil, errors.New("label keys: a position that is none")
		}
		for _, record := range b.records[common.Positions[i]] {
			handles[label] = append(handles[label], places[record])
		}
		slices.Sort(handles[label])
	}
	return proofs, handles, nil
}

// appendHandles encodes labels: for each the number of handles in a byte, and each in four,
// big endian, ascending.
func appendHandles(b []byte, labels [][]uint32) []byte {
	for _, handles := range labels {
		b = append(b, byte(len(handles)))
		for _, h := range handles {
			b = binary.BigEndian.AppendUint32(b, h)
		}
	}
	return b
}

// parseHandles is the inverse of appendHandles for so many labels, with handles below places.
// Errors: errMalformed.
func parseHandles(b []byte, labels, places int) ([][]uint32, error) {
	out := make([][]uint32, 0, min(labels, len(b)))
	for label := range labels {
		if len(b) == 0 {
			return nil, fmt.Errorf("%w: %d labels of %d", errMalformed, label, labels)
		}
		n := int(b[0])
		if n < 1 || n > BucketCap || len(b) < 1+4*n {
			return nil, fmt.Errorf("%w: label %d has %d handles in %d bytes", errMalformed, label, n, len(b)-1)
		}
		handles := make([]uint32, n)
		for i := range handles {
			h := binary.BigEndian.Uint32(b[1+4*i:])
			if int64(h) >= int64(places) || i > 0 && h <= handles[i-1] {
				return nil, fmt.Errorf("%w: label %d: handle %d is out of range or order", errMalformed, label, i)
			}
			handles[i] = h
		}
		out, b = append(out, handles), b[1+4*n:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errMalformed, len(b))
	}
	return out, nil
}

// checkHandles refuses a record under more labels than it can have keys: it bounds what pairs
// there are to look at, and what a record is compared with.
func checkHandles(labels [][]uint32, places int) error {
	under := make([]uint8, places)
	for _, handles := range labels {
		for _, h := range handles {
			if under[h]++; under[h] > KeysPerRecord {
				return fmt.Errorf("%w: one record under more than %d labels", errMalformed, KeysPerRecord)
			}
		}
	}
	return nil
}

// candidates are the pairs that are under one label, each once, ascending. Errors: ErrTooMany.
func candidates(probes, templates [][]uint32, most int) ([]similar.Pair, error) {
	all := 0
	for label := range probes {
		all += len(probes[label]) * len(templates[label])
	}
	if all > KeysPerRecord*most { // no pair is under more labels than that
		return nil, fmt.Errorf("%w: more than %d", ErrTooMany, most)
	}
	numbers := make([]uint64, 0, all)
	for label := range probes {
		for _, probe := range probes[label] {
			for _, template := range templates[label] {
				numbers = append(numbers, uint64(probe)<<32|uint64(template))
			}
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	if len(numbers) > most {
		return nil, fmt.Errorf("%w: %d of %d", ErrTooMany, len(numbers), most)
	}
	out := make([]similar.Pair, len(numbers))
	for i, n := range numbers {
		out[i] = similar.Pair{Probe: uint32(n >> 32), Template: uint32(n)}
	}
	return out, nil
}

// AskerHandles is the digest of the handles that an asker with this session and these records
// sends for keys that both have: common holds the positions of those keys among all that it
// asked for, ascending, with their proofs. An auditor to whom keys and secrets are opened
// compares it with Result.
func AskerHandles(ctx context.Context, s Session, records Records, common exact.Result) ([32]byte, error) {
	return s.handles(ctx, asker, records, common)
}

// AnswererHandles is AskerHandles for the answerer.
func AnswererHandles(ctx context.Context, s Session, records Records, common exact.Result) ([32]byte, error) {
	return s.handles(ctx, answerer, records, common)
}

func (s *Session) handles(ctx context.Context, as role, records Records, common exact.Result) ([32]byte, error) {
	if err := s.Check(); err != nil {
		return [32]byte{}, err
	}
	own, err := readKeys(ctx, records, s.class(as))
	if err != nil {
		return [32]byte{}, err
	}
	x := &exchange{session: s, role: as}
	if err := x.begin(own, common, records.Len()); err != nil {
		return [32]byte{}, err
	}
	return x.digest(x.own), nil
}

// chunks are labels as frames have them.
func chunks(labels [][]uint32) iter.Seq[[][]uint32] { return slices.Chunk(labels, labelChunk) }

// blame makes malformed handles the peer's fault.
func blame(err error) error {
	if errors.Is(err, errMalformed) {
		return &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return err
}
