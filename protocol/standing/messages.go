package standing

import (
	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// Protocol is the stream protocol of standing rounds. A changed message means a new number.
const Protocol = "/entente/standing/1"

// Version is the version that everything signed carries.
const Version = 1

// Domains of the signatures under the agreement.
const (
	domainOffer     sign.Domain = "entente/standing/offer/1"
	domainAgreement sign.Domain = "entente/standing/agreement/1"
	domainEnd       sign.Domain = "entente/standing/end/1"
)

// Kinds of frames outside feeds.
const (
	KindHello     wire.Kind = 1
	KindOffer     wire.Kind = 2
	KindAnswer    wire.Kind = 3
	KindPending   wire.Kind = 4
	KindConfirm   wire.Kind = 5
	KindConfirmed wire.Kind = 6
	KindEnd       wire.Kind = 7
	KindEnded     wire.Kind = 8
	KindSync      wire.Kind = 9
	KindReady     wire.Kind = 10
	KindDone      wire.Kind = 11
)

// Caps of frames outside feeds, in bytes.
const (
	maxSigned = 16 << 10
	maxSmall  = 8 << 10
)

// Limit gives the cap of each frame kind outside feeds.
func Limit(k wire.Kind) (uint32, bool) {
	switch k {
	case KindOffer, KindAnswer:
		return maxSigned, true
	case KindHello, KindPending, KindConfirm, KindConfirmed, KindEnd, KindEnded, KindSync, KindReady, KindDone:
		return maxSmall, true
	}
	return 0, false
}

// Kind is an indicator kind with the version of its canonical form.
type Kind struct {
	_       struct{} `codec:",toarray"`
	Name    string
	Version uint16
}

// Offer is what the proposer asks for and grants. Its signed bytes are half of the agreement.
type Offer struct {
	_            struct{} `codec:",toarray"`
	Version      uint16
	Subscription []byte // IDSize random bytes
	Roster       []byte // digest of the roster
	From, To     string
	Created      int64 // Unix milliseconds
	Expires      int64 // end of the subscription
	Kinds        []Kind
	Purpose      string
	Basis        string      // the proposer's legal basis
	Asked        terms.Terms // what the proposer would like; modes are none or ids
	Granted      terms.Terms // what the proposer's rules permit of it
	Rules        []byte      // digest of the proposer's rules
	Limit        Bounds
	Class        uint32 // size class of the proposer's list now
	Consequence  uint16 // ConsequenceVersion
}

// Bounds are what both sides keep to in every feed. The stricter value of both is agreed.
type Bounds struct {
	_       struct{} `codec:",toarray"`
	Cadence uint32   // seconds from sync to sync; stricter is longer
	Period  uint32   // seconds of the longest tag period; stricter is shorter
	Tags    uint32   // most living tags of a feed, dummies included: a size class
	Queries uint32   // most places evaluated in a tag period: a size class
	Checks  uint32   // most urgent checks in a UTC day
}

// Stricter returns the stricter of both in every field.
func (b Bounds) Stricter(o Bounds) Bounds {
	return Bounds{
		Cadence: max(b.Cadence, o.Cadence), Period: min(b.Period, o.Period), Tags: min(b.Tags, o.Tags),
		Queries: min(b.Queries, o.Queries), Checks: min(b.Checks, o.Checks),
	}
}

// Answer is what the responder agrees to. With the offer it is the agreement.
type Answer struct {
	_       struct{} `codec:",toarray"`
	Offer   []byte   // digest of the offer's signed bytes
	Created int64
	Expires int64       // end of the subscription, not after the offer's
	Kinds   []Kind      // some or all of the offered ones, with the responder's versions
	Basis   string      // the responder's legal basis
	Terms   terms.Terms // merged: the strictest of both sides
	Rules   []byte      // digest of the responder's rules
	Limit   Bounds      // merged likewise
	Class   uint32      // size class of the responder's list now
}

// Pending says that a person has to decide first.
type Pending = round.Pending

// Confirm is the proposer's signature under the agreement.
type Confirm struct {
	_            struct{} `codec:",toarray"`
	Subscription []byte
	Agreement    []byte
	Signature    []byte
}

// Confirmed says that the subscription is active.
type Confirmed struct {
	_         struct{} `codec:",toarray"`
	Agreement []byte
}

// End is what either side signs to end a subscription, at any time.
type End struct {
	_            struct{} `codec:",toarray"`
	Version      uint16
	Subscription []byte
	Agreement    []byte // zeros if there is none yet
	From         string
	Time         int64 // Unix milliseconds
}

// EndedNote confirms an End.
type EndedNote struct {
	_            struct{} `codec:",toarray"`
	Subscription []byte
}

// Sync opens the feeds of an active subscription. Either side may send it.
type Sync struct {
	_            struct{} `codec:",toarray"`
	Subscription []byte
	Agreement    []byte
}

// Ready lets the feeds begin.
type Ready struct {
	_         struct{} `codec:",toarray"`
	Agreement []byte
}

// Done is each side's last frame on a stream whose feeds are through.
type Done struct {
	_         struct{} `codec:",toarray"`
	Agreement []byte
}
