package replay

import (
	"crypto/ed25519"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/protocol/budget"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

func TestMembersComeAndGo(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{}) // a quorum is 3
	if w.state.Committee(w.state.Size()).Seats[id(3)].Key == nil || w.state.Clock() != w.now.UnixMilli() {
		t.Fatal("the ledger has not begun")
	}
	newcomer := card(t, 4, 9)
	_, out := w.propose(0, entry.Join, entry.Joining{Member: newcomer.Member, Signature: newcomer.Signature}, 1)
	if len(out) > 0 || len(w.state.Proposals()) != 1 {
		t.Fatalf("two of four approve: %+v", out)
	}
	p := w.state.Proposals()[0]
	before := w.state.Size()
	a := w.add(3, entry.Approval, body(t, entry.Reference{Proposal: p.Digest[:]}))
	w.settled(a.Outcomes)
	if b, ok := w.state.Boundary(before); !a.Boundary || !ok || b != w.state.Size() || len(w.state.Proposals()) > 0 {
		t.Errorf("boundary %d, %v", b, ok)
	}
	if n := len(w.state.Committee(w.state.Size()).Seats); n != 4 {
		t.Errorf("%d seats decide on the change itself, not 4", n)
	}
	w.authors[id(4)] = entry.Author{Member: id(4), Key: key(t, 9)}
	w.add(4, entry.Created, nil)
	r := w.state.Roster()
	digest := r.Digest()
	w.add(4, entry.RosterJoined, body(t, entry.RosterState{Version: 2, Digest: digest[:]}))
	if n := len(w.state.Committee(w.state.Size()).Seats); n != 5 || r.Version != 2 {
		t.Errorf("%d seats in version %d", n, r.Version)
	}

	_, out = w.propose(0, entry.Leave, entry.Concerned{Member: id(4)}, 1, 2) // a quorum of 5 is 4
	if len(out) > 0 {
		t.Error("three of five expelled a member")
	}
	p = w.state.Proposals()[0]
	w.settled(w.add(3, entry.Approval, body(t, entry.Reference{Proposal: p.Digest[:]})).Outcomes)
	if _, err := w.try(4, entry.SealedDigest, body(t, entry.Sealed{Digest: digest[:]})); !errors.Is(err, ErrNotMember) {
		t.Errorf("an expelled member wrote: %v", err)
	}
	_, out = w.propose(3, entry.Leave, entry.Concerned{Member: id(3)})
	w.settled(out)
	if len(w.state.Roster().Members) != 3 || w.state.Roster().Version != 4 {
		t.Errorf("%+v", w.state.Roster())
	}
	// Whoever comes back goes on in the chain that is there.
	again := card(t, 4, 10)
	_, out = w.propose(0, entry.Join, entry.Joining{Member: again.Member, Signature: again.Signature}, 1, 2)
	w.settled(out)
	if _, err := w.try(4, entry.SealedDigest, body(t, entry.Sealed{Digest: digest[:]})); err == nil {
		t.Error("the old key of a member that came back is still good")
	}
	w.authors[id(4)] = entry.Author{Member: id(4), Key: key(t, 10)}
	w.add(4, entry.SealedDigest, body(t, entry.Sealed{Digest: digest[:]}))
	if w.state.Committee(w.state.Size()).Seats[id(4)].Key != nil {
		t.Error("the cosigning key outlived the membership")
	}
}

