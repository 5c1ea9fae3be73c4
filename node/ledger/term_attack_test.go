package ledger

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/recovery"
	"entente/protocol/replay"
)

func (w *writers) call(term uint64, by int, sequencers []string, without string) recovery.Call {
	d := w.genesis.Digest()
	return recovery.Call{Federation: d[:], Term: term, Member: name(by), Sequencers: sequencers, Without: without}
}

// opening opens a call's term with pledges of these members that all name the base.
func (w *writers) opening(c recovery.Call, by int, base checkpoint.Signed, members ...int) recovery.Opening {
	w.t.Helper()
	var pledges []recovery.Pledge
	for _, i := range members {
		p, err := recovery.NewPledge(c, name(i), base.Text, w.keys[i])
		must(w.t, err)
		pledges = append(pledges, p)
	}
	o, err := recovery.Open(c, base, pledges, w.keys[by])
	must(w.t, err)
	return o
}

// A member that entered a term in which nothing became final, at a base that is final, leaves
// it for a later one that goes on from the term before: also after a restart, and if that
// base was not known to be final when it entered.
func TestTermsThatComeToNothing(t *testing.T) {
	w := federation(t, 4, 4)
	common := w.begin()
	size := uint64(len(common))
	all := []int{0, 1, 2}
	for _, late := range []bool{false, true} {
		m := w.mirror(common...)
		final := w.signed(m, size, all, all)
		if !late {
			must(t, m.Finalise(final))
		}
		second := w.opening(w.call(2, 0, w.genesis.Sequencers, ""), 0, final, all...)
		var entries [][]byte
		if late {
			entries = common
		}
		must(t, m.Enter(t.Context(), 1, []recovery.Opening{second}, entries))
		if late {
			must(t, m.Finalise(final))
		}
		must(t, m.State(func(s *replay.State) {
			if s.Terms() != 2 {
				t.Errorf("%d terms", s.Terms())
			}
		}))
		if !m.FinalState(func(s *replay.State) {
			if s.Terms() != 1 || s.Size() != size {
				t.Errorf("final is the state after %d entries, in %d terms", s.Size(), s.Terms())
			}
		}) {
			t.Error("there is no final state")
		}
		third := w.opening(w.call(3, 1, w.genesis.Sequencers, ""), 1, final, all...)
		must(t, m.Enter(t.Context(), 1, []recovery.Opening{third}, nil))
		if m.Term() != third.Origin() || len(m.Terms()) != 1 {
			t.Errorf("it is in %s", m.Term())
		}
	}
}

// What is final is the exact state, where it ends within what the mirror took in at once.
func TestFinalWithinAStep(t *testing.T) {
	w := federation(t, 4, 4)
	common := w.begin()
	size := uint64(len(common))
	x, y := w.sealed(0, 1), w.sealed(1, 2)
	all := []int{0, 1, 2}
	m, shadow := w.mirror(common...), w.mirror(common...)
	must(t, m.Finalise(w.signed(m, size, all, all)))
	_, err := shadow.Append(x, y)
	must(t, err)
	base := w.signed(shadow, size+2, all, nil)
	must(t, m.Extend(base, [][]byte{x, y}))
	must(t, m.Finalise(w.signed(shadow, size+1, all, all)))
	m.FinalState(func(s *replay.State) {
		if s.Size() != size+1 || s.Head(name(0)).Digest != w.heads[0].Digest || s.Head(name(1)).Digest == w.heads[1].Digest {
			t.Errorf("the final state is that after %d entries", s.Size())
		}
	})
	must(t, m.Enter(t.Context(), 1, []recovery.Opening{w.opening(w.call(2, 0, w.genesis.Sequencers, ""), 0, base, all...)}, [][]byte{y}))
}

// Who was left out has no part at the base of a later term either.
func TestLeftOutStaysOut(t *testing.T) {
	w := federation(t, 3, 3)
	m := w.mirror(w.begin()...)
	var size uint64
	must(t, m.State(func(s *replay.State) { size = s.Size() }))
	all, two, ids := []int{0, 1, 2}, []int{0, 1}, []string{name(0), name(1)}
	final := w.signed(m, size, all, all)
	must(t, m.Finalise(final))
	must(t, m.Enter(t.Context(), 1, []recovery.Opening{w.opening(w.call(2, 0, ids, name(2)), 0, final, two...)}, nil))
	for term := uint64(3); term < 6; term++ {
		base := w.signed(m, size, two, nil)
		must(t, m.Enter(t.Context(), int(term)-1, []recovery.Opening{w.opening(w.call(term, 0, ids, ""), 0, base, two...)}, nil))
		must(t, m.State(func(s *replay.State) {
			if n := len(s.CommitteeOf(s.Term(), size).Seats); n != 2 {
				t.Errorf("%d members decide in term %d", n, term)
			}
		}))
	}
}

