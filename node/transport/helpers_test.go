package transport_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"entente/node/transport"
)

const (
	tcpAny  = "/ip4/127.0.0.1/tcp/0"
	quicAny = "/ip4/127.0.0.1/udp/0/quic-v1"
	echo    = "/entente/test-echo/1"
)

// lines is a log that tests can search while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(text))
}

// node is a transport with what others need to know of it.
type node struct {
	*transport.Transport
	member transport.Member
	key    ed25519.PrivateKey
	log    *lines
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// start runs a node that echoes; o needs neither ID, key nor log.
func start(t testing.TB, id string, o transport.Options) *node {
	t.Helper()
	n := &node{key: o.Key, log: &lines{}}
	if n.key == nil {
		n.key = newKey(t)
	}
	o.ID, o.Key = id, n.key
	o.Log = slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tr, err := transport.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Errorf("close %s: %v", id, err)
		}
	})
	n.Transport = tr
	n.member = transport.Member{ID: id, Key: n.key.Public().(ed25519.PublicKey), Addresses: tr.Addresses()}
	tr.Handle(echo, echoHandler)
	return n
}

func echoHandler(_ context.Context, s *transport.Stream) {
	if _, err := io.Copy(s, s); err == nil {
		_ = s.Close()
	}
}

// introduce makes every node a member at every other.
func introduce(nodes ...*node) {
	var all []transport.Member
	for _, n := range nodes {
		all = append(all, n.member)
	}
	for _, n := range nodes {
		n.SetMembers(all)
	}
}

// exchange sends size bytes through an echoing partner and checks what comes back.
func exchange(t testing.TB, from *node, to string, size int) {
	t.Helper()
	s, err := from.Open(t.Context(), to, echo)
	if err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, size)
	_, _ = rand.Read(sent)
	var wrote error
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, wrote = s.Write(sent); wrote == nil {
			wrote = s.CloseWrite()
		}
	})
	got, err := io.ReadAll(s)
	wg.Wait()
	if err != nil || wrote != nil {
		t.Fatalf("read: %v, write: %v", err, wrote)
	}
	if !bytes.Equal(got, sent) {
		t.Fatalf("sent %d bytes, got %d others back", len(sent), len(got))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// eventually waits for what another goroutine does, without sleeping.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

func status(t testing.TB, n *node, member string) transport.Peer {
	t.Helper()
	for _, p := range n.Status() {
		if p.Member == member {
			return p
		}
	}
	t.Fatalf("%s has no status of %s", n.member.ID, member)
	return transport.Peer{}
}

// swallow reads everything and then sends one byte.
func swallow(_ context.Context, s *transport.Stream) {
	if _, err := io.Copy(io.Discard, s); err != nil {
		return
	}
	if _, err := s.Write([]byte{1}); err == nil {
		_ = s.Close()
	}
}
