package machine

import (
	"bytes"
	"fmt"
	"slices"

	"entente/crypto/he/collective"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// callIntake is how far the dealers' acceptances have come, which follow the call for the key.
type callIntake struct {
	signed      tally.Signed
	call        tally.KeyCall
	commitments [][]byte // to the dealers' public polynomials, as far as they have come
	sealing     [][]byte // keys that is sealed to, likewise
}

// takeKeyCall begins to answer the call for the key's parts; who has the key already says so.
func (m *Member) takeKeyCall(s tally.Signed) ([]tally.Message, error) {
	m.call = nil
	var c tally.KeyCall
	if err := m.open(s, tally.DomainKeyCall, &c); err != nil {
		return nil, err
	}
	if err := c.Check(m.proposal, m.digest); err != nil {
		return nil, err
	}
	if _, err := again(m.rec.KeyCall, s); err != nil {
		return nil, err
	}
	own := tally.Digest(m.rec.Acceptance, tally.DomainAcceptance)
	for _, list := range []struct {
		names    []string
		accepted []tally.Accepted
	}{{m.proposal.Holders, c.Dealers}, {m.proposal.Contributors, c.Contributors}} {
		for _, a := range list.accepted {
			if list.names[a.Place] == m.Self && !bytes.Equal(a.Digest, own[:]) {
				return nil, fault(wire.Altered, "the key call has another acceptance of this member")
			}
		}
	}
	if m.Ready() {
		return m.ready(), nil
	}
	m.call = &callIntake{signed: s, call: c}
	return nil, nil
}

// takeAcceptance takes a dealer's acceptance, with what it commits to and the key to seal to. A
// dealer's answer to the last one is its part.
func (m *Member) takeAcceptance(s tally.Signed) ([]tally.Message, error) {
	if m.Ready() {
		return nil, nil // they come again because the word that it has the key was lost
	}
	in := m.call
	if in == nil {
		return nil, fault(wire.Unexpected, "an acceptance came without a key call")
	}
	m.call = nil // until this one is seen to be right
	dealer := in.call.Dealers[len(in.commitments)]
	name := m.proposal.Holders[dealer.Place]
	if digest := tally.Digest(s, tally.DomainAcceptance); !bytes.Equal(digest[:], dealer.Digest) {
		return nil, fault(wire.Altered, "an acceptance is not what the key call names")
	}
	var a tally.Acceptance
	if err := tally.Open(s, m.PublicKey(name), tally.DomainAcceptance, &a); err != nil {
		return nil, err
	}
	if err := a.Check(m.proposal, m.digest, name); err != nil {
		return nil, err
	}
	in.commitments, in.sealing = append(in.commitments, a.Commitment), append(in.sealing, a.Sealing)
	if len(in.commitments) < len(in.call.Dealers) {
		m.call = in
		return nil, nil
	}
	return m.answerCall(in)
}

// answerCall deals, if this member is to, and notes the call as the one that was answered: in
// the journal too, which keeps this member from answering another one, or encrypting under its
// key, if its record was put back.
func (m *Member) answerCall(in *callIntake) (out []tally.Message, err error) {
	if err := m.sameLife(); err != nil {
		return nil, fmt.Errorf("answer key call: %w", err)
	}
	if place, deals := m.dealer(in.call); deals {
		if out, err = m.dealt(in, place); err != nil {
			return nil, err
		}
	}
	call := tally.Digest(in.signed, tally.DomainKeyCall)
	noted, err := m.Journal.Record(collective.Entry{Key: tally.CallNote(m.digest, m.Self), Request: call})
	if err != nil {
		return nil, fmt.Errorf("answer key call: write journal: %w", err)
	}
	if noted.Request != call {
		return nil, fault(wire.Replayed, "another key call was answered before")
	}
	m.rec.KeyCall, m.keyCall, m.rec.Commitments = in.signed, in.call, in.commitments
	return out, nil
}

// sameLife reports collective.ErrRestored if the store was restored since this member accepted:
// what it has forgotten may be out already.
func (m *Member) sameLife() error {
	life, err := m.Journal.Life()
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	if !bytes.Equal(life[:], m.rec.Life) {
		return collective.ErrRestored
	}
	return nil
}

// dealer is this member's place among the holders, and whether it deals.
func (m *Member) dealer(c tally.KeyCall) (uint8, bool) {
	place, holds := m.proposal.Holder(m.Self)
	if !holds {
		return 0, false
	}
	_, deals := tally.Find(c.Dealers, place)
	return place, deals
}

// deal deals from the seed that this member has committed to.
func (m *Member) deal(c tally.KeyCall) (collective.Dealing, error) {
	if len(m.rec.Dealing) != collective.SeedSize {
		return collective.Dealing{}, fmt.Errorf("deal: %w", ErrState) // it was erased
	}
	if err := m.sameLife(); err != nil {
		return collective.Dealing{}, fmt.Errorf("deal: %w", err)
	}
	return m.reference().Deal(group(m.proposal, c), [collective.SeedSize]byte(m.rec.Dealing))
}

// dealt is this member's part: its head, its public polynomial, and what it sealed for the
// others. What is sealed is the same each time, the sealing not.
func (m *Member) dealt(in *callIntake, place uint8) ([]tally.Message, error) {
	d, err := m.deal(in.call)
	if err != nil {
		return nil, err
	}
	m.own = d.Share(point(place))
	digest := tally.Digest(in.signed, tally.DomainKeyCall)
	part := tally.Part{Call: digest[:], Place: place}
	chunks := []tally.Message{{Kind: tally.KindPublic, Body: tally.Chunk{Of: place, Data: d.Public()}}}
	for i, to := range in.call.Dealers {
		if to.Place == place {
			part.Shares = append(part.Shares, nil)
			continue
		}
		info := tally.SealInfo(digest, place, to.Place)
		sealed, err := seal(in.sealing[i], info[:], d.Share(point(to.Place)))
		if err != nil {
			return nil, malformed(err) // the key is none
		}
		hash := tally.SealedDigest(sealed)
		part.Shares = append(part.Shares, hash[:])
		chunks = append(chunks, tally.Message{Kind: tally.KindSealed, Body: tally.Chunk{Of: place, Part: to.Place, Data: sealed}})
	}
	head, err := tally.Sign(m.Key, tally.DomainPart, part)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]tally.Message{{Kind: tally.KindPart, Body: head}}, chunks), nil
}

