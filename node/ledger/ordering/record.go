package ordering

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// ErrDamaged says that the store holds bytes that nobody wrote there.
var ErrDamaged = errors.New("the ledger's store is damaged")

// checksumSize is that of CRC-32C. It finds every error in up to 32 bits in a row, thus
// every flipped byte, and others but for one in 2³²; it costs nothing next to fsync. A
// longer hash would stop nobody who can write to the disk: he can compute it too.
const checksumSize = 4

// checksum covers the bucket and the key too, so that no record passes in another's place.
func checksum(bucket string, key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var sizes [8]byte
	binary.BigEndian.PutUint32(sizes[:], uint32(len(bucket)))
	binary.BigEndian.PutUint32(sizes[4:], uint32(len(key)))
	sum := crc32.Update(0, table, sizes[:])
	for _, b := range [][]byte{[]byte(bucket), key, value} {
		sum = crc32.Update(sum, table, b)
	}
	return sum
}

// seal returns the record of a value: checksum, value.
func seal(bucket string, key, value []byte) []byte {
	out := binary.BigEndian.AppendUint32(make([]byte, 0, checksumSize+len(value)), checksum(bucket, key, value))
	return append(out, value...)
}

// unseal returns the value of a record, which is only valid as long as the record is.
func unseal(bucket string, key, record []byte) ([]byte, error) {
	if len(record) < checksumSize || binary.BigEndian.Uint32(record) != checksum(bucket, key, record[checksumSize:]) {
		return nil, fmt.Errorf("%w: record %x of %s does not fit its checksum", ErrDamaged, key, bucket)
	}
	return record[checksumSize:], nil
}

func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// encodeLog returns the record of an entry.
func encodeLog(l *raft.Log) ([]byte, error) {
	if n := len(l.Data) + len(l.Extensions); n > MaxEntry {
		return nil, fmt.Errorf("entry %d has %d bytes, at most %d", l.Index, n, MaxEntry)
	}
	e := fromLog(l)
	body, err := wire.Marshal(&e)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", l.Index, err)
	}
	return seal(bucketLog, indexKey(l.Index), body), nil
}

// decodeLog reads what encodeLog wrote for this index.
func decodeLog(index uint64, record []byte) (raft.Log, error) {
	body, err := unseal(bucketLog, indexKey(index), record)
	if err != nil {
		return raft.Log{}, err
	}
	var e entry
	if err := wire.Unmarshal(body, &e); err != nil || e.Index != index {
		return raft.Log{}, fmt.Errorf("%w: entry %d is none", ErrDamaged, index)
	}
	return toLog(&e), nil
}

// extent is what must be in the store: a record that is gone leaves no checksum to fail.
type extent struct {
	first, last uint64 // of the log; 0 when it is empty
	keys        uint64 // in the bucket of votes and terms
}

func (e extent) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, e.first)
	b = binary.BigEndian.AppendUint64(b, e.last)
	return binary.BigEndian.AppendUint64(b, e.keys)
}

func decodeExtent(b []byte) (extent, error) {
	if len(b) != 24 {
		return extent{}, fmt.Errorf("%w: its extent is %d bytes long", ErrDamaged, len(b))
	}
	e := extent{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}
	if e.first > e.last || (e.first == 0) != (e.last == 0) {
		return extent{}, fmt.Errorf("%w: its log reaches from %d to %d", ErrDamaged, e.first, e.last)
	}
	return e, nil
}

// entries is how many the log has.
func (e extent) entries() uint64 {
	if e.first == 0 {
		return 0
	}
	return e.last - e.first + 1
}
