package round

import (
	"bytes"
	"reflect"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// TestRoundWithACrashAtEveryStep walks through a whole round; after each message
// both sides are stored and loaded again.
func TestRoundWithACrashAtEveryStep(t *testing.T) {
	p := newPair(t)
	a, err := Propose(p.offer, p.proposer)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := a.Next()
	if !ok || m.Kind != KindOffer {
		t.Fatalf("the proposer starts with %v", m.Kind)
	}
	b, err := Receive(through(t, m).Body.(Signed), p.responder, testNow+500)
	if err != nil {
		t.Fatal(err)
	}
	step := func() {
		a, b = again(t, a, p.proposer), again(t, b, p.responder)
	}
	step()
	pending := b.Hold()
	if out, err := a.Step(through(t, pending), testNow+600); err != nil || out != nil || a.State() != Waiting {
		t.Fatalf("a pending answer: %v, %v, %s", out, err, a.State())
	}
	step()
	answer, err := b.Accept(p.answer)
	if err != nil {
		t.Fatal(err)
	}
	step()
	confirm, err := a.Step(through(t, answer), testNow+2000)
	if err != nil || a.State() != Agreed {
		t.Fatalf("the answer: %v, %s", err, a.State())
	}
	step()
	confirmed, err := b.Step(through(t, *confirm), testNow+3000)
	if err != nil || b.State() != Agreed {
		t.Fatalf("the confirmation: %v, %s", err, b.State())
	}
	step()
	if _, err := a.Step(through(t, *confirmed), testNow+3000); err != nil {
		t.Fatal(err)
	}
	if a.Agreement() != b.Agreement() || a.Agreement() == ([32]byte{}) {
		t.Fatal("the two sides hold different agreements")
	}
	runs := a.Runs()
	if len(runs) != 1 || !runs[0].Mutual || !runs[0].ProposerReceives || runs[0].Receiver != 64 || runs[0].Sender != 80 {
		t.Fatalf("runs are %+v", runs)
	}
	a.FinishRun()
	b.FinishRun()
	step()
	finish(t, p, &a, &b)
}

// finish exchanges receipt and countersignature and checks the certificate.
func finish(t *testing.T, p *pair, a, b **Machine) {
	t.Helper()
	done := (*a).Done(Traffic{Sent: 10, Received: 20, Finished: testNow + 5000})
	*a = again(t, *a, p.proposer)
	if repeat := (*a).Done(Traffic{Sent: 99, Received: 99, Finished: testNow + 9999}); !same(repeat, done) {
		t.Error("a repeated Done says something else")
	}
	receipt, err := (*b).SignReceipt(through(t, done).Body.(Done), Traffic{Sent: 21, Received: 11, Finished: testNow + 5100}, p.members)
	if err != nil {
		t.Fatal(err)
	}
	*b = again(t, *b, p.responder)
	counter, err := (*a).CheckReceipt(through(t, receipt).Body.(Signed), p.members)
	if err != nil {
		t.Fatal(err)
	}
	*a = again(t, *a, p.proposer)
	if m, ok := (*a).Next(); !ok || m.Kind != KindCountersigned {
		t.Fatalf("after the receipt comes %v", m.Kind)
	}
	for range 2 { // the second time the note of the first was lost
		closed, err := (*b).Step(through(t, counter), testNow+6000)
		if err != nil || (*b).State() != Closed {
			t.Fatalf("the countersignature: %v, %s", err, (*b).State())
		}
		if (*a).State() == Countersigned {
			if _, err := (*a).Step(through(t, *closed), testNow+6000); err != nil {
				t.Fatal(err)
			}
		}
	}
	if (*a).State() != Closed {
		t.Fatalf("the proposer ends %s", (*a).State())
	}
	for _, m := range []*Machine{*a, *b} {
		c, err := m.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyCertificate(c, p.proposer.Roster, p.keyring()); err != nil {
			t.Error(err)
		}
	}
}

func same(a, b Message) bool {
	x, err1 := wire.Marshal(a.Body)
	y, err2 := wire.Marshal(b.Body)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

func (p *pair) keyring() Keyring {
	return func(id string) (*sign.PublicKey, [32]byte, bool) {
		switch id {
		case "AU":
			return p.proposer.Key.Public(), p.members.Proposer, true
		case "ID":
			return p.responder.Key.Public(), p.members.Responder, true
		}
		return nil, [32]byte{}, false
	}
}

// agreed returns both machines with an agreement.
func (p *pair) agreed(t testing.TB) (*Machine, *Machine) {
	t.Helper()
	a, err := Propose(p.offer, p.proposer)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Receive(a.rec.Offer, p.responder, testNow)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.Accept(p.answer)
	if err != nil {
		t.Fatal(err)
	}
	confirm, err := a.Step(answer, testNow+2000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Step(*confirm, testNow+2000); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestOffersThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Offer)
		code   wire.Code
	}{
		"version":             {func(o *Offer) { o.Version = 2 }, wire.UnsupportedVersion},
		"round too short":     {func(o *Offer) { o.Round = o.Round[:15] }, wire.Malformed},
		"from itself":         {func(o *Offer) { o.From = "ID" }, wire.Malformed},
		"from another":        {func(o *Offer) { o.From = "TH" }, wire.Altered},
		"to another":          {func(o *Offer) { o.To = "TH" }, wire.Altered},
		"other roster":        {func(o *Offer) { o.Roster = make([]byte, 32) }, wire.OtherRoster},
		"expired":             {func(o *Offer) { o.Created, o.Expires = testNow-2000, testNow-1 }, wire.Expired},
		"from the future":     {func(o *Offer) { o.Created, o.Expires = testNow+maxSkew+1, testNow+maxSkew+9 }, wire.Clock},
		"times out of order":  {func(o *Offer) { o.Expires = o.Created }, wire.Malformed},
		"too long":            {func(o *Offer) { o.Expires = o.Created + maxSpan + 1 }, wire.Malformed},
		"asks for nothing":    {func(o *Offer) { o.Asked = terms.Widest(0, 0); o.Granted = o.Asked }, wire.Malformed},
		"mode unknown":        {func(o *Offer) { o.Asked.Proposer = 3 }, wire.Malformed},
		"grants more":         {func(o *Offer) { o.Asked.Proposer = terms.Count }, wire.AboveGrant},
		"no size class":       {func(o *Offer) { o.Class = 65 }, wire.TooLarge},
		"class too large":     {func(o *Offer) { o.Class = 5 << 22 }, wire.TooLarge},
		"no suite":            {func(o *Offer) { o.Suites = nil }, wire.Malformed},
		"suite twice":         {func(o *Offer) { o.Suites = append(o.Suites, o.Suites[0]) }, wire.Malformed},
		"public value long":   {func(o *Offer) { o.Suites[0].Public = make([]byte, 65) }, wire.Malformed},
		"control in purpose":  {func(o *Offer) { o.Purpose = "a\nb" }, wire.Malformed},
		"hidden in purpose":   {func(o *Offer) { o.Purpose = "a\u202eb" }, wire.Malformed},
		"no legal basis":      {func(o *Offer) { o.Basis = "" }, wire.Malformed},
		"commitment too long": {func(o *Offer) { o.Commitment = make([]byte, 33) }, wire.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			c.change(&p.offer)
			body, err := wire.Marshal(p.offer)
			if err != nil {
				t.Fatal(err)
			}
			signature, err := p.proposer.Key.Sign(domainOffer, body)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Receive(Signed{Body: body, Signature: signature}, p.responder, testNow)
			wantCode(t, err, c.code)
		})
	}
}

