package rounds_test

import (
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// TestNoiseCountsAgainstTheQuota: the public dummies of a count are places that a cheat
// can fill with guesses, so the quota counts them, also when it is the partner who asks
// for more noise than this side's rules do.
func TestNoiseCountsAgainstTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t) // the rules of both sides allow an exact count
		r := request("ID")
		r.Result = "count"
		x.round = x.propose(x.au, r)
		x.wait(x.au, x.round)
		if n := x.quota(x.id, "AU"); n != 64 {
			t.Errorf("an exact count of lists of class 64 is charged as %d", n)
		}
		p := x.puppet("AU", x.id)
		o := p.offer()
		o.Granted = terms.Widest(terms.Count, terms.None)
		o.Granted.EpsilonMilli = terms.MinEpsilonMilli
		m, err := p.says(p.signed(o))
		must(t, err)
		if m.Kind != round.KindAnswer {
			t.Fatalf("the offer gets kind %d", m.Kind)
		}
		p.stream.Reset()
		synctest.Wait()
		largest := int64(round.LargestClass(o.Granted, 64))
		if n := x.quota(x.id, "AU"); largest < 4096 || n != 64+largest {
			t.Errorf("a run of %d places is charged as %d", largest, n-64)
		}
		x.halt(x.au, x.id)
	})
}

// TestRefusalsTakeTheSameTime: whether rules refuse at once, there is no list, or a look
// into the list finds that nothing of it may take part, the partner hears the same two
// words at the same time.
func TestRefusalsTakeTheSameTime(t *testing.T) {
	for name, set := range map[string]func(*world){
		"rules":   func(w *world) { w.list("ID", "watch", "victim", phones(0, 8)...) },
		"no list": func(*world) {},
		"never with": func(w *world) {
			rows := phones(0, 8)
			for i := range rows {
				rows[i] += ",AU"
			}
			w.edit("ID", func(n *node.Node) { importRows(w.t, n, "watch", "suspect", "phone,never_with", rows...) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, pilot, "AU", "ID")
				set(w)
				id := w.fresh("ID")
				p := w.puppet("AU", id)
				offer := p.signed(p.offer())
				asked := time.Now()
				p.refused(name, offer, wire.NotAvailable)
				if took := time.Since(asked); took != 2*time.Second {
					t.Errorf("refused after %s", took)
				}
				v, err := id.List(t.Context())
				must(t, err)
				if len(v) != 1 || v[0].State != "refused" || len(v[0].Grounds) == 0 {
					t.Errorf("the own side does not see why: %+v", v)
				}
				w.halt(id)
			})
		})
	}
}

// TestOneMemberLeavesRoom: a member that holds streams open cannot keep the others out.
func TestOneMemberLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID", "TH")
		w.list("ID", "watch", "suspect", phones(5, 8)...)
		w.list("TH", "wanted", "suspect", phones(0, 8)...)
		w.limit = 4
		id, th := w.fresh("ID"), w.fresh("TH")
		p := w.puppet("AU", id)
		for i := range 3 {
			if i > 0 {
				p.dial(0) // beside the stream that stays open
			}
			m, err := p.says(p.signed(p.offer()))
			if i < 2 {
				must(t, err)
				if m.Kind != round.KindAnswer {
					t.Fatalf("offer %d gets kind %d", i, m.Kind)
				}
				continue // the stream stays open and silent
			}
			if err == nil {
				t.Error("a third stream of one member is answered")
			}
		}
		name := w.propose(th, request("ID"))
		if v := w.wait(th, name); v.State != "done" {
			t.Errorf("another member's round is %s: %s", v.State, v.Note)
		}
		w.halt(id, th)
	})
}
