package store

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"entente/protocol/indicator"
)

// follow puts a subscription that is not over, so that changes are logged.
func (d *desk) follow(t testing.TB) {
	t.Helper()
	d.update(t, func(tx *Tx) error {
		return tx.PutSubscription(Subscription{ID: [16]byte{7}, Partner: "ID", State: "active"})
	})
}

func suiteSubscriptions(t *testing.T, d *desk) {
	s := Subscription{
		ID: [16]byte{1}, Partner: "ID", Proposer: true, State: "active", Created: moment0, Updated: moment0.Add(time.Second),
		Expires: moment0.Add(time.Hour), Next: moment0.Add(time.Minute), Record: []byte("machine"), Secret: []byte("key"),
	}
	second := Subscription{ID: [16]byte{0}, Partner: "TH", State: "ended", Created: moment0.Add(time.Minute), Over: true, Record: []byte("machine 0")}
	d.update(t, func(tx *Tx) error { return errors.Join(tx.PutSubscription(second), tx.PutSubscription(s)) })
	d.view(t, func(tx *Tx) error {
		got, err := tx.Subscription(s.ID)
		if !reflect.DeepEqual(got, s) {
			t.Error("another subscription came back")
		}
		all, more := tx.Subscriptions()
		if len(all) != 2 || !reflect.DeepEqual(all[0], s) || !reflect.DeepEqual(all[1], second) {
			t.Error("other subscriptions came back")
		}
		if n, err := tx.SubscriptionStates(); err != nil || !maps.Equal(n, map[string]int64{"active": 1, "ended": 1}) {
			t.Errorf("subscriptions by state: %v, %v", n, err)
		}
		if _, err := tx.Subscription([16]byte{9}); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such subscription: %v", err)
		}
		return errors.Join(err, more)
	})
	s.State, s.Restored, s.Record, s.Next = "paused", true, []byte("machine 2"), time.Time{}
	d.update(t, func(tx *Tx) error { return tx.PutSubscription(s) })
	d.update(t, func(tx *Tx) error {
		return errors.Join(tx.DropSubscriptionSecret(s.ID), tx.DropSubscriptionSecret(s.ID))
	})
	s.Secret = nil
	d.view(t, func(tx *Tx) error {
		got, err := tx.Subscription(s.ID)
		if !reflect.DeepEqual(got, s) {
			t.Error("another subscription came back after the change")
		}
		return err
	})
	s.Secret = []byte("again")
	d.update(t, func(tx *Tx) error { return errors.Join(tx.PutSubscription(s), tx.PutSubscription(s)) })
	s.Secret = nil
	d.update(t, func(tx *Tx) error { return tx.PutSubscription(s) })
	d.view(t, func(tx *Tx) error {
		got, err := tx.Subscription(s.ID)
		if got.Secret != nil {
			t.Error("a subscription put without its secret still has it")
		}
		return err
	})
}

func suiteStanding(t *testing.T, d *desk) {
	id, other := [16]byte{1}, [16]byte{2}
	const n = 2*standingPage + 3
	d.update(t, func(tx *Tx) error {
		for i := range int64(n) {
			if err := tx.PutStanding(id, 0, "chunk", 3*i, []byte{byte(i)}); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.PutStanding(id, 1, "chunk", 0, []byte("other feed")), tx.PutStanding(other, 0, "chunk", 0, []byte("other subscription")),
			tx.PutStanding(id, 0, "run", 0, []byte("old")), tx.PutStanding(id, 0, "run", 0, []byte("new")), tx.PutStanding(id, 0, "empty", -1, nil),
			tx.PutStanding(id, 0, "last", 1<<63-1, nil),
		)
	})
	numbers := func(tx *Tx, name string, first int64) (out []int64) {
		for r, err := range tx.StandingRange(id, 0, name, first) {
			if err != nil {
				t.Fatal(err)
			}
			if name == "chunk" && (len(r.Value) != 1 || int64(r.Value[0]) != r.Number/3) {
				t.Errorf("record %d holds something else", r.Number)
			}
			out = append(out, r.Number)
		}
		return out
	}
	d.view(t, func(tx *Tx) error {
		got := numbers(tx, "chunk", 4)
		if len(got) != n-2 || got[0] != 6 || got[len(got)-1] != 3*(n-1) || !slices.IsSorted(got) {
			t.Errorf("from 4 on there are %d", len(got))
		}
		if all := numbers(tx, "last", 0); len(all) != 1 {
			t.Errorf("the largest number comes %d times", len(all))
		}
		for r, err := range tx.StandingRange(id, 0, "chunk", 0) { // leaving early
			if err != nil || r.Number != 0 {
				t.Errorf("first is %d: %v", r.Number, err)
			}
			break
		}
		b, err1 := tx.Standing(id, 0, "run", 0)
		e, err2 := tx.Standing(id, 0, "empty", -1)
		if string(b) != "new" || len(e) != 0 {
			t.Errorf("read %q and %q", b, e)
		}
		if _, err := tx.Standing(id, 2, "run", 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such record: %v", err)
		}
		return errors.Join(err1, err2)
	})
	d.update(t, func(tx *Tx) error { return tx.DropStanding(id, 0, "chunk", 30) })
	d.view(t, func(tx *Tx) error {
		if got := numbers(tx, "chunk", 0); len(got) != n-10 || got[0] != 30 || len(numbers(tx, "run", 0)) != 1 {
			t.Errorf("%d are left", len(got))
		}
		return nil
	})
	d.update(t, func(tx *Tx) error { return tx.DropAllStanding(id) })
	d.view(t, func(tx *Tx) error {
		if len(numbers(tx, "chunk", 0))+len(numbers(tx, "run", 0)) != 0 {
			t.Error("dropped records are there")
		}
		_, err := tx.Standing(other, 0, "chunk", 0)
		return err
	})
}

