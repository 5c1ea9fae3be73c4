package replay

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
)

// ErrNotBegun says that an entry is void because the ledger has no time yet.
var ErrNotBegun = errors.New("the ledger has not begun or has no time yet")

// Applied is what an entry did.
type Applied struct {
	Index    uint64 // of the entry in the tree
	Entry    entry.Entry
	Digest   [32]byte       // of the entry
	Void     error          // why it has no effect; nil if it has what its kind has
	Boundary bool           // it changed the committee: see State.Boundary
	Outcomes []Outcome      // of proposals
	Roster   *roster.Roster // in force from here on, if it changed; its members must not be changed
}

// Apply takes the next entry in, as marshalled with its signature, or refuses it and
// changes nothing. An entry that its author could rightly write next is taken in even if
// what it says is not possible, or no longer: then it is void. Were it refused, its author,
// who must not write another one in its place, could never write again.
func (s *State) Apply(signed []byte) (Applied, error) {
	d, err := entry.Decode(signed)
	if err != nil {
		return Applied{}, fmt.Errorf("apply entry: %w", err)
	}
	return s.apply(d)
}

func (s *State) apply(d entry.Decoded) (Applied, error) {
	e := d.Entry()
	eras, version := len(s.eras), s.roster.Version
	if err := s.link(d); err != nil {
		return Applied{}, fmt.Errorf("apply %s by %s: %w", e.Kind, e.Member, err)
	}
	a := Applied{Index: s.size, Entry: e, Digest: d.Digest()}
	effect, err := s.admit(s.members[e.Member], d.Signed(), e)
	if err != nil {
		a.Void = fmt.Errorf("%s by %s: %w", e.Kind, e.Member, err)
	} else if effect != nil {
		a.Outcomes = effect()
	}
	s.size++
	a.Boundary = len(s.eras) > eras
	if s.roster.Version != version {
		r := s.roster
		a.Roster = &r
	}
	return a, nil
}

// link checks that the author could write this entry next, and notes that it did.
func (s *State) link(d entry.Decoded) error {
	e := d.Entry()
	if e.Chain != entry.Submitted {
		return errors.New("it is not for others to see")
	}
	if !s.active(e.Member) {
		return ErrNotMember
	}
	m := s.members[e.Member]
	head := m.check.Head()
	if e.Kind != entry.Restored && e.Sequence != head.Next() {
		return fmt.Errorf("%w: number %d where %d follows", ErrNotNext, e.Sequence, head.Next())
	}
	bulky := isBulky(e.Kind)
	if m.day == s.day() && (m.entries >= MaxEntriesADay || bulky && m.bulky >= MaxBulkyADay) {
		return ErrTooMany
	}
	if e.Kind == entry.KeyRotated {
		// The chain cannot go on under a key that stands for another member too. Its holder
		// has proved that it is its own, so the two share it.
		if _, err := s.rotation(e); err != nil {
			return err
		}
	}
	if err := m.check.AddDecoded(d); err != nil { // the signature, and the link: the last that can fail
		if errors.Is(err, sign.ErrSignature) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrNotNext, err)
	}
	if day := s.day(); m.day != day {
		m.day, m.entries, m.bulky = day, 0, 0
	}
	m.entries++
	if bulky {
		m.bulky++
	}
	return nil
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

// admit checks what an entry says against the state, and returns what it does, or why it
// is void.
func (s *State) admit(m *member, one entry.Signed, e entry.Entry) (effect, error) {
	if len(e.Federation) > 0 {
		if _, known := s.rosters[[32]byte(e.Federation)]; !known && e.Kind != entry.KeyRotated {
			return nil, errors.New("it is bound to a roster that was never in force here")
		}
	}
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
	case [32]byte(b.Digest) != s.first || b.Version != s.rosters[s.first]:
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
	key, err := e.CosigningKey()
	if err != nil {
		return nil, err
	}
	b, classic := string(key.Bytes()), len(key.Ed25519())
	for id, other := range s.members {
		for _, k := range other.cosigning {
			if k.key != "" && (k.key[:classic] == b[:classic] || k.key[classic:] == b[classic:]) {
				return nil, fmt.Errorf("half of the key, or all, has stood for %s", id)
			}
		}
	}
	if m.cosigningKey() == "" {
		return func() []Outcome {
			m.cosigning = append(m.cosigning, keyFrom{size: s.size + 1, key: b})
			return nil
		}, nil
	}
	// A key that replaces another is a change of the committee. Else a member that lost what
	// it had signed could sign another tree with the new key, and both would be final.
	if m.replaced > 0 && s.day() == m.replaced/millisecondsADay {
		return nil, fmt.Errorf("%w: it has replaced its key today", ErrTooMany)
	}
	if s.clock == 0 {
		return nil, ErrNotBegun
	}
	return func() []Outcome {
		s.endEra()
		m.replaced = s.clock
		m.cosigning = append(m.cosigning, keyFrom{size: s.size + 2, key: b, replaces: true})
		return nil
	}, nil
}

// following is the roster one version on, to be changed. It does not name sequencers and
// blocs: from the first change on the state does.
func (s *State) following() roster.Roster {
	return roster.Roster{Version: s.roster.Version + 1, Name: s.roster.Name, Members: slices.Clone(s.roster.Members)}
}

// with is the roster with one member's entry replaced or added, one version on.
func (s *State) with(m roster.Member) (roster.Roster, error) {
	r := s.following()
	i, found := slices.BinarySearchFunc(r.Members, m.ID, func(o roster.Member, id string) int { return strings.Compare(o.ID, id) })
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

// evidence counts if it convicts somebody who was not convicted before, with whichever of
// the cosigning keys that it ever had: else it could change its key between the two.
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
	convicted, err := ev.Convicts(s.cosigningKeys)
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
