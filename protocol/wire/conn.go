package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Kind names the message in a frame. Each message family numbers its own from 1 on.
type Kind uint8

// KindError is the Error frame of every family; its body is an array of one Code.
const KindError Kind = 0

const (
	// MaxChunk is the largest body of any frame, in bytes. Bulk data are cut into such
	// chunks, so that a stalled or hostile peer holds no more than one in memory.
	MaxChunk = 1 << 20

	// HeaderSize is kind and length, in bytes.
	HeaderSize = 5

	// MaxFrame is the largest frame, header included, in bytes.
	MaxFrame = HeaderSize + MaxChunk
)

// maxErrorBody is the longest body of an Error frame: array head, head and two bytes.
const maxErrorBody = 4

// firstRead is what is allocated, in bytes, before any of a body has come.
const firstRead = 32 << 10

type errorBody struct {
	_    struct{} `codec:",toarray"`
	Code Code
}

// Conn reads and writes frames on a stream. One goroutine may receive while any number
// send. It neither closes the stream nor sets deadlines.
//
// After a failed write, and after a ProtocolError or failed read, the stream is out of
// step: every later call in that direction returns the same error.
type Conn struct {
	rw             io.ReadWriter
	sent, received atomic.Uint64

	writing    sync.Mutex // guards writeError and buf
	writeError error
	buf        []byte // the frame being written

	// Of the receiving goroutine alone.
	readError error
	header    [HeaderSize]byte
}

// NewConn returns a Conn over rw.
func NewConn(rw io.ReadWriter) *Conn { return &Conn{rw: rw} }

// Sent returns the bytes written so far, headers included. Safe at any time.
func (c *Conn) Sent() uint64 { return c.sent.Load() }

// Received returns the bytes read so far, headers included. Safe at any time.
func (c *Conn) Received() uint64 { return c.received.Load() }

// Send sends a message, in one write.
func (c *Conn) Send(k Kind, body any) error {
	if k == KindError {
		return errors.New("send frame: kind 0 is for SendError")
	}
	b, err := Marshal(body)
	if err != nil {
		return fmt.Errorf("send frame of kind %d: %w", k, err)
	}
	return c.frame(k, b)
}

// SendBytes sends bulk bytes that are not CBOR, at most MaxChunk, in one write.
func (c *Conn) SendBytes(k Kind, body []byte) error {
	if k == KindError {
		return errors.New("send frame: kind 0 is for SendError")
	}
	return c.frame(k, body)
}

// SendError tells the peer why this side stops or refuses.
func (c *Conn) SendError(code Code) error {
	if code == 0 {
		return errors.New("send error frame: code 0 has no meaning")
	}
	b, err := Marshal(&errorBody{Code: code})
	if err != nil {
		return fmt.Errorf("send error frame: %w", err)
	}
	return c.frame(KindError, b)
}

func (c *Conn) frame(k Kind, body []byte) error {
	if len(body) > MaxChunk {
		return fmt.Errorf("send frame of kind %d: %d bytes, at most %d go in one", k, len(body), MaxChunk)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.writeError != nil {
		return c.writeError
	}
	b := append(c.buf[:0], byte(k))
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, body...)
	n, err := c.rw.Write(b)
	c.sent.Add(uint64(max(n, 0)))
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		c.writeError = fmt.Errorf("send frame of kind %d: %w", k, err)
	}
	c.buf = b
	return c.writeError
}