func suiteAlerts(t *testing.T, d *desk) {
	id := [16]byte{3}
	add := func(want int64, hits ...Hit) {
		t.Helper()
		d.update(t, func(tx *Tx) error {
			first, err := tx.AddHits(id, hits)
			if first != want {
				t.Errorf("the first is at %d, not %d", first, want)
			}
			return err
		})
	}
	add(0, Hit{Indicator: 10, Proof: []byte("p"), Position: 99}, Hit{Indicator: 11, State: "confirmed"})
	add(2)
	add(2, Hit{Indicator: 12})
	d.update(t, func(tx *Tx) error { return tx.PutHits([16]byte{4}, []Hit{{Indicator: 1, Position: 5}}) })
	d.view(t, func(tx *Tx) error {
		counts, err1 := tx.HitCounts(id)
		if !maps.Equal(counts, map[string]int64{"": 2, "confirmed": 1}) {
			t.Errorf("counted %v", counts)
		}
		since, err2 := tx.HitsFrom(id, 1)
		if len(since) != 2 || since[0].Indicator != 11 || since[1].Position != 2 {
			t.Error("other hits from position 1 on")
		}
		all, err3 := tx.Hits(id)
		if len(all) != 3 || string(all[0].Proof) != "p" || all[0].Position != 0 {
			t.Error("other hits")
		}
		return errors.Join(err1, err2, err3)
	})
	d.update(t, func(tx *Tx) error { _, err := tx.DropHits(id); return err })
	add(3, Hit{Indicator: 13})
}

// TestSubscriptionBackup brings a subscription back from a backup.
func TestSubscriptionBackup(t *testing.T) {
	d := newDesk(t)
	l := d.list(t, "wanted", indicator.Suspect)
	id := [16]byte{1}
	d.update(t, func(tx *Tx) error {
		_, err := tx.AddHits(id, []Hit{{Indicator: 1}, {Indicator: 2}})
		return errors.Join(err, tx.PutSubscription(Subscription{ID: id, Partner: "ID", Created: moment0, Record: []byte("machine"), Secret: []byte("key")}),
			tx.PutStanding(id, 0, "run", 1, []byte("run")))
	})
	d.load(t, l, rowsOf(t, 0, 5))
	info := d.segment(t, 10, 10, 100, 1)
	r := d.restored(t, t.TempDir(), d.backup(t), moment0.Add(time.Hour))
	check := func(t *testing.T, r *desk) {
		r.view(t, func(tx *Tx) error {
			s, err := tx.Subscription(id)
			if !s.Restored || s.Secret != nil || string(s.Record) != "machine" || s.Partner != "ID" {
				t.Error("the subscription did not come back as one that must begin anew")
			}
			if _, err := tx.Standing(id, 0, "run", 1); !errors.Is(err, ErrNotFound) {
				t.Errorf("a standing record came back: %v", err)
			}
			if _, err := tx.Touched(0, 10); !errors.Is(err, ErrNotFound) {
				t.Errorf("the log of changes came back: %v", err)
			}
			last, more := tx.LastTouch()
			if last != 5 {
				t.Errorf("the log goes on after %d", last)
			}
			hits, most := tx.Hits(id)
			if len(hits) != 2 {
				t.Errorf("%d hits came back", len(hits))
			}
			return errors.Join(err, more, most)
		})
		r.update(t, func(tx *Tx) error {
			first, err := tx.AddHits(id, []Hit{{}})
			if first != 2 {
				t.Errorf("hits go on at %d", first)
			}
			return err
		})
	}
	check(t, r)
	if exists(r.dir + "/" + SegmentFolder) {
		t.Error("segment files came back")
	}
	if _, err := r.OpenSegment(info); !errors.Is(err, ErrNotFound) {
		t.Errorf("a segment came back: %v", err)
	}
	// An old copy put in place by hand is as a restored one.
	if err := d.renew(context.WithoutCancel(t.Context()), marks{}, moment0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check(t, d)
}
