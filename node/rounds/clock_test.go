package rounds_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// skew gives greetings of one member another clock.
func (n *network) skew(t *testing.T, who string, by time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = func(from, _ string, frame []byte) []byte {
		m, err := round.Parse(wire.Kind(frame[0]), frame[wire.HeaderSize:])
		hello, ok := m.Body.(round.Hello)
		if from != who || err != nil || !ok {
			return frame
		}
		hello.Clock += by.Milliseconds()
		var b bytes.Buffer
		if err := round.Write(wire.NewConn(&b), round.Message{Kind: round.KindHello, Body: hello}); err != nil {
			t.Error(err)
		}
		return b.Bytes()
	}
}

// TestClockSkew: four minutes do no harm; with six the round waits, says why, and goes on
// when the clock is right.
func TestClockSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t)
		for _, by := range []time.Duration{4 * time.Minute, -4 * time.Minute} {
			for _, who := range []string{"AU", "ID"} {
				x.name = fmt.Sprint(who, " by ", by)
				x.net.skew(t, who, by)
				x.round = x.propose(x.au, request("ID"))
				x.complete("which")
				x.net.skew(t, who, by+by/2)
				x.round = x.propose(x.au, request("ID"))
				time.Sleep(5 * time.Minute)
				v, err := x.au.Show(t.Context(), x.round)
				must(t, err)
				if v.State != "offered" || !bytes.Contains([]byte(v.Note), []byte("clocks")) {
					t.Errorf("%s and a half: %s, %q", x.name, v.State, v.Note)
				}
				x.net.skew(t, who, 0)
				x.complete("which")
			}
		}
		x.settled()
	})
}

// TestManyRoundsAtOnce runs rounds in both directions at the same moment, also on nodes
// that may run only one.
func TestManyRoundsAtOnce(t *testing.T) {
	for limit, each := range map[int]int{8: 3, 1: 2} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, pilot, "AU", "ID")
				w.limit = limit
				for _, id := range []string{"AU", "ID"} {
					w.list(id, "wanted", "suspect", phones(map[string]int{"AU": 0, "ID": 5}[id], 8)...)
				}
				au, id := w.fresh("AU"), w.fresh("ID")
				var names []string
				for range each {
					names = append(names, w.propose(au, request("ID")), w.propose(id, request("AU")))
				}
				for _, name := range names {
					for _, s := range []*side{au, id} {
						if v := w.wait(s, name); v.State != "done" || !slices.Equal(w.values(s, name), shared()) {
							t.Errorf("%s: %s %s", s.id, v.State, v.Note)
						}
					}
				}
				w.halt(au, id)
				if a, b := w.audited(au.dir), w.audited(id.dir); len(a) != len(names) || len(b) != len(names) {
					t.Errorf("%d and %d receipts of %d rounds", len(a), len(b), len(names))
				}
			})
		})
	}
}

// TestNobodyAnswers: a link that is dead without anybody noticing, a partner that is away
// for an hour, and one that never comes back.
func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t)
		x.net.arm(9)
		x.round = x.propose(x.au, request("ID"))
		x.until()
		dir := x.id.dir
		x.net.heal()
		x.halt(x.id)
		time.Sleep(time.Hour)
		x.id = x.start("ID", dir)
		x.complete("which")
		x.halt(x.id)
		r := request("ID")
		r.Expires = time.Hour
		x.round = x.propose(x.au, r)
		time.Sleep(61 * time.Minute)
		if v := x.wait(x.au, x.round); v.State != "expired" {
			t.Errorf("a round that nobody answered is %s", v.State)
		}
		x.leftovers(x.au)
		x.id = x.start("ID", dir)
		x.settled()
	})
}

// TestFullDisk fails what a side stores, from each step of a round on, for some minutes:
// the round goes on when there is room again, without a restart.
func TestFullDisk(t *testing.T) {
	for _, who := range []string{"AU", "ID"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newPair(t)
				s := map[string]*side{"AU": x.au, "ID": x.id}[who]
				k := 1
				for ; x.full(s, k); k += pace() {
				}
				if k < 5 {
					t.Errorf("only %d steps", k-1)
				}
				x.settled()
			})
		})
	}
}

