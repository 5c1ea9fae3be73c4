package ordering

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// mostIdle is how many unused streams to one member are kept: Raft has a heartbeat, an
// append and a vote under way at the same time.
const mostIdle = 3

var (
	errLate  = errors.New("no answer in time")
	errEnded = errors.New("the stream has ended")
)

// link is a stream with framing and a watchdog that resets it when a step takes too long.
type link struct {
	stream Stream
	in     *bufio.Reader
	conn   *wire.Conn
	ctx    context.Context
	cancel context.CancelCauseFunc
	stop   func() bool // true exactly once, unless ctx ended before
	timer  *time.Timer
	since  time.Time // unused since
}

func newLink(ctx context.Context, cancel context.CancelCauseFunc, s Stream, patience time.Duration) *link {
	l := &link{stream: s, in: bufio.NewReader(s), ctx: ctx, cancel: cancel}
	l.conn = wire.NewConn(struct {
		io.Reader
		io.Writer
	}{l.in, s})
	l.stop = context.AfterFunc(ctx, s.Reset)
	l.timer = time.AfterFunc(patience, func() { cancel(errLate) })
	return l
}

// within gives the next step so much time.
func (l *link) within(d time.Duration) { l.timer.Reset(d) }

// rest ends the watch: nothing is under way.
func (l *link) rest() {
	l.timer.Stop()
	l.since = time.Now()
}

// reset ends the stream at once; cause is what others that wait on it see.
func (l *link) reset(cause error) { l.finish(cause, l.stream.Reset) }

// close ends the stream after what was written.
func (l *link) close() { l.finish(errEnded, func() { _ = l.stream.Close() }) }

func (l *link) finish(cause error, how func()) {
	l.timer.Stop()
	if l.stop() {
		how()
	}
	l.cancel(cause)
}

// explain prefers the cause that ended a stream to what reading from it then says.
func (l *link) explain(err error) error {
	if cause := context.Cause(l.ctx); err != nil && cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// dial opens a stream. The watchdog runs from the start, and the stream outlives the
// request that needed it first.
func (g *Guard) dial(member string) (*link, error) {
	ctx, cancel := context.WithCancelCause(g.ctx)
	timer := time.AfterFunc(g.o.Timeout, func() { cancel(errLate) })
	s, err := g.open(ctx, member)
	timer.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w (%w)", cause, err)
		}
		cancel(err)
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if s.Member() != member {
		s.Reset()
		cancel(errEnded)
		return nil, fmt.Errorf("open stream: %q answered", s.Member())
	}
	return newLink(ctx, cancel, s, g.o.Timeout), nil
}

// take returns an idle stream to the member, or nil.
func (g *Guard) take(member string) *link {
	g.mu.Lock()
	defer g.mu.Unlock()
	links := g.idle[member]
	if len(links) == 0 {
		return nil
	}
	l := links[len(links)-1]
	g.idle[member] = links[:len(links)-1]
	return l
}

// put keeps a stream for the next request, if there is room.
func (g *Guard) put(member string, l *link) {
	l.rest()
	g.mu.Lock()
	keep := !g.closed && len(g.idle[member]) < mostIdle && l.ctx.Err() == nil
	if keep {
		g.idle[member] = append(g.idle[member], l)
	}
	g.mu.Unlock()
	if !keep {
		l.close()
	}
}

// sweep closes streams that nobody has used for long, until the Guard closes.
func (g *Guard) sweep() {
	ticker := time.NewTicker(g.o.Idle)
	defer ticker.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-ticker.C:
		}
		for _, l := range g.unused() {
			l.close()
		}
	}
}

// unused takes out the streams to close: unused for long, or of a member without a vote.
func (g *Guard) unused() []*link {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*link
	for member, links := range g.idle {
		var kept []*link
		for _, l := range links {
			if time.Since(l.since) < g.o.Idle && g.voter(member) {
				kept = append(kept, l)
			} else {
				out = append(out, l)
			}
		}
		if g.idle[member] = kept; kept == nil {
			delete(g.idle, member)
		}
	}
	return out
}

// callee checks whom Raft wants to call.
func (g *Guard) callee(id raft.ServerID, target raft.ServerAddress) (string, error) {
	member := string(id)
	if string(target) != member {
		return "", fmt.Errorf("call %s: the address %q is not its id", member, target)
	}
	if member == g.self || !g.voter(member) {
		return "", fmt.Errorf("call %s: %w", member, ErrNotVoter)
	}
	return member, nil
}
