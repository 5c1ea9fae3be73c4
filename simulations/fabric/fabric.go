// Package fabric is a network of one process for tests and simulations: nodes on
// simulated access links with latency and bandwidth, whose connections can be cut
// and healed, and a shaped in-memory pipe for protocols that need no nodes.
//
// Everything follows the clock of the goroutine's bubble: inside testing/synctest a
// minute of transfer takes milliseconds and comes out the same whatever else the
// machine does. Computing costs no time there, so what it measures is the network's
// part alone. Packets are routed by simnet (queues per flow with CoDel, RFC 8290, so
// full links drop and delay as real ones do). It does not model random loss,
// duplication, or TCP: nodes on it talk QUIC.
package fabric

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/marcopolo/simnet"
)

// unlimited stands for a bandwidth of 0: ten times what one node can encrypt.
const unlimited = 10_000_000_000

// port is where every node listens.
const port = 4001

// Link describes a line. For a Fabric it is a node's access line: a packet passes
// the lines of both ends, so the latency between two nodes is the sum of theirs and
// the bandwidth the smaller. For Pipe it is the whole line.
type Link struct {
	// Latency is how long one byte takes, in one direction.
	Latency time.Duration
	// Bandwidth is in bits per second, for each direction; 0 is unlimited.
	Bandwidth int64
	// CutAfter cuts a Pipe when this many bytes have been read at both ends
	// together; 0 is never. A Fabric ignores it: use Cut.
	CutAfter int64
}

// Fabric is a set of nodes on one packet network.
type Fabric struct {
	net   *simnet.Simnet
	nodes []*Node

	mu  sync.Mutex
	cut map[[2]int]bool
}

// New lays a network with one node for each link. It ends with the test, after
// everything that was registered with t.Cleanup later.
func New(t testing.TB, links ...Link) *Fabric {
	t.Helper()
	f := &Fabric{cut: map[[2]int]bool{}}
	owner := map[string]*Node{}
	for i, l := range links {
		if l.Bandwidth == 0 {
			l.Bandwidth = unlimited
		}
		n := &Node{fabric: f, index: i, link: l, ip: simnet.IntToPublicIPv4(i).To4(), next: port + 1}
		owner[n.ip.String()] = n
		f.nodes = append(f.nodes, n)
	}
	f.net = &simnet.Simnet{
		Logger: slog.New(slog.DiscardHandler),
		LatencyFunc: func(p *simnet.Packet) time.Duration {
			from, to := owner[host(p.From)], owner[host(p.To)]
			if from == nil || to == nil {
				return 0
			}
			return from.link.Latency + to.link.Latency
		},
	}
	f.net.Start()
	t.Cleanup(f.net.Close)
	return f
}

// Node returns node i, in the order of the links.
func (f *Fabric) Node(i int) *Node { return f.nodes[i] }

// Cut drops every packet between nodes a and b, also those under way, until Heal.
func (f *Fabric) Cut(a, b int) { f.set(a, b, true) }

// Heal ends a Cut.
func (f *Fabric) Heal(a, b int) { f.set(a, b, false) }

func (f *Fabric) set(a, b int, cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut[[2]int{min(a, b), max(a, b)}] = cut
}

// passes reports whether packets pass between node n and an address.
func (f *Fabric) passes(n *Node, a net.Addr) bool {
	other := host(a)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.nodes {
		if m.ip.String() == other {
			return !f.cut[[2]int{min(n.index, m.index), max(n.index, m.index)}]
		}
	}
	return false
}

func host(a net.Addr) string {
	if u, ok := a.(*net.UDPAddr); ok {
		return u.IP.String()
	}
	return ""
}

// Node is one place on the network. What runs there may be closed and started anew.
type Node struct {
	fabric *Fabric
	index  int
	link   Link
	ip     net.IP
	next   int // port for sockets that name none; under fabric.mu
}

// Address returns the multiaddr to listen on and to give to others, known from the
// start: /ip4/IP/udp/4001/quic-v1.
func (n *Node) Address() string {
	return fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", n.ip, port)
}

// ListenPacket opens a socket of this node, whichever IP address is asked for, on
// any port if none is; it is what transport.Options.ListenPacket takes.
func (n *Node) ListenPacket(_ string, a *net.UDPAddr) (net.PacketConn, error) {
	f := n.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	at := &net.UDPAddr{IP: n.ip}
	if a != nil {
		at.Port = a.Port
	}
	if at.Port == 0 {
		at.Port = n.next
		n.next++
	}
	line := simnet.LinkSettings{BitsPerSecond: int(n.link.Bandwidth)}
	return &socket{
		SimConn: f.net.NewEndpoint(at, simnet.NodeBiDiLinkSettings{Uplink: line, Downlink: line}),
		node:    n,
	}, nil
}

// socket drops what a cut separates.
type socket struct {
	*simnet.SimConn
	node *Node
}

// WriteTo sends a packet, or loses it without an error, as a real network does.
func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	if !s.node.fabric.passes(s.node, to) {
		return len(p), nil
	}
	u := to.(*net.UDPAddr) // passes has looked
	return s.SimConn.WriteTo(p, &net.UDPAddr{IP: u.IP.To4(), Port: u.Port})
}

// ReadFrom returns the next packet that no cut separates.
func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.SimConn.ReadFrom(p)
		if err != nil || s.node.fabric.passes(s.node, from) {
			return n, from, err
		}
	}
}
