package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"entente/node/intake"
	"entente/protocol/indicator"
)

// all reads AllEligible and checks its order; it returns kinds and elements, sorted.
func (d *desk) all(t testing.TB, spec EligibleSpec) []string {
	t.Helper()
	var out []string
	last := Lookup{}
	for e, err := range d.AllEligible(t.Context(), spec) {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(last[:], e.Lookup[:]) >= 0 || e.Indicator == 0 {
			t.Error("the lookups do not ascend")
		}
		last = e.Lookup
		out = append(out, string(e.Kind)+" "+string(e.Element))
	}
	slices.Sort(out)
	return out
}

func elementsOf(t testing.TB, numbers ...int) []string {
	t.Helper()
	var out []string
	for _, n := range numbers {
		out = append(out, "phone "+string(phone(t, n).Element()))
	}
	slices.Sort(out)
	return out
}

// mail is the n-th of a range of addresses without a holder.
func mail(t testing.TB, n int) intake.Record {
	t.Helper()
	v, err := indicator.Restore("email", fmt.Appendf([]byte{1}, "holder%d@example.org", n))
	if err != nil {
		t.Fatal(err)
	}
	return intake.Record{Value: v, Original: fmt.Sprint("mail ", n), Handling: indicator.Handling{Category: indicator.Suspect}}
}

func (d *desk) mails(t testing.TB, name string) (l List) {
	t.Helper()
	d.update(t, func(tx *Tx) (err error) {
		description := phoneList(name, indicator.Suspect)
		description.Kind = "email"
		l, err = tx.EnsureList(description)
		return err
	})
	return l
}

func suiteEligible(t *testing.T, d *desk) {
	l := d.list(t, "wanted", indicator.Suspect)
	m := d.list(t, "associates", indicator.Associate)
	far := d.list(t, "victims", indicator.Victim)
	mails := d.mails(t, "mails")
	d.load(t, l, []intake.Record{
		row(t, 0), row(t, 1, expires(moment0)), row(t, 2, minor), row(t, 3, never("TH", "id")), row(t, 4), row(t, 5), row(t, 6),
	})
	d.load(t, m, []intake.Record{row(t, 1), row(t, 4), row(t, 7, never("TH")), row(t, 8, expires(moment0.Add(time.Hour)))})
	d.load(t, far, []intake.Record{row(t, 5, victim), row(t, 9, victim)})
	d.load(t, m, []intake.Record{row(t, 9)})
	d.load(t, far, []intake.Record{row(t, 6, never("ID"))})
	d.load(t, mails, []intake.Record{mail(t, 1), mail(t, 2)})
	spec := EligibleSpec{Lists: []int64{l.ID, m.ID, l.ID, mails.ID, 1 << 40}, Partner: "ID", Now: moment0}
	want := append(elementsOf(t, 0, 1, 4, 7, 8), "email "+string(mail(t, 1).Value.Element()), "email "+string(mail(t, 2).Value.Element()))
	slices.Sort(want)
	if got := d.all(t, spec); !slices.Equal(got, want) {
		t.Errorf("%d take part, not %d", len(got), len(want))
	}
	lookups := []Lookup{d.Lookup(mail(t, 2).Value), d.Lookup(mail(t, 3).Value)}
	for n := range 10 {
		lookups = append(lookups, d.Lookup(phone(t, n)), d.Lookup(phone(t, n)))
	}
	some, err := d.Eligible(t.Context(), spec, lookups)
	if err != nil || len(some) != 6 {
		t.Fatalf("%d of those: %v", len(some), err)
	}
	for _, e := range some {
		d.view(t, func(tx *Tx) error {
			records, err := tx.RecordsByLookup(e.Lookup)
			kind, element, more := tx.ElementByLookup(e.Lookup)
			if kind != e.Kind || !bytes.Equal(element, e.Element) || records[0].Value.Kind() != kind {
				t.Error("another value has this lookup")
			}
			one, most := tx.Indicator(e.Indicator)
			if !one.Value.Equal(records[0].Value) {
				t.Error("the record is another value's")
			}
			oldest := records[0].ID
			if e.Lookup == d.Lookup(phone(t, 1)) { // its oldest record is expired
				oldest = records[1].ID
			}
			if e.Indicator != oldest {
				t.Error("it is not the oldest record that takes part")
			}
			return errors.Join(err, more, most)
		})
	}
	for name, s := range map[string]EligibleSpec{"no list": {Partner: "ID", Now: moment0}, "a deleted list": {Lists: []int64{1 << 40}, Now: moment0}} {
		got, err := d.Eligible(t.Context(), s, lookups)
		if len(d.all(t, s))+len(got) != 0 || err != nil {
			t.Errorf("%s: %d take part, %v", name, len(got), err)
		}
	}
	d.view(t, func(tx *Tx) error {
		records, err := tx.RecordsByLookup(d.Lookup(phone(t, 5)))
		if len(records) != 2 || records[0].Original != "row 5" || records[1].List != far.ID {
			t.Errorf("%d records of a shielded value", len(records))
		}
		none, more := tx.RecordsByLookup(d.Lookup(phone(t, 90)))
		if _, _, err := tx.ElementByLookup(d.Lookup(phone(t, 90))); !errors.Is(err, ErrNotFound) || len(none) != 0 {
			t.Errorf("an unknown value: %v", err)
		}
		return errors.Join(err, more)
	})
}

