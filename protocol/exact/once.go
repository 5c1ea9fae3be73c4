package exact

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"iter"

	"entente/protocol/pipeline"
	"entente/protocol/wire"
)

// once is an outgoing flow whose chunks cost work. Each is worked out once, is durable
// before it is sent, and is sent again from the journal: what a peer says that it lacks is
// its word only, and must not buy the work again with each reconnect.
type once struct {
	side   *side
	id     flowID
	chunks int // in the journal
}

func (o *once) flow() flow { return o.side.plan[o.id] }

// restore counts what the journal holds.
func (o *once) restore(ctx context.Context) (err error) {
	f := o.flow()
	o.chunks, err = o.side.diary.read(ctx, f.name, exactly(f.bytes, func(int, []byte) error { return nil }))
	return err
}

// vet knows that a peer holds nothing that was not durable here first.
func (o *once) vet(have [flowCount]int) error {
	if n := have[o.id]; n > o.chunks {
		return lost("the peer has %d %s, this side %d", n, o.flow().name, o.chunks)
	}
	return nil
}

// send sends what the peer lacks: the journal's chunks, then one for each task, which begin
// where the journal ends.
func (o *once) send(ctx context.Context, l *link, tasks func(context.Context) iter.Seq2[arrival, error], work func(arrival) ([]byte, error)) error {
	if err := o.repeat(ctx, l); err != nil {
		return err
	}
	// What is being worked on when the run fails, by whoever's doing, is finished and kept:
	// else a peer that disconnects at the right moments would have it worked out again.
	lasting := context.WithoutCancel(ctx)
	err := pipeline.Ordered(lasting, until(ctx, tasks), func(a arrival) ([]byte, error) {
		if o.side.suite.worked != nil {
			o.side.suite.worked(a.index)
		}
		return work(a)
	}, func(content []byte) error {
		index := o.chunks
		if err := o.side.diary.put(lasting, o.flow().name, index, content); err != nil {
			return err
		}
		o.chunks++
		if ctx.Err() != nil {
			return nil // kept for the next attempt
		}
		_ = l.send(ctx, o.id, index, content) // fails with ctx only, which is seen below
		return nil
	})
	if err != nil {
		return o.side.final(ctx, err)
	}
	return context.Cause(ctx) // of the stream's making: the chunks are right
}

// repeat sends the chunks of the journal that the peer lacks, byte for byte.
func (o *once) repeat(ctx context.Context, l *link) error {
	first, _ := l.at(o.id)
	if first >= o.chunks {
		return nil
	}
	_, err := o.side.diary.read(ctx, o.flow().name, func(i int, data []byte) error {
		if i < first {
			return nil
		}
		return l.send(ctx, o.id, i, bytes.Clone(data))
	})
	return err
}

// until ends tasks with a second context besides their own.
func until[T any](end context.Context, tasks func(context.Context) iter.Seq2[T, error]) func(context.Context) iter.Seq2[T, error] {
	return func(ctx context.Context) iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(end, cancel)()
			for task, err := range tasks(ctx) {
				if end.Err() != nil || !yield(task, err) {
					return
				}
			}
		}
	}
}

// final makes a fault in what the journal holds of the peer outlast the attempt: they cannot
// be replaced any more, and finding the fault again would cost the same work each time.
func (d *side) final(ctx context.Context, err error) error {
	var fault *wire.ProtocolError
	if !errors.As(err, &fault) {
		return err
	}
	code := binary.BigEndian.AppendUint16(nil, uint16(fault.Code))
	return errors.Join(err, d.diary.put(context.WithoutCancel(ctx), faultRecord, 0, code))
}

// condemned returns the fault of an earlier attempt, if there was one.
func (d *side) condemned(ctx context.Context) (fault, err error) {
	_, err = d.diary.read(ctx, faultRecord, exactly(func(int) int { return 2 }, func(_ int, data []byte) error {
		fault = &wire.ProtocolError{Code: wire.Code(binary.BigEndian.Uint16(data)),
			Err: errors.New("found in an earlier attempt")}
		return nil
	}))
	return fault, err
}
