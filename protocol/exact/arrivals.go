package exact

import (
	"context"
	"iter"
)

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