// Lists that are counted have a smaller bound, and their noise is part of them.
func TestFits(t *testing.T) {
	noisy := terms.Widest(terms.IDs, terms.Count)
	noisy.EpsilonMilli = terms.MinEpsilonMilli
	for _, c := range []struct {
		terms terms.Terms
		class uint32
		want  bool
	}{
		{terms.Widest(terms.IDs, terms.IDs), 64, true},
		{terms.Widest(terms.IDs, terms.None), 1 << 24, true},
		{terms.Widest(terms.IDs, terms.None), 5 << 22, false},
		{terms.Widest(terms.None, terms.Count), 1 << 22, true},
		{terms.Widest(terms.Count, terms.IDs), 5 << 20, false},
		{noisy, 1 << 22, false},
		{noisy, 7 << 19, true},
	} {
		if got := Fits(c.terms, c.class); got != c.want {
			t.Errorf("class %d under %v: %v", c.class, c.terms, got)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Answer)
		code   wire.Code
	}{
		"another offer":     {func(a *Answer) { a.Offer = make([]byte, 32) }, wire.Altered},
		"more than granted": {func(a *Answer) { a.Terms.Proposer = terms.IDs }, wire.AboveGrant},
		"longer retention":  {func(a *Answer) { a.Terms.RetentionDays = 31 }, wire.AboveGrant},
		"nothing":           {func(a *Answer) { a.Terms.Proposer, a.Terms.Responder = 0, 0 }, wire.Malformed},
		"suite not offered": {func(a *Answer) { a.Suites = append(a.Suites, SuiteKey{Name: "vole"}) }, wire.UnsupportedVersion},
		"suite missing":     {func(a *Answer) { a.Suites = a.Suites[:1] }, wire.Malformed},
		"list too small":    {func(a *Answer) { a.Terms.MinItems = 100 }, wire.AboveGrant},
		"forms too far":     {func(a *Answer) { a.Normaliser = 3 }, wire.UnsupportedVersion},
		"made too early":    {func(a *Answer) { a.Created = testNow - maxSkew - 1 }, wire.Malformed},
		"expired":           {func(a *Answer) { a.Expires = a.Created + 1 }, wire.Expired},
		"outlasts offer":    {func(a *Answer) { a.Expires = testNow + 86_400_001 }, wire.AboveGrant},
		"no size class":     {func(a *Answer) { a.Class = 81 }, wire.TooLarge},
		"count too large":   {func(a *Answer) { a.Class = 5 << 20 }, wire.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.offer.Granted.Proposer, p.offer.Granted.RetentionDays = terms.Count, 30
			p.answer.Terms = p.offer.Granted
			p.answer.Suites = append(p.answer.Suites, SuiteKey{Name: CountSuite})
			a, err := Propose(p.offer, p.proposer)
			if err != nil {
				t.Fatal(err)
			}
			digest := a.offer.digest(a.rec.Offer.Body)
			p.answer.Offer = digest[:]
			c.change(&p.answer)
			_, err = a.Step(p.signAnswer(t, a, p.answer), testNow+5000)
			wantCode(t, err, c.code)
			if a.State() != Offered {
				t.Errorf("a refused answer left the round %s", a.State())
			}
		})
	}
}

