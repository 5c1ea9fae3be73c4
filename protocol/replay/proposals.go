package replay

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"entente/protocol/budget"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// Bounds of proposals.
const (
	MaxOpen     = 16                    // open proposals of one member
	MaxDuration = 90 * millisecondsADay // until a proposal lapses, by the ledger's clock
	// RestoreDelay is how long a member's new keys wait after others have approved them,
	// so that whoever still holds the old key can object.
	RestoreDelay = 3 * millisecondsADay
)

// Proposed is a change that is neither in effect nor lapsed.
type Proposed struct {
	Digest    [32]byte // of its entry
	By        string
	Change    entry.Change
	Body      any // as Change.Open returns it
	Approvals []string
	Due       int64 // Unix milliseconds of the ledger's clock when it takes effect; 0: not approved yet
}

// Outcome is how a proposal ended.
type Outcome struct {
	Proposal [32]byte
	Change   entry.Change
	Err      error // nil: it has taken effect; else why it comes to nothing
}

// Settled is a proposal that has ended.
type Settled struct {
	Proposed
	Index uint64 // of the entry with which it ended
	Clock int64  // the ledger's then, in Unix milliseconds
	Err   error  // as Outcome's
}

// Settled returns the proposals that have ended, in order. They must not be changed.
func (s *State) Settled() []Settled { return s.settled }

// Why a proposal comes to nothing.
var (
	ErrLapsed   = errors.New("not enough members approved it in time")
	ErrObjected = errors.New("the member whom it concerns objected")
)

// Proposals returns the open proposals in no particular order.
func (s *State) Proposals() []Proposed {
	var out []Proposed
	for _, p := range s.proposals {
		c := *p
		c.Approvals = slices.Clone(p.Approvals)
		out = append(out, c)
	}
	return out
}

