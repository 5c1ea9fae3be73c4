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
	Journal    collective.Journal
	Random     io.Reader // cryptographic
}

// ErrState says that a side is asked for what it cannot give yet, or any more.
var ErrState = errors.New("the tally has not come so far, or is past it")

// memberRecord is what a member keeps. It holds secrets.
type memberRecord struct {
	_            struct{} `codec:",toarray"`
	Version      uint16
	Ended        bool
	Proposal     tally.Signed
	Acceptance   tally.Signed
	Life         []byte // of the journal when this member accepted
	Dealing      []byte // seed; empty if this member deals nothing, or once the key is made
	Sealing      []byte // private key; likewise
	Seed         []byte // of the contribution; empty if this member has none to make
	KeyCall      tally.Signed
	Commitments  [][]byte // of its dealers, to their public polynomials
	Public       []byte   // the collective key
	Share        []byte   // of the key; empty if this member has none, or once it was used
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
	sent  *encrypted      // the contribution, until the release
	call  *callIntake     // while acceptances come
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
	a := tally.Acceptance{Proposal: m.digest[:], Member: c.Self, Basis: t.Basis, Rules: t.Rules[:]}
	if err := m.drawSecrets(&a); err != nil {
		return nil, tally.Message{}, err
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

// drawSecrets draws what this member will need, and commits to it in its acceptance: a holder
// to its part of the key, a contributor to the seed of its contribution.
//
// The life of the journal is noted first: after a restore all of this is as good as lost.
func (m *Member) drawSecrets(a *tally.Acceptance) error {
	life, err := m.Journal.Life()
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	m.rec.Life = life[:]
	if _, holds := m.proposal.Holder(m.Self); holds {
		if err := m.drawDealing(a); err != nil {
			return err
		}
	}
	if _, contributes := m.proposal.Contributor(m.Self); contributes {
		if m.rec.Seed, err = m.draw(collective.SeedSize); err != nil {
			return err
		}
		commitment := tally.SeedCommitment(m.digest, m.Self, m.rec.Seed)
		a.Seed = commitment[:]
	}
	return nil
}

// drawDealing draws the seed of this member's part of the key, and the key that other dealers
// seal their shares to.
func (m *Member) drawDealing(a *tally.Acceptance) (err error) {
	if m.rec.Dealing, err = m.draw(collective.SeedSize); err != nil {
		return err
	}
	if m.rec.Sealing, err = m.draw(sealingSeed); err != nil {
		return err
	}
	public := m.reference().Public([collective.SeedSize]byte(m.rec.Dealing))
	commitment := tally.PartCommitment(m.digest, m.Self, public)
	a.Commitment = commitment[:]
	a.Sealing, err = sealingKey(m.rec.Sealing)
	return err
}

func (m *Member) draw(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(m.Random, b); err != nil {
		return nil, fmt.Errorf("draw: %w", err)
	}
	return b, nil
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
	if !m.whole() {
		return nil, errors.New("load tally: a part of the record has a wrong length")
	}
	if len(m.rec.Public) > 0 {
		k, err := m.reference().LoadKey(m.rec.Public)
		if err != nil {
			return nil, fmt.Errorf("load tally: %w", err)
		}
		m.key = k
	}
	if err := m.loadContribution(); err != nil {
		return nil, err
	}
	return m, nil
}

// loadContribution computes again what this member contributed, as long as it may be wanted:
// now, when nobody waits, since how long it takes depends on the noise.
func (m *Member) loadContribution() error {
	if !m.contributed() || m.rec.Ended || len(m.rec.Release.Body) > 0 {
		return nil
	}
	var head tally.Contribution
	if err := tally.Decode(m.rec.Contribution.Body, &head); err != nil {
		return fmt.Errorf("load tally: %w", err)
	}
	if place, _ := m.proposal.Contributor(m.Self); head.Check(m.key.Digest(), place) != nil {
		return errors.New("load tally: the record's contribution is another's")
	}
	sent, err := encrypt(m.key, m.proposal, head.Place, m.rec.Seed, m.rec.Counts)
	if err != nil {
		return fmt.Errorf("load tally: %w", err)
	}
	if !sent.fits(head) {
		return errors.New("load tally: the record's contribution is not what was signed")
	}
	m.sent = sent
	return nil
}

// whole checks the lengths on which the rest relies.
func (m *Member) whole() bool {
	r := &m.rec
	either := func(b []byte, n int) bool { return len(b) == 0 || len(b) == n }
	_, contributes := m.proposal.Contributor(m.Self)
	public, called := len(r.Public) > 0, len(r.KeyCall.Body) > 0
	return len(r.Life) == len(collective.Life{}) && either(r.Dealing, collective.SeedSize) && either(r.Seed, collective.SeedSize) &&
		either(r.Sealing, sealingSeed) &&
		(!m.contributed() || len(r.Seed) > 0 && public && contributes) &&
		(!public || called) && len(r.Commitments) == len(m.keyCall.Dealers)
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

// erase forgets the key's secrets, and the seed if nothing was made from it.
func (m *Member) erase() {
	m.eraseDealing()
	clear(m.rec.Share)
	m.rec.Share = nil
	m.call, m.parts, m.sum, m.sent = nil, nil, nil, nil
	if !m.contributed() {
		clear(m.rec.Seed)
		m.rec.Seed = nil
	}
}

// eraseDealing forgets what is not needed once the key is made.
func (m *Member) eraseDealing() {
	clear(m.rec.Dealing)
	clear(m.rec.Sealing)
	clear(m.own)
	m.rec.Dealing, m.rec.Sealing, m.own = nil, nil, nil
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
	case tally.KindAcceptance:
		return m.takeAcceptance(s)
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
	if err := m.checkRelease(r); err != nil {
		return nil, err
	}
	if _, err := again(m.rec.Release, s); err != nil {
		return nil, err
	}
	m.rec.Release, m.release = s, r
	m.erase()
	digest := tally.Digest(s, tally.DomainRelease)
	return []tally.Message{{Kind: tally.KindReleased, Body: tally.Released{Release: digest[:]}}}, nil
}

// checkRelease compares a release with what this member knows of the tally, if it has come so
// far: the call that it answered, its key, and the sum that it shared.
func (m *Member) checkRelease(r tally.Release) error {
	if len(m.rec.KeyCall.Body) > 0 {
		if call := tally.Digest(m.rec.KeyCall, tally.DomainKeyCall); !bytes.Equal(r.Call, call[:]) {
			return fault(wire.Altered, "the release is of another key call than this member answered")
		}
		for _, place := range r.Included {
			if _, called := tally.Find(m.keyCall.Contributors, place); !called {
				return fault(wire.Malformed, "a member that the key was not called for is in the release")
			}
		}
	}
	if m.key != nil {
		if key := m.key.Digest(); !bytes.Equal(r.Key, key[:]) {
			return fault(wire.Altered, "the release is under another key")
		}
	}
	if len(m.rec.Request.Body) == 0 {
		return nil
	}
	var asked tally.Request
	if err := tally.Decode(m.rec.Request.Body, &asked); err != nil {
		return err
	}
	digest := tally.Digest(m.rec.Request, tally.DomainRequest)
	if !bytes.Equal(r.Request, digest[:]) || !bytes.Equal(r.Included, asked.Included) {
		return fault(wire.Altered, "the release is of another sum than this member shared")
	}
	return nil
}
