package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"entente/node/intake"
	"entente/protocol/indicator"
)

// touched reads the log after a number, in small pages, and returns whose numbers it names.
func (d *desk) touched(t testing.TB, after int64) (names []int, last int64) {
	t.Helper()
	known := make(map[Lookup]int)
	for n := range 100 {
		known[d.Lookup(phone(t, n))] = n
	}
	d.view(t, func(tx *Tx) error {
		last = after
		for {
			page, err := tx.Touched(last, 3)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, e := range page {
				n, ok := known[e.Lookup]
				if !ok || e.Sequence != last+1 {
					t.Errorf("entry %d after %d names %d", e.Sequence, last, n)
				}
				names, last = append(names, n), e.Sequence
			}
		}
	})
	slices.Sort(names)
	return slices.Compact(names), last
}

// suiteTouched goes through every change, one at a time.
func suiteTouched(t *testing.T, d *desk) {
	d.flushRows = 2
	l := d.list(t, "wanted", indicator.Suspect)
	victims := d.list(t, "victims", indicator.Victim)
	d.load(t, l, rowsOf(t, 0, 3))
	if names, _ := d.touched(t, 0); len(names) != 0 {
		t.Errorf("nobody follows, but %d values are logged", len(names))
	}
	d.follow(t)
	var last int64
	expect := func(what string, want ...int) {
		t.Helper()
		var names []int
		if names, last = d.touched(t, last); !slices.Equal(names, want) {
			t.Errorf("%s: %v are logged, not %v", what, names, want)
		}
	}
	d.load(t, l, rowsOf(t, 2, 8))
	expect("new rows", 3, 4, 5, 6, 7)
	d.load(t, l, rowsOf(t, 2, 8))
	expect("the same again")
	d.load(t, l, []intake.Record{row(t, 1, minor), row(t, 2, never("TH")), row(t, 3, expires(moment0)),
		row(t, 4, func(h *indicator.Handling) { h.CaseReference = "case" })})
	expect("merged", 1, 2, 3)
	d.load(t, l, []intake.Record{row(t, 9), row(t, 9, minor), row(t, 2, never("ID"))})
	expect("never with one more", 2, 9)
	d.load(t, victims, []intake.Record{row(t, 5, victim), row(t, 30, victim)})
	expect("shielded on another list", 5, 30)
	d.load(t, l, rowsOf(t, 30, 32))
	expect("held", 30, 31)
	i, err := d.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Add(t.Context(), append(rowsOf(t, 40, 50), row(t, 4, minor))); err != nil {
		t.Fatal(err)
	}
	expect("an open import")
	if err := i.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("a rolled back import")
	d.update(t, func(tx *Tx) error { return tx.DeleteList(victims.ID) })
	expect("a deleted list", 5, 30)
	d.update(t, func(tx *Tx) error { return tx.DeleteList(l.ID) })
	expect("the other one", 0, 1, 2, 3, 4, 5, 6, 7, 9, 30, 31)
	d.update(t, func(tx *Tx) error {
		return tx.PutSubscription(Subscription{ID: [16]byte{7}, Partner: "ID", State: "ended", Over: true})
	})
	d.load(t, d.list(t, "wanted", indicator.Suspect), rowsOf(t, 0, 3))
	expect("nobody follows any more")
}

