package ordering

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// end is one end of a stream in memory.
type end struct {
	net.Conn
	member string
	resets *atomic.Int32 // how often either end was reset
	other  *end
	stop   func() bool // its context no longer matters; may be nil
}

func (e *end) Member() string { return e.member }

func (e *end) Close() error {
	if e.stop != nil {
		e.stop()
	}
	return e.Conn.Close()
}

func (e *end) Reset() {
	e.resets.Add(1)
	_ = e.Conn.Close()
	_ = e.other.Conn.Close()
}

// pair returns the two ends of a stream: here and there name who sits at the other one.
func pair(here, there string) (*end, *end) {
	a, b := net.Pipe()
	x, y := &end{Conn: a, member: there, resets: new(atomic.Int32)}, &end{Conn: b, member: here}
	y.resets, x.other, y.other = x.resets, y, x
	return x, y
}

// text is a log that tests read.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func (t *text) logger() *slog.Logger { return slog.New(slog.NewTextHandler(t, nil)) }

// network joins Guards by streams in memory.
type network struct {
	mu     sync.Mutex
	guards map[string]*Guard
	ends   []*end // the opener's, in order
	cut    map[string]bool
}

func newNetwork() *network { return &network{guards: map[string]*Guard{}, cut: map[string]bool{}} }

func (n *network) opener(from string) Opener {
	return func(ctx context.Context, member string) (Stream, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		g := n.guards[member]
		if g == nil || n.cut[member] {
			return nil, fmt.Errorf("%s does not answer", member)
		}
		x, y := pair(from, member)
		n.ends = append(n.ends, x)
		x.stop = context.AfterFunc(ctx, x.Reset)
		go g.Serve(context.Background(), y)
		return x, nil
	}
}

func (n *network) opened() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.ends)
}

// resets counts over all streams.
func (n *network) resets() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := 0
	for _, e := range n.ends {
		sum += int(e.resets.Load())
	}
	return sum
}

func among(members ...string) func(string) bool {
	return func(m string) bool { return strings.Contains(" "+strings.Join(members, " ")+" ", " "+m+" ") }
}

// add starts a Guard and has the test close it.
func (n *network) add(t testing.TB, self string, voter func(string) bool, o Options) *Guard {
	t.Helper()
	g, err := NewGuard(self, n.opener(self), voter, o)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	n.guards[self] = g
	n.mu.Unlock()
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// counter is a replicated state machine: it counts commands.
type counter struct{ count atomic.Uint64 }

func (m *counter) Apply(*raft.Log) any                 { return m.count.Add(1) }
func (m *counter) Snapshot() (raft.FSMSnapshot, error) { return image(m.count.Load()), nil }
func (m *counter) Restore(r io.ReadCloser) error {
	defer r.Close() // in memory
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return err
	}
	m.count.Store(binary.BigEndian.Uint64(b[:]))
	return nil
}

type image uint64

func (i image) Persist(s raft.SnapshotSink) error {
	if _, err := s.Write(indexKey(uint64(i))); err != nil {
		return err
	}
	return s.Close()
}
func (image) Release() {}

// node is a member's Raft with what belongs to it.
type node struct {
	raft    *raft.Raft
	machine *counter
	logs    raft.LogStore
}

func servers(members []string) raft.Configuration {
	var c raft.Configuration
	for _, m := range members {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(m), Address: raft.ServerAddress(m)})
	}
	return c
}

func memoryStore() *raft.InmemStore { return raft.NewInmemStore() }

// start runs Raft for self over a transport.
func start(t testing.TB, self string, members []string, trans raft.Transport, logs raft.LogStore, stable raft.StableStore, patience time.Duration) *node {
	t.Helper()
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(self)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = patience, patience, patience/2
	c.Logger = raftLogger(slog.New(slog.DiscardHandler))
	n := &node{machine: &counter{}, logs: logs}
	snapshots := raft.NewInmemSnapshotStore()
	if err := raft.BootstrapCluster(c, logs, stable, snapshots, trans, servers(members)); err != nil {
		t.Fatal(err)
	}
	var err error
	if n.raft, err = raft.NewRaft(c, n.machine, logs, stable, snapshots, trans); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.raft.Shutdown().Error(); err != nil {
			t.Error(err)
		}
	})
	return n
}
