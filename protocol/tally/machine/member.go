package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"entente/crypto/he/collective"
	"entente/crypto/sign"
	"entente/protocol/tally"
	"entente/protocol/wire"
)

// MemberConfig is what a member's side works with.
type MemberConfig struct {
	Identity
	Arithmetic *collective.Parameters
	Sealer     Sealer
	Journal    collective.Journal
	Random     io.Reader // cryptographic
	Noise      Noise     // for the proposal's ε, cap and number of shares; nil if it has no noise
}

// Errors of a member's own side.
var (
	ErrState = errors.New("the tally has not come so far, or is past it")
	ErrNoise = errors.New("the tally has noise, and there is nothing to draw it with")
)

// memberRecord is what a member keeps. It holds secrets.
type memberRecord struct {
	_            struct{} `codec:",toarray"`
	Version      uint16
	Ended        bool
	Proposal     tally.Signed
	Acceptance   tally.Signed
	Life         []byte // of the journal when the dealing's seed was drawn
	Dealing      []byte // seed; empty if this member deals nothing, or once the key is made
	KeyCall      tally.Signed
	Public       []byte // the collective key
	Share        []byte // of the key; empty if this member has none, or once it was used
	Seed         []byte // of the contribution
	Counts       []uint32
	Contribution tally.Signed
	Request      tally.Signed
	Opened       tally.Signed // head of the decryption share
	Release      tally.Signed
}

// Member is one member's side of a tally. Not safe for concurrent use.
type Member struct {
	MemberConfig
	rec      memberRecord
	proposal tally.Proposal
	digest   [32]byte
	keyCall  tally.KeyCall // if there is one
	release  tally.Release // likewise

	key   *collective.Key // of the record, if there is one
	own   []byte          // what this member deals to itself, once it was computed
	sent  *encrypted      // the contribution, likewise
	parts *partIntake     // while parts come
	sum   *sumIntake      // while contributions come
}

// Terms are what a member says of itself when it accepts.
type Terms struct {
	Basis string   // its legal basis
	Rules [32]byte // digest of its rules
}

// Peek reads a proposal before its signature is checked, for the caller to find out which
// tally it is about and what its rules say. Accept checks it.
func Peek(s tally.Signed) (tally.Proposal, error) {
	var p tally.Proposal
	return p, tally.Decode(s.Body, &p)
}

// Accept takes part in a tally: the caller's rules and people have agreed to the proposal. It
// returns the member's side and its first message. now is Unix milliseconds.
func Accept(s tally.Signed, t Terms, c MemberConfig, now int64) (*Member, tally.Message, error) {
	m := &Member{MemberConfig: c, rec: memberRecord{Version: tally.Version, Proposal: s}}
	if err := m.readProposal(); err != nil {
		return nil, tally.Message{}, err
	}
	if err := m.proposal.Check(c.Roster, now); err != nil {
		return nil, tally.Message{}, err
	}
	if m.proposal.EpsilonMilli != 0 && c.Noise == nil {
		return nil, tally.Message{}, ErrNoise
	}
	a := tally.Acceptance{Proposal: m.digest[:], Member: c.Self, Basis: t.Basis, Rules: t.Rules[:]}
	if _, holds := m.proposal.Holder(c.Self); holds {
		commitment, err := m.drawDealing()
		if err != nil {
			return nil, tally.Message{}, err
		}
		a.Commitment = commitment[:]
	}
	if err := a.Check(m.proposal, m.digest, c.Self); err != nil {
		return nil, tally.Message{}, err
	}
	var err error
	if m.rec.Acceptance, err = tally.Sign(c.Key, tally.DomainAcceptance, a); err != nil {
		return nil, tally.Message{}, err
	}
	return m, tally.Message{Kind: tally.KindAcceptance, Body: m.rec.Acceptance}, nil
}

// readProposal verifies and decodes the record's proposal.
func (m *Member) readProposal() error {
	p, err := Peek(m.rec.Proposal)
	if err != nil {
		return err
	}
	m.proposal, m.digest = p, tally.Digest(m.rec.Proposal, tally.DomainProposal)
	return tally.Open(m.rec.Proposal, m.PublicKey(p.Collector), tally.DomainProposal, &p)
}