// TestEligiblePages reads more than a page, with several records of a value and other
// lists in between, and stops early.
func TestEligiblePages(t *testing.T) {
	d := newDesk(t)
	const n = 2*eligiblePage + 10
	var lists []int64
	for _, name := range []string{"a", "b", "c", "other"} {
		l := d.list(t, name, indicator.Suspect)
		d.load(t, l, rowsOf(t, 0, n))
		lists = append(lists, l.ID)
	}
	got := d.all(t, EligibleSpec{Lists: lists[:3], Partner: "ID", Now: moment0})
	if len(got) != n || len(slices.Compact(got)) != n {
		t.Errorf("%d values, not %d", len(got), n)
	}
	seen := 0
	for range d.AllEligible(t.Context(), EligibleSpec{Lists: lists, Now: moment0}) {
		if seen++; seen == 5 {
			break
		}
	}
	// Between two pages anything may happen: each value comes at most once, and whatever
	// stays comes.
	seen = 0
	for e, err := range d.AllEligible(t.Context(), EligibleSpec{Lists: lists[:3], Partner: "ID", Now: moment0}) {
		if err != nil || e.Indicator == 0 {
			t.Fatal(err)
		}
		switch seen++; seen {
		case 1:
			d.update(t, func(tx *Tx) error { return tx.DeleteList(lists[0]) })
		case eligiblePage:
			d.load(t, List{ID: lists[1], Kind: "phone"}, rowsOf(t, n, n+500))
		}
	}
	if seen < n || seen > n+500 {
		t.Errorf("%d values", seen)
	}
	ended := d.Close()
	for _, err := range d.AllEligible(t.Context(), EligibleSpec{Lists: lists}) {
		if err == nil || ended != nil {
			t.Errorf("a closed store: %v", ended)
		}
	}
}

// TestEligibleAgrees compares with snapshots on random stores: see also TestFollow.
func TestEligibleAgrees(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 4))
		d := newDesk(t)
		names := []string{"wanted", "associates", "victims"}
		for range 30 {
			importAny(t, d, r, d.anyList(t, names[r.IntN(3)]))
		}
		for _, partner := range []string{"ID", "TH", "NZ"} {
			f := &follower{spec: EligibleSpec{Partner: partner, Now: moment0.Add(time.Duration(r.IntN(100)) * time.Hour)}}
			for _, name := range names[:1+r.IntN(3)] {
				f.spec.Lists = append(f.spec.Lists, d.anyList(t, name).ID)
			}
			f.begin(t, d)
			agree(t, d, f)
		}
	}
}

// TestPlans requires that the work of each query follows from what it looks for, not from
// what the store holds.
func TestPlans(t *testing.T) {
	d := newDesk(t)
	few, some := ofLookups(make([]Lookup, 3)), between([]byte{0}, []byte{1})
	lists := []int64{1, 2}
	for name, c := range map[string]struct {
		query string
		args  []any
		want  string
	}{
		"few values":         {few.onLists(lists).candidates(), few.onLists(lists).args, "SEARCH r USING INDEX records_lookup (lookup=?)"},
		"page of values":     {some.onLists(lists).candidates(), some.onLists(lists).args, "SEARCH r USING INDEX records_lookup (lookup>? AND lookup<?)"},
		"end of a page":      {some.onLists(lists).pageEnd(), append(some.onLists(lists).args, 1), "SEARCH r USING COVERING INDEX records_lookup (lookup>? AND lookup<?)"},
		"never with, few":    {few.neverWith(), few.args, "SEARCH r USING INDEX records_never_with (lookup=?)"},
		"never with, page":   {some.neverWith(), some.args, "SEARCH r USING INDEX records_never_with (lookup>? AND lookup<?)"},
		"shielded":           {few.candidates(), few.args, "SEARCH o USING INDEX records_shielded (lookup=?)"},
		"held":               {few.candidates(), few.args, "SEARCH h USING INDEX held_lookup (lookup=?)"},
		"expired":            {expiredBetween, []any{1, 2}, "SEARCH records USING INDEX records_expires (expires>? AND expires<?)"},
		"list of a snapshot": {inList(1).candidates(), inList(1).args, "SEARCH r USING INDEX records_list (list=?)"},
	} {
		var plan []string
		d.view(t, func(tx *Tx) error {
			return tx.rows("EXPLAIN QUERY PLAN "+c.query, c.args, func(scan func(...any) error) error {
				var id, parent, unused int
				var step string
				err := scan(&id, &parent, &unused, &step)
				plan = append(plan, step)
				return err
			})
		})
		if !slices.Contains(plan, c.want) {
			t.Errorf("%s: %q", name, plan)
		}
	}
}
