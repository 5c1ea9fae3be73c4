package node_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/node"
	"entente/node/audit"
	"entente/node/config"
	"entente/node/federation"
	"entente/protocol/roster"
)

// lonely sets up members that do not serve, and returns AU's directory and the
// rosters of version 1 and 2, signed by all.
func lonely(t *testing.T) (dir, first, second string) {
	t.Helper()
	base := t.TempDir()
	var cards, dirs []string
	for _, id := range []string{"AU", "ID", "TH"} {
		c := config.Default()
		c.Member = config.Member{ID: id, Name: "Member " + id, Role: "state"}
		c.Network.Listen = []string{"/ip4/127.0.0.1/tcp/7101"}
		d := filepath.Join(base, strings.ToLower(id))
		if _, err := node.Init(t.Context(), d, node.Setup{Config: c}); err != nil {
			t.Fatal(err)
		}
		dirs, cards = append(dirs, d), append(cards, filepath.Join(d, federation.CardName))
	}
	first, second = filepath.Join(base, "1.json"), filepath.Join(base, "2.json")
	for file, n := range map[string]int{first: 2, second: 3} {
		r, err := federation.Create("test", file, cards[:n])
		if err != nil {
			t.Fatal(err)
		}
		r.Version = uint64(n - 1)
		b, err := r.JSON()
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dirs[:n] {
			within(t, d, func(n *node.Node) error {
				_, _, err := n.SignRoster(file)
				return err
			})
		}
	}
	return dirs[0], first, second
}

// within opens a node for one piece of work.
func within(t *testing.T, dir string, work func(*node.Node) error) {
	t.Helper()
	n, err := node.Open(t.Context(), dir, node.Options{Version: "test", Listen: []string{}})
	if err == nil {
		err = errors.Join(work(n), n.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func joins(ctx context.Context, file string) func(*node.Node) error {
	return func(n *node.Node) error {
		_, err := n.JoinFederation(ctx, file)
		return err
	}
}

// putBack replaces the files of the roster in force, as a careless restore does.
func putBack(t *testing.T, dir, file string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(dir, federation.RosterName+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if file == "" {
		return
	}
	from, err := filepath.Glob(file + "*")
	if err != nil || len(from) == 0 {
		t.Fatal(from, err)
	}
	for _, name := range from {
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, federation.RosterName+strings.TrimPrefix(name, file)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func rightFolder(t *testing.T, n *node.Node, rosters int) {
	t.Helper()
	r, err := audit.Check(os.DirFS(n.AuditDir()), audit.Certificate)
	if err != nil || !r.OK || len(r.Rosters) != rosters {
		t.Errorf("%d rosters, faults %v, %v", len(r.Rosters), r.Faults, err)
	}
}

// A roster that came back from a backup, or went missing, does not bind the node: it
// opens, says so, refuses to serve, and joins the newest one again.
func TestOldRosterIsNotLivedBy(t *testing.T) {
	dir, first, second := lonely(t)
	within(t, dir, joins(t.Context(), first))
	within(t, dir, joins(t.Context(), second))
	for name, file := range map[string]string{"an older roster": first, "none": ""} {
		t.Run(name, func(t *testing.T) {
			putBack(t, dir, file)
			within(t, dir, func(n *node.Node) error { return livesByNone(t, n, first) })
			within(t, dir, joins(t.Context(), second))
			within(t, dir, func(n *node.Node) error {
				f, err := n.Federation(t.Context())
				if err == nil && (f.Version != 2 || len(f.Partners) != 2) {
					t.Errorf("lives by version %d", f.Version)
				}
				rightFolder(t, n, 2)
				return err
			})
		})
	}
}

func livesByNone(t *testing.T, n *node.Node, old string) error {
	t.Helper()
	var stale *federation.StaleError
	if _, err := n.Federation(t.Context()); !errors.As(err, &stale) {
		t.Errorf("the federation: %v", err)
	}
	if err := n.Run(t.Context(), func() { t.Error("it serves") }); !errors.As(err, &stale) || !strings.Contains(err.Error(), "join the newest roster again") {
		t.Errorf("serving: %v", err)
	}
	if _, err := n.JoinFederation(t.Context(), old); err == nil || !strings.Contains(err.Error(), "joined version 2 already") {
		t.Errorf("joining the old one: %v", err)
	}
	for _, s := range n.Doctor(t.Context()) {
		if s.Subject == "federation" {
			if s.OK || !strings.Contains(s.Text, "names another") || s.Remedy == "" {
				t.Errorf("doctor says %+v", s)
			}
			return nil
		}
	}
	t.Error("doctor says nothing")
	return nil
}

// A crash between the files and the chains leaves a roster that no entry names.
func TestRosterThatNoEntryNames(t *testing.T) {
	dir, first, _ := lonely(t)
	putBack(t, dir, first)
	var log bytes.Buffer
	n, err := node.Open(t.Context(), dir, node.Options{Version: "test", Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Federation(t.Context()); !errors.Is(err, federation.ErrNotJoined) || !strings.Contains(log.String(), "names none") {
		t.Errorf("%v; log: %s", err, &log)
	}
	if _, err := n.JoinFederation(t.Context(), first); err != nil {
		t.Error(err)
	}
	rightFolder(t, n, 1)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	r, err := roster.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	within(t, dir, func(n *node.Node) error {
		f, err := n.Federation(t.Context())
		if err == nil && f.Words != r.Words() {
			t.Error("another roster is in force")
		}
		return err
	})
}
