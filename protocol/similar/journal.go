package similar

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"entente/protocol/wire"
)

// Flows of a journal.
const (
	runFlow     = "similar/run"     // the session's digest and the role, once
	inputsFlow  = "similar/inputs"  // a keyed digest of the vectors of each batch (asker) or block (answerer)
	queriesFlow = "similar/queries" // the digest of each batch's query
	repliesFlow = "similar/replies" // the digest of each block's reply
	begunFlow   = "similar/begun"   // block and number of blocks of each window that began
	blocksFlow  = "similar/blocks"  // a bit for each pair of a block that is done; empty if this side does not learn them
)

// records are a run's journal.
type records struct {
	Journal
	session *Session
	role    role
	known   map[string][][32]byte // flows of digests
	begun   map[int]int           // windows that held a block
	windows int
	blocks  int // done
}

// openRecords reads what a run left.
func openRecords(ctx context.Context, j Journal, s *Session, r role) (*records, error) {
	x := &records{Journal: j, session: s, role: r, known: map[string][][32]byte{}, begun: map[int]int{}}
	digest := s.digest()
	note := append(digest[:], byte(r))
	notes := 0
	for b, err := range j.Chunks(ctx, runFlow) {
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if !bytes.Equal(b, note) {
			return nil, ErrChanged
		}
		notes++
	}
	if notes == 0 {
		if err := j.Put(ctx, runFlow, 0, note); err != nil {
			return nil, fmt.Errorf("write journal: %w", err)
		}
	}
	if err := x.read(ctx); err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	if x.blocks > s.blocks() {
		return nil, fmt.Errorf("read journal: %w", ErrChanged)
	}
	return x, nil
}

func (x *records) read(ctx context.Context) error {
	for _, flow := range []string{inputsFlow, queriesFlow, repliesFlow} {
		for b, err := range x.Chunks(ctx, flow) {
			if err != nil {
				return err
			}
			if len(b) != 32 {
				return ErrChanged
			}
			x.known[flow] = append(x.known[flow], [32]byte(b))
		}
	}
	for b, err := range x.Chunks(ctx, begunFlow) {
		if err != nil {
			return err
		}
		if len(b) != 8 {
			return ErrChanged
		}
		first, n := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		for i := range min(n, window) {
			x.begun[int(first+i)]++
		}
		x.windows++
	}
	for _, err := range x.Chunks(ctx, blocksFlow) {
		if err != nil {
			return err
		}
		x.blocks++
	}
	return nil
}

// begin notes that a window's blocks are about to be compared, and refuses it once one of them
// has been too often.
func (x *records) begin(ctx context.Context, first, n int) error {
	for block := first; block < first+n; block++ {
		if x.begun[block]++; x.begun[block] > maxBegun {
			return fmt.Errorf("%w: block %d began %d times", ErrRepeated, block, maxBegun)
		}
	}
	b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(first)), uint32(n))
	if err := x.Put(ctx, begunFlow, x.windows, b); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	x.windows++
	return nil
}

// digest notes a digest of a flow, whose places come in order, and reports false if another was
// noted before.
func (x *records) digest(ctx context.Context, flow string, place int, digest [32]byte) (same bool, err error) {
	known := x.known[flow]
	switch {
	case place < len(known):
		return known[place] == digest, nil
	case place > len(known):
		return false, fmt.Errorf("journal: %w: place %d of flow %s", ErrChanged, place, flow)
	}
	if err := x.Put(ctx, flow, place, digest[:]); err != nil {
		return false, fmt.Errorf("write journal: %w", err)
	}
	x.known[flow] = append(known, digest)
	return true, nil
}

// input notes what vectors a batch or block has, under a key. They must be the same each time.
func (x *records) input(ctx context.Context, place int, vectors [32]byte) error {
	same, err := x.digest(ctx, inputsFlow, place, x.session.derive(inputLabel, place, vectors))
	if err == nil && !same {
		err = ErrChanged
	}
	return err
}

// theirs notes what the peer sent, which must be the same each time.
func (x *records) theirs(ctx context.Context, flow string, place int, digest [32]byte) error {
	same, err := x.digest(ctx, flow, place, digest)
	if err == nil && !same {
		err = &wire.ProtocolError{Code: wire.Altered, Err: fmt.Errorf("what comes again is not what came before: place %d of flow %s", place, flow)}
	}
	return err
}

// own notes what this side sends, which is the same each time.
func (x *records) own(ctx context.Context, flow string, place int, digest [32]byte) error {
	same, err := x.digest(ctx, flow, place, digest)
	if err == nil && !same {
		err = ErrChanged
	}
	return err
}

// put records a block, unless it is recorded already.
func (x *records) put(ctx context.Context, block int, bits []bool) error {
	if block < x.blocks {
		return nil // it was repeated for the peer's sake
	}
	packed := make([]byte, (len(bits)+7)/8)
	for i, bit := range bits {
		if bit {
			packed[i/8] |= 1 << (i % 8)
		}
	}
	if err := x.Put(ctx, blocksFlow, block, packed); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	x.blocks++
	return nil
}

// learned says whether a side learns the bits.
func (r *run) learned() bool {
	if r.role == answerer {
		return r.session.Learns.answerer()
	}
	return r.session.Learns.asker()
}

// positions are the own vectors that reach the threshold with some vector of the other side.
func (r *run) positions() (out []int, err error) {
	hits := make([]bool, r.list.vectors.Len())
	block, size := 0, (r.layout.Pairs()+7)/8
	for b, err := range r.journal.Chunks(r.ctx, blocksFlow) {
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if r.learned() && len(b) != size || !r.learned() && len(b) != 0 {
			return nil, fmt.Errorf("%w: block %d of the journal", ErrChanged, block)
		}
		for pair := range min(len(b)*8, r.layout.Pairs()) {
			if b[pair/8]>>(pair%8)&1 == 1 {
				hits[r.position(block, pair)] = true
			}
		}
		block++
	}
	for i, hit := range hits {
		if hit {
			out = append(out, i)
		}
	}
	return out, nil
}

// keep records a block's bits. A place that only fills the own list up has the score 0, so the
// peer has not followed the protocol if it reaches the threshold.
func (r *run) keep(block int, bits []bool) error {
	for pair, bit := range bits {
		if bit && r.position(block, pair) < 0 {
			return &wire.ProtocolError{Code: wire.Altered, Err: errors.New("a place that only fills a list up reaches the threshold")}
		}
	}
	return r.journal.put(r.ctx, block, bits)
}

// position is that of the own vector in a pair of a block.
func (r *run) position(block, pair int) int {
	probe, template := r.session.place(block, pair)
	if r.role == answerer {
		return r.list.order[template]
	}
	return r.list.order[probe]
}

// place is where a pair of a block belongs: which place for probes, and which for templates.
func (s *Session) place(block, pair int) (probe, template int) {
	batch, reply, l := block/s.replies(), block%s.replies(), s.layout()
	return batch*l.Slots + pair%l.Slots, reply*l.Templates() + pair/l.Slots
}

// Noted are the digests of queries and replies that a run's journal holds, sent or received, as
// far as the run went.
func Noted(ctx context.Context, j Journal) (queries, replies [][32]byte, err error) {
	for flow, out := range map[string]*[][32]byte{queriesFlow: &queries, repliesFlow: &replies} {
		for b, err := range j.Chunks(ctx, flow) {
			if err != nil {
				return nil, nil, fmt.Errorf("read journal: %w", err)
			}
			if len(b) != 32 {
				return nil, nil, ErrChanged
			}
			*out = append(*out, [32]byte(b))
		}
	}
	return queries, replies, nil
}
