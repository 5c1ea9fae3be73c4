package fabric_test

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"entente/simulations/fabric"
)

// socket opens node i's socket where it listens.
func socket(t *testing.T, f *fabric.Fabric, i int) net.PacketConn {
	t.Helper()
	s, err := f.Node(i).ListenPacket("udp4", &net.UDPAddr{IP: net.IPv4zero, Port: 4001})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// receive waits for one packet, at most 10 s.
func receive(t *testing.T, s net.PacketConn) (string, net.Addr, bool) {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	n, from, err := s.ReadFrom(b)
	return string(b[:n]), from, err == nil
}

func send(t *testing.T, from net.PacketConn, to net.Addr, text string) {
	t.Helper()
	if n, err := from.WriteTo([]byte(text), to); n != len(text) || err != nil {
		t.Fatalf("sent %d bytes: %v", n, err)
	}
}

func TestPacketsTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fabric.New(t, fabric.Link{Latency: 100 * time.Millisecond}, fabric.Link{Latency: 20 * time.Millisecond}, fabric.Link{})
		a, b, c := socket(t, f, 0), socket(t, f, 1), socket(t, f, 2)
		for _, way := range []struct {
			from, to net.PacketConn
			want     time.Duration
		}{
			{a, b, 120 * time.Millisecond}, {b, a, 120 * time.Millisecond},
			{b, c, 20 * time.Millisecond}, {c, a, 100 * time.Millisecond},
		} {
			at := time.Now()
			send(t, way.from, way.to.LocalAddr(), "hello")
			text, from, ok := receive(t, way.to)
			if !ok || text != "hello" || from.String() != way.from.LocalAddr().String() {
				t.Fatalf("got %q from %v", text, from)
			}
			if took := time.Since(at); took != way.want {
				t.Errorf("took %s, want %s", took, way.want)
			}
		}
	})
}

func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fabric.New(t, fabric.Link{Bandwidth: 8000}, fabric.Link{}) // 1000 bytes/s
		a, b := socket(t, f, 0), socket(t, f, 1)
		at := time.Now()
		packet := string(make([]byte, 1000))
		for range 3 {
			send(t, a, b.LocalAddr(), packet)
			if _, _, ok := receive(t, b); !ok {
				t.Fatal("packet lost")
			}
		}
		if took := time.Since(at); took < 1400*time.Millisecond || took > 1600*time.Millisecond {
			t.Errorf("3000 bytes, less the first 1500 at once, took %s", took)
		}
	})
}

func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fabric.New(t, fabric.Link{Latency: time.Second}, fabric.Link{}, fabric.Link{})
		a, b, c := socket(t, f, 0), socket(t, f, 1), socket(t, f, 2)
		send(t, a, b.LocalAddr(), "under way")
		f.Cut(1, 0)
		send(t, a, b.LocalAddr(), "later")
		if text, _, ok := receive(t, b); ok {
			t.Errorf("%q passes the cut", text)
		}
		send(t, c, b.LocalAddr(), "from elsewhere")
		if text, _, _ := receive(t, b); text != "from elsewhere" {
			t.Errorf("got %q", text)
		}
		f.Heal(0, 1)
		send(t, a, b.LocalAddr(), "again")
		if text, _, _ := receive(t, b); text != "again" {
			t.Errorf("after Heal: %q", text)
		}
	})
}

func TestSocketsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fabric.New(t, fabric.Link{}, fabric.Link{})
		a, b := socket(t, f, 0), socket(t, f, 1)
		send(t, a, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, "nobody lives there")
		to := b.LocalAddr()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if _, _, err := b.ReadFrom(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read from a closed socket: %v", err)
		}
		send(t, a, to, "lost")
		time.Sleep(time.Second)
		b = socket(t, f, 1)
		send(t, a, to, "found")
		if text, _, _ := receive(t, b); text != "found" {
			t.Errorf("after the restart: %q", text)
		}
		var ports []string
		for range 2 {
			s, err := f.Node(0).ListenPacket("udp4", nil)
			if err == nil {
				err = s.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, s.LocalAddr().String())
		}
		if ports[0] == ports[1] || ports[0] == a.LocalAddr().String() {
			t.Errorf("ports given out: %v", ports)
		}
	})
}

func TestNodeAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fabric.New(t, fabric.Link{}, fabric.Link{})
		if a, b := f.Node(0).Address(), f.Node(1).Address(); a == b || a != "/ip4/1.0.0.1/udp/4001/quic-v1" {
			t.Errorf("addresses %q and %q", a, b)
		}
	})
}
