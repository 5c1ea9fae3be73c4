// Package transport carries streams between the members of one federation over
// libp2p, assembled by hand: TCP with TLS 1.3 and yamux, and QUIC (libp2p TLS
// specification, RFC 8446, RFC 9000; X25519MLKEM768 of draft-ietf-tls-ecdhe-mlkem).
//
// It promises: both ends of a stream hold the transport keys that the member set
// names; keys are agreed with X25519MLKEM768 or not at all, so recorded traffic
// stays closed to a later quantum computer; whoever is not in the member set opens
// no stream, and whoever leaves it loses its connections at once; a partner that
// stops reading or sending is noticed within IdleTimeout; a partner or a flood of
// strangers uses bounded memory, streams and handshakes; a handler that panics
// takes its stream down and nothing else.
//
// It does not promise: authentication against a quantum computer at the time of
// the connection (identities are Ed25519); that sizes, times and who talks to whom
// stay hidden from the network; delivery of what was written before Close (the last
// message of a protocol needs an answer); reconnection, which is the caller's.
// There is no discovery, relaying, hole punching or address guessing: addresses
// come from the member set.
package transport

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multistream"
	"golang.org/x/time/rate"
)

const (
	defaultIdleTimeout = time.Minute
	defaultStreams     = 16
	mostStreams        = 64 // see limits
	shortestIdle       = 100 * time.Millisecond
)

// Options of a transport. ID and Key are required.
type Options struct {
	// ID is this node's own member id; Key its transport key.
	ID  string
	Key ed25519.PrivateKey
	// Listen holds multiaddrs (see CheckListenAddress); empty means only dialling out.
	Listen []string
	// Announce replaces, in Addresses, what the node listens on (behind a NAT).
	Announce []string
	// ListenPacket opens the sockets of QUIC; nil means the machine's own.
	ListenPacket func(network string, addr *net.UDPAddr) (net.PacketConn, error)
	// IdleTimeout is how long a stream may rest without a byte in either direction;
	// 0 means one minute.
	IdleTimeout time.Duration
	// StreamsPerMember is how many streams of one member are served at once, 1 to 64;
	// 0 means 16.
	StreamsPerMember int
	// Log gets what an operator should know; nil means nothing is logged.
	Log *slog.Logger
}

// Transport is one node's end of the federation's network. It is safe for
// concurrent use.
type Transport struct {
	o        Options
	log      *slog.Logger
	self     peer.ID
	swarm    *swarm.Swarm
	book     peerstore.AddrBook
	parts    []func() error // closed from the last to the first
	members  atomic.Pointer[memberSet]
	refusing [refusalKinds]rate.Sometimes // keeps strangers from filling the log
	refused  [refusalKinds]atomic.Uint64

	protocols *multistream.MultistreamMuxer[protocol.ID]

	base   context.Context // of handlers
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup // handlers, and streams that are not released yet
	once   sync.Once
	err    error // of Close

	setting  sync.Mutex // one SetMembers at a time
	mu       sync.Mutex
	closed   bool
	handlers map[protocol.ID]func(context.Context, *Stream)
	streams  map[*Stream]struct{}
	inbound  map[peer.ID]int
	problems map[peer.ID]string // last failure, for Status
}

// New starts a transport with an empty member set. The error says which address
// or option is wrong; nothing is left open then.
func New(o Options) (*Transport, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	t := &Transport{
		o: o, log: o.Log,
		protocols: multistream.NewMultistreamMuxer[protocol.ID](),
		handlers:  map[protocol.ID]func(context.Context, *Stream){},
		streams:   map[*Stream]struct{}{},
		inbound:   map[peer.ID]int{},
		problems:  map[peer.ID]string{},
	}
	for i := range t.refusing {
		t.refusing[i] = rate.Sometimes{First: 20, Interval: time.Second}
	}
	t.base, t.cancel = context.WithCancelCause(context.Background())
	t.members.Store(&memberSet{})
	if err := t.assemble(o); err != nil {
		return nil, fmt.Errorf("start transport: %w", err)
	}
	t.swarm.SetStreamHandler(t.serve)
	t.swarm.Notify(&network.NotifyBundle{ConnectedF: t.connected})
	if err := t.listen(o.Listen); err != nil {
		return nil, fmt.Errorf("start transport: %w", errors.Join(err, t.Close()))
	}
	return t, nil
}

// complete checks the options and fills in the defaults.
func (o *Options) complete() error {
	if o.ID == "" {
		return errors.New("start transport: own member id is missing")
	}
	if len(o.Key) != ed25519.PrivateKeySize {
		return errors.New("start transport: transport key has the wrong length")
	}
	for _, a := range o.Listen {
		if err := CheckListenAddress(a); err != nil {
			return fmt.Errorf("start transport: listen: %w", err)
		}
	}
	for _, a := range o.Announce {
		if err := CheckAddress(a); err != nil {
			return fmt.Errorf("start transport: announce: %w", err)
		}
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = defaultIdleTimeout
	}
	if o.IdleTimeout < shortestIdle {
		return fmt.Errorf("start transport: idle timeout %s is below %s", o.IdleTimeout, shortestIdle)
	}
	if o.StreamsPerMember == 0 {
		o.StreamsPerMember = defaultStreams
	}
	if o.StreamsPerMember < 1 || o.StreamsPerMember > mostStreams {
		return fmt.Errorf("start transport: streams per member must be 1 to %d", mostStreams)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Addresses returns where others can dial this node, each with its /p2p id:
// Announce if given, otherwise the addresses listened on, with the actual ports.
func (t *Transport) Addresses() []string {
	var out []string
	suffix := "/p2p/" + t.self.String()
	if len(t.o.Announce) > 0 {
		for _, s := range t.o.Announce {
			if a, err := parseAddress(s); err == nil {
				out = append(out, a.dial.String()+suffix)
			}
		}
		return out
	}
	for _, a := range t.swarm.ListenAddresses() {
		out = append(out, a.String()+suffix)
	}
	return out
}

// Close ends all connections, cancels the handlers' contexts and waits for the
// handlers. It does not wait until written data have arrived.
func (t *Transport) Close() error {
	t.once.Do(func() {
		t.mu.Lock()
		t.closed = true
		open := make([]*Stream, 0, len(t.streams))
		for s := range t.streams {
			open = append(open, s)
		}
		t.mu.Unlock()
		t.cancel(ErrClosed)
		for _, s := range open {
			s.cut(ErrClosed)
		}
		t.err = t.closeParts()
		t.tasks.Wait()
	})
	return t.err
}

// closeParts closes from the last part to the first.
func (t *Transport) closeParts() error {
	var all error
	for i := len(t.parts) - 1; i >= 0; i-- {
		if err := t.parts[i](); err != nil && !errors.Is(err, io.EOF) {
			all = errors.Join(all, fmt.Errorf("close transport: %w", err))
		}
	}
	t.parts = nil
	return all
}
