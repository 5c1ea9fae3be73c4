package bench

import (
	"io"
	"sync"
	"time"
)

// line returns the two ends of a stream between members. What is written at one end can be
// read at the other after the latency; there is no other limit.
func line(from, to string, latency time.Duration) (here, there *lineEnd) {
	a, b := &flow{changed: make(chan struct{})}, &flow{changed: make(chan struct{})}
	return &lineEnd{member: to, in: a, out: b, latency: latency}, &lineEnd{member: from, in: b, out: a, latency: latency}
}

// lineEnd is one end of a line.
type lineEnd struct {
	member  string
	in, out *flow
	latency time.Duration
}

// flow is one direction.
type flow struct {
	mu      sync.Mutex
	changed chan struct{} // closed when something is written or the flow ends
	queue   []packet
	ended   bool // nothing more is written
	broken  bool
}

type packet struct {
	at   time.Time // of arrival
	data []byte
}

func (f *flow) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
	close(f.changed)
	f.changed = make(chan struct{})
}

// Member names who sits at the other end.
func (e *lineEnd) Member() string { return e.member }

// Write hands p over; it arrives later.
func (e *lineEnd) Write(p []byte) (n int, err error) {
	e.out.change(func() {
		if e.out.broken || e.out.ended {
			err = io.ErrClosedPipe
			return
		}
		n = len(p)
		e.out.queue = append(e.out.queue, packet{time.Now().Add(e.latency), append([]byte{}, p...)})
	})
	return n, err
}

// Read waits for what has arrived.
func (e *lineEnd) Read(p []byte) (int, error) {
	for {
		f := e.in
		f.mu.Lock()
		changed := f.changed
		var pause time.Duration
		switch {
		case f.broken:
			f.mu.Unlock()
			return 0, io.ErrClosedPipe
		case len(f.queue) > 0:
			if pause = time.Until(f.queue[0].at); pause <= 0 {
				n := copy(p, f.queue[0].data)
				if f.queue[0].data = f.queue[0].data[n:]; len(f.queue[0].data) == 0 {
					f.queue = f.queue[1:]
				}
				f.mu.Unlock()
				return n, nil
			}
		case f.ended:
			f.mu.Unlock()
			return 0, io.EOF
		}
		f.mu.Unlock()
		if pause > 0 {
			select {
			case <-time.After(pause):
			case <-changed:
			}
			continue
		}
		<-changed
	}
}

// Close ends this side's direction after what was written.
func (e *lineEnd) Close() error {
	e.out.change(func() { e.out.ended = true })
	e.in.change(func() { e.in.broken = true })
	return nil
}

// Reset ends both directions at once.
func (e *lineEnd) Reset() {
	for _, f := range []*flow{e.in, e.out} {
		f.change(func() { f.broken = true })
	}
}
