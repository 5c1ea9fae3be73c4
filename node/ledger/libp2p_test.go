package ledger_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"entente/node/ledger"
	"entente/node/transport"
	"entente/protocol/exchange"
	"entente/simulations/fabric"
)

// hosts are libp2p hosts on simulated lines, one for each member that runs.
type hosts struct {
	t       *testing.T
	ids     []string
	fabric  *fabric.Fabric
	members []transport.Member

	mu sync.Mutex
	up map[string]*transport.Transport
}

func channelKey(i int) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
}

func lay(t *testing.T, ids []string, r *rand.Rand) *hosts {
	var links []fabric.Link
	for range ids {
		links = append(links, fabric.Link{Latency: time.Duration(5+r.IntN(70)) * time.Millisecond, Bandwidth: 20_000_000})
	}
	h := &hosts{t: t, ids: ids, fabric: fabric.New(t, links...), up: map[string]*transport.Transport{}}
	for i, id := range ids {
		h.members = append(h.members, transport.Member{
			ID: id, Key: channelKey(i).Public().(ed25519.PublicKey), Addresses: []string{h.fabric.Node(i).Address()},
		})
	}
	return h
}

func (h *hosts) Up(id string, serve func(string, ledger.Stream)) {
	i := slices.Index(h.ids, id)
	tr, err := transport.New(transport.Options{
		ID: id, Key: channelKey(i), Listen: []string{h.fabric.Node(i).Address()}, ListenPacket: h.fabric.Node(i).ListenPacket,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range []string{exchange.Protocol, ledger.RaftProtocol} {
		tr.Handle(p, func(_ context.Context, s *transport.Stream) { serve(p, s) })
	}
	tr.SetMembers(h.members)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up[id] = tr
}

func (h *hosts) Down(id string) {
	h.mu.Lock()
	tr := h.up[id]
	delete(h.up, id)
	h.mu.Unlock()
	if err := tr.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *hosts) Open(ctx context.Context, from, to, protocol string) (ledger.Stream, error) {
	h.mu.Lock()
	tr := h.up[from]
	h.mu.Unlock()
	if tr == nil {
		return nil, fmt.Errorf("%s is down", from)
	}
	s, err := tr.Open(ctx, to, protocol)
	if err != nil {
		return nil, err // not a nil *Stream in a non-nil interface
	}
	return s, nil
}

func (h *hosts) Separate(a, b string, cut bool) {
	i, j := slices.Index(h.ids, a), slices.Index(h.ids, b)
	if cut {
		h.fabric.Cut(i, j)
	} else {
		h.fabric.Heal(i, j)
	}
}

// The simulation's faults over libp2p, QUIC and all, on lines with latency.
func TestSimulationOverLibp2p(t *testing.T) {
	ledger.Seeds(t, 20, func(t *testing.T, seed uint64) {
		ledger.Simulate(t, seed, 6, func(ids []string, r *rand.Rand) ledger.Network { return lay(t, ids, r) })
	})
}
