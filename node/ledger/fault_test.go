package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/replay"
)

// begun founds a federation whose ledger has begun; prepare changes its members before.
func begun(t *testing.T, n, s int, prepare func(w *world)) *world {
	t.Helper()
	w := newWorld(t, n, s)
	if prepare != nil {
		prepare(w)
	}
	w.startAll()
	w.until("all final", func() bool { return w.settled(w.ids()...) })
	return w
}

// timed waits until the ledger's clock runs.
func (w *world) timed() {
	w.t.Helper()
	w.until("the ledger has a time", func() (ok bool) {
		must(w.t, w.members[name(0)].service.mirror.State(func(s *replay.State) { ok = s.Clock() > 0 }))
		return ok
	})
}

// soon fails unless all that was written is final within a minute.
func (w *world) soon(ids ...string) {
	w.t.Helper()
	if took := w.until("all final", func() bool { return w.settled(ids...) }); took > time.Minute {
		w.t.Errorf("it was final after %s", took)
	}
}

// Every tenth message is lost, and with it the stream: all is final in time nonetheless.
func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		between := &lossy{r: rand.New(rand.NewPCG(1, 1)), latency: 100 * time.Millisecond}
		w := begun(t, 7, 4, func(w *world) {
			for _, m := range w.members {
				m.options.Open = between.through(m.options.Open)
			}
		})
		defer w.stopAll()
		between.mu.Lock()
		between.loss = 0.1
		between.mu.Unlock()
		for n := range 12 {
			for i := range 7 {
				w.write(name(i), byte(n))
			}
			<-time.After(time.Second)
			w.agreeing()
		}
		w.soon(w.ids()...)
	})
}

// Power cuts in one member after the other, in the middle of writing: it comes back with what it
// had let go, signs no other tree, and nothing is lost.
func TestCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begun(t, 7, 4, nil)
		defer w.stopAll()
		r := rand.New(rand.NewPCG(3, 1))
		for n := range 14 {
			id := name(n % 7)
			for i := range 7 {
				w.write(name(i), byte(n))
			}
			<-time.After(time.Duration(r.IntN(400)) * time.Millisecond)
			w.crash(id, r)
			<-time.After(time.Duration(r.IntN(3000)) * time.Millisecond)
			w.start(id)
			w.agreeing()
		}
		w.soon(w.ids()...)
		w.agreeing()
		w.innocent()
	})
}

// A member that comes back from an old copy of its folder, cosigning key included, has
// forgotten what it signed. That is one faulty member, whatever its part: no two trees are
// final, nobody else is convicted, and the others go on.
func TestOldCopy(t *testing.T) {
	for _, i := range []int{0, 6} { // a sequencer; a cosigner
		synctest.Test(t, func(t *testing.T) {
			w := begun(t, 7, 4, nil)
			defer w.stopAll()
			id := name(i)
			w.members[id].stop()
			old := w.copied(id)
			w.start(id)
			for n := range 3 {
				for k := range 7 {
					w.write(name(k), byte(n))
				}
				w.soon(w.ids()...)
				w.write(name(5), 9) // on its way when the member comes back
				w.members[id].stop()
				w.revert(id, old)
				w.start(id)
				w.agreeing()
				w.soon(w.ids()...)
			}
			w.agreeing()
			w.innocent()
		})
	}
}

// Sequencers are replaced, all of them in two steps, while everybody writes and a leader dies.
func TestSequencersReplacedUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begun(t, 8, 4, nil)
		defer w.stopAll()
		w.timed()
		written := make(chan struct{})
		go func() {
			defer close(written)
			for n := range 15 {
				for i := range 8 {
					w.write(name(i), byte(n))
				}
				<-time.After(time.Second)
			}
		}()
		for _, next := range [][]string{w.ids()[2:6], w.ids()[4:8]} {
			w.replace(name(7), next)
			w.until("the change is final", func() bool {
				return slices.Equal(w.members[name(6)].service.sequencers(), next)
			})
			w.agreeing()
		}
		dead := w.leader()
		w.members[dead].stop()
		<-written
		w.soon(slices.DeleteFunc(w.ids(), func(id string) bool { return id == dead })...)
		w.start(dead)
		w.soon(w.ids()...)
		w.agreeing()
		w.innocent()
		for _, id := range w.ids()[:4] { // a vote may be needed until a leader takes it, and for a while after
			w.until(id+" has left ordering", func() bool { return w.members[id].service.sequencer() == nil })
		}
	})
}

