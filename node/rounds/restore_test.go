package rounds_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/audit"
	"entente/node/store"
	"entente/protocol/round"
)

// TestRestoreAnOldBackup takes a backup in the middle of a round, lets time pass, and
// restores it, on either side: what was unfinished has failed, what was found is there,
// no secret comes back, the chains go on with a stated gap, and new rounds run.
func TestRestoreAnOldBackup(t *testing.T) {
	for _, who := range []string{"AU", "ID"} {
		for _, later := range []bool{false, true} {
			t.Run(who+map[bool]string{false: " at once", true: " after more rounds"}[later], func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { restored(t, who, later) })
			})
		}
	}
}

func restored(t *testing.T, who string, later bool) {
	x := newPair(t)
	chosen := func() *side { return map[string]*side{"AU": x.au, "ID": x.id}[who] }
	x.round = x.propose(x.au, request("ID"))
	x.complete("which")
	first, before := x.round, hitsOf(x, chosen(), x.round)
	gate := x.net.pause(10)
	x.round = x.propose(x.au, request("ID"))
	if !x.until() {
		t.Fatal("the round has too few frames")
	}
	unfinished := x.round
	dir, file := chosen().dir, filepath.Join(t.TempDir(), "backup.tar")
	x.editIn(dir, func(n *node.Node) { must(t, n.Backup(t.Context(), file)) })
	secretsStayOut(x, chosen(), unfinished, file)
	if !later {
		x.net.halt()
	}
	close(gate)
	if later {
		x.complete("which")
		for range 2 {
			x.round = x.propose(x.au, request("ID"))
			x.complete("which")
		}
	}
	x.halt(chosen())
	x.net.heal()
	time.Sleep(time.Minute)
	for _, name := range []string{store.File, store.File + "-wal", store.File + "-shm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	must(t, node.Restore(t.Context(), dir, file, ""))
	again := x.start(who, dir)
	if who == "AU" {
		x.au = again
	} else {
		x.id = again
	}
	synctest.Wait()
	v, err := again.Show(t.Context(), unfinished)
	must(t, err)
	if v.State != "failed" || !strings.Contains(v.Note, "backup") && !strings.Contains(v.Note, "round not known") {
		t.Errorf("the unfinished round is %s: %q", v.State, v.Note)
	}
	if now := hitsOf(x, again, first); !slices.Equal(now, before) || len(now) != len(shared()) {
		t.Errorf("hits were %v, are %v", before, now)
	}
	if !later {
		other := map[string]*side{"AU": x.id, "ID": x.au}[who]
		time.Sleep(30 * time.Hour)
		if v := x.wait(other, unfinished); v.State != "failed" && v.State != "expired" {
			t.Errorf("the partner's half is %s", v.State)
		}
	}
	x.round = x.propose(x.au, request("ID"))
	for _, s := range []*side{x.au, x.id} {
		if v := x.wait(s, x.round); v.State != "done" || !slices.Equal(x.values(s, x.round), shared()) {
			t.Errorf("after the restore: %s: %s %s", s.id, v.State, v.Note)
		}
	}
	x.halt(x.au, x.id)
	x.audited(x.au.dir)
	x.audited(x.id.dir)
	report, err := audit.Check(os.DirFS(filepath.Join(dir, store.AuditFolder)), audit.Certificate)
	must(t, err)
	for _, c := range report.Chains {
		if len(c.Gaps) != 1 {
			t.Errorf("the %s chain states %d gaps", c.Name, len(c.Gaps))
		}
	}
}

// hitsOf are positions and values of a round's hits.
func hitsOf(x *pair, s *side, name string) []string {
	hits, err := s.Hits(x.t.Context(), name)
	must(x.t, err)
	var out []string
	for _, h := range hits {
		out = append(out, h.Value+" "+h.Original+" "+string(rune('0'+h.Position)))
	}
	return out
}

// secretsStayOut requires that a backup that is opened elsewhere has no secret of a round.
func secretsStayOut(x *pair, s *side, name, file string) {
	x.t.Helper()
	id, err := round.ParseID(unhex(x.t, name))
	must(x.t, err)
	var secret []byte
	must(x.t, s.store.View(x.t.Context(), func(tx *store.Tx) error {
		r, err := tx.Round(id)
		secret = r.Secret
		return err
	}))
	if len(secret) == 0 {
		x.t.Fatal("the round under way has no secret")
	}
	time.Sleep(time.Second) // a restore has to be later than what it restores
	dir := filepath.Join(x.t.TempDir(), "elsewhere")
	must(x.t, os.MkdirAll(dir, 0o700))
	must(x.t, node.Restore(x.t.Context(), dir, file, filepath.Join(s.dir, "keys", "unlock")))
	o := x.open(s.id, dir)
	must(x.t, o.store.View(x.t.Context(), func(tx *store.Tx) error {
		r, err := tx.Round(id)
		if err == nil && (len(r.Secret) != 0 || !r.Restored || bytes.Contains(r.Record, secret)) {
			x.t.Error("a secret that serves one round came back from a backup")
		}
		return err
	}))
	for range o.store.Journal(id, 0).Chunks(x.t.Context(), "answers") {
		x.t.Error("a journal came back from a backup")
	}
	must(x.t, o.store.Close())
}