func suiteForget(t *testing.T, d *desk) {
	d.follow(t)
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, rowsOf(t, 0, 10))
	last := func() (n int64) {
		d.view(t, func(tx *Tx) (err error) { n, err = tx.LastTouch(); return err })
		return n
	}
	page := func(after int64, limit int) (int, error) {
		var got []Touch
		err := d.View(t.Context(), func(tx *Tx) (err error) { got, err = tx.Touched(after, limit); return err })
		return len(got), err
	}
	d.update(t, func(tx *Tx) error { return tx.ForgetTouched(4) })
	for _, c := range []struct {
		after int64
		limit int
		want  int
		err   error
	}{{4, 100, 6, nil}, {4, 2, 2, nil}, {10, 5, 0, nil}, {9, 5, 1, nil}, {3, 5, 0, ErrNotFound}, {0, 5, 0, ErrNotFound}, {4, 0, 0, nil}} {
		if n, err := page(c.after, c.limit); n != c.want || !errors.Is(err, c.err) {
			t.Errorf("%d after %d: %v", n, c.after, err)
		}
	}
	d.update(t, func(tx *Tx) error { return tx.ForgetTouched(1 << 60) })
	if n, err := page(10, 5); last() != 10 || n != 0 || err != nil {
		t.Errorf("all forgotten: the last is %d, %d after it, %v", last(), n, err)
	}
	if _, err := page(9, 5); !errors.Is(err, ErrNotFound) {
		t.Errorf("the last one forgotten: %v", err)
	}
	d.load(t, l, rowsOf(t, 10, 11))
	if n, err := page(10, 5); last() != 11 || n != 1 || err != nil {
		t.Errorf("then the last is %d, %d new, %v", last(), n, err)
	}
}

// suiteExpiry moves the clock in both directions.
func suiteExpiry(t *testing.T, d *desk) {
	d.follow(t)
	at := func(hours int) time.Time { return moment0.Add(time.Duration(hours) * time.Hour) }
	l := d.list(t, "wanted", indicator.Suspect)
	d.load(t, l, []intake.Record{row(t, 0), row(t, 1, expires(at(1))), row(t, 2, expires(at(2))), row(t, 3, expires(at(3))),
		row(t, 4, expires(time.UnixMilli(0))), row(t, 5, expires(time.UnixMilli(-5)))})
	open, err := d.Importer(t.Context(), d.list(t, "more", indicator.Suspect).ID)
	if err != nil {
		t.Fatal(err)
	}
	d.flushRows = 1
	if _, err := open.Add(t.Context(), []intake.Record{row(t, 20, expires(at(2)))}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Rollback(t.Context()) }() // nothing but what the test saw
	_, last := d.touched(t, 0)
	for _, c := range []struct {
		now  time.Time
		want []int
	}{
		{at(0), []int{4, 5}}, {at(0), nil}, {at(1).Add(-time.Nanosecond), nil}, {at(1), []int{1}}, {at(1), nil},
		{at(5), []int{2, 3}}, {at(1), []int{2, 3}}, {at(0), []int{1}}, {at(2), []int{1, 2}}, {at(2), nil},
		{time.UnixMilli(-9), []int{1, 2, 4, 5}}, {time.UnixMilli(-8), nil}, {at(0), []int{4, 5}},
	} {
		var n int64
		d.update(t, func(tx *Tx) (err error) { n, err = tx.TouchExpired(c.now); return err })
		var names []int
		if names, last = d.touched(t, last); !slices.Equal(names, c.want) || int(n) != len(c.want) {
			t.Errorf("at %v: %v, %d logged, not %v", c.now, names, n, c.want)
		}
	}
	// A pass that was later than the clock says counts: what it named is out.
	d.update(t, func(tx *Tx) error { _, err := tx.TouchExpired(at(2)); return err })
	spec := EligibleSpec{Lists: []int64{l.ID}, Partner: "ID", Now: at(0)}
	if got := d.all(t, spec); !slices.Equal(got, elementsOf(t, 0, 3)) {
		t.Errorf("%d take part", len(got))
	}
}

// follower keeps what takes part with a partner from the log of changes alone.
type follower struct {
	spec EligibleSpec
	seen int64
	has  map[Lookup]Eligible
}

func (f *follower) begin(t *testing.T, d *desk) {
	t.Helper()
	f.has = make(map[Lookup]Eligible)
	d.view(t, func(tx *Tx) (err error) { f.seen, err = tx.LastTouch(); return err })
	for e, err := range d.AllEligible(t.Context(), f.spec) {
		if err != nil {
			t.Fatal(err)
		}
		f.has[e.Lookup] = e
	}
}

func (f *follower) catchUp(t *testing.T, d *desk) {
	t.Helper()
	for {
		var lookups []Lookup
		d.view(t, func(tx *Tx) error {
			page, err := tx.Touched(f.seen, 7)
			for _, e := range page {
				lookups, f.seen = append(lookups, e.Lookup), e.Sequence
			}
			return err
		})
		if len(lookups) == 0 {
			return
		}
		got, err := d.Eligible(t.Context(), f.spec, lookups)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lookups {
			delete(f.has, l)
		}
		for _, e := range got {
			f.has[e.Lookup] = e
		}
	}
}

