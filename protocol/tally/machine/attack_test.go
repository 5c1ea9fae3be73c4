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

// TestRecordPutBack has all records put back to before the key was called for, but for one
// holder's journal. The collector calls for another key, of fewer dealers, and for its sum: the
// holder, which has shared a sum of this tally, shares no second one.
func TestRecordPutBack(t *testing.T) {
	r := newRig(t, proposal(corridors(3), 4, 4, 3))
	r.random(7, 100)
	me := name(1)
	old := map[string]*Member{}
	for _, n := range r.names[:3] {
		r.talk(t, n)
		old[n] = fresh(t, r, n)
	}
	collector := copied(t, r)
	finish := func(contributors ...string) {
		t.Helper()
		r.until(t, Contributing)
		r.until(t, Done)
		r.contribute(t, contributors...)
		if err := r.collector.Open(r.names[:3]); err != nil {
			t.Fatal(err)
		}
	}
	finish(r.names...)
	if replies, err := feed(r.members[me], r.now, pending(t, r, me)...); err != nil || len(replies) != 2 {
		t.Fatalf("the first sum is not shared: %v", err)
	}
	first := r.members[me].key.Digest()

	r.collector, r.members, r.names = collector, old, r.names[:3]
	r.store = collector.Store.(shelf)
	for _, n := range r.names {
		r.members[n].Journal = r.journals[n]
	}
	if err := r.collector.Close(); err != nil {
		t.Fatal(err)
	}
	finish(r.names...)
	if r.members[me].key.Digest() == first {
		t.Fatal("the key is the same")
	}
	replies, err := feed(r.members[me], r.now, pending(t, r, me)...)
	if !errors.Is(err, collective.ErrShared) || len(replies) > 0 {
		t.Errorf("a second sum of one tally is shared: %v", err)
	}
}