func TestSuspension(t *testing.T) {
	w := found(t, 5, 5, roster.Spread{}) // a quorum is 4
	_, out := w.propose(0, entry.Suspend, entry.Concerned{Member: id(1)}, 2, 3, 4)
	w.settled(out)
	c := w.state.Committee(w.state.Size() + 1)
	if _, ok := c.Seats[id(1)]; ok || !slices.Equal(w.state.Sequencers(), ids(0, 2, 3, 4)) || !slices.Equal(w.state.Suspended(), ids(1)) {
		t.Errorf("%+v, sequencers %v", c, w.state.Sequencers())
	}
	if _, err := w.try(1, entry.Tick, nil); !errors.Is(err, ErrNotMember) {
		t.Errorf("a suspended member ticked: %v", err)
	}
	_, out = w.propose(0, entry.Readmit, entry.Concerned{Member: id(1)}, 2, 3) // 3 of 4
	w.settled(out)
	w.add(1, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)}))

	// Who was suspended, went and came back has part again.
	for _, a := range []entry.Action{entry.Suspend, entry.Leave} {
		_, out = w.propose(0, a, entry.Concerned{Member: id(1)}, 2, 3)
		if len(out) == 0 {
			p := w.state.Proposals()[0]
			out = w.add(4, entry.Approval, body(t, entry.Reference{Proposal: p.Digest[:]})).Outcomes
		}
		w.settled(out)
	}
	back := card(t, 1, 50)
	_, out = w.propose(0, entry.Join, entry.Joining{Member: back.Member, Signature: back.Signature}, 2, 3)
	w.settled(out)
	w.authors[id(1)] = entry.Author{Member: id(1), Key: key(t, 50)}
	w.add(1, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)}))
}

// Custodians, and sequencers where there would be too few, do not go before others are named.
func TestSeatsAreNotLeftEmpty(t *testing.T) {
	w := found(t, 5, 4, roster.Spread{})
	_, out := w.propose(0, entry.Custodians, entry.Seats{Members: ids(2, 3, 4), Threshold: 2}, 1, 2, 3)
	w.settled(out)
	if c := w.state.Custodians(); !slices.Equal(c.Members, ids(2, 3, 4)) || c.Threshold != 2 {
		t.Errorf("custodians are %+v", c)
	}
	refuses := func(w *world, by, whom int, want string) {
		t.Helper()
		for _, a := range []entry.Action{entry.Suspend, entry.Leave} {
			b, err := entry.Propose(a, entry.Concerned{Member: id(whom)}, w.now.Add(time.Hour).UnixMilli())
			must(t, err)
			if _, err := w.try(by, entry.Proposal, b); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v", a, id(whom), err)
			}
		}
	}
	refuses(w, 1, 4, "is a custodian")
	refuses(w, 1, 0, "3 of 4 members as sequencers would be too few")
	refuses(found(t, 3, 1, roster.Spread{}), 1, 0, "0 of 2 members as sequencers would be too few")
}

func TestPolicies(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	want := entry.PolicyState{Version: 7, Digest: slices.Repeat([]byte{7}, 32)}
	w.add(2, entry.PolicyActivated, body(t, want))
	if got := w.state.Policy(id(2)); got.Version != 7 || string(got.Digest) != string(want.Digest) {
		t.Errorf("%+v", got)
	}
	if w.state.Policy(id(1)).Version != 0 || w.state.Policy("ZZ").Version != 0 || !w.state.Head("ZZ").Empty() {
		t.Error("others have a policy, or strangers a chain")
	}
	if h := w.state.Head(id(2)); h.Digest != w.heads[id(2)].Digest {
		t.Errorf("head %+v", h)
	}
}

// The member concerned has no voice; nor has who is suspended; nor one bloc alone.
func TestWhoseVoiceCounts(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{Blocs: []roster.Bloc{{Name: "north", Members: ids(0, 1)}, {Name: "south", Members: ids(2, 3)}}})
	digest, out := w.propose(0, entry.Suspend, entry.Concerned{Member: id(1)}, 1, 2)
	if len(out) > 0 {
		t.Error("the voice of the member concerned counted")
	}
	w.settled(w.approve(3, digest))

	// A quorum is 6 of 9, which one bloc has.
	w = found(t, 9, 4, roster.Spread{Blocs: []roster.Bloc{{Name: "north", Members: ids(0, 1, 2, 3, 4, 5)}, {Name: "south", Members: ids(6, 7, 8)}}})
	_, out = w.propose(0, entry.Blocs, roster.Spread{Blocs: w.state.spread.Blocs, Wanted: 2}, 1, 2, 3, 4, 5)
	w.settled(out)
	if digest, out = w.propose(0, entry.Sequencers, entry.Seats{Members: ids(0, 1, 2, 6)}, 1, 2, 3, 4, 5); len(out) > 0 {
		t.Error("one bloc alone named sequencers")
	}
	w.settled(w.approve(6, digest))
	if !slices.Equal(w.state.Sequencers(), ids(0, 1, 2, 6)) || w.state.Committee(w.state.Size()+1).Blocs != 2 {
		t.Error("the change did not take effect")
	}
}