// full runs a round while a side's disk is full from its k-th step on. It reports false
// if the round has fewer.
func (x *pair) full(s *side, k int) bool {
	x.t.Helper()
	x.name = fmt.Sprintf("%s from step %d on", s.id, k)
	var step atomic.Int64
	var until atomic.Pointer[time.Time]
	fail := func() error {
		if step.Add(1) == int64(k) {
			end := time.Now().Add(3 * time.Minute)
			until.Store(&end)
		}
		if end := until.Load(); end != nil && time.Now().Before(*end) {
			return store.ErrFull
		}
		return nil
	}
	s.storing.Store(&fail)
	v, err := x.au.Propose(x.t.Context(), request("ID"))
	if err != nil {
		if !errors.Is(err, store.ErrFull) {
			x.t.Errorf("%s: propose: %v", x.name, err)
		}
		x.leftovers(s)
		time.Sleep(5 * time.Minute)
		v, err = x.au.Propose(x.t.Context(), request("ID"))
		must(x.t, err)
	}
	x.round = v.ID
	x.complete("which")
	return until.Load() != nil
}

// TestShieldedRecordsStayOut: never-with records, minors, victims' values and what waits
// for the protection desk take no part, on either side.
func TestShieldedRecordsStayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		all := phones(0, 6)
		w.edit("AU", func(n *node.Node) {
			importRows(t, n, "wanted", "suspect", "phone,never_with,minor", all[0]+",,", all[1]+",ID,", all[2]+",TH,", all[3]+",,yes", all[4]+",,", all[5]+",,")
			importRows(t, n, "victims", "victim", "phone", all[4])
		})
		w.edit("ID", func(n *node.Node) {
			importRows(t, n, "victims", "victim", "phone", all[5])
			importRows(t, n, "watch", "suspect", "phone", all...)
		})
		au, id := w.fresh("AU"), w.fresh("ID")
		plan, err := au.Plan(t.Context(), request("ID"))
		must(t, err)
		if plan.Items != 3 {
			t.Errorf("%d items would take part: %v", plan.Items, plan.Excluded)
		}
		name := w.propose(au, request("ID"))
		w.wait(au, name)
		w.wait(id, name)
		want := []string{all[0], all[2]}
		if a, b := w.values(au, name), w.values(id, name); !slices.Equal(a, want) || !slices.Equal(b, want) {
			t.Errorf("found %v and %v, want %v", a, b, want)
		}
		r := request("ID")
		r.List = "victims"
		if _, err := au.Propose(t.Context(), r); !errors.Is(err, rounds.ErrDenied) && !errors.Is(err, rounds.ErrNothing) {
			t.Errorf("a list of victims is proposed: %v", err)
		}
		w.halt(au, id)
	})
}

// TestTheLastWordNeverComes: a partner that is gone once it has signed the receipt takes
// nothing from a proposer that has signed it too.
func TestTheLastWordNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t)
		x.net.arm(21) // the countersignature
		r := request("ID")
		r.Expires = time.Hour
		x.round = x.propose(x.au, r)
		x.until()
		if v, err := x.au.Show(t.Context(), x.round); err != nil || v.State != "countersigned" {
			t.Fatalf("the round is %s: %v", v.State, err)
		}
		dir := x.au.dir
		x.halt(x.au, x.id)
		x.net.heal()
		time.Sleep(8 * 24 * time.Hour)
		x.au = x.start("AU", dir)
		if v := x.wait(x.au, x.round); v.State != "done" || !slices.Equal(x.values(x.au, x.round), shared()) {
			t.Errorf("the round is %s: %s", v.State, v.Note)
		}
		x.leftovers(x.au)
		x.halt(x.au)
		if n := len(x.audited(dir)); n != 1 {
			t.Errorf("%d receipts", n)
		}
	})
}
