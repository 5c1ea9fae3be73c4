package exact

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"entente/protocol/wire"
)

// errCut is what a stream says that a test has cut.
var errCut = errors.New("stream cut")

// cutter lets a number of frames of both sides through and then cuts the stream, inside
// the next frame if half.
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

// frame is one frame as a side wrote it.
type frame struct {
	from role
	kind wire.Kind
	body []byte
}

func (f frame) bytes() []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(f.kind)}, uint32(len(f.body)))
	return append(b, f.body...)
}

// tape records all frames of both sides in the order in which they were written.
type tape struct {
	mu     sync.Mutex
	frames []frame
}

func (t *tape) wrap(side role, c net.Conn) io.ReadWriter { return tapped{c, side, t, nil} }

// of returns the bodies of one kind.
func (t *tape) of(kind wire.Kind) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var bodies [][]byte
	for _, f := range t.frames {
		if f.kind == kind {
			bodies = append(bodies, f.body)
		}
	}
	return bodies
}

// raw returns the whole stream.
func (t *tape) raw() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b []byte
	for _, f := range t.frames {
		b = append(b, f.bytes()...)
	}
	return b
}

// tapped is a stream whose frames are recorded and may be changed on their way out: what
// change returns is written instead.
type tapped struct {
	net.Conn
	side   role
	tape   *tape
	change func(frame) []frame
}

func (t tapped) Write(b []byte) (int, error) {
	out := []frame{{t.side, wire.Kind(b[0]), append([]byte(nil), b[wire.HeaderSize:]...)}}
	if t.change != nil {
		out = t.change(out[0])
	}
	for _, f := range out {
		if t.tape != nil {
			t.tape.mu.Lock()
			t.tape.frames = append(t.tape.frames, f)
			t.tape.mu.Unlock()
		}
		if _, err := t.Conn.Write(f.bytes()); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
