package machine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"entente/crypto/he/collective"
	"entente/crypto/sign"
	"entente/protocol/tally"
)

// ErrAudit says that what was opened is not what was sent or released.
var ErrAudit = errors.New("the records do not agree")

// Sent is what a contributor said in a tally, as it was signed, and the key: what an opening is
// checked against. The contributor and the collector both have it.
type Sent struct {
	Proposal     tally.Signed // by the collector, as the key call
	KeyCall      tally.Signed
	Acceptance   tally.Signed // by the contributor
	Contribution tally.Signed // likewise
	Key          []byte       // the collective key, whose digest is in the release
}

// CheckOpening computes a contribution again from what its contributor opened, and reports an
// error unless it is the one that was signed, byte for byte, under the key of a release, and is
// in its sum: then these counts, with noise drawn from the seed that the contributor committed
// to before the key was called for, are what it contributed. The release must be the one that
// members have, not one that the contributor or the collector shows to the auditor alone: it
// fixes the key call, and so the commitment. Signatures are verified under the keys that
// publicKey knows, of the roster that the proposal names.
//
// ErrAudit, tally.ErrCount or a wire.ProtocolError says what does not agree. What it cannot
// show: that the counts are true.
func CheckOpening(a *collective.Parameters, publicKey func(member string) *sign.PublicKey, release tally.Signed, s Sent, o tally.Opening) error {
	if err := checkOpening(a, publicKey, release, s, o); err != nil {
		return fmt.Errorf("check opening: %w", err)
	}
	return nil
}

func checkOpening(a *collective.Parameters, publicKey func(member string) *sign.PublicKey, release tally.Signed, s Sent, o tally.Opening) error {
	all, err := load(s.Proposal, s.KeyCall, tally.Signed{}, release)
	if err != nil {
		return err
	}
	if err := s.verify(publicKey, release, all, o); err != nil {
		return err
	}
	proposal := tally.Digest(s.Proposal, tally.DomainProposal)
	if err := s.checkSeed(publicKey, all, proposal, o); err != nil {
		return err
	}
	key, err := a.NewReference(tally.Reference(proposal)).LoadKey(s.Key)
	if err != nil {
		return malformed(err)
	}
	if digest := key.Digest(); !bytes.Equal(digest[:], o.Key) || !bytes.Equal(digest[:], all.release.Key) {
		return fmt.Errorf("%w: it is under another key", ErrAudit)
	}
	var head tally.Contribution
	if err := tally.Open(s.Contribution, publicKey(all.proposal.Contributors[o.Place]), tally.DomainContribution, &head); err != nil {
		return err
	}
	got, err := encrypt(key, all.proposal, o.Place, o.Seed, o.Counts)
	if err != nil {
		return err
	}
	if head.Check(key.Digest(), o.Place) != nil || !got.fits(head) {
		return fmt.Errorf("%w: its ciphertexts are others", ErrAudit)
	}
	return nil
}

// verify checks the collector's messages: that they are its own, of one tally, and of a sum that
// the contributor is in.
func (s Sent) verify(publicKey func(member string) *sign.PublicKey, release tally.Signed, all stored, o tally.Opening) error {
	collector := publicKey(all.proposal.Collector)
	for _, m := range []struct {
		signed tally.Signed
		domain sign.Domain
		into   any
	}{
		{s.Proposal, tally.DomainProposal, &tally.Proposal{}}, {s.KeyCall, tally.DomainKeyCall, &tally.KeyCall{}}, {release, tally.DomainRelease, &tally.Release{}},
	} {
		if err := tally.Open(m.signed, collector, m.domain, m.into); err != nil {
			return err
		}
	}
	proposal, call := tally.Digest(s.Proposal, tally.DomainProposal), tally.Digest(s.KeyCall, tally.DomainKeyCall)
	switch {
	case !bytes.Equal(o.Proposal, proposal[:]), !bytes.Equal(all.release.Call, call[:]):
		return fmt.Errorf("%w: it is of another tally", ErrAudit)
	case !bytes.Contains(all.release.Included, []byte{o.Place}):
		return fmt.Errorf("%w: the contributor is not in the sum", ErrAudit)
	case len(o.Seed) != tally.SeedSize:
		return fmt.Errorf("%w: its seed is malformed", ErrAudit)
	}
	return nil
}

