package rounds_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/rounds"
	"entente/node/store"
	"entente/policy"
)

// parsed are rules as a side lives by them.
func parsed(t *testing.T, files map[string][]byte) *policy.Bundle {
	t.Helper()
	b, err := policy.Parse(files)
	must(t, err)
	return b
}

// ended requires how a round ended on both sides, and that it was charged or not.
func (x *pair) ended(here, there string) {
	x.t.Helper()
	if a, b := x.wait(x.au, x.round), x.wait(x.id, x.round); a.State != here || b.State != there {
		x.t.Errorf("%s: the round is %s and %s, want %s and %s: %s %s", x.name, a.State, b.State, here, there, a.Note, b.Note)
	}
	for _, s := range []*side{x.au, x.id} {
		if found := x.values(s, x.round); len(found) != 0 {
			x.t.Errorf("%s: %s found %d items", x.name, s.id, len(found))
		}
		x.leftovers(s)
	}
}

// TestRulesChangeUnderWay changes rules on either side between offer and answer.
func TestRulesChangeUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t)
		none := parsed(t, policy.DenyAll(9))
		x.name = "responder before the offer arrives"
		gate := x.net.pause(3)
		x.round = x.propose(x.au, request("ID"))
		x.until()
		old := x.id.rules.Swap(none)
		close(gate)
		x.ended("refused", "refused")
		if v := x.wait(x.au, x.round); v.Reason != "not available" || strings.Contains(v.Note, "rule") {
			t.Errorf("the partner learns of a refusal: %q, %q", v.Reason, v.Note)
		}
		x.id.rules.Store(old)
		x.name = "proposer before the answer arrives"
		gate = x.net.pause(4)
		x.round = x.propose(x.au, request("ID"))
		x.until()
		old = x.au.rules.Swap(none)
		close(gate)
		x.ended("cancelled", "cancelled")
		if x.quota(x.au, "ID") != 0 {
			t.Error("the proposer is charged for a round that did not run")
		}
		x.au.rules.Store(old)
		x.halt(x.au, x.id)
		x.audited(x.au.dir)
		x.audited(x.id.dir)
	})
}

// TestRulesForbidThePartnersSize: how large the partner's list is stands in its answer.
func TestRulesForbidThePartnersSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replaced("250000", "100"), "AU", "ID")
		w.edit("ID", func(n *node.Node) {
			files := pilot("ID", []string{"AU"})
			files["bundle.toml"] = []byte(strings.Replace(string(files["bundle.toml"]), "version = 2", "version = 3", 1))
			w.activate(n, files)
		})
		w.list("AU", "wanted", "suspect", phones(0, 8)...)
		w.list("ID", "watch", "suspect", phones(5, 100)...)
		x := &pair{world: w, au: w.fresh("AU"), id: w.fresh("ID"), name: "too large"}
		x.round = w.propose(x.au, request("ID"))
		x.ended("cancelled", "cancelled")
		if v := x.wait(x.au, x.round); v.PartnerClass != 112 {
			t.Errorf("the partner's class is %d", v.PartnerClass)
		}
		w.halt(x.au, x.id)
		w.audited(x.au.dir)
	})
}

// TestQuotaRunsOut: the responder's rules count size classes; what is over gets the
// neutral answer and is not charged.
func TestQuotaRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(id string, partners []string) map[string][]byte {
			if id == "AU" {
				return pilot(id, partners)
			}
			return replaced("250000", "130")(id, partners)
		}, "AU", "ID")
		w.list("AU", "wanted", "suspect", phones(0, 8)...)
		w.list("ID", "watch", "suspect", phones(5, 8)...)
		x := &pair{world: w, au: w.fresh("AU"), id: w.fresh("ID")}
		var states []string
		for range 3 {
			x.round = w.propose(x.au, request("ID"))
			v := w.wait(x.au, x.round)
			if v.State == "done" {
				x.complete("which")
			} else if v.State != "refused" || v.Reason != "not available" {
				t.Errorf("over the quota: %s, %s", v.State, v.Reason)
			}
			states = append(states, v.State)
		}
		if want := 130 / policy.Counted(64, 64); x.rounds != int(want) || slices.Index(states, "refused") != int(want) {
			t.Errorf("%v with a quota for %d rounds", states, want)
		}
		time.Sleep(24 * time.Hour)
		x.round = w.propose(x.au, request("ID"))
		if v := w.wait(x.au, x.round); v.State != "done" {
			t.Errorf("the next day: %s", v.State)
		}
		w.halt(x.au, x.id)
	})
}

// TestAPersonDecides walks through a round that somebody has to approve.
func TestAPersonDecides(t *testing.T) {
	for _, word := range []string{"approve", "refuse", "late", "forbidden"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { decided(t, word) })
		})
	}
}

