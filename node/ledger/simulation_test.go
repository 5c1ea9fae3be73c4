package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// seedsVariable asks for other seeds than the usual ones: a number of them, or one as "=17".
const seedsVariable = "ENTENTE_SEEDS"

// TestSimulation runs federations in which members come and go, also as by a power cut while
// they write, links fail and lose requests, clocks differ, sequencers are replaced, and a
// member is hostile or comes back from an old copy, all drawn from a seed: at no time are two
// conflicting trees final, nobody else signs two, what is final replays, and once the faults
// end all that was written is final within a minute. How goroutines follow one another is not
// drawn, so a seed that fails need not fail each time.
func TestSimulation(t *testing.T) {
	Seeds(t, 100, func(t *testing.T, seed uint64) { Simulate(t, seed, 8, nil) })
}

// Seeds runs a test in a bubble for each of so many seeds, or for those that are asked for.
func Seeds(t *testing.T, usual uint64, run func(t *testing.T, seed uint64)) {
	first, last := uint64(0), usual
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
	name := t.Name()
	for seed := first; seed < last; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			defer func() {
				if t.Failed() {
					t.Errorf("to run it alone: %s==%d go test ./node/ledger -run '^%s$'", seedsVariable, seed, name)
				}
			}()
			synctest.Test(t, func(t *testing.T) { run(t, seed) })
		})
	}
}

// Network carries streams between members, in place of the one in memory.
type Network interface {
	Open(ctx context.Context, from, to, protocol string) (Stream, error)
	Up(id string, serve func(protocol string, s Stream)) // begins to answer
	Down(id string)                                      // ends all its streams
	Separate(a, b string, cut bool)
}