// drawDealing draws the seed of this member's part of the key, after the life of the journal
// is noted, and commits to its public polynomial.
func (m *Member) drawDealing() (commitment [32]byte, err error) {
	life, err := m.Journal.Life()
	if err != nil {
		return commitment, fmt.Errorf("read journal: %w", err)
	}
	m.rec.Life, m.rec.Dealing = life[:], make([]byte, collective.SeedSize)
	if _, err := io.ReadFull(m.Random, m.rec.Dealing); err != nil {
		return commitment, fmt.Errorf("draw: %w", err)
	}
	public := m.reference().Public([collective.SeedSize]byte(m.rec.Dealing))
	return tally.PartCommitment(m.digest, m.Self, public), nil
}

func (m *Member) reference() *collective.Reference {
	return m.Arithmetic.NewReference(tally.Reference(m.digest))
}

// LoadMember restores a member's side from its record.
func LoadMember(b []byte, c MemberConfig) (*Member, error) {
	m := &Member{MemberConfig: c}
	if err := wire.Unmarshal(b, &m.rec); err != nil {
		return nil, fmt.Errorf("load tally: %w", err)
	}
	all, err := load(m.rec.Proposal, m.rec.KeyCall, m.rec.Request, m.rec.Release)
	if err != nil {
		return nil, err
	}
	m.proposal, m.keyCall, m.release = all.proposal, all.keyCall, all.release
	m.digest = tally.Digest(m.rec.Proposal, tally.DomainProposal)
	if !m.rec.whole() {
		return nil, errors.New("load tally: a part of the record has a wrong length")
	}
	if m.contributed() {
		var c tally.Contribution
		if err := tally.Decode(m.rec.Contribution.Body, &c); err != nil || int(c.Place) >= len(m.proposal.Contributors) {
			return nil, errors.New("load tally: the record's contribution is nobody's")
		}
	}
	if len(m.rec.Public) > 0 {
		k, err := m.reference().LoadKey(m.rec.Public)
		if err != nil {
			return nil, fmt.Errorf("load tally: %w", err)
		}
		m.key = k
	}
	return m, nil
}

// whole checks the lengths on which the rest relies.
func (r *memberRecord) whole() bool {
	either := func(b []byte, n int) bool { return len(b) == 0 || len(b) == n }
	public := len(r.Public) > 0
	return either(r.Life, len(collective.Life{})) && either(r.Dealing, collective.SeedSize) && either(r.Seed, collective.SeedSize) &&
		(len(r.Dealing) == 0 && len(r.Share) == 0 || len(r.Life) > 0) && (len(r.Contribution.Body) == 0 || len(r.Seed) > 0 && public) &&
		(!public || len(r.KeyCall.Body) > 0)
}

// Record returns the durable form of this side, secrets included: it must be sealed.
func (m *Member) Record() ([]byte, error) { return wire.Marshal(m.rec) }

// Format hides the secrets from every verb of package fmt.
func (m *Member) Format(s fmt.State, _ rune) { io.WriteString(s, "[tally of "+m.Self+"]") }

// Proposal returns what was agreed to.
func (m *Member) Proposal() tally.Proposal { return m.proposal }

// Release returns the result, if it has come.
func (m *Member) Release() (tally.Release, bool) { return m.release, len(m.rec.Release.Body) > 0 }

// Ready reports whether the key is made, so that this member can contribute.
func (m *Member) Ready() bool { return m.key != nil }

// End gives the tally up, or closes one that is over: all secrets that are not needed to open
// the own contribution to an auditor are erased.
func (m *Member) End() {
	m.rec.Ended = true
	m.erase()
}

// erase forgets the key's secrets.
func (m *Member) erase() {
	clear(m.rec.Dealing)
	clear(m.rec.Share)
	clear(m.own)
	m.rec.Dealing, m.rec.Share, m.own = nil, nil, nil
	m.parts, m.sum = nil, nil
}

// Pending is what this member says first on each stream, since the collector may have lost it:
// that it has accepted, or that it has the key.
func (m *Member) Pending() []tally.Message {
	switch {
	case m.rec.Ended, len(m.rec.Release.Body) > 0:
		return nil
	case m.Ready():
		return m.ready()
	}
	return []tally.Message{{Kind: tally.KindAcceptance, Body: m.rec.Acceptance}}
}

