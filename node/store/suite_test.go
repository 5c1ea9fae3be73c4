package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"entente/crypto/seal"
	"entente/node/intake"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// The suite says what a store must do, through its exported methods alone, so that
// another engine behind the same methods can be held to it.
func TestSQLite(t *testing.T) { suite(t, func(t *testing.T) *desk { return newDesk(t) }) }

func suite(t *testing.T, fresh func(*testing.T) *desk) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *desk)
	}{
		{"lists", suiteLists},
		{"imports", suiteImports},
		{"protection desk", suiteHeld},
		{"merging protects", suiteMerge},
		{"one import at a time", suiteOneImport},
		{"rolled back import", suiteRollback},
		{"snapshot", suiteSnapshot},
		{"snapshot exclusions", suiteExclusions},
		{"snapshot outlives its lists' changes", suiteImmutable},
		{"stray snapshots", suiteStray},
		{"rounds", suiteRounds},
		{"hits", suiteHits},
		{"journal", suiteJournal},
		{"chains", suiteChains},
		{"small things", suiteSmall},
		{"bundles", suiteBundles},
		{"transactions", suiteTransactions},
		{"deleting a list", suiteDelete},
		{"subscriptions", suiteSubscriptions},
		{"standing records", suiteStanding},
		{"hits of subscriptions", suiteAlerts},
		{"log of changes", suiteTouched},
		{"forgetting changes", suiteForget},
		{"expiry", suiteExpiry},
		{"eligible", suiteEligible},
		{"segments", suiteSegments},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, fresh(t)) })
	}
}

func suiteLists(t *testing.T, d *desk) {
	want := phoneList("wanted", indicator.Suspect)
	l := d.list(t, "wanted", indicator.Suspect)
	if !l.same(want) || !l.Created.Equal(moment0) || l.ID == 0 || l.Items != 0 {
		t.Fatalf("made %+v", l)
	}
	if again := d.list(t, "wanted", indicator.Suspect); again != l {
		t.Errorf("asked for again: %+v, not %+v", again, l)
	}
	for name, change := range map[string]func(*List){
		"kind":     func(l *List) { l.Kind = "email" },
		"category": func(l *List) { l.Category = indicator.Victim },
		"purpose":  func(l *List) { l.Purpose = "smuggling" },
		"basis":    func(l *List) { l.Basis = "AU-X" },
	} {
		other := want
		change(&other)
		err := d.Update(t.Context(), func(tx *Tx) error { _, err := tx.EnsureList(other); return err })
		if !errors.Is(err, ErrListDiffers) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	d.list(t, "associates", indicator.Associate)
	d.view(t, func(tx *Tx) error {
		all, err := tx.Lists()
		if len(all) != 2 || all[0].Name != "associates" || all[1] != l {
			t.Errorf("all lists: %+v", all)
		}
		if _, err := tx.ListByName("none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such list: %v", err)
		}
		return err
	})
}

func suiteImports(t *testing.T, d *desk) {
	d.flushRows = 7 // several transactions
	l := d.list(t, "wanted", indicator.Suspect)
	full := indicator.Handling{
		Category: indicator.Suspect, Offence: "0201", Purpose: "trafficking", Basis: "AU-TIP",
		NeverWith: []string{"TH", "ID"}, FirstObserved: moment0.AddDate(-1, 0, 0), LastObserved: moment0,
		SourceEvaluation: "A", InformationEvaluation: "2", Codes: []string{"H1", "TLP:AMBER"},
		CaseReference: "case 17", Expires: moment0.AddDate(1, 0, 0),
	}
	first := intake.Record{Value: phone(t, 1), Original: "0491 570 001", Handling: full, Line: 9}
	got := d.load(t, l, []intake.Record{first, row(t, 2), row(t, 1)}, rowsOf(t, 2, 30), nil)
	if got.New != 29 || got.Duplicate != 2 || got.Held != 0 || !slices.Equal(got.DuplicateLines, []int{1, 2}) {
		t.Fatalf("added %+v", got)
	}
	again := d.load(t, l, rowsOf(t, 1, 30))
	if again.New != 0 || again.Duplicate != 29 {
		t.Errorf("the same again: %+v", again)
	}
	d.view(t, func(tx *Tx) error {
		have, err := tx.ListByName("wanted")
		if have.Items != 29 || have.Held != 0 {
			t.Errorf("counted %+v", have)
		}
		return err
	})
	s := d.take(t, "NZ", l)
	item, err := d.SnapshotItem(t.Context(), s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.view(t, func(tx *Tx) error {
		r, err := tx.Indicator(item.Indicator)
		if err != nil {
			return err
		}
		if !r.Value.Equal(first.Value) || r.Original != first.Original || !reflect.DeepEqual(r.Handling, full) || r.List != l.ID {
			t.Error("the record is not what was imported")
		}
		if _, err := tx.Indicator(1 << 40); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such record: %v", err)
		}
		return nil
	})
	other := d.list(t, "mails", indicator.Suspect)
	if i, err := d.Importer(t.Context(), other.ID+1); !errors.Is(err, ErrNotFound) {
		t.Errorf("import into no list: %v %v", i, err)
	}
}