// Clocks that are wrong by any time, at as many members as may be faulty, neither stop the
// ledger nor move its own; at more, behind it, they stop it until they are right again.
func TestWrongClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var skew [7]time.Duration // of members; sequencers are 0 to 3
		set := func(w *world) {
			for i := range 7 {
				m := w.members[name(i)]
				m.options.Now = func() time.Time {
					w.mu.Lock()
					defer w.mu.Unlock()
					return today().Add(skew[i])
				}
				m.chain.now = m.options.Now
			}
		}
		skew = [7]time.Duration{0: 240 * time.Hour, 1: 2 * time.Minute, 2: -2 * time.Minute, 6: -6 * time.Minute}
		w := begun(t, 7, 4, set)
		defer w.stopAll()
		w.timed()
		for n := range 12 {
			for i := range 3 {
				w.write(name(i), byte(n))
			}
			<-time.After(time.Minute)
			var clock time.Time
			must(t, w.members[name(4)].service.mirror.State(func(s *replay.State) { clock = time.UnixMilli(s.Clock()) }))
			if ahead := clock.Sub(today()); ahead > 2*time.Minute || ahead < -2*tickBusy {
				t.Fatalf("the ledger's clock is ahead by %s", ahead)
			}
		}
		w.soon(w.ids()...)

		turn := func(by time.Duration, ids ...int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, i := range ids {
				skew[i] = by
			}
		}
		late := []int{2, 4, 5, 6}
		turn(-20*time.Minute, late...)
		w.write(name(1), 1)
		<-time.After(3 * time.Minute)
		if w.settled(w.ids()...) {
			t.Error("four of seven whose clocks are behind the ledger's cosigned")
		}
		turn(0, late...)
		w.soon(w.ids()...)
		w.agreeing()
	})
}

// Checkpoints that were final once are worth nothing more when they are shown again, also to
// who was away meanwhile; and who sequenced before a change is nobody after it.
func TestReplayedCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begun(t, 7, 4, nil)
		defer w.stopAll()
		var old [][]byte
		keep := func() {
			kept, err := w.members[name(6)].service.mirror.Final()
			must(t, err)
			for _, one := range kept {
				b, err := one.Marshal()
				must(t, err)
				old = append(old, b)
			}
		}
		for n := range 3 {
			keep()
			w.write(name(n), byte(n))
			w.soon(w.ids()...)
		}
		next := []string{name(1), name(2), name(4), name(5)}
		w.timed()
		w.replace(name(0), next)
		w.until("the change is final", func() bool {
			return slices.Equal(w.members[name(6)].service.sequencers(), next)
		})
		w.write(name(5), 7)
		w.soon(w.ids()...)
		for _, i := range []int{1, 3, 6} {
			s := w.members[name(i)].service
			before, err := s.mirror.LastFinal()
			must(t, err)
			for _, b := range old {
				signed, _, err := checkpoint.Unmarshal(b)
				must(t, err)
				must(t, s.finalise(t.Context(), name(0), signed))
			}
			after, err := s.mirror.LastFinal()
			if must(t, err); after != before {
				t.Errorf("%s knew %d entries to be final, and now %d", name(i), before.Size, after.Size)
			}
		}

		// A tree beyond the change, signed by all: those who sequenced before make it none.
		victim := w.members[name(6)].service
		final, err := victim.mirror.LastFinal()
		must(t, err)
		entries, err := victim.mirror.Entries(0, int(final.Size), 1<<30)
		must(t, err)
		reference := w.w.mirror(entries...)
		must(t, reference.State(func(s *replay.State) { w.w.heads[3] = s.Head(name(3)) }))
		w.w.now = today()
		e := w.w.sealed(3, 1)
		_, err = reference.Append(e)
		must(t, err)
		size := final.Size + 1
		everybody := []int{0, 1, 2, 3, 4, 5, 6}
		for _, sequencers := range [][]int{{0, 1, 2, 3}, {1, 2}, {0, 1, 2, 3, 4, 5}} {
			err := victim.mirror.Extend(w.w.signed(reference, size, sequencers, everybody), [][]byte{e})
			if err == nil {
				t.Errorf("a tree beyond the change was taken in, sequenced by %v", sequencers)
			}
		}
		must(t, victim.mirror.Extend(w.w.signed(reference, size, []int{1, 2, 4}, everybody), [][]byte{e}))
	})
}
