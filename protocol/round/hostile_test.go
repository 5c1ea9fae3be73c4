package round

import (
	"testing"

	"entente/protocol/wire"
)

func TestReplays(t *testing.T) {
	p := newPair(t)
	a, b := p.agreed(t)
	if out, err := b.Step(Message{KindOffer, a.rec.Offer}, testNow); err != nil || out == nil || out.Kind != KindAnswer {
		t.Errorf("the same offer gets %v, %v; want the same answer", out, err)
	}
	other := p.offer
	other.Purpose = "something else"
	again, err := Propose(other, p.proposer)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Step(Message{KindOffer, again.rec.Offer}, testNow)
	wantCode(t, err, wire.Replayed)
	_, err = a.Step(Message{KindAnswer, b.rec.Answer}, testNow)
	wantCode(t, err, wire.Replayed)
}

func TestMessagesOutOfPlace(t *testing.T) {
	p := newPair(t)
	a, b := p.agreed(t)
	for name, c := range map[string]struct {
		m    *Machine
		in   Message
		code wire.Code
	}{
		"offer to the proposer":          {a, Message{KindOffer, a.rec.Offer}, wire.Unexpected},
		"answer to the responder":        {b, Message{KindAnswer, b.rec.Answer}, wire.Unexpected},
		"receipt as an answer":           {a, Message{KindReceipt, b.rec.Answer}, wire.Unexpected},
		"closing what is not signed":     {a, Message{KindClosed, ClosedNote{Agreement: digestOf(a)}}, wire.Altered},
		"another confirmed agreement":    {a, Message{KindConfirmed, Confirmed{Agreement: make([]byte, 32)}}, wire.Altered},
		"confirming another":             {b, Message{KindConfirm, Confirm{Agreement: make([]byte, 32)}}, wire.Altered},
		"confirming without a signature": {b, Message{KindConfirm, Confirm{Agreement: digestOf(b)}}, wire.Altered},
		"countersigning nothing":         {b, Message{KindCountersigned, CountersignedNote{Agreement: digestOf(b)}}, wire.Altered},
		"waiting after the answer":       {a, Message{KindPending, Pending{Offer: make([]byte, 32)}}, wire.Altered},
		"hello in the middle":            {b, Message{KindHello, Hello{}}, wire.Unexpected},
	} {
		before := c.m.State()
		_, err := c.m.Step(c.in, testNow)
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.code) })
		if c.m.State() != before {
			t.Errorf("%s: the state went from %s to %s", name, before, c.m.State())
		}
	}
}

func digestOf(m *Machine) []byte {
	d := m.Agreement()
	return d[:]
}

func TestReceiptsBeforeTheirTime(t *testing.T) {
	p := newPair(t)
	a, b := p.agreed(t)
	_, err := b.SignReceipt(Done{Agreement: digestOf(b)}, Traffic{}, p.members)
	wantCode(t, err, wire.Altered)
	_, err = a.CheckReceipt(Signed{}, p.members)
	wantCode(t, err, wire.Altered)
}

// TestReceiptSaysWhatWasAgreed lets a responder sign receipts that say something
// else than what the proposer knows.
func TestReceiptSaysWhatWasAgreed(t *testing.T) {
	for name, change := range map[string]func(*Receipt){
		"class":     func(r *Receipt) { r.ResponderClass = 64 },
		"bytes":     func(r *Receipt) { r.ProposerSent++ },
		"suite":     func(r *Receipt) { r.Suites = []string{"vole"} },
		"member":    func(r *Receipt) { r.Proposer = make([]byte, 32) },
		"agreement": func(r *Receipt) { r.Agreement = make([]byte, 32) },
		"time":      func(r *Receipt) { r.ProposerDone++ },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			a, b := p.agreed(t)
			a.FinishRun()
			b.FinishRun()
			done := a.Done(Traffic{Sent: 1, Received: 2, Finished: testNow}).Body.(Done)
			r := b.receipt(p.members)
			r.ProposerSent, r.ProposerGot, r.ProposerDone = done.Sent, done.Received, done.Finished
			change(&r)
			body, err := wire.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			signature, err := b.parties.Key.Sign(domainReceipt, body)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.CheckReceipt(Signed{Body: body, Signature: signature}, p.members)
			wantCode(t, err, wire.Altered)
		})
	}
}

