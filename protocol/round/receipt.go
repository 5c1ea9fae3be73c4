package round

import (
	"bytes"
	"errors"
	"fmt"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/wire"
)

// Done says that the proposer has finished all runs, and what it cost there.
type Done struct {
	_         struct{} `codec:",toarray"`
	Agreement []byte
	Sent      uint64 // bytes on the streams of this round, repeats included
	Received  uint64
	Finished  int64 // Unix milliseconds
}

// Receipt is what both sides sign about a round that ran: who, under which
// agreement, how much and when. It holds no outcome.
type Receipt struct {
	_                           struct{} `codec:",toarray"`
	Version                     uint16
	Agreement                   []byte
	Proposer, Responder         []byte // digests of both roster entries
	Suites                      []string
	ProposerClass               uint32
	ResponderClass              uint32
	ProposerSent, ProposerGot   uint64
	ResponderSent, ResponderGot uint64
	ProposerDone, ResponderDone int64 // Unix milliseconds
}

// CountersignedNote carries the proposer's signature under the receipt.
type CountersignedNote struct {
	_         struct{} `codec:",toarray"`
	Round     []byte
	Agreement []byte
	Signature []byte
}

// ClosedNote confirms that the responder holds both signatures.
type ClosedNote struct {
	_         struct{} `codec:",toarray"`
	Agreement []byte
}

// Traffic is what one side counted on the streams of a round.
type Traffic struct {
	Sent, Received uint64 // bytes
	Finished       int64  // Unix milliseconds
}

// Members are the digests of the two roster entries that a receipt binds.
type Members struct{ Proposer, Responder [32]byte }

// Done returns the proposer's closing message. The figures of the first call stay:
// a repeat after a disconnect says the same, so that one receipt fits both.
func (m *Machine) Done(t Traffic) Message {
	if len(m.rec.Done.Agreement) == 0 {
		agreement := m.Agreement()
		m.rec.Done = Done{Agreement: agreement[:], Sent: t.Sent, Received: t.Received, Finished: t.Finished}
	}
	return Message{KindDone, m.rec.Done}
}

// SignReceipt makes the responder's receipt from the proposer's and its own
// figures. A receipt that exists is returned as it is.
func (m *Machine) SignReceipt(d Done, own Traffic, members Members) (Message, error) {
	agreement := m.Agreement()
	if m.Proposer() || !bytes.Equal(d.Agreement, agreement[:]) || (m.State() != Matched && m.State() != Closed) {
		return Message{}, fault(wire.Altered, "the partner closes a round that is not finished here")
	}
	if len(m.rec.Receipt.Body) > 0 {
		return Message{KindReceipt, m.rec.Receipt}, nil
	}
	r := m.receipt(members)
	r.ProposerSent, r.ProposerGot, r.ProposerDone = d.Sent, d.Received, d.Finished
	r.ResponderSent, r.ResponderGot, r.ResponderDone = own.Sent, own.Received, own.Finished
	body, err := wire.Marshal(r)
	if err != nil {
		return Message{}, err
	}
	signature, err := m.parties.Key.Sign(domainReceipt, body)
	if err != nil {
		return Message{}, err
	}
	m.rec.Receipt = Signed{Body: body, Signature: signature}
	return Message{KindReceipt, m.rec.Receipt}, nil
}

// receipt fills what both sides know alike.
func (m *Machine) receipt(members Members) Receipt {
	agreement := m.Agreement()
	r := Receipt{
		Version: Version, Agreement: agreement[:],
		Proposer: members.Proposer[:], Responder: members.Responder[:],
		ProposerClass: m.offer.Class, ResponderClass: m.answer.Class,
	}
	for _, run := range m.Runs() {
		r.Suites = append(r.Suites, run.Suite)
	}
	return r
}

