package standing

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// through encodes and decodes a message as the wire does.
func through(t testing.TB, m round.Message) round.Message {
	t.Helper()
	b, err := wire.Marshal(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Parse(m.Kind, b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// again stores a machine and loads it, as after a crash.
func again(t testing.TB, m *Machine, p round.Parties) *Machine {
	t.Helper()
	b, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	out, err := Load(b, p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// begin makes both machines after the offer.
func (p *pair) begin(t testing.TB) (a, b *Machine) {
	t.Helper()
	a, err := Propose(p.offer, p.proposer)
	if err != nil {
		t.Fatal(err)
	}
	first, ok := a.Next()
	if !ok || first.Kind != KindOffer {
		t.Fatalf("first message: %+v", first)
	}
	b, err = Receive(through(t, first).Body.(round.Signed), p.responder, testNow+500)
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// active makes both machines of a subscription that is agreed, each loaded anew after every
// step.
func (p *pair) active(t testing.TB) (a, b *Machine) {
	t.Helper()
	a, b = p.begin(t)
	step := func(m **Machine, parties round.Parties, in round.Message) round.Message {
		t.Helper()
		out, err := (*m).Step(through(t, in), testNow+2000)
		if err != nil {
			t.Fatal(err)
		}
		*m = again(t, *m, parties)
		if out == nil {
			return round.Message{}
		}
		return *out
	}
	step(&a, p.proposer, b.Defer())
	b = again(t, b, p.responder)
	answer, err := b.Accept(p.answer)
	if err != nil {
		t.Fatal(err)
	}
	b = again(t, b, p.responder)
	confirm := step(&a, p.proposer, answer)
	confirmed := step(&b, p.responder, confirm)
	step(&a, p.proposer, confirmed)
	return a, b
}

func TestAgreement(t *testing.T) {
	p := newPair(t)
	a, b := p.active(t)
	if a.Stage() != Active || b.Stage() != Active || a.Agreement() != b.Agreement() || a.Agreement() == [32]byte{} {
		t.Fatalf("%s and %s", a.Stage(), b.Stage())
	}
	if !slices.Equal(a.Feeds(), []uint8{0, 1}) {
		t.Errorf("feeds %v", a.Feeds())
	}
	now := func() time.Time { return time.UnixMilli(testNow) }
	for feed := range uint8(2) {
		x, err := a.Session(feed, now)
		y, again := b.Session(feed, now)
		if err != nil || again != nil {
			t.Fatal(err, again)
		}
		if x.Asker == y.Asker || x.Asker != (feed == 0) || x.Checks != 2 || x.Expires != p.answer.Expires {
			t.Errorf("sessions %+v, %+v", x, y)
		}
		// The version that enters inputs is the offer's on both sides.
		if want := []Kind{{Name: "phone", Version: 2}}; !slices.Equal(x.Kinds, want) || !slices.Equal(y.Kinds, want) {
			t.Errorf("kinds %v, %v", x.Kinds, y.Kinds)
		}
	}
	if _, err := a.Session(2, now); err == nil {
		t.Error("there is a third feed")
	}
	// Either side opens syncs; a repeated confirmation changes nothing.
	for _, sides := range [][2]*Machine{{a, b}, {b, a}} {
		m, ok := sides[0].Sync()
		if !ok {
			t.Fatal("nothing to sync")
		}
		ready, err := sides[1].Step(through(t, m), testNow)
		if err != nil || ready.Kind != KindReady {
			t.Fatal(ready, err)
		}
		if _, err := sides[0].Step(through(t, *ready), testNow); err != nil {
			t.Error(err)
		}
	}
	c, ok := a.Confirm()
	if !ok {
		t.Fatal("nothing to confirm")
	}
	if m, err := b.Step(through(t, c), testNow); err != nil || m.Kind != KindConfirmed {
		t.Error(m, err)
	}
	// The same offer gets the same answer again.
	if m, err := b.Step(round.Message{Kind: KindOffer, Body: a.rec.Offer}, testNow); err != nil || m.Kind != KindAnswer {
		t.Error(m, err)
	}
}

// TestEnd: either side ends at any stage, once; repetitions get the same answer.
func TestEnd(t *testing.T) {
	stages := map[string]func(*pair) (*Machine, *Machine){
		"offered": func(p *pair) (*Machine, *Machine) { return p.begin(t) },
		"answered": func(p *pair) (*Machine, *Machine) {
			a, b := p.begin(t)
			if _, err := b.Accept(p.answer); err != nil {
				t.Fatal(err)
			}
			return a, b
		},
		"active": func(p *pair) (*Machine, *Machine) { return p.active(t) },
	}
	for name, at := range stages {
		for _, proposer := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, by the proposer: %t", name, proposer), func(t *testing.T) {
				p := newPair(t)
				a, b := at(p)
				pa, pb := p.proposer, p.responder
				if !proposer {
					a, b, pa, pb = b, a, pb, pa
				}
				end, err := a.Quit(testNow + 9)
				if err != nil || a.Stage() != Ending || a.Stage().Over() {
					t.Fatal(err, a.Stage())
				}
				a = again(t, a, pa)
				if m, ok := a.Next(); !ok || m.Kind != KindEnd {
					t.Errorf("next is %+v", m)
				}
				for range 2 {
					ended, err := b.Step(through(t, end), testNow)
					if err != nil || ended.Kind != KindEnded || b.Stage() != Ended {
						t.Fatal(err, b.Stage())
					}
					if _, err = a.Step(through(t, *ended), testNow); err != nil || a.Stage() != Ended {
						t.Fatal(err, a.Stage())
					}
					b = again(t, b, pb)
				}
				if s, own := b.Ended(); own || len(s.Body) == 0 {
					t.Error("the signed end is not kept")
				}
				var over *round.OverError
				if _, err := b.Quit(testNow); !errors.As(err, &over) {
					t.Errorf("ended twice: %v", err)
				}
				if _, err := b.Step(round.Message{Kind: KindSync, Body: Sync{}}, testNow); !errors.As(err, &over) || over.Code != wire.Cancelled {
					t.Errorf("a sync after the end: %v", err)
				}
			})
		}
	}
}

func TestExpire(t *testing.T) {
	p := newPair(t)
	a, b := p.begin(t)
	if a.Expire(testNow + MaxOpen - 1) {
		t.Error("expired before its time")
	}
	if !a.Expire(testNow+MaxOpen) || a.Stage() != Expired || a.Expire(testNow+MaxOpen) {
		t.Errorf("an offer that nobody answered is %s", a.Stage())
	}
	b.Finish(Refused, wire.NotAvailable)
	if b.Expire(testNow+MaxLife) || b.Reason() != wire.NotAvailable {
		t.Error("a refusal expires")
	}
	var over *round.OverError
	if _, err := b.Step(round.Message{Kind: KindOffer, Body: a.rec.Offer}, testNow); !errors.As(err, &over) || over.Code != wire.NotAvailable {
		t.Errorf("an offer that was refused came again: %v", err)
	}
	a, _ = newPair(t).active(t)
	if a.Expire(p.answer.Expires-1) || !a.Expire(p.answer.Expires) {
		t.Error("the answer's end does not count")
	}
}

// TestOffers: each field of an offer that is wrong is refused with its number.
func TestOffers(t *testing.T) {
	count := terms.Widest(terms.Count, terms.IDs)
	kinds := make([]Kind, MaxKinds+1)
	for i := range kinds {
		kinds[i] = Kind{Name: string(rune('a' + i)), Version: 1}
	}
	for name, x := range map[string]struct {
		want   wire.Code
		change func(*Offer)
	}{
		"version":              {wire.UnsupportedVersion, func(o *Offer) { o.Version = 2 }},
		"other words":          {wire.UnsupportedVersion, func(o *Offer) { o.Consequence = 2 }},
		"number":               {wire.Malformed, func(o *Offer) { o.Subscription = make([]byte, 15) }},
		"roster's length":      {wire.Malformed, func(o *Offer) { o.Roster = nil }},
		"roster":               {wire.OtherRoster, func(o *Offer) { o.Roster = make([]byte, 32) }},
		"rules":                {wire.Malformed, func(o *Offer) { o.Rules = nil }},
		"from":                 {wire.Altered, func(o *Offer) { o.From = "NZ" }},
		"to":                   {wire.Altered, func(o *Offer) { o.To = "NZ" }},
		"to itself":            {wire.Malformed, func(o *Offer) { o.To = o.From }},
		"purpose":              {wire.Malformed, func(o *Offer) { o.Purpose = "a\nb" }},
		"basis":                {wire.Malformed, func(o *Offer) { o.Basis = "" }},
		"times":                {wire.Malformed, func(o *Offer) { o.Expires = o.Created }},
		"too long":             {wire.Malformed, func(o *Offer) { o.Expires = o.Created + MaxLife + 1 }},
		"in the future":        {wire.Clock, func(o *Offer) { o.Created += 2 * hour }},
		"over":                 {wire.Expired, func(o *Offer) { o.Created, o.Expires = o.Created-2*hour, o.Created-hour }},
		"too old":              {wire.Expired, func(o *Offer) { o.Created -= MaxOpen }},
		"no kinds":             {wire.Malformed, func(o *Offer) { o.Kinds = nil }},
		"too many kinds":       {wire.Malformed, func(o *Offer) { o.Kinds = kinds }},
		"kinds out of order":   {wire.Malformed, func(o *Offer) { slices.Reverse(o.Kinds) }},
		"a kind twice":         {wire.Malformed, func(o *Offer) { o.Kinds[0] = o.Kinds[1] }},
		"asks for a count":     {wire.Malformed, func(o *Offer) { o.Asked = count }},
		"grants a count":       {wire.Malformed, func(o *Offer) { o.Granted = count }},
		"asks for nothing":     {wire.Malformed, func(o *Offer) { o.Asked = terms.Widest(0, 0) }},
		"grants nothing":       {wire.Malformed, func(o *Offer) { o.Granted = terms.Widest(0, 0) }},
		"grants more":          {wire.AboveGrant, func(o *Offer) { o.Asked = terms.Widest(terms.IDs, 0) }},
		"terms":                {wire.Malformed, func(o *Offer) { o.Asked.RetentionDays = 0 }},
		"class":                {wire.Malformed, func(o *Offer) { o.Class = 65 }},
		"class over the limit": {wire.TooLarge, func(o *Offer) { o.Class = 5 << 22 }},
		"cadence":              {wire.Malformed, func(o *Offer) { o.Limit.Cadence = 59 }},
		"slow cadence":         {wire.Malformed, func(o *Offer) { o.Limit.Cadence = MaxCadence + 1 }},
		"cadence over period":  {wire.Malformed, func(o *Offer) { o.Limit.Cadence = o.Limit.Period + 1 }},
		"period":               {wire.Malformed, func(o *Offer) { o.Limit.Period = MinPeriod - 1 }},
		"long period":          {wire.Malformed, func(o *Offer) { o.Limit.Period = MaxPeriod + 1 }},
		"queries":              {wire.Malformed, func(o *Offer) { o.Limit.Queries = 100 }},
		"many queries":         {wire.TooLarge, func(o *Offer) { o.Limit.Queries = 5 << 22 }},
		"tags":                 {wire.Malformed, func(o *Offer) { o.Limit.Tags = 0 }},
		"many tags":            {wire.TooLarge, func(o *Offer) { o.Limit.Tags = 5 << 22 }},
		"checks":               {wire.TooLarge, func(o *Offer) { o.Limit.Checks = MaxChecks + 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			x.change(&p.offer)
			s, err := signed(p.proposer.Key, domainOffer, p.offer)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Receive(s, p.responder, testNow+500)
			wantFault(t, err, x.want)
		})
	}
	p := newPair(t)
	s, err := signed(p.responder.Key, domainOffer, p.offer)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Receive(s, p.responder, testNow)
	wantFault(t, err, wire.Altered)
	s, err = signed(p.proposer.Key, domainOffer, Pending{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Receive(s, p.responder, testNow)
	wantFault(t, err, wire.Malformed)
}

// TestAnswers: an answer may only be stricter than the offer, in every field; the responder
// cannot sign another one, and the proposer takes none.
func TestAnswers(t *testing.T) {
	for name, x := range map[string]struct {
		want   wire.Code
		change func(*Answer)
	}{
		"basis":            {wire.Malformed, func(a *Answer) { a.Basis = "" }},
		"rules":            {wire.Malformed, func(a *Answer) { a.Rules = nil }},
		"before the offer": {wire.Malformed, func(a *Answer) { a.Created -= hour }},
		"too late":         {wire.Malformed, func(a *Answer) { a.Created += MaxOpen }},
		"times":            {wire.Malformed, func(a *Answer) { a.Expires = a.Created }},
		"lasts longer":     {wire.AboveGrant, func(a *Answer) { a.Expires = testNow + 91*24*hour }},
		"opens more": {wire.AboveGrant, func(a *Answer) {
			a.Terms.RetentionDays = 0
			a.Terms = terms.Widest(1, 2)
			a.Terms.Proposer = terms.IDs
			a.Terms.MinItems = 0
		}},
		"opens nothing":       {wire.Malformed, func(a *Answer) { a.Terms = terms.Widest(0, 0) }},
		"opens a count":       {wire.Malformed, func(a *Answer) { a.Terms.Proposer = terms.Count }},
		"no kinds":            {wire.Malformed, func(a *Answer) { a.Kinds = nil }},
		"another kind":        {wire.AboveGrant, func(a *Answer) { a.Kinds[0].Name = "wallet" }},
		"version too far":     {wire.UnsupportedVersion, func(a *Answer) { a.Kinds[0].Version = 4 }},
		"faster":              {wire.AboveGrant, func(a *Answer) { a.Limit.Cadence-- }},
		"longer periods":      {wire.AboveGrant, func(a *Answer) { a.Limit.Period++ }},
		"more queries":        {wire.AboveGrant, func(a *Answer) { a.Limit.Queries *= 2 }},
		"more tags":           {wire.AboveGrant, func(a *Answer) { a.Limit.Tags *= 2 }},
		"more checks":         {wire.AboveGrant, func(a *Answer) { a.Limit.Checks = 11 }},
		"cadence over period": {wire.Malformed, func(a *Answer) { a.Limit.Period = a.Limit.Cadence - 1 }},
		"class":               {wire.Malformed, func(a *Answer) { a.Class = 1 }},
		"list too small":      {wire.AboveGrant, func(a *Answer) { a.Terms.MinItems = 100 }},
		"list too large":      {wire.TooLarge, func(a *Answer) { a.Class = 1 << 20 }},
		"tags too few":        {wire.TooLarge, func(a *Answer) { a.Limit.Tags = 64 }},
	} {
		if name == "opens more" {
			continue // below, since it needs a narrower offer
		}
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			x.change(&p.answer)
			answerRefused(t, p, x.want)
		})
	}
	t.Run("opens more", func(t *testing.T) {
		p := newPair(t)
		p.offer.Granted = terms.Widest(terms.IDs, terms.None)
		answerRefused(t, p, wire.AboveGrant)
	})
}

func answerRefused(t *testing.T, p *pair, want wire.Code) {
	t.Helper()
	a, b := p.begin(t)
	_, err := b.Accept(p.answer)
	wantFault(t, err, want)
	digest := offerDigest(a.rec.Offer.Body)
	p.answer.Offer = digest[:]
	body, err := wire.Marshal(p.answer)
	if err != nil {
		t.Fatal(err)
	}
	agreement := agreementDigest(a.rec.Offer.Body, body)
	signature, err := p.responder.Key.Sign(domainAgreement, agreement[:])
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Step(round.Message{Kind: KindAnswer, Body: round.Signed{Body: body, Signature: signature}}, testNow+2000)
	wantFault(t, err, want)
	if a.Stage() != Offered {
		t.Errorf("the refused answer left it %s", a.Stage())
	}
}

// TestMessagesOutOfPlace: every message at every stage of either side is an answer or the
// peer's fault, never a crash, and a fault changes nothing.
func TestMessagesOutOfPlace(t *testing.T) {
	p := newPair(t)
	a, b := p.active(t)
	sync, _ := a.Sync()
	confirm, _ := a.Confirm()
	end, err := again(t, a, p.proposer).Quit(testNow)
	if err != nil {
		t.Fatal(err)
	}
	agreement := a.Agreement()
	messages := []round.Message{
		{Kind: KindOffer, Body: a.rec.Offer}, {Kind: KindAnswer, Body: b.rec.Answer}, b.Defer(), confirm, sync, end,
		{Kind: KindConfirmed, Body: Confirmed{Agreement: agreement[:]}}, {Kind: KindReady, Body: Ready{Agreement: agreement[:]}},
		{Kind: KindEnded, Body: EndedNote{Subscription: p.offer.Subscription}}, {Kind: KindDone, Body: Done{}},
		{Kind: KindSync, Body: Sync{}}, {Kind: KindConfirm, Body: Confirm{}}, {Kind: KindConfirmed, Body: Confirmed{}},
		{Kind: KindReady, Body: Ready{}}, {Kind: KindEnded, Body: EndedNote{}}, {Kind: KindPending, Body: Pending{}},
		{Kind: KindEnd, Body: round.Signed{}}, {Kind: KindHello, Body: round.Hello{}},
	}
	for stage := Offered; stage <= Failed; stage++ {
		for _, side := range []*Machine{a, b} {
			for i, in := range messages {
				m := again(t, side, side.parties)
				m.rec.Stage = uint8(stage)
				if stage < Answered {
					m.rec.Answer, m.answer = round.Signed{}, Answer{}
				}
				before := m.rec
				_, err := m.Step(in, testNow+3000)
				var broke *wire.ProtocolError
				var over *round.OverError
				if err == nil {
					continue
				}
				if !errors.As(err, &broke) && !errors.As(err, &over) {
					t.Errorf("%s, message %d: %v", stage, i, err)
				}
				if x, y := must(t, before), must(t, m.rec); !bytes.Equal(x, y) {
					t.Errorf("%s, message %d: %v changed the record", stage, i, err)
				}
			}
		}
	}
	if _, err := Load([]byte{0x80}, p.proposer); err == nil {
		t.Error("an empty record is loaded")
	}
	a.rec.Stage = 99
	if _, err := Load(must(t, a.rec), p.proposer); err == nil {
		t.Error("a stage that is none is loaded")
	}
}

func must(t *testing.T, r record) []byte {
	t.Helper()
	b, err := wire.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestForgeries: signatures of another key or purpose, and ends of others, are refused.
func TestForgeries(t *testing.T) {
	p := newPair(t)
	a, b := p.active(t)
	agreement := a.Agreement()
	signEnd := func(k *sign.PrivateKey, d sign.Domain, e End) round.Message {
		s, err := signed(k, d, e)
		if err != nil {
			t.Fatal(err)
		}
		return round.Message{Kind: KindEnd, Body: s}
	}
	good := End{Version: Version, Subscription: p.offer.Subscription, Agreement: agreement[:], From: "AU", Time: testNow}
	other, foreign, late := good, good, good
	other.Agreement, foreign.From, late.Version = make([]byte, 31), "NZ", 2
	for name, in := range map[string]round.Message{
		"another key":    signEnd(p.responder.Key, domainEnd, good),
		"another domain": signEnd(p.proposer.Key, domainApplied, good),
		"another member": signEnd(p.proposer.Key, domainEnd, foreign),
		"agreement":      signEnd(p.proposer.Key, domainEnd, other),
	} {
		_, err := b.Step(in, testNow)
		if wantFault(t, err, wire.Altered); b.Stage() != Active {
			t.Errorf("%s ended it", name)
		}
	}
	_, err := b.Step(signEnd(p.proposer.Key, domainEnd, late), testNow)
	wantFault(t, err, wire.UnsupportedVersion)
	changed := p.offer
	changed.Purpose = "another"
	s, err := signed(p.proposer.Key, domainOffer, changed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Step(round.Message{Kind: KindOffer, Body: s}, testNow)
	wantFault(t, err, wire.Replayed)
	c, _ := a.Confirm()
	forged := c.Body.(Confirm)
	forged.Signature = make([]byte, sign.SignatureSize)
	_, err = b.Step(round.Message{Kind: KindConfirm, Body: forged}, testNow)
	wantFault(t, err, wire.Altered)
}
