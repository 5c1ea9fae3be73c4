package exact

import (
	"context"
	"errors"
	"io"
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
)

// link moves the chunks of one run over one stream. A reader and a writer run apart from
// each other and from the tasks, so that both directions flow at once. At the receiver
// nothing that the reader waits for ever waits for the writer: so its side of the stream
// always empties, and two full directions cannot block each other.
type link struct {
	conn     *wire.Conn
	stream   io.ReadWriter
	role     role
	plan     plan
	session  [32]byte
	progress Progress
	fault    error                 // of the peer, known before the run; told once it listens
	accept   [flowCount]acceptFunc // for incoming flows, called by the reader in order
	// begin judges what the peer says it has; the reader calls it before any chunk comes.
	begin func(ctx context.Context, have [flowCount]int) error

	out    chan chunk               // tasks to writer; closed when all tasks are done
	nudge  chan struct{}            // to the writer: have grew; capacity 1
	opened chan struct{}            // closed once the peer's Start is in
	whole  [flowCount]chan struct{} // closed once an incoming flow is durable
	failed <-chan struct{}          // closed with the first failure

	mu       sync.Mutex     // guards what follows
	started  bool           // the peer's Start is in
	have     [flowCount]int // chunks durable at their destination, as far as known
	sent     [flowCount]int // outgoing: chunks on their way or there
	taken    [flowCount]int // incoming: chunks taken from stream or journal
	reported int64          // bytes last told to progress; -1: none yet
}

// acceptFunc takes the content of the next chunk of a flow.
type acceptFunc func(ctx context.Context, index int, content []byte) error

// arrival is a chunk on its way from the reader to a task.
type arrival struct {
	index   int
	content []byte
}

// errFailed ends a goroutine when another one has failed with the error that counts.
var errFailed = errors.New("the run has failed already")

// chunk is a chunk on its way to the writer.
type chunk struct {
	id      flowID
	index   int
	content []byte
}

// streamError is a failure of the stream, of which the peer cannot be told.
type streamError struct {
	error
	reading bool
}

func (e streamError) Unwrap() error { return e.error }

// newLink prepares a run of which the journal holds the stated chunks of incoming flows.
func newLink(rw io.ReadWriter, r role, p plan, session [32]byte, durable [flowCount]int, progress Progress) *link {
	l := &link{
		conn: wire.NewConn(rw), stream: rw, role: r, plan: p, session: session, progress: progress,
		out: make(chan chunk), nudge: make(chan struct{}, 1), opened: make(chan struct{}), reported: -1,
	}
	for _, id := range r.incoming() {
		l.have[id], l.taken[id] = durable[id], durable[id]
		l.whole[id] = make(chan struct{})
		if durable[id] == p[id].chunks() {
			close(l.whole[id])
		}
	}
	return l
}

// run exchanges Start, runs the tasks, exchanges Done. drained is called when nothing more
// comes in, also after a failure. Tasks get a context that ends with the first failure. On
// failure the stream is reset; no goroutine outlives the call.
func (l *link) run(outer context.Context, drained func(), tasks ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	fail := func(err error) {
		if err != nil {
			cancel(err)
		}
	}
	l.failed = ctx.Done()
	ended := make(chan struct{})
	var peerError *wire.PeerError
	var watch, streams, work sync.WaitGroup
	watch.Go(func() { l.watch(outer, ctx, ended) })
	streams.Go(func() { fail(l.write(ctx)) })
	streams.Go(func() {
		err := l.read(outer, ctx)
		errors.As(err, &peerError)
		fail(err)
		drained()
		l.discard(ctx, err)
	})
	for _, task := range tasks {
		work.Go(func() {
			select {
			case <-l.opened:
				fail(task(ctx))
			case <-ctx.Done():
			}
		})
	}
	work.Wait()
	if ctx.Err() == nil {
		close(l.out)
	}
	streams.Wait()
	close(ended)
	watch.Wait()
	err := context.Cause(ctx)
	if err != nil {
		wire.Reset(l.stream)
	}
	if broken := (streamError{}); peerError != nil && errors.As(err, &broken) {
		return peerError // says more than that the stream then broke
	}
	return err
}

// write sends Start, then what tasks hand over, then Done.
func (l *link) write(ctx context.Context) error {
	first, second := l.durableCounts()
	err := l.conn.Send(kindStart, &startMessage{Role: uint8(l.role), Session: l.session, First: first, Second: second})
	alive := time.NewTicker(aliveInterval)
	defer alive.Stop()
	for more := true; more && err == nil; {
		var c chunk
		select {
		case c, more = <-l.out:
			if !more {
				err = l.conn.SendBytes(kindDone, nil)
				break
			}
			l.mu.Lock()
			l.sent[c.id] = c.index + 1
			l.mu.Unlock()
			err = l.conn.SendBytes(l.plan[c.id].kind, encodeChunk(c.index, c.content))
		case <-l.nudge:
			err = l.sendProgress()
		case <-alive.C:
			err = l.sendProgress()
		case <-ctx.Done():
			l.giveUp(context.Cause(ctx))
			return nil
		}
	}
	if err != nil {
		return streamError{err, false}
	}
	return nil
}

func (l *link) sendProgress() error {
	first, second := l.durableCounts()
	return l.conn.Send(kindProgress, &progressMessage{First: first, Second: second})
}

func (l *link) durableCounts() (first, second uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.role.incoming()
	return uint32(l.have[in[0]]), uint32(l.have[in[1]])
}

// giveUp tells the peer why this side stops, unless that is the stream or the peer itself.
// A write error changes nothing any more.
func (l *link) giveUp(cause error) {
	var protocol *wire.ProtocolError
	switch {
	case errors.As(cause, &protocol):
		_ = l.conn.SendError(protocol.Code)
	case errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) || l.unreachable(cause):
	default:
		_ = l.conn.SendError(wire.Internal)
	}
}

// unreachable tells whether a failure means that the peer reads no more.
func (*link) unreachable(cause error) bool {
	var broken streamError
	var peer *wire.PeerError
	return errors.As(cause, &peer) || errors.As(cause, &broken) && broken.reading
}

// send hands a chunk to the writer and returns when it is taken.
func (l *link) send(ctx context.Context, id flowID, index int, content []byte) error {
	select {
	case l.out <- chunk{id, index, content}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// queue hands an incoming chunk from the reader to a task.
func (l *link) queue(to chan<- arrival, index int, content []byte) error {
	select {
	case to <- arrival{index, content}:
		return nil
	case <-l.failed:
		return errFailed
	}
}

// watch resets the stream after a failure, at once if the caller cancelled or the peer is
// gone, else when the peer has had time to read why.
func (l *link) watch(outer, ctx context.Context, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	if outer.Err() == nil && !l.unreachable(context.Cause(ctx)) {
		late := time.NewTimer(grace)
		defer late.Stop()
		select {
		case <-ended:
			return
		case <-outer.Done():
		case <-late.C:
		}
	}
	wire.Reset(l.stream)
}

// discard reads on after a failure that the peer is told of, so that its writes do not keep
// it from reading. It ends when the peer closes or the stream is reset.
func (l *link) discard(ctx context.Context, reading error) {
	if ctx.Err() == nil || l.unreachable(reading) {
		return
	}
	end := time.Now().Add(grace)
	for b := make([]byte, 4096); time.Now().Before(end); {
		if _, err := l.stream.Read(b); err != nil {
			return
		}
	}
}
