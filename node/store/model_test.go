package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"entente/node/intake"
	"entente/protocol/indicator"
)

// model is what the lists should hold, said as simply as it can be: for each list, the
// records by number and what is held back.
type model struct {
	records map[string]map[int]indicator.Handling
	held    map[string]map[int]bool
}

// add says what becomes of a row: "new", "duplicate" or "held".
func (m *model) add(list string, n int, h indicator.Handling, visible *model) string {
	if !h.Shielded() {
		for other, records := range visible.records {
			if o, ok := records[n]; ok && other != list && o.Shielded() {
				m.held[list][n] = true
				return "held"
			}
		}
		for _, held := range visible.held {
			if held[n] {
				m.held[list][n] = true
				return "held"
			}
		}
	}
	old, ok := m.records[list][n]
	if !ok {
		m.records[list][n] = h
		return "new"
	}
	old.Minor = old.Minor || h.Minor
	old.NeverWith = union(old.NeverWith, h.NeverWith)
	if !h.Expires.IsZero() {
		old.Expires = h.Expires
	}
	if h.Category == indicator.Victim {
		old.Category = h.Category
	}
	m.records[list][n] = old
	return "duplicate"
}

// snapshot says which numbers take part with a partner, and how many do not.
func (m *model) snapshot(list, partner string) (in []int, out map[string]int) {
	out = make(map[string]int)
	for n, h := range m.records[list] {
		shielded, never, held := false, false, false
		for _, records := range m.records {
			o, ok := records[n]
			shielded = shielded || ok && o.Shielded()
			never = never || ok && slices.Contains(o.NeverWith, partner)
		}
		for _, l := range m.held {
			held = held || l[n]
		}
		switch {
		case shielded:
			out[ExcludedShielded]++
		case held:
			out[ExcludedHeld]++
		case never:
			out[ExcludedNeverWith]++
		case !h.Expires.IsZero() && !moment0.Before(h.Expires):
			out[ExcludedExpired]++
		default:
			in = append(in, n)
		}
	}
	return in, out
}

func (m *model) clone() *model {
	c := &model{make(map[string]map[int]indicator.Handling), make(map[string]map[int]bool)}
	for l := range m.records {
		c.records[l], c.held[l] = maps.Clone(m.records[l]), maps.Clone(m.held[l])
	}
	return c
}

// TestModel imports random rows into three lists, some imports rolled back, and compares
// every count and snapshot with the model, under several sizes of flush.
func TestModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			d := newDesk(t)
			d.flushRows = []int{1, 2, 7, 1 << 16}[seed%4]
			m := &model{make(map[string]map[int]indicator.Handling), make(map[string]map[int]bool)}
			lists := make(map[string]List)
			names := []string{"wanted", "associates", "victims"}
			for _, name := range names {
				lists[name] = d.list(t, name, indicator.Suspect)
				m.records[name], m.held[name] = make(map[int]indicator.Handling), make(map[int]bool)
			}
			for range 25 {
				m = importRandom(t, d, r, m, lists[names[r.IntN(3)]])
			}
			for _, name := range names {
				compare(t, d, m, lists[name])
			}
			if n := d.stale(t); n != 0 {
				t.Errorf("%d records expire at another time than their column says", n)
			}
		})
	}
}

// importRandom does one import to the store and to the model, and returns the model after it.
func importRandom(t *testing.T, d *desk, r *rand.Rand, m *model, l List) *model {
	t.Helper()
	i, err := d.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	after := m.clone()
	for range 1 + r.IntN(3) {
		var batch []intake.Record
		want := make(map[string]int)
		visible := after.clone() // rows of one batch do not see what others of it are held for
		for range r.IntN(10) {
			h := indicator.Handling{Category: indicator.Suspect, Minor: r.IntN(9) == 0}
			switch r.IntN(6) {
			case 0:
				h.NeverWith = []string{[]string{"ID", "TH"}[r.IntN(2)]}
			case 1:
				h.Expires = moment0.AddDate(0, 0, r.IntN(3)-1)
			case 2:
				if l.Name == "victims" {
					h.Category = indicator.Victim
				}
			}
			n := r.IntN(25)
			batch = append(batch, intake.Record{Value: phone(t, n), Handling: h, Line: len(batch)})
			want[after.add(l.Name, n, h, visible)]++
		}
		got, err := i.Add(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if got.New != want["new"] || got.Duplicate != want["duplicate"] || got.Held != want["held"] ||
			len(got.HeldLines) != got.Held || len(got.DuplicateLines) != got.Duplicate {
			t.Fatalf("added %+v, not %v", got, want)
		}
	}
	if r.IntN(4) == 0 {
		after = m
		err = i.Rollback(t.Context())
	} else {
		err = i.Commit(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return after
}

func compare(t *testing.T, d *desk, m *model, l List) {
	t.Helper()
	d.view(t, func(tx *Tx) error {
		have, err := tx.List(l.ID)
		if have.Items != int64(len(m.records[l.Name])) || have.Held != int64(len(m.held[l.Name])) {
			t.Errorf("%s has %d items and %d held, not %d and %d", l.Name, have.Items, have.Held, len(m.records[l.Name]), len(m.held[l.Name]))
		}
		return err
	})
	for _, partner := range []string{"ID", "TH", "NZ"} {
		in, out := m.snapshot(l.Name, partner)
		s := d.take(t, partner, l)
		if !maps.Equal(s.Excluded, out) || !slices.Equal(d.elements(t, s.ID), expect(t, in...)) {
			t.Errorf("%s with %s: %d items, %v out; the model has %d and %v", l.Name, partner, s.Items, s.Excluded, len(in), out)
		}
	}
}
