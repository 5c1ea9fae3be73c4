package transport_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multistream"
	"github.com/quic-go/quic-go"

	"entente/node/transport"
)

// classicalPeer is a correct libp2p peer but for one thing: it offers only X25519.
type classicalPeer struct {
	member   transport.Member
	identity *libp2ptls.Identity
}

func newClassicalPeer(t testing.TB) *classicalPeer {
	t.Helper()
	key := newKey(t)
	k, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := libp2ptls.NewIdentity(k)
	if err != nil {
		t.Fatal(err)
	}
	return &classicalPeer{
		member:   transport.Member{ID: "CL", Key: key.Public().(ed25519.PublicKey)},
		identity: identity,
	}
}

func (c *classicalPeer) config(t testing.TB, other string, protocols ...string) *tls.Config {
	t.Helper()
	var p peer.ID
	if other != "" {
		var err error
		if p, err = peer.Decode(other); err != nil {
			t.Fatal(err)
		}
	}
	conf, _ := c.identity.ConfigForPeer(p)
	conf.CurvePreferences = []tls.CurveID{tls.X25519}
	conf.NextProtos = protocols
	return conf
}

// at returns where n listens, for net.Dial, and its peer id.
func at(t testing.TB, n *node) (host, id string) {
	t.Helper()
	plain, id, _ := strings.Cut(n.Addresses()[0], "/p2p/")
	m, err := multiaddr.NewMultiaddr(strings.TrimSuffix(plain, "/quic-v1"))
	if err != nil {
		t.Fatal(err)
	}
	_, host, err = manet.DialArgs(m)
	if err != nil {
		t.Fatal(err)
	}
	return host, id
}

// named checks that n's operator learns why CL was refused.
func named(t testing.TB, n *node) {
	t.Helper()
	eventually(t, "reason in log and status", func() bool {
		return n.log.has("no post-quantum key exchange: the other side chose X25519") &&
			n.log.has("member=CL") &&
			strings.Contains(status(t, n, "CL").Problem, "no post-quantum key exchange")
	})
}

func TestClassicalDiallerTCP(t *testing.T) {
	c := newClassicalPeer(t)
	n := start(t, "AU", transport.Options{Listen: []string{tcpAny}})
	n.SetMembers([]transport.Member{c.member})
	host, id := at(t, n)
	raw, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	if _, err := multistream.SelectOneOf([]string{libp2ptls.ID}, raw); err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, c.config(t, id, yamux.ID, "libp2p"))
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("handshake: %v", err) // the refusal must come from our check
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if k, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read %d bytes, %v", k, err)
	}
	named(t, n)
}

func TestClassicalListenerTCP(t *testing.T) {
	c := newClassicalPeer(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = raw.Close() }()
		m := multistream.NewMultistreamMuxer[string]()
		m.AddHandler(libp2ptls.ID, nil)
		if _, _, err := m.Negotiate(raw); err != nil {
			return
		}
		conn := tls.Server(raw, c.config(t, "", yamux.ID))
		_, _ = conn.Read(make([]byte, 1))
	}()
	a, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c.member.Addresses = []string{a.String()}
	n := start(t, "AU", transport.Options{})
	n.SetMembers([]transport.Member{c.member})
	if _, err := n.Open(t.Context(), "CL", echo); !errors.Is(err, transport.ErrKeyExchange) {
		t.Errorf("Open: %v", err)
	}
	named(t, n)
	_ = l.Close()
	<-done
}

func TestClassicalDiallerQUIC(t *testing.T) {
	c := newClassicalPeer(t)
	n := start(t, "AU", transport.Options{Listen: []string{quicAny}})
	n.SetMembers([]transport.Member{c.member})
	host, id := at(t, n)
	conn, err := quic.DialAddr(t.Context(), host, c.config(t, id, "libp2p"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.AcceptStream(t.Context())
	var ae *quic.ApplicationError
	if !errors.As(err, &ae) || !ae.Remote || ae.ErrorCode != 0x656e0001 {
		t.Errorf("connection ended with %v", err)
	}
	named(t, n)
}

func TestClassicalListenerQUIC(t *testing.T) {
	c := newClassicalPeer(t)
	l, err := quic.ListenAddr("127.0.0.1:0", c.config(t, "", "libp2p"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c.member.Addresses = []string{a.String() + "/quic-v1"}
	n := start(t, "AU", transport.Options{})
	n.SetMembers([]transport.Member{c.member})
	if _, err := n.Open(t.Context(), "CL", echo); !errors.Is(err, transport.ErrKeyExchange) {
		t.Errorf("Open: %v", err)
	}
	named(t, n)
}