func TestLostKey(t *testing.T) {
	for _, objects := range []bool{false, true} {
		w := found(t, 5, 4, roster.Spread{})
		fresh := card(t, 4, 20)
		digest, out := w.propose(0, entry.Restore, entry.Renewal{Member: fresh.Member, Signature: fresh.Signature}, 1, 2, 3)
		if len(out) > 0 || w.state.Proposals()[0].Due != w.state.Clock()+RestoreDelay {
			t.Fatalf("not scheduled: %+v", out)
		}
		w.add(4, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)})) // the old key is good until then
		if objects {
			out = w.add(4, entry.Objection, body(t, entry.Reference{Proposal: digest[:]})).Outcomes
			if len(out) != 1 || !errors.Is(out[0].Err, ErrObjected) {
				t.Errorf("objection: %+v", out)
			}
		}
		w.now = w.now.Add(RestoreDelay*time.Millisecond - 2*time.Minute)
		if out := w.tick(); len(out) > 0 {
			t.Errorf("it took effect too soon: %+v", out)
		}
		out = w.tick()
		if objects {
			if len(out) > 0 || w.state.Roster().Version != 1 {
				t.Errorf("it took effect against the objection: %+v", out)
			}
			continue
		}
		w.settled(out)
		if _, err := w.try(4, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)})); err == nil {
			t.Error("the lost key is still good")
		}
		w.authors[id(4)] = entry.Author{Member: id(4), Key: key(t, 20)}
		w.add(4, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)}))
		size := w.state.Size()
		if w.state.Committee(size).Seats[id(4)].Key != nil || w.state.Committee(size - 3).Seats[id(4)].Key == nil {
			t.Error("the cosigning key did not end with the lost one, or was never there")
		}
	}
}

func TestRotationAndAddresses(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	must(t, w.rotate(2, 30, 30))
	w.add(2, entry.AddressesChanged, body(t, entry.AddressState{Addresses: []string{"/dns4/node.example/tcp/4001"}}))
	holds := func(i int, version uint64, sign, transport byte) {
		t.Helper()
		m, _ := w.state.Roster().Find(id(i))
		if w.state.Roster().Version != version || !channel(transport).Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(m.Transport)) ||
			string(m.Sign) != string(key(t, sign).Public().Bytes()) {
			t.Errorf("version %d, %+v", w.state.Roster().Version, m)
		}
	}
	holds(2, 3, 30, 30)
	if m, _ := w.state.Roster().Find(id(2)); len(m.Addresses) != 1 {
		t.Errorf("addresses are %v", m.Addresses)
	}
	// Two members do not share a key, even if its holder proves for both that it is theirs;
	// and the chain goes on where it was.
	before := fingerprint(w.state)
	for what, err := range map[string]error{"signing key": w.rotate(1, 30, 31), "transport key": w.rotate(1, 40, 30)} {
		if err == nil || !strings.Contains(err.Error(), "stands for") {
			t.Errorf("two members have one %s: %v", what, err)
		}
	}
	if !reflect.DeepEqual(before, fingerprint(w.state)) {
		t.Error("a refused rotation changed the state")
	}
	must(t, w.rotate(1, 40, 2)) // with the transport key that it has
	holds(1, 4, 40, 2)
	must(t, w.rotate(1, 41, 31))
	holds(1, 5, 41, 31)
	w.add(1, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)}))
}

