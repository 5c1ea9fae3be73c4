package transport

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Handle serves a protocol: h runs in its own goroutine for every stream that a
// member opens. Its context ends when the transport closes or the member is
// removed, not when the link breaks, so that h can finish what it has received;
// Close waits for h. h closes the stream after a good end; if it returns without,
// or panics, the stream is reset. The last h for a protocol counts.
func (t *Transport) Handle(protocolID string, h func(ctx context.Context, s *Stream)) {
	id := protocol.ID(protocolID)
	t.mu.Lock()
	t.handlers[id] = h
	t.mu.Unlock()
	t.protocols.AddHandler(id, nil)
}

// serve is the life of one stream that a member opened.
func (t *Transport) serve(raw network.Stream) {
	p := raw.Conn().RemotePeer()
	member := t.members.Load().name(p)
	if member == "" {
		_ = raw.ResetWithError(network.StreamGated)
		return
	}
	if !t.enter(p) {
		t.log.Warn("stream refused", "member", member, "reason", "too many streams at once", "limit", t.o.StreamsPerMember)
		_ = raw.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	defer t.leave(p)
	_ = raw.SetDeadline(time.Now().Add(t.o.IdleTimeout))
	id, _, err := t.protocols.Negotiate(raw)
	if err != nil {
		_ = raw.ResetWithError(network.StreamProtocolNegotiationFailed)
		return
	}
	if err := raw.SetProtocol(id); err != nil {
		t.log.Warn("stream refused", "member", member, "protocol", string(id), "reason", clip(err.Error()))
		_ = raw.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	ctx, cut := context.WithCancelCause(t.base)
	defer cut(nil)
	s, err := t.newStream(ctx, cut, raw, p, member)
	if err != nil {
		return
	}
	t.mu.Lock()
	h := t.handlers[id]
	t.mu.Unlock()
	t.run(ctx, h, s, string(id))
}

// run calls the handler and clears up behind it.
func (t *Transport) run(ctx context.Context, h func(context.Context, *Stream), s *Stream, id string) {
	defer s.Reset()
	defer func() {
		if r := recover(); r != nil {
			t.log.Error("handler panicked", "member", s.member, "protocol", id, "panic", panicked(r), "stack", string(debug.Stack()))
		}
	}()
	h(ctx, s)
}

// panicked tells a panic without its value, which could hold what an indicator says.
// Errors of the Go runtime hold indices and types only.
func panicked(r any) string {
	if err, ok := r.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", r)
}

// enter counts a served stream and keeps Close waiting for it.
func (t *Transport) enter(p peer.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.inbound[p] >= t.o.StreamsPerMember {
		return false
	}
	t.inbound[p]++
	t.tasks.Add(1)
	return true
}

func (t *Transport) leave(p peer.ID) {
	t.mu.Lock()
	if t.inbound[p]--; t.inbound[p] == 0 {
		delete(t.inbound, p)
	}
	t.mu.Unlock()
	t.tasks.Done()
}
