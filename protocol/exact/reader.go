package exact

import (
	"context"
	"errors"
	"fmt"

	"entente/protocol/wire"
)

// read takes frames until the peer's Done. Chunks are accepted under the caller's context,
// outer, so that what has arrived is kept when the stream fails; ctx ends with any failure.
func (l *link) read(outer, ctx context.Context) error {
	for ctx.Err() == nil {
		kind, body, err := l.conn.Receive(l.limit)
		if err != nil {
			var peer *wire.PeerError
			var protocol *wire.ProtocolError
			if errors.As(err, &peer) || errors.As(err, &protocol) {
				return err
			}
			return streamError{err, true}
		}
		switch kind {
		case kindStart:
			err = l.takeStart(outer, body)
		case kindProgress:
			err = l.takeProgress(body)
		case kindDone:
			return l.takeDone()
		default:
			err = l.takeChunk(outer, kind, body)
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// limit is the longest body of each kind that the peer may send now.
func (l *link) limit(kind wire.Kind) (uint32, bool) {
	l.mu.Lock()
	started := l.started
	l.mu.Unlock()
	switch kind {
	case kindStart:
		return maxStart, !started
	case kindProgress:
		return maxProgress, started
	case kindDone:
		return 0, started
	}
	for _, id := range l.role.incoming() {
		if f := l.plan[id]; f.kind == kind && f.items > 0 {
			return uint32(indexSize + f.bytes(0)), started
		}
	}
	return 0, false
}

func (l *link) takeStart(ctx context.Context, body []byte) error {
	if l.fault != nil {
		return l.fault
	}
	m, err := decodeStart(body, l.role.other(), l.session, l.plan)
	if err != nil {
		return err
	}
	l.mu.Lock()
	for i, id := range l.role.outgoing() {
		l.have[id] = int([2]uint32{m.First, m.Second}[i])
		l.sent[id] = l.have[id]
	}
	have := l.have
	l.started = true
	l.report()
	l.mu.Unlock()
	if err := l.begin(ctx, have); err != nil {
		return err
	}
	close(l.opened)
	return nil
}

func (l *link) takeProgress(body []byte) error {
	var m progressMessage
	if err := wire.Unmarshal(body, &m); err != nil {
		return malformed("progress: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, id := range l.role.outgoing() {
		n := [2]uint32{m.First, m.Second}[i]
		if int64(n) < int64(l.have[id]) || int64(n) > int64(l.sent[id]) {
			return malformed("progress: %d %s after %d, %d sent", n, l.plan[id].name, l.have[id], l.sent[id])
		}
		l.have[id] = int(n)
	}
	l.report()
	return nil
}

func (l *link) takeDone() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range l.role.incoming() {
		if l.taken[id] != l.plan[id].chunks() {
			return &wire.ProtocolError{Code: wire.Unexpected, Err: fmt.Errorf("done after %d of %d %s", l.taken[id], l.plan[id].chunks(), l.plan[id].name)}
		}
	}
	for _, id := range l.role.outgoing() {
		if l.sent[id] != l.plan[id].chunks() {
			return &wire.ProtocolError{Code: wire.Unexpected, Err: fmt.Errorf("done when %d of %d %s were sent", l.sent[id], l.plan[id].chunks(), l.plan[id].name)}
		}
		l.have[id] = l.plan[id].chunks()
	}
	l.report()
	return nil
}

func (l *link) takeChunk(ctx context.Context, kind wire.Kind, body []byte) error {
	for _, id := range l.role.incoming() {
		f := l.plan[id]
		if f.kind != kind {
			continue
		}
		l.mu.Lock()
		index := l.taken[id]
		l.mu.Unlock()
		content, err := decodeChunk(f, index, body)
		if err != nil {
			return err
		}
		// Counted first: what the chunk sets off may be answered before accept returns.
		l.mu.Lock()
		l.taken[id]++
		l.mu.Unlock()
		return l.accept[id](ctx, index, content)
	}
	return fmt.Errorf("frame of kind %d passed the limits", kind)
}

// durable notes that one more chunk of an incoming flow is in the journal.
func (l *link) durable(id flowID) {
	l.mu.Lock()
	l.have[id]++
	if l.have[id] == l.plan[id].chunks() {
		close(l.whole[id])
	}
	l.report()
	l.mu.Unlock()
	select {
	case l.nudge <- struct{}{}:
	default: // the writer has yet to say the last one
	}
}

// wait returns when an incoming flow is durable as a whole.
func (l *link) wait(ctx context.Context, id flowID) error {
	select {
	case <-l.whole[id]:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waitAll returns when all incoming flows are durable.
func (l *link) waitAll(ctx context.Context) error {
	for _, id := range l.role.incoming() {
		if err := l.wait(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// at returns how many chunks of a flow are durable at their destination, and how many are
// on their way or there.
func (l *link) at(id flowID) (have, sent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.have[id], l.sent[id]
}

// report tells progress. Called with mu held, so that figures arrive in order.
func (l *link) report() {
	var done int64
	for id, f := range l.plan {
		done += f.upTo(l.have[id])
	}
	if done <= l.reported {
		return
	}
	l.reported = done
	if l.progress != nil {
		l.progress(done, l.plan.total())
	}
}