// What was possible when it was written, and no longer when it is ordered, does not end its
// author's chain.
func TestLateEntriesAreVoid(t *testing.T) {
	w := found(t, 5, 4, roster.Spread{})
	digest, out := w.propose(0, entry.Sequencers, entry.Seats{Members: ids(0, 2, 3, 4)}, 1, 2, 3)
	w.settled(out)
	a, err := w.state.Apply(first(w.next(4, entry.Approval, body(t, entry.Reference{Proposal: digest[:]}))))
	if err != nil || a.Void == nil || a.Index != w.state.Size()-1 {
		t.Fatalf("a late approval: %+v, %v", a, err)
	}
	w.heads[id(4)] = w.state.Head(id(4))
	w.add(4, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)}))
	w.add(1, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)}))
	if _, err := w.try(1, entry.Tick, nil); err == nil { // no sequencer any more
		t.Error("a former sequencer ticked")
	}
	w.add(1, entry.SealedDigest, body(t, entry.Sealed{Digest: make([]byte, 32)}))
}

func TestBudgets(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	spend := func(class uint64) error {
		_, err := w.try(2, entry.BudgetSpent, body(t, entry.Spend{Kind: "phone", Period: 1, Class: class}))
		return err
	}
	if err := spend(64); !errors.Is(err, budget.ErrOverBudget) {
		t.Errorf("without a grant: %v", err)
	}
	_, out := w.propose(0, entry.Grant, entry.Granted{Member: id(2), Kind: "phone", Period: 1, Items: 300, Daily: 128}, 1, 2)
	w.settled(out)
	must(t, spend(80))
	if err := spend(64); !errors.Is(err, budget.ErrOverBudget) {
		t.Errorf("over the day's bound: %v", err)
	}
	w.now = w.now.Add(24 * time.Hour)
	w.tick()
	must(t, spend(128))
	if got := w.state.Balance(budget.Account{Member: id(2), Kind: "phone", Period: 1}); got.Granted != 300 || got.Spent != 208 {
		t.Errorf("%+v", got)
	}
	if _, err := w.try(3, entry.BudgetSpent, body(t, entry.Spend{Kind: "phone", Period: 1, Class: 64})); !errors.Is(err, budget.ErrOverBudget) {
		t.Errorf("another's budget: %v", err)
	}
}

// No single sequencer moves the ledger's clock, forward or back.
func TestClock(t *testing.T) {
	w := found(t, 7, 4, roster.Spread{})
	was := w.state.Clock()
	now := w.now
	w.now = now.AddDate(100, 0, 0)
	w.add(3, entry.Tick, nil)
	if w.state.Clock() != was {
		t.Errorf("one sequencer set the clock to %d", w.state.Clock())
	}
	w.now = now.Add(time.Minute)
	for _, i := range []int{0, 1} {
		w.add(i, entry.Tick, nil)
	}
	if w.state.Clock() != w.now.UnixMilli() {
		t.Errorf("the clock stands at %d", w.state.Clock())
	}
	was = w.state.Clock()
	_, out := w.propose(0, entry.Sequencers, entry.Seats{Members: ids(2, 4, 5, 6)}, 1, 2, 3, 4)
	w.settled(out)
	w.add(2, entry.Tick, nil) // the other three have not ticked yet
	if w.state.Clock() != was {
		t.Errorf("the clock went back to %d", w.state.Clock())
	}
}

func TestProposalsLapse(t *testing.T) {
	w := found(t, 5, 4, roster.Spread{})
	digest, _ := w.propose(0, entry.Suspend, entry.Concerned{Member: id(4)})
	w.now = w.now.Add(58 * time.Minute)
	if out := w.tick(); len(out) > 0 {
		t.Errorf("lapsed too soon: %+v", out)
	}
	if out := w.tick(); len(out) != 1 || !errors.Is(out[0].Err, ErrLapsed) {
		t.Errorf("%+v", out)
	}
	if _, err := w.try(1, entry.Approval, body(t, entry.Reference{Proposal: digest[:]})); err == nil {
		t.Error("a lapsed proposal was approved")
	}
	// What is no longer possible when it is approved comes to nothing, with the reason.
	digest, _ = w.propose(0, entry.Sequencers, entry.Seats{Members: ids(0, 1, 2, 4)}, 1)
	_, out := w.propose(4, entry.Leave, entry.Concerned{Member: id(4)})
	w.settled(out)
	out = w.approve(2, digest)
	if len(out) != 1 || out[0].Err == nil || !slices.Equal(w.state.Sequencers(), ids(0, 1, 2, 3)) {
		t.Errorf("%+v", out)
	}
}

