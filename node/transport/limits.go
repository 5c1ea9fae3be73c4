package transport

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	lrate "github.com/libp2p/go-libp2p/x/rate"
)

const (
	mebibyte       = 1 << 20
	connsPerSource = 64 // from one IPv4 address or IPv6 /56
)

// limits are written out, for 64 members on a machine with 4 GB, and do not follow
// the machine's memory: a limit that nobody chose cannot be explained to an
// operator. Memory counts receive windows: at most 16 MiB a stream, 256 KiB at start.
// Transient is what has not shown its key yet: one source can hold a third of it.
func limits() rcmgr.PartialLimitConfig {
	conns := func(in, out rcmgr.LimitVal, memory int64) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{
			Conns: in + out, ConnsInbound: in, ConnsOutbound: out, FD: in + out,
			Memory: rcmgr.LimitVal64(memory),
		}
	}
	streams := func(l rcmgr.ResourceLimits, in, out rcmgr.LimitVal) rcmgr.ResourceLimits {
		l.Streams, l.StreamsInbound, l.StreamsOutbound = in+out, in, out
		return l
	}
	protocolStreams := streams(rcmgr.ResourceLimits{Memory: 1024 * mebibyte}, 4096, 4096)
	protocolPeer := streams(rcmgr.ResourceLimits{Memory: 96 * mebibyte}, mostStreams, mostStreams)
	return rcmgr.PartialLimitConfig{
		System:              streams(conns(448, 256, 1024*mebibyte), 4096, 4096),
		Transient:           streams(conns(192, 64, 64*mebibyte), 512, 512),
		PeerDefault:         streams(conns(4, 4, 96*mebibyte), mostStreams, mostStreams),
		ServiceDefault:      protocolStreams,
		ServicePeerDefault:  protocolPeer,
		ProtocolDefault:     protocolStreams,
		ProtocolPeerDefault: protocolPeer,
		Conn:                conns(1, 1, 48*mebibyte),
		Stream:              streams(rcmgr.ResourceLimits{Memory: 17 * mebibyte}, 1, 1),
	}
}

// newResources builds the resource manager. Connections per source are limited
// here, handshakes per source by the gater; several members may share an address.
func newResources() (network.ResourceManager, error) {
	subnets4 := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerSource}}
	subnets6 := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerSource}}
	m, err := rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(limits().Build(rcmgr.InfiniteLimits)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(subnets4, subnets6),
		rcmgr.WithConnRateLimiters(&lrate.Limiter{}),
	)
	if err != nil {
		return nil, fmt.Errorf("resource limits: %w", err)
	}
	return m, nil
}