func suiteHeld(t *testing.T, d *desk) {
	victims := d.list(t, "victims", indicator.Victim)
	wanted := d.list(t, "wanted", indicator.Suspect)
	if a := d.load(t, victims, []intake.Record{row(t, 5, victim), row(t, 6, victim)}); a.New != 2 || a.Held != 0 {
		t.Fatalf("victims: %+v", a)
	}
	a := d.load(t, wanted, rowsOf(t, 4, 8))
	if a.New != 2 || a.Held != 2 || !slices.Equal(a.HeldLines, []int{5, 6}) {
		t.Fatalf("wanted: %+v", a)
	}
	if again := d.load(t, wanted, rowsOf(t, 4, 8)); again.Held != 2 || again.Duplicate != 2 {
		t.Errorf("again: %+v", again)
	}
	d.view(t, func(tx *Tx) error {
		l, err := tx.List(wanted.ID)
		if err != nil {
			return err
		}
		if l.Items != 2 || l.Held != 2 {
			t.Errorf("counted %d items, %d held", l.Items, l.Held)
		}
		held, err := tx.HeldRecords(wanted.ID)
		if err != nil {
			return err
		}
		var values []string
		for _, r := range held {
			values = append(values, string(r.Value.Element()))
		}
		if slices.Sort(values); !slices.Equal(values, expect(t, 5, 6)) {
			t.Error("other records are held")
		}
		return nil
	})
	// What waits for the desk is held on every other list too, also when the list
	// that it was found on is gone.
	d.update(t, func(tx *Tx) error { return tx.DeleteList(victims.ID) })
	more := d.list(t, "associates", indicator.Associate)
	if a := d.load(t, more, rowsOf(t, 6, 8)); a.Held != 1 || a.New != 1 {
		t.Errorf("associates: %+v", a)
	}
	// A row that is shielded itself needs no desk.
	if a := d.load(t, more, []intake.Record{row(t, 5, protected)}); a.New != 1 {
		t.Errorf("shielded row: %+v", a)
	}
}

func suiteMerge(t *testing.T, d *desk) {
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, []intake.Record{row(t, 1, never("TH")), row(t, 2), row(t, 3, minor)})
	a := d.load(t, l, []intake.Record{row(t, 1, never("ID")), row(t, 2, minor), row(t, 3), row(t, 4), row(t, 4, protected)})
	if a.New != 1 || a.Duplicate != 4 {
		t.Fatalf("added %+v", a)
	}
	for partner, want := range map[string]map[string]int{
		"TH": {ExcludedShielded: 3, ExcludedNeverWith: 1},
		"ID": {ExcludedShielded: 3, ExcludedNeverWith: 1},
		"NZ": {ExcludedShielded: 3},
	} {
		s := d.take(t, partner, l)
		if !maps.Equal(s.Excluded, want) {
			t.Errorf("with %s: %v out, not %v", partner, s.Excluded, want)
		}
	}
}

func suiteOneImport(t *testing.T, d *desk) {
	l := d.list(t, "wanted", indicator.Suspect)
	first, err := d.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Importer(short, l.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("a second import: %v", err)
	}
	if err := d.Update(t.Context(), func(tx *Tx) error { return tx.DeleteList(l.ID) }); !errors.Is(err, ErrListInUse) {
		t.Errorf("deleting under an import: %v", err)
	}
	if err := first.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Add(t.Context(), rowsOf(t, 0, 1)); err == nil {
		t.Error("an ended import takes rows")
	}
	d.load(t, l, rowsOf(t, 0, 1))
}

