package transport_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/transport"
	"entente/simulations/fabric"
)

// distant starts two nodes on simulated lines that know each other.
func distant(t testing.TB, o transport.Options, links ...fabric.Link) (*fabric.Fabric, []*node) {
	t.Helper()
	f := fabric.New(t, links...)
	var nodes []*node
	for i := range links {
		o.Listen = []string{f.Node(i).Address()}
		o.ListenPacket = f.Node(i).ListenPacket
		nodes = append(nodes, start(t, string(rune('A'+i)), o))
	}
	introduce(nodes...)
	return f, nodes
}

func TestFarPartner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := fabric.Link{Latency: 150 * time.Millisecond} // 300 ms from node to node
		_, n := distant(t, transport.Options{}, line, line)
		from := time.Now()
		s, err := n[0].Open(t.Context(), "B", echo)
		if err != nil {
			t.Fatal(err)
		}
		opened := time.Since(from)
		if opened < 1200*time.Millisecond || opened > 1300*time.Millisecond {
			t.Errorf("first stream after %s; want the handshake and one round trip, 2 × 600 ms", opened)
		}
		from = time.Now()
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if rtt := time.Since(from); rtt < 600*time.Millisecond || rtt > 650*time.Millisecond {
			t.Errorf("round trip %s", rtt)
		}
		s.Reset()
		exchange(t, n[1], "A", 200_000)
	})
}

// TestSlowIsNotStalled: a Write that takes many times the idle timeout, and a reader
// that waits all that time for its first byte, live as long as bytes move.
func TestSlowIsNotStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := fabric.Link{Latency: 150 * time.Millisecond, Bandwidth: 512_000}
		const size = 2 << 20
		_, n := distant(t, transport.Options{IdleTimeout: 5 * time.Second}, line, line)
		n[1].Handle("/entente/test-swallow/1", swallow)
		s, err := n[0].Open(t.Context(), "B", "/entente/test-swallow/1")
		if err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		var wrote error
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, wrote = s.Write(make([]byte, size)); wrote == nil {
				wrote = s.CloseWrite()
			}
		})
		got, err := io.ReadAll(s)
		wg.Wait()
		if err != nil || wrote != nil || len(got) != 1 {
			t.Fatalf("got %d bytes, read: %v, write: %v", len(got), err, wrote)
		}
		if took, least := time.Since(from), time.Duration(size*8/512_000)*time.Second; took < least || took > least*3/2 {
			t.Errorf("%d bytes took %s, the line allows %s", size, took, least)
		}
	})
}

func TestCutIsNoticedAndHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 10 * time.Second
		f, n := distant(t, transport.Options{IdleTimeout: idle}, fabric.Link{Latency: time.Millisecond}, fabric.Link{})
		s, err := n[0].Open(t.Context(), "B", echo)
		if err != nil {
			t.Fatal(err)
		}
		f.Cut(0, 1)
		from := time.Now()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read over a cut line: %v", err)
		}
		if took := time.Since(from); took < idle*15/16 || took > idle {
			t.Errorf("noticed after %s", took)
		}
		if _, err := n[0].Open(t.Context(), "B", echo); !errors.Is(err, transport.ErrUnreachable) {
			t.Errorf("open over a cut line: %v", err)
		}
		f.Heal(0, 1)
		time.Sleep(time.Minute) // the dead connection is given up meanwhile
		exchange(t, n[0], "B", 1000)
		exchange(t, n[1], "A", 1000)
	})
}

// TestStoppedPartner: a partner that ended properly is noticed at once, and found
// again after it came back.
func TestStoppedPartner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := distant(t, transport.Options{}, fabric.Link{Latency: time.Millisecond}, fabric.Link{})
		s, err := n[0].Open(t.Context(), "B", echo)
		if err != nil {
			t.Fatal(err)
		}
		if err := n[1].Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, transport.ErrInterrupted) || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		_, err = n[0].Open(t.Context(), "B", echo)
		if !errors.Is(err, transport.ErrUnreachable) || !strings.Contains(err.Error(), "no answer") {
			t.Errorf("open: %v", err)
		}
		again := start(t, "B", transport.Options{
			Key: n[1].key, Listen: []string{f.Node(1).Address()}, ListenPacket: f.Node(1).ListenPacket,
		})
		again.SetMembers([]transport.Member{n[0].member})
		exchange(t, n[0], "B", 10)
	})
}

// TestManyNodes is a small federation in which everybody talks to everybody.
func TestManyNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := make([]fabric.Link, 8)
		for i := range links {
			links[i] = fabric.Link{Latency: time.Duration(10+10*i) * time.Millisecond, Bandwidth: 50_000_000}
		}
		_, n := distant(t, transport.Options{}, links...)
		var wg sync.WaitGroup
		for i := range n {
			for j := range n {
				if i != j {
					wg.Go(func() { exchange(t, n[i], n[j].member.ID, 10_000) })
				}
			}
		}
		wg.Wait()
	})
}
