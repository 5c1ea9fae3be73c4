package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

func (t *Transport) addQUIC(o Options, key crypto.PrivKey, gate *gater, resources network.ResourceManager) error {
	reset, err := subkey(o.Key, "entente quic stateless reset")
	if err != nil {
		return err
	}
	token, err := subkey(o.Key, "entente quic token")
	if err != nil {
		return err
	}
	options := []quicreuse.Option{
		quicreuse.ConnContext(admitHandshake(gate, resources)),
		quicreuse.VerifySourceAddress(func(a net.Addr) bool {
			u, ok := a.(*net.UDPAddr)
			return !ok || gate.sources.suspect(u.IP)
		}),
	}
	if o.ListenPacket != nil {
		options = append(options, quicreuse.OverrideListenUDP(o.ListenPacket),
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) {
				return sourceOf(o.Listen), nil
			}))
	}
	manager, err := quicreuse.NewConnManager(quic.StatelessResetKey(reset), quic.TokenGeneratorKey(token), options...)
	if err != nil {
		return fmt.Errorf("QUIC: %w", err)
	}
	// Parts close from the last to the first: connections end before their sockets.
	t.parts = append(t.parts[:len(t.parts)-1], manager.Close, t.parts[len(t.parts)-1])
	tr, err := libp2pquic.NewTransport(key, manager, nil, gate, resources)
	if err != nil {
		return fmt.Errorf("QUIC: %w", err)
	}
	if err := t.swarm.AddTransport(&quicTransport{Transport: tr, refused: t.classical}); err != nil {
		return fmt.Errorf("QUIC: %w", err)
	}
	return nil
}

// subkey derives a QUIC key from the transport key, so that it outlives a restart:
// partners then notice at once that their connection is gone.
func subkey(key ed25519.PrivateKey, label string) ([]byte, error) {
	b, err := hkdf.Key(sha256.New, key.Seed(), nil, label, 32)
	if err != nil {
		return nil, fmt.Errorf("derive %s key: %w", label, err)
	}
	return b, nil
}

// admitHandshake charges the source of a QUIC connection and takes up its resources
// before any cryptography.
func admitHandshake(gate *gater, resources network.ResourceManager) func(context.Context, *quic.ClientInfo) (context.Context, error) {
	return func(ctx context.Context, c *quic.ClientInfo) (context.Context, error) {
		from, ok := c.RemoteAddr.(*net.UDPAddr)
		if !ok || !gate.sources.allow(from.IP) {
			gate.t.refusal(refusedFlood, "too many handshakes from this source", "", c.RemoteAddr.String())
			return ctx, errors.New("too many handshakes")
		}
		a, err := quicreuse.ToQuicMultiaddr(from, quic.Version1)
		if err != nil {
			return ctx, err
		}
		scope, err := resources.OpenConnection(network.DirInbound, false, a)
		if err != nil {
			gate.t.refusal(refusedLimit, "own limit reached", "", a.String())
			return ctx, err
		}
		ctx = network.WithConnManagementScope(ctx, scope)
		context.AfterFunc(ctx, scope.Done)
		return ctx, nil
	}
}

// sourceOf makes QUIC dial from the first address that it listens on. Only packet
// networks that are not the machine's own need it: there are no routes to ask.
func sourceOf(listen []string) source {
	for _, l := range listen {
		if m, err := ma.NewMultiaddr(l); err == nil {
			if u, _, err := quicreuse.FromQuicMultiaddr(m); err == nil {
				return source{u.IP}
			}
		}
	}
	return source{net.IPv4zero}
}

type source struct{ ip net.IP }

func (s source) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return s.ip, nil }