func suiteRollback(t *testing.T, d *desk) {
	d.flushRows = 5
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, rowsOf(t, 0, 10))
	i, err := d.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	batch := append(rowsOf(t, 10, 30), row(t, 3, minor))
	if _, err := i.Add(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if s := d.take(t, "ID", l); s.Items != 10 || len(s.Excluded) != 0 {
		t.Errorf("an open import shows: %+v", s)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Rollback(ended); err != nil {
		t.Fatal(err)
	}
	if s := d.take(t, "ID", l); s.Items != 10 || len(s.Excluded) != 0 {
		t.Errorf("a rolled back import shows: %+v", s)
	}
	if a := d.load(t, l, batch); a.New != 20 || a.Duplicate != 1 {
		t.Errorf("once more: %+v", a)
	}
	refused, err := d.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	if err := refused.Commit(t.Context(), func(*Tx) error { return no }); !errors.Is(err, no) {
		t.Errorf("commit: %v", err)
	}
	if err := refused.Commit(t.Context(), nil); !errors.Is(err, no) {
		t.Errorf("commit after a failed one: %v", err)
	}
	if err := refused.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

func suiteSnapshot(t *testing.T, d *desk) {
	l := d.list(t, "wanted", indicator.Suspect)
	m := d.list(t, "associates", indicator.Associate)
	empty := d.list(t, "empty", indicator.Suspect)
	const n = segmentItems + 5 // two segments
	d.load(t, l, rowsOf(t, 0, n))
	d.load(t, m, rowsOf(t, n-3, n+3))
	s := d.take(t, "ID", l, m, l)
	if s.Items != n+3 || s.Kind != "phone" || s.ID == 0 {
		t.Fatalf("took %+v", s)
	}
	got := d.elements(t, s.ID)
	if len(got) != n+3 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != n+3 {
		t.Fatal("the items are not the sorted set")
	}
	if again := d.elements(t, s.ID); !slices.Equal(got, again) {
		t.Error("another order on the second pass")
	}
	for _, p := range []int64{0, 1, segmentItems - 1, segmentItems, n + 2} {
		item, err := d.SnapshotItem(t.Context(), s.ID, p)
		if err != nil || string(item.Element) != got[p] {
			t.Errorf("item %d: %v", p, err)
		}
	}
	for _, p := range []int64{-1, n + 3, 1 << 40} {
		if _, err := d.SnapshotItem(t.Context(), s.ID, p); !errors.Is(err, ErrNotFound) {
			t.Errorf("item %d: %v", p, err)
		}
	}
	for item, err := range d.SnapshotItems(t.Context(), s.ID) { // leaving early
		if err != nil || item.Indicator == 0 {
			t.Error(err)
		}
		break
	}
	planned, err := d.PlanSnapshot(t.Context(), spec("ID", l, m))
	if err != nil || planned.ID != 0 || planned.Items != s.Items {
		t.Errorf("planned %+v: %v", planned, err)
	}
	if none := d.take(t, "ID", empty); none.Items != 0 || len(d.elements(t, none.ID)) != 0 {
		t.Errorf("of an empty list: %+v", none)
	}
	if err := d.DropSnapshot(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	for _, err := range d.SnapshotItems(t.Context(), s.ID) {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("dropped: %v", err)
		}
	}
	wrong := spec("ID", l)
	wrong.Kind = "email"
	if _, err := d.TakeSnapshot(t.Context(), wrong); err == nil {
		t.Error("took a snapshot of another kind")
	}
}

func suiteExclusions(t *testing.T, d *desk) {
	l := d.list(t, "wanted", indicator.Suspect)
	later := d.list(t, "victims", indicator.Victim)
	far := d.list(t, "refugees", indicator.Associate)
	d.load(t, l, []intake.Record{
		row(t, 0), row(t, 1, expires(moment0)), row(t, 2, expires(moment0.Add(time.Millisecond))),
		row(t, 3, minor), row(t, 4, protected), row(t, 5, never("TH", "ID")), row(t, 6, never("TH")),
		row(t, 7), row(t, 8), row(t, 9, expires(moment0.AddDate(-1, 0, 0))),
	})
	d.load(t, later, []intake.Record{row(t, 7, victim)})
	d.load(t, far, []intake.Record{row(t, 8, never("id"))})
	s := d.take(t, "ID", l)
	want := map[string]int{ExcludedExpired: 2, ExcludedShielded: 3, ExcludedNeverWith: 2}
	if !maps.Equal(s.Excluded, want) {
		t.Errorf("left out %v, not %v", s.Excluded, want)
	}
	if got := d.elements(t, s.ID); !slices.Equal(got, expect(t, 0, 2, 6)) {
		t.Errorf("%d items take part, not the three", len(got))
	}
	// Held on one list means out of all.
	d.load(t, far, []intake.Record{row(t, 7)})
	d.update(t, func(tx *Tx) error { return tx.DropSnapshot(s.ID) })
	d.update(t, func(tx *Tx) error { return tx.DeleteList(later.ID) })
	s = d.take(t, "ID", l)
	want = map[string]int{ExcludedExpired: 2, ExcludedShielded: 2, ExcludedNeverWith: 2, ExcludedHeld: 1}
	if !maps.Equal(s.Excluded, want) {
		t.Errorf("left out %v, not %v", s.Excluded, want)
	}
}

func suiteImmutable(t *testing.T, d *desk) {
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, rowsOf(t, 0, 10))
	s := d.take(t, "ID", l)
	before := d.elements(t, s.ID)
	d.load(t, l, append(rowsOf(t, 10, 20), row(t, 2, minor)))
	if after := d.elements(t, s.ID); !slices.Equal(before, after) {
		t.Error("an import changed a snapshot")
	}
	err := d.Update(t.Context(), func(tx *Tx) error { return tx.DeleteList(l.ID) })
	if !errors.Is(err, ErrListInUse) {
		t.Errorf("deleting the list of a snapshot: %v", err)
	}
}

func suiteStray(t *testing.T, d *desk) {
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, rowsOf(t, 0, 3))
	used, stray := d.take(t, "ID", l), d.take(t, "ID", l)
	d.update(t, func(tx *Tx) error { return tx.PutRound(Round{ID: [16]byte{1}, Snapshot: used.ID}) })
	for _, want := range []int{1, 0} {
		if n, err := d.DropStraySnapshots(t.Context()); err != nil || n != want {
			t.Errorf("dropped %d, not %d: %v", n, want, err)
		}
	}
	if len(d.elements(t, used.ID)) != 3 {
		t.Error("the snapshot of a round is gone")
	}
	if _, err := d.SnapshotItem(t.Context(), stray.ID, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stray snapshot is there: %v", err)
	}
}