// One member's stance that cannot be used does not keep a term from beginning that enough
// others have pledged for.
func TestOneBadStanceBlocksNothing(t *testing.T) {
	for what, make := range map[string]func(w *world, c recovery.Call, base checkpoint.Signed) recovery.Stance{
		"a pledge under another key": func(w *world, c recovery.Call, base checkpoint.Signed) recovery.Stance {
			return stanceOf(w, c, 1, base)
		},
		"a pledge for another call": func(w *world, c recovery.Call, base checkpoint.Signed) recovery.Stance {
			c.Term++
			return stanceOf(w, c, 0, base)
		},
		"a tree without its signatures": func(w *world, c recovery.Call, base checkpoint.Signed) recovery.Stance {
			base.Signatures = nil
			return stanceOf(w, c, 0, base)
		},
		"a tree of a made-up term": func(w *world, c recovery.Call, base checkpoint.Signed) recovery.Stance {
			at, _ := base.Checkpoint()
			at.Origin = checkpoint.Origin{Federation: at.Origin.Federation, Term: 2, Caller: name(0), Opening: [32]byte{1}}
			return stanceOf(w, c, 0, checkpoint.Signed{Text: at.Text()})
		},
		"a larger tree that nobody has": func(w *world, c recovery.Call, base checkpoint.Signed) recovery.Stance {
			at, _ := base.Checkpoint()
			at.Size++
			return stanceOf(w, c, 0, checkpoint.Signed{Text: at.Text()})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4, 4)
			w.startAll()
			defer w.stopAll()
			w.until("all final", func() bool { return w.settled(w.ids()...) })
			w.members[name(0)].stop() // its part is played below
			s := w.members[name(1)].service
			call := w.w.call(3, 1, w.ids(), "")
			kept, err := s.mirror.Final()
			must(t, err)
			stances := map[string]recovery.Stance{name(0): make(w, call, kept[len(kept)-1])}
			for _, id := range w.ids()[1:] {
				stances[id], err = w.members[id].service.signer.Pledge(call)
				must(t, err)
			}
			if err := s.open(t.Context(), call, stances); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}

// stanceOf names a checkpoint in M00's name, under somebody's key.
func stanceOf(w *world, c recovery.Call, key int, named checkpoint.Signed) recovery.Stance {
	p, err := recovery.NewPledge(c, name(0), named.Text, w.w.keys[key])
	must(w.t, err)
	return recovery.Stance{Pledges: []recovery.Pledge{p}, Checkpoints: []checkpoint.Signed{named}}
}

// A member that says that it is in a later term and cannot show it is asked more and more
// seldom, and a made-up opening is seen through before any entries are fetched.
func TestMadeUpTerms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		s := w.members[name(1)].service
		status, err := s.status()
		must(t, err)
		status.Term = checkpoint.Origin{Federation: s.mirror.first.Federation, Term: 9, Caller: name(0), Opening: [32]byte{1}}.String()
		var pause time.Duration
		for range 4 {
			s.observe(t.Context(), name(0), status)
			s.mu.Lock()
			r := s.refused[name(0)]
			s.mu.Unlock()
			if r.pause < pause || r.pause > mostPause || r.pause == 0 {
				t.Fatalf("after %s it waits for %s", pause, r.pause)
			}
			pause = r.pause
			<-time.After(pause)
		}
		for range 12 {
			s.advanced(name(0), ErrTerm)
		}
		if got := s.refused[name(0)].pause; got != mostPause {
			t.Errorf("it asks again after %s", got)
		}
		kept, err := s.mirror.Final()
		must(t, err)
		c := w.w.call(2, 0, w.ids(), "")
		o := w.w.opening(c, 0, kept[len(kept)-1], 0)
		o.Pledges = append(o.Pledges, o.Pledges[0], o.Pledges[0])
		for i := range o.Pledges {
			o.Pledges[i].Member = name(i)
		}
		err = s.enterNext(t.Context(), name(0), 1, []recovery.Opening{o})
		if err == nil || !strings.Contains(err.Error(), "hardly anybody") {
			t.Errorf("made-up pledges: %v", err)
		}
		if w.entered(c, name(1)) {
			t.Error("it entered")
		}
	})
}

// A call cannot use up the numbers of terms, nor be made in another's name.
func TestCallsThatAreNotHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		s := w.members[name(1)].service
		for what, c := range map[string]recovery.Call{
			"far ahead":         w.w.call(3+mostSkipped, 0, w.ids(), ""),
			"in another's name": w.w.call(2, 2, w.ids(), ""),
			"too few":           w.w.call(2, 0, w.ids()[1:], ""),
			"left out of four":  w.w.call(2, 0, w.ids(), name(3)),
			"the first term":    w.w.call(1, 0, w.ids(), ""),
		} {
			if _, err := s.heed(name(0), c); err == nil {
				t.Errorf("%s: it was heeded", what)
			}
		}
		stance, err := s.heed(name(0), w.w.call(1+mostSkipped, 0, w.ids(), ""))
		if err != nil || len(stance.Pledges) > 0 {
			t.Errorf("%v, %v", stance, err)
		}
		if calls, err := s.Calls(); err != nil || len(calls) != 1 || calls[0].Now != 1 {
			t.Errorf("%+v, %v", calls, err)
		}
		if err := s.Agree([32]byte{}); !errors.Is(err, ErrNoCall) {
			t.Errorf("%v", err)
		}
	})
}

// Who signed in a term signs in none before it, nor in another of its place: also if its
// mirror were of such a term.
func TestSignersDoNotGoBack(t *testing.T) {
	w := federation(t, 4, 4)
	m := w.mirror(w.begin()...)
	var size uint64
	must(t, m.State(func(s *replay.State) { size = s.Size() }))
	all := []int{0, 1, 2}
	signed := w.signed(m, size, all, nil)
	later := checkpoint.Checkpoint{Origin: checkpoint.Origin{Federation: w.genesis.Digest(), Term: 2, Caller: name(0)}, Size: size}
	must(t, m.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(signedBucket))
		return errors.Join(b.Put([]byte{byte(checkpoint.Cosigner)}, later.Text()), b.Put([]byte{byte(checkpoint.Sequencer)}, later.Text()))
	}))
	if _, err := w.signer(m, 3).Cosign(signed); !errors.Is(err, ErrPledged) {
		t.Errorf("cosigned: %v", err)
	}
	if _, _, err := w.signer(m, 3).Sequence(size); !errors.Is(err, ErrPledged) {
		t.Errorf("sequenced: %v", err)
	}
}
