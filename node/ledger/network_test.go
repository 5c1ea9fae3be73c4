package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

// pipe is one end of a stream in memory.
type pipe struct {
	net.Conn
	member string
	other  net.Conn
}

func (p *pipe) Member() string { return p.member }

func (p *pipe) Close() error { return p.Conn.Close() }

func (p *pipe) Reset() {
	_ = p.Conn.Close()
	_ = p.other.Close()
}

// chain is a member's own chain in memory.
type chain struct {
	mu       sync.Mutex
	author   entry.Author
	now      func() time.Time
	heads    []entry.Head
	entries  [][]byte
	appended chan struct{}
}

func (c *chain) Entries(_ context.Context, after entry.Head, most int) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := 0
	if !after.Empty() {
		i := slices.IndexFunc(c.heads, func(h entry.Head) bool { return h.Digest == after.Digest })
		if i < 0 {
			return nil, errors.New("the ledger holds another chain")
		}
		first = i + 1
	}
	return slices.Clone(c.entries[first:min(first+most, len(c.entries))]), nil
}

func (c *chain) Append(_ context.Context, k entry.Kind, body func(entry.Head) ([]byte, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var prev entry.Head
	if n := len(c.heads); n > 0 {
		prev = c.heads[n-1]
	}
	b, err := body(prev)
	if err != nil {
		return err
	}
	s, head, err := c.author.Next(prev, entry.Submitted, k, b, c.now())
	if err != nil {
		return err
	}
	out, err := s.Marshal()
	if err != nil {
		return err
	}
	c.heads, c.entries = append(c.heads, head), append(c.entries, out)
	close(c.appended)
	c.appended = make(chan struct{})
	return nil
}

func (c *chain) Begun(context.Context) (bool, error) { return true, nil }

func (c *chain) Appended() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.appended
}

// member is one that takes part over a network in memory.
type member struct {
	id      string
	chain   *chain
	options Options
	service *Service
	running context.Context
	serving *sync.WaitGroup
	stop    func() // while it runs
}

// world is a federation whose members run in one process.
type world struct {
	t       *testing.T
	w       *writers
	members map[string]*member
	log     *slog.Logger
	network Network // in place of the one in memory, if there is one

	mu    sync.Mutex
	cut   map[[2]string]bool
	lines map[[2]string][]*pipe // that were opened between two members
	votes map[vote]checkpoint.Checkpoint
	bad   map[string]bool // who may sign what it wants
}

// today is the time in a bubble, whose clock begins in the year 2000, moved to now.
func today() time.Time { return time.Now().Add(noon.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))) }

// newWorld founds a federation of n members, the first s of which are sequencers.
func newWorld(t *testing.T, n, s int) *world {
	w := &world{t: t, w: federation(t, n, s), members: map[string]*member{}, cut: map[[2]string]bool{}, lines: map[[2]string][]*pipe{}, votes: map[vote]checkpoint.Checkpoint{}, bad: map[string]bool{}, log: slog.New(slog.DiscardHandler)}
	if os.Getenv("LEDGER_LOG") != "" {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	digest := w.w.genesis.Digest()
	joined, err := entry.Body(entry.RosterState{Version: 1, Digest: digest[:]})
	must(t, err)
	for i := range n {
		c := &chain{author: w.w.authors[i], now: today, appended: make(chan struct{})}
		must(t, c.Append(t.Context(), entry.Created, func(entry.Head) ([]byte, error) { return nil, nil }))
		must(t, c.Append(t.Context(), entry.RosterJoined, func(entry.Head) ([]byte, error) { return joined, nil }))
		m := &member{id: name(i), chain: c}
		m.options = Options{
			Self: m.id, Roster: w.w.genesis, Dir: filepath.Join(t.TempDir(), m.id), Key: w.w.keys[i], Chain: c,
			Open: w.opener(m.id), Now: today, Log: w.log.With("at", m.id),
		}
		w.members[m.id] = m
	}
	return w
}

// start runs a member.
func (w *world) start(id string) {
	w.t.Helper()
	m := w.members[id]
	s, err := OpenService(w.t.Context(), m.options)
	must(w.t, err)
	s.mirror.db.NoSync = true // what dies here dies by the test's hand
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	w.mu.Lock()
	m.service, m.running, m.serving = s, ctx, &sync.WaitGroup{}
	w.mu.Unlock()
	if w.network != nil {
		w.network.Up(id, func(protocol string, stream Stream) { w.serve(m, s, protocol, stream) })
	}
	go func() { done <- s.Run(ctx) }()
	m.stop = func() {
		w.mu.Lock()
		m.service = nil
		w.mu.Unlock()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("%s: %v", id, err)
		}
		if w.network != nil {
			w.network.Down(id)
		}
		m.serving.Wait()
		must(w.t, s.Close())
		m.stop = nil
	}
}

