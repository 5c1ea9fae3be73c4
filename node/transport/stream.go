package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// pieces is how much one Write hands over between two looks at the clock: a second
// on 512 kbit/s. So a large Write on a slow link is not taken for a stall.
const pieces = 64 << 10

// Stream is one ordered, two-way flow of bytes with a member. One goroutine may
// read while another writes. It rests at most IdleTimeout without a byte moving in
// either direction; after that, and when its context ends, it is reset.
type Stream struct {
	t      *Transport
	raw    network.Stream
	peer   peer.ID
	member string

	ctx  context.Context
	end  context.CancelCauseFunc // ends ctx
	cut  context.CancelCauseFunc // ends ctx and, of a served stream, the handler's too
	stop func() bool             // true exactly once, unless ctx ended before

	moved atomic.Int64 // when the deadline was set, in Unix nanoseconds
}

var _ io.ReadWriteCloser = (*Stream)(nil)

// newStream takes over a negotiated stream whose life is bound to ctx. cut is nil
// for streams of our own.
func (t *Transport) newStream(ctx context.Context, cut context.CancelCauseFunc, raw network.Stream, p peer.ID, member string) (*Stream, error) {
	s := &Stream{t: t, raw: raw, peer: p, member: member, cut: cut}
	s.ctx, s.end = context.WithCancelCause(ctx)
	if cut == nil {
		s.cut = s.end
	}
	t.mu.Lock()
	closed, admitted := t.closed, t.admits(p)
	if !closed && admitted {
		t.tasks.Add(1)
		t.streams[s] = struct{}{}
		s.stop = context.AfterFunc(s.ctx, func() {
			_ = raw.Reset()
			s.release()
		})
	}
	t.mu.Unlock()
	if !closed && admitted {
		s.touch()
		return s, nil
	}
	s.end(errDone)
	_ = raw.Reset()
	if closed {
		return nil, ErrClosed
	}
	return nil, ErrUnknownMember
}

func (s *Stream) release() {
	s.t.mu.Lock()
	delete(s.t.streams, s)
	s.t.mu.Unlock()
	s.t.tasks.Done()
}

// Member returns the id of the member at the other end, as authenticated by its key.
func (s *Stream) Member() string { return s.member }

// touch moves the deadline of both directions. It costs timers, so it looks at the
// clock and does that at most 16 times per IdleTimeout.
func (s *Stream) touch() {
	now := time.Now()
	idle := s.t.o.IdleTimeout
	if now.UnixNano()-s.moved.Load() < int64(idle/16) {
		return
	}
	s.moved.Store(now.UnixNano())
	_ = s.raw.SetDeadline(now.Add(idle))
}

// Read reads what has arrived. It returns io.EOF, unwrapped, only if the partner
// ended its direction properly; a broken stream is never io.EOF.
func (s *Stream) Read(p []byte) (int, error) {
	s.touch()
	n, err := s.raw.Read(p)
	if n > 0 {
		s.touch()
	}
	switch err {
	case nil, io.EOF:
		return n, err
	}
	return n, s.explain("read from", err)
}

// Write hands p over to the network; it does not wait until it has arrived.
func (s *Stream) Write(p []byte) (int, error) {
	n := 0
	for {
		s.touch()
		k, err := s.raw.Write(p[n:min(n+pieces, len(p))])
		n += k
		if k > 0 {
			s.touch()
		}
		if err != nil {
			return n, s.explain("write to", err)
		}
		if n == len(p) {
			return n, nil
		}
	}
}

// explain puts the end of a stream into words and resets what stalled. Causes are
// flattened on purpose: those of a lost connection may contain io.EOF.
func (s *Stream) explain(what string, err error) error {
	if cause := context.Cause(s.ctx); cause != nil {
		if errors.Is(cause, errDone) {
			cause = io.ErrClosedPipe
		}
		return fmt.Errorf("%s %s: %w", what, s.member, cause)
	}
	var ce *network.ConnError
	var se *network.StreamError
	switch {
	case isTimeout(err):
		s.Reset()
		return fmt.Errorf("%s %s: %w: nothing moved for %s: %w", what, s.member, ErrInterrupted, s.t.o.IdleTimeout, os.ErrDeadlineExceeded)
	case errors.As(err, &ce) && ce.Remote && ce.ErrorCode == network.ConnGated:
		return fmt.Errorf("%s %s: %w: %w", what, s.member, ErrInterrupted, ErrRefused)
	case errors.As(err, &se) && se.Remote:
		return fmt.Errorf("%s %s: %w: the partner reset the stream", what, s.member, ErrInterrupted)
	}
	return fmt.Errorf("%s %s: %w: %s", what, s.member, ErrInterrupted, clip(err.Error()))
}

// CloseWrite tells the partner that nothing follows; reading goes on.
func (s *Stream) CloseWrite() error {
	if err := s.raw.CloseWrite(); err != nil {
		return s.explain("end writing to", err)
	}
	return nil
}

// Close ends both directions after what was written. Use it after a protocol that
// ended well, Reset otherwise: a partner that is still writing does not notice Close.
func (s *Stream) Close() error {
	if !s.stop() {
		return nil
	}
	err := s.raw.Close()
	s.release()
	s.end(errDone)
	if err != nil {
		return fmt.Errorf("close stream to %s: %w: %s", s.member, ErrInterrupted, clip(err.Error()))
	}
	return nil
}

// Reset aborts the stream at once in both directions, here and at the partner.
func (s *Stream) Reset() {
	if !s.stop() {
		return
	}
	_ = s.raw.Reset()
	s.release()
	s.end(errDone)
}
