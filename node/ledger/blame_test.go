package ledger

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/exchange"
)

// What others hand on in an author's name may be older than what the author handed in itself.
// It came through to the leader at the same time, and the newest entry was lost there.
func TestHandedOnLate(t *testing.T) {
	w := federation(t, 4, 4)
	q := &sequencer{pending: map[string]*waiting{}, added: make(chan struct{})}
	author := name(1)
	list := [][]byte{w.sealed(1, 1), w.sealed(1, 2)}
	if !q.add(author, list[:1], false) {
		t.Error("what is handed on is not taken though nothing waits")
	}
	if !q.add(author, list, true) || q.add(author, list[:1], false) {
		t.Error("what is handed on is taken though the author has handed in more")
	}
	if n := len(q.pending[author].entries); n != 2 {
		t.Errorf("%d of 2 entries wait", n)
	}
}

// A leader owes an entry from when it was told of it, whatever leaders before it were told; and
// being told again gives it no more time.
func TestLeadersOwe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := federation(t, 4, 4)
		m := w.mirror(w.begin()...)
		tail, err := newTail(m)
		must(t, err)
		q := &sequencer{s: &Service{mirror: m}, tail: tail, pending: map[string]*waiting{}, added: make(chan struct{})}
		author, list := name(1), [][]byte{w.sealed(1, 1)}
		owes := func(leader string, want bool) {
			t.Helper()
			if q.withheld(leader) == author != want {
				t.Errorf("%s withholds the entry: %t, must be %t", leader, !want, want)
			}
		}
		tell := func(leader string, want int) {
			t.Helper()
			if n := len(q.untold(leader)); n != want {
				t.Errorf("%s is told of %d authors' entries, must be %d", leader, n, want)
			}
		}
		q.add(author, list, true)
		<-time.After(2 * patience)
		owes(name(0), false) // nobody told it
		tell(name(0), 1)
		tell(name(0), 0)
		<-time.After(patience)
		owes(name(0), false)
		q.add(author, list, true)
		tell(name(0), 1)
		<-time.After(time.Second)
		owes(name(0), true)
		owes(name(2), false)
		tell(name(2), 1)
		<-time.After(patience)
		owes(name(2), false)
		<-time.After(time.Second)
		owes(name(2), true)
		q.forgive()
		owes(name(2), false)
		tell(name(2), 1)
	})
}

// Others that lack what is ordered here are their leader's fault only as long as nothing becomes
// final: when it does, they have it.
func TestOthersBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := federation(t, 4, 4)
		m := w.mirror(w.begin()...)
		tail, err := newTail(m)
		must(t, err)
		q := &sequencer{s: &Service{mirror: m}, tail: tail, pending: map[string]*waiting{}}
		blamed := func(want bool) {
			t.Helper()
			if fault := q.fault(name(0), time.Now()); fault != "" != want {
				t.Errorf("a fault %q, must be one: %t", fault, want)
			}
		}
		stuck := func() {
			q.note(errNoVote)
			<-time.After(slowTime)
			blamed(false)
			<-time.After(time.Second)
			q.note(errNoVote)
			blamed(true)
		}
		stuck()
		q.note(errors.New("another reason"))
		blamed(false)
		stuck()
		q.forgive()
		blamed(false)
		stuck()
		n, _ := tail.end()
		must(t, m.Finalise(w.signed(m, n, []int{0, 1, 2, 3}, []int{0, 1, 2, 3})))
		blamed(false)
		stuck()
	})
}

// What a leader left undone is not the fault of the next.
func TestNextLeaderIsNotBlamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begun(t, 7, 4, nil)
		defer w.stopAll()
		old := w.leader()
		w.members[old].stop()
		var rest []*Service
		for _, id := range w.w.genesis.Sequencers {
			if id != old {
				rest = append(rest, w.members[id].service)
			}
		}
		for _, s := range rest {
			q := s.sequencer()
			q.mu.Lock()
			q.stuck, q.stuckAt = time.Now().Add(-2*slowTime), math.MaxUint64
			q.mu.Unlock()
		}
		for _, s := range rest {
			w.until("another leads", func() bool { l := s.sequencer().order.Leader(); return l != "" && l != old })
		}
		<-time.After(2 * time.Second)
		for _, s := range rest {
			s.mu.Lock()
			for _, alarm := range s.alarms {
				if !strings.HasPrefix(alarm, old) {
					t.Error(alarm)
				}
			}
			s.mu.Unlock()
		}
	})
}

// A leader that orders what is written, and has nothing of it made final, only delays: also if
// more is written all the time.
func TestIdleLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var leader string
		w := begun(t, 7, 4, func(w *world) {
			for id, m := range w.members {
				inner := m.options.Open
				m.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
					w.mu.Lock()
					idle := id == leader && protocol == exchange.Protocol
					w.mu.Unlock()
					if idle {
						return nil, errors.New("idle")
					}
					return inner(ctx, to, protocol)
				}
			}
		})
		defer w.stopAll()
		now := w.leader()
		w.mu.Lock()
		leader = now
		w.mu.Unlock()
		for _, id := range w.ids() {
			if id != now { // streams that are open end
				w.separate(now, id, true)
				w.separate(now, id, false)
			}
		}
		before := w.final(name(6))
		for n := range 20 {
			w.write(name(6), byte(n))
			<-time.After(3 * time.Second)
		}
		if after := w.final(name(6)); after < before+15 {
			t.Errorf("20 entries were written in a minute, and %d became final", after-before)
		}
	})
}
