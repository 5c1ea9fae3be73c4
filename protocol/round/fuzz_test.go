package round

import (
	"testing"

	"entente/protocol/wire"
)

// FuzzParse feeds hostile bodies to every message and to both machines: nothing
// panics, and what is accepted encodes to the same bytes.
func FuzzParse(f *testing.F) {
	p := newPair(f)
	a, b := p.agreed(f)
	for _, m := range []Message{
		{KindHello, Hello{Version: 1, Roster: make([]byte, 32), Clock: testNow}}, {KindOffer, a.rec.Offer},
		{KindAnswer, b.rec.Answer}, {KindConfirm, a.confirm()}, b.Hold(),
		{KindDone, Done{Agreement: digestOf(a)}}, {KindClosed, ClosedNote{Agreement: digestOf(a)}},
	} {
		body, err := wire.Marshal(m.Body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(m.Kind), body)
	}
	recordA, err := a.Record()
	if err != nil {
		f.Fatal(err)
	}
	recordB, err := b.Record()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		m, err := Parse(wire.Kind(kind), body)
		if err != nil {
			return
		}
		again, err := wire.Marshal(m.Body)
		if err != nil || string(again) != string(body) {
			t.Fatalf("accepted %x, which encodes to %x", body, again)
		}
		for _, c := range []struct {
			record  []byte
			parties Parties
		}{{recordA, p.proposer}, {recordB, p.responder}} {
			machine, err := Load(c.record, c.parties)
			if err != nil {
				t.Fatal(err)
			}
			before := machine.State()
			if _, err := machine.Step(m, testNow); err != nil && machine.State() != before {
				t.Fatalf("a refused message changed the state to %s", machine.State())
			}
		}
		if s, ok := m.Body.(Signed); ok {
			_, _ = Receive(s, p.responder, testNow) // must not panic; an altered offer is refused
		}
	})
}

func FuzzVerifyCertificate(f *testing.F) {
	p := newPair(f)
	a, b := p.agreed(f)
	body, err := wire.Marshal(Certificate{Version: 1, Offer: a.rec.Offer, Answer: b.rec.Answer, Confirm: a.rec.Confirm})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := VerifyCertificate(b, p.proposer.Roster, p.keyring()); err == nil {
			t.Fatal("bytes without a receipt verify")
		}
	})
}
