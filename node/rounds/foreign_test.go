package rounds_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"entente/crypto/sign"
	"entente/node/config"
	"entente/node/keys"
	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// puppet speaks for a member without following its code.
type puppet struct {
	*world
	id, to string
	key    *sign.PrivateKey
	roster [32]byte
	stream *stream
	conn   *wire.Conn
}

// puppet opens a stream to a side in a member's name.
func (w *world) puppet(id string, to *side) *puppet {
	w.t.Helper()
	c, err := config.Load(w.home(id))
	must(w.t, err)
	unlock, err := keys.ParseUnlock(c.Keys.Unlock, c.Keys.UnlockFrom)
	must(w.t, err)
	k, err := keys.Open(w.home(id), unlock)
	must(w.t, err)
	p := &puppet{world: w, id: id, to: to.id, key: k.Identity(), roster: to.fed.Digest()}
	p.dial(0)
	return p
}

// dial opens a new stream and greets, with a clock that is off by so much.
func (p *puppet) dial(off time.Duration) {
	p.t.Helper()
	var err error
	p.stream, err = p.net.dial(p.id, p.to)
	must(p.t, err)
	p.conn = wire.NewConn(p.stream)
	hello := round.Hello{Version: round.Version, Roster: p.roster[:], Clock: time.Now().Add(off).UnixMilli()}
	must(p.t, round.Write(p.conn, round.Message{Kind: round.KindHello, Body: hello}))
	m, err := round.Read(p.conn)
	must(p.t, err)
	if m.Kind != round.KindHello {
		p.t.Fatalf("greeted with %d", m.Kind)
	}
}

// says sends a message and returns what comes back.
func (p *puppet) says(m round.Message) (round.Message, error) {
	p.t.Helper()
	must(p.t, round.Write(p.conn, m))
	return round.Read(p.conn)
}

// refused requires that a message is answered with a number.
func (p *puppet) refused(what string, m round.Message, want wire.Code) {
	p.t.Helper()
	got, err := p.says(m)
	var said *wire.PeerError
	if !errors.As(err, &said) || said.Code != want {
		p.t.Errorf("%s: got kind %d, %v; want %q", what, got.Kind, err, want)
	}
	p.stream.Reset()
	synctest.Wait()
}

// offer is a good offer, before a test changes it.
func (p *puppet) offer() round.Offer {
	p.t.Helper()
	var keys []round.SuiteKey
	for _, name := range []string{rounds.Suite, rounds.Standard, round.CountSuite} {
		suite, err := exact.Lookup(name)
		must(p.t, err)
		_, public, err := suite.NewSecret()
		must(p.t, err)
		keys = append(keys, round.SuiteKey{Name: name, Public: public})
	}
	id := round.NewID()
	now := time.Now().UnixMilli()
	return round.Offer{
		Version: round.Version, Round: id[:], Roster: p.roster[:], From: p.id, To: p.to,
		Created: now, Expires: now + time.Hour.Milliseconds(), Kind: "phone", Normaliser: 1,
		Purpose: "trafficking", Basis: "AU-TIP", Asked: terms.Widest(terms.IDs, terms.IDs), Granted: terms.Widest(terms.IDs, terms.IDs),
		Rules: make([]byte, 32), Class: 64, Commitment: make([]byte, 32),
		Suites: keys,
	}
}

// signed is the message of an offer.
func (p *puppet) signed(o round.Offer) round.Message {
	p.t.Helper()
	m, err := round.Propose(o, round.Parties{Self: o.From, Peer: o.To, Roster: p.roster, Key: p.key})
	must(p.t, err)
	out, _ := m.Next()
	return out
}

// rounds counts what a side keeps.
func (w *world) kept(s *side) int {
	w.t.Helper()
	all, err := s.List(w.t.Context())
	must(w.t, err)
	return len(all)
}

