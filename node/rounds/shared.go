package rounds

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"entente/node/store"
	"entente/policy"
	"entente/protocol/indicator"
	"entente/protocol/wire"
)

// What node/standing has in common with this package.

// Sentences are the grounds of a grant for own eyes.
func Sentences(g policy.Grant) []string { return sentences(g) }

// Day is the quota's day of a time, UTC.
func Day(t time.Time) string { return day(t) }

// ErrLink marks errors of the stream itself.
var ErrLink = errLink

// Describe shows a hit beside the own record. A record that was erased since leaves a hit
// without its values.
func Describe(tx *store.Tx, h store.Hit) (Hit, error) {
	hit := Hit{Position: h.Position}
	r, err := tx.Indicator(h.Indicator)
	if errors.Is(err, store.ErrNotFound) {
		hit.Erased = true
		return hit, nil
	}
	if err != nil {
		return hit, err
	}
	l, err := tx.List(r.List)
	if err != nil {
		return hit, err
	}
	hit.Kind, hit.Value, hit.Original, hit.List = string(l.Kind), r.Value.Canonical(), r.Original, l.Name
	if l.Kind == indicator.Face { // nobody reads a vector
		hit.Value, _, _ = strings.Cut(hit.Value, ":")
		hit.Original = ""
	}
	hit.Category, hit.CaseReference = string(r.Handling.Category), r.Handling.CaseReference
	return hit, nil
}

// Counted counts the bytes of a stream, whoever reads and writes them.
type Counted struct {
	io.ReadWriter
	stream         Stream
	sent, received atomic.Uint64
}

// Count returns a stream that counts, tapped if there is a tap.
func Count(stream Stream, tap Tap) *Counted {
	c := &Counted{ReadWriter: stream, stream: stream}
	if tap != nil {
		c.ReadWriter = tap(stream.Member(), stream)
	}
	return c
}

// Reset lets a protocol end a stream whose other end neither reads nor writes.
func (c *Counted) Reset() { c.stream.Reset() }

// Read reads and counts.
func (c *Counted) Read(p []byte) (int, error) {
	n, err := c.ReadWriter.Read(p)
	c.received.Add(uint64(max(n, 0)))
	return n, err
}

// Write writes and counts.
func (c *Counted) Write(p []byte) (int, error) {
	n, err := c.ReadWriter.Write(p)
	c.sent.Add(uint64(max(n, 0)))
	return n, err
}

// Bytes returns what went over the stream so far.
func (c *Counted) Bytes() (sent, received uint64) { return c.sent.Load(), c.received.Load() }

// Farewell closes a stream, or tells the peer by number why it is reset.
func Farewell(stream Stream, conn *wire.Conn, err error) {
	code, tell := numberFor(err)
	if !tell {
		if err == nil {
			err = stream.Close()
		}
		if err != nil {
			stream.Reset()
		}
		return
	}
	timer := time.AfterFunc(goodbye, stream.Reset)
	defer timer.Stop()
	defer stream.Reset()
	if conn.SendError(code) == nil && stream.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(stream, 1<<20)) // until the peer has read it; what it still sends has no meaning
	}
}

// numberFor chooses what the peer is told. An error of the link or one that the
// peer itself reported needs no answer.
func numberFor(err error) (wire.Code, bool) {
	var broke *wire.ProtocolError
	var over interface{ Told() wire.Code }
	var said *wire.PeerError
	var link interface{ Timeout() bool }
	switch {
	case err == nil, errors.Is(err, errPending), errors.As(err, &said), errors.Is(err, context.Canceled):
		return 0, false
	case errors.As(err, &broke):
		return broke.Code, true
	case errors.As(err, &over):
		return over.Told(), true
	case errors.Is(err, ErrUnknownPartner):
		return wire.OtherRoster, true
	case errors.As(err, &link), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errLink):
		return 0, false
	}
	return wire.Internal, true
}

// IsEnd reports whether a stream ended in an orderly way.
func IsEnd(err error) bool { return isEnd(err) }