func suiteRounds(t *testing.T, d *desk) {
	r := Round{
		ID: [16]byte{1}, Partner: "ID", Proposer: true, State: "offered", Created: moment0, Updated: moment0.Add(time.Second),
		Expires: moment0.Add(time.Hour), Snapshot: 7, Record: []byte("machine"), Secret: []byte("nonce"),
	}
	second := Round{ID: [16]byte{0}, Partner: "TH", State: "answered", Created: moment0.Add(time.Minute), Updated: moment0, Record: []byte{}}
	d.update(t, func(tx *Tx) error { return errors.Join(tx.PutRound(second), tx.PutRound(r)) })
	d.view(t, func(tx *Tx) error {
		got, err := tx.Round(r.ID)
		if !reflect.DeepEqual(got, r) {
			t.Error("another round came back")
		}
		all, more := tx.Rounds()
		if len(all) != 2 || !reflect.DeepEqual(all[0], r) || all[1].ID != second.ID || all[1].Secret != nil {
			t.Error("other rounds came back")
		}
		if n, err := tx.RoundStates(); err != nil || !maps.Equal(n, map[string]int64{"offered": 1, "answered": 1}) {
			t.Errorf("rounds by state: %v, %v", n, err)
		}
		if _, err := tx.Round([16]byte{9}); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such round: %v", err)
		}
		return errors.Join(err, more)
	})
	r.State, r.Restored, r.Record = "agreed", true, []byte("machine 2")
	d.update(t, func(tx *Tx) error { return errors.Join(tx.PutRound(r), tx.DropSecret(r.ID), tx.DropSecret(r.ID)) })
	r.Secret = nil
	d.view(t, func(tx *Tx) error {
		got, err := tx.Round(r.ID)
		if !reflect.DeepEqual(got, r) {
			t.Error("another round came back after the change")
		}
		return err
	})
	r.Secret = []byte("again")
	d.update(t, func(tx *Tx) error { return tx.PutRound(r) })
	r.Secret = nil
	d.update(t, func(tx *Tx) error { return tx.PutRound(r) })
	d.view(t, func(tx *Tx) error {
		got, err := tx.Round(r.ID)
		if got.Secret != nil {
			t.Error("a round put without its secret still has it")
		}
		return err
	})
}

