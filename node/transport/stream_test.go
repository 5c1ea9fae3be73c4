package transport_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/node/transport"
)

// pair starts two nodes that know each other.
func pair(t testing.TB, listen string, o transport.Options) (a, b *node) {
	t.Helper()
	o.Listen = []string{listen}
	a, b = start(t, "AU", o), start(t, "BE", o)
	introduce(a, b)
	return a, b
}

// each runs a test on both transports.
func each(t *testing.T, f func(t *testing.T, listen string)) {
	for name, listen := range map[string]string{"tcp": tcpAny, "quic": quicAny} {
		t.Run(name, func(t *testing.T) { f(t, listen) })
	}
}

const greet = "/entente/test-greet/1"

// greeter sends one byte, so that the other side knows that it runs, and then waits
// for its context.
func greeter(ended func(cause error)) func(context.Context, *transport.Stream) {
	return func(ctx context.Context, s *transport.Stream) {
		if _, err := s.Write([]byte{1}); err != nil {
			return
		}
		<-ctx.Done()
		ended(context.Cause(ctx))
	}
}

func greeted(t testing.TB, a *node) *transport.Stream {
	t.Helper()
	s, err := a.Open(t.Context(), "BE", greet)
	if err == nil {
		_, err = io.ReadFull(s, make([]byte, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRemovalCuts(t *testing.T) {
	each(t, func(t *testing.T, listen string) {
		a, b := pair(t, listen, transport.Options{})
		served := make(chan error, 1)
		b.Handle(greet, greeter(func(cause error) { served <- cause }))
		s := greeted(t, a)
		own, err := b.Open(t.Context(), "AU", echo)
		if err != nil {
			t.Fatal(err)
		}
		b.SetMembers(nil)
		if _, err := own.Read(make([]byte, 1)); !errors.Is(err, transport.ErrUnknownMember) {
			t.Errorf("own stream with the removed member: %v", err)
		}
		if err := <-served; !errors.Is(err, transport.ErrUnknownMember) {
			t.Errorf("handler's context ended with %v", err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, transport.ErrInterrupted) || errors.Is(err, io.EOF) {
			t.Errorf("removed member reads: %v", err)
		}
		if _, err := a.Open(t.Context(), "BE", echo); !errors.Is(err, transport.ErrRefused) {
			t.Errorf("removed member opens: %v", err)
		}
		if _, err := b.Open(t.Context(), "AU", echo); !errors.Is(err, transport.ErrUnknownMember) {
			t.Errorf("open with the removed member: %v", err)
		}
		b.SetMembers([]transport.Member{a.member})
		exchange(t, a, "BE", 10)
	})
}

func TestNewKeyCutsTheOld(t *testing.T) {
	a, b := pair(t, tcpAny, transport.Options{})
	exchange(t, a, "BE", 1)
	changed := a.member
	changed.Key = newKey(t).Public().(ed25519.PublicKey)
	b.SetMembers([]transport.Member{changed})
	if _, err := a.Open(t.Context(), "BE", echo); !errors.Is(err, transport.ErrRefused) {
		t.Errorf("old key: %v", err)
	}
}

func TestStreamsPerMemberAreLimited(t *testing.T) {
	each(t, func(t *testing.T, listen string) {
		a, b := pair(t, listen, transport.Options{StreamsPerMember: 2})
		var open []*transport.Stream
		for range 2 {
			s, err := a.Open(t.Context(), "BE", echo)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, s)
		}
		if _, err := a.Open(t.Context(), "BE", echo); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("third stream: %v", err)
		}
		if !b.log.has("too many streams at once") {
			t.Error("refusal is not in the log")
		}
		exchange(t, b, "AU", 10) // the other direction has its own limit
		open[0].Reset()
		eventually(t, "a free slot", func() bool {
			s, err := a.Open(t.Context(), "BE", echo)
			if err == nil {
				s.Reset()
			} else if !errors.Is(err, transport.ErrBusy) {
				t.Fatal(err)
			}
			return err == nil
		})
		open[1].Reset()
	})
}

func TestProtocolNotOffered(t *testing.T) {
	a, _ := pair(t, tcpAny, transport.Options{})
	_, err := a.Open(t.Context(), "BE", "/entente/test-unheard/9")
	if !errors.Is(err, transport.ErrNotOffered) || !strings.Contains(err.Error(), "/entente/test-unheard/9") {
		t.Errorf("%v", err)
	}
	exchange(t, a, "BE", 10)
}

func TestPanickingHandler(t *testing.T) {
	const secret = "+99 555 0100"
	a, b := pair(t, tcpAny, transport.Options{})
	b.Handle("/entente/test-panic/1", func(context.Context, *transport.Stream) { panic(errors.New(secret)) })
	b.Handle("/entente/test-index/1", func(context.Context, *transport.Stream) { _ = []int{}[len(secret)] })
	for id, logged := range map[string]string{"/entente/test-panic/1": "*errors.errorString", "/entente/test-index/1": "index out of range"} {
		interrupted(t, a, id)
		eventually(t, "panic in the log", func() bool { return b.log.has(logged) && b.log.has(id) })
	}
	if b.log.has(secret) {
		t.Error("the log tells the value of the panic")
	}
	exchange(t, a, "BE", 10)
}

func TestHandlerThatForgetsToClose(t *testing.T) {
	a, b := pair(t, tcpAny, transport.Options{})
	b.Handle("/entente/test-forget/1", func(context.Context, *transport.Stream) {})
	interrupted(t, a, "/entente/test-forget/1")
}

// interrupted opens a stream that BE's handler gives up at once: that shows in Open
// or in the first Read, whichever comes later.
func interrupted(t testing.TB, a *node, id string) {
	t.Helper()
	s, err := a.Open(t.Context(), "BE", id)
	if err == nil {
		_, err = s.Read(make([]byte, 1))
		s.Reset()
	}
	if !errors.Is(err, transport.ErrInterrupted) || errors.Is(err, io.EOF) {
		t.Errorf("%s: %v", id, err)
	}
}

func TestContextEndResets(t *testing.T) {
	each(t, func(t *testing.T, listen string) {
		a, b := pair(t, listen, transport.Options{})
		served := make(chan error, 1)
		b.Handle("/entente/test-read/1", func(ctx context.Context, s *transport.Stream) {
			_, err := s.Read(make([]byte, 1))
			if ctx.Err() != nil {
				t.Errorf("the end of a stream ended its handler's context: %v", context.Cause(ctx))
			}
			served <- err
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		s, err := a.Open(ctx, "BE", "/entente/test-read/1")
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("operator said stop")
		cancel(why)
		if err := <-served; !errors.Is(err, transport.ErrInterrupted) {
			t.Errorf("partner reads %v", err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, why) {
			t.Errorf("read: %v", err)
		}
		if _, err := s.Write([]byte{1}); !errors.Is(err, why) {
			t.Errorf("write: %v", err)
		}
		if _, err := a.Open(ctx, "BE", echo); !errors.Is(err, why) {
			t.Errorf("open with a context that ended: %v", err)
		}
		eventually(t, "no streams", func() bool { return status(t, a, "BE").Streams == 0 })
	})
}

func TestUseAfterClose(t *testing.T) {
	a, _ := pair(t, tcpAny, transport.Options{})
	s, err := a.Open(t.Context(), "BE", echo)
	if err != nil {
		t.Fatal(err)
	}
	if s.Member() != "BE" {
		t.Errorf("member is %q", s.Member())
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		s.Reset()
	}
	if _, err := s.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Read([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read: %v", err)
	}
}

func TestRestartedPartner(t *testing.T) {
	each(t, func(t *testing.T, listen string) {
		a, b := pair(t, listen, transport.Options{})
		s, err := a.Open(t.Context(), "BE", echo)
		if err != nil {
			t.Fatal(err)
		}
		at := strings.Split(b.Addresses()[0], "/p2p/")[0]
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, transport.ErrInterrupted) || errors.Is(err, io.EOF) {
			t.Errorf("read from a partner that stopped: %v", err)
		}
		again := start(t, "BE", transport.Options{Key: b.key, Listen: []string{at}})
		again.SetMembers([]transport.Member{a.member})
		exchange(t, a, "BE", 10)
	})
}

func TestStall(t *testing.T) {
	each(t, func(t *testing.T, listen string) {
		const idle = 300 * time.Millisecond
		a, b := pair(t, listen, transport.Options{IdleTimeout: idle})
		b.Handle("/entente/test-stall/1", func(ctx context.Context, _ *transport.Stream) { <-ctx.Done() })
		for name, op := range map[string]func(s *transport.Stream) error{
			"read":  func(s *transport.Stream) error { _, err := s.Read(make([]byte, 1)); return err },
			"write": func(s *transport.Stream) error { _, err := s.Write(make([]byte, 32<<20)); return err },
		} {
			s, err := a.Open(t.Context(), "BE", "/entente/test-stall/1")
			if err != nil {
				t.Fatal(err)
			}
			from := time.Now()
			err = op(s)
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, transport.ErrInterrupted) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(from); took < idle*15/16 || took > 20*idle {
				t.Errorf("%s: noticed after %s", name, took)
			}
			if err := op(s); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s after the stall: %v", name, err)
			}
		}
	})
}

// TestCloseLeavesNothing counts goroutines before and after two nodes with open
// streams in every state.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	each(t, func(t *testing.T, listen string) {
		a, b := pair(t, listen, transport.Options{})
		var ended sync.WaitGroup
		ended.Add(3)
		b.Handle(greet, greeter(func(error) { ended.Done() }))
		for range 3 {
			greeted(t, a)
			if _, err := a.Open(t.Context(), "BE", echo); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		ended.Wait() // Close has waited for them, so this cannot block
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if _, err := a.Open(t.Context(), "BE", echo); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("open on a closed transport: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestCloseWhileDialling closes transports at every moment of a dial, and a dial then fails
// as one on a closed transport, or because its partner is gone.
func TestCloseWhileDialling(t *testing.T) {
	each(t, func(t *testing.T, listen string) {
		for range 100 {
			a, b := pair(t, listen, transport.Options{})
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			var dials sync.WaitGroup
			for range 4 {
				dials.Go(func() {
					s, err := a.Open(t.Context(), "BE", echo)
					if err == nil {
						s.Reset()
						t.Error("opened a stream with a closed transport")
					}
				})
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			dials.Wait()
		}
	})
}
