package replay

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/protocol/budget"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

func sealed(t testing.TB) []byte { return body(t, entry.Sealed{Digest: make([]byte, 32)}) }

// A member that lost what it had signed names another cosigning key. Until all others hold
// that as final it signs with none, or it could sign another tree of the same size.
func TestReplacedCosigningKey(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	holds := func(size uint64, k byte) {
		t.Helper()
		got := w.state.Committee(size).Seats[id(3)].Key
		if got == nil || !reflect.DeepEqual(got.Bytes(), cosigning(t, k).Public().Bytes()) {
			t.Errorf("another key than the one of seed %d signs a tree of %d entries", k, size)
		}
	}
	if _, ok := w.state.Boundary(0); ok {
		t.Error("a first cosigning key is a boundary")
	}
	a := w.add(3, entry.CosigningKey, w.keyState(3, 40))
	end := w.state.Size()
	if b, ok := w.state.Boundary(end - 1); !a.Boundary || !ok || b != end {
		t.Errorf("no tree must be final that ends with the new key: %d, %v", b, ok)
	}
	w.add(0, entry.SealedDigest, sealed(t))
	holds(end-1, 4)
	holds(end, 4)
	holds(end+1, 40)

	// Every one of them stops the others until it is final, so there is one a day.
	if a, err := w.try(3, entry.CosigningKey, w.keyState(3, 41)); !errors.Is(err, ErrTooMany) || a.Boundary {
		t.Errorf("a second one on one day: %v", err)
	}
	w.add(2, entry.CosigningKey, w.keyState(2, 42))
	w.now = w.now.Add(24 * time.Hour)
	w.tick()
	w.add(3, entry.CosigningKey, w.keyState(3, 43))
	holds(w.state.Size(), 40)
	w.add(0, entry.SealedDigest, sealed(t))
	holds(w.state.Size(), 43)
	if again, err := w.try(3, entry.CosigningKey, w.keyState(3, 44)); !errors.Is(err, ErrTooMany) || again.Boundary {
		t.Errorf("a second one on another day: %v", err)
	}
}

// Without a clock there are no days, so that no key is replaced.
func TestReplacedKeyNeedsTheClock(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	early := *w
	var err error
	early.state, err = New(w.roster)
	must(t, err)
	early.heads = map[string]entry.Head{}
	early.add(0, entry.CosigningKey, early.keyState(0, 1))
	if a, err := early.try(0, entry.CosigningKey, early.keyState(0, 40)); !errors.Is(err, ErrNotBegun) || a.Boundary {
		t.Errorf("replaced before there is a time: %v", err)
	}
}

// twoBlocs are four members and three, both of which are wanted.
func twoBlocs() roster.Spread {
	return roster.Spread{Blocs: []roster.Bloc{{Name: "north", Members: ids(0, 1, 2, 3)}, {Name: "south", Members: ids(4, 5, 6)}}, Wanted: 2}
}

// The last member of a bloc can neither go nor refuse its consent so that nothing is
// decided, or final, any more.
func TestLastOfABloc(t *testing.T) {
	for what, does := range map[string]func(w *world) []Outcome{
		"leaves": func(w *world) []Outcome {
			_, out := w.propose(6, entry.Leave, entry.Concerned{Member: id(6)})
			return out
		},
		"does not agree that it is suspended": func(w *world) []Outcome {
			_, out := w.propose(0, entry.Suspend, entry.Concerned{Member: id(6)}, 1, 2, 3)
			return out
		},
		"agrees to nothing": func(w *world) []Outcome {
			_, out := w.propose(0, entry.Grant, entry.Granted{Member: id(0), Kind: "phone", Items: 1}, 1, 2, 3)
			return out
		},
	} {
		w := found(t, 7, 4, twoBlocs())
		if n := w.state.Committee(w.state.Size()).Blocs; n != 2 {
			t.Errorf("%d blocs are wanted, not 2", n)
		}
		for _, i := range []int{4, 5} {
			_, out := w.propose(i, entry.Leave, entry.Concerned{Member: id(i)})
			w.settled(out)
		}
		if out := does(w); len(out) != 1 || out[0].Err != nil {
			t.Errorf("it %s: %+v", what, out)
		}
		_, out := w.propose(0, entry.Sequencers, entry.Seats{Members: ids(0, 1, 2, 3)}, 1, 2)
		if len(out) == 0 {
			p := w.state.Proposals()[0]
			out = w.approve(3, p.Digest)
		}
		w.settled(out)
		if n := w.state.Committee(w.state.Size() + 1).Blocs; n != 1 {
			t.Errorf("it %s: %d blocs are wanted, and others are of one", what, n)
		}
	}
}

// Whoever is concerned is one of those that may be away, so that its bloc and all others
// must agree while they can.
func TestBlocsOfTheOneConcerned(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{Blocs: []roster.Bloc{{Name: "north", Members: ids(0, 1)}, {Name: "south", Members: ids(2, 3)}}, Wanted: 2})
	for whom, want := range map[string]int{"": 2, id(3): 2} {
		if n := w.state.wanted(whom); n != want {
			t.Errorf("%d blocs are wanted about %q, not %d", n, whom, want)
		}
	}
}

