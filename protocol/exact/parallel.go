package exact

import (
	"context"
	"iter"
	"runtime"
	"sync"
)

type outcome[R any] struct {
	result R
	err    error
}

// inOrder works on tasks on all cores and emits the results in the tasks' order, from the
// calling goroutine. At most twice as many tasks as cores are under way, so memory stays
// bounded when emit is slow. It returns the first error in order, or the context's; none
// of its goroutines outlives it: tasks must end when the context that they get does.
func inOrder[T, R any](ctx context.Context, tasks func(context.Context) iter.Seq2[T, error], work func(T) (R, error), emit func(R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer func() {
		cancel()
		workers.Wait()
	}()
	cores := runtime.GOMAXPROCS(0)
	busy := make(chan struct{}, cores)
	queue := make(chan chan outcome[R], cores)
	workers.Go(func() {
		defer close(queue)
		for task, err := range tasks(ctx) {
			slot := make(chan outcome[R], 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
			if err != nil {
				slot <- outcome[R]{err: err}
				return
			}
			busy <- struct{}{} // whoever holds it never waits for another
			workers.Go(func() {
				result, err := work(task)
				slot <- outcome[R]{result, err}
				<-busy
			})
		}
	})
	for slot := range queue {
		select {
		case o := <-slot:
			if o.err != nil {
				return o.err
			}
			if err := emit(o.result); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return context.Cause(ctx)
}

// numbers are the tasks first to end-1.
func numbers(first, end int) func(context.Context) iter.Seq2[int, error] {
	return func(ctx context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := first; i < end; i++ {
				if !yield(i, nil) {
					return
				}
			}
		}
	}
}

// arrivals are the chunks that the reader queues, until it closes the queue.
func arrivals(queue <-chan arrival) func(context.Context) iter.Seq2[arrival, error] {
	return func(ctx context.Context) iter.Seq2[arrival, error] {
		return func(yield func(arrival, error) bool) {
			for {
				select {
				case a, more := <-queue:
					if !more || !yield(a, nil) {
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}
	}
}
