package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/crypto/seal"
	"entente/node/intake"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// TestKilled copies the directory at each point where a kill would leave a distinct
// state, opens every copy, and requires that it is what was committed, and goes on.
func TestKilled(t *testing.T) {
	d := newDesk(t)
	d.flushRows = 4
	type state struct{ name, dir string }
	var copies []state
	d.step = func(name string) error {
		if name == stepStatement {
			return nil // the files are as before the transaction
		}
		dir := filepath.Join(t.TempDir(), "copy")
		copyDir(t, d.dir, dir)
		copies = append(copies, state{fmt.Sprintf("%d %s", len(copies), name), dir})
		return nil
	}
	ctx := t.Context()
	id := [16]byte{1}
	d.follow(t)
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, rowsOf(t, 0, 3))
	i, err := d.Importer(ctx, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	for from := 2; from < 17; from += 5 {
		if _, err := i.Add(ctx, append(rowsOf(t, from, from+5), row(t, 1, minor))); err != nil {
			t.Fatal(err)
		}
	}
	err = i.Commit(ctx, func(tx *Tx) error { return tx.Append(entry.Local, entry.Imported, nil, moment0) })
	if err != nil {
		t.Fatal(err)
	}
	d.take(t, "ID", l)
	sealed, err := entry.Body(entry.Sealed{Digest: make([]byte, entry.DigestSize)})
	if err != nil {
		t.Fatal(err)
	}
	for n, s := range []string{"offered", "agreed", "done"} {
		r := Round{ID: id, State: s, Created: moment0, Record: []byte(s), Secret: []byte("secret")}
		if s == "done" {
			r.Secret = nil
		}
		d.update(t, func(tx *Tx) error {
			return errors.Join(tx.PutRound(r), tx.Append(entry.Local, entry.RoundState, nil, moment0), tx.Append(entry.Submitted, entry.SealedDigest, sealed, moment0))
		})
		if err := d.Journal(id, 0).Put(ctx, "tags", n, []byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Mirror(ctx, d.dir); err != nil {
		t.Fatal(err)
	}
	d.step = func(string) error { return nil }
	if len(copies) < 30 {
		t.Fatalf("only %d states", len(copies))
	}
	for _, c := range copies {
		t.Run(c.name, func(t *testing.T) { afterKill(t, d, c.dir, l.ID) })
	}
}

// afterKill opens what a kill left, and requires a state that a commit had made.
func afterKill(t *testing.T, d *desk, dir string, list int64) {
	s, err := Open(t.Context(), dir, d.key, d.author)
	if err != nil {
		t.Fatal(err)
	}
	c := &desk{Store: s, dir: dir, key: d.key, author: d.author}
	t.Cleanup(func() { _ = s.Close() }) // closed below unless the test failed
	_, local := c.verify(t, entry.Local, 0)
	_, submitted := c.verify(t, entry.Submitted, 0)
	var l List
	c.view(t, func(tx *Tx) error {
		if l, err = tx.List(list); isNotFound(err) {
			return nil // killed before the list was there
		}
		return err
	})
	if l.ID != 0 {
		whole := map[int64]int{0: 0, 3: 0, 17: 1} // items: entries of the chain that go with them, at least
		least, ok := whole[l.Items]
		if !ok || local < least || (local > 0 && l.Items != 17) {
			t.Errorf("%d items with %d entries", l.Items, local)
		}
		if names, last := c.touched(t, 0); len(names) != int(l.Items) || l.Items == 17 && last != 18 {
			t.Errorf("%d items, %d logged in %d entries", l.Items, len(names), last)
		}
		snapshot := c.take(t, "ID", l)
		shielded := snapshot.Excluded[ExcludedShielded]
		if snapshot.Items+int64(shielded) != l.Items || (l.Items == 17) != (shielded == 1) {
			t.Errorf("%d items, %d shielded of %d", snapshot.Items, shielded, l.Items)
		}
	}
	c.view(t, func(tx *Tx) error {
		r, err := tx.Round([16]byte{1})
		if isNotFound(err) {
			if submitted != 0 {
				t.Error("entries of a round that is not there")
			}
			return nil
		}
		states := map[string]int{"offered": 1, "agreed": 2, "done": 3}
		if states[r.State] != submitted || r.Restored || string(r.Record) != r.State || (r.State == "done") != (r.Secret == nil) {
			t.Errorf("round is %s with %d entries", r.State, submitted)
		}
		return err
	})
	var left int
	c.view(t, func(tx *Tx) error {
		return tx.row(`SELECT (SELECT count(*) FROM imports WHERE open = 1) + (SELECT count(*) FROM merges) +
			(SELECT count(*) FROM records) - (SELECT coalesce(sum(items), 0) FROM lists)`, nil, &left)
	})
	if left != 0 {
		t.Errorf("%d rows of an unfinished import are left", left)
	}
	// It goes on.
	c.update(t, func(tx *Tx) error { return tx.Append(entry.Local, entry.NodeStarted, nil, moment0) })
	if err := errors.Join(c.Mirror(t.Context(), dir), s.Close()); err != nil {
		t.Error(err)
	}
	if _, n := readLog(t, dir, entry.Local); n != local+1 {
		t.Errorf("the log has %d entries, not %d", n, local+1)
	}
}

// TestFull lets the database run full in every kind of write, and requires that what
// was there before is whole and that room makes it work again.
func TestFull(t *testing.T) {
	d := newDesk(t)
	d.flushRows = 100
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, rowsOf(t, 0, 10))
	big := make([]byte, 1<<20)
	limit := func(pages int) {
		t.Helper()
		if _, err := d.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes the present size
	for name, err := range map[string]error{
		"setting": d.Update(t.Context(), func(tx *Tx) error { return tx.Put("big", big) }),
		"journal": d.Journal([16]byte{1}, 0).Put(t.Context(), "tags", 0, big),
		"entries": d.Update(t.Context(), func(tx *Tx) error {
			for range 100 {
				if err := tx.Append(entry.Local, entry.Decision, nil, moment0); err != nil {
					return err
				}
			}
			return nil
		}),
	} {
		if !errors.Is(err, ErrFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	i, err := d.Importer(t.Context(), l.ID)
	if err == nil {
		_, err = i.Add(t.Context(), rowsOf(t, 0, 2000))
	}
	if !errors.Is(err, ErrFull) {
		t.Errorf("import: %v", err)
	}
	if err := i.Commit(t.Context(), nil); !errors.Is(err, ErrFull) {
		t.Errorf("commit of an import that lost rows: %v", err)
	}
	if err := i.Rollback(t.Context()); err != nil {
		t.Errorf("rollback on a full disk: %v", err)
	}
	limit(1 << 30)
	d.verify(t, entry.Local, 0)
	if s := d.take(t, "ID", l); s.Items != 10 {
		t.Errorf("%d items", s.Items)
	}
	if a := d.load(t, l, rowsOf(t, 0, 2000)); a.New != 1990 {
		t.Errorf("with room again: %+v", a)
	}
	d.reopen(t)
}

// TestAltered changes each sealed column, by a bit and by another row's value, and
// requires the named error from every way to read it.
func TestAltered(t *testing.T) {
	ctx := context.Background()
	read := map[string]func(*desk) error{
		"settings.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.Get("a"); return err })
		},
		"lists.wrapped": func(d *desk) error { _, err := d.TakeSnapshot(ctx, spec("ID", List{ID: 1})); return err },
		"records.sealed": func(d *desk) error {
			_, err := d.PlanSnapshot(ctx, spec("ID", List{ID: 1}))
			for _, all := range d.AllEligible(ctx, EligibleSpec{Lists: []int64{1}, Now: moment0}) {
				if errors.Is(all, ErrAltered) != errors.Is(err, ErrAltered) {
					return fmt.Errorf("all eligible: %v, snapshot: %v", all, err)
				}
			}
			one := d.View(ctx, func(tx *Tx) error { _, err := tx.Indicator(1); return err })
			if errors.Is(one, ErrAltered) != errors.Is(err, ErrAltered) {
				return fmt.Errorf("one record: %v, all: %v", one, err)
			}
			return err
		},
		"held.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.HeldRecords(1); return err })
		},
		"snapshots.wrapped": func(d *desk) error { _, err := d.SnapshotItem(ctx, 1, 0); return err },
		"segments.sealed": func(d *desk) error {
			for _, err := range d.SnapshotItems(ctx, 1) {
				return err
			}
			return nil
		},
		"rounds.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.Rounds(); return err })
		},
		"round_secrets.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.Round([16]byte{1}); return err })
		},
		"journal.sealed": func(d *desk) error {
			for _, err := range d.Journal([16]byte{1}, 0).Chunks(ctx, "tags") {
				return err
			}
			return nil
		},
		"hits.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.Hits([16]byte{1}); return err })
		},
		"bundles.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.Bundles(); return err })
		},
	}
	maps.Copy(read, standingColumns(ctx))
	d := newDesk(t)
	fill(t, d)
	seen := 0
	d.view(t, func(tx *Tx) error { // no sealed column may be missing above
		return tx.rows(`SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
			WHERE m.type = 'table' AND c.name IN ('sealed', 'wrapped') AND m.name <> 'merges'`, nil,
			func(scan func(...any) error) error {
				var name string
				err := scan(&name)
				if seen++; read[name] == nil {
					t.Errorf("%s is not tested", name)
				}
				return err
			})
	})
	if seen != len(read) {
		t.Errorf("%d sealed columns, %d tested", seen, len(read))
	}
	for name, f := range read {
		if err := f(d); err != nil {
			t.Fatalf("%s before: %v", name, err)
		}
		table, column, _ := strings.Cut(name, ".")
		for how, value := range map[string]string{
			"first byte": "CASE WHEN substr(%[1]s, 1, 1) = x'00' THEN x'01' ELSE x'00' END || substr(%[1]s, 2)",
			"last byte":  "substr(%[1]s, 1, length(%[1]s) - 1) || CASE WHEN substr(%[1]s, -1) = x'00' THEN x'01' ELSE x'00' END",
			"cut":        "substr(%[1]s, 1, 8)",
			"emptied":    "substr(%[1]s, 1, 0)",
		} {
			alter(t, d, table, column, fmt.Sprintf(value, column), func() {
				if err := f(d); !errors.Is(err, ErrAltered) {
					t.Errorf("%s, %s: %v", name, how, err)
				}
			})
		}
		if err := f(d); err != nil {
			t.Fatalf("%s put back: %v", name, err)
		}
	}
	// A value that is sound but stands elsewhere.
	swap := `UPDATE records SET sealed = (SELECT o.sealed FROM records o WHERE o.id = 3 - records.id) WHERE id IN (1, 2)`
	if _, err := d.write.Exec(swap); err != nil {
		t.Fatal(err)
	}
	if err := read["records.sealed"](d); !errors.Is(err, ErrAltered) {
		t.Errorf("two records exchanged: %v", err)
	}
}

