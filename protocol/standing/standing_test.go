package standing

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestLife(t *testing.T) {
	for number := range uint8(2) {
		t.Run(fmt.Sprint("feed ", number), func(t *testing.T) {
			f := newFeed(t, number)
			f.shelf.list["a"], f.shelf.list["b"] = true, true
			f.queue.list["b"], f.queue.list["c"] = true, true
			r := f.sync().must(t)
			f.check()
			if !r.ask.Begun || r.ask.Blocks != 1 || r.ask.Chunks != 1 || r.hold.Chunks != 1 || r.ask.Mark != r.hold.Mark {
				t.Errorf("first sync: %+v, %+v", r.ask, r.hold)
			}
			// c comes at the holder later, b goes: tested against what was asked before.
			f.shelf.list["c"] = true
			delete(f.shelf.list, "b")
			f.shelf.change()
			r = f.sync().must(t)
			f.check()
			if r.ask.Begun || r.ask.Runs != 1 || r.ask.Chunks != 0 {
				t.Errorf("second sync: %+v", r.ask)
			}
			last := f.proofs.all[len(f.proofs.all)-1]
			if last.Run != 1 || last.Removed != 64 || last.Digest != f.shelf.marks[1].Digest {
				t.Errorf("receipt %+v", last)
			}
			// An urgent check does not count against the period's places.
			f.queue.list["d"] = true
			f.queue.urgent = []string{"d"}
			f.queue.made["d"] = true
			f.sync().must(t)
			f.check()
			var a Account
			if err := f.meter.with(func(now *Account) error { a = *now; return nil }); err != nil {
				t.Fatal(err)
			}
			if a.Used != 64 || a.Checks != 1 || a.Next != 2 || a.Acknowledged != 2 || len(f.meter.answers) != 0 {
				t.Errorf("account %+v, %d answers", a, len(f.meter.answers))
			}
			// A second period: everything is asked again.
			first := f.cache.state.Period
			f.now.Add(8 * 24 * hour)
			r = f.sync().must(t)
			f.check()
			second := f.cache.state.Period
			if !r.ask.Begun || second.Index <= first.Index || second.Public == first.Public || r.ask.Chunks != 1 {
				t.Errorf("second period: %+v after %+v", second, first)
			}
		})
	}
}

// TestEqualsPlainIntersection: after every sync the hits are what plain sets give, for
// whatever comes and goes on both sides, comes back, and for new periods in between.
func TestEqualsPlainIntersection(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			f := newFeed(t, uint8(seed%2))
			change := func(list map[string]bool, universe, times int) {
				for range random.IntN(times) {
					item := fmt.Sprint(random.IntN(universe))
					if random.IntN(3) == 0 {
						delete(list, item)
					} else {
						list[item] = true
					}
				}
			}
			for range 8 {
				change(f.shelf.list, 60, 40)
				change(f.queue.list, 60, 30)
				f.shelf.renew = random.IntN(5) == 0
				if !f.shelf.renew {
					f.shelf.change()
				}
				f.queue.cadence = random.IntN(2) == 0
				f.sync().must(t)
				if f.shelf.open != nil {
					f.check()
				}
			}
		})
	}
}