func decided(t *testing.T, word string) {
	x := newPair(t)
	x.id.rules.Store(parsed(t, replaced(`@approval("none")`, `@approval("one") @min_count("0")`)("ID", []string{"AU"})))
	r := request("ID")
	r.Expires = 2 * time.Hour
	x.round = x.propose(x.au, r)
	time.Sleep(time.Hour)
	v, err := x.au.Show(t.Context(), x.round)
	must(t, err)
	inbox, err := x.id.Inbox(t.Context())
	must(t, err)
	if v.State != "waiting" || v.Note == "" || len(inbox) != 1 || inbox[0].ID != x.round || inbox[0].PartnerClass != 64 {
		t.Fatalf("waiting: %s %q, inbox %+v", v.State, v.Note, inbox)
	}
	if n := x.quota(x.id, "AU"); n != 0 {
		t.Errorf("an offer that waits is charged %d", n)
	}
	if _, err := x.au.Approve(t.Context(), x.round); !errors.Is(err, rounds.ErrState) {
		t.Errorf("the proposer approves its own offer: %v", err)
	}
	switch word {
	case "approve":
		_, err = x.id.Approve(t.Context(), x.round)
		must(t, err)
		x.complete("which")
		if _, err := x.id.Approve(t.Context(), x.round); !errors.Is(err, rounds.ErrState) {
			t.Errorf("approved twice: %v", err)
		}
		x.settled()
		return
	case "refuse":
		must(t, x.id.Refuse(t.Context(), x.round))
		x.ended("refused", "refused")
		if v := x.wait(x.au, x.round); v.Reason != "not available" {
			t.Errorf("the proposer hears %q", v.Reason)
		}
	case "late":
		x.halt(x.au) // it does not ask any more
		x.au = x.start("AU", x.au.dir)
		x.net.halt()
		time.Sleep(59*time.Minute + 50*time.Second)
		synctest.Wait()
		time.Sleep(15 * time.Second) // over, but no clock has struck
		if _, err := x.id.Approve(t.Context(), x.round); !errors.Is(err, rounds.ErrState) {
			t.Errorf("approved after its time: %v", err)
		}
		x.net.heal()
		x.ended("expired", "expired")
	case "forbidden":
		x.id.rules.Store(parsed(t, policy.DenyAll(9)))
		if _, err := x.id.Approve(t.Context(), x.round); !errors.Is(err, rounds.ErrDenied) {
			t.Errorf("approved against the rules: %v", err)
		}
		must(t, x.id.Cancel(t.Context(), x.round))
		x.ended("cancelled", "cancelled")
	}
	if inbox, err = x.id.Inbox(t.Context()); err != nil || len(inbox) != 0 {
		t.Errorf("the inbox still holds %d: %v", len(inbox), err)
	}
	x.halt(x.au, x.id)
	x.audited(x.id.dir)
}

// TestCancelInEachState cancels a round on either side before each of its frames. It
// ends on both as cancelled, or, when the receipt was signed already, as done.
func TestCancelInEachState(t *testing.T) {
	for _, who := range []string{"AU", "ID"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newPair(t)
				seen := map[string]bool{}
				for k := 1; ; k += pace() {
					x.name = fmt.Sprintf("frame %d", k)
					x.net.arm(k)
					x.round = x.propose(x.au, request("ID"))
					if !x.until() {
						break
					}
					seen[x.cancelled(map[string]*side{"AU": x.au, "ID": x.id}[who])] = true
				}
				if !seen["cancelled"] || !seen["done"] && !testing.Short() { // few frames are enough for the race detector
					t.Errorf("rounds ended as %v", seen)
				}
				x.halt(x.au, x.id)
				x.audited(x.au.dir)
				x.audited(x.id.dir)
			})
		})
	}
}

// cancelled cancels the round on one side and returns how it ended on both.
func (x *pair) cancelled(s *side) string {
	x.t.Helper()
	x.net.heal()
	before, err := s.Show(x.t.Context(), x.round)
	if err == nil {
		err = s.Cancel(x.t.Context(), x.round)
	}
	if errors.Is(err, rounds.ErrUnknownRound) {
		before.State, err = "unknown", nil // the offer has not come yet
	}
	if err != nil && !errors.Is(err, rounds.ErrState) {
		x.t.Fatalf("%s: cancel a round that is %s: %v", x.name, before.State, err)
	}
	a := x.wait(x.au, x.round)
	b, unknown := x.id.Show(x.t.Context(), x.round)
	switch {
	case errors.Is(unknown, rounds.ErrUnknownRound):
		b.State = a.State
	case unknown != nil:
		x.t.Fatal(unknown)
	default:
		b = x.wait(x.id, x.round)
	}
	want := "cancelled"
	if err != nil || before.State == "unknown" {
		want = "done"
	}
	if a.State != want || b.State != want {
		x.t.Errorf("%s: cancelled by %s when %s: %s and %s, want %s", x.name, s.id, before.State, a.State, b.State, want)
	}
	x.leftovers(x.au)
	if unknown == nil {
		x.leftovers(x.id)
	}
	return want
}

// TestErasedAndChangedLists: the snapshot counts, whatever happens to the lists.
func TestErasedAndChangedLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t)
		for k := 1; ; k++ {
			x.name = fmt.Sprintf("frame %d", k)
			gate := x.net.pause(k)
			x.round = x.propose(x.au, request("ID"))
			if !x.until() {
				break
			}
			if k == 8 { // both sides have agreed
				more := phones(100, 90)
				for s, name := range map[*side]string{x.au: "wanted", x.id: "watch"} {
					x.editIn(s.dir, func(n *node.Node) {
						importRows(t, n, name, "suspect", "phone", more...)
						if err := n.DeleteList(t.Context(), name); !errors.Is(err, store.ErrListInUse) {
							t.Errorf("a list is erased under a round: %v", err)
						}
					})
				}
				close(gate)
				x.complete("which")
				break
			}
			close(gate)
			x.complete("which")
		}
		x.settled()
	})
}
