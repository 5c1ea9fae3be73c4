package replay

import (
	"maps"
	"slices"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// Clone returns a state that goes on from here by itself: what would follow can be tried
// on it, and thrown away.
func (s *State) Clone() *State {
	c := *s
	c.ticks, c.rosters, c.convicted = maps.Clone(s.ticks), maps.Clone(s.rosters), maps.Clone(s.convicted)
	c.eras, c.budgets = slices.Clone(s.eras), s.budgets.Clone() // eras do not change once ended
	c.terms = slices.Clone(s.terms)
	c.settled = slices.Clip(s.settled) // what is added is added to a copy
	c.members = make(map[string]*member, len(s.members))
	for id, m := range s.members {
		own := *m
		own.check, own.cosigning = m.check.Clone(), slices.Clone(m.cosigning)
		c.members[id] = &own
	}
	c.proposals = make(map[[32]byte]*Proposed, len(s.proposals))
	for d, p := range s.proposals {
		own := *p
		own.Approvals = slices.Clone(p.Approvals)
		c.proposals[d] = &own
	}
	return &c
}

// Begun reports whether the ledger's Genesis entry was applied.
func (s *State) Begun() bool { return s.begun }

// LastTick is when a sequencer last ticked, in Unix milliseconds; 0 if it never did.
func (s *State) LastTick(id string) int64 { return s.ticks[id] }

// CosigningKey is the key that a member named last, or nil: for trees from the next on, or
// from the one after the next change of the committee.
func (s *State) CosigningKey(id string) *sign.CosigningPublicKey {
	m, ok := s.members[id]
	if !ok || len(m.cosigning) == 0 {
		return nil
	}
	return m.cosigning[len(m.cosigning)-1].parsed()
}

// Active lists the members that have part, ascending.
func (s *State) Active() []string { return s.activeIDs() }

// CosigningKeys are all that a member ever named.
func (s *State) CosigningKeys(id string) []*sign.CosigningPublicKey { return s.cosigningKeys(id) }

// InForce reports whether a roster is, or was, in force.
func (s *State) InForce(digest [32]byte) bool {
	_, known := s.rosters[digest]
	return known
}

// Spread says which blocs there are, and of how many those who decide must be. It must not be
// changed.
func (s *State) Spread() roster.Spread { return s.spread }

// Quorum is how many members must approve a proposal, or cosign a checkpoint, now.
func (s *State) Quorum() int { return checkpoint.Quorum(len(s.activeIDs())) }

// Possible says why a change is not possible now; nil if it is.
func (s *State) Possible(a entry.Action, body any) error {
	_, err := s.prepare(&Proposed{Change: entry.Change{Action: a}, Body: body})
	return err
}
