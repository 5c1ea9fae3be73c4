package transport

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

var testID = PeerID(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))

func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		address      string
		dial, listen bool
	}{
		{"/ip4/192.0.2.1/tcp/4001", true, true},
		{"/ip4/192.0.2.1/udp/4001/quic-v1", true, true},
		{"/ip6/2001:db8::1/tcp/4001", true, true},
		{"/ip6/2001:db8::1/udp/4001/quic-v1", true, true},
		{"/dns4/node.example.org/tcp/4001", true, false},
		{"/dns/node.example.org/udp/4001/quic-v1", true, false},
		{"/ip4/192.0.2.1/tcp/4001/p2p/" + testID, true, false},
		{"/ip4/0.0.0.0/tcp/4001", false, true},
		{"/ip6/::/udp/0/quic-v1", false, true},
		{"/ip4/127.0.0.1/tcp/0", false, true},
		{"", false, false},
		{"192.0.2.1:4001", false, false},
		{"/ip4/192.0.2.1", false, false},
		{"/ip4/192.0.2.1/udp/4001", false, false},
		{"/ip4/192.0.2.1/udp/4001/quic", false, false},
		{"/ip4/192.0.2.1/tcp/4001/ws", false, false},
		{"/ip4/192.0.2.1/tcp/70000", false, false},
		{"/ip4/192.0.2.1/udp/4001/quic-v1/webtransport", false, false},
		{"/dnsaddr/node.example.org", false, false},
		{"/dnsaddr/node.example.org/tcp/1", false, false},
		{"/unix/tmp/socket", false, false},
		{"/p2p/" + testID, false, false},
		{"/ip4/192.0.2.1/tcp/4001/p2p/" + testID + "/p2p-circuit", false, false},
		{"/ip4/192.0.2.1/tcp/4001/p2p/nobody", false, false},
		{"/ip6zone/eth0/ip6/fe80::1/tcp/1", false, false},
		{"/dns4/" + strings.Repeat("a", longestAddress) + "/tcp/1", false, false},
	} {
		if err := CheckAddress(c.address); (err == nil) != c.dial {
			t.Errorf("CheckAddress(%q): %v", c.address, err)
		}
		if err := CheckListenAddress(c.address); (err == nil) != c.listen {
			t.Errorf("CheckListenAddress(%q): %v", c.address, err)
		}
	}
}

// FuzzParseAddress: whatever is accepted stays the same when printed and read again.
func FuzzParseAddress(f *testing.F) {
	f.Add("/ip4/192.0.2.1/tcp/4001/p2p/" + testID)
	f.Add("/dns6/example.org/udp/1/quic-v1")
	f.Add("/ip6/::1/tcp/0")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s)
		if err != nil {
			return
		}
		b, err := parseAddress(a.dial.String())
		if err != nil || !b.dial.Equal(a.dial) || b.port != a.port || b.named != a.named {
			t.Errorf("%q → %q → %+v, %v", s, a.dial, b, err)
		}
	})
}

func TestPeerID(t *testing.T) {
	if PeerID([]byte("short")) != "" {
		t.Error("a short key has an id")
	}
	// Ed25519 public key of the all-zero seed as libp2p writes it: identity
	// multihash of the protobuf {type 1, key}, base58.
	if !strings.HasPrefix(testID, "12D3KooW") {
		t.Errorf("id %q", testID)
	}
}

func TestRank(t *testing.T) {
	var in []ma.Multiaddr
	for _, s := range []string{
		"/ip4/192.0.2.1/udp/1/quic-v1", "/ip4/192.0.2.1/tcp/1",
		"/ip6/2001:db8::1/tcp/1", "/ip6/2001:db8::1/udp/1/quic-v1",
	} {
		m, err := ma.NewMultiaddr(s)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, m)
	}
	want := []struct {
		index int
		delay time.Duration
	}{{1, 0}, {2, tcpStagger}, {0, quicDelay}, {3, quicDelay + tcpStagger}}
	got := rank(in)
	if len(got) != len(want) {
		t.Fatalf("%d addresses", len(got))
	}
	for i, w := range want {
		if !got[i].Addr.Equal(in[w.index]) || got[i].Delay != w.delay {
			t.Errorf("place %d: %s after %s", i, got[i].Addr, got[i].Delay)
		}
	}
	if got := rank(in[:1]); got[0].Delay != 0 {
		t.Errorf("QUIC alone waits %s", got[0].Delay)
	}
	if got := rank(nil); len(got) != 0 {
		t.Errorf("nothing ranks to %v", got)
	}
}
