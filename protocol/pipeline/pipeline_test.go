package pipeline_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"entente/protocol/pipeline"
)

// numbers are the tasks first to end-1.
func numbers(first, end int) func(context.Context) iter.Seq2[int, error] {
	return func(context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := first; i < end; i++ {
				if !yield(i, nil) {
					return
				}
			}
		}
	}
}

// waiting are tasks that never come.
func waiting(ctx context.Context) iter.Seq2[int, error] {
	return func(func(int, error) bool) { <-ctx.Done() }
}

func TestOrdered(t *testing.T) {
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) { // a goroutine left behind fails the test
		var running, most atomic.Int32
		var got []int
		work := func(i int) (int, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if i == 40 {
				return 0, broken
			}
			return i * i, nil
		}
		emit := func(r int) error { got = append(got, r); return nil }
		if err := pipeline.Ordered(t.Context(), numbers(3, 30), work, emit); err != nil {
			t.Fatal(err)
		}
		for i, r := range got {
			if r != (i+3)*(i+3) {
				t.Fatalf("out of order: %v", got)
			}
		}
		if len(got) != 27 {
			t.Errorf("%d results", len(got))
		}
		if n := int(most.Load()); n > runtime.GOMAXPROCS(0) {
			t.Errorf("%d tasks were worked on at once", n)
		}
		if err := pipeline.Ordered(t.Context(), numbers(3, 1000), work, emit); !errors.Is(err, broken) {
			t.Errorf("failing work: %v", err)
		}
		if err := pipeline.Ordered(t.Context(), numbers(0, 1000), func(i int) (int, error) { return i, nil },
			func(int) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("failing emit: %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(broken)
		if err := pipeline.Ordered(ctx, waiting, work, emit); !errors.Is(err, broken) {
			t.Errorf("cancelled: %v", err)
		}
		failing := func(context.Context) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) { _ = yield(1, nil) && yield(0, broken) }
		}
		if err := pipeline.Ordered(t.Context(), failing, work, emit); !errors.Is(err, broken) {
			t.Errorf("failing tasks: %v", err)
		}
	})
}
