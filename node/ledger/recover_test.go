package ledger

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/entry"
	"entente/protocol/recovery"
)

// agreed has a member call for a term, and others agree to it as soon as they hear of it.
func (w *world) agreed(caller string, sequencers []string, without string, others ...string) recovery.Call {
	w.t.Helper()
	call, err := w.members[caller].service.Call(sequencers, without)
	must(w.t, err)
	for _, id := range others {
		w.until(id+" hears of it", func() bool {
			err := w.members[id].service.Agree(call.Digest())
			if err != nil && !errors.Is(err, ErrNoCall) {
				w.t.Fatal(err)
			}
			return err == nil
		})
	}
	return call
}

// entered reports whether all of these are in the term of a call.
func (w *world) entered(call recovery.Call, ids ...string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool {
		o := w.members[id].service.mirror.Term()
		return o.Term != call.Term || o.Caller != call.Member
	})
}

// A leader that shows two orders, has each signed by as many, and falls silent stops the
// ledger. The others go on without it in a new term, in which everything that was handed in
// becomes final, and nothing that was final is lost; it catches up when it is honest again.
func TestNewTermAfterAnEquivocatingLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, leader, victims := equivocate(t, 2)
		defer w.stopAll()
		<-time.After(time.Minute)
		before := map[string]uint64{}
		for _, id := range w.ids() {
			if id != leader {
				before[id] = w.final(id)
			}
		}
		w.members[leader].stop()
		rest := slices.DeleteFunc(w.ids(), func(id string) bool { return id == leader })
		if w.settled(rest...) {
			t.Fatal("the ledger does not stand still")
		}
		sequencers := append(slices.DeleteFunc([]string{name(0), name(1), name(2), name(3)}, func(id string) bool { return id == leader }), name(4))
		// Four of seven are too few.
		call := w.agreed(name(5), sequencers, "", rest[:3]...)
		<-time.After(time.Minute)
		if w.entered(call, name(5)) {
			t.Fatal("the term has begun with too few pledges")
		}
		for _, id := range rest[3:] {
			if id != name(5) {
				must(t, w.members[id].service.Agree(call.Digest()))
			}
		}
		took := w.until("all are in the term", func() bool { return w.entered(call, rest...) })
		took += w.until("all is final", func() bool { return w.settled(rest...) })
		if took > time.Minute {
			t.Errorf("it took %s until all was final", took)
		}
		for id, n := range before {
			if w.final(id) < n {
				t.Errorf("%s: %d entries are final, of %d before", id, w.final(id), n)
			}
		}
		w.write(victims[0], 3)
		w.until("the ledger goes on", func() bool { return w.settled(rest...) })
		w.start(leader)
		w.until("the leader of before follows", func() bool { return w.settled(w.ids()...) })
		if w.members[leader].service.sequences() {
			t.Error("it sequences still")
		}
		w.agree()
		// All that holds after a restart.
		w.stopAll()
		w.startAll()
		w.write(name(6), 4)
		w.until("it goes on after a restart", func() bool { return w.settled(w.ids()...) && w.entered(call, w.ids()...) })
	})
}

// Where three members have part, two can go on without the third.
func TestNewTermWithoutAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 3)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		gone := name(2)
		w.members[gone].stop()
		w.write(name(0), 1)
		<-time.After(time.Minute)
		rest := []string{name(0), name(1)}
		if w.settled(rest...) {
			t.Fatal("something is final without the third")
		}
		for _, bad := range []string{name(0), name(7)} {
			if _, err := w.members[name(0)].service.Call(rest, bad); err == nil {
				t.Errorf("a term without %s was called for", bad)
			}
		}
		call := w.agreed(name(0), rest, gone, name(1))
		w.until("both go on", func() bool { return w.entered(call, rest...) && w.settled(rest...) })
		if _, suspended := w.members[name(1)].service.Members(); !slices.Equal(suspended, []string{gone}) {
			t.Errorf("suspended are %v", suspended)
		}
		w.start(gone)
		w.until("it learns that it has no part", func() bool { return w.entered(call, gone) && w.final(gone) == w.final(name(0)) })
		w.agree()
	})
}

// A member that has pledged signs nothing more in this term, also after a restart, and the
// ledger goes on without it if enough others do. Pledges are for the later of two calls.
func TestPledgesBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		ids := w.ids()
		call := w.agreed(name(1), ids, "")
		w.members[name(1)].stop()
		w.start(name(1))
		w.write(name(0), 1)
		w.until("the others go on", func() bool { return w.settled(ids...) })
		kept, err := w.members[name(1)].service.mirror.Final()
		must(t, err)
		_, err = w.members[name(1)].service.signer.Cosign(kept[len(kept)-1])
		if !errors.Is(err, ErrPledged) {
			t.Errorf("it cosigned: %v", err)
		}
		calls, err := w.members[name(1)].service.Calls()
		must(t, err)
		d := call.Digest()
		if len(calls) != 1 || calls[0].ID != hex.EncodeToString(d[:]) || !calls[0].Pledged || calls[0].Needed != 3 {
			t.Errorf("%+v", calls)
		}
		// Two call for the same number. The later one is that of the higher id.
		if _, err := w.members[name(2)].service.Call(ids[1:], ""); err == nil {
			t.Error("a term with too few sequencers was called for")
		}
		other := w.agreed(name(2), ids, "", name(0), name(3))
		w.until("the one that was called for later begins", func() bool { return w.entered(other, ids[0], ids[2], ids[3]) })
		w.until("all follow", func() bool { return w.entered(other, ids...) })
		if err := w.members[name(0)].service.Agree(call.Digest()); err == nil {
			t.Error("a member pledged for a term that has been passed over")
		}
		w.write(name(3), 2)
		w.until("all sign again", func() bool {
			kept, err := w.members[name(0)].service.mirror.Final()
			must(t, err)
			return w.settled(ids...) && len(kept[len(kept)-1].Signatures) > 0
		})
		w.agree()
	})
}

// A member that was away during two terms, with a change of the committee in between, enters
// one after the other; and one that pledged for the second reads along before it begins.
func TestTwoTermsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 6, 5)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		away := name(5)
		w.members[away].stop()
		rest, sequencers := w.ids()[:5], w.ids()[:4]
		w.write(name(4), 1)
		second := w.agreed(name(0), sequencers, "", rest[1:]...)
		w.until("the second term begins", func() bool { return w.entered(second, rest...) && w.settled(rest...) })
		body, err := entry.Propose(entry.Sequencers, entry.Seats{Members: rest}, today().Add(time.Hour).UnixMilli())
		must(t, err)
		must(t, w.members[name(0)].chain.Append(t.Context(), entry.Proposal, func(entry.Head) ([]byte, error) { return body, nil }))
		d := w.members[name(0)].chain.heads[len(w.members[name(0)].chain.heads)-1].Digest
		approval, err := entry.Body(entry.Reference{Proposal: d[:]})
		must(t, err)
		for _, id := range rest[1:] {
			must(t, w.members[id].chain.Append(t.Context(), entry.Approval, func(entry.Head) ([]byte, error) { return approval, nil }))
		}
		w.until("there are five sequencers again", func() bool {
			return w.settled(rest...) && slices.Equal(w.members[name(4)].service.sequencers(), rest)
		})
		third := w.agreed(name(1), sequencers, "", name(0), name(2), name(3), name(4))
		w.until("the third term begins", func() bool { return w.entered(third, rest...) && w.settled(rest...) })
		w.start(away)
		w.until("it follows", func() bool { return w.entered(third, away) && w.settled(w.ids()...) })
		w.agree()
	})
}
