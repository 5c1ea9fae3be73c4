package node_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/standing"
	"entente/node/store"
	"entente/simulations/fabric"
)

var near = fabric.Link{Latency: 20 * time.Millisecond, Bandwidth: 50_000_000}

// running is a standing round whose first run found the three shared phones.
func running(t *testing.T, change func(*standing.Request)) (*fabric.Fabric, *member, *member, string) {
	t.Helper()
	f, au, id := distant(t, near)
	v := subscribe(t, au, change)
	for _, m := range []*member{au, id} {
		until(t, m, v.ID, "the first hits", time.Minute, withHits(3))
	}
	return f, au, id, v.ID
}

// reopen opens the directory of a node that was closed.
func (m *member) reopen(t *testing.T) {
	t.Helper()
	n, err := node.Open(context.WithoutCancel(t.Context()), m.dir, m.o)
	if err != nil {
		t.Fatal(err)
	}
	m.Node = n
}

// What is deleted here is taken back from the partner at once, with its receipt, and a new
// item of the partner's does not hit it any more.
func TestStandingDeletionGoesOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id, round := running(t, nil)
		before := until(t, au, round, "a first receipt", time.Minute, func(v standing.View) bool { return v.Removed != nil })
		if before.Removed.Run != 0 {
			t.Errorf("the first receipt is for run %d", before.Removed.Run)
		}
		if err := au.DeleteList(t.Context(), "wanted"); err != nil {
			t.Fatal(err)
		}
		after := until(t, au, round, "the receipt of the removal", 2*time.Minute, func(v standing.View) bool { return v.Removed.Run == 1 })
		if after.Removed.Meaning == "" {
			t.Error("the receipt does not say what it proves")
		}
		id.list(t, "more", "suspect", phones(7, 1)...) // was on AU's list, and is not on a list of the agreement
		id.list(t, "wanted", "suspect", phones(8, 1)...)
		until(t, id, round, "the next run", 2*every, func(v standing.View) bool {
			return v.LastRun != nil && v.LastRun.After(after.Removed.Time.Add(every/2))
		})
		if v, err := id.Standing().Show(t.Context(), round); err != nil || v.Hits != 3 {
			t.Errorf("a deleted item was hit: %d hits, %v", v.Hits, err)
		}
	})
}

// A cache that was cut off or altered is not trusted: it is taken again, and nothing is
// missed.
func TestStandingDamagedFiles(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
		"altered": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"missing": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, au, id, round := running(t, nil)
				au.stop()
				files, err := filepath.Glob(filepath.Join(au.dir, store.SegmentFolder, "*"))
				if err != nil || len(files) == 0 {
					t.Fatalf("no files: %v", err)
				}
				for _, file := range files {
					b, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					if b = damage(b); b == nil {
						err = os.Remove(file)
					} else {
						err = os.WriteFile(file, b, 0o600)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				au.serve(t)
				id.list(t, "wanted", "suspect", phones(7, 1)...)
				au.list(t, "wanted", "suspect", phones(300, 1)...)
				for _, m := range []*member{au, id} {
					until(t, m, round, "the hits after the damage", 9*every, withHits(5))
				}
			})
		})
	}
}

// A node that is stopped and started at any time goes on.
func TestStandingRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, fabric.Link{Latency: 300 * time.Millisecond, Bandwidth: 256_000})
		v := subscribe(t, au, nil)
		for i := range 12 {
			time.Sleep(time.Duration(700+350*i) * time.Millisecond)
			m := []*member{au, id}[i%2]
			m.stop()
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			m.reopen(t)
			m.serve(t)
		}
		for _, m := range []*member{au, id} {
			until(t, m, v.ID, "the first hits", 2*time.Hour, withHits(3))
		}
	})
}

// The tag period changes by itself, by a person, and when a partner was stopped: everything
// is found again, no hit is told twice, and old tags go.
func TestStandingNewPeriods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id, round := running(t, func(r *standing.Request) { r.Period = 3 * every })
		first := until(t, au, round, "a tag period", time.Minute, func(v standing.View) bool { return v.TagEnds != nil })
		changed := func(after time.Time) func(standing.View) bool {
			return func(v standing.View) bool { return v.TagEnds != nil && v.TagEnds.After(after) && v.Waiting == 0 }
		}
		second := until(t, au, round, "the next tag period", 5*every, changed(*first.TagEnds))
		if err := id.Standing().Renew(t.Context(), round); err != nil {
			t.Fatal(err)
		}
		third := until(t, au, round, "a renewed tag period", 4*every, changed(*second.TagEnds))
		if err := id.StopPartner(t.Context(), "AU", true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(every / 2)
		if err := id.StopPartner(t.Context(), "AU", false); err != nil {
			t.Fatal(err)
		}
		until(t, au, round, "the tag period after the stop", 4*every, changed(*third.TagEnds))
		id.list(t, "wanted", "suspect", phones(7, 1)...)
		v := until(t, au, round, "a hit in the last period", 4*every, withHits(4))
		if v.NewHits != 4 {
			t.Errorf("%d new hits: some were told twice or lost", v.NewHits)
		}
	})
}

// Either side may pause and end; the other hears it.
func TestStandingPauseAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id, round := running(t, nil)
		if err := id.Standing().Pause(t.Context(), round); err != nil {
			t.Fatal(err)
		}
		id.list(t, "wanted", "suspect", phones(7, 1)...)
		time.Sleep(2 * every)
		if v, err := au.Standing().Show(t.Context(), round); err != nil || v.Hits != 3 {
			t.Errorf("a paused standing round ran: %d hits, %v", v.Hits, err)
		}
		if err := id.Standing().Resume(t.Context(), round); err != nil {
			t.Fatal(err)
		}
		until(t, au, round, "the hit after the pause", 2*every, withHits(4))
		if err := id.Standing().End(t.Context(), round); err != nil {
			t.Fatal(err)
		}
		for _, m := range []*member{au, id} {
			until(t, m, round, "the end", time.Hour, func(v standing.View) bool { return v.State == "ended" })
			left, err := filepath.Glob(filepath.Join(m.dir, store.SegmentFolder, "*"))
			if err != nil || len(left) > 0 {
				t.Errorf("%s: files are left: %v, %v", m.ID(), left, err)
			}
		}
	})
}

// A restored node has lost its secrets: it publishes under a new key, and both go on.
func TestStandingAfterRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id, round := running(t, nil)
		backup := filepath.Join(t.TempDir(), "backup")
		if err := id.Backup(t.Context(), backup); err != nil {
			t.Fatal(err)
		}
		id.stop()
		if err := id.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(id.dir, store.File)); err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{"-wal", "-shm"} {
			_ = os.Remove(filepath.Join(id.dir, store.File+end))
		}
		time.Sleep(time.Minute) // a chain goes on later than it ended
		if err := node.Restore(t.Context(), id.dir, backup, ""); err != nil {
			t.Fatal(err)
		}
		id.reopen(t)
		id.serve(t)
		id.list(t, "wanted", "suspect", phones(7, 1)...)
		au.list(t, "wanted", "suspect", phones(300, 1)...)
		for _, m := range []*member{au, id} {
			until(t, m, round, "the hits after the restore", 9*every, withHits(5))
		}
	})
}
