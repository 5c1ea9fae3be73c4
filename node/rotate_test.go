package node_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entente/node"
	"entente/node/audit"
	"entente/node/keys"
	"entente/node/ledger"
	"entente/protocol/entry"
	"entente/protocol/indicator"
	"entente/protocol/ledgerfile"
)

// settled waits until the ledger has a time and all that a member wrote is final there.
func (m *member) settled(t *testing.T) {
	t.Helper()
	m.until(t, func(v ledger.Standing) bool { return v.Waiting == 0 && v.Final > 0 && !v.Clock.IsZero() })
}

// until waits until the ledger stands at a member as it should.
func (m *member) until(t *testing.T, as func(ledger.Standing) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l, err := m.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	for {
		v, err := l.Standing(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if as(v) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s waits in vain: %+v", m.ID(), v)
		}
		l.Wait(ctx, time.Second)
	}
}

// knows waits until a member's roster shows what it should.
func (m *member) knows(t *testing.T, as func(node.Federation) bool) {
	t.Helper()
	m.until(t, func(ledger.Standing) bool {
		f, err := m.Federation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return as(f)
	})
}

func wordsOf(f node.Federation, id string) string {
	for _, p := range f.Partners {
		if p.ID == id {
			return p.Words
		}
	}
	return ""
}

// again ends a member's node and starts it anew.
func (m *member) again(t *testing.T) {
	t.Helper()
	m.stop()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m.Node = open(t, m.dir)
	m.serve(t)
}

// checked demands that an auditor finds nothing wrong with a member.
func (m *member) checked(t *testing.T) audit.Report {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	today := ledgerfile.DayOf(time.Now().UnixMilli())
	if err := m.ExportAudit(t.Context(), dir, ledgerfile.Period{First: today, Last: today}); err != nil {
		t.Fatal(err)
	}
	r, err := audit.Check(os.DirFS(dir), audit.Certificate)
	if err != nil || !r.OK {
		t.Errorf("%s: %v, %+v", m.ID(), err, r.Faults)
	}
	return r
}

var four = []string{"AU", "ID", "MY", "TH"}

// Each member in turn, a sequencer too, goes over to new keys while it serves: the others know
// it by those, it runs rounds with them, and what it signed before stays valid.
func TestRotateKeys(t *testing.T) {
	members := foundWith(t, four, pilot, four...)
	au, id := members["AU"], members["ID"]
	au.list(t, "wanted", indicator.Suspect, "0491570156", "0491570157", "0491570158", "0491570159")
	id.list(t, "watch", indicator.Suspect, "+61491570159", "+61 491 570 156", "0061491570157")
	for _, m := range members {
		m.settled(t)
	}
	runRound(t, au, id, "both", "which")
	backup := filepath.Join(t.TempDir(), "backup")
	if err := au.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := au.RotateKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := au.RotateKeys(t.Context()); err != nil && !errors.Is(err, node.ErrRotating) {
			t.Errorf("a second time at once: %v", err)
		}
		au.knows(t, func(f node.Federation) bool { return f.OwnWords == r.Words && f.NewWords == "" })
		for _, other := range four[1:] {
			members[other].knows(t, func(f node.Federation) bool { return wordsOf(f, "AU") == r.Words })
		}
		if left, err := filepath.Glob(filepath.Join(au.dir, "keys", "*.next")); err != nil || len(left) > 0 {
			t.Errorf("left over: %v %v", left, err)
		}
		runRound(t, au, id, "both", "which")
	}
	au.settled(t)
	if r := au.checked(t); r.Receipts != 3 {
		t.Errorf("%d receipts, want 3", r.Receipts)
	}
	id.checked(t)
	au.again(t)
	runRound(t, au, id, "both", "which")
	au.settled(t)
	au.checked(t)

	// A store of the time before goes on where the logs lead over to the new keys, and not at
	// all without them.
	au.stop()
	logs := filepath.Join(t.TempDir(), "audit")
	if err := errors.Join(au.Close(), os.Remove(filepath.Join(au.dir, "store.db")), os.Rename(filepath.Join(au.dir, "audit"), logs)); err != nil {
		t.Fatal(err)
	}
	if err := node.Restore(t.Context(), au.dir, backup, ""); !errors.Is(err, entry.ErrOtherKey) {
		t.Errorf("restored without logs: %v", err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(au.dir, "audit")), os.Rename(logs, filepath.Join(au.dir, "audit"))); err != nil {
		t.Fatal(err)
	}
	if err := node.Restore(t.Context(), au.dir, backup, ""); err != nil {
		t.Fatal(err)
	}
	au.Node = open(t, au.dir)
	au.serve(t)
	au.settled(t)
	au.checked(t)
}