func TestEvidenceConvicts(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	by := func(i, k int) byte { // M01 signs the second with its second key
		if i == 1 && k == 1 {
			return 41
		}
		return byte(i + 1)
	}
	origin := func(term uint64) checkpoint.Origin {
		if term == 1 {
			return checkpoint.Origin{Federation: w.state.Federation(), Term: 1}
		}
		return checkpoint.Origin{Federation: w.state.Federation(), Term: term, Caller: id(0), Opening: [32]byte{1}}
	}
	make := func(i int, term uint64) []byte {
		var both [2]checkpoint.Signed
		var root []byte
		for k := range both {
			c := checkpoint.Checkpoint{Origin: origin(term), Size: w.state.Size(), Root: checkpoint.Hash{byte(k)}}
			both[k] = checkpoint.Signed{Text: c.Text(), Signatures: []checkpoint.Signature{
				checkpoint.Sign(c, id(i), checkpoint.Cosigner, cosigning(t, by(i, k)), w.now),
			}}
			root = c.Root[:]
		}
		b, err := checkpoint.Evidence{First: both[0], Second: both[1], Root: root}.Marshal()
		must(t, err)
		return body(t, entry.Conflict{Evidence: b})
	}
	w.add(0, entry.Evidence, make(3, 1))
	if got := w.state.Convicted(); len(got) != 1 || got[id(3)] != w.state.Size()-1 {
		t.Errorf("%v", got)
	}
	if _, err := w.try(1, entry.Evidence, make(3, 2)); err == nil {
		t.Error("the same member was convicted twice")
	}
	w.state.first[0] ^= 1
	foreign := make(2, 1)
	w.state.first[0] ^= 1
	if _, err := w.try(1, entry.Evidence, foreign); err == nil || !strings.Contains(err.Error(), "another ledger") {
		t.Errorf("evidence of another ledger: %v", err)
	}
	// A member that changed its cosigning key since, or between the two, is convicted as well.
	old := make(2, 1)
	w.add(2, entry.CosigningKey, w.keyState(2, 40))
	w.add(1, entry.Evidence, old)
	w.add(1, entry.CosigningKey, w.keyState(1, 41))
	w.add(0, entry.Evidence, make(1, 1))
	if got := w.state.Convicted(); len(got) != 3 {
		t.Errorf("%v", got)
	}
}

