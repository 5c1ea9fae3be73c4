package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entente/node/intake"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// TestAtOnce does everything that a node does at once, and checks the sums.
func TestAtOnce(t *testing.T) {
	d := newDesk(t)
	d.flushRows = 50
	l := d.list(t, "wanted", indicator.Suspect)
	const n = 20
	jobs := []func(int) error{
		func(i int) error {
			imp, err := d.Importer(t.Context(), l.ID)
			if err != nil {
				return err
			}
			if _, err := imp.Add(t.Context(), rowsOf(t, 100*i, 100*i+150)); err != nil {
				return errors.Join(err, imp.Rollback(t.Context()))
			}
			return imp.Commit(t.Context(), func(tx *Tx) error { return tx.Append(entry.Local, entry.Imported, nil, moment0) })
		},
		func(i int) error {
			s, err := d.TakeSnapshot(t.Context(), spec("ID", l))
			if err != nil {
				return err
			}
			var items int64
			for _, err := range d.SnapshotItems(t.Context(), s.ID) {
				if err != nil {
					return err
				}
				items++
			}
			if items != s.Items || items != 0 && items%100 != 50 {
				return fmt.Errorf("%d items of %d: half an import shows", items, s.Items)
			}
			return d.DropSnapshot(t.Context(), s.ID)
		},
		func(i int) error { return d.Journal([16]byte{1}, i).Put(t.Context(), "tags", 0, []byte{byte(i)}) },
		func(int) error {
			return d.Update(t.Context(), func(tx *Tx) error {
				return errors.Join(tx.AddQuota("ID", "2026-03-01", 1), tx.Append(entry.Local, entry.Decision, nil, moment0))
			})
		},
		func(int) error { return d.Mirror(t.Context(), d.dir) },
	}
	var wait sync.WaitGroup
	for k, job := range jobs {
		wg := &wait
		wg.Go(func() {
			for i := range n {
				if err := job(i); err != nil {
					t.Errorf("job %d: %v", k, err)
				}
			}
		})
	}
	wait.Wait()
	d.view(t, func(tx *Tx) error {
		used, err := tx.Quota("ID", "2026-03-01")
		have, more := tx.List(l.ID)
		if used != n || have.Items != 100*n+50 {
			t.Errorf("%d used, %d items", used, have.Items)
		}
		return errors.Join(err, more)
	})
	d.mirror(t)
	if _, got := readLog(t, d.dir, entry.Local); got != 2*n {
		t.Errorf("%d entries", got)
	}
}

// TestFollowAtOnce lets followers read the log while imports, deletions and passes of the
// clock go on. In the end each must hold what AllEligible gives.
func TestFollowAtOnce(t *testing.T) {
	d := newDesk(t)
	d.follow(t)
	l, m := d.list(t, "wanted", indicator.Suspect), d.list(t, "victims", indicator.Victim)
	d.load(t, l, rowsOf(t, 0, 20))
	spec := EligibleSpec{Lists: []int64{l.ID, m.ID}, Partner: "ID", Now: moment0.Add(time.Hour)}
	changes, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		defer stop()
		for i := range 30 {
			d.load(t, l, []intake.Record{row(t, i, expires(moment0.Add(time.Duration(i-15)*time.Minute))), row(t, i+1, never("ID")), row(t, 2*i)})
			d.load(t, m, []intake.Record{row(t, 3*i, victim)})
			d.update(t, func(tx *Tx) error { _, err := tx.TouchExpired(moment0.Add(time.Duration(i) * time.Minute)); return err })
			if i%10 == 9 {
				d.update(t, func(tx *Tx) error { return tx.DeleteList(m.ID) })
				m = d.list(t, "victims", indicator.Victim)
			}
		}
	})
	followers := make([]*follower, 3)
	for k := range followers {
		wait.Go(func() {
			f := &follower{spec: spec}
			f.begin(t, d)
			for changes.Err() == nil {
				f.catchUp(t, d)
			}
			f.catchUp(t, d)
			followers[k] = f
		})
	}
	wait.Wait()
	for _, f := range followers {
		f.spec.Lists = []int64{l.ID} // the other was deleted, and held nothing that takes part
		agree(t, d, f)
	}
}

// TestForgetsLater deletes while a reader holds the log file back.
func TestForgetsLater(t *testing.T) {
	d := newDesk(t)
	fill(t, d)
	var gone []byte
	d.view(t, func(tx *Tx) error {
		if err := tx.row("SELECT sealed FROM round_secrets", nil, &gone); err != nil {
			return err
		}
		d.update(t, func(tx *Tx) error { return tx.DropSecret([16]byte{1}) })
		if !grep(t, d.dir, gone) {
			t.Error("the reader did not hold it back: the test tests nothing")
		}
		return nil
	})
	d.update(t, func(tx *Tx) error { return tx.SetStopped("ID", true) })
	if grep(t, d.dir, gone) {
		t.Error("it was forgotten to forget")
	}
}

func TestNewerSchema(t *testing.T) {
	d := newDesk(t)
	_, err := d.write.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), d.dir, d.key, d.author); !errors.Is(err, ErrNewer) {
		t.Errorf("opened: %v", err)
	}
}

// TestOddPaths opens stores whose directory has characters that mean something in an URI.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b", "50% of?it#", "ünï", "a&b=c"} {
		dir := filepath.Join(t.TempDir(), name)
		d := newDesk(t)
		s, err := Create(t.Context(), dir, d.key, d.author)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if !exists(filepath.Join(dir, File)) {
			t.Errorf("%q: the file is elsewhere", name)
		}
	}
}

// TestEndedContext ends a context in the middle of an Update: nothing of it stays, and
// the store goes on.
func TestEndedContext(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Update(ctx, func(tx *Tx) error {
		err := tx.Put("x", []byte("1"))
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("update: %v", err)
	}
	d.view(t, func(tx *Tx) error {
		if _, err := tx.Get("x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("it stayed: %v", err)
		}
		return nil
	})
	d.update(t, func(tx *Tx) error { return tx.Put("x", []byte("2")) })
}