func TestHello(t *testing.T) {
	roster := [32]byte{1}
	good := Hello{Version: Version, Roster: roster[:], Clock: testNow}
	if err := good.Check(roster, testNow+maxSkew); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		hello Hello
		code  wire.Code
	}{
		"version":    {Hello{Version: 2, Roster: roster[:], Clock: testNow}, wire.UnsupportedVersion},
		"roster":     {Hello{Version: 1, Roster: make([]byte, 32), Clock: testNow}, wire.OtherRoster},
		"clock fast": {Hello{Version: 1, Roster: roster[:], Clock: testNow + maxSkew + 1}, wire.Clock},
		"clock slow": {Hello{Version: 1, Roster: roster[:], Clock: testNow - maxSkew - 1}, wire.Clock},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, c.hello.Check(roster, testNow), c.code) })
	}
}

func TestWhatAPeerHearsOfARoundThatIsOver(t *testing.T) {
	for state, want := range map[State]wire.Code{
		Refused: wire.NotAvailable, Cancelled: wire.Cancelled, Expired: wire.Expired, Failed: wire.UnknownRound,
	} {
		p := newPair(t)
		a, b := p.agreed(t)
		b.End(state, wire.Internal)
		_, err := b.Step(Message{KindOffer, a.rec.Offer}, testNow)
		wantCode(t, err, want)
		next, _ := a.Next()
		_, err = b.Step(next, testNow)
		wantCode(t, err, want)
		b.End(Closed, 0)
		if b.State() != state {
			t.Errorf("a %s round became %s", state, b.State())
		}
	}
}

func TestExpiry(t *testing.T) {
	p := newPair(t)
	a, b := p.agreed(t)
	if a.Expire(p.answer.Expires - 1) {
		t.Error("expired too early")
	}
	if !a.Expire(p.answer.Expires) || a.State() != Expired {
		t.Errorf("did not expire: %s", a.State())
	}
	b.FinishRun()
	if b.Expire(p.answer.Expires + receiptGrace - 1) {
		t.Error("a round that ran gave up its receipt too early")
	}
	if !b.Expire(p.answer.Expires + receiptGrace) {
		t.Error("a round that ran waits for ever")
	}
}

func TestAlteredCertificates(t *testing.T) {
	p := newPair(t)
	a, b := p.agreed(t)
	a.FinishRun()
	b.FinishRun()
	finish(t, p, &a, &b)
	c, err := a.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	// Every tenth byte keeps the test short; each signature is hit many times, and so is
	// the version, which no signature covers.
	for i := 1; i < len(c); i += 10 {
		altered := append([]byte{}, c...)
		altered[i] ^= 1
		if _, err := VerifyCertificate(altered, p.proposer.Roster, p.keyring()); err == nil {
			t.Fatalf("a certificate with byte %d altered verifies", i)
		}
	}
	if _, err := VerifyCertificate(c, [32]byte{}, p.keyring()); err == nil {
		t.Error("a certificate verifies under another roster")
	}
}

// TestOnlyThePartnersWordIsMissing: a proposer that holds both signatures under the
// receipt does not lose it to a partner who never confirms.
func TestOnlyThePartnersWordIsMissing(t *testing.T) {
	p := newPair(t)
	a, b := p.agreed(t)
	a.FinishRun()
	b.FinishRun()
	receipt, err := b.SignReceipt(a.Done(Traffic{Sent: 1, Received: 2, Finished: testNow}).Body.(Done), Traffic{}, p.members)
	if err != nil {
		t.Fatal(err)
	}
	if a.Accounted() || !b.Accounted() {
		t.Error("the responder alone has signed the receipt")
	}
	if _, err := a.CheckReceipt(receipt.Body.(Signed), p.members); err != nil {
		t.Fatal(err)
	}
	limit := p.answer.Expires + receiptGrace
	if !a.Accounted() || a.Expire(limit-1) || !a.Expire(limit) || a.State() != Closed || a.Reason() != 0 {
		t.Errorf("the proposer's round is %s, %s", a.State(), a.Reason())
	}
	if _, err := a.Certificate(); err != nil {
		t.Error(err)
	}
	if !b.Expire(limit) || b.State() != Expired {
		t.Errorf("the responder's round is %s", b.State())
	}
}
