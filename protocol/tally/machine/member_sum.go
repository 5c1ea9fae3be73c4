package machine

import (
	"bytes"
	"fmt"
	"slices"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// Contribute encrypts this member's counts, noise included, and returns its contribution. The
// caller stores the record before it sends it. It happens once: the same counts get the same
// bytes again, and so does a collector that says that they are wanted. Errors: ErrState,
// tally.ErrCount for counts that are not for this proposal, collective.ErrRestored, and those of
// the journal and of signing.
func (m *Member) Contribute(counts tally.Counts, now int64) ([]tally.Message, error) {
	place, contributes := m.proposal.Contributor(m.Self)
	_, called := tally.Find(m.keyCall.Contributors, place)
	switch {
	case !contributes, !called, m.key == nil, m.rec.Ended, len(m.rec.Release.Body) > 0, now >= m.proposal.Deadline:
		return nil, fmt.Errorf("contribute: %w", ErrState)
	case !counts.Fits(m.proposal):
		return nil, fmt.Errorf("contribute: %w: the counts are for another question or cap", tally.ErrCount)
	}
	values := counts.Values()
	switch {
	case m.contributed() && slices.Equal(m.rec.Counts, values):
		return m.contribution(place), nil
	case m.contributed():
		return nil, fmt.Errorf("contribute: %w: other counts were contributed", ErrState)
	}
	if err := m.sameLife(); err != nil {
		return nil, fmt.Errorf("contribute: %w", err)
	}
	sent, err := encrypt(m.key, m.proposal, place, m.rec.Seed, values)
	if err != nil {
		return nil, err
	}
	key := m.key.Digest()
	head, err := tally.Sign(m.Key, tally.DomainContribution, tally.Contribution{Key: key[:], Place: place, Masks: sent.masks[:], Bodies: sent.bodies[:]})
	if err != nil {
		return nil, err
	}
	m.sent = sent
	m.rec.Counts, m.rec.Contribution = values, head
	return m.contribution(place), nil
}

func (m *Member) contributed() bool { return len(m.rec.Contribution.Body) > 0 }

// contribution is this member's contribution, as it was computed when it was made or loaded.
func (m *Member) contribution(place uint8) []tally.Message {
	out := []tally.Message{{Kind: tally.KindContribution, Body: m.rec.Contribution}}
	out = append(out, chunks(tally.KindMask, place, m.sent.Masks)...)
	return append(out, chunks(tally.KindBody, place, m.sent.Bodies)...)
}

// chunks are numbered blocks.
func chunks(kind wire.Kind, of uint8, blocks [][]byte) (out []tally.Message) {
	for i, b := range blocks {
		out = append(out, tally.Message{Kind: kind, Body: tally.Chunk{Of: of, Part: uint8(i), Data: b}})
	}
	return out
}

// takeWanted sends the contribution, if there is one: people decide when.
func (m *Member) takeWanted(w tally.Wanted) ([]tally.Message, error) {
	if m.key == nil {
		return nil, fault(wire.Unexpected, "a contribution is wanted before there is a key")
	}
	if key := m.key.Digest(); !bytes.Equal(key[:], w.Key) {
		return nil, fault(wire.Altered, "a contribution is wanted under another key")
	}
	if !m.contributed() {
		return nil, nil
	}
	place, _ := m.proposal.Contributor(m.Self)
	return m.contribution(place), nil
}

// Opening is what this member shows to an auditor of its contribution. ErrState is the only
// error.
func (m *Member) Opening() (tally.Opening, error) {
	place, _ := m.proposal.Contributor(m.Self)
	if m.key == nil || !m.contributed() {
		return tally.Opening{}, fmt.Errorf("open contribution: %w", ErrState)
	}
	digest := m.key.Digest()
	return tally.Opening{Proposal: m.digest[:], Key: digest[:], Place: place, Seed: m.rec.Seed, Counts: m.rec.Counts}, nil
}

// sumIntake is how far the masks of a request have come.
type sumIntake struct {
	signed  tally.Signed
	request tally.Request
	sum     *collective.MaskSum
	at      int  // of the contributors included
	opened  bool // the head of the contribution has come
	head    tally.Contribution
	masks   [][]byte
}

// takeRequest begins to add up what a request names. Nothing is shared before every
// contribution's masks were seen, and the sum is what the request says.
func (m *Member) takeRequest(s tally.Signed) ([]tally.Message, error) {
	m.sum = nil
	if m.key == nil {
		return nil, fault(wire.Unexpected, "a sum is to be opened before there is a key")
	}
	place, deals := m.dealer(m.keyCall)
	var r tally.Request
	if err := m.open(s, tally.DomainRequest, &r); err != nil {
		return nil, err
	}
	if err := r.Check(m.proposal, m.key.Digest(), m.keyCall); err != nil {
		return nil, err
	}
	if !deals || !bytes.Contains(r.Active, []byte{place}) {
		return nil, fault(wire.Unexpected, "this member is not among those that open the sum")
	}
	if _, err := again(m.rec.Request, s); err != nil {
		return nil, err
	}
	sum, err := m.key.NewMaskSum(m.proposal.Question.Cells())
	if err != nil {
		return nil, err
	}
	m.sum = &sumIntake{signed: s, request: r, sum: sum}
	return nil, nil
}

// dropSum has a request begin again, after an error.
func (m *Member) dropSum(err error) error {
	m.sum = nil
	return err
}

func (m *Member) takeContribution(s tally.Signed) ([]tally.Message, error) {
	in := m.sum
	if in == nil || in.opened {
		return nil, m.dropSum(fault(wire.Unexpected, "a contribution is out of order"))
	}
	place := in.request.Included[in.at]
	name := m.proposal.Contributors[place]
	var c tally.Contribution
	if err := tally.Open(s, m.PublicKey(name), tally.DomainContribution, &c); err != nil {
		return nil, m.dropSum(err)
	}
	if err := c.Check(m.key.Digest(), place); err != nil {
		return nil, m.dropSum(err)
	}
	in.opened, in.head, in.masks = true, c, nil
	return nil, nil
}

func (m *Member) takeMask(c tally.Chunk) ([]tally.Message, error) {
	in := m.sum
	if in == nil || !in.opened || c.Of != in.head.Place || int(c.Part) != len(in.masks) {
		return nil, m.dropSum(fault(wire.Unexpected, "a mask is out of order"))
	}
	in.masks = append(in.masks, c.Data)
	if len(in.masks) < m.proposal.Question.Blocks() {
		return nil, nil
	}
	got := digest(tally.MasksDigest(m.key.Digest(), m.proposal.Contributors[c.Of]), in.masks)
	if !bytes.Equal(got[:], in.head.Masks) {
		return nil, m.dropSum(fault(wire.Altered, "masks are not what their contributor signed"))
	}
	if err := in.sum.Add(in.masks); err != nil {
		return nil, m.dropSum(malformed(err))
	}
	in.opened, in.masks = false, nil
	if in.at++; in.at < len(in.request.Included) {
		return nil, nil
	}
	return m.share()
}

// share opens the sum for this member's part, through the journal: once.
func (m *Member) share() ([]tally.Message, error) {
	in := m.sum
	m.sum = nil
	if got := in.sum.Digest(); !bytes.Equal(got[:], in.request.Sum) {
		return nil, fault(wire.Altered, "the sum is not of the contributions that it names")
	}
	place, _ := m.dealer(m.keyCall)
	h, err := m.Arithmetic.LoadHolder(group(m.proposal, m.keyCall), point(place), collective.Life(m.rec.Life), m.rec.Share)
	if err != nil {
		return nil, err
	}
	share, err := h.Share(in.sum, points(in.request.Active), m.Journal, m.Random)
	if err != nil {
		return nil, err
	}
	head := m.rec.Opened
	if len(head.Body) == 0 {
		request, digest := tally.Digest(in.signed, tally.DomainRequest), tally.ShareDigest(share)
		if head, err = tally.Sign(m.Key, tally.DomainShare, tally.Share{Request: request[:], Place: place, Digest: digest[:]}); err != nil {
			return nil, err
		}
	}
	clear(m.rec.Share)
	m.rec.Request, m.rec.Opened, m.rec.Share = in.signed, head, nil
	blocks := slices.Collect(slices.Chunk(share, collective.PolynomialSize))
	return append([]tally.Message{{Kind: tally.KindShare, Body: head}}, chunks(tally.KindShareBlock, place, blocks)...), nil
}
