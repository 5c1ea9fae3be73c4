package rounds_test

import (
	"context"
	"encoding/hex"
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
	"entente/node/audit"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/keys"
	"entente/node/rounds"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// world is a federation whose nodes were set up once, and can be started from copies.
type world struct {
	t     *testing.T
	base  string
	net   *network
	limit int // rounds at once
}

// rulesOf makes the rules of a member.
type rulesOf func(id string, partners []string) map[string][]byte

// pilot is the template with exact counts.
func pilot(id string, partners []string) map[string][]byte {
	files, err := policy.Pilot(policy.PilotOptions{Version: 2, Partners: partners, Basis: id + "-TIP", ExactCount: true})
	if err != nil {
		panic(err) // the arguments are constants of the tests
	}
	return files
}

// replaced is the pilot template with one text in place of another.
func replaced(old, text string) rulesOf {
	return func(id string, partners []string) map[string][]byte {
		files := pilot(id, partners)
		for name, b := range files {
			files[name] = []byte(strings.ReplaceAll(string(b), old, text))
		}
		return files
	}
}

// newWorld sets up a member for each id, with the rules that the function gives it.
func newWorld(t *testing.T, rules rulesOf, ids ...string) *world {
	t.Helper()
	present()
	w := &world{t: t, base: t.TempDir(), net: newNetwork(), limit: 8}
	var cards []string
	for _, id := range ids {
		c := config.Default()
		c.Member = config.Member{ID: id, Name: "Member " + id, Role: "state"}
		c.Network.Announce = []string{"/ip4/127.0.0.1/tcp/7101"}
		must(t, second(node.Init(t.Context(), w.home(id), node.Setup{Config: c})))
		cards = append(cards, filepath.Join(w.home(id), federation.CardName))
	}
	file := filepath.Join(w.base, "fed.json")
	must(t, second(federation.Create("test", file, cards)))
	for _, sign := range []bool{true, false} {
		for _, id := range ids {
			w.edit(id, func(n *node.Node) {
				if sign {
					_, _, err := n.SignRoster(file)
					must(t, err)
					return
				}
				must(t, second(n.JoinFederation(t.Context(), file)))
				partners := slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
				w.activate(n, rules(id, partners))
			})
		}
	}
	return w
}

// home is the directory of a member as it was set up.
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

func (w *world) activate(n *node.Node, files map[string][]byte) {
	w.t.Helper()
	folder := filepath.Join(n.Dir(), node.RulesFolder)
	must(w.t, node.WriteRules(folder, files))
	must(w.t, second(n.ActivateRules(w.t.Context(), folder)))
}

// list imports phones; a cell may go on with the further columns of head.
func (w *world) list(id, name string, category indicator.Category, rows ...string) {
	w.t.Helper()
	w.edit(id, func(n *node.Node) { importRows(w.t, n, name, category, "phone", rows...) })
}

func importRows(t *testing.T, n *node.Node, name string, category indicator.Category, head string, rows ...string) {
	t.Helper()
	importUnder(t, n, n.ID()+"-TIP", name, category, head, rows...)
}

// importUnder imports phones under a legal basis.
func importUnder(t *testing.T, n *node.Node, basis, name string, category indicator.Category, head string, rows ...string) {
	t.Helper()
	i := node.Import{List: name, File: name + ".csv"}
	i.Kind = indicator.Phone
	i.Handling = indicator.Handling{Category: category, Purpose: "trafficking", Basis: basis}
	i.Defaults = indicator.Defaults{Country: "AU"}
	report, err := n.ImportList(t.Context(), i, lines(head, rows))
	must(t, err)
	if report.Ready+report.Held != len(rows) {
		t.Fatalf("%d of %d rows are ready: %v", report.Ready, len(rows), report.Reasons)
	}
}

// side is a member's running rounds over a directory.
type side struct {
	*rounds.Service
	id, dir string
	store   *store.Store
	rules   atomic.Pointer[policy.Bundle]
	fed     *federation.Federation
	ctx     context.Context
	stop    context.CancelFunc
	work    sync.WaitGroup
	point   atomic.Pointer[func(name string)] // called where a kill leaves a distinct state
	storing atomic.Pointer[func() error]      // may fail what is stored
}

// fresh starts a member from a copy of its directory as it was set up.
func (w *world) fresh(id string) *side {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), id)
	copyDir(w.t, w.home(id), dir)
	return w.start(id, dir)
}

// start runs a member's rounds over a directory until halt.
func (w *world) start(id, dir string) *side {
	w.t.Helper()
	s := w.open(id, dir)
	w.serve(s)
	return s
}

