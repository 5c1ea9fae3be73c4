package store

import (
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/entry"
)

// lost is a member's chain by a key that is lost.
func lost(t *testing.T, n int) []entry.Signed {
	t.Helper()
	key, err := sign.Generate()
	if err != nil {
		t.Fatal(err)
	}
	var out []entry.Signed
	var head entry.Head
	for i := range n {
		var s entry.Signed
		kind := entry.Tick
		if i == 0 {
			kind = entry.Created
		}
		if s, head, err = (entry.Author{Member: "AU", Key: key}).Next(head, entry.Submitted, kind, nil, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func withoutError(list []entry.Signed) iter.Seq2[entry.Signed, error] {
	return func(yield func(entry.Signed, error) bool) {
		for _, s := range list {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// A submitted chain that waits to be adopted takes in nothing before, goes on after it under
// the new key, and comes back from a backup.
func TestAdopt(t *testing.T) {
	d := newDesk(t)
	update := func(f func(*Tx) error) error { return d.Update(t.Context(), f) }
	tick := func(tx *Tx) error { return tx.Append(entry.Submitted, entry.Tick, nil, time.Now()) }
	if err := update((*Tx).AwaitChain); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []entry.Kind{entry.Created, entry.Tick} {
		if err := update(func(tx *Tx) error { return tx.Append(entry.Submitted, kind, nil, time.Now()) }); !errors.Is(err, ErrUnbegun) {
			t.Errorf("%s before it was adopted: %v", kind, err)
		}
	}
	early := d.backup(t)
	old := lost(t, 5)
	broken := errors.New("not there")
	err := update(func(tx *Tx) error {
		return tx.Adopt(func(yield func(entry.Signed, error) bool) { _ = yield(old[0], nil) && yield(entry.Signed{}, broken) }, time.Now())
	})
	if !errors.Is(err, broken) {
		t.Errorf("adopted in part: %v", err)
	}
	if err := update(func(tx *Tx) error { return tx.Adopt(withoutError(old), time.Now()) }); err != nil {
		t.Fatal(err)
	}
	if err := update(func(tx *Tx) error { return tx.Adopt(withoutError(old), time.Now()) }); err == nil {
		t.Error("adopted twice")
	}
	late := d.backup(t)
	if err := update(tick); err != nil {
		t.Fatal(err)
	}
	d.mirror(t)
	kinds := func(s *desk) (out []entry.Kind) {
		t.Helper()
		err := s.View(t.Context(), func(tx *Tx) error {
			for one, err := range tx.Entries(entry.Submitted, 0) {
				if err != nil {
					return err
				}
				e, err := one.Decode()
				if err != nil {
					return err
				}
				out = append(out, e.Kind)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := []entry.Kind{entry.Created, entry.Tick, entry.Tick, entry.Tick, entry.Tick, entry.Restored, entry.Tick}
	if got := kinds(d); !slices.Equal(got, want) {
		t.Errorf("the chain is %v", got)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := removeFiles(d.dir, File, File+"-wal", File+"-shm"); err != nil {
		t.Fatal(err)
	}
	again := d.restored(t, d.dir, late, time.Now().Add(time.Minute))
	if got := kinds(again); !slices.Equal(got, append(want, entry.Restored)) {
		t.Errorf("after a restore the chain is %v", got)
	}
	// From before it was adopted it waits again.
	first := d.restored(t, t.TempDir(), early, time.Now().Add(time.Minute))
	if err := first.Update(t.Context(), tick); !errors.Is(err, ErrUnbegun) {
		t.Errorf("restored from before it was adopted: %v", err)
	}
}