func suiteHits(t *testing.T, d *desk) {
	id := [16]byte{3}
	hits := []Hit{{Position: 5, Indicator: 50, Proof: []byte("p5")}, {Position: 1, Indicator: 10, Proof: []byte{}, State: "confirmed"}}
	d.update(t, func(tx *Tx) error { return tx.PutHits(id, hits) })
	hits[0].State = "dismissed"
	d.update(t, func(tx *Tx) error { return errors.Join(tx.PutHits(id, hits[:1]), tx.PutHits([16]byte{4}, hits)) })
	d.view(t, func(tx *Tx) error {
		got, err := tx.Hits(id)
		if !reflect.DeepEqual(got, []Hit{hits[1], hits[0]}) {
			t.Error("other hits came back")
		}
		none, more := tx.Hits([16]byte{5})
		if len(none) != 0 {
			t.Error("hits of no round")
		}
		return errors.Join(err, more)
	})
	d.update(t, func(tx *Tx) error {
		if n, err := tx.DropHits(id); n != 2 || err != nil {
			t.Errorf("erased %d hits: %v", n, err)
		}
		left, err := tx.Hits(id)
		other, more := tx.Hits([16]byte{4})
		if len(left) != 0 || len(other) != 2 {
			t.Errorf("%d hits are left of the round, %d of the other", len(left), len(other))
		}
		return errors.Join(err, more)
	})
}

func suiteJournal(t *testing.T, d *desk) {
	id := [16]byte{8}
	j := d.Journal(id, 1)
	put := func(j *Journal, flow string, n int, data string) error {
		return j.Put(t.Context(), flow, n, []byte(data))
	}
	read := func(j *Journal, flow string) (out []string) {
		for b, err := range j.Chunks(t.Context(), flow) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(b))
		}
		return out
	}
	for n, data := range []string{"a", "", "c"} {
		if err := errors.Join(put(j, "blinded", n, data), put(d.Journal(id, 0), "blinded", n, "other")); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(j, "blinded", 4, "after a gap"); err != nil {
		t.Fatal(err)
	}
	if got := read(j, "blinded"); !slices.Equal(got, []string{"a", "", "c"}) {
		t.Errorf("read %q", got)
	}
	if got := read(j, "tags"); len(got) != 0 {
		t.Errorf("read %q of another flow", got)
	}
	if err := put(j, "blinded", 0, "a"); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := put(j, "blinded", 0, "b"); !errors.Is(err, ErrConflict) {
		t.Errorf("other data: %v", err)
	}
	d.update(t, func(tx *Tx) error { return tx.DropJournal(id) })
	if len(read(j, "blinded"))+len(read(d.Journal(id, 0), "blinded")) != 0 {
		t.Error("a dropped journal is there")
	}
}

