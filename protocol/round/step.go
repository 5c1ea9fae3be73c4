package round

import (
	"bytes"

	"entente/protocol/wire"
)

// Next is the message with which the proposer opens or reopens the stream after
// the hellos. It reports false when there is nothing to say.
func (m *Machine) Next() (Message, bool) {
	switch m.State() {
	case Offered, Waiting:
		return Message{KindOffer, m.rec.Offer}, true
	case Agreed, Matched:
		return Message{KindConfirm, m.confirm()}, true
	case Countersigned:
		return Message{KindCountersigned, m.countersigned()}, true
	}
	return Message{}, false
}

// Step takes one message of the peer and returns the reply that follows from it,
// if one does. The caller stores the record before it sends the reply. An error
// is the peer's fault unless it comes from signing; the machine is then unchanged.
// Done and Receipt, which need local figures, go to SignReceipt and CheckReceipt.
func (m *Machine) Step(in Message, now int64) (*Message, error) {
	if m.Proposer() {
		switch body := in.Body.(type) {
		case Signed:
			if in.Kind == KindAnswer {
				return m.takeAnswer(body, now)
			}
		case Pending:
			return m.takePending(body)
		case Confirmed:
			return nil, m.takeConfirmed(body)
		case ClosedNote:
			return nil, m.takeClosed(body)
		}
		return nil, fault(wire.Unexpected, "message %d makes no sense to a proposer", in.Kind)
	}
	switch body := in.Body.(type) {
	case Signed:
		if in.Kind == KindOffer {
			return m.takeOfferAgain(body)
		}
	case Confirm:
		return m.takeConfirm(body, now)
	case CountersignedNote:
		return m.takeCountersigned(body)
	}
	return nil, fault(wire.Unexpected, "message %d makes no sense to a responder", in.Kind)
}

// Hold notes that a person has to decide, and returns what to tell the proposer.
func (m *Machine) Hold() Message {
	if m.State() == Offered {
		m.rec.State = uint8(Waiting)
	}
	digest := m.offer.digest(m.rec.Offer.Body)
	return Message{KindPending, Pending{Offer: digest[:]}}
}

// Accept signs the responder's answer. The answer's Offer field is filled here.
func (m *Machine) Accept(a Answer) (Message, error) {
	if m.Proposer() || (m.State() != Offered && m.State() != Waiting) {
		return Message{}, fault(wire.Internal, "a %s round cannot be answered", m.State())
	}
	digest := m.offer.digest(m.rec.Offer.Body)
	a.Offer = digest[:]
	if err := a.validate(m.offer, digest); err != nil {
		return Message{}, err
	}
	body, err := wire.Marshal(a)
	if err != nil {
		return Message{}, err
	}
	agreement := agreementDigest(m.rec.Offer.Body, body)
	signature, err := m.parties.Key.Sign(domainAgreement, agreement[:])
	if err != nil {
		return Message{}, err
	}
	m.answer, m.rec.Answer, m.rec.State = a, Signed{Body: body, Signature: signature}, uint8(Answered)
	return Message{KindAnswer, m.rec.Answer}, nil
}

// takeOfferAgain answers an offer that came before: the same bytes get the same
// answer, other bytes under the same number are a replay.
func (m *Machine) takeOfferAgain(s Signed) (*Message, error) {
	switch {
	case !bytes.Equal(s.Body, m.rec.Offer.Body):
		return nil, fault(wire.Replayed, "another offer came under a round number that was used before")
	case m.State() == Offered:
		return nil, nil // the caller decides
	case m.State() == Waiting:
		reply := m.Hold()
		return &reply, nil
	case m.State().Over() && m.State() != Closed:
		return nil, &OverError{Code: m.told()}
	}
	return &Message{KindAnswer, m.rec.Answer}, nil
}

// told is the number that the peer hears about a round that is over. A refusal
// has one neutral number, whatever its ground.
func (m *Machine) told() wire.Code {
	switch m.State() {
	case Refused:
		return wire.NotAvailable
	case Cancelled:
		return wire.Cancelled
	case Expired:
		return wire.Expired
	}
	return wire.UnknownRound
}

func (m *Machine) takePending(p Pending) (*Message, error) {
	digest := m.offer.digest(m.rec.Offer.Body)
	if !bytes.Equal(p.Offer, digest[:]) || m.State() > Waiting {
		return nil, fault(wire.Altered, "the partner asks to wait for another offer")
	}
	m.rec.State = uint8(Waiting)
	return nil, nil
}

func (m *Machine) takeAnswer(s Signed, now int64) (*Message, error) {
	if m.State() > Waiting {
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
	if err := a.validate(m.offer, m.offer.digest(m.rec.Offer.Body)); err != nil {
		return nil, err
	}
	if a.Expires <= now || m.offer.Expires <= now {
		return nil, fault(wire.Expired, "the answer came too late")
	}
	signature, err := m.parties.Key.Sign(domainAgreement, agreement[:])
	if err != nil {
		return nil, err
	}
	m.answer, m.rec.Answer, m.rec.Confirm, m.rec.State = a, s, signature, uint8(Agreed)
	return &Message{KindConfirm, m.confirm()}, nil
}

func (m *Machine) confirm() Confirm {
	agreement := m.Agreement()
	return Confirm{Round: m.offer.Round, Agreement: agreement[:], Signature: m.rec.Confirm, Finished: m.rec.Finished}
}

func (m *Machine) takeConfirm(c Confirm, now int64) (*Message, error) {
	agreement := m.Agreement()
	switch {
	case m.State() < Answered:
		return nil, fault(wire.Altered, "an agreement was confirmed before there was one")
	case m.State().Over() && m.State() != Closed:
		return nil, &OverError{Code: m.told()}
	case !bytes.Equal(c.Agreement, agreement[:]):
		return nil, fault(wire.Altered, "another agreement was confirmed")
	case m.parties.PeerKey.Verify(domainAgreement, agreement[:], c.Signature) != nil:
		return nil, fault(wire.Altered, "the signature under the agreement is wrong")
	case m.State() == Answered && m.answer.Expires <= now:
		return nil, fault(wire.Expired, "the agreement was confirmed too late")
	}
	if m.State() == Answered {
		m.rec.Confirm, m.rec.State = c.Signature, uint8(Agreed)
	}
	return &Message{KindConfirmed, Confirmed{Agreement: agreement[:], Finished: m.rec.Finished}}, nil
}

func (m *Machine) takeConfirmed(c Confirmed) error {
	agreement := m.Agreement()
	if m.State() != Agreed && m.State() != Matched || !bytes.Equal(c.Agreement, agreement[:]) {
		return fault(wire.Altered, "the partner confirmed another agreement")
	}
	return nil
}