func (w *world) startAll() {
	w.t.Helper()
	for id := range w.members {
		w.start(id)
	}
}

func (w *world) stopAll() {
	for _, m := range w.members {
		if m.stop != nil {
			m.stop()
		}
	}
}

// serve answers on a stream that another member has opened.
func (w *world) serve(m *member, s *Service, protocol string, stream Stream) {
	if protocol == RaftProtocol {
		s.ServeRaft(m.running, stream)
	} else {
		s.Serve(m.running, w.heard(stream, m.id))
	}
}

// heard is a stream on which what a member writes is overheard.
func (w *world) heard(s Stream, by string) Stream {
	return &hearing{s, func(frame []byte) { w.overhear(by, frame) }}
}

// hearing tells of what is written.
type hearing struct {
	Stream
	heard func(frame []byte)
}

func (h *hearing) Write(b []byte) (int, error) {
	h.heard(b)
	return h.Stream.Write(b)
}

func (w *world) separate(a, b string, cut bool) {
	if w.network != nil {
		w.network.Separate(a, b, cut)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	pair := [2]string{min(a, b), max(a, b)}
	w.cut[pair] = cut
	for _, p := range w.lines[pair] {
		p.Reset()
	}
	delete(w.lines, pair)
}

func (w *world) opener(from string) Opener {
	return func(ctx context.Context, to, protocol string) (Stream, error) {
		if w.network != nil {
			s, err := w.network.Open(ctx, from, to, protocol)
			if err == nil && protocol == exchange.Protocol {
				s = w.heard(s, from)
			}
			return s, err
		}
		w.mu.Lock()
		m, separate := w.members[to], w.cut[[2]string{min(from, to), max(from, to)}]
		var s *Service
		var serving *sync.WaitGroup
		if m != nil && !separate && m.service != nil {
			s, serving = m.service, m.serving
			serving.Add(1)
		}
		w.mu.Unlock()
		if s == nil {
			return nil, fmt.Errorf("%s does not answer", to)
		}
		a, b := net.Pipe()
		here, there := &pipe{Conn: a, member: to, other: b}, &pipe{Conn: b, member: from, other: a}
		w.mu.Lock()
		pair := [2]string{min(from, to), max(from, to)}
		w.lines[pair] = append(w.lines[pair], here)
		w.mu.Unlock()
		context.AfterFunc(ctx, here.Reset)
		go func() {
			defer serving.Done()
			w.serve(m, s, protocol, there)
		}()
		if protocol == exchange.Protocol {
			return w.heard(here, from), nil
		}
		return here, nil
	}
}

// until waits until something holds, two minutes at most.
func (w *world) until(what string, holds func() bool) time.Duration {
	w.t.Helper()
	begun := time.Now()
	for time.Since(begun) < 2*time.Minute {
		if holds() {
			return time.Since(begun)
		}
		<-time.After(50 * time.Millisecond)
	}
	w.t.Fatalf("two minutes passed, and not %s", what)
	return 0
}

// final is how many entries are final at a member.
func (w *world) final(id string) uint64 {
	c, err := w.members[id].service.mirror.LastFinal()
	must(w.t, err)
	return c.Size
}

// write has a member append an entry that says nothing.
func (w *world) write(id string, n byte) {
	w.t.Helper()
	b, err := entry.Body(entry.Sealed{Digest: bytes.Repeat([]byte{n}, 32)})
	must(w.t, err)
	must(w.t, w.members[id].chain.Append(w.t.Context(), entry.SealedDigest, func(entry.Head) ([]byte, error) { return b, nil }))
}

// settled reports whether everything that these members wrote is final at all of these.
func (w *world) settled(ids ...string) bool {
	for _, at := range ids {
		s := w.members[at].service
		ok := s.mirror.FinalState(func(st *replay.State) {
			for _, id := range ids {
				c := w.members[id].chain
				c.mu.Lock()
				head := c.heads[len(c.heads)-1]
				c.mu.Unlock()
				if st.Head(id).Digest != head.Digest {
					at = ""
				}
			}
		})
		if !ok || at == "" {
			return false
		}
	}
	return true
}

func (w *world) ids() (ids []string) {
	for i := range w.members {
		ids = append(ids, i)
	}
	slices.Sort(ids)
	return ids
}
