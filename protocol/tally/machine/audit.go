package machine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
)

// ErrAudit says that what was opened is not what was sent or released.
var ErrAudit = errors.New("the records do not agree")

// CheckOpening computes a contribution again from what its contributor opened, and reports
// ErrAudit unless it is the one that was signed, byte for byte: then these counts, with noise
// drawn from this seed, are what entered the sum. head is the signed contribution's; public the bytes of the key (Member.PublicBytes, Collector.PublicBytes). What
// it cannot show: that the counts are true, and that the seed was not chosen among many for
// the noise it gives.
func CheckOpening(a *collective.Parameters, p tally.Proposal, proposal [32]byte, public []byte, o tally.Opening, noise Noise, head tally.Contribution) error {
	switch {
	case !bytes.Equal(o.Proposal, proposal[:]):
		return fmt.Errorf("check opening: %w: it is of another tally", ErrAudit)
	case int(o.Place) >= len(p.Contributors), len(o.Seed) != tally.SeedSize:
		return fmt.Errorf("check opening: %w: its place or seed is malformed", ErrAudit)
	case p.EpsilonMilli != 0 && noise == nil:
		return fmt.Errorf("check opening: %w", ErrNoise)
	}
	key, err := a.NewReference(tally.Reference(proposal)).LoadKey(public)
	if err != nil {
		return fmt.Errorf("check opening: %w", err)
	}
	if digest := key.Digest(); !bytes.Equal(digest[:], o.Key) {
		return fmt.Errorf("check opening: %w: it is under another key", ErrAudit)
	}
	got, err := encrypt(key, p, o.Place, o.Seed, o.Counts, noise)
	if err != nil {
		return fmt.Errorf("check opening: %w", err)
	}
	if head.Check(key.Digest(), o.Place) != nil || !got.fits(head) {
		return fmt.Errorf("check opening: %w: its ciphertexts are others", ErrAudit)
	}
	return nil
}

// PublicBytes are the bytes of the collective key, for an audit; nil before it is made.
func (m *Member) PublicBytes() []byte { return slices.Clone(m.rec.Public) }

// PublicBytes are the bytes of the collective key, for an audit.
func (k *Collector) PublicBytes() ([]byte, error) {
	key, err := k.collectiveKey()
	if err != nil {
		return nil, err
	}
	return key.Bytes(), nil
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

func (k *Collector) auditPart(d tally.Commitment) error {
	name := k.proposal.Holders[d.Place]
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
	if got := tally.PartCommitment(k.digest, name, public); !bytes.Equal(got[:], d.Digest) || t.Place != d.Place {
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