// TestFollow does random imports, deletions and passes of a clock that jumps. Followers
// that read the log now and then must hold what a snapshot would hold.
func TestFollow(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			d := newDesk(t)
			d.flushRows = []int{1, 3, 1 << 16}[seed%3]
			d.follow(t)
			names := []string{"wanted", "associates", "victims"}
			now := moment0
			var followers []*follower
			for _, partner := range []string{"ID", "th", "NZ"} {
				f := &follower{spec: EligibleSpec{Partner: partner, Now: now}}
				f.begin(t, d)
				followers = append(followers, f)
			}
			for range 40 {
				switch r.IntN(8) {
				case 0:
					gone := d.anyList(t, names[r.IntN(3)])
					d.update(t, func(tx *Tx) error { return tx.DeleteList(gone.ID) })
				case 1, 2:
					now = now.Add(time.Duration(r.IntN(7)-2) * 6 * time.Hour)
					d.update(t, func(tx *Tx) error { _, err := tx.TouchExpired(now); return err })
				default:
					importAny(t, d, r, d.anyList(t, names[r.IntN(3)]))
				}
				for _, f := range followers {
					f.spec.Lists, f.spec.Now = nil, now
					for _, name := range names[:2] {
						f.spec.Lists = append(f.spec.Lists, d.anyList(t, name).ID)
					}
					if r.IntN(3) == 0 {
						f.catchUp(t, d)
						agree(t, d, f)
					}
				}
			}
		})
	}
}

// anyList returns the list of a name, which may have been deleted before.
func (d *desk) anyList(t *testing.T, name string) List { return d.list(t, name, indicator.Suspect) }

// importAny imports a few rows of any handling; some imports are rolled back.
func importAny(t *testing.T, d *desk, r *rand.Rand, l List) {
	t.Helper()
	i, err := d.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	var batch []intake.Record
	for range 1 + r.IntN(6) {
		h := indicator.Handling{Category: indicator.Suspect, Minor: r.IntN(15) == 0}
		switch r.IntN(5) {
		case 0:
			h.NeverWith = []string{[]string{"ID", "TH"}[r.IntN(2)]}
		case 1, 2:
			h.Expires = moment0.Add(time.Duration(r.IntN(20)-3) * 6 * time.Hour)
		}
		batch = append(batch, intake.Record{Value: phone(t, r.IntN(40)), Handling: h})
	}
	_, err = i.Add(t.Context(), batch)
	if r.IntN(5) == 0 {
		err = errors.Join(err, i.Rollback(t.Context()))
	} else {
		err = errors.Join(err, i.Commit(t.Context(), nil))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// agree compares a follower with AllEligible, Eligible and a snapshot.
func agree(t *testing.T, d *desk, f *follower) {
	t.Helper()
	taken, err := d.TakeSnapshot(t.Context(), SnapshotSpec{Lists: f.spec.Lists, Kind: "phone", Partner: f.spec.Partner, Now: f.spec.Now})
	if err != nil {
		t.Fatal(err)
	}
	var want, got, all []string
	for item, err := range d.SnapshotItems(t.Context(), taken.ID) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("phone %q %d", item.Element, item.Indicator))
	}
	for _, e := range f.has {
		got = append(got, fmt.Sprintf("%s %q %d", e.Kind, e.Element, e.Indicator))
	}
	for e, err := range d.AllEligible(t.Context(), f.spec) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %q %d", e.Kind, e.Element, e.Indicator))
	}
	slices.Sort(want)
	slices.Sort(got)
	slices.Sort(all)
	if !slices.Equal(want, all) || !slices.Equal(want, got) {
		t.Errorf("with %s: the snapshot holds %d, AllEligible gives %d, the follower has %d", f.spec.Partner, len(want), len(all), len(got))
	}
	if err := d.DropSnapshot(t.Context(), taken.ID); err != nil {
		t.Fatal(err)
	}
}
