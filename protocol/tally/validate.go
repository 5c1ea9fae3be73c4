package tally

import (
	"bytes"
	"slices"

	"entente/crypto/dp"
	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Sign signs a message of this package in its canonical encoding.
func Sign(k *sign.PrivateKey, d sign.Domain, message any) (Signed, error) {
	body, err := wire.Marshal(message)
	if err != nil {
		return Signed{}, err
	}
	signature, err := k.Sign(d, body)
	if err != nil {
		return Signed{}, err
	}
	return Signed{Body: body, Signature: signature}, nil
}

// Open verifies the signature over the received bytes, and decodes them into a message.
func Open(s Signed, k *sign.PublicKey, d sign.Domain, message any) error {
	if k == nil || k.Verify(d, s.Body, s.Signature) != nil {
		return fault(wire.Altered, "a signature for %q is wrong", d)
	}
	return Decode(s.Body, message)
}

// Decode decodes a body whose signature was verified before, or is yet to be.
func Decode(body []byte, message any) error {
	if err := wire.Unmarshal(body, message); err != nil {
		return &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return nil
}

// Check reports what a member must refuse of a proposal, whatever its own rules say. now is
// Unix milliseconds.
func (p Proposal) Check(roster [32]byte, now int64) error {
	switch {
	case p.Version != Version:
		return fault(wire.UnsupportedVersion, "the proposal has version %d", p.Version)
	case len(p.Tally) != IDSize, len(p.Roster) != digestSize, len(p.Rules) != digestSize:
		return fault(wire.Malformed, "an identifier or digest of the proposal has a wrong length")
	case !bytes.Equal(p.Roster, roster[:]):
		return fault(wire.OtherRoster, "the proposal names another roster")
	case !round.PlainText(p.Collector), !round.PlainText(p.Purpose), !round.PlainText(p.Basis):
		return fault(wire.Malformed, "a text of the proposal is empty, too long or not plain text")
	case p.Created <= 0, p.Deadline <= p.Created, p.Deadline-p.Created > maxSpan:
		return fault(wire.Malformed, "the proposal's times are out of order or too far apart")
	case p.Created > now+maxSkew:
		return fault(wire.Clock, "the proposal was made in the future")
	case p.Deadline <= now:
		return fault(wire.Expired, "the deadline has passed")
	}
	if err := checkMembers(p.Contributors, MinContributor); err != nil {
		return err
	}
	if err := checkMembers(p.Holders, 2); err != nil {
		return err
	}
	if _, contributes := p.Contributor(p.Collector); contributes {
		return fault(wire.AboveGrant, "the collector is among the contributors") // it has all bodies
	}
	if err := p.checkNumbers(); err != nil {
		return err
	}
	return p.Question.validate()
}

func checkMembers(names []string, least int) error {
	if len(names) < least || len(names) > MaxMembers {
		return fault(wire.Malformed, "%d members are named for a task of %d to %d", len(names), least, MaxMembers)
	}
	for i, n := range names {
		if !round.PlainText(n) || i > 0 && n <= names[i-1] {
			return fault(wire.Malformed, "names of members are not ascending, empty, too long or not plain text")
		}
	}
	return nil
}

func (p Proposal) checkNumbers() error {
	switch {
	case int(p.Threshold) > len(p.Holders), int(p.Threshold) < checkpoint.Quorum(len(p.Holders)):
		return fault(wire.AboveGrant, "%d of %d holders: it must be at least %d", p.Threshold, len(p.Holders), checkpoint.Quorum(len(p.Holders)))
	case int(p.Minimum) > len(p.Contributors), p.Minimum < MinContributor:
		return fault(wire.AboveGrant, "a minimum of %d contributors of %d", p.Minimum, len(p.Contributors))
	case p.Cap < 1, p.Cap > MaxCap:
		return fault(wire.Malformed, "a case may add %d counts: allowed are 1 to %d", p.Cap, MaxCap)
	case p.EpsilonMilli == 0 && p.NoiseOf != 0, p.EpsilonMilli != 0 && (p.NoiseOf < 1 || p.NoiseOf >= p.Minimum): // each contributor knows its own share
		return fault(wire.Malformed, "noise of %d shares with at least %d contributors", p.NoiseOf, p.Minimum)
	case p.Limit < MinLimit, p.Limit > MaxMembers*MaxCount:
		return fault(wire.AboveGrant, "numbers are shown from %d on, not from %d", p.Limit, MinLimit)
	}
	return p.checkNoise()
}

// checkNoise refuses noise that a value has no room for: whoever accepts can then contribute,
// whatever it draws.
func (p Proposal) checkNoise() error {
	if p.EpsilonMilli == 0 {
		return nil
	}
	s, err := p.Noise()
	if err != nil {
		return &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	if s.Bound() > MaxNoise {
		return fault(wire.Malformed, "shares of noise may be as large as %d, at most %d has room", s.Bound(), MaxNoise)
	}
	return nil
}

// Noise is the distribution of each contributor's share of noise. There is none without ε.
func (p Proposal) Noise() (dp.Split, error) {
	return dp.NewSplit(p.EpsilonMilli, uint32(p.Cap), int(p.NoiseOf))
}

// Contributor is the place of a member among the contributors.
func (p Proposal) Contributor(name string) (uint8, bool) { return place(p.Contributors, name) }

// Holder is the place of a member among the holders.
func (p Proposal) Holder(name string) (uint8, bool) { return place(p.Holders, name) }

func place(names []string, name string) (uint8, bool) {
	i, ok := slices.BinarySearch(names, name)
	return uint8(i), ok
}

// Check reports what is wrong with an acceptance of a proposal by a member.
func (a Acceptance) Check(p Proposal, digest [32]byte, from string) error {
	_, contributes := p.Contributor(from)
	_, holds := p.Holder(from)
	switch {
	case !contributes && !holds:
		return fault(wire.Unexpected, "who accepts was not asked")
	case !bytes.Equal(a.Proposal, digest[:]), a.Member != from:
		return fault(wire.Altered, "the acceptance is of another proposal or member")
	case !round.PlainText(a.Basis), len(a.Rules) != digestSize:
		return fault(wire.Malformed, "the acceptance's legal basis or rules are malformed")
	case !sized(a.Commitment, holds, digestSize), !sized(a.Sealing, holds, SealingKeySize), !sized(a.Seed, contributes, digestSize):
		return fault(wire.Malformed, "a commitment or key of the acceptance is malformed")
	}
	return nil
}

// sized accepts bytes of this length where they belong, and none where they do not.
func sized(b []byte, belongs bool, length int) bool {
	if !belongs {
		length = 0
	}
	return len(b) == length
}

// Check reports what is wrong with a key call for a proposal.
func (c KeyCall) Check(p Proposal, digest [32]byte) error {
	switch {
	case !bytes.Equal(c.Proposal, digest[:]):
		return fault(wire.Altered, "the key call is for another proposal")
	case len(c.Dealers) < int(p.Threshold):
		return fault(wire.AboveGrant, "%d holders deal, at least %d must", len(c.Dealers), p.Threshold)
	case len(c.Contributors) < int(p.Minimum):
		return fault(wire.AboveGrant, "%d members contribute, at least %d must", len(c.Contributors), p.Minimum)
	case !ordered(c.Dealers, len(p.Holders)), !ordered(c.Contributors, len(p.Contributors)):
		return fault(wire.Malformed, "who accepted is not ascending, nobody, or malformed")
	}
	return nil
}

// ordered accepts distinct places of a list, in order, with digests.
func ordered(all []Accepted, length int) bool {
	for i, a := range all {
		if int(a.Place) >= length || i > 0 && a.Place <= all[i-1].Place || len(a.Digest) != digestSize {
			return false
		}
	}
	return true
}

// Find is the acceptance's digest of a place.
func Find(all []Accepted, place uint8) ([]byte, bool) {
	i, ok := slices.BinarySearchFunc(all, place, func(a Accepted, p uint8) int { return int(a.Place) - int(p) })
	if !ok {
		return nil, false
	}
	return all[i].Digest, true
}

// Check reports what is wrong with a part that answers a key call.
func (t Part) Check(c KeyCall, digest [32]byte) error {
	if _, ok := Find(c.Dealers, t.Place); !ok || !bytes.Equal(t.Call, digest[:]) {
		return fault(wire.Altered, "the part is for another key call")
	}
	if len(t.Shares) != len(c.Dealers) {
		return fault(wire.Malformed, "the part has shares for %d of %d", len(t.Shares), len(c.Dealers))
	}
	for i, d := range t.Shares {
		want := digestSize
		if c.Dealers[i].Place == t.Place {
			want = 0
		}
		if len(d) != want {
			return fault(wire.Malformed, "a digest of the part has a wrong length")
		}
	}
	return nil
}

// Check reports what is wrong with a contribution of a place under a key.
func (t Contribution) Check(key [32]byte, place uint8) error {
	switch {
	case !bytes.Equal(t.Key, key[:]), t.Place != place:
		return fault(wire.Altered, "the contribution is under another key, or another member's")
	case len(t.Masks) != digestSize, len(t.Bodies) != digestSize:
		return fault(wire.Malformed, "a digest of the contribution has a wrong length")
	}
	return nil
}

// Check reports what is wrong with a request for a sum under a key that was called for.
func (r Request) Check(p Proposal, key [32]byte, c KeyCall) error {
	switch {
	case !bytes.Equal(r.Key, key[:]):
		return fault(wire.Altered, "the request is for another key")
	case len(r.Sum) != digestSize:
		return fault(wire.Malformed, "the request's sum has a wrong length")
	case len(r.Included) < int(p.Minimum):
		return fault(wire.AboveGrant, "the sum has %d contributions, at least %d are agreed", len(r.Included), p.Minimum)
	case len(r.Active) != int(p.Threshold):
		return fault(wire.AboveGrant, "%d holders are to open the sum, agreed are %d", len(r.Active), p.Threshold)
	case !ascending(r.Included, len(p.Contributors)), !ascending(r.Active, len(p.Holders)):
		return fault(wire.Malformed, "the request's members are not ascending, or nobody")
	}
	for _, x := range r.Active {
		if _, ok := Find(c.Dealers, x); !ok {
			return fault(wire.Malformed, "a holder without a share is to open the sum")
		}
	}
	for _, x := range r.Included {
		if _, ok := Find(c.Contributors, x); !ok {
			return fault(wire.Malformed, "a member that the key was not called for is in the sum")
		}
	}
	return nil
}

// ascending accepts distinct places of a list, in order.
func ascending(places []byte, length int) bool {
	for i, x := range places {
		if int(x) >= length || i > 0 && x <= places[i-1] {
			return false
		}
	}
	return true
}

// Check reports what is wrong with a release under a proposal.
func (r Release) Check(p Proposal, digest [32]byte) error {
	switch {
	case !bytes.Equal(r.Proposal, digest[:]):
		return fault(wire.Altered, "the release is of another proposal")
	case len(r.Call) != digestSize, len(r.Key) != digestSize, len(r.Request) != digestSize, len(r.Cells) != p.Question.Cells():
		return fault(wire.Malformed, "the release has %d cells, or a malformed digest", len(r.Cells))
	case len(r.Included) < int(p.Minimum):
		return fault(wire.AboveGrant, "the release is of fewer contributions than agreed")
	case r.Cap != p.Cap, r.EpsilonMilli != p.EpsilonMilli, r.NoiseOf != p.NoiseOf, r.Limit != p.Limit:
		return fault(wire.AboveGrant, "the release names other noise or another limit than agreed")
	case !ascending(r.Included, len(p.Contributors)):
		return fault(wire.Malformed, "the release's contributors are not ascending, or nobody")
	}
	for _, n := range r.Cells {
		if n != 0 && n < r.Limit {
			return fault(wire.AboveGrant, "the release shows a number below the limit")
		}
	}
	return nil
}
