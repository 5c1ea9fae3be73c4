package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"entente/protocol/exchange"
	"entente/protocol/wire"
)

// Stream is an ordered, two-way flow of bytes with an authenticated member.
type Stream interface {
	io.ReadWriteCloser
	// Member is who the other end has proved to be.
	Member() string
	// Reset ends both directions at once and may be called at any time, also twice.
	Reset()
}

// Opener opens a stream of a protocol that lives until ctx ends.
type Opener func(ctx context.Context, member, protocol string) (Stream, error)

const (
	callTime = 20 * time.Second // for one request and its answer
	mostIdle = 2                // unused streams to one member that are kept
)

// peers asks other members. Streams are kept for the next request, since opening one costs
// a round trip.
type peers struct {
	ctx  context.Context // streams live no longer
	open Opener

	work sync.WaitGroup // streams that are being opened

	mu   sync.Mutex
	idle map[string][]*peer
}

// peer is a stream to a member, with framing.
type peer struct {
	stream Stream
	conn   *wire.Conn
}

func newPeers(ctx context.Context, open Opener) *peers {
	return &peers{ctx: ctx, open: open, idle: map[string][]*peer{}}
}

// ask sends a request and receives its answer into reply. A kept stream may have ended
// meanwhile: then it is asked again on a new one, which is the same request to the member.
func (p *peers) ask(ctx context.Context, member string, k wire.Kind, request, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	kept := p.take(member)
	if kept != nil {
		err := p.exchange(ctx, kept, member, k, request, reply)
		var stated *wire.PeerError
		if err == nil || ctx.Err() != nil || errors.As(err, &stated) {
			return err
		}
	}
	s, err := p.dial(ctx, member)
	if err != nil {
		return fmt.Errorf("ask %s: %w", member, err)
	}
	fresh := &peer{stream: s, conn: wire.NewConn(struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(s), s})}
	return p.exchange(ctx, fresh, member, k, request, reply)
}

// dial opens a stream, which lives longer than the request that it is opened for. One that
// comes too late is closed.
func (p *peers) dial(ctx context.Context, member string) (Stream, error) {
	type result struct {
		stream Stream
		err    error
	}
	opened := make(chan result, 1)
	p.mu.Lock()
	closed := p.ctx.Err() != nil
	if !closed {
		p.work.Add(1)
	}
	p.mu.Unlock()
	if closed {
		return nil, errStopped
	}
	go func() {
		defer p.work.Done()
		s, err := p.open(p.ctx, member, exchange.Protocol)
		opened <- result{s, err}
		if ctx.Err() != nil { // whoever waited may be gone
			select {
			case late := <-opened:
				if late.err == nil {
					late.stream.Reset()
				}
			default:
			}
		}
	}()
	select {
	case r := <-opened:
		return r.stream, r.err
	case <-ctx.Done():
		select {
		case r := <-opened:
			return r.stream, r.err
		default:
			return nil, context.Cause(ctx)
		}
	}
}

func (p *peers) exchange(ctx context.Context, to *peer, member string, k wire.Kind, request, reply any) error {
	stop := context.AfterFunc(ctx, to.stream.Reset)
	err := to.send(k, request)
	if err == nil {
		err = to.receive(k, reply)
	}
	var stated *wire.PeerError
	if stop() && (err == nil || errors.As(err, &stated)) {
		p.put(member, to)
	} else {
		to.stream.Reset()
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && stated == nil {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return fmt.Errorf("ask %s: %w", member, err)
}

func (p *peer) send(k wire.Kind, request any) error {
	if b, bulk := request.([]byte); bulk {
		return p.conn.SendBytes(k, b)
	}
	return p.conn.Send(k, request)
}

func (p *peer) receive(k wire.Kind, reply any) error {
	answer, most := exchange.Answer(k)
	if b, bulk := reply.(*[]byte); bulk {
		body, err := p.conn.ExpectBytes(answer, most)
		*b = body
		return err
	}
	if err := p.conn.Expect(answer, most, reply); err != nil {
		return err
	}
	if v, ok := reply.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return &wire.ProtocolError{Code: wire.Malformed, Err: err}
		}
	}
	return nil
}

func (p *peers) take(member string) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[member]
	if len(list) == 0 {
		return nil
	}
	p.idle[member] = list[:len(list)-1]
	return list[len(list)-1]
}

func (p *peers) put(member string, to *peer) {
	p.mu.Lock()
	full := len(p.idle[member]) >= mostIdle || p.ctx.Err() != nil
	if !full {
		p.idle[member] = append(p.idle[member], to)
	}
	p.mu.Unlock()
	if full {
		_ = to.stream.Close()
	}
}

// close ends the streams that nobody uses, and waits for those that are being opened. Its
// context has ended.
func (p *peers) close() {
	p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.idle {
		for _, to := range list {
			to.stream.Reset()
		}
	}
	p.idle = map[string][]*peer{}
}
