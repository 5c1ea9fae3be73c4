package replay

import (
	"errors"
	"fmt"
	"slices"

	"entente/crypto/sign"
	"entente/protocol/budget"
	"entente/protocol/entry"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Bounds of what one member adds on one day of the ledger's clock, so that a member alone
// cannot fill the others' disks.
const (
	MaxEntriesADay = 20_000
	MaxBulkyADay   = 64 // entries of kinds whose bodies may be large, or whose check is slow
)

// MinTick is the least time between two ticks of one sequencer in milliseconds.
const MinTick = 10_000

// Reasons for which an entry is not admitted, where a caller branches.
var (
	ErrNotMember = errors.New("its author is no member, or suspended")
	ErrNotNext   = errors.New("it does not follow in its author's chain")
	ErrTooMany   = errors.New("its author has added as much as it may today")
	ErrNotBegun  = errors.New("the ledger has not begun or has no time yet")
)

// Applied is what an entry did.
type Applied struct {
	Index    uint64 // of the entry in the tree
	Entry    entry.Entry
	Boundary bool      // it changed the committee: see State.Boundary
	Outcomes []Outcome // of proposals
}

// Apply takes the next entry in, as marshalled with its signature, or refuses it and
// changes nothing.
func (s *State) Apply(signed []byte) (Applied, error) {
	one, err := entry.Unmarshal(signed)
	if err != nil {
		return Applied{}, fmt.Errorf("apply entry: %w", err)
	}
	e, err := one.Decode()
	if err != nil {
		return Applied{}, fmt.Errorf("apply entry: %w", err)
	}
	eras := len(s.eras)
	outcomes, err := s.apply(one, e)
	if err != nil {
		return Applied{}, fmt.Errorf("apply %s by %s: %w", e.Kind, e.Member, err)
	}
	s.size++
	return Applied{Index: s.size - 1, Entry: e, Boundary: len(s.eras) > eras, Outcomes: outcomes}, nil
}

func (s *State) apply(one entry.Signed, e entry.Entry) ([]Outcome, error) {
	if e.Chain != entry.Submitted {
		return nil, errors.New("it is not for others to see")
	}
	if !s.active(e.Member) {
		return nil, ErrNotMember
	}
	m := s.members[e.Member]
	head := m.check.Head()
	if e.Kind != entry.Restored && e.Sequence != head.Next() {
		return nil, fmt.Errorf("%w: number %d where %d follows", ErrNotNext, e.Sequence, head.Next())
	}
	if len(e.Federation) > 0 {
		if _, known := s.rosters[[32]byte(e.Federation)]; !known {
			return nil, errors.New("it is bound to a roster that was never in force here")
		}
	}
	bulky := isBulky(e.Kind)
	if m.day == s.day() && (m.entries >= MaxEntriesADay || bulky && m.bulky >= MaxBulkyADay) {
		return nil, ErrTooMany
	}
	effect, err := s.admit(m, one, e)
	if err != nil {
		return nil, err
	}
	if _, err := m.check.Add(one); err != nil { // the signature, and the link: the last that can fail
		if errors.Is(err, sign.ErrSignature) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrNotNext, err)
	}
	if day := s.day(); m.day != day {
		m.day, m.entries, m.bulky = day, 0, 0
	}
	m.entries++
	if bulky {
		m.bulky++
	}
	if effect == nil {
		return nil, nil
	}
	return effect(), nil
}

func isBulky(k entry.Kind) bool {
	switch k {
	case entry.Proposal, entry.Evidence, entry.KeyRotated, entry.CosigningKey, entry.AddressesChanged, entry.RosterJoined, entry.Restored:
		return true
	}
	return false
}

// effect changes the state. It cannot fail: admit has checked all that it needs.
type effect = func() []Outcome

// admit checks what an entry says against the state, and returns what it does.
func (s *State) admit(m *member, one entry.Signed, e entry.Entry) (effect, error) {
	switch e.Kind {
	case entry.Genesis:
		return s.genesis(e)
	case entry.RosterJoined:
		return s.joined(e)
	case entry.CosigningKey:
		return s.cosigningKey(m, e)
	case entry.KeyRotated:
		return s.rotation(e)
	case entry.AddressesChanged:
		return s.addresses(e)
	case entry.PolicyActivated:
		var b entry.PolicyState
		if err := wire.Unmarshal(e.Body, &b); err != nil {
			return nil, err
		}
		return func() []Outcome { m.policy = b; return nil }, nil
	case entry.Tick:
		return s.tick(e)
	case entry.BudgetSpent:
		return s.spend(e)
	case entry.Refusals:
		return s.refusals(m, e)
	case entry.Evidence:
		return s.evidence(e)
	case entry.Proposal:
		return s.propose(one, e)
	case entry.Approval, entry.Objection:
		return s.answer(e)
	}
	return nil, nil // of no consequence here
}

