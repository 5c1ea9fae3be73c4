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

// TestManyChunks: a first evaluation of many more chunks than may be under way goes through,
// with what the holder stores bounded all the time.
func TestManyChunks(t *testing.T) {
	f := newFeed(t, 0)
	f.queue.split = 1
	for i := range 3 * Window {
		f.queue.list[fmt.Sprint(i)] = true
		f.shelf.list[fmt.Sprint(2*i)] = true
	}
	var tp tape
	f.wrap = tp.wrap
	r := f.sync().must(t)
	f.check()
	if r.ask.Chunks != 3*Window || r.hold.Chunks != 3*Window || f.meter.places != 3*Window*64 || len(f.meter.answers) != 0 {
		t.Errorf("%+v, %+v, %d places, %d answers stored", r.ask, r.hold, f.meter.places, len(f.meter.answers))
	}
	if f.meter.most > Window {
		t.Errorf("%d answers were stored at a time", f.meter.most)
	}
	acknowledged := uint32(0)
	for _, fr := range tp.frames {
		switch fr.kind {
		case kindAcknowledged:
			m, err := decode[acknowledgedMessage](fr.body)
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = m.Next
		case kindQuestions:
			if a, err := decodeQuestions(fr.body); err != nil || a.number >= acknowledged+Window {
				t.Errorf("chunk %d after %d were acknowledged: %v", a.number, acknowledged, err)
			}
		}
	}
}
