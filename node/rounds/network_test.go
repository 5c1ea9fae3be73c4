package rounds_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"entente/node/rounds"
	"entente/simulations/fabric"
)

// network joins sides by streams in memory. It counts the frames of all streams, and
// can stop between any two of them.
type network struct {
	mu      sync.Mutex
	sides   map[string]*side
	link    fabric.Link
	ends    []*stream
	frames  int
	stopAt  int           // the number of the frame that does not arrive; 0: none
	stopped chan struct{} // closed when nothing arrives any more
	dead    bool
	pauseAt int // the number of the frame that waits for the gate; 0: none
	gate    chan struct{}
	opened  int                                        // streams so far
	seen    func(from, to string, frame []byte) []byte // may alter a frame; nil: lose the stream
}

func newNetwork() *network {
	return &network{sides: map[string]*side{}, stopped: make(chan struct{})}
}

func (n *network) join(s *side) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sides[s.id] = s
}

func (n *network) leave(s *side) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sides[s.id] == s {
		delete(n.sides, s.id)
	}
}

// arm lets nothing pass any more from frame k on, counted from now.
func (n *network) arm(k int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frames, n.stopAt, n.pauseAt, n.dead, n.stopped = 0, k, 0, false, make(chan struct{})
}

// pause lets frame k, counted from now, wait until the gate is closed; everything else
// passes.
func (n *network) pause(k int) (gate chan struct{}) {
	n.arm(0)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pauseAt, n.gate = k, make(chan struct{})
	return n.gate
}

// streams is the number of streams between the first two members so far.
func (n *network) streams() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.opened
}

// halt lets nothing pass any more: what is written is lost without an error.
func (n *network) halt() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kill()
}

func (n *network) kill() {
	n.dead = true
	n.signal()
}

// signal tells who waits for the network to stop; the caller holds mu.
func (n *network) signal() {
	select {
	case <-n.stopped:
	default:
		close(n.stopped)
	}
}

// heal cuts all streams that there are and lets new ones pass.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.ends {
		s.end.Cut()
	}
	n.ends, n.stopAt, n.dead = nil, 0, false
}

var errUnreachable = errors.New("nobody answers")

// open joins two sides by a new stream and lets the other one serve it.
func (n *network) open(ctx context.Context, from *side, to string) (rounds.Stream, error) {
	a, err := n.dial(from.id, to)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, a.Reset)
	return a, nil
}

// dial opens a stream to a side in the name of any member.
func (n *network) dial(from, to string) (*stream, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	peer := n.sides[to]
	if peer == nil || n.dead {
		return nil, errUnreachable
	}
	one, two := fabric.Pipe(n.link)
	a := &stream{net: n, end: one, own: from, member: to, gone: make(chan struct{})}
	b := &stream{net: n, end: two, own: to, member: from, gone: make(chan struct{})}
	n.ends = append(n.ends, a, b)
	if from != "TH" {
		n.opened++
	}
	peer.work.Go(func() {
		defer b.Reset()
		peer.Serve(peer.ctx, b)
	})
	return a, nil
}

// stream is one end between two members. Every Write is one frame.
type stream struct {
	net         *network
	end         *fabric.End
	own, member string
	muted       atomic.Bool // writes wait until the stream is reset
	gone        chan struct{}
	once        sync.Once
}

func (s *stream) Member() string             { return s.member }
func (s *stream) Read(p []byte) (int, error) { return s.end.Read(p) }
func (s *stream) CloseWrite() error          { return s.end.CloseWrite() }

func (s *stream) Reset() {
	s.once.Do(func() {
		close(s.gone)
		s.end.Cut()
	})
}

// Close ends the stream after what was written; a Reset that follows does nothing.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.gone) })
	return s.end.Close()
}

func (s *stream) Write(p []byte) (int, error) {
	frame := p
	s.net.mu.Lock()
	var gate chan struct{}
	if s.own != "TH" && s.member != "TH" { // a third member's are not counted
		s.net.frames++
		switch s.net.frames {
		case s.net.stopAt:
			s.net.kill()
		case s.net.pauseAt:
			gate, s.net.pauseAt = s.net.gate, 0
			s.net.signal()
		}
	}
	dead := s.net.dead
	if !dead && s.net.seen != nil {
		frame = s.net.seen(s.own, s.member, p)
	}
	s.net.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if s.muted.Load() {
		<-s.gone
		return 0, fabric.ErrCut
	}
	switch {
	case dead:
		return len(p), nil
	case frame == nil:
		s.end.Cut()
		return 0, fabric.ErrCut
	}
	if _, err := s.end.Write(frame); err != nil {
		return 0, err
	}
	return len(p), nil
}
