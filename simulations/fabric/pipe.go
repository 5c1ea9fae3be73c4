package fabric

import (
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// window is how many bytes one direction holds that have not been read, like the
	// first window of a yamux stream; Write blocks beyond it.
	window = 256 << 10
	// How many bytes travel together: 10 ms of the line, between these two.
	smallest, largest = 256, 16 << 10
)

// ErrCut is what both ends of a pipe return once it is cut.
var ErrCut = errors.New("line is cut")

// Pipe returns the two ends of a line. Bytes written at one end can be read at the
// other in order, after the latency and no faster than the bandwidth; both
// directions are independent. Nothing but calls of its ends keeps it going.
func Pipe(l Link) (a, b *End) {
	p := &pipe{link: l, changed: make(chan struct{})}
	a = &End{p: p, in: &flow{}, out: &flow{}}
	b = &End{p: p, in: a.out, out: a.in}
	return a, b
}

// pipe is what both ends share.
type pipe struct {
	link Link

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when anything changes
	read    int64         // bytes, at both ends together
	cut     bool
}

// flow is one direction, guarded by pipe.mu.
type flow struct {
	queue  []packet
	held   int       // bytes in queue
	free   time.Time // when the line has sent everything handed to it
	ended  bool      // nothing follows
	closed bool      // nobody will read
	total  int64     // bytes read
}

type packet struct {
	at   time.Time // of arrival
	data []byte    // empty: the end
}

// End is one end of a pipe. One goroutine may read while another writes.
type End struct {
	p       *pipe
	in, out *flow
}

var _ io.ReadWriteCloser = (*End)(nil)

// wake tells everybody who waits to look again; the caller holds mu.
func (p *pipe) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// wait gives up mu until something changes or the time has come; zero is never.
func (p *pipe) wait(until time.Time) {
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	if until.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// Read returns what has arrived, io.EOF after the other end's Close or CloseWrite
// has arrived, and ErrCut from the byte on at which the line is cut.
func (e *End) Read(b []byte) (int, error) {
	p, f := e.p, e.in
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.cut:
			return 0, ErrCut
		case f.closed:
			return 0, io.ErrClosedPipe
		case len(b) == 0:
			return 0, nil
		case len(f.queue) == 0:
			p.wait(time.Time{})
			continue
		}
		first := &f.queue[0]
		if time.Now().Before(first.at) {
			p.wait(first.at)
			continue
		}
		if len(first.data) == 0 {
			return 0, io.EOF
		}
		return e.take(b), nil
	}
}

// take moves arrived bytes to b, up to where the line is cut.
func (e *End) take(b []byte) int {
	p, f := e.p, e.in
	if left := p.link.CutAfter - p.read; p.link.CutAfter > 0 && int64(len(b)) > left {
		b = b[:left]
	}
	n, now := 0, time.Now()
	for n < len(b) && len(f.queue) > 0 && len(f.queue[0].data) > 0 && !now.Before(f.queue[0].at) {
		k := copy(b[n:], f.queue[0].data)
		n += k
		if f.queue[0].data = f.queue[0].data[k:]; len(f.queue[0].data) == 0 {
			f.queue = f.queue[1:]
		}
	}
	f.held -= n
	f.total += int64(n)
	p.read += int64(n)
	if p.link.CutAfter > 0 && p.read >= p.link.CutAfter {
		p.cut = true
	}
	p.wake()
	return n
}

// Write hands b to the line and blocks while too much of it has not been read.
func (e *End) Write(b []byte) (int, error) {
	p, f := e.p, e.out
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for {
		switch {
		case p.cut:
			return n, ErrCut
		case f.ended, f.closed:
			return n, io.ErrClosedPipe
		case n == len(b):
			return n, nil
		case f.held >= window:
			p.wait(time.Time{})
			continue
		}
		k := min(p.link.segment(), len(b)-n, window-f.held)
		e.send(append([]byte(nil), b[n:n+k]...))
		f.held += k
		n += k
	}
}

// segment is small on slow lines, so that they run smoothly.
func (l Link) segment() int {
	if l.Bandwidth == 0 {
		return largest
	}
	return int(max(smallest, min(l.Bandwidth/800, largest)))
}

// send puts one packet on the line; the caller holds mu.
func (e *End) send(data []byte) {
	f, l := e.out, e.p.link
	start := time.Now()
	if f.free.After(start) {
		start = f.free
	}
	if l.Bandwidth > 0 {
		start = start.Add(time.Duration(int64(len(data)) * 8 * int64(time.Second) / l.Bandwidth))
	}
	f.free = start
	f.queue = append(f.queue, packet{at: start.Add(l.Latency), data: data})
	e.p.wake()
}

// CloseWrite ends the direction away from this end; the other end reads io.EOF
// after everything written before.
func (e *End) CloseWrite() error {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	e.end()
	return nil
}

func (e *End) end() {
	if !e.out.ended {
		e.out.ended = true
		e.send(nil)
	}
}

// Close ends both directions. The other end can still read what was written.
func (e *End) Close() error {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	e.end()
	e.in.closed = true
	e.p.wake()
	return nil
}

// Cut breaks the line at once: both ends return ErrCut, bytes under way are lost.
func (e *End) Cut() {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	e.p.cut = true
	e.p.wake()
}

// Received returns how many bytes this end has read.
func (e *End) Received() int64 {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	return e.in.total
}
