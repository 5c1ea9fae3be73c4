package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	lt "github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// codeKeyExchange tells the other side of a QUIC connection why it was closed.
const codeKeyExchange network.ConnErrorCode = 0x656e0001

// refusals is told about every connection turned away for its key exchange.
type refusals func(p peer.ID, from string, err error)

// checkKeyExchange holds for both transports and both directions.
func checkKeyExchange(s tls.ConnectionState) error {
	if s.CurveID != tls.X25519MLKEM768 {
		return fmt.Errorf("%w: the other side chose %s", ErrKeyExchange, s.CurveID)
	}
	return nil
}

// keyExchange names what a connection negotiated, "" if it cannot be told.
func keyExchange(c network.Conn) string {
	var state tls.ConnectionState
	var q *quic.Conn
	switch {
	case c.As(&state):
	case c.As(&q):
		state = q.ConnectionState().TLS
	default:
		return ""
	}
	return state.CurveID.String()
}

// muxer refuses to put streams on a TLS connection without a post-quantum key
// exchange. It stands here and not around TLS because every TCP connection, in and
// out, passes it, and because what it returns can still tell what was negotiated.
type muxer struct {
	network.Multiplexer
	refused refusals
}

func (m *muxer) NewConn(c net.Conn, server bool, scope network.PeerScope) (network.MuxedConn, error) {
	secure, ok := c.(interface {
		sec.SecureConn
		ConnectionState() tls.ConnectionState
	})
	if !ok {
		return nil, fmt.Errorf("%w: not a TLS connection", ErrKeyExchange)
	}
	state := secure.ConnectionState()
	if err := checkKeyExchange(state); err != nil {
		m.refused(secure.RemotePeer(), c.RemoteAddr().String(), err)
		return nil, err
	}
	mc, err := m.Multiplexer.NewConn(c, server, scope)
	if err != nil {
		return nil, err
	}
	return &muxed{MuxedConn: mc, state: state}, nil
}

// muxed adds the TLS state to what a connection can be asked for.
type muxed struct {
	network.MuxedConn
	state tls.ConnectionState
}

// As answers for *tls.ConnectionState and passes everything else on.
func (c *muxed) As(target any) bool {
	if t, ok := target.(*tls.ConnectionState); ok {
		*t = c.state
		return true
	}
	return c.MuxedConn.As(target)
}

// quicTransport is the QUIC transport with the check on every connection.
type quicTransport struct {
	lt.Transport
	refused refusals
}

func (t *quicTransport) check(c lt.CapableConn) error {
	var q *quic.Conn
	err := fmt.Errorf("%w: not a QUIC connection", ErrKeyExchange)
	if c.As(&q) {
		err = checkKeyExchange(q.ConnectionState().TLS)
	}
	if err != nil {
		t.refused(c.RemotePeer(), c.RemoteMultiaddr().String(), err)
		_ = c.CloseWithError(codeKeyExchange)
	}
	return err
}

// Dial dials and then checks.
func (t *quicTransport) Dial(ctx context.Context, to ma.Multiaddr, p peer.ID) (lt.CapableConn, error) {
	c, err := t.Transport.Dial(ctx, to, p)
	if err != nil {
		return nil, err
	}
	if err := t.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

// Listen listens with a listener that checks.
func (t *quicTransport) Listen(on ma.Multiaddr) (lt.Listener, error) {
	l, err := t.Transport.Listen(on)
	if err != nil {
		return nil, err
	}
	return &quicListener{Listener: l, transport: t}, nil
}

type quicListener struct {
	lt.Listener
	transport *quicTransport
}

// Accept skips the connections that fail the check.
func (l *quicListener) Accept() (lt.CapableConn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.transport.check(c) == nil {
			return c, nil
		}
	}
}
