package transport_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"entente/node/transport"
)

func TestEcho(t *testing.T) {
	for name, listen := range map[string]string{"tcp": tcpAny, "quic": quicAny} {
		t.Run(name, func(t *testing.T) {
			a := start(t, "AU", transport.Options{Listen: []string{listen}})
			b := start(t, "BE", transport.Options{Listen: []string{listen}})
			introduce(a, b)
			for _, size := range []int{0, 1, 70_000, 3 << 20} {
				exchange(t, a, "BE", size)
			}
			exchange(t, b, "AU", 1000)
			for n, other := range map[*node]string{a: "BE", b: "AU"} {
				s := status(t, n, other)
				if !s.Connected || s.KeyExchange != "X25519MLKEM768" || s.Problem != "" {
					t.Errorf("status of %s at %s: %+v", other, n.member.ID, s)
				}
				if s.Inbound != (n == b) {
					t.Errorf("%s: inbound is %v", n.member.ID, s.Inbound)
				}
			}
		})
	}
}

func TestTCPFirst(t *testing.T) {
	a := start(t, "AU", transport.Options{})
	b := start(t, "BE", transport.Options{Listen: []string{quicAny, tcpAny}})
	introduce(a, b)
	exchange(t, a, "BE", 10)
	if s := status(t, a, "BE"); !strings.Contains(s.Address, "/tcp/") {
		t.Errorf("connected over %s", s.Address)
	}
}

func TestQUICWhereTCPIsBlocked(t *testing.T) {
	a := start(t, "AU", transport.Options{})
	b := start(t, "BE", transport.Options{Listen: []string{quicAny}})
	b.member.Addresses = append([]string{freeTCP(t)}, b.member.Addresses...)
	introduce(a, b)
	exchange(t, a, "BE", 10)
	if s := status(t, a, "BE"); !strings.Contains(s.Address, "/quic-v1") {
		t.Errorf("connected over %s", s.Address)
	}
}

// freeTCP returns an address on which nothing listens.
func freeTCP(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)
}

func TestStrangersAreRefused(t *testing.T) {
	for name, listen := range map[string]string{"tcp": tcpAny, "quic": quicAny} {
		t.Run(name, func(t *testing.T) {
			b := start(t, "BE", transport.Options{Listen: []string{listen}})
			stranger := start(t, "XX", transport.Options{Listen: []string{listen}})
			stranger.SetMembers([]transport.Member{b.member})
			_, err := stranger.Open(t.Context(), "BE", echo)
			// Over TCP the partner's reason can be lost with the connection.
			if !errors.Is(err, transport.ErrRefused) || !strings.Contains(err.Error(), "admit this node") {
				t.Errorf("stranger's Open: %v", err)
			}
			if p := status(t, stranger, "BE").Problem; !strings.Contains(p, "refused") {
				t.Errorf("stranger's status: %q", p)
			}
			eventually(t, "refusal in the log", func() bool {
				return b.log.has("not a member") && b.log.has(transport.PeerID(stranger.member.Key))
			})
			if n := b.Refused(); n["stranger"] == 0 || n["flood"]+n["limit"]+n["key_exchange"] != 0 {
				t.Errorf("refused %v", n)
			}
			if _, err := b.Open(t.Context(), "XX", echo); !errors.Is(err, transport.ErrUnknownMember) {
				t.Errorf("Open with a stranger: %v", err)
			}
			introduce(b, stranger)
			exchange(t, stranger, "BE", 10)
		})
	}
}

func TestMembership49(t *testing.T) {
	hub := start(t, "M00", transport.Options{Listen: []string{tcpAny}})
	nodes := []*node{hub}
	for i := 1; i < 49; i++ {
		nodes = append(nodes, start(t, fmt.Sprintf("M%02d", i), transport.Options{}))
	}
	stranger := start(t, "XX", transport.Options{})
	introduce(nodes...)
	stranger.SetMembers([]transport.Member{hub.member})
	var wg sync.WaitGroup
	for _, n := range nodes[1:] {
		wg.Go(func() { exchange(t, n, "M00", 100) })
	}
	wg.Wait()
	if _, err := stranger.Open(t.Context(), "M00", echo); !errors.Is(err, transport.ErrRefused) {
		t.Errorf("the 50th: %v", err)
	}
	connected := 0
	for _, s := range hub.Status() {
		if s.Connected {
			connected++
		}
	}
	if connected != 48 {
		t.Errorf("%d of 48 connected", connected)
	}
}

