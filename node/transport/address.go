package transport

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// longestAddress bounds one address in bytes; a host name has at most 253.
const longestAddress = 400

// PeerID returns the name under which a transport key appears in addresses
// ("/p2p/…"), or "" if the key has the wrong length.
func PeerID(key ed25519.PublicKey) string {
	id, err := peerID(key)
	if err != nil {
		return ""
	}
	return id.String()
}

func peerID(key ed25519.PublicKey) (peer.ID, error) {
	pub, err := crypto.UnmarshalEd25519PublicKey(key)
	if err != nil {
		return "", fmt.Errorf("transport key: %w", err)
	}
	return peer.IDFromPublicKey(pub)
}

// CheckAddress reports whether others can dial the address:
// /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT or …/udp/PORT/quic-v1, optionally followed
// by /p2p/ID. Unspecified hosts (0.0.0.0) and port 0 are refused.
func CheckAddress(address string) error {
	a, err := parseAddress(address)
	if err != nil {
		return err
	}
	if a.unspecified {
		return fmt.Errorf("address %s: names no host that others can reach", address)
	}
	if a.port == 0 {
		return fmt.Errorf("address %s: port 0 cannot be dialled", address)
	}
	return nil
}

// CheckListenAddress is like CheckAddress for listening: unspecified hosts and
// port 0 (any free one) are allowed, host names and /p2p are not.
func CheckListenAddress(address string) error {
	_, err := listenAddress(address)
	return err
}

func listenAddress(address string) (ma.Multiaddr, error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if a.named {
		return nil, fmt.Errorf("address %s: listening needs an IP address, not a host name", address)
	}
	if a.id != "" {
		return nil, fmt.Errorf("address %s: listening takes no /p2p part", address)
	}
	return a.dial, nil
}

// parsed is an address of one of the two accepted forms.
type parsed struct {
	dial        ma.Multiaddr // without /p2p
	id          peer.ID      // "" if the address names none
	named       bool         // host name instead of IP address
	unspecified bool
	port        int
}

func parseAddress(address string) (parsed, error) {
	var p parsed
	if len(address) > longestAddress {
		return p, errors.New("address is too long")
	}
	m, err := ma.NewMultiaddr(address)
	if err != nil {
		return p, fmt.Errorf("address %q: %w", address, err)
	}
	p.dial = m
	if last := m[len(m)-1]; last.Protocol().Code == ma.P_P2P {
		if p.id, err = peer.Decode(last.Value()); err != nil {
			return p, fmt.Errorf("address %q: %w", address, err)
		}
		m = m[:len(m)-1]
		p.dial = m
	}
	if len(m) < 2 {
		return p, form(address)
	}
	switch m[0].Protocol().Code {
	case ma.P_IP4, ma.P_IP6:
		ip, err := netip.ParseAddr(m[0].Value())
		if err != nil {
			return p, fmt.Errorf("address %q: %w", address, err)
		}
		p.unspecified = ip.IsUnspecified()
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
		p.named = true
	default:
		return p, form(address)
	}
	tcp := len(m) == 2 && m[1].Protocol().Code == ma.P_TCP
	udp := len(m) == 3 && m[1].Protocol().Code == ma.P_UDP && m[2].Protocol().Code == ma.P_QUIC_V1
	if !tcp && !udp {
		return p, form(address)
	}
	p.port, err = strconv.Atoi(m[1].Value())
	return p, err
}

func form(address string) error {
	return fmt.Errorf("address %q: want /ip4/HOST/tcp/PORT or /ip4/HOST/udp/PORT/quic-v1 (or ip6, dns, dns4, dns6)", address)
}

const (
	tcpStagger = 250 * time.Millisecond // between two TCP addresses (RFC 8305)
	quicDelay  = time.Second            // how long TCP has before QUIC is tried as well
)

// rank dials TCP first: it costs 2.5 times less CPU for bulk than QUIC and passes
// firewalls that block UDP. QUIC follows at once where TCP failed, else after a second.
func rank(addresses []ma.Multiaddr) []network.AddrDelay {
	out := make([]network.AddrDelay, 0, len(addresses))
	var udp []ma.Multiaddr
	for _, a := range addresses {
		if _, err := a.ValueForProtocol(ma.P_TCP); err != nil {
			udp = append(udp, a)
			continue
		}
		out = append(out, network.AddrDelay{Addr: a, Delay: time.Duration(len(out)) * tcpStagger})
	}
	var start time.Duration
	if len(out) > 0 {
		start = quicDelay
	}
	for i, a := range udp {
		out = append(out, network.AddrDelay{Addr: a, Delay: start + time.Duration(i)*tcpStagger})
	}
	return out
}