// standingColumns reads the sealed columns that serve standing rounds.
func standingColumns(ctx context.Context) map[string]func(*desk) error {
	return map[string]func(*desk) error{
		"subscriptions.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.Subscriptions(); return err })
		},
		"subscription_secrets.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error { _, err := tx.Subscription([16]byte{1}); return err })
		},
		"standing.sealed": func(d *desk) error {
			return d.View(ctx, func(tx *Tx) error {
				_, one := tx.Standing([16]byte{1}, 0, "run", 1)
				for _, err := range tx.StandingRange([16]byte{1}, 0, "run", 0) {
					if errors.Is(one, ErrAltered) != errors.Is(err, ErrAltered) {
						return fmt.Errorf("one record: %v, all: %v", one, err)
					}
				}
				return one
			})
		},
	}
}

// alter changes a column of all rows, calls f, and puts it back.
func alter(t *testing.T, d *desk, table, column, value string, f func()) {
	t.Helper()
	for _, q := range []string{
		fmt.Sprintf("CREATE TEMP TABLE kept AS SELECT * FROM %s", table),
		fmt.Sprintf("UPDATE %s SET %s = CAST(%s AS BLOB)", table, column, value),
	} {
		if _, err := d.write.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	f()
	for _, q := range []string{
		"DELETE FROM " + table, fmt.Sprintf("INSERT INTO %s SELECT * FROM temp.kept", table), "DROP TABLE temp.kept",
	} {
		if _, err := d.write.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
}

// fill puts a row into every table.
func fill(t *testing.T, d *desk) List {
	t.Helper()
	l := d.list(t, "wanted", indicator.Suspect)
	victims := d.list(t, "victims", indicator.Victim)
	d.load(t, l, rowsOf(t, 0, 10))
	d.load(t, victims, []intake.Record{row(t, 20, victim)})
	d.load(t, l, rowsOf(t, 20, 21))
	s := d.take(t, "ID", l)
	id := [16]byte{1}
	d.update(t, func(tx *Tx) error {
		return errors.Join(
			tx.Put("a", []byte("secret setting")), tx.AddQuota("ID", "2026-03-01", 64), tx.SetStopped("TH", true),
			tx.PutRound(Round{ID: id, Partner: "ID", State: "agreed", Created: moment0, Snapshot: s.ID, Record: []byte("machine"), Secret: []byte("nonce")}),
			tx.PutHits(id, []Hit{{Position: 1, Indicator: 2, Proof: []byte("proof")}}),
			tx.PutBundle(1, [32]byte{1}, map[string][]byte{"a.cedar": []byte("permit")}),
			tx.PutSubscription(Subscription{ID: id, Partner: "ID", State: "active", Created: moment0, Record: []byte("agreement"), Secret: []byte("feed key")}),
			tx.PutStanding(id, 0, "run", 1, []byte("tombstones")),
			tx.Append(entry.Local, entry.Created, nil, moment0), tx.Append(entry.Submitted, entry.Created, nil, moment0),
		)
	})
	if err := d.Journal(id, 0).Put(t.Context(), "tags", 0, []byte("tags")); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOpenRefuses(t *testing.T) {
	d := newDesk(t)
	fill(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), d.dir, seal.NewKey(), d.author); !errors.Is(err, ErrKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Create(t.Context(), d.dir, d.key, d.author); !errors.Is(err, ErrExists) {
		t.Errorf("creating it again: %v", err)
	}
	if _, err := Open(t.Context(), t.TempDir(), d.key, d.author); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty directory: %v", err)
	}
	path := filepath.Join(d.dir, File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"no database":     []byte("this is a text, and by no means a database of any kind; it only has enough bytes to look like one, if one is not careful"),
		"never completed": {},
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), d.dir, d.key, d.author); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Destroyed pages: an error somewhere, a panic nowhere.
	for from := 4096; from < len(whole); from += 3 * 4096 {
		b := append([]byte{}, whole...)
		clear(b[from:min(from+4096, len(b))])
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), d.dir, d.key, d.author)
		if err != nil {
			continue
		}
		_ = s.Update(t.Context(), func(tx *Tx) error { // any outcome but a panic
			_, _ = tx.Rounds()
			_, _ = tx.Bundles()
			return tx.Append(entry.Local, entry.Decision, nil, moment0)
		})
		_, _ = s.PlanSnapshot(t.Context(), spec("ID", List{ID: 1}))
		_ = s.Close()
	}
}