func TestUnreachable(t *testing.T) {
	a := start(t, "AU", transport.Options{})
	real := start(t, "BE", transport.Options{Listen: []string{tcpAny}})
	other := newKey(t).Public().(ed25519.PublicKey)
	at := func(addresses ...string) transport.Member {
		return transport.Member{ID: "BE", Key: other, Addresses: addresses}
	}
	plain := strings.Split(real.Addresses()[0], "/p2p/")[0]
	for _, c := range []struct {
		name   string
		member transport.Member
		want   string
	}{
		{"no address", at(), "no address of it is known"},
		{"only unusable addresses", at("/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/udp/1"), "no address of it is known"},
		{"address with another id", at(real.Addresses()[0]), "no address of it is known"},
		{"nothing listens", at(freeTCP(t)), "connection refused"},
		{"another key answers", at(plain), "another key than the member's"},
	} {
		a.SetMembers([]transport.Member{c.member})
		for range 2 { // the second attempt must not be told to wait
			_, err := a.Open(t.Context(), "BE", echo)
			if !errors.Is(err, transport.ErrUnreachable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if p := status(t, a, "BE").Problem; !strings.Contains(p, c.want) {
			t.Errorf("%s: status says %q", c.name, p)
		}
	}
	if _, err := a.Open(t.Context(), "AU", echo); !errors.Is(err, transport.ErrUnknownMember) {
		t.Errorf("Open with oneself: %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	for name, listen := range map[string]string{"tcp": tcpAny, "quic": quicAny} {
		t.Run(name, func(t *testing.T) {
			a := start(t, "AU", transport.Options{Listen: []string{listen}})
			taken := strings.Split(a.Addresses()[0], "/p2p/")[0]
			_, err := transport.New(transport.Options{ID: "BE", Key: newKey(t), Listen: []string{listen, taken}})
			if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatalf("second node on %s: %v", taken, err)
			}
			for _, want := range []string{taken, "in use", "another node running"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestOptions(t *testing.T) {
	key := newKey(t)
	for name, o := range map[string]transport.Options{
		"own member id": {Key: key},
		"transport key": {ID: "AU", Key: key[:31]},
		"listen":        {ID: "AU", Key: key, Listen: []string{"/dns4/example.org/tcp/1"}},
		"announce":      {ID: "AU", Key: key, Announce: []string{"/ip4/0.0.0.0/tcp/1"}},
		"idle timeout":  {ID: "AU", Key: key, IdleTimeout: time.Millisecond},
		"streams":       {ID: "AU", Key: key, StreamsPerMember: -1},
		"does not have": {ID: "AU", Key: key, Listen: []string{"/ip4/192.0.2.1/tcp/4001"}},
	} {
		if _, err := transport.New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	a := start(t, "AU", transport.Options{Listen: []string{tcpAny, quicAny}})
	if got := a.Addresses(); len(got) != 2 {
		t.Errorf("%d addresses: %v", len(got), got)
	}
	for _, s := range a.Addresses() {
		if err := transport.CheckAddress(s); err != nil {
			t.Errorf("own address: %v", err)
		}
		if !strings.HasSuffix(s, "/p2p/"+transport.PeerID(a.member.Key)) {
			t.Errorf("%s does not name the node", s)
		}
	}
	out := "/dns4/node.example.org/tcp/4001"
	b := start(t, "BE", transport.Options{Listen: []string{tcpAny}, Announce: []string{out}})
	if got := b.Addresses(); len(got) != 1 || got[0] != out+"/p2p/"+transport.PeerID(b.member.Key) {
		t.Errorf("announced %v", got)
	}
}

func TestMembersThatCannotBeUsed(t *testing.T) {
	a := start(t, "AU", transport.Options{Listen: []string{tcpAny}})
	b := start(t, "BE", transport.Options{Listen: []string{tcpAny}})
	twice := b.member
	twice.ID = "XX"
	a.SetMembers([]transport.Member{a.member, b.member, twice, {ID: "YY", Key: []byte("short")}, {ID: "BE", Key: newKey(t).Public().(ed25519.PublicKey)}})
	got := a.Status()
	if len(got) != 1 || got[0].Member != "BE" || got[0].Connected {
		t.Errorf("members: %+v", got)
	}
	for _, id := range []string{"XX", "YY"} {
		if !a.log.has("member=" + id) {
			t.Errorf("no log line for %s", id)
		}
	}
}
