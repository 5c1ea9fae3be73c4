package standing

import (
	"errors"
	"fmt"

	"entente/crypto/oprf"
	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/round"
	"entente/protocol/wire"
)

const (
	domainPeriod sign.Domain = "entente/standing/period/1"
	labelPeriod  string      = "entente/standing/period/1"

	// maxSkew is how many milliseconds two clocks may differ.
	maxSkew = round.MaxSkew
)

// Period is what a holder signs when it opens a tag period.
type Period struct {
	_         struct{} `codec:",toarray"`
	Version   uint16
	Agreement [32]byte
	Feed      uint8
	Index     uint32 // from 1; greater than that of every period before it
	Starts    int64  // Unix milliseconds
	Ends      int64
	Public    [oprf.PublicKeySize]byte
	Class     uint32   // tags of the publication, dummies included
	Digest    [32]byte // chain digest after the publication
}

// ErrOver says that a tag period is over or not the one in force. A shelf returns it for
// another period than the one that it has; the peer is told "expired" and syncs again.
var ErrOver = errors.New("the tag period is over")

// NextIndex returns the number of a tag period that is opened at now: at least one more
// than the last, and at least the whole minutes since the answer was made, plus one. So a
// holder that has lost its records still never uses a number twice, unless it opened more
// than a period a minute. Times are Unix milliseconds.
func NextIndex(created, now int64, last uint32) uint32 {
	minutes := max(0, now-created) / 60_000
	return uint32(max(int64(last), min(minutes, MaxIndex-2))) + 1
}

// SignPeriod signs a tag period. m is the mark after its publication.
func SignPeriod(s Session, index uint32, starts, ends int64, public *oprf.PublicKey, m Mark) (Period, round.Signed, error) {
	p := Period{
		Version: Version, Agreement: s.Agreement, Feed: s.Feed, Index: index, Starts: starts, Ends: ends,
		Public: [oprf.PublicKeySize]byte(public.Bytes()), Class: m.Living, Digest: m.Digest,
	}
	if err := p.check(&s); err != nil {
		return p, round.Signed{}, fmt.Errorf("sign tag period: %w", err)
	}
	signed, err := signed(s.Key, domainPeriod, p)
	return p, signed, err
}

// OpenPeriod verifies the holder's signature over the received bytes, then decodes and
// checks every field but those that depend on the time. It is for askers, and for whoever
// reads evidence.
func OpenPeriod(s Session, peer *sign.PublicKey, got round.Signed) (Period, error) {
	var p Period
	if err := open(peer, domainPeriod, got, &p); err != nil {
		return p, fmt.Errorf("tag period: %w", err)
	}
	return p, p.check(&s)
}

// check refuses a period that the agreement does not allow.
func (p *Period) check(s *Session) error {
	switch {
	case p.Version != Version:
		return fault(wire.UnsupportedVersion, "the tag period has version %d", p.Version)
	case p.Agreement != s.Agreement, p.Feed != s.Feed:
		return fault(wire.Altered, "the tag period belongs to another feed")
	case p.Index == 0, p.Index >= MaxIndex:
		return fault(wire.Malformed, "the tag period has number %d", p.Index)
	case p.Starts <= 0, p.Ends <= p.Starts:
		return fault(wire.Malformed, "the tag period's times are out of order")
	case p.Ends-p.Starts > int64(s.PeriodSeconds)*1000, p.Ends > s.Expires:
		return fault(wire.AboveGrant, "the tag period is longer than agreed")
	case !wire.IsSizeClass(int(p.Class)):
		return fault(wire.Malformed, "%d is not a size class", p.Class)
	case p.Class > s.Tags, p.Class > MaxTags:
		return fault(wire.Quota, "the publication has %d tags, agreed are %d", p.Class, s.Tags)
	}
	if _, err := oprf.ParsePublicKey(oprf.Batched, p.Public[:]); err != nil {
		return fault(wire.BadPoint, "the tag period's key: %w", err)
	}
	return nil
}

// current refuses a new period whose time is not now.
func (p *Period) current(now int64) error {
	switch {
	case p.Starts > now+maxSkew:
		return fault(wire.Clock, "the tag period begins in the future")
	case p.Ends <= now-maxSkew:
		return fault(wire.Expired, "the tag period is over")
	}
	return nil
}

// Equivocation says that the holder told a part of its history twice, differently: its
// signatures are evidence, this one and the one that the cache holds.
type Equivocation struct {
	Index  uint32       // tag period
	Run    uint32       // 0: the period itself
	Signed round.Signed // the later statement
	cause  error
}

// Error says what was told twice.
func (e *Equivocation) Error() string { return e.cause.Error() }

// Unwrap returns the *wire.ProtocolError with code Replayed.
func (e *Equivocation) Unwrap() error { return e.cause }

// signed encodes a body and signs it.
func signed(key *sign.PrivateKey, d sign.Domain, body any) (round.Signed, error) {
	b, err := wire.Marshal(body)
	if err != nil {
		return round.Signed{}, fmt.Errorf("sign %s: %w", d, err)
	}
	signature, err := key.Sign(d, b)
	if err != nil {
		return round.Signed{}, fmt.Errorf("sign %s: %w", d, err)
	}
	return round.Signed{Body: b, Signature: signature}, nil
}

// open verifies a signature over the received bytes and decodes them.
func open(key *sign.PublicKey, d sign.Domain, s round.Signed, body any) error {
	if err := key.Verify(d, s.Body, s.Signature); err != nil {
		return fault(wire.Altered, "the signature is wrong")
	}
	if err := wire.Unmarshal(s.Body, body); err != nil {
		return &wire.ProtocolError{Code: wire.Malformed, Err: err}
	}
	return nil
}

// bodyDigest names a signed period in State messages; the empty body has none.
func bodyDigest(body []byte) [32]byte {
	if len(body) == 0 {
		return [32]byte{}
	}
	return transcript.Digest(labelPeriod, body)
}

// fault reports that the peer broke the protocol, with the number it will be told.
func fault(c wire.Code, format string, args ...any) error {
	return &wire.ProtocolError{Code: c, Err: fmt.Errorf(format, args...)}
}
