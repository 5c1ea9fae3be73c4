package ledger

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"entente/protocol/entry"
	"entente/protocol/replay"
)

// budgetOperation is something that is done to one budget, by whoever may.
type budgetOperation struct {
	granted uint64 // by a quorum; 0: it is spent
	class   uint64
}

// budgetModel is a budget as its members think of it: what is granted can be spent, in
// classes, once.
func budgetModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return uint64(0) },
		Step: func(state, input, output any) (bool, any) {
			left, op := state.(uint64), input.(budgetOperation)
			switch took := output.(bool); {
			case op.granted > 0:
				return took, left + op.granted
			case took:
				return left >= op.class, left - op.class
			}
			return left < op.class, left
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %v", input, output) },
	}
}

// What is granted to and spent from a budget, at the same time by several members while the
// one that leads dies, has an order in which every outcome is right, and in which what was
// final before something began comes before it.
func TestBudgetsAreLinearizable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		w.startAll()
		defer w.stopAll()
		w.until("the ledger has a time", func() (ok bool) {
			w.members[name(0)].service.mirror.FinalState(func(s *replay.State) { ok = s.Clock() > 0 })
			return ok && w.settled(w.ids()...)
		})
		h := &history{w: w}
		var work sync.WaitGroup
		leader := w.leader()
		others := slices.DeleteFunc(w.ids(), func(id string) bool { return id == leader })
		spender, granters := others[5], others[:2]
		for i, by := range granters {
			for n := range 4 {
				work.Go(func() {
					<-time.After(time.Duration(700*n+310*i) * time.Millisecond)
					h.grant(by, others, spender, uint64(100*(n+1)))
				})
			}
		}
		for n := range 12 {
			work.Go(func() {
				<-time.After(time.Duration(450*n) * time.Millisecond)
				h.spend(spender, []uint64{64, 80, 128}[n%3])
			})
		}
		work.Go(func() {
			<-time.After(2 * time.Second)
			w.members[leader].stop()
		})
		work.Wait()
		took := 0
		for _, op := range h.all {
			if op.Input.(budgetOperation).class > 0 && op.Output.(bool) {
				took++
			}
		}
		if took == 0 || took == 12 {
			t.Errorf("%d of 12 spends took effect: the test shows nothing", took)
		}
		if !porcupine.CheckOperations(budgetModel(), h.all) {
			t.Errorf("no order explains what happened: %+v", h.all)
		}
	})
}

// history collects operations with the times at which they began and were known to be final.
type history struct {
	w   *world
	mu  sync.Mutex
	all []porcupine.Operation
}

func (h *history) add(began time.Time, op budgetOperation, took bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, porcupine.Operation{
		ClientId: len(h.all), Input: op, Call: began.UnixNano(), Output: took, Return: time.Now().UnixNano(),
	})
}

// append has a member write an entry, and returns it.
func (h *history) append(id string, k entry.Kind, b []byte) entry.Head {
	c := h.w.members[id].chain
	must(h.w.t, c.Append(h.w.t.Context(), k, func(entry.Head) ([]byte, error) { return b, nil }))
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heads[len(c.heads)-1]
}

// spend spends, and learns from the own copy of the ledger whether that took effect.
func (h *history) spend(id string, class uint64) {
	b, err := entry.Body(entry.Spend{Kind: "phone", Period: 1, Class: class})
	must(h.w.t, err)
	began := time.Now()
	head := h.append(id, entry.BudgetSpent, b)
	m := h.w.members[id].service.mirror
	reason := ""
	h.w.until("the spend is final", func() bool {
		final, err := m.LastFinal()
		must(h.w.t, err)
		entries, err := m.Entries(0, int(final.Size), 1<<30)
		must(h.w.t, err)
		for i, b := range entries {
			one, err := entry.Unmarshal(b)
			must(h.w.t, err)
			if one.Digest() == head.Digest {
				reason, err = m.Void(uint64(i))
				must(h.w.t, err)
				return true
			}
		}
		return false
	})
	h.add(began, budgetOperation{class: class}, reason == "")
}

// grant has a budget granted, which a quorum approves, and waits until that is final.
func (h *history) grant(by string, voices []string, to string, items uint64) {
	b, err := entry.Propose(entry.Grant, entry.Granted{Member: to, Kind: "phone", Period: 1, Items: items}, today().Add(time.Hour).UnixMilli())
	must(h.w.t, err)
	began := time.Now()
	head := h.append(by, entry.Proposal, b)
	ref, err := entry.Body(entry.Reference{Proposal: head.Digest[:]})
	must(h.w.t, err)
	h.w.until("the proposal is held", func() (held bool) {
		must(h.w.t, h.w.members[by].service.mirror.State(func(s *replay.State) {
			held = slices.ContainsFunc(s.Proposals(), func(p replay.Proposed) bool { return p.Digest == head.Digest })
		}))
		return held
	})
	for _, id := range voices {
		if id != by {
			h.append(id, entry.Approval, ref)
		}
	}
	took := false
	h.w.until("it has taken effect", func() (ended bool) {
		h.w.members[by].service.mirror.FinalState(func(s *replay.State) {
			for _, p := range s.Settled() {
				if p.Digest == head.Digest {
					ended, took = true, p.Err == nil
				}
			}
		})
		return ended
	})
	h.add(began, budgetOperation{granted: items}, took)
}
