package transport

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	lt "github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	dialTimeout = 30 * time.Second // one address, all of its round trips, on a slow link
	// writeTimeout is how long one frame of 64 KiB or a ping may take. The default of
	// 10 s cuts healthy links below about 64 kbit/s, or with deep send buffers.
	writeTimeout = 60 * time.Second
)

// assemble puts the swarm together by hand, so that none of what a closed
// federation does not need is linked. What it opened is closed again on failure.
func (t *Transport) assemble(o Options) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, t.closeParts())
		}
	}()
	key, err := crypto.UnmarshalEd25519PrivateKey(o.Key)
	if err != nil {
		return fmt.Errorf("transport key: %w", err)
	}
	if t.self, err = peer.IDFromPrivateKey(key); err != nil {
		return fmt.Errorf("transport key: %w", err)
	}
	resources, err := newResources()
	if err != nil {
		return err
	}
	t.parts = append(t.parts, resources.Close)
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return fmt.Errorf("address book: %w", err)
	}
	t.parts = append(t.parts, store.Close)
	t.book = store
	gate := &gater{t: t, sources: newSources()}
	t.swarm, err = swarm.NewSwarm(t.self, store, eventbus.NewBus(),
		swarm.WithConnectionGater(gate),
		swarm.WithResourceManager(resources),
		swarm.WithDialRanker(rank),
		swarm.WithDialTimeout(dialTimeout),
		swarm.WithDialTimeoutLocal(dialTimeout),
		// A partner that is down for a day is not proof that UDP or IPv6 is blocked here.
		swarm.WithUDPBlackHoleSuccessCounter(nil),
		swarm.WithIPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	t.parts = append(t.parts, t.swarm.Close)
	if err := t.addTCP(key, gate, resources); err != nil {
		return err
	}
	return t.addQUIC(o, key, gate, resources)
}

func (t *Transport) addTCP(key crypto.PrivKey, gate *gater, resources network.ResourceManager) error {
	frames := *yamux.DefaultTransport
	frames.ConnectionWriteTimeout = writeTimeout
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: &muxer{Multiplexer: &frames, refused: t.classical}}}
	secure, err := libp2ptls.New(libp2ptls.ID, key, muxers)
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, resources, gate)
	if err != nil {
		return fmt.Errorf("TCP: %w", err)
	}
	// Without port reuse a second node on the same port fails instead of sharing it.
	tr, err := tcp.NewTCPTransport(up, resources, nil, tcp.DisableReuseport(), tcp.WithConnectionTimeout(dialTimeout/2))
	if err != nil {
		return fmt.Errorf("TCP: %w", err)
	}
	if err := t.swarm.AddTransport(&tcpTransport{tr}); err != nil {
		return fmt.Errorf("TCP: %w", err)
	}
	return nil
}

// tcpTransport is the TCP transport with a listener that ends without noise: the
// stock one reports its own closing as an error on the process's standard error.
type tcpTransport struct{ *tcp.TcpTransport }

// Listen listens on one address.
func (t *tcpTransport) Listen(on ma.Multiaddr) (lt.Listener, error) {
	l, err := t.TcpTransport.Listen(on)
	if err != nil {
		return nil, err
	}
	return &tcpListener{Listener: l}, nil
}

type tcpListener struct {
	lt.Listener
	closed atomic.Bool
}

// Accept returns the error that means closed after Close.
func (l *tcpListener) Accept() (lt.CapableConn, error) {
	c, err := l.Listener.Accept()
	if err != nil && l.closed.Load() {
		return nil, lt.ErrListenerClosed
	}
	return c, err
}

// Close ends Accept.
func (l *tcpListener) Close() error {
	l.closed.Store(true)
	return l.Listener.Close()
}

// listen opens every address or none.
func (t *Transport) listen(addresses []string) error {
	for _, s := range addresses {
		a, err := listenAddress(s)
		if err != nil {
			return err
		}
		if err := t.swarm.AddListenAddr(a); err != nil {
			switch {
			case errors.Is(err, syscall.EADDRINUSE):
				return fmt.Errorf("listen on %s: the address is in use; is another node running?: %w", s, err)
			case errors.Is(err, syscall.EACCES):
				return fmt.Errorf("listen on %s: this user may not use the port: %w", s, err)
			case errors.Is(err, syscall.EADDRNOTAVAIL):
				return fmt.Errorf("listen on %s: the machine does not have this address: %w", s, err)
			}
			return fmt.Errorf("listen on %s: %w", s, err)
		}
	}
	return nil
}
