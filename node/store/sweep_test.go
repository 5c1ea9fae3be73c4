package store

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"entente/node/intake"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

var errInjected = errors.New("injected")

// TestEveryStatement lets each statement of each operation fail in turn. The failure
// must come out as what it was, nothing may have changed, and the operation must work
// afterwards.
func TestEveryStatement(t *testing.T) {
	id := [16]byte{1}
	in := inUpdate
	operations := map[string]func(*testing.T, *desk) error{
		"new list":   in(func(tx *Tx) error { _, err := tx.EnsureList(phoneList("more", "suspect")); return err }),
		"known list": in(func(tx *Tx) error { _, err := tx.EnsureList(phoneList("wanted", "suspect")); return err }),
		"lists":      in(func(tx *Tx) error { _, err := tx.Lists(); return err }),
		"delete list": in(func(tx *Tx) error {
			return errors.Join(tx.DropSnapshot(1), tx.DeleteList(1))
		}),
		"record":    in(func(tx *Tx) error { _, err := tx.Indicator(1); return err }),
		"held":      in(func(tx *Tx) error { _, err := tx.HeldRecords(1); return err }),
		"put round": in(func(tx *Tx) error { return tx.PutRound(Round{ID: [16]byte{2}, Secret: []byte("x")}) }),
		"end round": in(func(tx *Tx) error { return errors.Join(tx.PutRound(Round{ID: id}), tx.DropJournal(id)) }),
		"rounds":    in(func(tx *Tx) error { _, err := tx.Rounds(); return err }),
		"round":     in(func(tx *Tx) error { _, err := tx.Round(id); return err }),
		"states": in(func(tx *Tx) error {
			_, err := tx.RoundStates()
			_, more := tx.SubscriptionStates()
			return errors.Join(err, more)
		}),
		"put hits":    in(func(tx *Tx) error { return tx.PutHits(id, []Hit{{Position: 9}}) }),
		"hits":        in(func(tx *Tx) error { _, err := tx.Hits(id); return err }),
		"append":      in(func(tx *Tx) error { return tx.Append(entry.Local, entry.Decision, nil, moment0) }),
		"quota":       in(func(tx *Tx) error { _, err := tx.Quota("ID", "2026-03-01"); return err }),
		"add quota":   in(func(tx *Tx) error { return tx.AddQuota("ID", "2026-03-01", 1) }),
		"stop":        in(func(tx *Tx) error { return tx.SetStopped("NZ", true) }),
		"stopped":     in(func(tx *Tx) error { _, err := tx.Stopped(); return err }),
		"put":         in(func(tx *Tx) error { return tx.Put("x", nil) }),
		"get":         in(func(tx *Tx) error { _, err := tx.Get("a"); return err }),
		"put bundle":  in(func(tx *Tx) error { return tx.PutBundle(2, [32]byte{2}, nil) }),
		"same bundle": in(func(tx *Tx) error { return tx.PutBundle(1, [32]byte{1}, nil) }),
		"bundles":     in(func(tx *Tx) error { _, err := tx.Bundles(); return err }),
		"journal":     func(t *testing.T, d *desk) error { return d.Journal(id, 1).Put(t.Context(), "tags", 0, []byte("x")) },
		"journal again": func(t *testing.T, d *desk) error {
			return d.Journal(id, 0).Put(t.Context(), "tags", 0, []byte("tags"))
		},
		"chunks": func(t *testing.T, d *desk) error {
			for _, err := range d.Journal(id, 0).Chunks(t.Context(), "tags") {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"snapshot": func(t *testing.T, d *desk) error {
			_, err := d.TakeSnapshot(t.Context(), spec("ID", List{ID: 1}, List{ID: 2}))
			return err
		},
		"snapshot items": func(t *testing.T, d *desk) error {
			for _, err := range d.SnapshotItems(t.Context(), 1) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"snapshot item": func(t *testing.T, d *desk) error { _, err := d.SnapshotItem(t.Context(), 1, 3); return err },
		"drop snapshot": func(t *testing.T, d *desk) error { return d.DropSnapshot(t.Context(), 1) },
		"stray snapshots": func(t *testing.T, d *desk) error {
			n, err := d.DropStraySnapshots(t.Context())
			if err == nil && n != 0 {
				t.Errorf("%d snapshots of rounds were dropped", n)
			}
			return err
		},
		"import": importAll,
		"mirror": func(t *testing.T, d *desk) error {
			d.audit.ends = nil
			d.audit.folder = ""
			return d.Mirror(t.Context(), t.TempDir())
		},
		"old copy": func(t *testing.T, d *desk) error { return d.renew(t.Context(), marks{}, moment0.Add(time.Hour)) },
		"start":    func(t *testing.T, d *desk) error { return d.start(t.Context()) },
	}
	maps.Copy(operations, standingOperations(id))
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) { sweep(t, operation) })
	}
}

func inUpdate(f func(*Tx) error) func(*testing.T, *desk) error {
	return func(t *testing.T, d *desk) error { return d.Update(t.Context(), f) }
}