// What is refused changes nothing; what is void takes its place and has no effect.
func TestRefusedAndVoidEntries(t *testing.T) {
	refused := []string{"no bytes", "stranger", "local", "again", "a gap", "other past", "another's key"}
	w := found(t, 5, 4, roster.Spread{})
	stranger := entry.Author{Member: "ZZ", Key: key(t, 99)}
	digest := w.roster.Digest()
	other := slices.Clone(digest[:])
	other[0] ^= 1
	proposal := func(a entry.Action, v any, in time.Duration) []byte {
		b, err := entry.Propose(a, v, w.now.Add(in).UnixMilli())
		must(t, err)
		return b
	}
	own, zero := card(t, 3, 4), card(t, 8, 1)
	renamed := card(t, 3, 21)
	renamed.Member.Name = "Other"
	renamed, err := rosterCard(renamed.Member, 21, t)
	must(t, err)
	by := func(i int, k entry.Kind, b []byte) func() []byte {
		return func() []byte { s, _ := w.next(i, k, b); return s }
	}
	for name, c := range map[string]struct {
		entry func() []byte
		want  string
	}{
		"no bytes": {func() []byte { return nil }, "decode"},
		"stranger": {func() []byte { return marshal(t, stranger, entry.Head{}, entry.Submitted, entry.Created, w.now) }, ErrNotMember.Error()},
		"local":    {func() []byte { return marshal(t, w.authors[id(1)], entry.Head{}, entry.Local, entry.Created, w.now) }, "not for others"},
		"again":    {func() []byte { return w.entries[len(w.entries)-1] }, ErrNotNext.Error()},
		"a gap": {func() []byte {
			h := w.heads[id(1)]
			h.Sequence++
			return marshal(t, w.authors[id(1)], h, entry.Submitted, entry.Tick, w.now)
		}, ErrNotNext.Error()},
		"other past": {func() []byte {
			h := w.heads[id(1)]
			h.Digest[0] ^= 1
			return marshal(t, w.authors[id(1)], h, entry.Submitted, entry.Tick, w.now)
		}, ErrNotNext.Error()},
		"another's key": {func() []byte {
			return marshal(t, entry.Author{Member: id(1), Key: key(t, 3)}, w.heads[id(1)], entry.Submitted, entry.Tick, w.now)
		}, "signature"},
		"second genesis":          {by(0, entry.Genesis, body(t, entry.RosterState{Version: 1, Digest: digest[:]})), "begun"},
		"unknown roster":          {by(0, entry.RosterJoined, body(t, entry.RosterState{Version: 1, Digest: other})), "never in force"},
		"roster version":          {by(0, entry.RosterJoined, body(t, entry.RosterState{Version: 2, Digest: digest[:]})), "another version"},
		"tick of another":         {by(4, entry.Tick, nil), "only sequencers"},
		"tick too soon":           {by(1, entry.Tick, nil), "too soon"},
		"own key again":           {by(1, entry.CosigningKey, w.keyState(1, 2)), "stood for M01"},
		"another's cosigning key": {by(1, entry.CosigningKey, w.keyState(1, 1)), "stood for M00"},
		"no such proposal":        {by(1, entry.Approval, body(t, entry.Reference{Proposal: digest[:]})), "no such proposal"},
		"no proposal of its":      {by(1, entry.Objection, body(t, entry.Reference{Proposal: digest[:]})), "no such proposal"},
		"lapsed at once":          {by(1, entry.Proposal, proposal(entry.Suspend, entry.Concerned{Member: id(2)}, -time.Minute)), "lapse"},
		"lapses too late":         {by(1, entry.Proposal, proposal(entry.Suspend, entry.Concerned{Member: id(2)}, 91*24*time.Hour)), "lapse"},
		"suspends nobody":         {by(1, entry.Proposal, proposal(entry.Suspend, entry.Concerned{Member: "ZZ"}, time.Hour)), "no member"},
		"readmits a member":       {by(1, entry.Proposal, proposal(entry.Readmit, entry.Concerned{Member: id(2)}, time.Hour)), "not suspended"},
		"joins a member":          {by(1, entry.Proposal, proposal(entry.Join, entry.Joining{Member: own.Member, Signature: own.Signature}, time.Hour)), "is a member"},
		"joins with a key":        {by(1, entry.Proposal, proposal(entry.Join, entry.Joining{Member: zero.Member, Signature: zero.Signature}, time.Hour)), "stands for"},
		"restores nobody":         {by(1, entry.Proposal, proposal(entry.Restore, entry.Renewal{Member: zero.Member, Signature: zero.Signature}, time.Hour)), "no member"},
		"renames":                 {by(1, entry.Proposal, proposal(entry.Restore, entry.Renewal{Member: renamed.Member, Signature: renamed.Signature}, time.Hour)), "new name"},
		"seats a stranger":        {by(1, entry.Proposal, proposal(entry.Sequencers, entry.Seats{Members: []string{"ZZ"}}, time.Hour)), "no member"},
		"bloc of strangers":       {by(1, entry.Proposal, proposal(entry.Blocs, roster.Spread{Blocs: []roster.Bloc{{Name: "a", Members: []string{"ZZ"}}}}, time.Hour)), "no member"},
		"grants a stranger":       {by(1, entry.Proposal, proposal(entry.Grant, entry.Granted{Member: "ZZ", Kind: "phone", Items: 1}, time.Hour)), "no member"},
		"over budget":             {by(1, entry.BudgetSpent, body(t, entry.Spend{Kind: "phone", Class: 64})), budget.ErrOverBudget.Error()},
	} {
		state, err := New(w.roster)
		must(t, err)
		for _, b := range w.entries {
			if _, err := state.Apply(b); err != nil {
				t.Fatal(err)
			}
		}
		whole, before := fingerprint(state), effects(state)
		a, err := state.Apply(c.entry())
		if err != nil && !reflect.DeepEqual(whole, fingerprint(state)) {
			t.Errorf("%s was refused and changed the state", name)
		}
		if !reflect.DeepEqual(before, effects(state)) {
			t.Errorf("%s is void and had an effect", name)
		}
		if void := a.Void != nil; void == slices.Contains(refused, name) {
			t.Errorf("%s: is void: %v", name, void)
		}
		if err == nil {
			err = a.Void
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedAnswers(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	digest, _ := w.propose(0, entry.Suspend, entry.Concerned{Member: id(3)})
	ref := body(t, entry.Reference{Proposal: digest[:]})
	if _, err := w.try(0, entry.Approval, ref); err == nil || !strings.Contains(err.Error(), "approved it before") {
		t.Errorf("approved twice: %v", err)
	}
	if _, err := w.try(3, entry.Objection, ref); err == nil || !strings.Contains(err.Error(), "only a member whose keys") {
		t.Errorf("objected to a suspension: %v", err)
	}
	fresh := card(t, 3, 20)
	digest, _ = w.propose(0, entry.Restore, entry.Renewal{Member: fresh.Member, Signature: fresh.Signature}, 1, 2)
	ref = body(t, entry.Reference{Proposal: digest[:]})
	if _, err := w.try(3, entry.Approval, ref); err == nil || !strings.Contains(err.Error(), "it is approved") {
		t.Errorf("approved what was approved: %v", err)
	}
	if _, err := w.try(1, entry.Objection, ref); err == nil {
		t.Error("somebody else objected")
	}
}

// A member can fill neither the others' disks nor their memory.
func TestMembersAreBounded(t *testing.T) {
	w := found(t, 6, 4, roster.Spread{})
	for range MaxOpen {
		w.propose(4, entry.Suspend, entry.Concerned{Member: id(5)})
	}
	b, err := entry.Propose(entry.Suspend, entry.Concerned{Member: id(5)}, w.now.Add(time.Hour).UnixMilli())
	must(t, err)
	if _, err := w.try(4, entry.Proposal, b); !errors.Is(err, ErrTooMany) {
		t.Errorf("one proposal too many: %v", err)
	}
	var n int
	for n = 0; ; n++ {
		if _, err = w.try(4, entry.AddressesChanged, body(t, entry.AddressState{Addresses: []string{}})); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrTooMany) || n > MaxBulkyADay {
		t.Errorf("%d changes of address, then %v", n, err)
	}
	w.add(4, entry.Refusals, body(t, entry.Refused{From: w.now.Add(-time.Hour).UnixMilli(), Until: w.now.UnixMilli(), Count: 1}))
	w.state.members[id(4)].entries = MaxEntriesADay
	next := body(t, entry.Refused{From: w.now.UnixMilli(), Until: w.now.UnixMilli() + 1, Count: 1})
	w.now = w.now.Add(time.Second)
	if _, err := w.try(4, entry.Refusals, next); !errors.Is(err, ErrTooMany) {
		t.Errorf("one entry too many: %v", err)
	}
	w.now = w.now.Add(24 * time.Hour)
	w.tick()
	w.add(4, entry.Refusals, next)
	if _, err := w.try(4, entry.Refusals, next); err == nil || !strings.Contains(err.Error(), "overlaps") {
		t.Errorf("two counters of one window: %v", err)
	}
	w.add(4, entry.AddressesChanged, body(t, entry.AddressState{Addresses: []string{}}))
}

// Before the ledger begins nothing can be proposed, spent or ticked.
func TestBeforeItBegins(t *testing.T) {
	w := found(t, 5, 4, roster.Spread{})
	fresh, err := New(w.roster)
	must(t, err)
	early := *w
	early.state, early.heads = fresh, map[string]entry.Head{}
	for name, err := range map[string]error{
		"tick":    second(early.try(0, entry.Tick, nil)),
		"spend":   second(early.try(0, entry.BudgetSpent, body(t, entry.Spend{Kind: "phone", Class: 64}))),
		"propose": second(early.try(0, entry.Proposal, mustPropose(t, w.now))),
	} {
		if !errors.Is(err, ErrNotBegun) {
			t.Errorf("%s: %v", name, err)
		}
	}
	digest := w.roster.Digest()
	if _, err := early.try(4, entry.Genesis, body(t, entry.RosterState{Version: 1, Digest: digest[:]})); err == nil {
		t.Error("somebody who is no sequencer began the ledger")
	}
	if _, err := early.try(0, entry.Genesis, body(t, entry.RosterState{Version: 2, Digest: digest[:]})); err == nil {
		t.Error("the ledger began under another roster")
	}
	four := ids(0, 1, 2, 3)
	for want, r := range map[string]roster.Roster{
		"sequencers: 0 members":      w.under(nil, roster.Spread{}),
		"sequencers: ZZ is not":      w.under([]string{"M00", "M01", "M02", "ZZ"}, roster.Spread{}),
		"M00 is out of order":        w.under(ids(1, 0, 2, 3), roster.Spread{}),
		"roster: version":            {Sequencers: four},
		"bloc a: ZZ is not a member": w.under(four, roster.Spread{Blocs: []roster.Bloc{{Name: "a", Members: []string{"ZZ"}}}}),
	} {
		if _, err := New(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a ledger was started, or not for %q: %v", want, err)
		}
	}
}

// Two that replay the same entries hold the same state.
func TestReplayIsDeterministic(t *testing.T) {
	w := found(t, 7, 4, roster.Spread{})
	for i := range 5 {
		w.propose(i, entry.Grant, entry.Granted{Member: id(i), Kind: "phone", Period: 1, Items: 500})
		w.propose(i, entry.Suspend, entry.Concerned{Member: id(6)})
	}
	w.now = w.now.Add(2 * time.Hour)
	w.tick()
	again, err := New(w.roster)
	must(t, err)
	for _, b := range w.entries {
		if _, err := again.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(fingerprint(w.state), fingerprint(again)) {
		t.Error("two replays differ")
	}
}

// A clone goes on by itself: nothing that happens to one is seen in the other.
func TestClone(t *testing.T) {
	w := found(t, 5, 4, roster.Spread{})
	digest, _ := w.propose(0, entry.Grant, entry.Granted{Member: id(4), Kind: "phone", Period: 1, Items: 300}, 1)
	before, other := fingerprint(w.state), w.state.Clone()
	if !reflect.DeepEqual(before, fingerprint(other)) {
		t.Fatal("the clone differs")
	}
	ref := body(t, entry.Reference{Proposal: digest[:]})
	w.add(2, entry.Approval, ref)
	w.settled(w.add(3, entry.Approval, ref).Outcomes)
	w.add(4, entry.BudgetSpent, body(t, entry.Spend{Kind: "phone", Period: 1, Class: 64}))
	w.add(2, entry.CosigningKey, w.keyState(2, 40))
	w.add(4, entry.AddressesChanged, body(t, entry.AddressState{Addresses: []string{}}))
	_, out := w.propose(4, entry.Leave, entry.Concerned{Member: id(4)})
	w.settled(out)
	w.now = w.now.Add(time.Hour)
	w.tick()
	if !reflect.DeepEqual(before, fingerprint(other)) {
		t.Error("the clone changed with the original")
	}
	for _, p := range other.Proposals() {
		if len(p.Approvals) != 2 {
			t.Errorf("the clone's proposal is approved by %v", p.Approvals)
		}
	}
}
