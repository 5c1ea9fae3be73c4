package transport_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"

	"entente/node/transport"
)

// burst is what one source may start at once; see handshakeBurst.
const burst = 64

func TestFloodOfHandshakesTCP(t *testing.T) {
	a, b := pair(t, tcpAny, transport.Options{})
	host, _ := at(t, b)
	for range burst {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	eventually(t, "the source to be refused", func() bool {
		_, err := a.Open(t.Context(), "BE", echo)
		return errors.Is(err, transport.ErrUnreachable) &&
			strings.Contains(err.Error(), "ended the connection during the handshake") &&
			b.log.has("too many handshakes from this source")
	})
}

func TestFloodOfHandshakesQUIC(t *testing.T) {
	a, b := pair(t, quicAny, transport.Options{})
	host, id := at(t, b)
	stranger := newClassicalPeer(t)
	var te *quic.TransportError
	eventually(t, "the flood to be refused", func() bool {
		c, err := quic.DialAddr(t.Context(), host, stranger.config(t, id, "libp2p"), nil)
		if err == nil {
			_ = c.CloseWithError(0, "")
		}
		return errors.As(err, &te) && te.ErrorCode == quic.ConnectionRefused
	})
	if !b.log.has("too many handshakes from this source") {
		t.Error("nothing in the log")
	}
	// The bucket refills while this runs, so a few attempts may pass.
	eventually(t, "the source to be refused", func() bool {
		b.SetMembers(nil)
		b.SetMembers([]transport.Member{a.member})
		_, err := a.Open(t.Context(), "BE", echo)
		return errors.Is(err, transport.ErrRefused) && strings.Contains(err.Error(), "too many connection attempts")
	})
}

// TestChangingMembersUnderLoad adds and removes a member while streams are opened
// both ways: every outcome must be one that the documentation names.
func TestChangingMembersUnderLoad(t *testing.T) {
	a, b := pair(t, tcpAny, transport.Options{StreamsPerMember: 64})
	allowed := []error{transport.ErrRefused, transport.ErrUnknownMember, transport.ErrInterrupted, transport.ErrUnreachable}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for _, n := range []*node{a, b} {
		other := map[*node]string{a: "BE", b: "AU"}[n]
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s, err := n.Open(t.Context(), other, echo)
				if err == nil {
					if _, err = fmt.Fprint(s, "hello"); err == nil {
						_, err = s.Read(make([]byte, 5))
					}
					s.Reset()
				}
				if err == nil {
					continue
				}
				ok := false
				for _, e := range allowed {
					ok = ok || errors.Is(err, e)
				}
				if !ok {
					t.Errorf("%s: %v", n.member.ID, err)
				}
			}
		})
	}
	for range 10 {
		b.SetMembers(nil)
		if s := b.Status(); len(s) != 0 {
			t.Errorf("status of nobody: %+v", s)
		}
		b.SetMembers([]transport.Member{a.member})
	}
	close(done)
	wg.Wait()
	introduce(a, b)
	eventually(t, "both to talk again", func() bool {
		s, err := a.Open(t.Context(), "BE", echo)
		if err == nil {
			s.Reset()
		}
		return err == nil
	})
}
