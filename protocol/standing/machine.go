package standing

import (
	"fmt"
	"time"

	"entente/crypto/transcript"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Stage is how far one side has come with a subscription.
type Stage uint8

// Stages, in the order in which a good subscription passes them.
const (
	Offered  Stage = iota + 1 // an offer is signed, nobody has decided
	Waiting                   // a person on the responder's side has to decide
	Answered                  // responder only: its answer is signed
	Active                    // both signatures under the agreement exist
	Ending                    // this side has signed its end, the peer has yet to hear it
	Ended                     // one side ended it, and both know
	Refused                   // the responder's rules or people said no
	Expired                   // time ran out
	Failed                    // the peer broke the protocol, or this side could not go on
)

var stageNames = map[Stage]string{
	Offered: "offered", Waiting: "waiting", Answered: "answered", Active: "active", Ending: "ending",
	Ended: "ended", Refused: "refused", Expired: "expired", Failed: "failed",
}

// String returns the stage in one word.
func (s Stage) String() string {
	if name, ok := stageNames[s]; ok {
		return name
	}
	return "unknown"
}

// Over reports whether nothing will happen any more.
func (s Stage) Over() bool { return s >= Ended }

// record is what a machine needs to go on after a crash. Every change of it is stored
// before the message that follows from it is sent.
type record struct {
	_        struct{} `codec:",toarray"`
	Version  uint16
	Stage    uint8
	Proposer bool
	Offer    round.Signed
	Answer   round.Signed // the signature is the responder's, under the agreement
	Confirm  []byte       // the proposer's signature under the agreement
	End      round.Signed // of the side that ended it
	EndOwn   bool         // this side did
	Reason   uint16       // wire code with which it ended badly
}

// Machine is one side of one subscription. It is a value without clock or socket, and not
// safe for concurrent use.
type Machine struct {
	rec     record
	parties round.Parties
	offer   Offer
	answer  Answer
}

// Propose signs an offer and starts the proposer's side.
func Propose(o Offer, p round.Parties) (*Machine, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s, err := signed(p.Key, domainOffer, o)
	if err != nil {
		return nil, err
	}
	m := &Machine{parties: p, offer: o}
	m.rec = record{Version: Version, Stage: uint8(Offered), Proposer: true, Offer: s}
	return m, nil
}

// Receive checks an offer and starts the responder's side. now is Unix milliseconds.
func Receive(s round.Signed, p round.Parties, now int64) (*Machine, error) {
	o, err := openOffer(s, p.PeerKey)
	if err != nil {
		return nil, err
	}
	switch {
	case o.From != p.Peer || o.To != p.Self:
		return nil, fault(wire.Altered, "the offer is not from this partner to this member")
	case string(o.Roster) != string(p.Roster[:]):
		return nil, fault(wire.OtherRoster, "the offer names another roster")
	case o.Created > now+maxSkew:
		return nil, fault(wire.Clock, "the offer was made in the future")
	case o.Expires <= now, o.Created+MaxOpen <= now:
		return nil, fault(wire.Expired, "the offer has expired")
	}
	m := &Machine{parties: p, offer: o}
	m.rec = record{Version: Version, Stage: uint8(Offered), Offer: s}
	return m, nil
}

// Load restores a machine from its record.
func Load(b []byte, p round.Parties) (*Machine, error) {
	m := &Machine{parties: p}
	if err := wire.Unmarshal(b, &m.rec); err != nil {
		return nil, err
	}
	if m.rec.Version != Version || m.Stage() < Offered || m.Stage() > Failed {
		return nil, fmt.Errorf("load subscription: version %d, stage %d", m.rec.Version, m.rec.Stage)
	}
	if err := wire.Unmarshal(m.rec.Offer.Body, &m.offer); err != nil {
		return nil, err
	}
	if len(m.rec.Answer.Body) == 0 {
		return m, nil
	}
	return m, wire.Unmarshal(m.rec.Answer.Body, &m.answer)
}

// Record returns the machine's durable form.
func (m *Machine) Record() ([]byte, error) { return wire.Marshal(m.rec) }

// Stage tells how far this side has come.
func (m *Machine) Stage() Stage { return Stage(m.rec.Stage) }

// Proposer tells whether this side made the offer.
func (m *Machine) Proposer() bool { return m.rec.Proposer }

// Offer returns the offer.
func (m *Machine) Offer() Offer { return m.offer }

// Answer returns the answer; it is empty before the responder has answered.
func (m *Machine) Answer() Answer { return m.answer }

// Reason is the number with which a subscription ended badly; zero otherwise.
func (m *Machine) Reason() wire.Code { return wire.Code(m.rec.Reason) }

// Ended returns the signed end, if one side ended the subscription, and whether this side did.
func (m *Machine) Ended() (s round.Signed, own bool) { return m.rec.End, m.rec.EndOwn }

// Agreement is the digest of offer and answer; zero before there is an answer.
func (m *Machine) Agreement() [32]byte {
	if len(m.rec.Answer.Body) == 0 {
		return [32]byte{}
	}
	return agreementDigest(m.rec.Offer.Body, m.rec.Answer.Body)
}

// Finish closes a subscription that did not end by the wish of a side: refused, expired or
// failed. It does nothing once it is over.
func (m *Machine) Finish(s Stage, reason wire.Code) {
	if !m.Stage().Over() {
		m.rec.Stage, m.rec.Reason = uint8(s), uint16(reason)
	}
}

// Expire ends the subscription if its time has run out at now (Unix milliseconds), and
// reports whether it did.
func (m *Machine) Expire(now int64) bool {
	limit := m.offer.Expires
	if m.answer.Expires > 0 {
		limit = m.answer.Expires
	}
	if m.Stage() < Active {
		limit = min(limit, m.offer.Created+MaxOpen)
	}
	if m.Stage().Over() || now < limit {
		return false
	}
	m.Finish(Expired, wire.Expired)
	return true
}

// Feeds are the feeds of the agreement, in the order in which a sync goes through them.
func (m *Machine) Feeds() []uint8 {
	var feeds []uint8
	for feed := range uint8(2) {
		if m.answer.has(feed) {
			feeds = append(feeds, feed)
		}
	}
	return feeds
}

// Session returns what one feed's syncs run under.
func (m *Machine) Session(feed uint8, now func() time.Time) (Session, error) {
	if m.Stage() != Active || !m.answer.has(feed) {
		return Session{}, fmt.Errorf("a subscription that is %s has no feed %d", m.Stage(), feed)
	}
	a := m.answer
	s := Session{
		Agreement: m.Agreement(), Feed: feed, Asker: m.Proposer() == (feed == 0), Created: a.Created, Expires: a.Expires,
		Cadence: a.Limit.Cadence, PeriodSeconds: a.Limit.Period, Tags: a.Limit.Tags, Queries: a.Limit.Queries, Checks: a.Limit.Checks,
		Key: m.parties.Key, PeerKey: m.parties.PeerKey, Now: now,
	}
	for _, k := range a.Kinds {
		if offered, ok := kind(m.offer.Kinds, k.Name); ok {
			s.Kinds = append(s.Kinds, offered)
		}
	}
	return s, nil
}

func offerDigest(body []byte) [32]byte { return transcript.Digest("entente/standing/offer/1", body) }

// agreementDigest binds both halves. It enters every input and everything signed later.
func agreementDigest(offer, answer []byte) [32]byte {
	return transcript.Digest("entente/standing/agreement/1", offer, answer)
}