// tick notes a sequencer's time. The ledger's clock is the median of what its sequencers
// ticked last, the lower one of two, and does not go back: were it any one's tick, a
// single sequencer could set it years ahead, and nobody would cosign anything again.
// When it moves, proposals lapse and those that are due take effect.
func (s *State) tick(e entry.Entry) (effect, error) {
	switch {
	case !s.begun:
		return nil, ErrNotBegun
	case !slices.Contains(s.sequencers, e.Member):
		return nil, errors.New("only sequencers tick")
	case e.Time < s.ticks[e.Member]+MinTick:
		return nil, errors.New("it comes too soon after its author's last one")
	}
	return func() []Outcome {
		s.ticks[e.Member] = e.Time
		var times []int64
		for _, id := range s.sequencers {
			times = append(times, s.ticks[id])
		}
		slices.Sort(times)
		s.clock = max(s.clock, times[(len(times)-1)/2])
		var out []Outcome
		// In order of their digests: all replay the same.
		digests := slices.SortedFunc(maps.Keys(s.proposals), func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
		for _, d := range digests {
			p := s.proposals[d]
			if p.Due > 0 && p.Due <= s.clock {
				if s.approved(p) {
					out = append(out, s.settle(p))
					continue
				}
				p.Due = 0 // some who approved have no voice any more
			}
			if p.Due == 0 && p.Change.Expires <= s.clock {
				out = append(out, s.end(p, ErrLapsed))
			}
		}
		return out
	}, nil
}

func (s *State) propose(one entry.Signed, e entry.Entry) (effect, error) {
	if s.clock == 0 {
		return nil, ErrNotBegun
	}
	c, err := e.Change()
	if err != nil {
		return nil, err
	}
	body, err := c.Open()
	if err != nil {
		return nil, err
	}
	open := 0
	for _, p := range s.proposals {
		if p.By == e.Member {
			open++
		}
	}
	switch {
	case open >= MaxOpen:
		return nil, fmt.Errorf("%w: %d of its proposals are open", ErrTooMany, open)
	case c.Expires <= s.clock || c.Expires > s.clock+MaxDuration:
		return nil, errors.New("it would lapse at once, or too late")
	}
	p := &Proposed{Digest: one.Digest(), By: e.Member, Change: c, Body: body}
	if _, err := s.prepare(p); err != nil {
		return nil, err
	}
	return func() []Outcome {
		s.proposals[p.Digest] = p
		return s.approve(p, e.Member)
	}, nil
}

func (s *State) answer(e entry.Entry) (effect, error) {
	b, err := e.Reference()
	if err != nil {
		return nil, err
	}
	p, ok := s.proposals[[32]byte(b.Proposal)]
	if !ok {
		return nil, errors.New("there is no such proposal, or it has ended")
	}
	if e.Kind == entry.Objection {
		if concerned(p) != e.Member || p.Change.Action != entry.Restore {
			return nil, errors.New("only a member whose keys would be replaced can object")
		}
		return func() []Outcome { return []Outcome{s.end(p, ErrObjected)} }, nil
	}
	switch {
	case p.Due > 0:
		return nil, errors.New("it is approved")
	case slices.Contains(p.Approvals, e.Member):
		return nil, errors.New("its author has approved it before")
	}
	return func() []Outcome { return s.approve(p, e.Member) }, nil
}

// concerned is the member about whom others decide, if there is one.
func concerned(p *Proposed) string {
	switch b := p.Body.(type) {
	case entry.Concerned:
		return b.Member
	case entry.Renewal:
		return b.Member.ID
	}
	return ""
}

// approve counts an approval, and lets the change take effect if it was the last needed.
func (s *State) approve(p *Proposed, id string) []Outcome {
	p.Approvals = append(p.Approvals, id)
	if !s.approved(p) {
		return nil
	}
	if p.Change.Action == entry.Restore {
		p.Due = s.clock + RestoreDelay
		return nil
	}
	return []Outcome{s.settle(p)}
}

// approved reports whether a quorum of those who are members now approves. The member
// concerned has no voice in it, but may leave by itself.
func (s *State) approved(p *Proposed) bool {
	whom := concerned(p)
	if p.Change.Action == entry.Leave && slices.Contains(p.Approvals, whom) {
		return true
	}
	seats, voices, blocs := s.seats(), 0, map[string]bool{}
	for _, id := range p.Approvals {
		if seat, ok := seats[id]; ok && id != whom {
			voices++
			for _, b := range seat.Blocs {
				blocs[b] = true
			}
		}
	}
	return voices >= checkpoint.Quorum(len(seats)) && len(blocs) >= s.wanted(whom)
}

// silence takes back a member's approvals, with its part or the key by which it gave them.
func (s *State) silence(id string) {
	for _, p := range s.proposals {
		p.Approvals = slices.DeleteFunc(p.Approvals, func(o string) bool { return o == id })
	}
}

// settle lets an approved change take effect, or says why it no longer can.
func (s *State) settle(p *Proposed) Outcome {
	change, err := s.prepare(p)
	if err == nil {
		change()
	}
	return s.end(p, err)
}

func (s *State) end(p *Proposed, err error) Outcome {
	delete(s.proposals, p.Digest)
	s.settled = append(s.settled, Settled{Proposed: *p, Index: s.size, Clock: s.clock, Err: err})
	return Outcome{Proposal: p.Digest, Change: p.Change, Err: err}
}

// prepare checks that a change is possible now and returns it.
func (s *State) prepare(p *Proposed) (func(), error) {
	switch b := p.Body.(type) {
	case entry.Joining:
		return s.join(b)
	case entry.Renewal:
		return s.restore(b)
	case entry.Concerned:
		return s.standing(p.Change.Action, b.Member)
	case entry.Seats:
		return s.seatsChange(p.Change.Action, b)
	case roster.Spread:
		return s.spreadChange(b)
	case entry.Granted:
		if !s.active(b.Member) {
			return nil, fmt.Errorf("%s is no member, or suspended", b.Member)
		}
		a := budget.Account{Member: b.Member, Kind: b.Kind, Period: b.Period}
		if s.budgets.Balance(a).Granted > budget.MaxGranted-b.Items {
			return nil, errors.New("no more can be granted to this account")
		}
		return func() {
			if err := s.budgets.Grant(a, b.Items, b.Daily); err != nil {
				panic("replay: " + err.Error()) // looked at above
			}
		}, nil
	}
	return nil, errors.New("unknown change")
}

func (s *State) join(b entry.Joining) (func(), error) {
	if _, ok := s.roster.Find(b.Member.ID); ok {
		return nil, fmt.Errorf("%s is a member", b.Member.ID)
	}
	r, err := s.with(b.Member)
	if err != nil {
		return nil, err
	}
	seat := s.reseat(r, b.Member)
	return func() { seat(); s.members[b.Member.ID].suspended = false }, nil
}

func (s *State) restore(b entry.Renewal) (func(), error) {
	old, ok := s.roster.Find(b.Member.ID)
	if !ok {
		return nil, fmt.Errorf("%s is no member", b.Member.ID)
	}
	if b.Member.Name != old.Name || b.Member.Role != old.Role {
		return nil, errors.New("new keys, but not a new name or role")
	}
	r, err := s.with(b.Member)
	if err != nil {
		return nil, err
	}
	return s.reseat(r, b.Member), nil
}

// reseat gives a member its seat under a new roster, with the keys that it names.
func (s *State) reseat(r roster.Roster, m roster.Member) func() {
	return func() {
		s.endEra()
		s.silence(m.ID)
		s.setRoster(r)
		if err := s.seat(m); err != nil {
			panic("replay: " + err.Error()) // the roster is valid, and so the key
		}
	}
}

// standing changes whether a member has part.
func (s *State) standing(a entry.Action, id string) (func(), error) {
	if _, ok := s.roster.Find(id); !ok {
		return nil, fmt.Errorf("%s is no member", id)
	}
	suspended := s.members[id].suspended
	switch {
	case a == entry.Readmit && !suspended:
		return nil, fmt.Errorf("%s is not suspended", id)
	case a == entry.Suspend && suspended:
		return nil, fmt.Errorf("%s is suspended", id)
	case a == entry.Readmit:
		return func() { s.endEra(); s.members[id].suspended = false }, nil
	}
	left := slices.DeleteFunc(slices.Clone(s.sequencers), func(o string) bool { return o == id })
	others := len(s.activeIDs())
	if !suspended {
		others--
	}
	if err := roster.EnoughSequencers(len(left), others); err != nil && len(left) < len(s.sequencers) {
		return nil, fmt.Errorf("%w: name others first", err)
	}
	if s.custodians.Holds(id) {
		return nil, fmt.Errorf("%s is a custodian: name others first", id)
	}
	if a == entry.Suspend {
		return func() {
			s.endEra()
			s.silence(id)
			s.members[id].suspended, s.sequencers = true, left
		}, nil
	}
	r := s.following()
	r.Members = slices.DeleteFunc(r.Members, func(m roster.Member) bool { return m.ID == id })
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return func() {
		s.endEra()
		s.silence(id)
		s.budgets.Drop(id)
		s.sequencers = left
		s.setRoster(r)
	}, nil
}

func (s *State) seatsChange(a entry.Action, b entry.Seats) (func(), error) {
	if a == entry.Custodians {
		if err := s.seatable(b.Members, roster.MaxMembers); err != nil {
			return nil, err
		}
		return func() { s.custodians = b }, nil
	}
	if err := s.sequenceable(b.Members); err != nil {
		return nil, err
	}
	return func() { s.endEra(); s.sequencers = slices.Clone(b.Members) }, nil
}

func (s *State) spreadChange(b roster.Spread) (func(), error) {
	if err := s.spreadable(b); err != nil {
		return nil, err
	}
	return func() { s.endEra(); s.spread = b }, nil
}
