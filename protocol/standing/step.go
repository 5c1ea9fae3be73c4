package standing

import (
	"bytes"

	"entente/protocol/round"
	"entente/protocol/wire"
)

// Next is the message with which this side opens a stream after the hellos. It reports
// false when there is nothing to say. Responders open streams only to end or to sync.
func (m *Machine) Next() (round.Message, bool) {
	switch {
	case m.Stage() == Ending:
		return round.Message{Kind: KindEnd, Body: m.rec.End}, true
	case m.Proposer() && m.Stage() < Answered:
		return round.Message{Kind: KindOffer, Body: m.rec.Offer}, true
	}
	return round.Message{}, false
}

// Sync is the message that opens the feeds. A proposer that has not heard Confirmed sends
// Confirm first; it may do so at every sync.
func (m *Machine) Sync() (round.Message, bool) {
	if m.Stage() != Active {
		return round.Message{}, false
	}
	agreement := m.Agreement()
	return round.Message{Kind: KindSync, Body: Sync{Subscription: m.offer.Subscription, Agreement: agreement[:]}}, true
}

// Confirm is the proposer's signature under the agreement, which the responder needs once.
func (m *Machine) Confirm() (round.Message, bool) {
	if !m.Proposer() || m.Stage() != Active {
		return round.Message{}, false
	}
	return round.Message{Kind: KindConfirm, Body: m.confirm()}, true
}

// Step takes one message of the peer and returns the reply that follows from it, if one
// does. The caller stores the record before it sends the reply. An error is the peer's fault
// unless it comes from signing; the machine is then unchanged.
func (m *Machine) Step(in round.Message, now int64) (*round.Message, error) {
	switch body := in.Body.(type) {
	case round.Signed:
		switch {
		case in.Kind == KindEnd:
			return m.takeEnd(body)
		case in.Kind == KindAnswer && m.Proposer():
			return m.takeAnswer(body, now)
		case in.Kind == KindOffer && !m.Proposer():
			return m.takeOfferAgain(body)
		}
	case EndedNote:
		return nil, m.takeEnded(body)
	case Sync:
		return m.takeSync(body, now)
	case Ready:
		return nil, m.takeReady(body)
	case Pending:
		if m.Proposer() {
			return nil, m.takePending(body)
		}
	case Confirmed:
		if m.Proposer() {
			return nil, m.takeConfirmed(body)
		}
	case Confirm:
		if !m.Proposer() {
			return m.takeConfirm(body, now)
		}
	}
	return nil, fault(wire.Unexpected, "message %d makes no sense here", in.Kind)
}

// Defer notes that a person has to decide, and returns what to tell the proposer.
func (m *Machine) Defer() round.Message {
	if m.Stage() == Offered {
		m.rec.Stage = uint8(Waiting)
	}
	digest := offerDigest(m.rec.Offer.Body)
	return round.Message{Kind: KindPending, Body: Pending{Offer: digest[:]}}
}

// Accept signs the responder's answer. The answer's Offer field is filled here.
func (m *Machine) Accept(a Answer) (round.Message, error) {
	if m.Proposer() || (m.Stage() != Offered && m.Stage() != Waiting) {
		return round.Message{}, fault(wire.Internal, "a subscription that is %s cannot be answered", m.Stage())
	}
	digest := offerDigest(m.rec.Offer.Body)
	a.Offer = digest[:]
	if err := a.validate(m.offer, digest); err != nil {
		return round.Message{}, err
	}
	body, err := wire.Marshal(a)
	if err != nil {
		return round.Message{}, err
	}
	agreement := agreementDigest(m.rec.Offer.Body, body)
	signature, err := m.parties.Key.Sign(domainAgreement, agreement[:])
	if err != nil {
		return round.Message{}, err
	}
	m.answer, m.rec.Answer, m.rec.Stage = a, round.Signed{Body: body, Signature: signature}, uint8(Answered)
	return round.Message{Kind: KindAnswer, Body: m.rec.Answer}, nil
}

