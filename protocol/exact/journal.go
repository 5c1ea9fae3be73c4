package exact

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"iter"
	"sync"

	"entente/crypto/transcript"
)

// Records besides the incoming flows, which go under their own names.
const (
	pinRecord    = "session" // which session and list the journal belongs to
	outputRecord = "outputs" // sender: tags and proofs of the own list
	noiseRecord  = "noise"   // count sender: how many dummies it holds
	faultRecord  = "fault"   // sender: what is wrong with the questions, for good
	bytesRecord  = "bytes"   // bytes of each attempt
)

const pinLabel = "entente/exact/pin/1"

// diary is a journal with its calls put in line.
type diary struct {
	journal Journal
	mu      sync.Mutex // held while writing
}

func (d *diary) put(ctx context.Context, record string, sequence int, data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.journal.Put(ctx, record, sequence, data); err != nil {
		return fmt.Errorf("write journal, %s %d: %w", record, sequence, err)
	}
	return nil
}

// read visits all records of a flow and returns how many there are.
func (d *diary) read(ctx context.Context, record string, visit func(i int, data []byte) error) (int, error) {
	n := 0
	for data, err := range d.journal.Chunks(ctx, record) {
		if err != nil {
			return n, fmt.Errorf("read journal, %s %d: %w", record, n, err)
		}
		if visit != nil {
			if err := visit(n, data); err != nil {
				return n, fmt.Errorf("read journal, %s %d: %w", record, n, err)
			}
		}
		n++
	}
	return n, nil
}

// pin binds a new journal to session, role and list, or checks that it is theirs.
func (d *diary) pin(ctx context.Context, session [32]byte, r role, set []byte) error {
	want := transcript.Digest(pinLabel, session[:], []byte(r.String()), set)
	n, err := d.read(ctx, pinRecord, func(_ int, data []byte) error {
		if subtle.ConstantTimeCompare(data, want[:]) != 1 {
			return ErrChanged
		}
		return nil
	})
	if err != nil || n > 0 {
		return err
	}
	return d.put(ctx, pinRecord, 0, want[:])
}

// exactly makes a visitor refuse records of the wrong length: a journal that has come to
// harm must not become a result.
func exactly(length func(i int) int, visit func(i int, data []byte) error) func(int, []byte) error {
	return func(i int, data []byte) error {
		if want := length(i); len(data) != want || want <= 0 {
			return fmt.Errorf("record of %d bytes, expected %d", len(data), want)
		}
		return visit(i, data)
	}
}

// addBytes records the bytes of this attempt and returns the sums over all attempts.
func (d *diary) addBytes(ctx context.Context, sent, received uint64) (allSent, allReceived uint64, err error) {
	n, err := d.read(ctx, bytesRecord, exactly(func(int) int { return 16 }, func(_ int, data []byte) error {
		allSent += binary.BigEndian.Uint64(data)
		allReceived += binary.BigEndian.Uint64(data[8:])
		return nil
	}))
	if err != nil {
		return sent, received, err
	}
	data := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, sent), received)
	return allSent + sent, allReceived + received, d.put(ctx, bytesRecord, n, data)
}

// MemoryJournal is a Journal that lasts as long as the process: for tests, benchmarks and
// simulations. The zero value is empty and ready.
type MemoryJournal struct {
	mu      sync.Mutex
	records map[string][][]byte
}

// Put keeps a copy of the record.
func (m *MemoryJournal) Put(ctx context.Context, flow string, sequence int, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if sequence != len(m.records[flow]) {
		return fmt.Errorf("record %d of %s after %d records", sequence, flow, len(m.records[flow]))
	}
	if m.records == nil {
		m.records = make(map[string][][]byte)
	}
	m.records[flow] = append(m.records[flow], bytes.Clone(data))
	return nil
}

// Chunks returns the records as they are when iteration begins.
func (m *MemoryJournal) Chunks(ctx context.Context, flow string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		m.mu.Lock()
		records := m.records[flow]
		m.mu.Unlock()
		for _, data := range records {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(data, nil) {
				return
			}
		}
	}
}