// TestNothingReadable searches all files for what was put into the store.
func TestNothingReadable(t *testing.T) {
	d := newDesk(t)
	fill(t, d)
	if err := d.Mirror(t.Context(), d.dir); err != nil {
		t.Fatal(err)
	}
	if !grep(t, d.dir, []byte("wanted")) {
		t.Fatal("the search does not find what is known to be there")
	}
	for _, secret := range []string{phone(t, 3).Canonical(), "row 3", "secret setting", "nonce", "proof", "permit", "machine", "agreement", "feed key", "tombstones"} {
		if grep(t, d.dir, []byte(secret)) {
			t.Errorf("a file holds %q", secret)
		}
	}
	key := d.key.Bytes()
	if grep(t, d.dir, key) {
		t.Error("a file holds the key")
	}
}

// TestErased searches all files for the bytes of what was deleted.
func TestErased(t *testing.T) {
	d := newDesk(t)
	l := fill(t, d)
	var gone [][]byte
	d.view(t, func(tx *Tx) error {
		for _, q := range []string{
			"SELECT sealed FROM records WHERE list = 1", "SELECT lookup FROM records WHERE list = 1", "SELECT wrapped FROM lists WHERE id = 1",
			"SELECT sealed FROM held", "SELECT sealed FROM round_secrets", "SELECT sealed FROM journal", "SELECT sealed FROM segments",
			"SELECT sealed FROM subscription_secrets", "SELECT sealed FROM standing",
		} {
			err := tx.rows(q, nil, func(scan func(...any) error) error {
				var b []byte
				err := scan(&b)
				gone = append(gone, b)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	for _, b := range gone {
		if !grep(t, d.dir, b) {
			t.Fatal("the search does not find what is known to be there")
		}
	}
	id := [16]byte{1}
	d.update(t, func(tx *Tx) error {
		return errors.Join(tx.DropSnapshot(1), tx.DropSecret(id), tx.DropJournal(id), tx.DeleteList(l.ID),
			tx.DropSubscriptionSecret(id), tx.DropStanding(id, 0, "run", 2), tx.ForgetTouched(1<<60))
	})
	for n, b := range gone {
		if grep(t, d.dir, b) {
			t.Errorf("deleted value %d is still in a file", n)
		}
	}
}

// TestLock holds a directory in another process, and takes it when that is killed.
func TestLock(t *testing.T) {
	if dir := os.Getenv("ENTENTE_TEST_HOLD"); dir != "" { // the other process
		if _, err := Lock(dir); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held")
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLock$")
	child.Env = append(os.Environ(), "ENTENTE_TEST_HOLD="+dir)
	out, err1 := child.StdoutPipe()
	_, err2 := child.StdinPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process said %q: %v", line, err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a second process: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed, and says so
	h, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("twice in one process: %v", err)
	}
	if err := h.Release(); err != nil {
		t.Fatal(err)
	}
	if h, err = Lock(dir); err != nil {
		t.Fatal(err)
	}
	if err := h.Release(); err != nil {
		t.Fatal(err)
	}
}

// TestTimes keeps times to the millisecond, and the zero time.
func TestTimes(t *testing.T) {
	for _, want := range []time.Time{{}, moment0, time.UnixMilli(1).UTC(), moment0.Add(1234567 * time.Microsecond)} {
		if got := moment(millis(want)); !got.Equal(want.Truncate(time.Millisecond)) {
			t.Errorf("%v came back as %v", want, got)
		}
	}
}
