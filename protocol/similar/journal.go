package similar

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"entente/protocol/wire"
)

// Flows of a journal.
const (
	attemptsFlow = "similar/attempts" // the session's digest, once for each attempt
	queriesFlow  = "similar/queries"  // answerer: the digest of each batch's query
	blocksFlow   = "similar/blocks"   // a bit for each pair of a block that is done; empty if this side does not learn them
)

// records are a run's journal.
type records struct{ Journal }

// open notes an attempt, and returns how many blocks are durable.
func (j records) open(ctx context.Context, s Session, r role) (blocks int, err error) {
	digest := s.digest()
	note := append(digest[:], byte(r))
	attempts := 0
	for b, err := range j.Chunks(ctx, attemptsFlow) {
		if err != nil {
			return 0, fmt.Errorf("read journal: %w", err)
		}
		if !bytes.Equal(b, note) {
			return 0, ErrChanged
		}
		attempts++
	}
	if attempts >= maxAttempts {
		return 0, fmt.Errorf("%w: %d times", ErrRepeated, attempts)
	}
	for _, err := range j.Chunks(ctx, blocksFlow) {
		if err != nil {
			return 0, fmt.Errorf("read journal: %w", err)
		}
		blocks++
	}
	if blocks > s.blocks() || attempts == 0 && blocks > 0 {
		return 0, ErrChanged
	}
	if err := j.Put(ctx, attemptsFlow, attempts, note); err != nil {
		return 0, fmt.Errorf("write journal: %w", err)
	}
	return blocks, nil
}

// put records a block, unless it is recorded already.
func (j records) put(ctx context.Context, block, durable int, bits []bool) error {
	if block < durable {
		return nil // it was repeated for the peer's sake
	}
	packed := make([]byte, (len(bits)+7)/8)
	for i, bit := range bits {
		if bit {
			packed[i/8] |= 1 << (i % 8)
		}
	}
	if err := j.Put(ctx, blocksFlow, block, packed); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// query records the digest of a batch's query, which must be the one recorded before if there is
// one. Batches come in order.
func (j records) query(ctx context.Context, batch int, digest [32]byte) error {
	known, err := j.queries(ctx)
	switch {
	case err != nil:
		return err
	case batch > len(known):
		return fmt.Errorf("%w: batch %d of the journal", ErrChanged, batch)
	case batch < len(known) && known[batch] != digest:
		return &wire.ProtocolError{Code: wire.Altered, Err: errors.New("the query is not the one that came before")}
	case batch < len(known):
		return nil
	}
	if err := j.Put(ctx, queriesFlow, batch, digest[:]); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

func (j records) queries(ctx context.Context) (out [][32]byte, err error) {
	for b, err := range j.Chunks(ctx, queriesFlow) {
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if len(b) != 32 {
			return nil, fmt.Errorf("%w: batch %d of the journal", ErrChanged, len(out))
		}
		out = append(out, [32]byte(b))
	}
	return out, nil
}

// positions are the own vectors that reach the threshold with some vector of the other side.
func (r *run) positions() (out []int, err error) {
	learns := r.session.Learns.asker()
	if r.role == answerer {
		learns = r.session.Learns.answerer()
	}
	hits := make([]bool, r.length)
	block, pairs := 0, r.layout.Pairs()
	for b, err := range r.journal.Chunks(r.ctx, blocksFlow) {
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if learns && len(b) != (pairs+7)/8 || !learns && len(b) != 0 {
			return nil, fmt.Errorf("%w: block %d of the journal", ErrChanged, block)
		}
		for pair := range len(b) * 8 {
			if pair >= pairs || b[pair/8]>>(pair%8)&1 == 0 {
				continue
			}
			probe, template := r.place(block, pair)
			place := probe
			if r.role == answerer {
				place = template
			}
			own := r.order[place]
			if own < 0 {
				return nil, &wire.ProtocolError{Code: wire.Altered, Err: errors.New("a place that only fills a list up reaches the threshold")}
			}
			hits[own] = true
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

// place is where a pair of a block belongs: which place for probes, and which for templates.
func (r *run) place(block, pair int) (probe, template int) {
	batch, reply := block/r.session.replies(), block%r.session.replies()
	slots := r.layout.Slots
	return batch*slots + pair%slots, reply*r.layout.Templates() + pair/slots
}