// partIntake is how far the parts of the key have come: dealer by dealer its head, its public
// polynomial, and what it sealed for this member.
type partIntake struct {
	at     int // of the dealers
	head   tally.Part
	opened bool // the head has come
	public bool // the polynomial too
	key    *collective.KeySum
	holder collective.Holder // if this member deals
}

func (m *Member) takePart(s tally.Signed) ([]tally.Message, error) {
	if m.Ready() {
		return nil, nil // the parts come again because the word that it has them was lost
	}
	if len(m.keyCall.Dealers) == 0 {
		return nil, fault(wire.Unexpected, "a part of the key came before it was called for")
	}
	var head tally.Part
	if err := tally.Decode(s.Body, &head); err != nil {
		return nil, err
	}
	if head.Place == m.keyCall.Dealers[0].Place { // they begin, or begin again
		if err := m.beginParts(); err != nil {
			return nil, err
		}
	}
	in := m.parts
	if in == nil || in.opened || head.Place != m.keyCall.Dealers[in.at].Place {
		return nil, m.dropParts(fault(wire.Unexpected, "a part of the key is out of order"))
	}
	if err := tally.Open(s, m.PublicKey(m.proposal.Holders[head.Place]), tally.DomainPart, &head); err != nil {
		return nil, m.dropParts(err)
	}
	if err := head.Check(m.keyCall, tally.Digest(m.rec.KeyCall, tally.DomainKeyCall)); err != nil {
		return nil, m.dropParts(err)
	}
	in.head, in.opened = head, true
	return nil, nil
}

// dropParts has the parts begin again, after an error.
func (m *Member) dropParts(err error) error {
	m.parts = nil
	return err
}