// signAnswer signs an answer as a responder that checks nothing.
func (p *pair) signAnswer(t *testing.T, a *Machine, answer Answer) Message {
	t.Helper()
	body, err := wire.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	agreement := agreementDigest(a.rec.Offer.Body, body)
	signature, err := p.responder.Key.Sign(domainAgreement, agreement[:])
	if err != nil {
		t.Fatal(err)
	}
	return Message{KindAnswer, Signed{Body: body, Signature: signature}}
}

// Vectors are compared in one run, in which the proposer asks, whoever learns.
func TestRunsOfSimilarVectors(t *testing.T) {
	public := func(b byte) []SuiteKey { return []SuiteKey{{Name: SimilarSuite, Public: bytes.Repeat([]byte{b}, 52)}} }
	for _, c := range []struct {
		proposer, responder terms.Mode
		mutual              bool
	}{{terms.IDs, terms.None, false}, {terms.None, terms.IDs, false}, {terms.IDs, terms.IDs, true}} {
		p := newPair(t)
		p.offer.Suites, p.answer.Suites = public(4), public(5)
		p.answer.Terms = terms.Widest(c.proposer, c.responder)
		a, b := p.agreed(t)
		want := Run{Suite: SimilarSuite, ProposerReceives: true, Mutual: c.mutual, Receiver: 64, Sender: 80,
			SenderPublic: public(5)[0].Public, ReceiverPublic: public(4)[0].Public}
		for _, m := range []*Machine{a, b} {
			if got := m.Runs(); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("terms %s and %s: the runs are %+v", c.proposer, c.responder, got)
			}
		}
	}
	keys := SuiteKey{Name: NamesSuite, Public: bytes.Repeat([]byte{6}, 32)}
	named := newPair(t)
	named.offer.Suites, named.answer.Suites = append(public(4), SuiteKey{Name: NamesSuite}), append(public(5), keys)
	named.answer.Terms = terms.Widest(terms.IDs, terms.None)
	if one, _ := named.agreed(t); len(one.Runs()) != 1 || one.Runs()[0].Suite != NamesSuite || !one.Runs()[0].Similar() {
		t.Errorf("with keys the runs are %+v", one.Runs())
	}
	alone := newPair(t)
	alone.offer.Suites, alone.answer.Suites = append(public(4), SuiteKey{Name: NamesSuite}), []SuiteKey{keys}
	alone.answer.Terms = terms.Widest(terms.IDs, terms.None)
	one, err := Propose(alone.offer, alone.proposer)
	if err != nil {
		t.Fatal(err)
	}
	digestAlone := one.offer.digest(one.rec.Offer.Body)
	alone.answer.Offer = digestAlone[:]
	_, err = one.Step(alone.signAnswer(t, one, alone.answer), testNow+5000)
	wantCode(t, err, wire.Malformed) // keys without vectors

	p := newPair(t)
	p.offer.Suites = append(public(4), SuiteKey{Name: CountSuite})
	p.answer.Suites = append(public(5), SuiteKey{Name: CountSuite})
	p.answer.Terms = terms.Widest(terms.IDs, terms.Count)
	a, err := Propose(p.offer, p.proposer)
	if err != nil {
		t.Fatal(err)
	}
	digest := a.offer.digest(a.rec.Offer.Body)
	p.answer.Offer = digest[:]
	_, err = a.Step(p.signAnswer(t, a, p.answer), testNow+5000)
	wantCode(t, err, wire.Malformed) // they are not counted
}

