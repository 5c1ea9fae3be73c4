package demo

import (
	"bytes"
	"io"
	"sync"
)

// recorder keeps every byte that a node's rounds put on their streams and take off
// them, before the channel encrypts and after it decrypts. It is safe for concurrent use.
type recorder struct {
	mu    sync.Mutex
	tapes []*tape
}

// tape is one stream with a member. Its directions are kept apart, so that what a
// reader and a writer do at the same time cannot tear a value.
type tape struct {
	mu             sync.Mutex
	member         string
	sent, received bytes.Buffer
}

// tap is a rounds.Tap.
func (r *recorder) tap(member string, stream io.ReadWriter) io.ReadWriter {
	t := &tape{member: member}
	r.mu.Lock()
	r.tapes = append(r.tapes, t)
	r.mu.Unlock()
	return &tapped{stream, t}
}

// with returns what was exchanged with a member, one piece a stream and direction.
func (r *recorder) with(member string) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out [][]byte
	for _, t := range r.tapes {
		if t.member != member {
			continue
		}
		t.mu.Lock()
		out = append(out, bytes.Clone(t.sent.Bytes()), bytes.Clone(t.received.Bytes()))
		t.mu.Unlock()
	}
	return out
}

// plant writes something into the recording of a member as if it had been sent.
func (r *recorder) plant(member string, b []byte) {
	t := &tape{member: member}
	t.sent.Write(b)
	r.mu.Lock()
	r.tapes = append(r.tapes, t)
	r.mu.Unlock()
}

// tapped is a stream that a tape listens to.
type tapped struct {
	stream io.ReadWriter
	tape   *tape
}

func (t *tapped) Read(p []byte) (int, error) {
	n, err := t.stream.Read(p)
	t.tape.mu.Lock()
	t.tape.received.Write(p[:max(n, 0)])
	t.tape.mu.Unlock()
	return n, err
}

func (t *tapped) Write(p []byte) (int, error) {
	n, err := t.stream.Write(p)
	t.tape.mu.Lock()
	t.tape.sent.Write(p[:max(n, 0)])
	t.tape.mu.Unlock()
	return n, err
}

// size is the length of a recording.
func size(pieces [][]byte) int {
	n := 0
	for _, p := range pieces {
		n += len(p)
	}
	return n
}

// contains reports whether a text stands in a recording.
func contains(pieces [][]byte, text string) bool {
	for _, p := range pieces {
		if bytes.Contains(p, []byte(text)) {
			return true
		}
	}
	return false
}