func suiteChains(t *testing.T, d *desk) {
	d.update(t, func(tx *Tx) error {
		for n := range 2*entriesPage + 3 {
			if err := tx.Append(entry.Local, entry.Decision, nil, moment0.Add(time.Duration(n))); err != nil {
				return err
			}
		}
		return tx.Append(entry.Submitted, entry.Created, nil, moment0)
	})
	no := errors.New("no")
	err := d.Update(t.Context(), func(tx *Tx) error {
		return errors.Join(tx.Append(entry.Local, entry.Decision, nil, moment0), no)
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), func(tx *Tx) error { return tx.Append(entry.Submitted, entry.Decision, nil, moment0) }); err == nil {
		t.Error("a kind for the own auditor went into the submitted chain")
	}
	for c, want := range map[entry.Chain]int{entry.Local: 2*entriesPage + 3, entry.Submitted: 1} {
		check, n := d.verify(t, c, 0)
		d.view(t, func(tx *Tx) error {
			head, err := tx.Head(c)
			if n != want || head.Digest != check.Head().Digest || head.Sequence != uint64(want-1) {
				t.Errorf("%s: %d entries up to number %d", c, n, head.Sequence)
			}
			return err
		})
	}
	n := 0
	d.view(t, func(tx *Tx) error {
		for s, err := range tx.Entries(entry.Local, 7) {
			if err != nil {
				return err
			}
			if e, err := s.Decode(); err != nil || e.Sequence != uint64(7+n) {
				t.Errorf("entry %d: number %d, %v", n, e.Sequence, err)
			}
			if n++; n == 3 {
				break
			}
		}
		return nil
	})
}

