package store

import (
	"math/rand/v2"
	"testing"
	"time"

	"entente/node/intake"
	"entente/protocol/indicator"
)

// TestFacesAreKept: elements of faces, the longest that there are, come back from the list, from
// a snapshot and from a backup.
func TestFacesAreKept(t *testing.T) {
	const faces = 500
	d := newDesk(t)
	spec := phoneList("portraits", indicator.Suspect)
	spec.Kind = indicator.Face
	var l List
	d.update(t, func(tx *Tx) (err error) {
		l, err = tx.EnsureList(spec)
		return err
	})
	r := rand.New(rand.NewPCG(1, 9))
	want := map[string]bool{}
	var batch []intake.Record
	for n := range faces {
		numbers := make([]float64, 1024)
		for i := range numbers {
			numbers[i] = r.NormFloat64()
		}
		v, _, err := indicator.ParseFace("a-model-with-a-name-of-forty-characters.", numbers)
		if err != nil {
			t.Fatal(err)
		}
		want[string(v.Element())] = true
		batch = append(batch, intake.Record{Value: v, Handling: row(t, n).Handling, Line: n + 1})
	}
	if a := d.load(t, l, batch, batch[:7]); a.New != faces || a.Duplicate != 7 {
		t.Errorf("%+v", a)
	}
	check := func(d *desk) {
		t.Helper()
		s, err := d.TakeSnapshot(t.Context(), SnapshotSpec{Lists: []int64{l.ID}, Kind: indicator.Face, Partner: "ID", Now: moment0})
		if err != nil || s.Items != faces {
			t.Fatalf("%+v, %v", s, err)
		}
		seen := 0
		for item, err := range d.SnapshotItems(t.Context(), s.ID) {
			if err != nil || !want[string(item.Element)] || len(item.Element) != 1413 {
				t.Fatalf("an element of %d bytes, %v", len(item.Element), err)
			}
			if seen++; seen%100 != 1 {
				continue
			}
			d.view(t, func(tx *Tx) error {
				record, err := tx.Indicator(item.Indicator)
				if string(record.Value.Element()) != string(item.Element) {
					t.Error("the record is another")
				}
				return err
			})
		}
		if seen != faces {
			t.Errorf("%d items", seen)
		}
	}
	check(d)
	check(d.restored(t, t.TempDir(), d.backup(t), moment0.Add(time.Hour)))
}
