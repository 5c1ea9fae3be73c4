package store

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entente/node/intake"
	"entente/protocol/indicator"
)

// older gives the store the schema of the version before standing rounds, and closes it.
func (d *desk) older(t *testing.T) {
	t.Helper()
	for _, q := range []string{
		"DROP TABLE subscriptions", "DROP TABLE subscription_secrets", "DROP TABLE standing", "DROP TABLE touched",
		"DROP INDEX records_expires", "ALTER TABLE records DROP COLUMN expires", "ALTER TABLE merges DROP COLUMN expires",
		"DELETE FROM counters WHERE name = 'expiry'", "DELETE FROM goose_db_version WHERE version_id = 2",
	} {
		if _, err := d.write.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// stale is how many records have a column that differs from what is sealed.
func (d *desk) stale(t *testing.T) (stale int) {
	t.Helper()
	d.view(t, func(tx *Tx) error {
		keys := tx.listKeys()
		return tx.rows("SELECT id, list, expires, sealed FROM records", nil, func(scan func(...any) error) error {
			var id, list, expires int64
			var sealed []byte
			if err := scan(&id, &list, &expires, &sealed); err != nil {
				return err
			}
			rec, err := openHead(keys, list, id, sealed)
			if err == nil && expiryMillis(rec.handling.Expires) != expires {
				stale++
			}
			return err
		})
	})
	return stale
}

// TestOlderStore opens a store of the version before, kills the filling in after each of
// its transactions, and lets each of its statements fail.
func TestOlderStore(t *testing.T) {
	d := newDesk(t)
	l := d.list(t, "wanted", indicator.Suspect)
	gone := d.list(t, "gone", indicator.Suspect)
	d.load(t, gone, rowsOf(t, 0, 50))
	// Rows are stored in a random order: 200 in the last transaction are never all without a date.
	const n = 2*backfillRows + 200
	var rows []intake.Record
	for i := range n {
		r := row(t, i)
		if i%7 == 0 {
			r.Handling.Expires = moment0.Add(time.Duration(i-700) * time.Hour)
		}
		rows = append(rows, r)
	}
	d.load(t, l, rows)
	d.update(t, func(tx *Tx) error { return tx.DeleteList(gone.ID) }) // so that numbers have gaps
	before := d.take(t, "ID", l)
	d.older(t)
	var copies []string
	open := func(dir string, step func(string) error) *desk {
		t.Helper()
		s, err := open(t.Context(), dir, File, d.key, d.author)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
		s.step = step
		return &desk{Store: s, dir: dir, key: d.key, author: d.author}
	}
	fresh := func() string {
		dir := filepath.Join(t.TempDir(), "copy")
		copyDir(t, d.dir, dir)
		return dir
	}
	o := open(fresh(), func(string) error { return nil })
	stale := o.stale(t)
	o.step = func(name string) error {
		if name == stepCommitted {
			dir := filepath.Join(t.TempDir(), "copy")
			copyDir(t, o.dir, dir)
			copies = append(copies, dir)
		}
		return nil
	}
	if err := o.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.step = func(string) error { return nil }
	if o.stale(t) != 0 || stale != (n+6)/7 || len(copies) != 3 {
		t.Errorf("%d of %d are stale after %d transactions", o.stale(t), stale, len(copies))
	}
	d.checkFilled(t, o, l, before)
	last := stale
	for _, dir := range copies {
		k := open(dir, func(string) error { return nil })
		now := k.stale(t)
		if now >= last {
			t.Errorf("%d are stale after a kill, %d before", now, last)
		}
		last = now
		commits := 0
		k.step = func(name string) error {
			if name == stepCommitted {
				commits++
			}
			return nil
		}
		if err := k.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if commits > 3 || k.stale(t) != 0 {
			t.Errorf("%d are stale after going on for %d transactions", k.stale(t), commits)
		}
	}
	for k := 0; ; k += 397 {
		left := k
		f := open(fresh(), func(name string) error {
			if left--; left < 0 {
				return errInjected
			}
			return nil
		})
		err := f.start(t.Context())
		f.step = func(string) error { return nil }
		if err == nil {
			break
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("failure %d came out as: %v", k, err)
		}
		if err := f.start(t.Context()); err != nil || f.stale(t) != 0 {
			t.Fatalf("after failure %d %d are stale: %v", k, f.stale(t), err)
		}
	}
}

// checkFilled uses a store that was brought up to date.
func (d *desk) checkFilled(t *testing.T, o *desk, l List, before Snapshot) {
	t.Helper()
	after := o.take(t, "ID", l)
	if after.Items != before.Items || after.Excluded[ExcludedExpired] != before.Excluded[ExcludedExpired] {
		t.Errorf("it holds %+v, before %+v", after, before)
	}
	o.follow(t)
	o.update(t, func(tx *Tx) error {
		n, err := tx.TouchExpired(moment0)
		if int(n) != before.Excluded[ExcludedExpired] {
			t.Errorf("%d expired, not %d", n, before.Excluded[ExcludedExpired])
		}
		return err
	})
	o.reopen(t)
}

// TestOlderAltered opens an older store with an altered record: the store opens, and the
// record is reported when it is read.
func TestOlderAltered(t *testing.T) {
	d := newDesk(t)
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, []intake.Record{row(t, 1, expires(moment0)), row(t, 2, expires(moment0))})
	if _, err := d.write.Exec("UPDATE records SET sealed = substr(sealed, 1, 50) WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	d.older(t)
	s, err := Open(t.Context(), d.dir, d.key, d.author)
	if err != nil {
		t.Fatal(err)
	}
	d.Store = s
	if _, err := d.PlanSnapshot(t.Context(), spec("ID", l)); !errors.Is(err, ErrAltered) {
		t.Errorf("it came out as: %v", err)
	}
	var expires []int64
	d.view(t, func(tx *Tx) error {
		return tx.rows("SELECT expires FROM records ORDER BY id", nil, func(scan func(...any) error) error {
			var at int64
			err := scan(&at)
			expires = append(expires, at)
			return err
		})
	})
	if !slices.Equal(expires, []int64{0, moment0.UnixMilli()}) {
		t.Errorf("filled in %v", expires)
	}
}

// TestOlderBackup restores a backup of the version before.
func TestOlderBackup(t *testing.T) {
	d := newDesk(t)
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, []intake.Record{row(t, 1, expires(moment0)), row(t, 2)})
	path := filepath.Join(t.TempDir(), "old")
	copyDir(t, d.dir, path)
	old, err := open(t.Context(), path, File, d.key, d.author)
	if err != nil {
		t.Fatal(err)
	}
	(&desk{Store: old, dir: path}).older(t)
	var b bytes.Buffer
	if err := d.stream(&b, filepath.Join(path, File)); err != nil {
		t.Fatal(err)
	}
	r := d.restored(t, t.TempDir(), b.Bytes(), moment0)
	if r.stale(t) != 0 || r.take(t, "ID", l).Items != 1 {
		t.Errorf("%d are stale", r.stale(t))
	}
}
