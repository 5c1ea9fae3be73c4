package standing_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/node"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/intake"
	"entente/node/keys"
	"entente/node/rounds"
	"entente/node/standing"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/entry"
	"entente/protocol/indicator"
	"entente/simulations/fabric"
)

// world is a federation of AU and ID, set up once and started from copies, whose sides are
// joined by streams in memory.
type world struct {
	t     *testing.T
	base  string
	net   *network
	every time.Duration // how often sides look after their standing rounds
}

// newWorld sets the members up; basis is the legal basis of the first one's lists.
func newWorld(t *testing.T, basis string) *world {
	t.Helper()
	present()
	w := &world{t: t, base: t.TempDir(), every: time.Hour, net: &network{sides: map[string]*side{}, stopped: make(chan struct{})}}
	ids := []string{"AU", "ID"}
	for _, id := range ids {
		w.setUp(id)
	}
	file := w.roster(1, ids...)
	for i, id := range ids {
		w.edit(id, func(n *node.Node) {
			must(t, second(n.JoinFederation(t.Context(), file)))
			own := id + "-TIP"
			if i == 0 {
				own = basis
			}
			files, err := policy.Pilot(policy.PilotOptions{Version: 2, Partners: []string{ids[1-i]}, Basis: own})
			must(t, err)
			folder := filepath.Join(n.Dir(), node.RulesFolder)
			must(t, node.WriteRules(folder, files))
			must(t, second(n.ActivateRules(t.Context(), folder)))
		})
	}
	return w
}

func (w *world) home(id string) string { return filepath.Join(w.base, strings.ToLower(id)) }

// edit opens a member's node as a command without a daemon does.
func (w *world) edit(id string, f func(*node.Node)) { w.editIn(w.home(id), f) }

func (w *world) editIn(dir string, f func(*node.Node)) {
	w.t.Helper()
	n, err := node.Open(w.t.Context(), dir, node.Options{Version: "test"})
	must(w.t, err)
	defer func() { must(w.t, n.Close()) }()
	f(n)
}

// setUp makes a further member, which never runs.
func (w *world) setUp(id string) {
	w.t.Helper()
	c := config.Default()
	c.Member = config.Member{ID: id, Name: "Member " + id, Role: "state"}
	c.Network.Announce = []string{"/ip4/127.0.0.1/tcp/7101"}
	must(w.t, second(node.Init(w.t.Context(), w.home(id), node.Setup{Config: c})))
}

// roster draws up a roster that its members sign.
func (w *world) roster(version uint64, ids ...string) string {
	w.t.Helper()
	var cards []string
	for _, id := range ids {
		cards = append(cards, filepath.Join(w.home(id), federation.CardName))
	}
	file := filepath.Join(w.base, fmt.Sprintf("fed%d.json", version))
	r, err := federation.Create("test", file, cards)
	must(w.t, err)
	r.Version = version
	b, err := r.JSON()
	must(w.t, err)
	must(w.t, os.WriteFile(file, b, 0o600))
	for _, id := range ids {
		w.edit(id, func(n *node.Node) {
			_, _, err := n.SignRoster(file)
			must(w.t, err)
		})
	}
	return file
}

// join lives by a roster from now on.
func (s *side) join(file string) {
	s.t.Helper()
	fed, err := federation.Join(s.dir, file, s.keys, federation.Last{})
	must(s.t, err)
	s.fed.Store(fed)
	must(s.t, s.Roster(s.t.Context()))
}

// side is a member's running standing rounds over a directory.
type side struct {
	*standing.Service
	t     *testing.T
	id    string
	dir   string
	basis string
	store *store.Store
	keys  federation.Keys
	fed   atomic.Pointer[federation.Federation]
	rules atomic.Pointer[policy.Bundle]
	ctx   context.Context
	stop  context.CancelFunc
	work  sync.WaitGroup
	once  sync.Once
}

// fresh starts a member from a copy of its directory as it was set up.
func (w *world) fresh(id string) *side {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), id)
	copyDir(w.t, w.home(id), dir)
	return w.start(id, dir)
}

