package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/iotest"

	"entente/protocol/vectors/memory"
)

// stream is a reader and a writer that have nothing to do with each other.
type stream struct {
	io.Reader
	io.Writer
}

// writes remembers each write as one.
type writes struct{ all [][]byte }

func (w *writes) Write(b []byte) (int, error) {
	w.all = append(w.all, bytes.Clone(b))
	return len(b), nil
}

func anyKind(Kind) (uint32, bool) { return MaxChunk, true }

// frameOf builds a frame by hand.
func frameOf(kind byte, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body))), body...)
}

func reader(b []byte) *Conn { return NewConn(stream{bytes.NewReader(b), io.Discard}) }

func TestFramesComeBack(t *testing.T) {
	for _, size := range []int{0, 1, 100, firstRead - 1, firstRead, firstRead + 1, 4*firstRead + 1, MaxChunk - 1, MaxChunk} {
		w := &writes{}
		body := bytes.Repeat([]byte{0xa5}, size)
		out := NewConn(stream{nil, w})
		if err := out.SendBytes(7, body); err != nil {
			t.Fatal(err)
		}
		if err := out.Send(8, leaf{A: 5}); err != nil {
			t.Fatal(err)
		}
		if len(w.all) != 2 {
			t.Fatalf("two frames in %d writes", len(w.all))
		}
		sent := bytes.Join(w.all, nil)
		// One byte at a time is the worst that a stream may do.
		in := NewConn(stream{iotest.OneByteReader(bytes.NewReader(sent)), nil})
		got, err := in.ExpectBytes(7, MaxChunk)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
		}
		var v leaf
		if err := in.Expect(8, 10, &v); err != nil || v.A != 5 {
			t.Fatalf("message after %d bytes: %+v, %v", size, v, err)
		}
		if n := uint64(len(sent)); out.Sent() != n || in.Received() != n {
			t.Errorf("counted %d sent, %d received of %d", out.Sent(), in.Received(), n)
		}
		if _, _, err := in.Receive(anyKind); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("end between frames: %v", err)
		}
	}
}

func TestReceiveRefuses(t *testing.T) {
	asked := false
	limit := func(k Kind) (uint32, bool) {
		asked = true
		return map[Kind]uint32{1: 4, 2: 1 << 31}[k], k <= 2
	}
	for name, c := range map[string]struct {
		in   []byte
		code Code
	}{
		"body over the cap":           {frameOf(1, 1, 2, 3, 4, 5), TooLarge},
		"body over every cap":         {[]byte{2, 0, 0x10, 0, 1}, TooLarge},
		"largest number":              {[]byte{2, 0xff, 0xff, 0xff, 0xff}, TooLarge},
		"unknown kind":                {frameOf(3), Unexpected},
		"error frame over its cap":    {frameOf(0, 0x81, 0x1a, 0, 1, 0), TooLarge},
		"error frame without code":    {frameOf(0, 0x80), Malformed},
		"error frame with code 0":     {frameOf(0, 0x81, 0x00), Malformed},
		"error frame not shortest":    {frameOf(0, 0x81, 0x18, 0x01), Malformed},
		"error frame without a body":  {frameOf(0), Malformed},
		"error frame with a negative": {frameOf(0, 0x81, 0x20), Malformed},
	} {
		conn := reader(append(c.in, frameOf(1)...))
		_, _, err := conn.Receive(limit)
		p, ok := errors.AsType[*ProtocolError](err)
		if !ok || p.Code != c.code {
			t.Errorf("%s: got %v", name, err)
		}
		// What follows has no meaning, even where it could be read.
		if _, _, again := conn.Receive(limit); again != err {
			t.Errorf("%s: then %v", name, again)
		}
	}
	if !asked {
		t.Error("the cap was never asked for")
	}
}

func TestCutFrames(t *testing.T) {
	whole := frameOf(1, 1, 2, 3, 4)
	for i := range whole {
		_, _, err := reader(whole[:i]).Receive(anyKind)
		if i == 0 {
			if !errors.Is(err, io.EOF) {
				t.Errorf("end between frames: %v", err)
			}
			continue
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", i, err)
		}
	}
	cut := errors.New("cut")
	conn := NewConn(stream{io.MultiReader(bytes.NewReader(whole[:6]), iotest.ErrReader(cut)), nil})
	if _, _, err := conn.Receive(anyKind); !errors.Is(err, cut) {
		t.Errorf("got %v", err)
	}
}

func TestHeaderAloneTakesLittleMemory(t *testing.T) {
	for _, came := range []int{0, 1, firstRead, firstRead + 1, 5 * firstRead} {
		in := append([]byte{1, 0, 0x10, 0, 0}, make([]byte, came)...)
		conn := reader(in)
		got := memory.Allocated(func() {
			if _, _, err := conn.Receive(anyKind); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v", err)
			}
		})
		if got > bound(len(in)) {
			t.Errorf("%d bytes of a megabyte make %d", came, got)
		}
	}
}

