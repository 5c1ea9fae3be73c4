package standing

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"entente/protocol/wire"
)

const (
	// aliveInterval is how often a side says that it is there, well below any deadline of a
	// transport.
	aliveInterval = 5 * time.Second
	// grace is how long a failing side waits for the peer to read why.
	grace = 2 * time.Second
	// patience is how long a peer may compute without a frame but Alive. Opening a tag period
	// of millions of items takes minutes on a slow machine.
	patience = 30 * time.Minute
	// ahead is how many frames the reader takes in before somebody wants them.
	ahead = 4
)

// frame is one frame on its way from the reader.
type frame struct {
	kind wire.Kind
	body []byte
}

// line is one side's end of a feed's stream. A reader runs apart, so that an Error frame is
// seen also while this side only sends; it knows caps, and whoever takes the frames knows
// the order.
type line struct {
	conn   *wire.Conn
	stream io.ReadWriter
	limit  func(wire.Kind) (uint32, bool) // of what the peer sends
	last   wire.Kind                      // the peer's last frame: what follows is not the feed's
	in     chan frame
	fail   func(error)
	peer   error // *wire.PeerError, when the reader has ended with one

	mu     sync.Mutex // orders Alive before this side's last frame
	closed bool
}

// streamError is a failure of the stream, of which the peer cannot be told.
type streamError struct {
	error
	reading bool
}

func (e streamError) Unwrap() error { return e.error }

// converse runs one side of a feed. role gets a context that ends with the first failure,
// and returns when all its goroutines have. On failure the peer is told and the stream
// reset; no goroutine outlives the call.
func converse(outer context.Context, rw io.ReadWriter, limit func(wire.Kind) (uint32, bool), last wire.Kind,
	role func(context.Context, *line) error) (*line, error) {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	l := &line{conn: wire.NewConn(rw), stream: rw, limit: limit, last: last, in: make(chan frame, ahead), fail: cancel}
	ended, stopped := make(chan struct{}), make(chan struct{})
	var reader, others sync.WaitGroup
	reader.Go(func() { l.read(ctx) })
	others.Go(func() { l.watch(outer, ctx, ended) })
	others.Go(func() { l.keepAlive(stopped) })
	if err := role(ctx, l); err != nil {
		cancel(err)
	}
	close(stopped)
	reader.Wait()
	err := context.Cause(ctx)
	if err != nil && !unreachable(err) && outer.Err() == nil {
		l.discard()
	}
	close(ended)
	others.Wait()
	if err == nil {
		return l, nil
	}
	wire.Reset(rw)
	if broken := (streamError{}); l.peer != nil && errors.As(err, &broken) {
		err = l.peer // says more than that the stream then broke
	}
	return l, err
}

// read takes frames in until the peer's last one, and after a failure throws them away so
// that the peer's writes do not keep it from reading why.
func (l *line) read(ctx context.Context) {
	for {
		kind, body, err := l.conn.Receive(l.limit)
		if err != nil {
			l.stumble(err)
			return
		}
		if kind == kindAlive {
			continue
		}
		select {
		case l.in <- frame{kind, body}:
		case <-ctx.Done():
		}
		if kind == l.last {
			return
		}
	}
}

// stumble ends the feed with what the reader met.
func (l *line) stumble(err error) {
	var peer *wire.PeerError
	var protocol *wire.ProtocolError
	switch {
	case errors.As(err, &peer):
		l.peer = peer
	case errors.As(err, &protocol):
	default:
		err = streamError{err, true}
	}
	l.fail(err)
}

// next returns the peer's next frame, which must be of one of the kinds.
func (l *line) next(ctx context.Context, kinds ...wire.Kind) (frame, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case f := <-l.in:
		if !slices.Contains(kinds, f.kind) {
			return f, fault(wire.Unexpected, "frame of kind %d has no place here", f.kind)
		}
		return f, nil
	case <-late.C:
		return frame{}, fault(wire.Stalled, "nothing came for %s", patience)
	case <-ctx.Done():
		return frame{}, context.Cause(ctx)
	}
}

// send sends a message.
func (l *line) send(k wire.Kind, body any) error { return sent(l.conn.Send(k, body)) }

// sendBytes sends bulk bytes.
func (l *line) sendBytes(k wire.Kind, body []byte) error { return sent(l.conn.SendBytes(k, body)) }

// sendLast sends this side's last frame, after which not even Alive may come.
func (l *line) sendLast(k wire.Kind) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.sendBytes(k, nil)
}

func sent(err error) error {
	if err != nil {
		return streamError{err, false}
	}
	return nil
}

// keepAlive says at intervals that this side is there.
func (l *line) keepAlive(stopped <-chan struct{}) {
	tick := time.NewTicker(aliveInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-stopped:
			return
		}
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return
		}
		err := l.sendBytes(kindAlive, nil)
		l.mu.Unlock()
		if err != nil {
			l.fail(err)
			return
		}
	}
}

// watch tells the peer of a failure and resets the stream: at once if the caller cancelled
// or the peer is gone, else when the peer has had time to read why.
func (l *line) watch(outer, ctx context.Context, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	if outer.Err() != nil || unreachable(cause) {
		wire.Reset(l.stream)
		return
	}
	late := time.AfterFunc(grace, func() { wire.Reset(l.stream) })
	defer late.Stop()
	stop := context.AfterFunc(outer, func() { wire.Reset(l.stream) })
	defer stop()
	// A write error changes nothing any more.
	_ = l.conn.SendError(told(cause))
	<-ended
}

// unreachable tells whether a failure means that the peer reads no more.
func unreachable(cause error) bool {
	var broken streamError
	var peer *wire.PeerError
	return errors.As(cause, &peer) || errors.As(cause, &broken) && broken.reading
}

// discard reads on until the peer closes or the stream is reset.
func (l *line) discard() {
	end := time.Now().Add(grace)
	for b := make([]byte, 4096); time.Now().Before(end); {
		if _, err := l.stream.Read(b); err != nil {
			return
		}
	}
}