// start runs a member's standing rounds over a directory until halt.
func (w *world) start(id, dir string) *side {
	w.t.Helper()
	s := &side{t: w.t, id: id, dir: dir, basis: id + "-TIP"}
	c, err := config.Load(dir)
	must(w.t, err)
	unlock, err := keys.ParseUnlock(c.Keys.Unlock, c.Keys.UnlockFrom)
	must(w.t, err)
	k, err := keys.Open(dir, unlock)
	must(w.t, err)
	s.store, err = store.Open(w.t.Context(), dir, k.Store(), entry.Author{Member: id, Key: k.Identity()})
	must(w.t, err)
	s.keys = federation.Keys{Sign: k.Identity().Public(), Transport: k.Transport().Public()}
	fed, err := federation.Load(dir, id, s.keys)
	must(w.t, err)
	s.fed.Store(fed)
	bundle, err := policy.Load(os.DirFS(filepath.Join(dir, node.RulesFolder)))
	must(w.t, err)
	s.rules.Store(bundle)
	s.Service = standing.New(standing.Options{
		Self: id, Key: k.Identity, Store: s.store, Federation: s.fed.Load,
		Rules: s.rules.Load,
		Open:  func(ctx context.Context, member string) (rounds.Stream, error) { return w.net.open(ctx, s, member) },
		Limit: 8,
	})
	s.Slow(w.every)
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(w.t.Context()))
	must(w.t, s.TakeUp(s.ctx))
	w.net.join(s)
	w.t.Cleanup(func() { // after a failure
		s.stop()
		w.net.heal()
		s.close()
	})
	s.work.Go(func() {
		if err := s.Run(s.ctx); err != nil {
			w.t.Errorf("%s: run: %v", s.id, err)
		}
	})
	return s
}

// halt stops members as an orderly end does, and leaves their directories.
func (w *world) halt(sides ...*side) {
	w.t.Helper()
	for _, s := range sides {
		w.net.leave(s)
		s.stop()
	}
	for _, s := range sides {
		s.close()
	}
}

func (s *side) close() {
	s.work.Wait()
	s.once.Do(func() {
		if err := s.store.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

// list imports rows into a list as the node does.
func (s *side) list(name string, category indicator.Category, head string, rows ...string) {
	s.t.Helper()
	ctx := s.t.Context()
	l := store.List{Name: name, Kind: indicator.Phone, Category: category, Purpose: "trafficking", Basis: s.basis, Created: time.Now()}
	must(s.t, s.store.Update(ctx, func(tx *store.Tx) (err error) {
		l, err = tx.EnsureList(l)
		return err
	}))
	sink, err := s.store.Importer(ctx, l.ID)
	must(s.t, err)
	o := intake.Options{Kind: indicator.Phone, Members: []string{"AU", "ID"},
		Handling: indicator.Handling{Category: category, Purpose: "trafficking", Basis: s.basis}, Defaults: indicator.Defaults{Country: "AU"}}
	report, err := intake.Import(ctx, name+".csv", strings.NewReader(head+"\n"+strings.Join(rows, "\n")+"\n"), 0, o, sink)
	must(s.t, err)
	if report.Ready+report.Held+report.Duplicates < len(rows) {
		s.t.Fatalf("%d of %d rows are ready: %v", report.Ready, len(rows), report.Reasons)
	}
	must(s.t, sink.Commit(ctx, nil))
	s.Changed()
}

func (s *side) suspects(name string, rows ...string) { s.list(name, "suspect", "phone", rows...) }

// drop deletes a list.
func (s *side) drop(name string) {
	s.t.Helper()
	must(s.t, s.store.Update(s.t.Context(), func(tx *store.Tx) error {
		l, err := tx.ListByName(name)
		if err != nil {
			return err
		}
		return tx.DeleteList(l.ID)
	}))
	s.Changed()
}

// subscribe proposes a standing round in which both learn.
func (s *side) subscribe(change func(*standing.Request)) string {
	s.t.Helper()
	r := standing.Request{Partner: "ID", Lists: []string{"wanted"}, Purpose: "trafficking", Learn: "both",
		Every: 24 * time.Hour, Period: 7 * 24 * time.Hour, For: 90 * 24 * time.Hour, Questions: 2048, Checks: 2}
	if change != nil {
		change(&r)
	}
	v, err := s.Subscribe(s.t.Context(), r)
	must(s.t, err)
	return v.ID
}

// ran waits for a run after a time, at most two virtual days.
func (s *side) ran(id string, after time.Time) standing.View {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 48*time.Hour)
	defer cancel()
	v, err := s.Wait(ctx, id, after)
	if err != nil || v.LastRun == nil || !v.LastRun.After(after) {
		if now, show := s.Show(s.t.Context(), id); show == nil {
			v = now
		}
		s.t.Fatalf("%s: no run came: %s %q: %v", s.id, v.State, v.Note, err)
	}
	return v
}

// values are the canonical values of the hits whose records are still there.
func (s *side) values(id string) []string {
	s.t.Helper()
	hits, err := s.Hits(s.t.Context(), id)
	must(s.t, err)
	out := []string{}
	for _, h := range hits {
		if !h.Erased {
			out = append(out, h.Value)
		}
	}
	slices.Sort(out)
	return out
}

func (s *side) show(id string) standing.View {
	s.t.Helper()
	v, err := s.Show(s.t.Context(), id)
	must(s.t, err)
	return v
}

// network joins sides by streams in memory; it counts frames and can stop between any two.
type network struct {
	mu      sync.Mutex
	sides   map[string]*side
	ends    []*stream
	frames  int
	stopAt  int           // the number of the frame that does not arrive; 0: none
	stopped chan struct{} // closed when nothing arrives any more
	dead    bool
	seen    func(from string, frame []byte)
}

func (n *network) join(s *side) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sides[s.id] = s
}

func (n *network) leave(s *side) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sides[s.id] == s {
		delete(n.sides, s.id)
	}
}

