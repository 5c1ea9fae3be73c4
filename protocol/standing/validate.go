package standing

import (
	"slices"
	"strings"

	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// openOffer verifies the signature over the received bytes, then decodes and checks every
// field.
func openOffer(s round.Signed, peer *sign.PublicKey) (Offer, error) {
	var o Offer
	if err := open(peer, domainOffer, s, &o); err != nil {
		return o, err
	}
	return o, o.validate()
}

// Peek reads an offer before its signature is checked, for the caller to find out which
// subscription it is about. Receive or Step then checks it.
func Peek(s round.Signed) (Offer, error) {
	var o Offer
	if err := wire.Unmarshal(s.Body, &o); err != nil {
		return o, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return o, nil
}

func (o Offer) validate() error {
	switch {
	case o.Version != Version:
		return fault(wire.UnsupportedVersion, "the offer has version %d", o.Version)
	case o.Consequence != ConsequenceVersion:
		return fault(wire.UnsupportedVersion, "the offer's consequence has other words than those shown here")
	case len(o.Subscription) != IDSize, len(o.Roster) != digestSize, len(o.Rules) != digestSize:
		return fault(wire.Malformed, "the offer's number or a digest has a wrong length")
	case o.From == o.To, !round.PlainText(o.From), !round.PlainText(o.To), !round.PlainText(o.Purpose), !round.PlainText(o.Basis):
		return fault(wire.Malformed, "a name in the offer is empty, too long or not plain text")
	case o.Created <= 0, o.Expires <= o.Created, o.Expires-o.Created > MaxLife:
		return fault(wire.Malformed, "the offer's times are out of order or too far apart")
	case !idsOnly(o.Asked), !idsOnly(o.Granted):
		return fault(wire.Malformed, "the offer's terms are not valid: a subscription opens ids or nothing")
	case !o.Asked.Open():
		return fault(wire.Malformed, "the offer asks for nothing")
	case !o.Granted.Open():
		return fault(wire.Malformed, "the offer grants nothing")
	case o.Granted.Proposer > o.Asked.Proposer, o.Granted.Responder > o.Asked.Responder:
		return fault(wire.AboveGrant, "the offer grants more than it asks for")
	}
	if err := checkKinds(o.Kinds); err != nil {
		return err
	}
	if err := checkClass(o.Class); err != nil {
		return err
	}
	return o.Limit.check()
}

func (a Answer) validate(o Offer, offer [32]byte) error {
	switch {
	case string(a.Offer) != string(offer[:]):
		return fault(wire.Altered, "the answer belongs to another offer")
	case len(a.Rules) != digestSize:
		return fault(wire.Malformed, "a digest has a wrong length")
	case !round.PlainText(a.Basis):
		return fault(wire.Malformed, "the answer's legal basis is empty, too long or not plain text")
	case a.Created < o.Created-maxSkew, a.Created > o.Created+MaxOpen, a.Expires <= a.Created:
		return fault(wire.Malformed, "the answer's times are out of order or too far apart")
	case a.Expires > o.Expires:
		return fault(wire.AboveGrant, "the answer lasts longer than the offer")
	case !idsOnly(a.Terms):
		return fault(wire.Malformed, "the answer's terms are not valid: a subscription opens ids or nothing")
	case !a.Terms.Within(o.Granted):
		return fault(wire.AboveGrant, "the answer takes more than was granted")
	case !a.Terms.Open():
		return fault(wire.Malformed, "the answer permits nothing: a refusal has its own message")
	case !a.Terms.Admits(int64(a.Class)), !a.Terms.Admits(int64(o.Class)):
		return fault(wire.AboveGrant, "a list is smaller than the agreed minimum")
	}
	if err := checkKinds(a.Kinds); err != nil {
		return err
	}
	if err := checkClass(a.Class); err != nil {
		return err
	}
	if err := a.Limit.check(); err != nil {
		return err
	}
	return a.fits(o)
}

// fits checks what the answer's kinds, bounds and classes owe to the offer.
func (a Answer) fits(o Offer) error {
	if a.Limit != a.Limit.Stricter(o.Limit) {
		return fault(wire.AboveGrant, "a bound of the answer is wider than the offer's")
	}
	for _, k := range a.Kinds {
		offered, ok := kind(o.Kinds, k.Name)
		if !ok {
			return fault(wire.AboveGrant, "the answer names a kind that was not offered")
		}
		if !round.Neighbours(k.Version, offered.Version) {
			return fault(wire.UnsupportedVersion, "the canonical forms of the two sides are more than one version apart")
		}
	}
	for feed, class := range [2]uint32{a.Class, o.Class} { // of the holder
		if a.has(uint8(feed)) && publicationClass(int(class), a.Limit.Period, a.Limit.Cadence) > int(a.Limit.Tags) {
			return fault(wire.TooLarge, "with its dummies a list is larger than the agreed number of tags")
		}
	}
	return nil
}

// has tells whether there is a feed: whether its asker learns.
func (a Answer) has(feed uint8) bool {
	if feed == 0 {
		return a.Terms.Proposer == terms.IDs
	}
	return feed == 1 && a.Terms.Responder == terms.IDs
}

// idsOnly accepts the terms that a subscription can have. A standing count would be noise
// that averages away.
func idsOnly(t terms.Terms) bool {
	return t.Validate() == nil && t.Proposer != terms.Count && t.Responder != terms.Count
}

func (b Bounds) check() error {
	switch {
	case b.Cadence < MinCadence, b.Cadence > MaxCadence, b.Period < MinPeriod, b.Period > MaxPeriod, b.Cadence > b.Period:
		return fault(wire.Malformed, "cadence or tag period are out of bounds")
	case b.Tags > MaxTags, b.Queries > MaxTags, b.Checks > MaxChecks:
		return fault(wire.TooLarge, "tags, queries or checks are over the limit")
	case !wire.IsSizeClass(int(b.Tags)), !wire.IsSizeClass(int(b.Queries)):
		return fault(wire.Malformed, "tags or queries are not a size class")
	}
	return nil
}

func checkKinds(kinds []Kind) error {
	if len(kinds) == 0 || len(kinds) > MaxKinds {
		return fault(wire.Malformed, "%d kinds are named", len(kinds))
	}
	for i, k := range kinds {
		if !round.PlainText(k.Name) || i > 0 && strings.Compare(kinds[i-1].Name, k.Name) >= 0 {
			return fault(wire.Malformed, "the kinds are not in order, or one is not plain text")
		}
	}
	return nil
}

func checkClass(class uint32) error {
	switch {
	case class > MaxTags:
		return fault(wire.TooLarge, "a list of class %d is over the limit", class)
	case !wire.IsSizeClass(int(class)):
		return fault(wire.Malformed, "%d is not a size class", class)
	}
	return nil
}

func kind(kinds []Kind, name string) (Kind, bool) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return kinds[i], true
}