// verify checks a chain as an auditor does.
func (d *desk) verify(t testing.TB, c entry.Chain, gaps int) (*entry.Check, int) {
	t.Helper()
	check := entry.NewCheck(d.author.Member, c, d.author.Key.Public())
	n := 0
	d.view(t, func(tx *Tx) error {
		for s, err := range tx.Entries(c, 0) {
			if err != nil {
				return err
			}
			if _, err := check.Add(s); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if len(check.Gaps()) != gaps {
		t.Errorf("%s: %d gaps, not %d", c, len(check.Gaps()), gaps)
	}
	return check, n
}

func suiteSmall(t *testing.T, d *desk) {
	d.update(t, func(tx *Tx) error {
		return errors.Join(
			tx.AddQuota("ID", "2026-03-01", 64), tx.AddQuota("ID", "2026-03-01", 80), tx.AddQuota("TH", "2026-03-01", 1),
			tx.SetStopped("TH", true), tx.SetStopped("TH", true), tx.SetStopped("ID", true), tx.SetStopped("ID", false),
			tx.Put("roster", []byte("old")), tx.Put("roster", []byte("new")), tx.Put("empty", nil),
		)
	})
	if err := d.Update(t.Context(), func(tx *Tx) error { return tx.AddQuota("ID", "2026-03-01", -1) }); err == nil {
		t.Error("a use was taken back")
	}
	d.view(t, func(tx *Tx) error {
		today, err1 := tx.Quota("ID", "2026-03-01")
		other, err2 := tx.Quota("ID", "2026-03-02")
		if today != 144 || other != 0 {
			t.Errorf("used %d and %d", today, other)
		}
		stopped, err3 := tx.Stopped()
		if !maps.Equal(stopped, map[string]bool{"TH": true}) {
			t.Errorf("stopped %v", stopped)
		}
		b, err4 := tx.Get("roster")
		e, err5 := tx.Get("empty")
		if string(b) != "new" || len(e) != 0 {
			t.Errorf("settings %q %q", b, e)
		}
		if _, err := tx.Get("none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no such setting: %v", err)
		}
		return errors.Join(err1, err2, err3, err4, err5)
	})
}

func suiteBundles(t *testing.T, d *desk) {
	files := map[string][]byte{"bundle.toml": []byte("version = 1"), "a.cedar": {}, "sub/b.cedar": bytes.Repeat([]byte("x"), 300)}
	d.update(t, func(tx *Tx) error {
		return errors.Join(tx.PutBundle(2, [32]byte{2}, nil), tx.PutBundle(1, [32]byte{1}, files), tx.PutBundle(1, [32]byte{1}, files))
	})
	for _, c := range []struct {
		version uint64
		digest  byte
	}{{1, 9}, {9, 1}} {
		err := d.Update(t.Context(), func(tx *Tx) error { return tx.PutBundle(c.version, [32]byte{c.digest}, nil) })
		if !errors.Is(err, ErrExists) {
			t.Errorf("version %d, digest %d: %v", c.version, c.digest, err)
		}
	}
	d.view(t, func(tx *Tx) error {
		all, err := tx.Bundles()
		if len(all) != 2 || all[0].Version != 1 || all[0].Digest != [32]byte{1} || len(all[1].Files) != 0 ||
			!maps.EqualFunc(all[0].Files, files, bytes.Equal) {
			t.Errorf("bundles %+v", all)
		}
		return err
	})
}

func suiteTransactions(t *testing.T, d *desk) {
	no := errors.New("no")
	err := d.Update(t.Context(), func(tx *Tx) error { return errors.Join(tx.Put("x", []byte("1")), no) })
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	err = d.View(t.Context(), func(tx *Tx) error {
		_, err := tx.Get("x")
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("what failed is there: %v", err)
		}
		return tx.Put("x", nil)
	})
	if err == nil {
		t.Error("View can write")
	}
	// A reader sees the state at its beginning, and does not hold a writer up.
	d.view(t, func(tx *Tx) error {
		if _, err := tx.Stopped(); err != nil {
			return err
		}
		d.update(t, func(tx *Tx) error { return tx.SetStopped("TH", true) })
		stopped, err := tx.Stopped()
		if len(stopped) != 0 {
			t.Error("a reader sees a later commit")
		}
		return err
	})
	func() {
		defer func() { _ = recover() }()
		d.update(t, func(tx *Tx) error { _ = tx.Put("x", nil); panic("a fault of the caller") })
	}()
	d.update(t, func(tx *Tx) error { // it does not wait for ever
		if _, err := tx.Get("x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("what panicked is there: %v", err)
		}
		return nil
	})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]func(context.Context, func(*Tx) error) error{"View": d.View, "Update": d.Update} {
		if err := f(ended, func(*Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context: %v", name, err)
		}
	}
}

func suiteDelete(t *testing.T, d *desk) {
	keep := d.list(t, "associates", indicator.Associate)
	gone := d.list(t, "wanted", indicator.Suspect)
	d.load(t, keep, rowsOf(t, 0, 5))
	d.load(t, gone, rowsOf(t, 3, 9))
	s := d.take(t, "ID", gone)
	item, err := d.SnapshotItem(t.Context(), s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.update(t, func(tx *Tx) error { return errors.Join(tx.DropSnapshot(s.ID), tx.DeleteList(gone.ID)) })
	d.view(t, func(tx *Tx) error {
		if _, err := tx.Indicator(item.Indicator); !errors.Is(err, ErrNotFound) {
			t.Errorf("a record of a deleted list: %v", err)
		}
		return nil
	})
	if s := d.take(t, "ID", keep); s.Items != 5 {
		t.Errorf("the other list has %d items", s.Items)
	}
	if err := d.Update(t.Context(), func(tx *Tx) error { return tx.DeleteList(gone.ID) }); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleting it again: %v", err)
	}
	// Numbers of deleted records and lists do not come back: hits may still name them.
	anew := d.list(t, "wanted", indicator.Suspect)
	if anew.ID == gone.ID {
		t.Error("a new list has the number of a deleted one")
	}
	d.load(t, anew, rowsOf(t, 3, 4))
	s = d.take(t, "ID", anew)
	if again, err := d.SnapshotItem(t.Context(), s.ID, 0); err != nil || again.Indicator == item.Indicator {
		t.Errorf("a new record has the number of a deleted one: %v", err)
	}
}

func TestNothingPrints(t *testing.T) {
	d := newDesk(t)
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, []intake.Record{row(t, 1)})
	s := d.take(t, "ID", l)
	item, err := d.SnapshotItem(t.Context(), s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	d.view(t, func(tx *Tx) error { r, err = tx.Indicator(item.Indicator); return err })
	round := Round{Record: []byte("ABCD"), Secret: []byte("ABCD")}
	hit := Hit{Proof: []byte("ABCD")}
	for _, v := range []any{item, r, round, hit, []any{&item, &r, &round, &hit}, seal.NewKey()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			got := fmt.Sprintf(verb, v)
			for _, secret := range []string{"157000", "row 1", "ABCD", "41424344", "[65 66", "0x41, 0x42"} {
				if bytes.Contains([]byte(got), []byte(secret)) {
					t.Errorf("%s of %T prints a secret", verb, v)
				}
			}
		}
	}
}