// open opens a member's directory without running its rounds.
func (w *world) open(id, dir string) *side {
	w.t.Helper()
	s := &side{id: id, dir: dir}
	c, err := config.Load(dir)
	must(w.t, err)
	unlock, err := keys.ParseUnlock(c.Keys.Unlock, c.Keys.UnlockFrom)
	must(w.t, err)
	k, err := keys.Open(dir, unlock)
	must(w.t, err)
	s.store, err = store.Open(w.t.Context(), dir, k.Store(), entry.Author{Member: id, Key: k.Identity()})
	must(w.t, err)
	s.fed, err = federation.Load(dir, id, federation.Keys{Sign: k.Identity().Public(), Transport: k.Transport().Public()})
	must(w.t, err)
	bundle, err := policy.Load(os.DirFS(filepath.Join(dir, node.RulesFolder)))
	must(w.t, err)
	s.rules.Store(bundle)
	s.Service = rounds.New(rounds.Options{
		Self: id, Key: k.Identity, Store: s.store, Federation: func() *federation.Federation { return s.fed },
		Rules: func() *policy.Bundle { s.reach("rules"); return s.rules.Load() },
		Open:  func(ctx context.Context, member string) (rounds.Stream, error) { return w.net.open(ctx, s, member) },
		Audit: func(ctx context.Context) error { s.reach("audit"); return s.store.Mirror(ctx, dir) },
		Limit: w.limit,
	})
	s.OnStoring(func() error {
		if fail := s.storing.Load(); fail != nil {
			return (*fail)()
		}
		return nil
	})
	s.OnStored(func() { s.reach("stored") })
	return s
}

// reach tells the test that the member is at a point where a kill leaves a distinct
// state.
func (s *side) reach(name string) {
	if at := s.point.Load(); at != nil {
		(*at)(name)
	}
}

// serve runs the rounds of an opened member.
func (w *world) serve(s *side) {
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.net.join(s)
	w.t.Cleanup(func() { // after a failure
		s.stop()
		w.net.heal()
		s.work.Wait()
	})
	s.work.Go(func() {
		if err := s.Run(s.ctx); err != nil {
			w.t.Errorf("%s: run: %v", s.id, err)
		}
	})
}

// halt stops a member as an orderly end does, and leaves its directory.
func (w *world) halt(sides ...*side) {
	w.t.Helper()
	for _, s := range sides {
		w.net.leave(s)
		s.stop()
	}
	for _, s := range sides {
		s.work.Wait()
		must(w.t, s.store.Close())
	}
}

// request is what most rounds of these tests ask for.
func request(partner string) rounds.Request {
	return rounds.Request{Partner: partner, List: "wanted", Kind: "phone", Purpose: "trafficking", Learn: "both", Result: "which"}
}

// propose starts a round and returns its id.
func (w *world) propose(s *side, r rounds.Request) string {
	w.t.Helper()
	v, err := s.Propose(w.t.Context(), r)
	must(w.t, err)
	return v.ID
}

// wait waits for a round to end, for at most a virtual day.
func (w *world) wait(s *side, id string) rounds.View {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 24*time.Hour)
	defer cancel()
	v, err := s.Wait(ctx, id)
	if err != nil {
		w.t.Fatalf("%s waits for a round that is %s (%s): %v", s.id, v.State, v.Note, err)
	}
	return v
}

// values are the canonical values of a round's hits.
func (w *world) values(s *side, id string) []string {
	w.t.Helper()
	hits, err := s.Hits(w.t.Context(), id)
	must(w.t, err)
	out := []string{}
	for _, h := range hits {
		out = append(out, h.Value)
	}
	slices.Sort(out)
	return out
}

// quota is what a member has counted with a partner today.
func (w *world) quota(s *side, partner string) int64 {
	w.t.Helper()
	var n int64
	must(w.t, s.store.View(w.t.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.Quota(partner, time.Now().UTC().Format(time.DateOnly))
		return err
	}))
	return n
}

// audited checks a stopped member's audit folder and returns the receipts in it.
func (w *world) audited(dir string) map[string]string {
	w.t.Helper()
	receipts := map[string]string{}
	w.editIn(dir, func(n *node.Node) {
		must(w.t, n.Mirror(w.t.Context()))
		report, err := audit.Check(os.DirFS(n.AuditDir()), audit.Certificate)
		must(w.t, err)
		for _, f := range report.Faults {
			w.t.Errorf("%s: audit: %s", n.ID(), f)
		}
		found, err := filepath.Glob(filepath.Join(n.AuditDir(), "receipts", "*"))
		must(w.t, err)
		for _, name := range found {
			b, err := os.ReadFile(name)
			must(w.t, err)
			receipts[filepath.Base(name)] = string(b)
		}
	})
	return receipts
}

// copyDir copies a node's directory as a kill leaves it: shared memory dies with the
// process.
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

// phones are n numbers of a range that is kept for invented ones, from the given place.
func phones(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("+6149157%04d", from+i)
	}
	return out
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

// lines are the content of a file with a header.
func lines(head string, rows []string) *strings.Reader {
	return strings.NewReader(head + "\n" + strings.Join(rows, "\n") + "\n")
}

// pace is how many frames or steps a test that breaks a round at each of them goes on
// at a time. The race detector's run, which is ten times slower, takes fewer.
func pace() int {
	if testing.Short() {
		return 15
	}
	return 1
}
