package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
)

// Open opens a stream with a member for one protocol, dialling if necessary. It
// returns only after the first answer, so a stream that it returns has been
// admitted by the partner. ctx bounds the whole life of the stream: when it ends,
// the stream is reset. Errors are one of ErrUnknownMember, ErrUnreachable,
// ErrRefused, ErrKeyExchange, ErrNotOffered, ErrBusy, ErrInterrupted, ErrClosed or
// the context's.
func (t *Transport) Open(ctx context.Context, member, protocolID string) (*Stream, error) {
	p, ok := t.members.Load().byID[member]
	if !ok {
		return nil, fmt.Errorf("open %s with %s: %w", protocolID, member, ErrUnknownMember)
	}
	raw, err := t.negotiated(ctx, p, protocol.ID(protocolID))
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("open %s with %s: %w", protocolID, member, context.Cause(ctx))
	}
	t.problem(p, err)
	if err != nil {
		return nil, fmt.Errorf("open %s with %s: %w", protocolID, member, err)
	}
	s, err := t.newStream(ctx, nil, raw, p, member)
	if err != nil {
		return nil, fmt.Errorf("open %s with %s: %w", protocolID, member, err)
	}
	return s, nil
}

// negotiated returns a raw stream on which the partner has confirmed the protocol.
// A connection from before may have died unnoticed (the partner restarted, or has
// admitted this node only since): then it is given up and a new one tried.
func (t *Transport) negotiated(ctx context.Context, p peer.ID, id protocol.ID) (network.Stream, error) {
	for {
		before := t.swarm.ConnsToPeer(p)
		c, err := t.dial(ctx, p)
		if err != nil {
			return nil, t.unadmitted(p, dialFailure(err))
		}
		raw, err := t.negotiate(ctx, c, id)
		if err == nil {
			return raw, nil
		}
		if ctx.Err() != nil || !slices.Contains(before, c) || !dead(c, err) {
			return nil, t.unadmitted(p, answerFailure(err))
		}
		_ = c.Close()
	}
}

// dead reports whether a connection ended, by its own account or by that of a
// stream: QUIC tells its streams first.
func dead(c network.Conn, err error) bool {
	var ce *network.ConnError
	return c.IsClosed() || errors.As(err, &ce)
}

// unadmitted replaces an error that came only from removing the member meanwhile.
func (t *Transport) unadmitted(p peer.ID, err error) error {
	if errors.Is(err, ErrClosed) || t.base.Err() != nil {
		return ErrClosed
	}
	if !t.admits(p) {
		return ErrUnknownMember
	}
	return err
}

// dial leaves retries and their pace to the caller: the swarm forgets its own pauses after
// failures. (It has none for dials that are forced to be direct, but such a dial panics in
// libp2p 0.51.0 if the swarm is closed in the middle.)
func (t *Transport) dial(ctx context.Context, p peer.ID) (network.Conn, error) {
	t.swarm.Backoff().Clear(p)
	return t.swarm.DialPeer(network.WithDialPeerTimeout(ctx, 2*dialTimeout), p)
}

// negotiate opens a stream on c and waits for the partner to confirm the protocol.
func (t *Transport) negotiate(ctx context.Context, c network.Conn, id protocol.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, t.o.IdleTimeout)
	defer cancel()
	raw, err := c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	if err := raw.SetProtocol(id); err != nil {
		_ = raw.Reset()
		return nil, err
	}
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(finished)
		_ = raw.Reset()
	})
	_ = raw.SetDeadline(time.Now().Add(t.o.IdleTimeout))
	err = multistream.SelectProtoOrFail(id, raw)
	if !stop() { // then err is only that of the stream reset here
		<-finished
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = raw.Reset()
		return nil, err
	}
	return raw, nil
}