// A node that died at any point of the change goes over to the new keys when it comes back,
// although the others admit the old transport key no more by then.
func TestRotateKeysAfterCrash(t *testing.T) {
	members := foundWith(t, four, pilot, four...)
	au, id := members["AU"], members["ID"]
	for _, m := range members {
		m.settled(t)
	}
	au.stop()
	r, err := au.RotateKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	must(au.Close())
	before, after := filepath.Join(t.TempDir(), "before"), filepath.Join(t.TempDir(), "after")
	must(os.CopyFS(before, os.DirFS(au.dir)))
	au.Node = open(t, au.dir)
	if f, err := au.Federation(t.Context()); err != nil || f.NewWords != r.Words || f.OwnWords == r.Words {
		t.Fatalf("opened again: %+v, %v", f, err)
	}
	if _, err := au.RotateKeys(t.Context()); !errors.Is(err, node.ErrRotating) {
		t.Errorf("a second time: %v", err)
	}
	au.serve(t)
	au.knows(t, func(f node.Federation) bool { return f.OwnWords == r.Words })
	for _, other := range four[1:] {
		members[other].knows(t, func(f node.Federation) bool { return wordsOf(f, "AU") == r.Words })
	}
	au.stop()
	must(au.Close(), os.CopyFS(after, os.DirFS(au.dir)))

	// What it had entered meanwhile is not lost, but it knows nothing of what became final.
	lost := func(names ...string) {
		must(os.RemoveAll(au.dir), os.CopyFS(au.dir, os.DirFS(after)), os.RemoveAll(filepath.Join(au.dir, node.LedgerFolder)),
			os.CopyFS(filepath.Join(au.dir, node.LedgerFolder), os.DirFS(filepath.Join(before, node.LedgerFolder))))
		for _, name := range names {
			b, err := os.ReadFile(filepath.Join(before, name))
			if errors.Is(err, fs.ErrNotExist) {
				must(os.Remove(filepath.Join(au.dir, name)))
				continue
			}
			must(err, os.WriteFile(filepath.Join(au.dir, name), b, 0o600))
		}
		must(filepath.WalkDir(filepath.Join(au.dir, "keys"), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return os.Chmod(name, 0o600)
		}))
	}
	for _, c := range []struct {
		name string
		lost []string
	}{
		{"before it was final", []string{"member.first.json", "member.json", "keys/identity", "keys/transport", "keys/identity.next", "keys/transport.next"}},
		{"with the card", []string{"keys/identity", "keys/transport", "keys/identity.next", "keys/transport.next"}},
		{"between the keys", []string{"keys/identity", "keys/identity.next"}},
		{"after the keys", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			lost(c.lost...)
			au.Node = open(t, au.dir)
			au.serve(t)
			au.knows(t, func(f node.Federation) bool { return f.OwnWords == r.Words && f.NewWords == "" })
			if left, err := filepath.Glob(filepath.Join(au.dir, "keys", "*.next")); err != nil || len(left) > 0 {
				t.Errorf("left over: %v %v", left, err)
			}
			au.settled(t)
			au.checked(t)
			id.knows(t, func(f node.Federation) bool { return wordsOf(f, "AU") == r.Words })
			au.stop()
			must(au.Close(), os.RemoveAll(after), os.CopyFS(after, os.DirFS(au.dir)))
		})
	}
}

// New keys that were made and not entered change nothing, and are used when it is tried again.
func TestRotateKeysTriedAgain(t *testing.T) {
	members := foundWith(t, four, pilot, four...)
	au := members["AU"]
	au.settled(t)
	au.stop()
	if err := au.Close(); err != nil {
		t.Fatal(err)
	}
	k, err := keys.Open(au.dir, keys.Unlock{})
	if err == nil {
		_, err = keys.MakeNext(au.dir, keys.Unlock{}, k)
	}
	if err != nil {
		t.Fatal(err)
	}
	au.Node = open(t, au.dir)
	au.serve(t)
	if f, err := au.Federation(t.Context()); err != nil || f.NewWords != "" {
		t.Fatalf("%+v, %v", f, err)
	}
	r, err := au.RotateKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	au.knows(t, func(f node.Federation) bool { return f.OwnWords == r.Words })
}

// Without a ledger nobody could vouch for new keys or addresses.
func TestOwnEntryByPairs(t *testing.T) {
	au := found(t, pilot, "AU", "ID")["AU"]
	if _, err := au.RotateKeys(t.Context()); !errors.Is(err, node.ErrKeysByPairs) {
		t.Errorf("keys: %v", err)
	}
	if err := au.ChangeAddresses(t.Context(), nil); !errors.Is(err, node.ErrAddressesByPairs) {
		t.Errorf("addresses: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(au.dir, "keys", "*.next")); err != nil || len(left) > 0 {
		t.Errorf("keys were made: %v %v", left, err)
	}
}

// The others dial a member at the addresses that it has named last.
func TestChangeAddresses(t *testing.T) {
	members := foundWith(t, four, pilot, four...)
	au, id := members["AU"], members["ID"]
	for _, m := range members {
		m.settled(t)
	}
	for _, bad := range [][]string{{"127.0.0.1:7101"}, {"/ip4/0.0.0.0/tcp/1"}, {"/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/1"}} {
		if err := au.ChangeAddresses(t.Context(), bad); !errors.Is(err, node.ErrWanted) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	au.stop()
	if err := au.Close(); err != nil {
		t.Fatal(err)
	}
	moved := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", freePorts(t, 1)[0])
	n, err := node.Open(t.Context(), au.dir, node.Options{Version: "test", Listen: []string{moved}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	au.Node = n
	if err := au.ChangeAddresses(t.Context(), []string{moved}); err != nil {
		t.Fatal(err)
	}
	au.serve(t)
	at := func(f node.Federation) bool {
		for _, p := range f.Partners {
			if p.ID == "AU" {
				return slices.Equal(p.Addresses, []string{moved})
			}
		}
		return false
	}
	id.knows(t, at)
	au.knows(t, func(f node.Federation) bool { return f.Version == 2 })
	if err := au.ChangeAddresses(t.Context(), []string{moved}); !errors.Is(err, node.ErrWanted) {
		t.Errorf("the same once more: %v", err)
	}
	au.list(t, "wanted", indicator.Suspect, "0491570156", "0491570157", "0491570159")
	id.list(t, "watch", indicator.Suspect, "+61491570159", "+61 491 570 156", "0061491570157")
	runRound(t, au, id, "both", "which")
	au.settled(t)
	au.checked(t)
}