// Receive reads the next frame. limit states which kinds may come now and the largest
// body of each; it is asked before anything is allocated, and MaxChunk holds besides. An
// Error frame returns *PeerError, without asking limit. A kind that limit refuses, or a
// body over its limit, is a *ProtocolError. A stream that ends between two frames is
// io.EOF, inside one io.ErrUnexpectedEOF. The body belongs to the caller.
func (c *Conn) Receive(limit func(Kind) (max uint32, ok bool)) (Kind, []byte, error) {
	if c.readError != nil {
		return 0, nil, c.readError
	}
	k, body, err := c.receive(limit)
	if err != nil {
		c.readError = err
		return 0, nil, err
	}
	if k != KindError {
		return k, body, nil
	}
	var e errorBody
	if err := Unmarshal(body, &e); err != nil {
		return 0, nil, c.broken(Malformed, fmt.Errorf("error frame: %w", err))
	}
	if e.Code == 0 {
		return 0, nil, c.broken(Malformed, errors.New("error frame with code 0"))
	}
	return 0, nil, &PeerError{Code: e.Code}
}

func (c *Conn) receive(limit func(Kind) (uint32, bool)) (Kind, []byte, error) {
	if err := c.fill(c.header[:]); err != nil {
		return 0, nil, fmt.Errorf("receive frame: %w", err)
	}
	k, size := Kind(c.header[0]), binary.BigEndian.Uint32(c.header[1:])
	most, ok := uint32(maxErrorBody), true
	if k != KindError {
		most, ok = limit(k)
	}
	if !ok {
		return 0, nil, &ProtocolError{Unexpected, fmt.Errorf("frame of kind %d", k)}
	}
	if most = min(most, MaxChunk); size > most {
		return 0, nil, &ProtocolError{TooLarge, fmt.Errorf("frame of kind %d: %d bytes, at most %d", k, size, most)}
	}
	body, err := c.body(int(size))
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, fmt.Errorf("receive frame of kind %d: %w", k, err)
	}
	return k, body, nil
}

// body reads n bytes. It allocates in steps, so that a header alone, which costs the peer
// five bytes, never makes this side set a megabyte aside.
func (c *Conn) body(n int) ([]byte, error) {
	b := make([]byte, 0, min(n, firstRead))
	for {
		start := len(b)
		b = b[:cap(b)]
		if err := c.fill(b[start:]); err != nil {
			return nil, err
		}
		if len(b) == n {
			return b, nil
		}
		grown := make([]byte, len(b), min(n, 4*len(b)))
		copy(grown, b)
		b = grown
	}
}

// fill reads until b is full and counts what came, also when less came.
func (c *Conn) fill(b []byte) error {
	n, err := io.ReadFull(c.rw, b)
	c.received.Add(uint64(n))
	return err
}

// broken records that the peer broke the protocol and returns that error.
func (c *Conn) broken(code Code, err error) error {
	c.readError = &ProtocolError{code, err}
	return c.readError
}

// only admits one kind, up to max bytes.
func only(want Kind, most uint32) func(Kind) (uint32, bool) {
	return func(k Kind) (uint32, bool) { return most, k == want }
}

// Expect receives a frame, which must be of kind k with at most max bytes, and decodes
// its message into v. Errors are those of Receive; a malformed message is a
// *ProtocolError with code Malformed that is also ErrMalformed.
func (c *Conn) Expect(k Kind, max uint32, v any) error {
	b, err := c.ExpectBytes(k, max)
	if err != nil {
		return err
	}
	err = Unmarshal(b, v)
	if errors.Is(err, ErrMalformed) {
		return c.broken(Malformed, fmt.Errorf("frame of kind %d: %w", k, err))
	}
	return err
}

// ExpectBytes receives a frame, which must be of kind k with at most max bytes, and
// returns its body.
func (c *Conn) ExpectBytes(k Kind, max uint32) ([]byte, error) {
	_, b, err := c.Receive(only(k, max))
	return b, err
}

// Reset ends all reads and writes of a stream, in the strongest way that it offers. A plain
// reader and writer offers none: then the caller's context must end them.
func Reset(stream io.ReadWriter) {
	switch s := stream.(type) {
	case interface{ Reset() }:
		s.Reset()
	case interface{ Reset() error }:
		_ = s.Reset() // it is of no more use in any case
	case io.Closer:
		_ = s.Close()
	}
}
