package transport

import "github.com/libp2p/go-libp2p/core/peer"

// refusalKind is why a connection was turned away.
type refusalKind int

const (
	refusedStranger refusalKind = iota
	refusedFlood
	refusedLimit
	refusedKeyExchange
	refusalKinds
)

// refusalNames are for Refused.
var refusalNames = [refusalKinds]string{"stranger", "flood", "limit", "key_exchange"}

// Refused counts the connections turned away so far, by the reason: stranger, flood (too
// many handshakes from one source), limit (of this side) or key_exchange (not
// post-quantum).
func (t *Transport) Refused() map[string]uint64 {
	out := map[string]uint64{}
	for kind, name := range refusalNames {
		out[name] = t.refused[kind].Load()
	}
	return out
}

// refusal logs a connection turned away, but not every one of a flood, and so that
// a flood of one kind does not hide the others.
func (t *Transport) refusal(kind refusalKind, why string, p peer.ID, from string) {
	t.refused[kind].Add(1)
	t.refusing[kind].Do(func() {
		t.log.Warn("connection refused", "reason", why, "member", t.members.Load().name(p), "peer", p.String(), "address", from)
	})
}

// classical records a connection without a post-quantum key exchange.
func (t *Transport) classical(p peer.ID, from string, err error) {
	t.refusal(refusedKeyExchange, err.Error(), p, from)
	t.problem(p, err)
}

// problem keeps the last failure with a member for Status; nil clears it.
func (t *Transport) problem(p peer.ID, err error) {
	if !t.admits(p) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		delete(t.problems, p)
		return
	}
	t.problems[p] = err.Error()
}