// CheckReceipt verifies the responder's receipt against what the proposer knows
// and said, and countersigns it.
func (m *Machine) CheckReceipt(s Signed, members Members) (Message, error) {
	if !m.Proposer() || m.State() != Matched {
		return Message{}, fault(wire.Altered, "a receipt came before the runs were finished")
	}
	if err := m.parties.PeerKey.Verify(domainReceipt, s.Body, s.Signature); err != nil {
		return Message{}, fault(wire.Altered, "the receipt's signature is wrong")
	}
	var got Receipt
	if err := wire.Unmarshal(s.Body, &got); err != nil {
		return Message{}, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	want := m.receipt(members)
	want.ProposerSent, want.ProposerGot, want.ProposerDone = m.rec.Done.Sent, m.rec.Done.Received, m.rec.Done.Finished
	want.ResponderSent, want.ResponderGot, want.ResponderDone = got.ResponderSent, got.ResponderGot, got.ResponderDone
	body, err := wire.Marshal(want)
	if err != nil {
		return Message{}, err
	}
	if !bytes.Equal(body, s.Body) {
		return Message{}, fault(wire.Altered, "the receipt does not say what was agreed")
	}
	signature, err := m.parties.Key.Sign(domainReceipt, s.Body)
	if err != nil {
		return Message{}, err
	}
	m.rec.Receipt, m.rec.Countersignature, m.rec.State = s, signature, uint8(Countersigned)
	return Message{KindCountersigned, m.countersigned()}, nil
}

func (m *Machine) countersigned() CountersignedNote {
	agreement := m.Agreement()
	return CountersignedNote{Round: m.offer.Round, Agreement: agreement[:], Signature: m.rec.Countersignature}
}

func (m *Machine) takeCountersigned(c CountersignedNote) (*Message, error) {
	agreement := m.Agreement()
	switch {
	case !bytes.Equal(c.Agreement, agreement[:]), len(m.rec.Receipt.Body) == 0:
		return nil, fault(wire.Altered, "a countersignature came for another receipt")
	case m.parties.PeerKey.Verify(domainReceipt, m.rec.Receipt.Body, c.Signature) != nil:
		return nil, fault(wire.Altered, "the countersignature is wrong")
	}
	if m.State() == Matched {
		m.rec.Countersignature, m.rec.State = c.Signature, uint8(Closed)
	}
	return &Message{KindClosed, ClosedNote{Agreement: agreement[:]}}, nil
}

func (m *Machine) takeClosed(c ClosedNote) error {
	agreement := m.Agreement()
	if m.State() != Countersigned || !bytes.Equal(c.Agreement, agreement[:]) {
		return fault(wire.Altered, "the partner closed another round")
	}
	m.rec.State = uint8(Closed)
	return nil
}

// Certificate is a closed round's evidence as it lies in the audit folder: the
// signed agreement and the signed receipt.
type Certificate struct {
	_                struct{} `codec:",toarray"`
	Version          uint16
	Offer            Signed
	Answer           Signed
	Confirm          []byte
	Receipt          Signed
	Countersignature []byte
}

// Certificate returns the evidence of a round whose receipt has both signatures.
func (m *Machine) Certificate() ([]byte, error) {
	if len(m.rec.Countersignature) == 0 {
		return nil, fmt.Errorf("make certificate: the round is %s", m.State())
	}
	return wire.Marshal(Certificate{
		Version: Version, Offer: m.rec.Offer, Answer: m.rec.Answer, Confirm: m.rec.Confirm,
		Receipt: m.rec.Receipt, Countersignature: m.rec.Countersignature,
	})
}

// CertificateDigest is what a member seals into its submitted chain about a closed round.
func CertificateDigest(certificate []byte) [32]byte {
	return transcript.Digest("entente/certificate/1", certificate)
}

// Keyring finds the signing key and roster entry digest of a member.
type Keyring func(member string) (key *sign.PublicKey, entry [32]byte, ok bool)

// VerifyCertificate checks all five signatures of a certificate and that its
// parts belong together. It returns the offer, for the reader to name the round.
func VerifyCertificate(b []byte, roster [32]byte, keys Keyring) (Offer, error) {
	var c Certificate
	if err := wire.Unmarshal(b, &c); err != nil {
		return Offer{}, fmt.Errorf("read certificate: %w", err)
	}
	if c.Version != Version {
		return Offer{}, fmt.Errorf("read certificate: version %d", c.Version)
	}
	var o Offer
	if err := wire.Unmarshal(c.Offer.Body, &o); err != nil {
		return Offer{}, fmt.Errorf("read offer: %w", err)
	}
	proposer, proposerEntry, ok := keys(o.From)
	if !ok {
		return o, errors.New("the proposer is not in the roster")
	}
	responder, responderEntry, ok := keys(o.To)
	if !ok {
		return o, errors.New("the responder is not in the roster")
	}
	m := &Machine{parties: Parties{PeerKey: responder, Roster: roster}, rec: record{State: uint8(Matched), Offer: c.Offer, Answer: c.Answer}}
	return o, m.verify(c, proposer, responder, Members{proposerEntry, responderEntry})
}

func (m *Machine) verify(c Certificate, proposer, responder *sign.PublicKey, members Members) error {
	var err error
	if m.offer, err = openOffer(c.Offer, proposer); err != nil {
		return err
	}
	if string(m.offer.Roster) != string(m.parties.Roster[:]) {
		return errors.New("the offer names another roster")
	}
	if err = wire.Unmarshal(c.Answer.Body, &m.answer); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err = m.answer.validate(m.offer, m.offer.digest(c.Offer.Body)); err != nil {
		return err
	}
	agreement := m.Agreement()
	if responder.Verify(domainAgreement, agreement[:], c.Answer.Signature) != nil ||
		proposer.Verify(domainAgreement, agreement[:], c.Confirm) != nil {
		return errors.New("a signature under the agreement is wrong")
	}
	if responder.Verify(domainReceipt, c.Receipt.Body, c.Receipt.Signature) != nil ||
		proposer.Verify(domainReceipt, c.Receipt.Body, c.Countersignature) != nil {
		return errors.New("a signature under the receipt is wrong")
	}
	return m.receiptFits(c.Receipt.Body, members)
}

// VerifyAgreement checks the three signatures under an agreement without a receipt, with the keys
// of both, and returns its parts and its digest.
func VerifyAgreement(offer, answer Signed, confirm []byte, keys func(member string) (*sign.PublicKey, bool)) (Offer, Answer, [32]byte, error) {
	fail := func(err error) (Offer, Answer, [32]byte, error) { return Offer{}, Answer{}, [32]byte{}, err }
	var o Offer
	var a Answer
	if err := wire.Unmarshal(offer.Body, &o); err != nil {
		return fail(fmt.Errorf("read offer: %w", err))
	}
	proposer, known := keys(o.From)
	responder, alike := keys(o.To)
	if !known || !alike {
		return fail(errors.New("a member of the agreement is not in the roster"))
	}
	if _, err := openOffer(offer, proposer); err != nil {
		return fail(err)
	}
	if err := wire.Unmarshal(answer.Body, &a); err != nil {
		return fail(fmt.Errorf("read answer: %w", err))
	}
	if err := a.validate(o, o.digest(offer.Body)); err != nil {
		return fail(err)
	}
	agreement := agreementDigest(offer.Body, answer.Body)
	if responder.Verify(domainAgreement, agreement[:], answer.Signature) != nil || proposer.Verify(domainAgreement, agreement[:], confirm) != nil {
		return fail(errors.New("a signature under the agreement is wrong"))
	}
	return o, a, agreement, nil
}

// receiptFits checks that a receipt is about this agreement and these members.
func (m *Machine) receiptFits(body []byte, members Members) error {
	var got Receipt
	if err := wire.Unmarshal(body, &got); err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	want := m.receipt(members)
	want.ProposerSent, want.ProposerGot, want.ProposerDone = got.ProposerSent, got.ProposerGot, got.ProposerDone
	want.ResponderSent, want.ResponderGot, want.ResponderDone = got.ResponderSent, got.ResponderGot, got.ResponderDone
	again, err := wire.Marshal(want)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, body) {
		return errors.New("the receipt does not say what was agreed")
	}
	return nil
}

// Commit hides the root of a snapshot until its owner opens it: the nonce is
// secret, 32 random bytes, and used once.
func Commit(nonce []byte, root [32]byte) [32]byte {
	return transcript.Digest("entente/commitment/1", nonce, root[:])
}