// arm lets nothing pass any more from frame k on, counted from now.
func (n *network) arm(k int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frames, n.stopAt, n.dead, n.stopped = 0, k, false, make(chan struct{})
}

// heal cuts all streams that there are and lets new ones pass.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.ends {
		s.end.Cut()
	}
	n.ends, n.stopAt, n.dead = nil, 0, false
}

var errUnreachable = errors.New("nobody answers")

func (n *network) open(ctx context.Context, from *side, to string) (rounds.Stream, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	peer := n.sides[to]
	if peer == nil || n.dead {
		return nil, errUnreachable
	}
	one, two := fabric.Pipe(fabric.Link{})
	a := &stream{End: one, net: n, end: one, own: from.id, member: to}
	b := &stream{End: two, net: n, end: two, own: to, member: from.id}
	n.ends = append(n.ends, a, b)
	peer.work.Go(func() {
		defer b.Reset()
		peer.Serve(peer.ctx, b)
	})
	context.AfterFunc(ctx, a.Reset)
	return a, nil
}

// stream is one end between two members. Every Write is one frame.
type stream struct {
	*fabric.End
	net         *network
	end         *fabric.End
	own, member string
	once        sync.Once
}

func (s *stream) Member() string { return s.member }
func (s *stream) Reset()         { s.once.Do(s.end.Cut) }
func (s *stream) Close() error   { s.once.Do(func() {}); return s.end.Close() }

func (s *stream) Write(p []byte) (int, error) {
	s.net.mu.Lock()
	s.net.frames++
	if s.net.frames == s.net.stopAt && !s.net.dead {
		s.net.dead = true
		close(s.net.stopped)
	}
	dead := s.net.dead
	if !dead && s.net.seen != nil {
		s.net.seen(s.own, p)
	}
	s.net.mu.Unlock()
	if dead { // lost without an error
		return len(p), nil
	}
	return s.end.Write(p)
}

// copyDir copies a directory as a kill leaves it: shared memory dies with the process.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	must(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, "-shm") {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o600)
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

// numbers are n phones of a range that is kept for invented ones, from the given place.
func numbers(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("+6149157%04d", from+i)
	}
	return out
}
