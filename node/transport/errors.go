package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multistream"
	"github.com/quic-go/quic-go"
)

// What went wrong, for callers that branch; the text around them says it in plain words.
var (
	// ErrUnknownMember: the name is not in the member set, or was taken out of it.
	ErrUnknownMember = errors.New("not a member")
	// ErrUnreachable: no address of the member answers, or it stopped answering.
	ErrUnreachable = errors.New("not reachable")
	// ErrRefused: the member answers but does not admit this node.
	ErrRefused = errors.New("refused by the partner")
	// ErrKeyExchange: the other side offers no X25519MLKEM768.
	ErrKeyExchange = errors.New("no post-quantum key exchange")
	// ErrNotOffered: the member admits this node but does not speak the protocol.
	ErrNotOffered = errors.New("protocol not offered by the partner")
	// ErrBusy: there is no room for another stream, at the member or here.
	ErrBusy = errors.New("no free slot")
	// ErrInterrupted: a stream ended before its time: link lost, stalled, or reset by the partner.
	ErrInterrupted = errors.New("connection interrupted")
	// ErrClosed: the own transport is closed.
	ErrClosed = errors.New("transport is closed")
)

// errDone is the cause of a stream's context after its owner closed or reset it.
var errDone = errors.New("stream closed by this node")

// isTimeout covers deadlines of contexts, sockets, yamux and QUIC.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, swarm.ErrDialTimeout) || (errors.As(err, &ne) && ne.Timeout())
}

// dialFailure puts the failure of all addresses of a member into words: one
// sentinel for the caller, one reason for each address.
func dialFailure(err error) error {
	if errors.Is(err, swarm.ErrNoAddresses) {
		return fmt.Errorf("%w: no address of it is known", ErrUnreachable)
	}
	if errors.Is(err, swarm.ErrSwarmClosed) {
		return ErrClosed
	}
	kind := ErrUnreachable
	if errors.Is(err, ErrKeyExchange) {
		kind = ErrKeyExchange
	} else if refusedHandshake(err) {
		kind = ErrRefused
	}
	var de *swarm.DialError
	if !errors.As(err, &de) || len(de.DialErrors) == 0 {
		return fmt.Errorf("%w: %s", kind, reason(err))
	}
	text := ""
	for i, e := range de.DialErrors {
		if i > 0 {
			text += "; "
		}
		text += e.Address.String() + ": " + reason(e.Cause)
	}
	return fmt.Errorf("%w: %s", kind, text)
}

// refusedHandshake reports a QUIC listener that turned the connection away before
// the handshake: its bucket for this address is empty.
func refusedHandshake(err error) bool {
	var te *quic.TransportError
	return errors.As(err, &te) && te.Remote && te.ErrorCode == quic.ConnectionRefused
}

// reason says in plain words why one address did not work.
func reason(err error) string {
	var mismatch sec.ErrPeerIDMismatch
	var dns *net.DNSError
	switch {
	case errors.Is(err, ErrKeyExchange):
		return ErrKeyExchange.Error()
	case errors.As(err, &mismatch):
		return "answers with another key than the member's"
	case errors.As(err, &dns):
		return "host name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there (connection refused)"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to host"
	case errors.Is(err, swarm.ErrNoGoodAddresses):
		return "no usable address"
	case refusedHandshake(err):
		return "too many connection attempts from here"
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return "own limit reached: " + clip(err.Error())
	case isTimeout(err):
		return "no answer"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "ended the connection during the handshake"
	}
	return clip(err.Error())
}

// clip keeps foreign texts short.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// answerFailure puts into words why the first round trip on a connection failed.
// In TLS 1.3 the dialler finishes its handshake before the other side has checked
// who it is, so a refusal shows only here.
func answerFailure(err error) error {
	var ce *network.ConnError
	var se *network.StreamError
	switch {
	case errors.Is(err, multistream.ErrNotSupported[protocol.ID]{}):
		return ErrNotOffered
	case errors.As(err, &ce) && ce.Remote && ce.ErrorCode == network.ConnGated:
		return fmt.Errorf("%w: it does not admit this node", ErrRefused)
	case errors.As(err, &ce) && ce.Remote && ce.ErrorCode == codeKeyExchange:
		return fmt.Errorf("%w: it found no post-quantum key exchange", ErrRefused)
	case errors.As(err, &ce) && ce.Remote && ce.ErrorCode == network.ConnResourceLimitExceeded:
		return fmt.Errorf("%w at the partner for another connection", ErrBusy)
	case errors.As(err, &se) && se.Remote && se.ErrorCode == network.StreamGated:
		return fmt.Errorf("%w: it does not admit this node", ErrRefused)
	case errors.As(err, &se) && se.Remote && se.ErrorCode == network.StreamResourceLimitExceeded:
		return fmt.Errorf("%w at the partner for another stream", ErrBusy)
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return fmt.Errorf("%w here: %s", ErrBusy, clip(err.Error()))
	case errors.As(err, &se) && se.Remote:
		return fmt.Errorf("%w: the partner reset the stream at once", ErrInterrupted)
	case isTimeout(err):
		return fmt.Errorf("%w: connected, but no answer", ErrUnreachable)
	}
	return fmt.Errorf("%w: it ended the connection before its first answer and may not admit this node", ErrRefused)
}