// Simulate runs a federation of at most so many members, over a network that lay makes for
// them, or in memory.
func Simulate(t *testing.T, seed uint64, most int, lay func(ids []string, r *rand.Rand) Network) {
	r := rand.New(rand.NewPCG(seed, 4))
	n := 4 + r.IntN(most-3)
	s := 4 + r.IntN(min(n, 7)-3)
	w := newWorld(t, n, s)
	if lay != nil {
		w.network = lay(w.ids(), r)
	}
	faulty := roster.Faulty(n)
	odd := r.Perm(n)[:faulty] // members that may do anything: at first their clocks are wrong
	wrong := func(ids []string) (k int) {
		for _, i := range odd {
			if slices.Contains(ids, name(i)) {
				k++
			}
		}
		return k
	}
	for wrong(w.w.genesis.Sequencers) > (s-1)/3 {
		odd = r.Perm(n)[:faulty]
	}
	between := &lossy{r: rand.New(rand.NewPCG(seed, 5)), loss: r.Float64() / 10, latency: 300 * time.Millisecond}
	for i := range n {
		skew := time.Duration(r.IntN(280)-140) * time.Second // less than five minutes apart
		if slices.Contains(odd, i) {
			skew = time.Duration(r.IntN(48*3600)-24*3600) * time.Second
		}
		m := w.members[name(i)]
		m.options.Now = func() time.Time { return today().Add(skew) }
		m.chain.now = m.options.Now
		m.options.Open = between.through(m.options.Open)
	}
	w.startAll()
	defer w.stopAll()
	w.until("it has begun", func() bool { return w.settled(w.ids()...) })
	hostile, err := newAdversary(w, name(odd[0]), r)
	must(t, err)
	for range 15 {
		<-time.After(time.Duration(r.IntN(4000)) * time.Millisecond)
		id := name(r.IntN(n))
		m := w.members[id]
		up, down := m.stop != nil, w.down()
		switch r.IntN(9) {
		case 0: // stops, if not too many have
			if up && down < faulty {
				m.stop()
			}
		case 1:
			if up && down < faulty {
				w.crash(id, r)
			}
		case 2, 3:
			if !up {
				w.start(id)
			}
		case 4:
			if other := name(r.IntN(n)); other != id {
				w.separate(id, other, r.IntN(2) == 0)
			}
		case 5:
			hostile.act()
		case 6:
			next := w.ids()
			r.Shuffle(n, func(i, j int) { next[i], next[j] = next[j], next[i] })
			next = slices.Sorted(slices.Values(next[:4+r.IntN(min(n, 7)-3)]))
			if up && wrong(next) <= (len(next)-1)/3 {
				w.replace(id, next)
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
	w.soon(slices.DeleteFunc(w.ids(), func(id string) bool { return hostile.lost && id == hostile.self })...)
	w.agreeing()
	w.replays()
	w.innocent()
	w.bounded()
}

// replace has a member propose other sequencers, and all approve it as soon as they hold that.
func (w *world) replace(by string, next []string) {
	b, err := entry.Propose(entry.Sequencers, entry.Seats{Members: next}, w.members[by].options.Now().Add(time.Hour).UnixMilli())
	must(w.t, err)
	c := w.members[by].chain
	must(w.t, c.Append(w.t.Context(), entry.Proposal, func(entry.Head) ([]byte, error) { return b, nil }))
	c.mu.Lock()
	digest := c.heads[len(c.heads)-1].Digest
	c.mu.Unlock()
	ref, err := entry.Body(entry.Reference{Proposal: digest[:]})
	must(w.t, err)
	held := func(s *replay.State) bool {
		return slices.ContainsFunc(s.Proposals(), func(p replay.Proposed) bool { return p.Digest == digest })
	}
	for range 40 { // it may be void, or wait for a member that is away
		<-time.After(100 * time.Millisecond)
		ok := false
		must(w.t, w.members[by].service.mirror.State(func(s *replay.State) { ok = held(s) }))
		if !ok {
			continue
		}
		for id, m := range w.members {
			if id != by {
				must(w.t, m.chain.Append(w.t.Context(), entry.Approval, func(entry.Head) ([]byte, error) { return ref, nil }))
			}
		}
		return
	}
}

// innocent fails if somebody is convicted who kept the rules.
func (w *world) innocent() {
	w.t.Helper()
	for at, m := range w.members {
		m.service.mirror.FinalState(func(s *replay.State) {
			for id := range s.Convicted() {
				if !w.bad[id] {
					w.t.Errorf("at %s %s is convicted", at, id)
				}
			}
		})
	}
}

// bounded fails if a member keeps more than it may have to.
func (w *world) bounded() {
	w.t.Helper()
	n := len(w.members)
	for id, m := range w.members {
		s := m.service
		s.mu.Lock()
		if most := max(len(s.taking), len(s.doubted), len(s.accused), len(s.shown), len(s.called), len(s.stances), len(s.seen)); most > n || len(s.alarms) > mostAlarms {
			w.t.Errorf("%s keeps something of %d members, and %d alarms", id, most, len(s.alarms))
		}
		q, p := s.orders, s.peers
		s.mu.Unlock()
		if p == nil || q == nil { // just started; no sequencer
			continue
		}
		p.mu.Lock()
		for to, list := range p.idle {
			if len(list) > mostIdle {
				w.t.Errorf("%s keeps %d streams to %s", id, len(list), to)
			}
		}
		p.mu.Unlock()
		q.mu.Lock()
		if len(q.pending) > n {
			w.t.Errorf("%s keeps %d lists", id, len(q.pending))
		}
		q.mu.Unlock()
		q.tail.mu.Lock()
		if len(q.tail.entries) > 2*exchange.MaxStep || len(q.tail.marks) > len(q.tail.entries) || len(q.tail.expected) > mostUnderWay {
			w.t.Errorf("%s keeps %d entries, %d marks, %d commands", id, len(q.tail.entries), len(q.tail.marks), len(q.tail.expected))
		}
		q.tail.mu.Unlock()
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

// newest is the largest tree that is final at somebody who runs.
func (w *world) newest() (largest checkpoint.Checkpoint, of *Mirror) {
	w.t.Helper()
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
	return largest, of
}

// agreeing is agree among those who run.
func (w *world) agreeing() {
	w.t.Helper()
	_, of := w.newest()
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

// replays applies what is final, and the same everywhere, to a state of its own.
func (w *world) replays() {
	w.t.Helper()
	largest, of := w.newest()
	entries, err := of.Entries(0, int(largest.Size), 1<<30)
	must(w.t, err)
	state, err := replay.New(w.w.genesis)
	must(w.t, err)
	if out, err := state.ApplyAll(w.t.Context(), entries); err != nil || uint64(len(out)) != largest.Size {
		w.t.Errorf("%d of %d final entries are admitted: %v", len(out), largest.Size, err)
	}
	var hashes checkpoint.Memory
	for i, b := range entries {
		more, err := checkpoint.Append(uint64(i), checkpoint.Leaf(b), hashes)
		must(w.t, err)
		hashes = append(hashes, more...)
	}
	if root, err := checkpoint.Root(largest.Size, hashes); err != nil || root != largest.Root {
		w.t.Errorf("the final entries lead to another tree than is final: %v", err)
	}
}