func (m *Member) beginParts() error {
	m.parts = &partIntake{key: m.reference().NewKeySum()}
	place, deals := m.dealer(m.keyCall)
	if !deals {
		return nil
	}
	h, err := m.Arithmetic.NewHolder(group(m.proposal, m.keyCall), point(place), collective.Life(m.rec.Life))
	if err != nil {
		return err
	}
	m.parts.holder = h
	return nil
}

func (m *Member) takePublic(c tally.Chunk) ([]tally.Message, error) {
	if m.Ready() {
		return nil, nil
	}
	in := m.parts
	if in == nil || !in.opened || in.public || c.Of != in.head.Place || c.Part != 0 {
		return nil, m.dropParts(fault(wire.Unexpected, "a public polynomial is out of order"))
	}
	name := m.proposal.Holders[c.Of]
	commitment := tally.PartCommitment(m.digest, name, c.Data)
	if want := m.rec.Commitments[in.at]; !bytes.Equal(want, commitment[:]) {
		return nil, m.dropParts(fault(wire.Altered, "a public polynomial is not what %q committed to", name))
	}
	if err := in.key.Add(c.Data); err != nil {
		return nil, m.dropParts(malformed(err))
	}
	in.public = true
	place, deals := m.dealer(m.keyCall)
	switch {
	case !deals:
		return m.nextPart()
	case place == c.Of: // the own share does not come
		return m.takeOwn(place)
	}
	return nil, nil
}

// takeOwn takes what this member deals to itself, which is computed again after a crash.
func (m *Member) takeOwn(place uint8) ([]tally.Message, error) {
	if m.own == nil {
		d, err := m.deal(m.keyCall)
		if err != nil {
			return nil, m.dropParts(err)
		}
		m.own = d.Share(point(place))
	}
	return m.takeDealt(m.own)
}

func (m *Member) takeSealed(c tally.Chunk) ([]tally.Message, error) {
	if m.Ready() {
		return nil, nil
	}
	in := m.parts
	place, deals := m.dealer(m.keyCall)
	if in == nil || !in.public || !deals || c.Of != in.head.Place || c.Part != place {
		return nil, m.dropParts(fault(wire.Unexpected, "a sealed share is out of order"))
	}
	at := slices.IndexFunc(m.keyCall.Dealers, func(d tally.Accepted) bool { return d.Place == place })
	if hash := tally.SealedDigest(c.Data); !bytes.Equal(in.head.Shares[at], hash[:]) {
		return nil, m.dropParts(fault(wire.Altered, "a sealed share is not what its dealer signed"))
	}
	info := tally.SealInfo(tally.Digest(m.rec.KeyCall, tally.DomainKeyCall), c.Of, place)
	dealt, err := unseal(m.rec.Sealing, info[:], c.Data)
	if err != nil {
		return nil, m.dropParts(fault(wire.Malformed, "what %q sealed does not open", m.proposal.Holders[c.Of]))
	}
	return m.takeDealt(dealt)
}

func (m *Member) takeDealt(dealt []byte) ([]tally.Message, error) {
	if err := m.parts.holder.Add(dealt); err != nil {
		return nil, m.dropParts(malformed(err))
	}
	return m.nextPart()
}

// nextPart goes on to the next dealer. After the last one the key is made, and the seed of the
// own dealing is forgotten: the collector has it whole, since it came back. So is the key that
// shares were sealed to, which the collector keeps.
func (m *Member) nextPart() ([]tally.Message, error) {
	in := m.parts
	in.at, in.opened, in.public = in.at+1, false, false
	if in.at < len(m.keyCall.Dealers) {
		return nil, nil
	}
	m.key = in.key.Key()
	m.rec.Public = m.key.Bytes()
	if _, deals := m.dealer(m.keyCall); deals {
		m.rec.Share = in.holder.Secret()
	}
	m.eraseDealing()
	m.parts = nil
	return m.ready(), nil
}

// ready says that this member has the key.
func (m *Member) ready() []tally.Message {
	key := m.key.Digest()
	return []tally.Message{{Kind: tally.KindReady, Body: tally.Ready{Key: key[:]}}}
}
