package round

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"entente/crypto/sign"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// openOffer verifies the signature over the received bytes, then decodes and
// checks every field.
func openOffer(s Signed, peer *sign.PublicKey) (Offer, error) {
	var o Offer
	if err := peer.Verify(domainOffer, s.Body, s.Signature); err != nil {
		return o, fault(wire.Altered, "the offer's signature is wrong")
	}
	if err := wire.Unmarshal(s.Body, &o); err != nil {
		return o, &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return o, o.validate()
}

// Peek reads an offer before its signature is checked, for the caller to find out
// which round it is about. Receive or Step then checks it.
func Peek(s Signed) (Offer, error) {
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
	case len(o.Round) != IDSize, len(o.Roster) != digestSize:
		return fault(wire.Malformed, "the offer's round or roster has a wrong length")
	case o.From == o.To, !text(o.From, 1), !text(o.To, 1), !text(o.Kind, 1), !text(o.Purpose, 1), !text(o.Basis, 1):
		return fault(wire.Malformed, "a name in the offer is empty, too long or not plain text")
	case o.Created <= 0, o.Expires <= o.Created, o.Expires-o.Created > maxSpan:
		return fault(wire.Malformed, "the offer's times are out of order or too far apart")
	case o.Asked.Proposer == terms.None && o.Asked.Responder == terms.None:
		return fault(wire.Malformed, "the offer asks for nothing")
	case o.Asked.Validate() != nil, o.Granted.Validate() != nil:
		return fault(wire.Malformed, "the offer's terms are not valid")
	case o.Granted.Proposer > o.Asked.Proposer, o.Granted.Responder > o.Asked.Responder:
		return fault(wire.AboveGrant, "the offer grants more than it asks for")
	}
	if err := sided(o.Rules, o.Class, o.Commitment, o.Suites); err != nil {
		return err
	}
	return nil
}

func (a Answer) validate(o Offer, offer [32]byte) error {
	switch {
	case string(a.Offer) != string(offer[:]):
		return fault(wire.Altered, "the answer belongs to another offer")
	case !text(a.Basis, 1):
		return fault(wire.Malformed, "the answer's legal basis is empty, too long or not plain text")
	case a.Created < o.Created-maxSkew, a.Expires <= a.Created, a.Expires-a.Created > maxSpan:
		return fault(wire.Malformed, "the answer's times are out of order or too far apart")
	case a.Expires > o.Expires:
		return fault(wire.AboveGrant, "the answer lasts longer than the offer")
	case a.Terms.Validate() != nil:
		return fault(wire.Malformed, "the answer's terms are not valid")
	case !a.Terms.Within(o.Granted):
		return fault(wire.AboveGrant, "the answer takes more than was granted")
	case a.Terms.Proposer == terms.None && a.Terms.Responder == terms.None:
		return fault(wire.Malformed, "the answer permits nothing: a refusal has its own message")
	case !Neighbours(a.Normaliser, o.Normaliser):
		return fault(wire.UnsupportedVersion, "the canonical forms of the two sides are more than one version apart")
	case a.Class < a.Terms.MinItems, o.Class < a.Terms.MinItems:
		return fault(wire.AboveGrant, "a list is smaller than the agreed minimum")
	case !Fits(a.Terms, a.Class), !Fits(a.Terms, o.Class):
		return fault(wire.TooLarge, "a list is larger than a run takes, with the noise of a count if there is one")
	}
	if err := sided(a.Rules, a.Class, a.Commitment, a.Suites); err != nil {
		return err
	}
	return a.suitesFit(o)
}

// suitesFit checks that the answer names just the suites that its runs need, all
// of them offered.
func (a Answer) suitesFit(o Offer) error {
	ids := a.Terms.Proposer == terms.IDs || a.Terms.Responder == terms.IDs
	count := a.Terms.Proposer == terms.Count || a.Terms.Responder == terms.Count
	exact, counting := 0, 0
	for _, k := range a.Suites {
		if _, ok := suite(o.Suites, k.Name); !ok {
			return fault(wire.UnsupportedVersion, "the answer names a suite that was not offered")
		}
		switch k.Name {
		case CountSuite:
			counting++
		case NamesSuite:
		default:
			exact++
		}
	}
	_, similar := suite(a.Suites, SimilarSuite)
	if _, names := suite(a.Suites, NamesSuite); names && !similar {
		return fault(wire.Malformed, "the answer's suites do not fit its terms")
	}
	if (exact == 1) != ids || exact > 1 || (counting == 1) != count || similar && count {
		return fault(wire.Malformed, "the answer's suites do not fit its terms")
	}
	return nil
}

// sided checks the fields that offer and answer share.
func sided(rules []byte, class uint32, commitment []byte, suites []SuiteKey) error {
	switch {
	case len(rules) != digestSize, len(commitment) != digestSize:
		return fault(wire.Malformed, "a digest has a wrong length")
	case class > maxClass, !wire.IsSizeClass(int(class)):
		return fault(wire.TooLarge, "%d is not a size class within the limit", class)
	case len(suites) == 0, len(suites) > maxSuites:
		return fault(wire.Malformed, "%d suites are named", len(suites))
	}
	for i, k := range suites {
		again := slices.ContainsFunc(suites[:i], func(e SuiteKey) bool { return e.Name == k.Name })
		if again || !text(k.Name, 1) || len(k.Public) > maxPublicBytes {
			return fault(wire.Malformed, "a suite is named twice or wrongly")
		}
	}
	return nil
}

// Neighbours accepts two versions of a canonical form that are equal or one apart.
func Neighbours(a, b uint16) bool { return a == b || a+1 == b || b+1 == a }

// text accepts printable UTF-8 of at least min and at most maxText bytes. People read it
// on their screens: what turns the direction of writing, or is not seen, has no place.
func text(s string, min int) bool {
	if len(s) < min || len(s) > maxText || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
