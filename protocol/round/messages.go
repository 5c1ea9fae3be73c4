package round

import (
	"fmt"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// Protocol is the stream protocol of match rounds. A changed message means a new number.
const Protocol = "/entente/round/1"

// Version is the version that offers and answers carry.
const Version = 1

// Domains of the two signatures that a round needs before it runs, and of the
// two that close it. They keep a signature over one thing from passing for another.
const (
	domainOffer     sign.Domain = "entente/offer/1"
	domainAgreement sign.Domain = "entente/agreement/1"
	domainReceipt   sign.Domain = "entente/receipt/1"
)

// Sizes and spans that a peer must respect.
const (
	IDSize         = 16      // bytes of a round's identifier, chosen at random by the proposer
	digestSize     = 32      // bytes of every digest and commitment
	maxText        = 64      // bytes of a purpose, legal basis or suite name
	maxSuites      = 8       // suites in one offer
	maxClass       = 1 << 24 // items; the suites take no more, so a longer list must be split
	maxCountClass  = 1 << 22 // items of a list that is counted, noise included
	maxSpan        = 30 * 24 * 60 * 60 * 1000
	maxSkew        = 5 * 60 * 1000 // milliseconds that two clocks may differ
	maxSigned      = 16 << 10      // bytes of a signed offer, answer or receipt on the wire
	maxSmall       = 8 << 10       // bytes of any other message of a round
	maxPublicBytes = 64            // bytes of a suite's public value
)

// Kinds of frames on a round's stream.
const (
	KindHello wire.Kind = iota + 1
	KindOffer
	KindAnswer
	KindPending
	KindConfirm
	KindConfirmed
	KindDone
	KindReceipt
	KindCountersigned
	KindCancel
	KindCancelled
	KindClosed
)

// Limit gives the cap of each frame kind of a round outside its runs.
func Limit(k wire.Kind) (uint32, bool) {
	switch k {
	case KindOffer, KindAnswer, KindReceipt:
		return maxSigned, true
	case KindHello, KindPending, KindConfirm, KindConfirmed, KindDone, KindCountersigned, KindCancel, KindCancelled, KindClosed:
		return maxSmall, true
	}
	return 0, false
}

// Hello opens every stream, in both directions, before anything else is said.
type Hello struct {
	_       struct{} `codec:",toarray"`
	Version uint16
	Roster  []byte // digest of the roster the sender lives by
	Clock   int64  // the sender's time in Unix milliseconds
}

// Check refuses a peer of another version, another roster, or a clock that is
// more than five minutes away.
func (h Hello) Check(roster [32]byte, now int64) error { return h.CheckVersion(Version, roster, now) }

// CheckVersion is Check for another stream protocol that opens with a Hello.
func (h Hello) CheckVersion(version uint16, roster [32]byte, now int64) error {
	switch {
	case h.Version != version:
		return fault(wire.UnsupportedVersion, "the partner speaks version %d of the protocol, not %d", h.Version, version)
	case string(h.Roster) != string(roster[:]):
		return fault(wire.OtherRoster, "the partner lives by another roster")
	case h.Clock > now+maxSkew || h.Clock < now-maxSkew:
		return fault(wire.Clock, "the partner's clock differs by more than five minutes")
	}
	return nil
}

// SuiteKey names a suite and carries the side's public value for this round.
type SuiteKey struct {
	_      struct{} `codec:",toarray"`
	Name   string
	Public []byte
}

// Offer is what the proposer asks for and grants. Its signed bytes are half of
// the agreement.
type Offer struct {
	_          struct{} `codec:",toarray"`
	Version    uint16
	Round      []byte // IDSize random bytes
	Roster     []byte
	From, To   string
	Created    int64 // Unix milliseconds
	Expires    int64
	Kind       string
	Normaliser uint16 // version of the kind's canonical form
	Purpose    string
	Basis      string      // the proposer's legal basis
	Asked      terms.Terms // what the proposer would like
	Granted    terms.Terms // what the proposer's rules permit of it
	Rules      []byte      // digest of the proposer's rules
	Class      uint32      // size class of the proposer's list
	Commitment []byte      // to the proposer's snapshot
	Suites     []SuiteKey  // offered, best first
}

// Answer is what the responder agrees to. With the offer it is the agreement.
type Answer struct {
	_          struct{} `codec:",toarray"`
	Offer      []byte   // digest of the offer's signed bytes
	Created    int64
	Expires    int64
	Normaliser uint16
	Basis      string      // the responder's legal basis
	Terms      terms.Terms // merged: the strictest of both sides
	Rules      []byte      // digest of the responder's rules
	Class      uint32
	Commitment []byte
	Suites     []SuiteKey // those that the runs need
}

// Signed carries the bytes that a signature covers, as they were signed.
type Signed struct {
	_         struct{} `codec:",toarray"`
	Body      []byte
	Signature []byte
}

// Pending says that a person has to decide first. The proposer asks again later.
type Pending struct {
	_     struct{} `codec:",toarray"`
	Offer []byte   // digest
}

// Confirm is the proposer's signature under the agreement. It opens the runs, the
// first time and after every disconnect.
type Confirm struct {
	_         struct{} `codec:",toarray"`
	Round     []byte
	Agreement []byte
	Signature []byte
	Finished  uint8 // runs that the proposer has finished
}

// Confirmed lets the runs begin.
type Confirmed struct {
	_         struct{} `codec:",toarray"`
	Agreement []byte
	Finished  uint8 // runs that the responder has finished
}

// Cancel ends a round by the wish of the side that sends it. It is signed by the
// channel alone: its effect is only that nothing more happens.
type Cancel struct {
	_     struct{} `codec:",toarray"`
	Round []byte
}

// CancelledNote confirms a Cancel.
type CancelledNote struct {
	_     struct{} `codec:",toarray"`
	Round []byte
}

func (o Offer) digest(body []byte) [32]byte { return transcript.Digest("entente/offer/1", body) }

// agreementDigest binds both halves. It enters every input of the matching suites.
func agreementDigest(offer, answer []byte) [32]byte {
	return transcript.Digest("entente/agreement/1", offer, answer)
}

// suite finds a side's public value of a suite.
func suite(keys []SuiteKey, name string) (SuiteKey, bool) {
	for _, k := range keys {
		if k.Name == name {
			return k, true
		}
	}
	return SuiteKey{}, false
}

// fault reports that the peer broke the protocol, with the number it will be told.
func fault(c wire.Code, format string, args ...any) error {
	return &wire.ProtocolError{Code: c, Err: fmt.Errorf(format, args...)}
}