// TestTheBestSuiteIsChosen: of the suites that a partner offers the answer takes the one
// that this node prefers, whatever their order, and the standard one from who has no other.
func TestTheBestSuiteIsChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		w.list("ID", "watch", "suspect", phones(5, 8)...)
		id := w.fresh("ID")
		p := w.puppet("AU", id)
		p.stream.Reset()
		for want, change := range map[string]func(*round.Offer){
			rounds.Suite:    func(o *round.Offer) { o.Suites[0], o.Suites[1] = o.Suites[1], o.Suites[0] },
			rounds.Standard: func(o *round.Offer) { o.Suites[0].Name = "vole" },
		} {
			o := p.offer()
			change(&o)
			p.dial(0)
			m, err := p.says(p.signed(o))
			must(t, err)
			var a round.Answer
			must(t, wire.Unmarshal(m.Body.(round.Signed).Body, &a))
			if len(a.Suites) != 1 || a.Suites[0].Name != want {
				t.Errorf("want %s, the answer names %d suites, first %s", want, len(a.Suites), a.Suites[0].Name)
			}
			p.stream.Reset()
			synctest.Wait()
		}
		w.halt(id)
	})
}

func TestOffersThatAreNotWhatTheyShouldBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID", "TH")
		w.list("ID", "watch", "suspect", phones(5, 8)...)
		id := w.fresh("ID")
		p := w.puppet("AU", id)
		p.stream.Reset()
		for name, c := range map[string]struct {
			change func(*round.Offer)
			code   wire.Code
		}{
			"past its expiry":    {func(o *round.Offer) { o.Created -= 7_200_000; o.Expires -= 7_200_000 }, wire.Expired},
			"from the future":    {func(o *round.Offer) { o.Created += 600_000; o.Expires += 600_000 }, wire.Clock},
			"another roster":     {func(o *round.Offer) { o.Roster = make([]byte, 32) }, wire.OtherRoster},
			"unknown kind":       {func(o *round.Offer) { o.Kind = "shoe" }, wire.UnsupportedVersion},
			"far canonical form": {func(o *round.Offer) { o.Normaliser = 99 }, wire.UnsupportedVersion},
			"without count":      {func(o *round.Offer) { o.Suites = o.Suites[:2] }, wire.UnsupportedVersion},
			"without ids":        {func(o *round.Offer) { o.Suites = o.Suites[2:] }, wire.UnsupportedVersion},
			"unknown suite only": {func(o *round.Offer) { o.Suites[0].Name = "vole"; o.Suites = append(o.Suites[:1], o.Suites[2]) }, wire.UnsupportedVersion},
			"bad key":            {func(o *round.Offer) { o.Suites[0].Public = make([]byte, 32) }, wire.BadPoint},
			"bad standard key":   {func(o *round.Offer) { o.Suites[1].Public = make([]byte, 31) }, wire.BadPoint},
			"in another's name":  {func(o *round.Offer) { o.From = "TH" }, wire.Altered},
			"for another":        {func(o *round.Offer) { o.To = "TH" }, wire.Altered},
		} {
			o := p.offer()
			c.change(&o)
			p.dial(0)
			p.refused(name, p.signed(o), c.code)
		}
		good := p.signed(p.offer())
		altered := good.Body.(round.Signed)
		altered.Signature = append([]byte{altered.Signature[0] ^ 1}, altered.Signature[1:]...)
		p.dial(0)
		p.refused("altered signature", round.Message{Kind: round.KindOffer, Body: altered}, wire.Altered)
		th := w.puppet("TH", id)
		th.refused("relayed by another", good, wire.Altered)
		if n := w.kept(id); n != 0 {
			t.Errorf("%d rounds are kept of offers that were not good", n)
		}
		stranger := w.puppet("AU", id)
		stranger.stream.Reset()
		stranger.id = "XX"
		stranger.dial(0)
		stranger.refused("unknown peer", good, wire.OtherRoster)
		if n := w.kept(id); n != 0 {
			t.Errorf("%d rounds are kept of a stranger", n)
		}
		w.halt(id)
	})
}

func TestReplayedOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		w.list("ID", "watch", "suspect", phones(5, 8)...)
		id := w.fresh("ID")
		p := w.puppet("AU", id)
		o := p.offer()
		good := p.signed(o)
		var answers [2]round.Signed
		for i := range answers {
			m, err := p.says(good)
			must(t, err)
			answers[i] = m.Body.(round.Signed)
			p.stream.Reset()
			p.dial(0)
		}
		if string(answers[0].Body) != string(answers[1].Body) || string(answers[0].Signature) != string(answers[1].Signature) {
			t.Error("a repeated offer gets another answer")
		}
		if w.kept(id) != 1 || w.quota(id, "AU") == 0 {
			t.Error("a repeated offer is kept twice or not charged")
		}
		charged := w.quota(id, "AU")
		o.Purpose = "another"
		p.refused("other content under the same number", p.signed(o), wire.Replayed)
		if n := w.quota(id, "AU"); n != charged {
			t.Errorf("a replay is charged: %d, then %d", charged, n)
		}
		w.halt(id)
	})
}

// TestForeignMembersCannotDisturb names a round between two members on streams of a
// third, before each of its frames, while the two go on on the same stream.
func TestForeignMembersCannotDisturb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t, "TH")
		for k := 1; ; k += pace() {
			gate := x.net.pause(k)
			x.round = x.propose(x.au, request("ID"))
			if !x.until() {
				break
			}
			x.name = fmt.Sprintf("frame %d", k)
			x.disturb(x.id)
			x.disturb(x.au)
			streams := x.net.streams()
			close(gate)
			x.complete("which")
			if n := x.net.streams(); n != streams {
				t.Errorf("%s: the two needed %d more streams", x.name, n-streams)
			}
		}
		x.complete("which")
		x.settled()
	})
}

// disturb says everything about the pair's round that a third member can say.
func (x *pair) disturb(s *side) {
	x.t.Helper()
	id := unhex(x.t, x.round)
	p := x.puppet("TH", s)
	p.stream.Reset()
	o := p.offer()
	o.Round = id
	for _, m := range []round.Message{
		{Kind: round.KindCancel, Body: round.Cancel{Round: id}},
		{Kind: round.KindConfirm, Body: round.Confirm{Round: id, Agreement: make([]byte, 32)}},
		{Kind: round.KindCountersigned, Body: round.CountersignedNote{Round: id, Agreement: make([]byte, 32)}},
		p.signed(o),
	} {
		if _, err := s.Show(x.t.Context(), x.round); err != nil {
			return // it does not exist here yet: nobody can know its number
		}
		p.dial(0)
		p.refused(x.name, m, wire.UnknownRound)
	}
}

// TestOffersAreBounded: a partner that makes offers without end fills no disk.
func TestOffersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		id := w.fresh("ID")
		must(t, id.store.Update(t.Context(), func(tx *store.Tx) error {
			return tx.AddQuota("AU", "offers "+time.Now().UTC().Format(time.DateOnly), 998)
		}))
		p := w.puppet("AU", id)
		for i, want := range []wire.Code{wire.NotAvailable, wire.NotAvailable, wire.Busy, wire.Busy} {
			if i > 0 {
				p.dial(0)
			}
			p.refused("offer", p.signed(p.offer()), want)
		}
		if n := w.kept(id); n != 2 {
			t.Errorf("%d rounds are kept", n)
		}
		time.Sleep(24 * time.Hour)
		p.dial(0)
		p.refused("offer of the next day", p.signed(p.offer()), wire.NotAvailable)
		w.halt(id)
	})
}

// TestAPartnerThatDoesNotRead holds up nobody else.
func TestAPartnerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID", "TH")
		w.list("AU", "wanted", "suspect", phones(0, 8)...)
		w.list("ID", "watch", "suspect", phones(5, 8)...)
		au, id := w.fresh("AU"), w.fresh("ID")
		p := w.puppet("TH", id)
		p.stream.Reset()
		p.dial(0)
		w.net.mu.Lock()
		served := w.net.ends[len(w.net.ends)-1] // the end that answers TH
		w.net.mu.Unlock()
		served.muted.Store(true)
		o := p.offer()
		o.Basis = "TH-TIP"
		must(t, round.Write(p.conn, p.signed(o)))
		synctest.Wait()
		name := w.propose(au, request("ID"))
		if v := w.wait(au, name); v.State != "done" {
			t.Errorf("the round of another is %s", v.State)
		}
		w.halt(au, id)
	})
}
