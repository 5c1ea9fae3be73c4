package adversary

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// batch is how many numbers one step of a worker takes.
const batch = 1024

// each lets f see all places from 0 to n in batches, on all processors. A worker of its own
// is made for every goroutine; merge gets each of them after all have ended. The first
// error ends the rest, as the context does.
func each[W any](ctx context.Context, n int, made func() (W, error), f func(w W, from, to int) error, merge func(W),
	told func(done int)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var mu sync.Mutex
	var group sync.WaitGroup
	done := 0
	work := func() error {
		w, err := made()
		if err != nil {
			return err
		}
		for ctx.Err() == nil {
			from := int(next.Add(batch)) - batch
			if from >= n {
				break
			}
			to := min(from+batch, n)
			if err := f(w, from, to); err != nil {
				return err
			}
			mu.Lock()
			done += to - from
			told(done)
			mu.Unlock()
		}
		mu.Lock()
		merge(w)
		mu.Unlock()
		return nil
	}
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			if err := work(); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
