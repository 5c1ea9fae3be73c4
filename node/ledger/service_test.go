package ledger

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/entry"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// Ten members with five sequencers: what everybody writes is final everywhere.
func TestLedgerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, 5)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		for i, id := range w.ids() {
			w.write(id, byte(i))
		}
		if took := w.until("all final", func() bool { return w.settled(w.ids()...) }); took > 2*time.Second {
			t.Errorf("ten entries were final after %s", took)
		}
	})
}

// leader is who leads, by what most sequencers say.
func (w *world) leader() string {
	count := map[string]int{}
	for _, m := range w.members {
		if m.service == nil {
			continue
		}
		if q := m.service.sequencer(); q != nil {
			if l := q.order.Leader(); l != "" {
				count[l]++
			}
		}
	}
	best := ""
	for id, n := range count {
		if n > count[best] || best == "" {
			best = id
		}
	}
	return best
}

// A leader that dies under load: nothing is lost, and what is written is final again soon.
func TestLeaderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, 5)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		for n := range 20 {
			for i, id := range w.ids() {
				w.write(id, byte(10*n+i))
			}
		}
		old := w.leader()
		left := slices.DeleteFunc(w.ids(), func(id string) bool { return id == old })
		w.members[old].stop()
		w.write(left[0], 1)
		if took := w.until("all final", func() bool { return w.settled(left...) }); took > 5*time.Second {
			t.Errorf("final again after %s", took)
		}
		w.start(old)
		w.until("the old leader has caught up", func() bool { return w.settled(w.ids()...) })
	})
}

// Members that were away catch up, also by more than one step; sequencers too.
func TestMembersCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		w.members[name(3)].stop() // a sequencer
		w.members[name(6)].stop()
		for n := range 60 {
			for i := range 3 {
				w.write(name(i), byte(n))
			}
		}
		w.until("all final", func() bool { return w.settled(name(0), name(1), name(2), name(4), name(5)) })
		w.start(name(3))
		w.start(name(6))
		w.until("those who were away have caught up", func() bool { return w.settled(w.ids()...) })
		w.write(name(3), 1)
		w.write(name(6), 1)
		w.until("they take part", func() bool { return w.settled(w.ids()...) })
	})
}

// With too many members away nothing is final, and nothing is lost.
func TestNotEnoughMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		before := w.final(name(0))
		w.members[name(2)].stop()
		w.members[name(3)].stop()
		w.write(name(0), 1)
		time.Sleep(time.Minute)
		if now := w.final(name(0)); now != before {
			t.Errorf("%d entries are final with two of four, %d were", now, before)
		}
		w.start(name(2))
		w.until("it is final with three of four", func() bool { return w.settled(name(0), name(1), name(2)) })
	})
}

// A change of sequencers takes effect when it is final: who sequences no more has no vote, and
// who sequences now orders entries.
func TestSequencersChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		next := []string{name(1), name(2), name(4), name(5)}
		w.change(entry.Sequencers, entry.Seats{Members: next}, 0, 1, 2, 3, 4)
		w.until("the change is final", func() bool {
			return slices.Equal(w.members[name(6)].service.sequencers(), next)
		})
		w.until("the new ones order entries", func() bool {
			q := w.members[name(4)].service.sequencer()
			if q == nil || q.order.Leader() == "" || w.members[name(0)].service.sequencer() != nil {
				return false
			}
			now, err := q.order.Voters()
			return err == nil && slices.Equal(now, next)
		})
		w.write(name(0), 1)
		w.write(name(4), 1)
		w.until("all final", func() bool { return w.settled(w.ids()...) })
	})
}

// change has a member propose a change, and others approve it.
func (w *world) change(a entry.Action, body any, by int, approvals ...int) {
	w.t.Helper()
	w.until("the ledger has a time", func() (ok bool) {
		must(w.t, w.members[name(by)].service.mirror.State(func(s *replay.State) { ok = s.Clock() > 0 }))
		return ok
	})
	b, err := entry.Propose(a, body, today().Add(time.Hour).UnixMilli())
	must(w.t, err)
	c := w.members[name(by)].chain
	must(w.t, c.Append(w.t.Context(), entry.Proposal, func(entry.Head) ([]byte, error) { return b, nil }))
	digest := c.heads[len(c.heads)-1].Digest
	w.until("the proposal is held", func() bool { return w.settled(w.ids()...) })
	ref, err := entry.Body(entry.Reference{Proposal: digest[:]})
	must(w.t, err)
	for _, i := range approvals {
		must(w.t, w.members[name(i)].chain.Append(w.t.Context(), entry.Approval, func(entry.Head) ([]byte, error) { return ref, nil }))
	}
}

// A member that is expelled is told to nobody as a member any more, once that is final.
func TestExpelledMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5, 4)
		told := make(chan int, 10)
		w.members[name(1)].options.Members = func(r roster.Roster, suspended []string) { told <- len(r.Members) }
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		w.change(entry.Leave, entry.Concerned{Member: name(4)}, 0, 1, 2, 3)
		w.until("it is final", func() bool { return len(w.members[name(1)].service.others()) == 3 })
		var last int
		for len(told) > 0 {
			last = <-told
		}
		if last != 4 {
			t.Errorf("the last list of members had %d", last)
		}
		var active []string
		must(t, w.members[name(1)].service.mirror.State(func(s *replay.State) { active = s.Active() }))
		if slices.Contains(active, name(4)) {
			t.Error("the expelled member is active")
		}
	})
}

// Members that are cut off from each other, and sequencers from a minority of the others, go
// on when the cut is healed; nothing is final on two sides.
func TestPartitionHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		cut := func(on bool) {
			for _, a := range []int{0, 4} {
				for _, b := range []int{1, 2, 3, 5, 6} {
					w.separate(name(a), name(b), on)
				}
			}
		}
		cut(true)
		w.write(name(0), 1)
		w.write(name(1), 1)
		larger := []string{name(1), name(2), name(3), name(5), name(6)}
		w.until("the larger side goes on", func() bool { return w.settled(larger...) })
		if w.settled(name(0), name(4)) {
			t.Error("the smaller side made something final")
		}
		cut(false)
		w.until("all final", func() bool { return w.settled(w.ids()...) })
	})
}
