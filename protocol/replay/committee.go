package replay

import (
	"fmt"
	"slices"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/roster"
)

// era is who cosigned trees up to a size.
type era struct {
	until  uint64 // size of the largest tree that it decides
	seats  map[string]checkpoint.Seat
	wanted int  // blocs
	term   bool // it ended with a term, and not by an entry
}

// endEra keeps the committee for the tree that ends with the entry being applied: a change
// becomes final under the rules that it changes.
func (s *State) endEra() {
	s.eras = append(s.eras, era{until: s.size + 1, seats: s.seats(), wanted: s.wanted("")})
}

// wanted is of how many blocs signers must be: as many as the rules say, but no more than
// can be met. Else the last one of a bloc could go, or withhold what it signs, and leave the
// others with a rule that nobody meets. A question may concern a member, who has no voice.
func (s *State) wanted(concerned string) int {
	return min(int(s.spread.Wanted), s.reachable(s.spread, concerned))
}

// reachable is of how many blocs the others are, whichever of the members are away that may
// be, one whom the question concerns among them.
func (s *State) reachable(spread roster.Spread, concerned string) int {
	away := roster.Faulty(len(s.activeIDs()))
	if s.active(concerned) {
		away--
	}
	var sizes []int
	for _, b := range spread.Blocs {
		n := 0
		for _, id := range b.Members {
			if id != concerned && s.active(id) {
				n++
			}
		}
		sizes = append(sizes, n)
	}
	return roster.Left(sizes, away)
}

// spreadable checks that all in blocs are members with part, and that the wanted number of
// blocs can be met.
func (s *State) spreadable(spread roster.Spread) error {
	if err := spread.Validate(); err != nil {
		return err
	}
	for _, b := range spread.Blocs {
		if err := s.seatable(b.Members, roster.MaxMembers); err != nil {
			return fmt.Errorf("bloc %s: %w", b.Name, err)
		}
	}
	if left := s.reachable(spread, ""); left < int(spread.Wanted) {
		return fmt.Errorf("%d blocs are wanted, but at most %d can be met while as many members are away as may be", spread.Wanted, left)
	}
	return nil
}

// sequenceable checks that these can sequence.
func (s *State) sequenceable(ids []string) error {
	if err := s.seatable(ids, roster.MaxSequencers); err != nil {
		return fmt.Errorf("sequencers: %w", err)
	}
	return roster.EnoughSequencers(len(ids), len(s.activeIDs()))
}

// seats are the present committee's, without keys.
func (s *State) seats() map[string]checkpoint.Seat {
	out := map[string]checkpoint.Seat{}
	for _, id := range s.activeIDs() {
		seat := checkpoint.Seat{Sequencer: slices.Contains(s.sequencers, id)}
		for _, b := range s.spread.Blocs {
			if slices.Contains(b.Members, id) {
				seat.Blocs = append(seat.Blocs, b.Name)
			}
		}
		out[id] = seat
	}
	return out
}

// Committee is who decides whether a tree of a size up to Size is final, with the
// cosigning keys that the tree itself holds, in the latest term that has a tree of that size.
func (s *State) Committee(size uint64) checkpoint.Committee {
	return s.CommitteeOf(s.Origin(size), size)
}

// CommitteeOf is who decides in one term. Nobody does if the term has no tree of that size.
func (s *State) CommitteeOf(o checkpoint.Origin, size uint64) checkpoint.Committee {
	t, ok := s.term(o, size)
	if !ok {
		return checkpoint.Committee{}
	}
	e := era{seats: s.seats(), wanted: s.wanted("")}
	if i := slices.IndexFunc(s.eras, func(e era) bool { return size <= e.until }); i >= 0 {
		e = s.eras[i]
	}
	c := checkpoint.Committee{Seats: map[string]checkpoint.Seat{}, Blocs: e.wanted}
	for id, seat := range e.seats {
		held := s.members[id].cosigning
		for i := len(held) - 1; i >= 0; i-- {
			if held[i].size <= size {
				seat.Key = held[i].parsed()
				break
			}
		}
		if size == t.base && t.origin.Term > 1 { // decided by those of before, but sequenced by the term's
			if seat.Sequencer = slices.Contains(t.sequencers, id); s.leftOut(id, t) {
				continue
			}
		}
		c.Seats[id] = seat
	}
	return c
}

// leftOut reports whether a member has no part in a term at its base, since this term or one
// before it with the same base began without it.
func (s *State) leftOut(id string, t term) bool {
	return slices.ContainsFunc(s.terms, func(o term) bool { return o.base == t.base && o.without == id && o.origin.Compare(t.origin) <= 0 })
}

// cosigningKeys are all that a member ever had.
func (s *State) cosigningKeys(id string) (out []*sign.CosigningPublicKey) {
	if m, ok := s.members[id]; ok {
		for _, k := range m.cosigning {
			if key := k.parsed(); key != nil {
				out = append(out, key)
			}
		}
	}
	return out
}

// Boundary returns the smallest size above one at which a change of the committee must be
// final before a larger tree may be signed; false if there is none yet.
func (s *State) Boundary(above uint64) (uint64, bool) {
	for _, e := range s.eras {
		if e.until > above && !e.term {
			return e.until, true
		}
	}
	return 0, false
}