// Whoever is of two blocs would count for both, and nobody could be of as many blocs as are
// wanted if as many members are away as may be.
func TestSpreadsAreChecked(t *testing.T) {
	w := found(t, 7, 4, roster.Spread{})
	for want, s := range map[string]roster.Spread{
		"M03 is of bloc north and of bloc south": {Blocs: []roster.Bloc{{Name: "north", Members: ids(0, 1, 2, 3)}, {Name: "south", Members: ids(3, 4, 5)}}},
		"2 blocs are wanted, but at most 1 can":  {Blocs: []roster.Bloc{{Name: "north", Members: ids(0, 1, 2, 3)}, {Name: "south", Members: ids(4, 5)}}, Wanted: 2},
		"3 blocs are wanted, but at most 1 can":  {Blocs: []roster.Bloc{{Name: "east", Members: ids(0)}, {Name: "north", Members: ids(1)}, {Name: "south", Members: ids(2, 3, 4, 5)}}, Wanted: 3},
		"member":                                 {Blocs: []roster.Bloc{{Name: "north", Members: []string{"ZZ"}}}},
		"2 blocs are wanted, and there are 1":    {Blocs: []roster.Bloc{{Name: "north", Members: ids(0, 1, 2, 3)}}, Wanted: 2},
	} {
		if _, err := New(w.under(ids(0, 1, 2, 3), s)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a ledger was started, or not for %q: %v", want, err)
		}
		change := entry.Change{Action: entry.Blocs, Body: body(t, s), Expires: w.now.Add(time.Hour).UnixMilli()}
		if _, err := change.Open(); err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("opened as %v, not %q", err, want)
			}
			continue // no entry can hold it
		}
		if _, err := w.try(0, entry.Proposal, body(t, change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("proposed, or not for %q: %v", want, err)
		}
	}
	_, err := New(w.under(ids(0, 1, 2, 3), twoBlocs()))
	must(t, err)
}

// Of fewer than four sequencers every single one could stop the ledger.
func TestEnoughSequencers(t *testing.T) {
	const want = "would be too few"
	few := func(err error) bool { return err != nil && strings.Contains(err.Error(), want) }
	w := found(t, 5, 4, roster.Spread{})
	if _, err := New(w.under(ids(0, 1, 2), roster.Spread{})); !few(err) {
		t.Errorf("started with three of five: %v", err)
	}
	for what, change := range map[entry.Action]any{
		entry.Sequencers: entry.Seats{Members: ids(0, 1, 4)}, entry.Suspend: entry.Concerned{Member: id(3)}, entry.Leave: entry.Concerned{Member: id(3)},
	} {
		b, err := entry.Propose(what, change, w.now.Add(time.Hour).UnixMilli())
		must(t, err)
		if _, err := w.try(3, entry.Proposal, b); !few(err) { // by itself too
			t.Errorf("%s: %v", what, err)
		}
	}
	// With four members, all of whom sequence, the others must do when one goes.
	w = found(t, 4, 4, roster.Spread{})
	_, out := w.propose(0, entry.Suspend, entry.Concerned{Member: id(3)}, 1, 2)
	w.settled(out)
	w = found(t, 4, 4, roster.Spread{})
	_, out = w.propose(3, entry.Leave, entry.Concerned{Member: id(3)})
	w.settled(out)
	found(t, 3, 2, roster.Spread{})
	// Three that others join still sequence, until more are named. Who is no sequencer can go
	// at any time.
	w = found(t, 3, 3, roster.Spread{})
	w.join(3, 20, 0, 1, 2)
	w.join(4, 21, 0, 1, 2)
	_, out = w.propose(4, entry.Leave, entry.Concerned{Member: id(4)})
	w.settled(out)
	_, out = w.propose(0, entry.Sequencers, entry.Seats{Members: ids(0, 1, 2, 3)}, 1, 2)
	w.settled(out)

	// It holds when a change takes effect, not only when it is proposed.
	w = found(t, 6, 5, roster.Spread{})
	one, _ := w.propose(0, entry.Suspend, entry.Concerned{Member: id(4)}, 1, 2)
	other, _ := w.propose(0, entry.Suspend, entry.Concerned{Member: id(3)}, 1, 2)
	w.settled(w.approve(5, one))
	if out := w.approve(5, other); len(out) != 1 || !few(out[0].Err) || !slices.Equal(w.state.Sequencers(), ids(0, 1, 2, 3)) {
		t.Errorf("two were suspended: %+v, %v", out, w.state.Sequencers())
	}
}