func TestErrorFrames(t *testing.T) {
	w := &writes{}
	out := NewConn(stream{nil, w})
	for _, code := range []Code{NotAvailable, Internal, 65535} {
		if err := out.SendError(code); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.SendBytes(1, nil); err != nil {
		t.Fatal(err)
	}
	in := reader(bytes.Join(w.all, nil))
	for _, code := range []Code{NotAvailable, Internal, 65535} {
		// An Error frame may come where any other is due.
		err := in.Expect(1, 0, &leaf{})
		if e, ok := errors.AsType[*PeerError](err); !ok || e.Code != code {
			t.Errorf("got %v", err)
		}
	}
	if _, err := in.ExpectBytes(1, 0); err != nil {
		t.Errorf("the stream is not usable after an Error frame: %v", err)
	}
}

func TestExpectRefuses(t *testing.T) {
	conn := reader(frameOf(2, 0x81, 0x05))
	err := conn.Expect(1, 10, &leaf{})
	if p, ok := errors.AsType[*ProtocolError](err); !ok || p.Code != Unexpected {
		t.Errorf("other kind: %v", err)
	}
	conn = reader(append(frameOf(1, 0x81, 0xf5), frameOf(1, 0x81, 0x05)...))
	err = conn.Expect(1, 10, &leaf{})
	if p, ok := errors.AsType[*ProtocolError](err); !ok || p.Code != Malformed || !errors.Is(err, ErrMalformed) {
		t.Errorf("malformed message: %v", err)
	}
	if again := conn.Expect(1, 10, &leaf{}); again != err {
		t.Errorf("then %v", again)
	}
	// Our own mistake is not the peer's.
	err = reader(frameOf(1, 0x81, 0x05)).Expect(1, 10, &unmarked{})
	if _, ok := errors.AsType[*ProtocolError](err); ok || err == nil {
		t.Errorf("bad target: %v", err)
	}
}

func TestSendRefuses(t *testing.T) {
	w := &writes{}
	conn := NewConn(stream{nil, w})
	for name, err := range map[string]error{
		"message of kind 0":  conn.Send(KindError, leaf{}),
		"bytes of kind 0":    conn.SendBytes(KindError, nil),
		"code 0":             conn.SendError(0),
		"over MaxChunk":      conn.SendBytes(1, make([]byte, MaxChunk+1)),
		"not a message":      conn.Send(1, unmarked{}),
		"message over limit": conn.Send(1, lists{D: make([]byte, MaxChunk)}),
	} {
		if err == nil {
			t.Errorf("%s is sent", name)
		}
	}
	if len(w.all) != 0 || conn.Sent() != 0 {
		t.Error("something was written")
	}
	if err := conn.Send(1, leaf{}); err != nil {
		t.Errorf("a refused body blocks the stream: %v", err)
	}
}

// half writes half of what it gets.
type half struct{ err error }

func (h half) Write(b []byte) (int, error) { return len(b) / 2, h.err }

func TestFailedWriteBlocksTheStream(t *testing.T) {
	full := errors.New("no space")
	for _, c := range []struct{ given, want error }{{full, full}, {nil, io.ErrShortWrite}} {
		conn := NewConn(stream{nil, half{c.given}})
		first := conn.SendBytes(1, make([]byte, 95))
		if !errors.Is(first, c.want) || conn.Sent() != 50 {
			t.Errorf("got %v after %d bytes", first, conn.Sent())
		}
		if again := conn.SendError(Internal); again != first || conn.Sent() != 50 {
			t.Errorf("then %v after %d bytes", again, conn.Sent())
		}
	}
}

func TestBothDirectionsAtOnce(t *testing.T) {
	const frames = 200
	a, b := net.Pipe()
	var group sync.WaitGroup
	for _, end := range []net.Conn{a, b} {
		conn := NewConn(end)
		for range 2 { // any number may send
			group.Go(func() {
				for i := range frames {
					if err := conn.Send(1, leaf{A: uint64(i)}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Go(func() {
			var sum uint64
			for range 2 * frames {
				var v leaf
				if err := conn.Expect(1, 10, &v); err != nil {
					t.Error(err)
					return
				}
				sum += v.A
			}
			if sum != frames*(frames-1) {
				t.Errorf("frames are mixed: sum %d", sum)
			}
		})
	}
	group.Wait()
	for _, end := range []net.Conn{a, b} {
		if err := end.Close(); err != nil {
			t.Error(err)
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(append(frameOf(1, 0x81, 0x05), frameOf(0, 0x81, 0x01)...))
	f.Add([]byte{2, 0, 0x10, 0, 0})
	f.Add([]byte{9, 0xff, 0xff, 0xff, 0xff})
	limit := func(k Kind) (uint32, bool) { return uint32(k) << 14, k < 100 }
	f.Fuzz(func(t *testing.T, b []byte) {
		conn, again := reader(b), []byte{}
		got := memory.Allocated(func() {
			for {
				k, body, err := conn.Receive(limit)
				if e, ok := errors.AsType[*PeerError](err); ok {
					again = append(again, frameOf(0, append([]byte{0x81}, number(uint64(e.Code), false)...)...)...)
					continue
				}
				if err != nil {
					return
				}
				if uint32(len(body)) > uint32(k)<<14 {
					t.Errorf("kind %d with %d bytes", k, len(body))
				}
				again = append(again, frameOf(byte(k), body...)...)
			}
		})
		// Twice: the frames are built again here.
		if got > 2*bound(len(b)) {
			t.Errorf("%d bytes make %d", len(b), got)
		}
		if !bytes.HasPrefix(b, again) {
			t.Errorf("%x reads as %x", b, again)
		}
	})
}