// checkSeed checks that the seed is the one that the contributor committed to in the acceptance
// that the key was called for with.
func (s Sent) checkSeed(publicKey func(member string) *sign.PublicKey, all stored, proposal [32]byte, o tally.Opening) error {
	name, accepted := all.proposal.Contributors[o.Place], tally.Digest(s.Acceptance, tally.DomainAcceptance)
	if want, _ := tally.Find(all.keyCall.Contributors, o.Place); !bytes.Equal(accepted[:], want) {
		return fmt.Errorf("%w: the key was called for with another acceptance", ErrAudit)
	}
	var a tally.Acceptance
	if err := tally.Open(s.Acceptance, publicKey(name), tally.DomainAcceptance, &a); err != nil {
		return err
	}
	if err := a.Check(all.proposal, proposal, name); err != nil {
		return err
	}
	if c := tally.SeedCommitment(proposal, name, o.Seed); !bytes.Equal(c[:], a.Seed) {
		return fmt.Errorf("%w: its seed is not the one that was committed to", ErrAudit)
	}
	return nil
}

// Sent is what an auditor checks this member's opening against; ErrState before it contributed.
func (m *Member) Sent() (Sent, error) {
	if !m.contributed() {
		return Sent{}, fmt.Errorf("show contribution: %w", ErrState)
	}
	return Sent{m.rec.Proposal, m.rec.KeyCall, m.rec.Acceptance, m.rec.Contribution, slices.Clone(m.rec.Public)}, nil
}

// Sent is what an auditor checks a contributor's opening against; ErrState if nothing of it is
// here.
func (k *Collector) Sent(contributor string) (s Sent, err error) {
	place, contributes := k.proposal.Contributor(contributor)
	if !contributes || !k.seat(contributor).Contributed {
		return s, fmt.Errorf("show contribution: %w", ErrState)
	}
	key, err := k.collectiveKey()
	if err != nil {
		return s, err
	}
	s.Proposal, s.KeyCall, s.Key = k.rec.Proposal, k.rec.KeyCall, key.Bytes()
	if s.Acceptance, err = k.getSigned(acceptanceName(contributor)); err != nil {
		return s, err
	}
	s.Contribution, err = k.getSigned(contributionName(place))
	return s, err
}

// Audit checks a release against all that the collector stored, signatures included, and
// decrypts the sum again: ErrAudit if anything does not agree. It shows the auditor the sums
// that are not shown.
func (k *Collector) Audit() error {
	if k.Stage() != Done {
		return fmt.Errorf("audit: %w", ErrState)
	}
	k.key, k.sum = nil, nil
	key, err := k.collectiveKey()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := k.auditOwn(key); err != nil {
		return fmt.Errorf("audit: messages of the collector: %w", err)
	}
	for _, d := range k.keyCall.Contributors {
		if _, err := k.auditAcceptance(k.proposal.Contributors[d.Place], d); err != nil {
			return fmt.Errorf("audit: acceptance of %q: %w", k.proposal.Contributors[d.Place], err)
		}
	}
	for _, d := range k.keyCall.Dealers {
		if err := k.auditPart(d); err != nil {
			return fmt.Errorf("audit: part of %q: %w", k.proposal.Holders[d.Place], err)
		}
	}
	for _, x := range k.request.Included {
		if err := k.auditContribution(key, x); err != nil {
			return fmt.Errorf("audit: contribution of %q: %w", k.proposal.Contributors[x], err)
		}
	}
	for _, x := range k.request.Active {
		if err := k.auditShare(x); err != nil {
			return fmt.Errorf("audit: decryption share of %q: %w", k.proposal.Holders[x], err)
		}
	}
	sum, err := k.total()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if got := sum.Masks().Digest(); !bytes.Equal(got[:], k.request.Sum) {
		return fmt.Errorf("audit: %w: the sum is another", ErrAudit)
	}
	sums, err := k.decrypt()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if !slices.Equal(tally.Suppress(sums, k.release.Limit), k.release.Cells) {
		return fmt.Errorf("audit: %w: the release is another", ErrAudit)
	}
	return k.release.Check(k.proposal, k.digest)
}