// A member that changes its address early does not keep the ledger from beginning.
func TestAddressesBeforeGenesis(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	early := *w
	var err error
	early.state, err = New(w.roster)
	must(t, err)
	early.heads = map[string]entry.Head{}
	early.add(3, entry.Created, nil)
	early.add(3, entry.AddressesChanged, body(t, entry.AddressState{Addresses: []string{"/dns4/node.example/tcp/4001"}}))
	if v := early.state.Roster().Version; v != 2 {
		t.Fatalf("roster version %d", v)
	}
	digest := w.roster.Digest()
	early.add(0, entry.Genesis, body(t, entry.RosterState{Version: 1, Digest: digest[:]}))
	early.tick()
	if early.state.Clock() == 0 {
		t.Error("the ledger has not begun")
	}
}

// What a member approved does not count after it was suspended or left, nor what whoever
// stole its key approved after it was restored; it can approve it again.
func TestApprovalsOfThoseGone(t *testing.T) {
	for what, back := range map[string]func(w *world){
		"suspended": func(w *world) {
			_, out := w.propose(0, entry.Suspend, entry.Concerned{Member: id(4)}, 1, 2, 3)
			w.settled(out)
			_, out = w.propose(0, entry.Readmit, entry.Concerned{Member: id(4)}, 1, 2)
			w.settled(out)
		},
		"left": func(w *world) {
			_, out := w.propose(4, entry.Leave, entry.Concerned{Member: id(4)})
			w.settled(out)
			for _, p := range w.state.Proposals() {
				if slices.Contains(p.Approvals, id(4)) {
					t.Error("who is gone still approves")
				}
			}
			w.join(4, 20, 0, 1, 2)
		},
		"restored": func(w *world) {
			c := card(t, 4, 20)
			w.propose(0, entry.Restore, entry.Renewal{Member: c.Member, Signature: c.Signature}, 1, 2, 3)
			w.now = w.now.Add(RestoreDelay * time.Millisecond)
			w.settled(w.tick())
			w.authors[id(4)] = entry.Author{Member: id(4), Key: key(t, 20)}
		},
	} {
		w := found(t, 5, 4, roster.Spread{}) // a quorum is 4
		w.open = 20 * 24 * time.Hour
		digest, _ := w.propose(0, entry.Grant, entry.Granted{Member: id(0), Kind: "phone", Items: 1}, 1, 4)
		back(w)
		if out := w.approve(2, digest); len(out) > 0 {
			t.Errorf("%s: its approval of before counted: %+v", what, out)
		}
		w.settled(w.approve(4, digest))
	}
}

// Whoever has no voice any more when the delay of new keys is over has none in them: the
// proposal is open again, or lapses.
func TestDueRestoreIsCountedAgain(t *testing.T) {
	for _, lapses := range []bool{false, true} {
		w := found(t, 6, 4, roster.Spread{}) // a quorum is 4
		if !lapses {
			w.open = 20 * 24 * time.Hour
		}
		fresh := card(t, 4, 20)
		digest, _ := w.propose(0, entry.Restore, entry.Renewal{Member: fresh.Member, Signature: fresh.Signature}, 1, 2, 5)
		_, out := w.propose(0, entry.Suspend, entry.Concerned{Member: id(5)}, 1, 2, 3)
		w.settled(out)
		_, out = w.propose(0, entry.Readmit, entry.Concerned{Member: id(5)}, 1, 2, 3)
		w.settled(out)
		w.now = w.now.Add(RestoreDelay * time.Millisecond)
		out = w.tick()
		if lapses {
			if len(out) != 1 || !errors.Is(out[0].Err, ErrLapsed) {
				t.Errorf("three of six restored a member: %+v", out)
			}
			continue
		}
		if p := w.state.Proposals(); len(out) > 0 || len(p) != 1 || p[0].Due != 0 {
			t.Fatalf("three of six restored a member: %+v", out)
		}
		if out := w.approve(3, digest); len(out) > 0 || w.state.Proposals()[0].Due != w.state.Clock()+RestoreDelay {
			t.Errorf("approved anew, it does not wait anew: %+v", out)
		}
		w.now = w.now.Add(RestoreDelay * time.Millisecond)
		w.settled(w.tick())
	}
}

// What was granted to a member is not for whoever comes under its id later.
func TestBudgetsEndWithMembership(t *testing.T) {
	w := found(t, 5, 4, roster.Spread{})
	_, out := w.propose(0, entry.Grant, entry.Granted{Member: id(4), Kind: "phone", Period: 1, Items: 300}, 1, 2, 3)
	w.settled(out)
	_, out = w.propose(4, entry.Leave, entry.Concerned{Member: id(4)})
	w.settled(out)
	w.join(4, 20, 0, 1, 2)
	if got := w.state.Balance(budget.Account{Member: id(4), Kind: "phone", Period: 1}); got != (budget.Balance{}) {
		t.Errorf("it has %+v", got)
	}
	if _, err := w.try(4, entry.BudgetSpent, body(t, entry.Spend{Kind: "phone", Period: 1, Class: 64})); !errors.Is(err, budget.ErrOverBudget) {
		t.Errorf("spent what another was granted: %v", err)
	}
}
