// Package machine holds the two sides of a tally, Collector and Member, as values without
// clock, socket or disk: messages go in, messages come out. (SPEC "Tallies".)
//
// The collector's side keeps what it was sent in a Store, and says for each member what it
// needs next (Pending), so that a member that was away for days gets it when it comes back. A
// member's side is small: it keeps its seeds and its share of the key, and computes its part,
// its contribution and their bytes again when they are asked for again. What a member keeps
// (Record) holds secrets and must be sealed before it is stored; it is stored before the
// messages that follow from it are sent.
//
// A message that breaks the protocol is an error with the number that the peer is told
// (wire.ProtocolError), and changes nothing. A part, contribution or request comes as a head
// and chunks in a fixed order; after an error or a disconnect it begins again with its head.
//
// What it promises is protocol/tally's. On top: a member answers one key call and one request
// of a tally, in its whole life, and contributes once; its decryption share goes through
// collective.Journal. A contributor's noise is part of its contribution, drawn here from the
// seed that its acceptance commits to (crypto/dp.Split); a member that agrees to a proposal
// agrees to its ε. It does not decide whether to take part, and cannot tell whether the numbers
// are true.
package machine

import (
	"fmt"

	"entente/crypto/he/collective"
	"entente/crypto/sign"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// Identity is whose side a machine is, and under which roster.
type Identity struct {
	Self      string
	Roster    [32]byte
	Key       *sign.PrivateKey                    // own
	PublicKey func(member string) *sign.PublicKey // of a member of the roster; nil for others
}

// Store keeps what a collector was sent, under short names. A value is written once under a
// name, or again before the member's upload is complete.
type Store interface {
	Put(name string, b []byte) error
	Get(name string) ([]byte, error)
}

// fault reports that the peer broke the protocol, with the number it will be told.
func fault(c wire.Code, format string, args ...any) error {
	return &wire.ProtocolError{Code: c, Err: fmt.Errorf(format, args...)}
}

// malformed makes the arithmetic's refusal of a peer's bytes the peer's fault.
func malformed(err error) error {
	return &wire.ProtocolError{Code: wire.Malformed, Err: err}
}

// point is the point at which the holder with this place has its share.
func point(place uint8) uint8 { return place + 1 }

func points(places []byte) []uint8 {
	out := make([]uint8, len(places))
	for i, x := range places {
		out[i] = point(x)
	}
	return out
}

// group is who holds the key: those who deal it.
func group(p tally.Proposal, c tally.KeyCall) collective.Group {
	g := collective.Group{Threshold: int(p.Threshold)}
	for _, d := range c.Dealers {
		g.Points = append(g.Points, point(d.Place))
	}
	return g
}

// stored is what both sides keep of the collector's messages.
type stored struct {
	proposal tally.Proposal
	keyCall  tally.KeyCall
	request  tally.Request
	release  tally.Release
}

// load decodes and checks the messages of a record, those that there are: what was checked
// when it came is checked again, since the rest relies on it.
func load(proposal, keyCall, request, release tally.Signed) (s stored, err error) {
	for _, part := range []struct {
		signed  tally.Signed
		message any
	}{{proposal, &s.proposal}, {keyCall, &s.keyCall}, {request, &s.request}, {release, &s.release}} {
		if len(part.signed.Body) == 0 {
			continue
		}
		if err := tally.Decode(part.signed.Body, part.message); err != nil {
			return s, fmt.Errorf("load tally: %w", err)
		}
	}
	own := tally.Digest(proposal, tally.DomainProposal)
	if len(s.proposal.Roster) != len(own) {
		return s, fmt.Errorf("load tally: %w", fault(wire.Malformed, "the record has no proposal"))
	}
	err = s.proposal.Check([32]byte(s.proposal.Roster), s.proposal.Created)
	if err == nil && len(keyCall.Body) > 0 {
		err = s.keyCall.Check(s.proposal, own)
	}
	if err == nil && len(request.Body) > 0 && len(s.request.Key) == len(own) {
		err = s.request.Check(s.proposal, [32]byte(s.request.Key), s.keyCall)
	}
	if err == nil && len(release.Body) > 0 {
		err = s.release.Check(s.proposal, own)
	}
	if err != nil {
		return s, fmt.Errorf("load tally: %w", err)
	}
	return s, nil
}
