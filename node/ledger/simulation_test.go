package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// seedsVariable asks for other seeds than the usual ones: a number of them, or one as "=17".
const seedsVariable = "ENTENTE_SEEDS"

// TestSimulation runs federations in which members come and go, links fail and lose requests,
// and clocks differ, all drawn from a seed: at no time are two conflicting trees final, what is
// final replays, and once the faults end all that was written is final within a minute. How
// goroutines follow one another is not drawn, so a seed that fails need not fail each time.
func TestSimulation(t *testing.T) {
	first, last := uint64(0), uint64(100)
	if asked := os.Getenv(seedsVariable); asked != "" {
		one, alone := strings.CutPrefix(asked, "=")
		n, err := strconv.ParseUint(one, 10, 32)
		must(t, err)
		if last = n; alone {
			first, last = n, n+1
		}
	} else if testing.Short() {
		last = 2
	}
	for seed := first; seed < last; seed++ {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { simulate(t, seed) }) }) {
			t.Errorf("to run it alone: %s==%d go test ./node/ledger -run TestSimulation", seedsVariable, seed)
		}
	}
}

func simulate(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 4))
	n := 4 + r.IntN(6)
	s := 4 + r.IntN(min(n, 7)-3)
	w := newWorld(t, n, s)
	loss := r.Float64() / 10
	chance := rand.New(rand.NewPCG(seed, 5))
	for _, m := range w.members {
		skew := time.Duration(r.IntN(480)-240) * time.Second // up to four minutes: five are refused
		m.options.Now = func() time.Time { return today().Add(skew) }
		m.chain.now = m.options.Now
		inner := m.options.Open
		m.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
			w.mu.Lock()
			lost, late := chance.Float64() < loss, time.Duration(chance.IntN(280)+20)*time.Millisecond
			w.mu.Unlock()
			if !wait(ctx, late) || lost {
				return nil, errors.New("lost")
			}
			return inner(ctx, to, protocol)
		}
	}
	w.startAll()
	defer w.stopAll()
	w.until("it has begun", func() bool { return w.settled(w.ids()...) })
	faulty := roster.Faulty(n)
	for range 25 {
		<-time.After(time.Duration(r.IntN(4000)) * time.Millisecond)
		id := name(r.IntN(n))
		switch m := w.members[id]; r.IntN(6) {
		case 0: // stops, if not too many have
			if down := w.down(); m.stop != nil && down < faulty {
				m.stop()
			}
		case 1:
			if m.stop == nil {
				w.start(id)
			}
		case 2:
			if other := name(r.IntN(n)); other != id {
				w.separate(id, other, r.IntN(2) == 0)
			}
		default:
			w.write(id, byte(r.IntN(256)))
		}
		w.agreeing()
	}
	for i := range n {
		for j := range i {
			w.separate(name(i), name(j), false)
		}
		if w.members[name(i)].stop == nil {
			w.start(name(i))
		}
	}
	if took := w.until("all final", func() bool { return w.settled(w.ids()...) }); took > time.Minute {
		t.Errorf("seed %d: %s after the faults all was final", seed, took)
	}
	w.agreeing()
	w.replays()
	for id, m := range w.members {
		if q := m.service.sequencer(); q != nil {
			q.mu.Lock()
			if len(q.pending) > n {
				t.Errorf("%s keeps %d lists", id, len(q.pending))
			}
			q.mu.Unlock()
		}
	}
}

// down counts the members that do not run.
func (w *world) down() (n int) {
	for _, m := range w.members {
		if m.stop == nil {
			n++
		}
	}
	return n
}

// agreeing is agree among those who run.
func (w *world) agreeing() {
	w.t.Helper()
	var largest checkpoint.Checkpoint
	var of *Mirror
	for _, m := range w.members {
		if m.service == nil {
			continue
		}
		c, err := m.service.mirror.LastFinal()
		must(w.t, err)
		if c.Size >= largest.Size {
			largest, of = c, m.service.mirror
		}
	}
	for id, m := range w.members {
		if m.service == nil {
			continue
		}
		c, err := m.service.mirror.LastFinal()
		must(w.t, err)
		if c.Size == 0 {
			continue
		}
		if same, err := of.Checkpoint(c.Size); err != nil || same != c {
			w.t.Errorf("%s holds another final tree of %d entries: %v", id, c.Size, err)
		}
	}
}

// replays applies what is final at every member to a state of its own.
func (w *world) replays() {
	w.t.Helper()
	for id, m := range w.members {
		c, err := m.service.mirror.LastFinal()
		must(w.t, err)
		entries, err := m.service.mirror.Entries(0, int(c.Size), 1<<30)
		must(w.t, err)
		state, err := replay.New(w.w.genesis)
		must(w.t, err)
		if out, err := state.ApplyAll(w.t.Context(), entries); err != nil || uint64(len(out)) != c.Size {
			w.t.Errorf("%s: %d of %d final entries are admitted: %v", id, len(out), c.Size, err)
		}
	}
}