func (s *State) genesis(e entry.Entry) (effect, error) {
	var b entry.RosterState
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return nil, err
	}
	switch {
	case s.begun:
		return nil, errors.New("the ledger has begun")
	case !slices.Contains(s.sequencers, e.Member):
		return nil, errors.New("only a sequencer begins the ledger")
	case [32]byte(b.Digest) != s.first || b.Version != s.roster.Version:
		return nil, errors.New("it names another roster")
	}
	return func() []Outcome { s.begun = true; return nil }, nil
}

func (s *State) joined(e entry.Entry) (effect, error) {
	var b entry.RosterState
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return nil, err
	}
	if s.rosters[[32]byte(b.Digest)] != b.Version { // the digest is known: it is the entry's federation
		return nil, errors.New("the roster has another version")
	}
	return nil, nil
}

func (s *State) cosigningKey(m *member, e entry.Entry) (effect, error) {
	var b entry.KeyState
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return nil, err
	}
	key, err := sign.ParseCosigningPublicKey(b.Key)
	if err != nil {
		return nil, err
	}
	for id, other := range s.members {
		for _, k := range other.cosigning {
			if k.key != nil && (string(k.key.Ed25519()) == string(key.Ed25519()) || string(k.key.MLDSA44()) == string(key.MLDSA44())) {
				return nil, fmt.Errorf("half of the key, or all, has stood for %s", id)
			}
		}
	}
	return func() []Outcome {
		m.cosigning = append(m.cosigning, keyFrom{s.size + 1, key})
		return nil
	}, nil
}

// with is the roster with one member's entry replaced or added, one version on.
func (s *State) with(m roster.Member) (roster.Roster, error) {
	r := s.roster
	r.Version++
	r.Members = slices.Clone(r.Members)
	i, found := slices.BinarySearchFunc(r.Members, m.ID, func(o roster.Member, id string) int {
		switch {
		case o.ID < id:
			return -1
		case o.ID > id:
			return 1
		}
		return 0
	})
	if found {
		r.Members[i] = m
	} else {
		r.Members = slices.Insert(r.Members, i, m)
	}
	return r, r.Validate()
}

// rotation changes the roster; the chain's check takes the new key from the entry.
func (s *State) rotation(e entry.Entry) (effect, error) {
	b, _, err := e.Rotation()
	if err != nil {
		return nil, err
	}
	m, _ := s.roster.Find(e.Member)
	m.Sign, m.Transport = b.Sign, b.Transport
	return s.changed(m)
}

func (s *State) addresses(e entry.Entry) (effect, error) {
	list, err := e.Addresses()
	if err != nil {
		return nil, err
	}
	m, _ := s.roster.Find(e.Member)
	m.Addresses = list
	return s.changed(m)
}

func (s *State) changed(m roster.Member) (effect, error) {
	r, err := s.with(m)
	if err != nil {
		return nil, err
	}
	return func() []Outcome { s.setRoster(r); return nil }, nil
}

func (s *State) spend(e entry.Entry) (effect, error) {
	b, err := e.Spend()
	if err != nil {
		return nil, err
	}
	if s.clock == 0 {
		return nil, ErrNotBegun
	}
	a := budget.Account{Member: e.Member, Kind: b.Kind, Period: b.Period}
	if err := s.budgets.Covers(a, b.Class, s.day()); err != nil {
		return nil, err
	}
	day := s.day()
	return func() []Outcome {
		if err := s.budgets.Spend(a, b.Class, day); err != nil {
			panic("replay: " + err.Error()) // Covers has said otherwise
		}
		return nil
	}, nil
}

func (s *State) refusals(m *member, e entry.Entry) (effect, error) {
	b, err := e.Refused()
	if err != nil {
		return nil, err
	}
	if b.From < m.refused {
		return nil, errors.New("its window overlaps the last one")
	}
	return func() []Outcome { m.refused = b.Until; return nil }, nil
}

// evidence is admitted if it convicts somebody who was not convicted before, with the keys
// of now or of either checkpoint's size.
func (s *State) evidence(e entry.Entry) (effect, error) {
	ev, err := e.Evidence()
	if err != nil {
		return nil, err
	}
	first, err := ev.First.Checkpoint()
	if err != nil {
		return nil, err
	}
	if first.Origin.Federation != s.first {
		return nil, errors.New("it is of another ledger")
	}
	second, err := ev.Second.Checkpoint()
	if err != nil {
		return nil, err
	}
	var convicted []string
	for _, size := range []uint64{first.Size, second.Size, s.size + 1} {
		if convicted, err = ev.Convicts(s.Committee(min(size, s.size+1))); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	convicted = slices.DeleteFunc(convicted, func(id string) bool { _, known := s.convicted[id]; return known })
	if len(convicted) == 0 {
		return nil, errors.New("it convicts nobody anew")
	}
	return func() []Outcome {
		for _, id := range convicted {
			s.convicted[id] = s.size
		}
		return nil
	}, nil
}