// standingOperations are those that serve standing rounds.
func standingOperations(id [16]byte) map[string]func(*testing.T, *desk) error {
	in := inUpdate
	return map[string]func(*testing.T, *desk) error{
		"put subscription": in(func(tx *Tx) error { return tx.PutSubscription(Subscription{ID: [16]byte{2}, Secret: []byte("x")}) }),
		"end subscription": in(func(tx *Tx) error {
			return errors.Join(tx.PutSubscription(Subscription{ID: id, Over: true}), tx.DropAllStanding(id))
		}),
		"subscriptions":  in(func(tx *Tx) error { _, err := tx.Subscriptions(); return err }),
		"subscription":   in(func(tx *Tx) error { _, err := tx.Subscription(id); return err }),
		"put standing":   in(func(tx *Tx) error { return tx.PutStanding(id, 0, "run", 2, []byte("x")) }),
		"standing":       in(func(tx *Tx) error { _, err := tx.Standing(id, 0, "run", 1); return err }),
		"drop standing":  in(func(tx *Tx) error { return tx.DropStanding(id, 0, "run", 2) }),
		"add hits":       in(func(tx *Tx) error { _, err := tx.AddHits(id, []Hit{{}, {}}); return err }),
		"hit counts":     in(func(tx *Tx) error { _, err := tx.HitCounts(id); return err }),
		"touched":        in(func(tx *Tx) error { _, err := tx.Touched(0, 5); return err }),
		"forget touched": in(func(tx *Tx) error { return tx.ForgetTouched(5) }),
		"touch expired":  in(func(tx *Tx) error { _, err := tx.TouchExpired(moment0.Add(time.Hour)); return err }),
		"values":         in(func(tx *Tx) error { _, err := tx.RecordsByLookup(Lookup{}); return err }),
		"standing range": in(func(tx *Tx) error {
			for _, err := range tx.StandingRange(id, 0, "run", 0) {
				if err != nil {
					return err
				}
			}
			return nil
		}),
		"all eligible": func(t *testing.T, d *desk) error {
			for _, err := range d.AllEligible(t.Context(), EligibleSpec{Lists: []int64{1, 2}, Partner: "ID", Now: moment0}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"eligible": func(t *testing.T, d *desk) error {
			_, err := d.Eligible(t.Context(), EligibleSpec{Lists: []int64{1, 2}, Partner: "ID", Now: moment0}, []Lookup{d.Lookup(phone(t, 1))})
			return err
		},
	}
}

// sweep fails the first, second, … statement until none is left to fail.
func sweep(t *testing.T, operation func(*testing.T, *desk) error) {
	var d *desk
	var before string
	renew := func() {
		d = newDesk(t)
		d.flushRows = 3
		fill(t, d)
		before = d.dump(t)
	}
	renew()
	for n := 0; ; n++ {
		left, hit := n, false
		d.step = func(name string) error {
			if name != stepStatement && name != stepCommit || hit {
				return nil
			}
			if left--; left < 0 {
				hit = true
				return errInjected
			}
			return nil
		}
		err := operation(t, d)
		d.step = func(string) error { return nil }
		if !hit {
			if err != nil {
				t.Fatalf("in the end: %v", err)
			}
			if n == 0 {
				t.Fatal("nothing could fail")
			}
			return
		}
		if err == nil && errors.Is(d.audit.behind, errInjected) {
			renew() // the commit had happened; Mirror will report what failed after it
			continue
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("failure %d came out as: %v", n, err)
		}
		if d.dump(t) != before {
			t.Fatalf("failure %d changed something", n)
		}
	}
}

// importAll does in one import all that rows can lead to.
func importAll(t *testing.T, d *desk) (err error) {
	i, err := d.Importer(t.Context(), 1)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.step = func(string) error { return nil } // the fault is over; the import must leave no trace
			err = errors.Join(err, i.Rollback(t.Context()))
		}
	}()
	for _, batch := range [][]intake.Record{
		{row(t, 40), row(t, 41), row(t, 42), row(t, 20)}, {row(t, 40, minor), row(t, 1, minor), row(t, 2)},
		{row(t, 1, protected), row(t, 1, never("TH")), row(t, 43)},
	} {
		if _, err := i.Add(t.Context(), batch); err != nil {
			return err
		}
	}
	return i.Commit(t.Context(), func(tx *Tx) error { return tx.Append(entry.Local, entry.Imported, nil, moment0) })
}

// dump is a digest of all rows of all tables, but for numbers that were merely taken.
func (d *desk) dump(t *testing.T) string {
	t.Helper()
	var tables []string
	sum := sha256.New()
	d.view(t, func(tx *Tx) error {
		err := tx.rows(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('counters', 'sqlite_sequence')`,
			nil, func(scan func(...any) error) error {
				var name string
				err := scan(&name)
				tables = append(tables, name)
				return err
			})
		if err != nil {
			return err
		}
		for _, table := range tables {
			r, err := tx.tx.QueryContext(t.Context(), "SELECT * FROM "+table)
			if err != nil {
				return err
			}
			if err := dumpRows(sum, table, r); err != nil {
				return err
			}
		}
		return nil
	})
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func dumpRows(w io.Writer, table string, r *sql.Rows) error {
	columns, err := r.Columns()
	if err != nil {
		return err
	}
	var lines []string
	for r.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := r.Scan(values...); err != nil {
			return err
		}
		line := table
		for _, v := range values {
			line += fmt.Sprintf(" %v", *v.(*any))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	fmt.Fprintln(w, lines)
	return r.Err()
}

// TestClosed calls into a closed store: errors, no panic.
func TestClosed(t *testing.T) {
	d := newDesk(t)
	l := d.list(t, "wanted", indicator.Suspect)
	i, err := d.Importer(t.Context(), l.ID)
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	_, added := i.Add(t.Context(), rowsOf(t, 0, 1))
	for name, err := range map[string]error{
		"view": d.View(t.Context(), func(*Tx) error { return nil }), "update": d.Update(t.Context(), func(*Tx) error { return nil }),
		"add": added, "rollback": i.Rollback(t.Context()), "backup": closedBackup(t, d), "mirror": d.Mirror(t.Context(), d.dir),
	} {
		if err == nil && name != "backup" {
			t.Errorf("%s works", name)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// closedBackup may work: a backup has connections of its own.
func closedBackup(t *testing.T, d *desk) error { return d.Backup(t.Context(), io.Discard) }
