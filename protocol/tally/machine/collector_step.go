package machine

import (
	"bytes"
	"errors"
	"slices"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// upload is how far a member's part, contribution or share has come: its head and the chunks
// that follow from it in order. All is stored as it comes; only at the end it counts.
type upload struct {
	kind   wire.Kind
	place  uint8
	next   int
	blocks [][]byte // of a contribution the masks, then the bodies
	part   tally.Part
	sent   tally.Contribution
	want   []byte
}

// Step takes one message of a member. The caller stores the record and then asks Pending what
// to send. An error is the member's fault if it is a wire.ProtocolError, and changes nothing
// but that the member's upload begins again. now is Unix milliseconds.
func (k *Collector) Step(from string, in tally.Message, now int64) error {
	s := k.seat(from)
	switch {
	case s == nil:
		return fault(wire.Unexpected, "who answers was not asked")
	case now >= k.proposal.Deadline && in.Kind != tally.KindReleased:
		return fault(wire.Expired, "the deadline has passed")
	}
	err := k.step(s, from, in)
	if err != nil {
		delete(k.uploads, from)
	}
	return err
}

func (k *Collector) step(s *seat, from string, in tally.Message) error {
	switch body := in.Body.(type) {
	case tally.Signed:
		switch in.Kind {
		case tally.KindAcceptance:
			return k.takeAcceptance(s, from, body)
		case tally.KindPart:
			return k.takePart(s, from, body)
		case tally.KindContribution:
			return k.takeContribution(s, from, body)
		case tally.KindShare:
			return k.takeShare(s, from, body)
		}
	case tally.Chunk:
		return k.takeChunk(s, from, in.Kind, body)
	case tally.Ready:
		return k.takeReady(s, body)
	case tally.Released:
		digest := tally.Digest(k.rec.Release, tally.DomainRelease)
		if k.Stage() != Done || !bytes.Equal(body.Release, digest[:]) {
			return fault(wire.Altered, "another release was confirmed")
		}
		s.Told = true
		return nil
	}
	return fault(wire.Unexpected, "message %d makes no sense to a collector", in.Kind)
}

func (k *Collector) takeAcceptance(s *seat, from string, signed tally.Signed) error {
	var a tally.Acceptance
	if err := tally.Open(signed, k.PublicKey(from), tally.DomainAcceptance, &a); err != nil {
		return err
	}
	if err := a.Check(k.proposal, k.digest, from); err != nil {
		return err
	}
	own := tally.Digest(signed, tally.DomainAcceptance)
	switch {
	case bytes.Equal(s.Acceptance, own[:]):
		return nil // it comes again because the next message was lost
	case s.accepted():
		return fault(wire.Replayed, "another acceptance came")
	case k.Stage() != Accepting:
		return fault(wire.Expired, "the key is called for without this member")
	}
	if len(a.Sealing) > 0 {
		if err := checkSealing(a.Sealing); err != nil {
			return err
		}
	}
	if err := k.putSigned(acceptanceName(from), signed); err != nil {
		return err
	}
	s.Acceptance, s.Dealing = own[:], a.Commitment
	if slices.ContainsFunc(k.rec.Seats, func(s seat) bool { return !s.accepted() }) {
		return nil
	}
	return k.callKey()
}

func (k *Collector) takePart(s *seat, from string, signed tally.Signed) error {
	place, holds := k.proposal.Holder(from)
	if !holds || k.Stage() < Dealing {
		return fault(wire.Unexpected, "a part of the key was not called for")
	}
	if s.Dealt {
		k.uploads[from] = &upload{} // it comes again: the first one stays
		return nil
	}
	var t tally.Part
	if err := tally.Open(signed, k.PublicKey(from), tally.DomainPart, &t); err != nil {
		return err
	}
	if err := t.Check(k.keyCall, tally.Digest(k.rec.KeyCall, tally.DomainKeyCall)); err != nil {
		return err
	}
	if t.Place != place {
		return fault(wire.Altered, "the part is another holder's")
	}
	if err := k.putSigned(partName(place), signed); err != nil {
		return err
	}
	k.uploads[from] = &upload{kind: tally.KindPart, place: place, part: t}
	return nil
}

// takeChunk goes on with a member's upload.
func (k *Collector) takeChunk(s *seat, from string, kind wire.Kind, c tally.Chunk) error {
	u := k.uploads[from]
	switch {
	case u == nil:
		return fault(wire.Unexpected, "a chunk came without its head")
	case u.kind == 0:
		return nil // of what is here already, or too late
	case c.Of != u.place:
		return fault(wire.Altered, "a chunk is another member's")
	case u.kind == tally.KindPart && kind == tally.KindPublic && u.next == 0:
		return k.takePublic(u, from, c)
	case u.kind == tally.KindPart && kind == tally.KindSealed && u.next > 0:
		return k.takeSealed(s, u, from, c)
	case u.kind == tally.KindContribution && kind == tally.KindMask && int(c.Part) == u.next,
		u.kind == tally.KindContribution && kind == tally.KindBody && int(c.Part) == u.next-k.proposal.Question.Blocks():
		return k.takeBlock(s, u, from, c)
	case u.kind == tally.KindShare && kind == tally.KindShareBlock && int(c.Part) == u.next:
		return k.takeShareBlock(s, u, from, c)
	}
	return fault(wire.Unexpected, "a chunk of kind %d is out of order", kind)
}

func (k *Collector) takePublic(u *upload, from string, c tally.Chunk) error {
	commitment := tally.PartCommitment(k.digest, from, c.Data)
	if want := k.seat(from).Dealing; !bytes.Equal(want, commitment[:]) || c.Part != 0 {
		return fault(wire.Altered, "the public polynomial is not what was committed to")
	}
	if err := collective.CheckPolynomial(c.Data); err != nil {
		return malformed(err)
	}
	if err := k.Store.Put(publicName(u.place), c.Data); err != nil {
		return err
	}
	u.next = 1
	u.skipOwn(k.keyCall)
	return nil
}

// skipOwn passes over the dealer itself: next is one more than the place of whom a sealed
// share is awaited for in the key call.
func (u *upload) skipOwn(c tally.KeyCall) {
	if i := u.next - 1; i < len(c.Dealers) && c.Dealers[i].Place == u.place {
		u.next++
	}
}

func (k *Collector) takeSealed(s *seat, u *upload, from string, c tally.Chunk) error {
	i := u.next - 1
	hash := tally.SealedDigest(c.Data)
	if c.Part != k.keyCall.Dealers[i].Place || !bytes.Equal(hash[:], u.part.Shares[i]) {
		return fault(wire.Altered, "a sealed share is not what was signed")
	}
	if err := k.Store.Put(sealedName(u.place, c.Part), c.Data); err != nil {
		return err
	}
	u.next++
	u.skipOwn(k.keyCall)
	if u.next-1 < len(k.keyCall.Dealers) {
		return nil
	}
	delete(k.uploads, from)
	s.Dealt = true
	return nil
}

func (k *Collector) takeReady(s *seat, r tally.Ready) error {
	if k.Stage() < Contributing || !s.accepted() {
		return fault(wire.Unexpected, "there is no key yet, or not for this member")
	}
	key, err := k.collectiveKey()
	if err != nil {
		return err
	}
	if want := key.Digest(); !bytes.Equal(want[:], r.Key) {
		return fault(wire.Altered, "the member has another key")
	}
	s.Ready = true
	return nil
}

func (k *Collector) takeContribution(s *seat, from string, signed tally.Signed) error {
	place, contributes := k.proposal.Contributor(from)
	if !contributes || !s.accepted() || k.Stage() < Contributing {
		return fault(wire.Unexpected, "a contribution is not wanted")
	}
	if s.Contributed || k.Stage() > Contributing {
		k.uploads[from] = &upload{}
		return nil
	}
	var c tally.Contribution
	if err := tally.Open(signed, k.PublicKey(from), tally.DomainContribution, &c); err != nil {
		return err
	}
	key, err := k.collectiveKey()
	if err != nil {
		return err
	}
	if err := c.Check(key.Digest(), place); err != nil {
		return err
	}
	if err := k.putSigned(contributionName(place), signed); err != nil {
		return err
	}
	k.uploads[from] = &upload{kind: tally.KindContribution, place: place, sent: c}
	return nil
}

func (k *Collector) takeBlock(s *seat, u *upload, from string, c tally.Chunk) error {
	u.blocks = append(u.blocks, c.Data)
	n := k.proposal.Question.Blocks()
	if u.next++; u.next < 2*n {
		return nil
	}
	delete(k.uploads, from)
	if k.Stage() != Contributing {
		return nil // the sum was requested meanwhile
	}
	key, err := k.collectiveKey()
	if err != nil {
		return err
	}
	v := collective.Vector{Masks: u.blocks[:n], Bodies: u.blocks[n:]}
	masks, bodies := digest(tally.MasksDigest(key.Digest(), from), v.Masks), digest(tally.BodiesDigest(key.Digest(), from), v.Bodies)
	if !bytes.Equal(masks[:], u.sent.Masks) || !bytes.Equal(bodies[:], u.sent.Bodies) {
		return fault(wire.Altered, "masks or bodies are not what was signed")
	}
	sum, err := k.total()
	if err != nil {
		return err
	}
	for i := range n {
		if err := errors.Join(k.Store.Put(maskName(u.place, i), v.Masks[i]), k.Store.Put(bodyName(u.place, i), v.Bodies[i])); err != nil {
			return err
		}
	}
	if err := sum.Add(v); err != nil {
		return malformed(err)
	}
	s.Contributed = true
	return nil
}

func (k *Collector) takeShare(s *seat, from string, signed tally.Signed) error {
	place, holds := k.proposal.Holder(from)
	if !holds || k.Stage() < Opening || !bytes.Contains(k.request.Active, []byte{place}) {
		return fault(wire.Unexpected, "a decryption share was not asked for")
	}
	if s.Shared {
		k.uploads[from] = &upload{}
		return k.finish() // which the store may have prevented before
	}
	var t tally.Share
	if err := tally.Open(signed, k.PublicKey(from), tally.DomainShare, &t); err != nil {
		return err
	}
	digest := tally.Digest(k.rec.Request, tally.DomainRequest)
	if t.Place != place || !bytes.Equal(t.Request, digest[:]) {
		return fault(wire.Altered, "the decryption share is of another sum or holder")
	}
	if err := k.putSigned(shareName(place), signed); err != nil {
		return err
	}
	k.uploads[from] = &upload{kind: tally.KindShare, place: place, want: t.Digest}
	return nil
}

func (k *Collector) takeShareBlock(s *seat, u *upload, from string, c tally.Chunk) error {
	if err := collective.CheckPolynomial(c.Data); err != nil {
		return malformed(err)
	}
	u.blocks = append(u.blocks, c.Data)
	if u.next++; u.next < k.proposal.Question.Blocks() {
		return nil
	}
	delete(k.uploads, from)
	if got := tally.ShareDigest(bytes.Join(u.blocks, nil)); !bytes.Equal(got[:], u.want) {
		return fault(wire.Altered, "the decryption share is not what was signed")
	}
	for i, b := range u.blocks {
		if err := k.Store.Put(shareBlockName(u.place, i), b); err != nil {
			return err
		}
	}
	s.Shared = true
	return k.finish()
}

// finish decrypts the sum once all shares are here, and signs what is shown of it. If they give
// no sum, the tally has failed for good: no holder shares again.
func (k *Collector) finish() error {
	for _, x := range k.request.Active {
		if !k.seat(k.proposal.Holders[x]).Shared {
			return nil
		}
	}
	if k.Stage() != Opening {
		return nil
	}
	sums, err := k.decrypt()
	if errors.Is(err, collective.ErrInconsistent) || errors.Is(err, collective.ErrMalformed) {
		k.rec.Failed = true
		return nil
	}
	if err != nil {
		return err
	}
	call, request, p := tally.Digest(k.rec.KeyCall, tally.DomainKeyCall), tally.Digest(k.rec.Request, tally.DomainRequest), k.proposal
	r := tally.Release{
		Proposal: k.digest[:], Call: call[:], Key: k.request.Key, Request: request[:], Included: k.request.Included,
		Cap: p.Cap, EpsilonMilli: p.EpsilonMilli, NoiseOf: p.NoiseOf, Limit: p.Limit,
		Cells: tally.Suppress(sums, p.Limit),
	}
	signed, err := tally.Sign(k.Key, tally.DomainRelease, r)
	if err != nil {
		return err
	}
	k.rec.Release, k.release = signed, r
	return nil
}

// decrypt puts the stored shares together.
func (k *Collector) decrypt() ([]int32, error) {
	sum, err := k.total()
	if err != nil {
		return nil, err
	}
	c, err := sum.NewCombiner(group(k.proposal, k.keyCall), points(k.request.Active))
	if err != nil {
		return nil, err
	}
	for _, x := range k.request.Active {
		share, err := k.storedShare(x)
		if err != nil {
			return nil, err
		}
		if err := c.Add(point(x), share); err != nil {
			return nil, err
		}
	}
	return c.Values(k.proposal.Question.Cells())
}

func (k *Collector) storedShare(place uint8) ([]byte, error) {
	blocks, err := k.blocks(shareBlockName, place)
	return bytes.Join(blocks, nil), err
}
