package standing

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"sync/atomic"

	"entente/protocol/round"
)

// errFault is what an interface returns in place of a crash.
var errFault = errors.New("disk full")

// faults lets a number of calls of the interfaces through and fails the next one, before or
// after its effect.
type faults struct {
	left  atomic.Int64
	after bool
	n     atomic.Int64 // calls so far
}

func (f *faults) before() error {
	if f == nil {
		return nil
	}
	f.n.Add(1)
	if f.left.Add(-1) == -1 && !f.after {
		return errFault
	}
	return nil
}

func (f *faults) end(err error) error {
	if err == nil && f != nil && f.after && f.left.CompareAndSwap(-1, -2) {
		return errFault
	}
	return err
}

type faultyShelf struct {
	Shelf
	f *faults
}

func (s faultyShelf) Period(ctx context.Context) (Open, error) {
	if err := s.f.before(); err != nil {
		return Open{}, err
	}
	o, err := s.Shelf.Period(ctx)
	return o, s.f.end(err)
}

func (s faultyShelf) Publication(ctx context.Context, index, block uint32) iter.Seq2[Tag, error] {
	return faulty(s.f, s.Shelf.Publication(ctx, index, block))
}

func (s faultyShelf) Runs(ctx context.Context, index, after uint32) iter.Seq2[Run, error] {
	return faulty(s.f, s.Shelf.Runs(ctx, index, after))
}

func (s faultyShelf) Mark(ctx context.Context, index, run uint32) (Mark, bool, error) {
	if err := s.f.before(); err != nil {
		return Mark{}, false, err
	}
	m, ok, err := s.Shelf.Mark(ctx, index, run)
	return m, ok, s.f.end(err)
}

// faulty fails at the beginning of an iteration, or after its first element.
func faulty[T any](f *faults, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := f.before(); err != nil {
			yield(none, err)
			return
		}
		first := true
		for v, err := range all {
			if !yield(v, err) {
				return
			}
			if first {
				if err := f.end(nil); err != nil {
					yield(none, err)
					return
				}
			}
			first = false
		}
	}
}

type faultyMeter struct {
	Meter
	f *faults
}

func (m faultyMeter) Position(ctx context.Context, index uint32) (Position, error) {
	if err := m.f.before(); err != nil {
		return Position{}, err
	}
	p, err := m.Meter.Position(ctx, index)
	return p, m.f.end(err)
}

func (m faultyMeter) Take(ctx context.Context, c Chunk) ([]byte, error) {
	if err := m.f.before(); err != nil {
		return nil, err
	}
	b, err := m.Meter.Take(ctx, c)
	return b, m.f.end(err)
}

func (m faultyMeter) Keep(ctx context.Context, index, number uint32, answer []byte) error {
	if err := m.f.before(); err != nil {
		return err
	}
	return m.f.end(m.Meter.Keep(ctx, index, number, answer))
}

func (m faultyMeter) Acknowledged(ctx context.Context, index, next uint32) error {
	if err := m.f.before(); err != nil {
		return err
	}
	return m.f.end(m.Meter.Acknowledged(ctx, index, next))
}

type faultyReceipts struct {
	Receipts
	f *faults
}

func (r faultyReceipts) Applied(ctx context.Context, a Applied, s round.Signed) error {
	if err := r.f.before(); err != nil {
		return err
	}
	return r.f.end(r.Receipts.Applied(ctx, a, s))
}

type faultyCache struct {
	Cache
	f *faults
}

func (c faultyCache) State(ctx context.Context) (State, error) {
	if err := c.f.before(); err != nil {
		return State{}, err
	}
	s, err := c.Cache.State(ctx)
	return s, c.f.end(err)
}

func (c faultyCache) Begin(ctx context.Context, p Period, s round.Signed) error {
	if err := c.f.before(); err != nil {
		return err
	}
	return c.f.end(c.Cache.Begin(ctx, p, s))
}

func (c faultyCache) Block(ctx context.Context, b Block) error {
	if err := c.f.before(); err != nil {
		return err
	}
	return c.f.end(c.Cache.Block(ctx, b))
}

func (c faultyCache) Apply(ctx context.Context, r Run, m Mark) error {
	if err := c.f.before(); err != nil {
		return err
	}
	return c.f.end(c.Cache.Apply(ctx, r, m))
}

type faultyQueue struct {
	Asking
	f *faults
}

func (q faultyQueue) Resume(ctx context.Context, index uint32, p Position) (uint32, error) {
	if err := q.f.before(); err != nil {
		return 0, err
	}
	n, err := q.Asking.Resume(ctx, index, p)
	return n, q.f.end(err)
}

func (q faultyQueue) Questions(ctx context.Context, index uint32) iter.Seq2[Question, error] {
	return faulty(q.f, q.Asking.Questions(ctx, index))
}

func (q faultyQueue) Answered(ctx context.Context, index, number uint32, entries []Entry) error {
	if err := q.f.before(); err != nil {
		return err
	}
	return q.f.end(q.Asking.Answered(ctx, index, number, entries))
}

// errCut is what a stream says that a test has cut.
var errCut = errors.New("stream cut")

// cutter lets a number of frames of both sides through and then cuts the stream, inside the
// next frame if half.
type cutter struct {
	net.Conn
	left *atomic.Int64
	half bool
}

func (c cutter) Write(b []byte) (int, error) {
	if c.left.Add(-1) >= 0 {
		return c.Conn.Write(b)
	}
	if c.half {
		c.Conn.Write(b[:len(b)/2])
	}
	c.Conn.Close()
	return 0, errCut
}

// cut returns a wrap for a feed that cuts after n frames.
func cut(n int, half bool) func(bool, net.Conn) io.ReadWriter {
	left := new(atomic.Int64)
	left.Store(int64(n))
	return func(_ bool, c net.Conn) io.ReadWriter { return cutter{c, left, half} }
}
