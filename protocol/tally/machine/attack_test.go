package machine

import (
	"bytes"
	"errors"
	"testing"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// lowOrder is a key with a good part for ML-KEM and a point of low order for X25519.
func lowOrder(t *testing.T) []byte {
	t.Helper()
	b, err := sealingKey(bytes.Repeat([]byte{7}, sealingSeed))
	if err != nil {
		t.Fatal(err)
	}
	clear(b[len(b)-32:])
	return b
}

// TestKeysToSealTo: an honest collector refuses keys to which nobody can seal, which would keep
// all dealers from dealing; a member that gets one from a dishonest collector refuses too.
func TestKeysToSealTo(t *testing.T) {
	r := at(t, Accepting)
	me := name(1)
	yes := answers(t, r, me)[0]
	cases := map[string]refusal{}
	for what, k := range map[string][]byte{
		"of low order": lowOrder(t), "no residues": bytes.Repeat([]byte{0xff}, tally.SealingKeySize), "none": nil, "a short one": make([]byte, tally.SealingKeySize-1),
	} {
		cases[what] = refusal{me, []tally.Message{resigned(t, r, me, tally.DomainAcceptance, yes, func(a *tally.Acceptance) { a.Sealing = k })}, wire.Malformed}
	}
	cases["no commitment to a seed"] = refusal{me, []tally.Message{resigned(t, r, me, tally.DomainAcceptance, yes, func(a *tally.Acceptance) { a.Seed = nil })}, wire.Malformed}
	refuse(t, r, cases)

	r = at(t, Dealing)
	called := pending(t, r, me)
	bad := signed(t, r.configs[name(0)].Key, tally.DomainAcceptance, body(called[1]), func(a *tally.Acceptance) { a.Sealing = lowOrder(t) })
	call := signed(t, r.configs[collecting].Key, tally.DomainKeyCall, body(called[0]), func(c *tally.KeyCall) {
		d := tally.Digest(bad, tally.DomainAcceptance)
		c.Dealers[0].Digest = d[:]
	})
	m := fresh(t, r, me)
	replies, err := feed(m, r.now, tally.Message{Kind: tally.KindKeyCall, Body: call}, tally.Message{Kind: tally.KindAcceptance, Body: bad}, called[2], called[3])
	wantCode(t, "a dealer with a key of low order", err, wire.Malformed)
	if len(replies) > 0 || len(m.rec.KeyCall.Body) > 0 {
		t.Error("the call counts as answered")
	}
	if replies, err = feed(m, r.now, called...); err != nil || len(replies) != 4 {
		t.Errorf("the right call is not answered afterwards: %v", err)
	}
}

// TestCollectorCannotReadShares: a collector that puts a key of its own in place of a holder's,
// to read what is dealt to it, needs that holder's signature.
func TestCollectorCannotReadShares(t *testing.T) {
	r := at(t, Dealing)
	me := name(1)
	called := pending(t, r, me)
	own, err := sealingKey(bytes.Repeat([]byte{8}, sealingSeed))
	if err != nil {
		t.Fatal(err)
	}
	forged := signed(t, r.configs[collecting].Key, tally.DomainAcceptance, body(called[1]), func(a *tally.Acceptance) { a.Sealing = own })
	call := signed(t, r.configs[collecting].Key, tally.DomainKeyCall, body(called[0]), func(c *tally.KeyCall) {
		d := tally.Digest(forged, tally.DomainAcceptance)
		c.Dealers[0].Digest = d[:]
	})
	_, err = feed(fresh(t, r, me), r.now, tally.Message{Kind: tally.KindKeyCall, Body: call}, tally.Message{Kind: tally.KindAcceptance, Body: forged})
	wantCode(t, "a key of the collector's", err, wire.Altered)
}

// TestForwardSecrecy: once the key is made, a member's record opens nothing of what the collector
// keeps of the dealing; before, it does.
func TestForwardSecrecy(t *testing.T) {
	r := at(t, Dealing)
	private := map[string][]byte{}
	for _, n := range r.names {
		private[n] = bytes.Clone(r.members[n].rec.Sealing)
	}
	r.until(t, Contributing)
	call := tally.Digest(r.collector.rec.KeyCall, tally.DomainKeyCall)
	for to, n := range r.names {
		from := (to + 1) % len(r.names)
		info := tally.SealInfo(call, uint8(from), uint8(to))
		if _, err := unseal(private[n], info[:], r.store[sealedName(uint8(from), uint8(to))]); err != nil {
			t.Fatalf("the test opens nothing: %v", err)
		}
	}
	r.until(t, Done)
	for _, n := range r.names {
		b, err := r.members[n].Record()
		if err != nil {
			t.Fatal(err)
		}
		if !r.members[n].Ready() || bytes.Contains(b, private[n]) {
			t.Errorf("%s still has its key", n)
		}
	}
}

// putBack is a tally of four whose records are, but for the journals, those of when three had
// accepted, after all four had made a key and contributed. first is the key.
func putBack(t *testing.T) (r *rig, first [32]byte) {
	t.Helper()
	r = newRig(t, proposal(corridors(3), 4, 4, 3))
	r.random(7, 100)
	old := map[string]*Member{}
	for _, n := range r.names[:3] {
		r.talk(t, n)
		old[n] = fresh(t, r, n)
	}
	collector := copied(t, r)
	r.until(t, Contributing)
	r.until(t, Done)
	r.contribute(t, r.names...)
	if err := r.collector.Open(r.names[:3]); err != nil {
		t.Fatal(err)
	}
	me := name(1)
	if replies, err := feed(r.members[me], r.now, pending(t, r, me)...); err != nil || len(replies) != 2 {
		t.Fatalf("the first sum is not shared: %v", err)
	}
	first = r.members[me].key.Digest()
	r.collector, r.members, r.names = collector, old, r.names[:3]
	r.store = collector.Store.(shelf)
	if err := r.collector.Close(); err != nil {
		t.Fatal(err)
	}
	return r, first
}

// TestRecordPutBack: a member whose record was put back to before the key was called for is
// called for another key, of fewer dealers. Its journal knows that it has answered a call.
func TestRecordPutBack(t *testing.T) {
	r, _ := putBack(t)
	for _, me := range r.names {
		m := r.members[me]
		replies, err := feed(m, r.now, pending(t, r, me)...)
		wantCode(t, me+" is called for a second key", err, wire.Replayed)
		if len(replies) > 0 || len(m.rec.KeyCall.Body) > 0 {
			t.Errorf("%s answers", me)
		}
	}
}

// TestSecondSumOfAProposal: should a holder all the same have answered a second call, its journal
// keeps it from sharing a second sum of the proposal.
func TestSecondSumOfAProposal(t *testing.T) {
	r, first := putBack(t)
	me := name(1)
	for _, n := range r.names { // the notes of calls are lost, not those of shares
		delete(r.journals[n].entries, tally.CallNote(r.collector.digest, n))
	}
	r.until(t, Contributing)
	r.until(t, Done)
	r.contribute(t, r.names...)
	if err := r.collector.Open(r.names); err != nil {
		t.Fatal(err)
	}
	if r.members[me].key.Digest() == first {
		t.Fatal("the key is the same")
	}
	replies, err := feed(r.members[me], r.now, pending(t, r, me)...)
	if !errors.Is(err, collective.ErrShared) || len(replies) > 0 {
		t.Errorf("a second sum of one tally is shared: %v", err)
	}
}

// TestRestoredContributor: a member that holds no key, and was restored since it accepted,
// neither goes on to make a key nor contributes.
func TestRestoredContributor(t *testing.T) {
	p := proposal(corridors(3), 4, 3, 3)
	r := newRig(t, p)
	r.random(7, 100)
	me := name(3)
	restored := func(m *Member) *Member {
		m.Journal = &memory{life: collective.Life{99}, entries: map[[32]byte]collective.Entry{}}
		return m
	}
	r.until(t, Contributing)
	m := restored(fresh(t, r, me))
	if _, err := feed(m, r.now, pending(t, r, me)...); !errors.Is(err, collective.ErrRestored) || m.Ready() {
		t.Errorf("it makes a key: %v", err)
	}
	r.until(t, Done)
	m = restored(fresh(t, r, me))
	if replies, err := m.Contribute(r.table(t, me), r.now); !errors.Is(err, collective.ErrRestored) || len(replies) > 0 || m.contributed() {
		t.Errorf("it contributes: %v", err)
	}
}

// TestJournalFails: a call is not answered if that cannot be noted.
func TestJournalFails(t *testing.T) {
	r := at(t, Dealing)
	me := name(1)
	called := pending(t, r, me)
	m := fresh(t, r, me)
	m.Journal = deaf{r.journals[me]}
	if replies, err := feed(m, r.now, called...); !errors.Is(err, errDisk) || len(replies) > 0 || len(m.rec.KeyCall.Body) > 0 {
		t.Errorf("a call is answered all the same: %v", err)
	}
	m.Journal = r.journals[me]
	if replies, err := feed(m, r.now, called...); err != nil || len(replies) != 4 {
		t.Errorf("it is not answered afterwards: %v", err)
	}
}

// deaf is a journal that notes nothing.
type deaf struct{ *memory }

func (deaf) Record(collective.Entry) (collective.Entry, error) { return collective.Entry{}, errDisk }