func TestRunsFollowFromTheTerms(t *testing.T) {
	for _, c := range []struct {
		proposer, responder terms.Mode
		want                []Run
	}{
		{terms.IDs, terms.None, []Run{{Suite: "oprf", ProposerReceives: true, Receiver: 64, Sender: 80}}},
		{terms.None, terms.IDs, []Run{{Suite: "oprf", Receiver: 80, Sender: 64}}},
		{terms.IDs, terms.IDs, []Run{{Suite: "oprf", ProposerReceives: true, Mutual: true, Receiver: 64, Sender: 80}}},
		{terms.IDs, terms.Count, []Run{{Suite: "oprf", ProposerReceives: true, Receiver: 64, Sender: 80}, {Suite: CountSuite, Receiver: 80, Sender: 64}}},
		{terms.Count, terms.Count, []Run{{Suite: CountSuite, ProposerReceives: true, Receiver: 64, Sender: 80}, {Suite: CountSuite, Receiver: 80, Sender: 64}}},
	} {
		p := newPair(t)
		p.answer.Terms = terms.Widest(c.proposer, c.responder)
		p.answer.Suites = nil
		if c.proposer == terms.IDs || c.responder == terms.IDs {
			p.answer.Suites = append(p.answer.Suites, SuiteKey{Name: "oprf", Public: bytes.Repeat([]byte{5}, 32)})
		}
		if c.proposer == terms.Count || c.responder == terms.Count {
			p.answer.Suites = append(p.answer.Suites, SuiteKey{Name: CountSuite})
		}
		a, b := p.agreed(t)
		for _, m := range []*Machine{a, b} {
			runs := m.Runs()
			if len(runs) != len(c.want) {
				t.Fatalf("%s/%s: %d runs, want %d", c.proposer, c.responder, len(runs), len(c.want))
			}
			for i, r := range runs {
				r.SenderPublic = nil
				if r.Suite != c.want[i].Suite || r.ProposerReceives != c.want[i].ProposerReceives || r.Mutual != c.want[i].Mutual ||
					r.Receiver != c.want[i].Receiver || r.Sender != c.want[i].Sender {
					t.Errorf("%s/%s: run %d is %+v, want %+v", c.proposer, c.responder, i, r, c.want[i])
				}
			}
		}
	}
}

func TestSenderPublicIsTheSenders(t *testing.T) {
	p := newPair(t)
	a, _ := p.agreed(t)
	if got := a.Runs()[0].SenderPublic; !bytes.Equal(got, p.answer.Suites[0].Public) {
		t.Error("the proposer receives, so the key must be the responder's")
	}
}
