package standing_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/standing"
)

// present moves a bubble's clock, which begins before entries may be made, to where they
// may.
func present() { pass(time.Until(time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC))) }

// desk is a side with what its lists hold, for comparison.
type desk struct {
	*side
	lists map[string]map[string]bool
}

func (d *desk) fill(list string, values ...string) {
	d.suspects(list, values...)
	if d.lists[list] == nil {
		d.lists[list] = map[string]bool{}
	}
	for _, v := range values {
		d.lists[list][v] = true
	}
}

func (d *desk) empty(list string) {
	d.drop(list)
	delete(d.lists, list)
}

func (d *desk) all() map[string]bool {
	out := map[string]bool{}
	for _, l := range d.lists {
		maps.Copy(out, l)
	}
	return out
}

// TestQuarter lives through a quarter with daily changes of both lists, lists that are
// deleted and come back, and thirteen tag periods. After each run both sides know of
// everything that both hold, and of nothing that they never held at the same time.
func TestQuarter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "AU-TIP")
		random := rand.New(rand.NewPCG(6, 4))
		draw := func() []string {
			var out []string
			for range 1 + random.IntN(6) {
				out = append(out, numbers(random.IntN(80), 1)[0])
			}
			slices.Sort(out)
			return slices.Compact(out)
		}
		names := []string{"wanted", "second", "third"}
		var sides []*desk
		for _, id := range []string{"AU", "ID"} {
			d := &desk{side: w.fresh(id), lists: map[string]map[string]bool{}}
			if id == "ID" {
				d.Fold(500) // runs go into the file of the publication every few days
			}
			for _, name := range names {
				d.fill(name, draw()...)
			}
			sides = append(sides, d)
		}
		ever := map[string]bool{}
		both := func() (now []string) {
			theirs := sides[1].all()
			for v := range sides[0].all() {
				if theirs[v] {
					now, ever[v] = append(now, v), true
				}
			}
			return now
		}
		both()
		days := 89
		if testing.Short() {
			days = 9
		}
		sub := sides[0].subscribe(func(r *standing.Request) { r.Lists, r.For = names, time.Duration(days+1)*24*time.Hour })
		last := time.Time{}
		for day := range days {
			after := sides[0].ran(sub, last)
			synctest.Wait()
			last = *after.LastRun
			for _, d := range sides {
				found := d.values(sub)
				for _, v := range both() {
					if _, ok := slices.BinarySearch(found, v); !ok {
						t.Errorf("day %d: %s does not know of %s", day, d.id, v)
					}
				}
				for _, v := range found {
					if !ever[v] {
						t.Errorf("day %d: %s was told of %s, which was never on both lists", day, d.id, v)
					}
				}
			}
			if t.Failed() {
				return
			}
			pass(6 * time.Hour)
			for _, d := range sides {
				list := names[random.IntN(len(names))]
				if d.lists[list] != nil && random.IntN(7) == 0 {
					d.empty(list)
				} else {
					d.fill(list, draw()...)
				}
				both()
			}
			pass(time.Hour) // what a deletion sets off is over
			if v := sides[0].show(sub); v.LastRun.After(last) {
				last = *v.LastRun
			}
		}
		for _, d := range sides {
			if v := d.show(sub); v.State != "active" || v.Refused > 0 || v.Broke {
				t.Errorf("%s: %s, %d refused, %q", d.id, v.State, v.Refused, v.Note)
			}
		}
		pass(3 * 24 * time.Hour)
		for _, d := range sides {
			if v := d.show(sub); v.State != "expired" {
				t.Errorf("%s: after its last day it is %s", d.id, v.State)
			}
			left, err := d.store.Segments()
			if err != nil || len(left) > 0 {
				t.Errorf("%s: files are left: %v, %v", d.id, left, err)
			}
		}
		w.halt(sides[0].side, sides[1].side)
		if len(ever) < min(days/2, 15) {
			t.Errorf("only %d values were ever shared: the test shows little", len(ever))
		}
	})
}
