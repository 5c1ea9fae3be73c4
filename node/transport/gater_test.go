package transport

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestSourcesAreLimitedEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSources()
		spend := func(ip string) (n int) {
			for s.allow(net.ParseIP(ip)) {
				n++
			}
			return n
		}
		if n := spend("192.0.2.1"); n != handshakeBurst {
			t.Errorf("first source: %d at once", n)
		}
		if n := spend("::ffff:192.0.2.1"); n != 0 {
			t.Errorf("the same source in another form: %d", n)
		}
		if n := spend("192.0.2.2"); n != handshakeBurst {
			t.Errorf("second source: %d", n)
		}
		if n := spend("2001:db8::1"); n != handshakeBurst {
			t.Errorf("IPv6: %d", n)
		}
		if n := spend("2001:db8::ffff"); n != 0 {
			t.Errorf("the same /64: %d", n)
		}
		time.Sleep(2 * time.Second)
		if n := spend("192.0.2.1"); n != 2*handshakeRate {
			t.Errorf("after two seconds: %d", n)
		}
		if s.allow(nil) || s.allow(net.IP{1, 2, 3}) {
			t.Error("an address that is none is allowed")
		}
	})
}

func TestSuspectsFromHalfOn(t *testing.T) {
	s := newSources()
	s.rate = 0
	ip := net.ParseIP("192.0.2.1")
	n := 0
	for ; !s.suspect(ip); n++ {
		s.allow(ip)
	}
	if n != handshakeBurst/2 {
		t.Errorf("suspect after %d", n)
	}
}

func TestSourcesStayBounded(t *testing.T) {
	s := newSources()
	s.rate = 0
	s.most = 10
	held := net.IPv4(192, 0, 2, 1)
	s.allow(held)
	for i := range 8 {
		s.bucket(net.IPv4(198, 51, 100, byte(i))) // full: forgotten first
	}
	for i := range 5 {
		s.allow(net.IPv4(203, 0, 113, byte(i)))
	}
	if n := len(s.buckets); n > s.most {
		t.Errorf("%d buckets", n)
	}
	if got := s.bucket(held).Tokens(); got != handshakeBurst-1 {
		t.Errorf("the source that was counted has %v tokens", got)
	}
	for i := range 100 {
		s.allow(net.IPv4(100, 64, 0, byte(i)))
	}
	if n := len(s.buckets); n > s.most {
		t.Errorf("%d buckets after a flood", n)
	}
}