// Step takes one message of the collector and returns the replies that follow from it. The
// caller stores the record before it sends them. An error is the collector's fault if it is a
// wire.ProtocolError, and changes nothing. now is Unix milliseconds.
func (m *Member) Step(in tally.Message, now int64) ([]tally.Message, error) {
	if m.rec.Ended {
		return nil, fault(wire.Cancelled, "this member has ended the tally")
	}
	if now >= m.proposal.Deadline && in.Kind != tally.KindRelease {
		return nil, fault(wire.Expired, "the deadline has passed")
	}
	if len(m.rec.Release.Body) > 0 && in.Kind != tally.KindRelease { // what it needs is erased
		return nil, fault(wire.Unexpected, "the tally was released")
	}
	switch body := in.Body.(type) {
	case tally.Signed:
		return m.stepSigned(in.Kind, body)
	case tally.Chunk:
		return m.stepChunk(in.Kind, body)
	case tally.Wanted:
		return m.takeWanted(body)
	}
	return nil, fault(wire.Unexpected, "message %d makes no sense to a member", in.Kind)
}

func (m *Member) stepSigned(kind wire.Kind, s tally.Signed) ([]tally.Message, error) {
	switch kind {
	case tally.KindProposal:
		return m.takeProposal(s)
	case tally.KindKeyCall:
		return m.takeKeyCall(s)
	case tally.KindPart:
		return m.takePart(s)
	case tally.KindRequest:
		return m.takeRequest(s)
	case tally.KindContribution:
		return m.takeContribution(s)
	case tally.KindRelease:
		return m.takeRelease(s)
	}
	return nil, fault(wire.Unexpected, "message %d makes no sense to a member", kind)
}

func (m *Member) stepChunk(kind wire.Kind, c tally.Chunk) ([]tally.Message, error) {
	switch kind {
	case tally.KindPublic:
		return m.takePublic(c)
	case tally.KindSealed:
		return m.takeSealed(c)
	case tally.KindMask:
		return m.takeMask(c)
	}
	return nil, fault(wire.Unexpected, "message %d makes no sense to a member", kind)
}

// takeProposal answers a proposal that came before: the same bytes get the same answer.
func (m *Member) takeProposal(s tally.Signed) ([]tally.Message, error) {
	if !bytes.Equal(s.Body, m.rec.Proposal.Body) {
		return nil, fault(wire.Replayed, "another proposal came for this tally")
	}
	return []tally.Message{{Kind: tally.KindAcceptance, Body: m.rec.Acceptance}}, nil
}

// open verifies a message of the collector.
func (m *Member) open(s tally.Signed, d sign.Domain, message any) error {
	return tally.Open(s, m.PublicKey(m.proposal.Collector), d, message)
}

// again reports whether a message is the one that is recorded, or an error if it is another:
// each is answered once.
func again(recorded, s tally.Signed) (bool, error) {
	if len(recorded.Body) == 0 {
		return false, nil
	}
	if !bytes.Equal(recorded.Body, s.Body) {
		return false, fault(wire.Replayed, "another message of the same kind was answered before")
	}
	return true, nil
}

// takeRelease keeps the result, and forgets the key.
func (m *Member) takeRelease(s tally.Signed) ([]tally.Message, error) {
	var r tally.Release
	if err := m.open(s, tally.DomainRelease, &r); err != nil {
		return nil, err
	}
	if err := r.Check(m.proposal, m.digest); err != nil {
		return nil, err
	}
	if len(m.rec.Request.Body) > 0 {
		var asked tally.Request
		if err := tally.Decode(m.rec.Request.Body, &asked); err != nil {
			return nil, err
		}
		digest := tally.Digest(m.rec.Request, tally.DomainRequest)
		if !bytes.Equal(r.Request, digest[:]) || !bytes.Equal(r.Included, asked.Included) {
			return nil, fault(wire.Altered, "the release is of another sum than this member shared")
		}
	}
	if _, err := again(m.rec.Release, s); err != nil {
		return nil, err
	}
	m.rec.Release, m.release = s, r
	m.erase()
	digest := tally.Digest(s, tally.DomainRelease)
	return []tally.Message{{Kind: tally.KindReleased, Body: tally.Released{Release: digest[:]}}}, nil
}
