// Package pipeline works on a sequence of tasks on all cores and gives the results in the
// tasks' order, in bounded memory. It promises nothing against anybody: whoever feeds it
// bounds what is in a task.
package pipeline

import (
	"context"
	"iter"
	"runtime"
	"sync"
)

// outcome is what became of one task.
type outcome[R any] struct {
	result R
	err    error
}

// Ordered works on tasks on all cores and emits the results in the tasks' order, from the
// calling goroutine. At most twice as many tasks as cores are under way, so memory stays
// bounded when emit is slow. It returns the first error in order, or the context's. Work
// that has begun is finished before it returns; tasks must end when the context does.
func Ordered[T, R any](ctx context.Context, tasks func(context.Context) iter.Seq2[T, error], work func(T) (R, error), emit func(R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	cores := runtime.GOMAXPROCS(0)
	free, queue := make(chan struct{}, cores), make(chan chan outcome[R], cores)
	running.Go(func() {
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
			free <- struct{}{} // whoever holds one works, and waits for nobody
			running.Go(func() {
				result, err := work(task)
				slot <- outcome[R]{result, err}
				<-free
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
