package transport

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/time/rate"
)

const (
	handshakeBurst = 64   // handshakes that one source may start at once
	handshakeRate  = 8    // and then per second; one costs about 3 ms of CPU
	sourcesMost    = 4096 // sources remembered
)

// gater admits members only. The member set is read from one atomic snapshot, so a
// removal holds for the next check anywhere.
type gater struct {
	t       *Transport
	sources *sources
}

func (g *gater) InterceptPeerDial(p peer.ID) bool                 { return g.t.admits(p) }
func (g *gater) InterceptAddrDial(p peer.ID, _ ma.Multiaddr) bool { return g.t.admits(p) }

// InterceptAccept runs before any cryptography on TCP. QUIC calls it after the
// handshake only, and has charged the source before it.
func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool {
	from := c.RemoteMultiaddr()
	if _, err := from.ValueForProtocol(ma.P_QUIC_V1); err == nil {
		return true
	}
	ip, err := manet.ToIP(from)
	if err != nil {
		return false
	}
	if !g.sources.allow(ip) {
		g.t.refusal(refusedFlood, "too many handshakes from this source", "", from.String())
		return false
	}
	return true
}

// InterceptSecured lets unknown diallers pass to InterceptUpgraded, because only
// from there on can they be told that they are refused.
func (g *gater) InterceptSecured(d network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return d == network.DirInbound || g.t.admits(p)
}

// InterceptUpgraded ends connections of unknown peers with a code that says so,
// before a single stream is accepted.
func (g *gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	if g.t.admits(c.RemotePeer()) {
		return true, 0
	}
	g.t.refusal(refusedStranger, "not a member", c.RemotePeer(), c.RemoteMultiaddr().String())
	return false, 0
}

// sources is a token bucket per source: an IPv4 address or an IPv6 /64.
type sources struct {
	mu      sync.Mutex
	buckets map[netip.Prefix]*rate.Limiter
	most    int
	burst   int
	rate    rate.Limit
}

func newSources() *sources {
	return &sources{
		buckets: map[netip.Prefix]*rate.Limiter{},
		most:    sourcesMost, burst: handshakeBurst, rate: handshakeRate,
	}
}

func (s *sources) bucket(ip net.IP) *rate.Limiter {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return rate.NewLimiter(0, 0)
	}
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 64
	}
	key, err := a.Prefix(bits)
	if err != nil {
		return rate.NewLimiter(0, 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.buckets[key]; ok {
		return b
	}
	if len(s.buckets) >= s.most {
		s.sweep()
	}
	b := rate.NewLimiter(s.rate, s.burst)
	s.buckets[key] = b
	return b
}

// sweep forgets sources whose bucket is full again. Whoever commands thousands of
// sources is not held by a bucket per source, so then all of them are forgotten.
func (s *sources) sweep() {
	now := time.Now()
	for k, b := range s.buckets {
		if b.TokensAt(now) >= float64(s.burst) {
			delete(s.buckets, k)
		}
	}
	if len(s.buckets) >= s.most {
		clear(s.buckets)
	}
}

func (s *sources) allow(ip net.IP) bool { return s.bucket(ip).Allow() }

// suspect says whether a UDP source must prove that it owns its address before it
// is served: from half of its bucket on. So somebody who forges a member's address
// can use up half of the bucket at most.
func (s *sources) suspect(ip net.IP) bool {
	return s.bucket(ip).TokensAt(time.Now()) <= float64(s.burst)/2
}
