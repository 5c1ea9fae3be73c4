package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entente/crypto/seal"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

func (d *desk) backup(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := d.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// restored makes a store in dir from a backup, at a time.
func (d *desk) restored(t testing.TB, dir string, b []byte, now time.Time) *desk {
	t.Helper()
	if err := Restore(t.Context(), dir, d.key, d.author, bytes.NewReader(b), now); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), dir, d.key, d.author)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
	return &desk{Store: s, dir: dir, key: d.key, author: d.author}
}

func TestBackup(t *testing.T) {
	d := newDesk(t)
	l := fill(t, d)
	open, err := d.Importer(t.Context(), l.ID) // must not be in the backup
	if err != nil {
		t.Fatal(err)
	}
	d.flushRows = 1
	if _, err := open.Add(t.Context(), rowsOf(t, 100, 103)); err != nil {
		t.Fatal(err)
	}
	b := d.backup(t)
	if err := open.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := d.restored(t, t.TempDir(), b, moment0.Add(time.Hour))
	if s := r.take(t, "ID", l); s.Items != 10 {
		t.Errorf("%d items", s.Items)
	}
	r.view(t, func(tx *Tx) error {
		round, err := tx.Round([16]byte{1})
		if err != nil {
			return err
		}
		if !round.Restored || round.Secret != nil || round.Snapshot != 0 || string(round.Record) != "machine" {
			t.Error("the round did not come back as one that must fail")
		}
		hits, err := tx.Hits(round.ID)
		if len(hits) != 1 || string(hits[0].Proof) != "proof" {
			t.Error("the hits did not come back")
		}
		stopped, more := tx.Stopped()
		used, most := tx.Quota("ID", "2026-03-01")
		setting, last := tx.Get("a")
		if !stopped["TH"] || used != 64 || string(setting) != "secret setting" {
			t.Error("settings did not come back")
		}
		held, end := tx.HeldRecords(l.ID)
		if len(held) != 1 {
			t.Error("the held record did not come back")
		}
		return errors.Join(err, more, most, last, end)
	})
	for range r.Journal([16]byte{1}, 0).Chunks(t.Context(), "tags") {
		t.Error("a journal came back")
	}
	if a := r.load(t, l, rowsOf(t, 9, 12)); a.New != 2 || a.Duplicate != 1 {
		t.Errorf("an import after it: %+v", a)
	}
	if _, err := os.Stat(filepath.Join(d.dir, backupCopy)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy was left: %v", err)
	}
}

// TestBackupLeavesOut looks into the copy itself: every table must be known as one that
// is copied or left out, and the second kind must be empty.
func TestBackupLeavesOut(t *testing.T) {
	d := newDesk(t)
	fill(t, d)
	out := []string{"round_secrets", "journal", "snapshots", "snapshot_lists", "segments", "merges", "goose_db_version",
		"subscription_secrets", "standing", "touched"}
	open, err := d.Importer(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Rollback(t.Context()) }() // it wrote nothing
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := d.copyTo(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var tables []string
	d.view(t, func(tx *Tx) error {
		return tx.rows("SELECT name FROM sqlite_schema WHERE type = 'table'", nil, func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			tables = append(tables, name)
			return err
		})
	})
	for _, table := range tables {
		in := slices.ContainsFunc(copied(), func(c struct{ table, rows string }) bool { return c.table == table })
		if in == slices.Contains(out, table) {
			t.Errorf("%s is neither copied nor left out, or both", table)
		}
		var have, want int
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&have); err != nil {
			t.Fatal(err)
		}
		if err := d.write.QueryRow("SELECT count(*) FROM " + table).Scan(&want); err != nil {
			t.Fatal(err)
		}
		if table == "imports" {
			want-- // the open one
		}
		switch {
		case in && have != want:
			t.Errorf("%s: %d rows of %d", table, have, want)
		case !in && have != 0 && table != "goose_db_version":
			t.Errorf("%s: %d rows", table, have)
		}
	}
}

