package replay

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"entente/protocol/entry"
)

// blockSize is how many entries are decoded ahead of being applied. It bounds the memory
// that they take, and the work that is for nothing when one of them is refused.
const blockSize = 256

// opened is an entry that is decoded, or why it cannot be.
type opened struct {
	decoded entry.Decoded
	err     error
}

// ApplyAll takes the next entries in, exactly as Apply does one after the other, with
// several processors. At the first that is refused it stops: those returned are in, and
// the error is about the one behind them. When ctx ends it stops likewise, between two
// entries. No goroutine outlives the call.
func (s *State) ApplyAll(ctx context.Context, entries [][]byte) ([]Applied, error) {
	out := make([]Applied, 0, len(entries))
	for block := range slices.Chunk(entries, blockSize) {
		ahead := s.open(ctx, block)
		if err := ctx.Err(); err != nil {
			return out, fmt.Errorf("apply entries: %w", err)
		}
		for _, o := range ahead {
			if o.err != nil {
				return out, fmt.Errorf("apply entry: %w", o.err)
			}
			a, err := s.apply(o.decoded)
			if err != nil {
				return out, err
			}
			out = append(out, a)
		}
	}
	return out, nil
}

// open decodes a block and checks the signatures, which is nearly all of the work, under
// the keys that the authors have now. Where the guess is wrong, as the key changes within
// the block, or where the signature is, nothing is remembered, and apply checks it again.
func (s *State) open(ctx context.Context, block [][]byte) []opened {
	out := make([]opened, len(block))
	var taken atomic.Int64
	work := func() {
		for ctx.Err() == nil {
			i := int(taken.Add(1)) - 1
			if i >= len(block) {
				return
			}
			d, err := entry.Decode(block[i])
			if err == nil {
				if m, ok := s.members[d.Entry().Member]; ok { // only read here: nothing is applied meanwhile
					_ = d.Verify(m.check.Key())
				}
			}
			out[i] = opened{d, err}
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(block))
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return out
}