// Quit signs the end of the subscription by this side. now is Unix milliseconds. The same
// end is returned when it is called again.
func (m *Machine) Quit(now int64) (round.Message, error) {
	switch {
	case m.Stage() == Ending:
	case m.Stage().Over():
		return round.Message{}, &round.OverError{Code: m.told()}
	default:
		agreement := m.Agreement()
		s, err := signed(m.parties.Key, domainEnd, End{
			Version: Version, Subscription: m.offer.Subscription, Agreement: agreement[:], From: m.parties.Self, Time: now,
		})
		if err != nil {
			return round.Message{}, err
		}
		m.rec.End, m.rec.EndOwn, m.rec.Stage = s, true, uint8(Ending)
	}
	return round.Message{Kind: KindEnd, Body: m.rec.End}, nil
}

// takeOfferAgain answers an offer that came before: the same bytes get the same answer,
// other bytes under the same number are a replay.
func (m *Machine) takeOfferAgain(s round.Signed) (*round.Message, error) {
	switch {
	case !bytes.Equal(s.Body, m.rec.Offer.Body):
		return nil, fault(wire.Replayed, "another offer came under a number that was used before")
	case m.Stage() == Offered:
		return nil, nil // the caller decides
	case m.Stage() == Waiting:
		reply := m.Defer()
		return &reply, nil
	case m.Stage() >= Ending:
		return nil, &round.OverError{Code: m.told()}
	}
	return &round.Message{Kind: KindAnswer, Body: m.rec.Answer}, nil
}

// told is the number that the peer hears about a subscription that is over. A refusal has
// one neutral number, whatever its ground.
func (m *Machine) told() wire.Code {
	switch m.Stage() {
	case Refused:
		return wire.NotAvailable
	case Ending, Ended:
		return wire.Cancelled
	case Expired:
		return wire.Expired
	}
	return wire.UnknownRound
}

func (m *Machine) takePending(p Pending) error {
	digest := offerDigest(m.rec.Offer.Body)
	if !bytes.Equal(p.Offer, digest[:]) || m.Stage() > Waiting {
		return fault(wire.Altered, "the partner asks to wait for another offer")
	}
	m.rec.Stage = uint8(Waiting)
	return nil
}