// TestRestoreForksNothing restores old backups in all ways in which a chain could fork,
// and checks every entry that anybody may have seen against every other.
func TestRestoreForksNothing(t *testing.T) {
	d := newDesk(t)
	seen := make(map[string][32]byte) // chain and number: digest
	note := func(d *desk) {
		t.Helper()
		for _, c := range chains() {
			d.view(t, func(tx *Tx) error {
				for s, err := range tx.Entries(c, 0) {
					if err != nil {
						return err
					}
					e, err := s.Decode()
					if err != nil {
						return err
					}
					key := fmt.Sprint(c, e.Sequence)
					if old, ok := seen[key]; ok && old != s.Digest() {
						t.Errorf("two entries at %s", key)
					}
					seen[key] = s.Digest()
				}
				return nil
			})
		}
	}
	later := func(n int) time.Time { return moment0.Add(time.Duration(n) * time.Hour) }
	add := func(d *desk, n int, at time.Time) {
		t.Helper()
		d.update(t, func(tx *Tx) error {
			for range n {
				if err := errors.Join(tx.Append(entry.Local, entry.Decision, nil, at), tx.Append(entry.Submitted, entry.PolicyActivated, policyBody(t), at)); err != nil {
					return err
				}
			}
			return nil
		})
		note(d)
	}
	add(d, 3, later(0))
	old := d.backup(t)
	add(d, 5, later(1))
	// Lost entirely, twice.
	first := d.restored(t, t.TempDir(), old, later(2))
	add(first, 4, later(2))
	second := d.restored(t, t.TempDir(), old, later(3))
	add(second, 4, later(3))
	for _, c := range chains() {
		check, n := second.verify(t, c, 1)
		if g := check.Gaps()[0]; n != 8 || g.First != 3 || g.Lost != 0 {
			t.Errorf("%s: %d entries, gap %+v", c, n, g)
		}
	}
	// A backup of a restored store.
	third := d.restored(t, t.TempDir(), first.backup(t), later(4))
	add(third, 1, later(4))
	third.verify(t, entry.Local, 2)
	// The audit folder survived: nothing is lost.
	d.mirror(t)
	dir := t.TempDir()
	copyDir(t, filepath.Join(d.dir, AuditFolder), filepath.Join(dir, AuditFolder))
	fourth := d.restored(t, dir, old, later(5))
	add(fourth, 1, later(5))
	check, n := fourth.verify(t, entry.Local, 1)
	if g := check.Gaps()[0]; n != 10 || g.Lost != 0 || g.First != 8 {
		t.Errorf("%d entries, gap %+v", n, g)
	}
	fourth.mirror(t)
	if _, n := readLog(t, dir, entry.Submitted); n != 10 {
		t.Errorf("the log has %d entries", n)
	}
	// Only the high-water file survived: the gap says how many are lost.
	dir = t.TempDir()
	copyDir(t, filepath.Join(d.dir, AuditFolder), filepath.Join(dir, AuditFolder))
	if err := removeFiles(filepath.Join(dir, AuditFolder), "local.log", "submitted.log"); err != nil {
		t.Fatal(err)
	}
	fifth := d.restored(t, dir, old, later(6))
	check, _ = fifth.verify(t, entry.Local, 1)
	if g := check.Gaps()[0]; g.Lost != 5 {
		t.Errorf("gap %+v", g)
	}
	add(fifth, 1, later(6))
}

