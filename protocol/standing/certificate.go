package standing

import (
	"errors"
	"fmt"

	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Folders of an audit folder in which standing rounds leave evidence, files ending in .cbor.
const (
	AgreementsFolder = "standing/agreements" // one Certificate each
	ReceiptsFolder   = "standing/receipts"   // one signed Applied of a partner each
)

// Labels of what standing rounds seal into the submitted chain.
const (
	AgreementLabel = "entente/standing-agreement/1" // the agreement's digest
	AppliedLabel   = "entente/standing-applied/1"   // the body of an Applied
)

// Certificate is an agreement as it lies in the audit folder, with the signatures of both
// sides under it.
type Certificate struct {
	_       struct{} `codec:",toarray"`
	Version uint16
	Offer   round.Signed
	Answer  round.Signed // the signature is under the agreement
	Confirm []byte       // the proposer's, under the agreement
}

// Agreed is what a certificate says.
type Agreed struct {
	Agreement [32]byte
	Offer     Offer
	Answer    Answer
}

// Certificate returns the agreement that both sides have signed.
func (m *Machine) Certificate() ([]byte, error) {
	if len(m.rec.Confirm) == 0 {
		return nil, fmt.Errorf("make certificate: the subscription is %s", m.Stage())
	}
	return wire.Marshal(Certificate{Version: Version, Offer: m.rec.Offer, Answer: m.rec.Answer, Confirm: m.rec.Confirm})
}

// RosterOf reads which roster a certificate names, before anything in it is verified: only
// under that roster can it be.
func RosterOf(certificate []byte) ([32]byte, error) {
	var c Certificate
	if err := wire.Unmarshal(certificate, &c); err != nil {
		return [32]byte{}, fmt.Errorf("read certificate: %w", err)
	}
	o, err := Peek(c.Offer)
	if err == nil && len(o.Roster) != digestSize {
		err = errors.New("the roster's digest has a wrong length")
	}
	if err != nil {
		return [32]byte{}, fmt.Errorf("read offer: %w", err)
	}
	return [32]byte(o.Roster), nil
}

// VerifyCertificate checks the three signatures of a certificate and that its parts belong
// together, under the roster that it names. keys finds the members' keys in that roster.
func VerifyCertificate(b []byte, roster [32]byte, keys func(member string) (*sign.PublicKey, bool)) (Agreed, error) {
	var c Certificate
	if err := wire.Unmarshal(b, &c); err != nil {
		return Agreed{}, fmt.Errorf("read certificate: %w", err)
	}
	if c.Version != Version {
		return Agreed{}, fmt.Errorf("read certificate: version %d", c.Version)
	}
	o, err := Peek(c.Offer)
	if err != nil {
		return Agreed{}, fmt.Errorf("read offer: %w", err)
	}
	proposer, ok := keys(o.From)
	responder, also := keys(o.To)
	switch {
	case !ok || !also:
		return Agreed{}, errors.New("one of the two sides is not in the roster")
	case string(o.Roster) != string(roster[:]):
		return Agreed{}, errors.New("the offer names another roster")
	}
	out := Agreed{Agreement: agreementDigest(c.Offer.Body, c.Answer.Body)}
	if out.Offer, err = openOffer(c.Offer, proposer); err != nil {
		return out, fmt.Errorf("read offer: %w", err)
	}
	if err := wire.Unmarshal(c.Answer.Body, &out.Answer); err != nil {
		return out, fmt.Errorf("read answer: %w", err)
	}
	if err := out.Answer.validate(out.Offer, offerDigest(c.Offer.Body)); err != nil {
		return out, fmt.Errorf("read answer: %w", err)
	}
	if responder.Verify(domainAgreement, out.Agreement[:], c.Answer.Signature) != nil ||
		proposer.Verify(domainAgreement, out.Agreement[:], c.Confirm) != nil {
		return out, errors.New("a signature under the agreement is wrong")
	}
	return out, nil
}

// Asks names the member that asks in a feed of the agreement; false if there is no such feed.
func (a Agreed) Asks(feed uint8) (string, bool) {
	if feed > 1 || !a.Answer.has(feed) {
		return "", false
	}
	if feed == 0 {
		return a.Offer.From, true
	}
	return a.Offer.To, true
}

// PeekApplied reads a receipt before its signature is checked, for the caller to find out
// whose it must be. OpenApplied then checks it.
func PeekApplied(s round.Signed) (Applied, error) {
	var a Applied
	if err := wire.Unmarshal(s.Body, &a); err != nil {
		return a, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return a, nil
}