// auditOwn checks what the collector signed itself: an auditor that read it must be able to show
// it to others, and each message has to name the one before.
func (k *Collector) auditOwn(key *collective.Key) error {
	public := k.PublicKey(k.proposal.Collector)
	for _, m := range []struct {
		signed tally.Signed
		domain sign.Domain
		into   any
	}{
		{k.rec.Proposal, tally.DomainProposal, &tally.Proposal{}}, {k.rec.KeyCall, tally.DomainKeyCall, &tally.KeyCall{}},
		{k.rec.Request, tally.DomainRequest, &tally.Request{}}, {k.rec.Release, tally.DomainRelease, &tally.Release{}},
	} {
		if err := tally.Open(m.signed, public, m.domain, m.into); err != nil {
			return err
		}
	}
	call, request, digest, r := tally.Digest(k.rec.KeyCall, tally.DomainKeyCall), tally.Digest(k.rec.Request, tally.DomainRequest), key.Digest(), k.release
	if !bytes.Equal(r.Call, call[:]) || !bytes.Equal(r.Request, request[:]) || !bytes.Equal(r.Included, k.request.Included) ||
		!bytes.Equal(r.Key, digest[:]) || !bytes.Equal(k.request.Key, digest[:]) {
		return ErrAudit
	}
	return nil
}

// auditAcceptance returns an acceptance that is the one that the key was called for with.
func (k *Collector) auditAcceptance(name string, d tally.Accepted) (a tally.Acceptance, err error) {
	s, err := k.getSigned(acceptanceName(name))
	if err != nil {
		return a, err
	}
	if digest := tally.Digest(s, tally.DomainAcceptance); !bytes.Equal(digest[:], d.Digest) {
		return a, ErrAudit
	}
	if err := tally.Open(s, k.PublicKey(name), tally.DomainAcceptance, &a); err != nil {
		return a, err
	}
	return a, a.Check(k.proposal, k.digest, name)
}

func (k *Collector) auditPart(d tally.Accepted) error {
	name := k.proposal.Holders[d.Place]
	a, err := k.auditAcceptance(name, d)
	if err != nil {
		return err
	}
	s, err := k.getSigned(partName(d.Place))
	if err != nil {
		return err
	}
	var t tally.Part
	if err := tally.Open(s, k.PublicKey(name), tally.DomainPart, &t); err != nil {
		return err
	}
	if err := t.Check(k.keyCall, tally.Digest(k.rec.KeyCall, tally.DomainKeyCall)); err != nil {
		return err
	}
	public, err := k.Store.Get(publicName(d.Place))
	if err != nil {
		return err
	}
	if got := tally.PartCommitment(k.digest, name, public); !bytes.Equal(got[:], a.Commitment) || t.Place != d.Place {
		return ErrAudit
	}
	return nil
}

func (k *Collector) auditContribution(key *collective.Key, place uint8) error {
	name := k.proposal.Contributors[place]
	s, err := k.getSigned(contributionName(place))
	if err != nil {
		return err
	}
	var c tally.Contribution
	if err := tally.Open(s, k.PublicKey(name), tally.DomainContribution, &c); err != nil {
		return err
	}
	if err := c.Check(key.Digest(), place); err != nil {
		return err
	}
	v, err := k.vector(place)
	if err != nil {
		return err
	}
	got := encrypted{v, digest(tally.MasksDigest(key.Digest(), name), v.Masks), digest(tally.BodiesDigest(key.Digest(), name), v.Bodies)}
	if !got.fits(c) {
		return ErrAudit
	}
	return nil
}

func (k *Collector) auditShare(place uint8) error {
	s, err := k.getSigned(shareName(place))
	if err != nil {
		return err
	}
	var t tally.Share
	if err := tally.Open(s, k.PublicKey(k.proposal.Holders[place]), tally.DomainShare, &t); err != nil {
		return err
	}
	share, err := k.storedShare(place)
	if err != nil {
		return err
	}
	request, got := tally.Digest(k.rec.Request, tally.DomainRequest), tally.ShareDigest(share)
	if !bytes.Equal(got[:], t.Digest) || !bytes.Equal(request[:], t.Request) || t.Place != place {
		return ErrAudit
	}
	return nil
}