func (m *Machine) takeAnswer(s round.Signed, now int64) (*round.Message, error) {
	if m.Stage() > Waiting {
		return nil, fault(wire.Replayed, "a second answer came")
	}
	var a Answer
	agreement := agreementDigest(m.rec.Offer.Body, s.Body)
	if err := m.parties.PeerKey.Verify(domainAgreement, agreement[:], s.Signature); err != nil {
		return nil, fault(wire.Altered, "the answer's signature is wrong")
	}
	if err := wire.Unmarshal(s.Body, &a); err != nil {
		return nil, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	if err := a.validate(m.offer, offerDigest(m.rec.Offer.Body)); err != nil {
		return nil, err
	}
	if a.Expires <= now || m.offer.Created+MaxOpen <= now {
		return nil, fault(wire.Expired, "the answer came too late")
	}
	if a.Created > now+maxSkew {
		return nil, fault(wire.Clock, "the answer was made in the future")
	}
	signature, err := m.parties.Key.Sign(domainAgreement, agreement[:])
	if err != nil {
		return nil, err
	}
	m.answer, m.rec.Answer, m.rec.Confirm, m.rec.Stage = a, s, signature, uint8(Active)
	return &round.Message{Kind: KindConfirm, Body: m.confirm()}, nil
}

func (m *Machine) confirm() Confirm {
	agreement := m.Agreement()
	return Confirm{Subscription: m.offer.Subscription, Agreement: agreement[:], Signature: m.rec.Confirm}
}

func (m *Machine) takeConfirm(c Confirm, now int64) (*round.Message, error) {
	agreement := m.Agreement()
	switch {
	case m.Stage() < Answered:
		return nil, fault(wire.Altered, "an agreement was confirmed before there was one")
	case m.Stage() >= Ending:
		return nil, &round.OverError{Code: m.told()}
	case !bytes.Equal(c.Subscription, m.offer.Subscription), !bytes.Equal(c.Agreement, agreement[:]):
		return nil, fault(wire.Altered, "another agreement was confirmed")
	case m.parties.PeerKey.Verify(domainAgreement, agreement[:], c.Signature) != nil:
		return nil, fault(wire.Altered, "the signature under the agreement is wrong")
	case m.Stage() == Answered && (m.answer.Expires <= now || m.offer.Created+MaxOpen <= now):
		return nil, fault(wire.Expired, "the agreement was confirmed too late")
	}
	if m.Stage() == Answered {
		m.rec.Confirm, m.rec.Stage = c.Signature, uint8(Active)
	}
	return &round.Message{Kind: KindConfirmed, Body: Confirmed{Agreement: agreement[:]}}, nil
}

func (m *Machine) takeConfirmed(c Confirmed) error {
	agreement := m.Agreement()
	if m.Stage() != Active || !bytes.Equal(c.Agreement, agreement[:]) {
		return fault(wire.Altered, "the partner confirmed another agreement")
	}
	return nil
}

// takeSync lets the feeds begin, if both mean the same agreement and it is in force.
func (m *Machine) takeSync(s Sync, now int64) (*round.Message, error) {
	agreement := m.Agreement()
	switch {
	case m.Stage() >= Ending:
		return nil, &round.OverError{Code: m.told()}
	case m.Stage() != Active:
		return nil, fault(wire.Unexpected, "a sync before the agreement is confirmed")
	case !bytes.Equal(s.Subscription, m.offer.Subscription), !bytes.Equal(s.Agreement, agreement[:]):
		return nil, fault(wire.Altered, "a sync of another agreement")
	case m.answer.Expires <= now:
		return nil, fault(wire.Expired, "the subscription has expired")
	}
	return &round.Message{Kind: KindReady, Body: Ready{Agreement: agreement[:]}}, nil
}

func (m *Machine) takeReady(r Ready) error {
	agreement := m.Agreement()
	if m.Stage() != Active || !bytes.Equal(r.Agreement, agreement[:]) {
		return fault(wire.Altered, "the partner is ready for another agreement")
	}
	return nil
}

// takeEnd ends the subscription by the wish of the peer, whatever stage it has.
func (m *Machine) takeEnd(s round.Signed) (*round.Message, error) {
	e, err := openEnd(s, m)
	if err != nil {
		return nil, err
	}
	if !m.Stage().Over() {
		if m.Stage() != Ending {
			m.rec.End, m.rec.EndOwn = s, false
		}
		m.rec.Stage = uint8(Ended)
	}
	return &round.Message{Kind: KindEnded, Body: EndedNote{Subscription: e.Subscription}}, nil
}

// openEnd checks a peer's end. One side may not know of the agreement yet: then its end
// names none.
func openEnd(s round.Signed, m *Machine) (End, error) {
	var e End
	if err := open(m.parties.PeerKey, domainEnd, s, &e); err != nil {
		return e, err
	}
	agreement, none := m.Agreement(), [32]byte{}
	switch {
	case e.Version != Version:
		return e, fault(wire.UnsupportedVersion, "the end has version %d", e.Version)
	case e.From != m.parties.Peer, !bytes.Equal(e.Subscription, m.offer.Subscription):
		return e, fault(wire.Altered, "the end is of another subscription")
	case agreement != none && !bytes.Equal(e.Agreement, agreement[:]) && !bytes.Equal(e.Agreement, none[:]):
		return e, fault(wire.Altered, "the end is of another agreement")
	}
	return e, nil
}

func (m *Machine) takeEnded(e EndedNote) error {
	if m.Stage() != Ending && m.Stage() != Ended || !bytes.Equal(e.Subscription, m.offer.Subscription) {
		return fault(wire.Altered, "the partner ended another subscription")
	}
	m.rec.Stage = uint8(Ended)
	return nil
}