func TestRestoreRefuses(t *testing.T) {
	d := newDesk(t)
	fill(t, d)
	b := d.backup(t)
	now := moment0.Add(time.Hour)
	try := func(dir string, key seal.Key, b []byte, now time.Time) error {
		return Restore(t.Context(), dir, key, d.author, bytes.NewReader(b), now)
	}
	if err := try(d.dir, d.key, b, now); !errors.Is(err, ErrExists) {
		t.Errorf("over a store: %v", err)
	}
	change := func(at int) []byte { c := bytes.Clone(b); c[at] ^= 1; return c }
	header := len(backupHeader) + backupName
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":           {nil, ErrBackup},
		"header only":     {b[:header], ErrBackup},
		"another header":  {change(0), ErrBackup},
		"another name":    {change(len(backupHeader)), ErrAltered},
		"last flag":       {change(header), ErrAltered},
		"length":          {change(header + 1), ErrBackup},
		"content":         {change(len(b) / 2), ErrAltered},
		"last byte":       {change(len(b) - 1), ErrAltered},
		"cut":             {b[:len(b)-1], ErrBackup},
		"trailing":        {append(bytes.Clone(b), 0), ErrBackup},
		"no database":     {sealed(t, d, []byte("text")), ErrDamaged},
		"empty database":  {sealed(t, d, nil), ErrDamaged},
		"half a database": {sealed(t, d, plain(t, d, b)[:40000]), ErrDamaged},
	} {
		dir := t.TempDir()
		if err := try(dir, d.key, c.b, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 0 {
			t.Errorf("%s: left %v: %v", name, files, err)
		}
	}
	dir := t.TempDir()
	if err := try(dir, seal.NewKey(), b, now); !errors.Is(err, ErrAltered) {
		t.Errorf("another key: %v", err)
	}
	if err := try(dir, d.key, b, moment0.Add(-time.Hour)); err == nil {
		t.Error("with a clock before the last entry")
	}
	broken := io.MultiReader(bytes.NewReader(b[:100]), failing{})
	if err := Restore(t.Context(), dir, d.key, d.author, broken, now); !errors.Is(err, errFailing) {
		t.Errorf("a reader that fails: %v", err)
	}
	if err := try(dir, d.key, b, now); err != nil {
		t.Errorf("after all that: %v", err)
	}
	// A log that is not this chain's.
	other := newDesk(t)
	other.append(t, entry.Local, 9)
	other.mirror(t)
	if err := errors.Join(other.Close(), os.Remove(filepath.Join(other.dir, File))); err != nil {
		t.Fatal(err)
	}
	if err := try(other.dir, d.key, b, now); !errors.Is(err, ErrLogDiffers) {
		t.Errorf("beside another chain's log: %v", err)
	}
}

var errFailing = errors.New("the medium was pulled out")

// failing is a medium that was pulled out.
type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errFailing }
func (failing) Write([]byte) (int, error) { return 0, errFailing }

func TestBackupFails(t *testing.T) {
	d := newDesk(t)
	fill(t, d)
	if err := d.Backup(t.Context(), failing{}); !errors.Is(err, errFailing) {
		t.Errorf("a writer that fails: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Backup(ended, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	d.append(t, entry.Local, 1) // writing goes on
	if len(d.backup(t)) == 0 {
		t.Error("no backup")
	}
}

// TestRestoreKilled leaves the files of a killed restore and backup.
func TestRestoreKilled(t *testing.T) {
	d := newDesk(t)
	d.list(t, "wanted", indicator.Suspect)
	b := d.backup(t)
	dir := t.TempDir()
	for _, n := range []string{restoreCopy, restoreCopy + "-wal", backupCopy, File + "-wal", File + "-shm"} {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := d.restored(t, dir, b, moment0)
	r.view(t, func(tx *Tx) error { _, err := tx.ListByName("wanted"); return err })
	if err := os.WriteFile(filepath.Join(dir, backupCopy), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reopen(t)
	if _, err := os.Stat(filepath.Join(dir, backupCopy)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a copy was left: %v", err)
	}
}

func sealed(t *testing.T, d *desk, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sealStream(d.keys.backup, &b, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plain(t *testing.T, d *desk, backup []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := openStream(d.keys.backup, &b, bytes.NewReader(backup)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestStream tries sizes around the edges of pieces, and every exchange of two pieces.
func TestStream(t *testing.T) {
	d := &desk{Store: &Store{keys: newRing(seal.NewKey())}}
	for _, size := range []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, 2 * pieceSize} {
		content := bytes.Repeat([]byte{7}, size)
		if !bytes.Equal(plain(t, d, sealed(t, d, content)), content) {
			t.Errorf("%d bytes did not come back", size)
		}
	}
	b := sealed(t, d, make([]byte, 3*pieceSize))
	head, piece := len(backupHeader)+backupName, 5+pieceSize+seal.Overhead
	at := func(n int) []byte { return b[head+n*piece : head+(n+1)*piece] }
	for name, c := range map[string][][]byte{
		"exchanged": {at(1), at(0), at(2)}, "left out": {at(0), at(2)}, "the last alone": {at(2)}, "twice": {at(0), at(0), at(1), at(2)},
	} {
		if err := openStream(d.keys.backup, io.Discard, bytes.NewReader(slices.Concat(b[:head], slices.Concat(c...)))); !errors.Is(err, ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cut := slices.Concat(b[:head], at(0), at(1))
	if err := openStream(d.keys.backup, io.Discard, bytes.NewReader(cut)); !errors.Is(err, ErrBackup) {
		t.Errorf("cut: %v", err)
	}
}
