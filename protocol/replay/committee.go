package replay

import (
	"slices"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
)

// era is who cosigned trees up to a size.
type era struct {
	until  uint64 // size of the largest tree that it decides
	seats  map[string]checkpoint.Seat
	wanted int // blocs
}

// endEra keeps the committee for the tree that ends with the entry being applied: a change
// becomes final under the rules that it changes.
func (s *State) endEra() {
	s.eras = append(s.eras, era{until: s.size + 1, seats: s.seats(), wanted: int(s.spread.Wanted)})
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

// Committee is who decides whether the tree of a size up to Size is final, with the
// cosigning keys that the tree itself holds.
func (s *State) Committee(size uint64) checkpoint.Committee {
	e := era{seats: s.seats(), wanted: int(s.spread.Wanted)}
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
		c.Seats[id] = seat
	}
	return c
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
		if e.until > above {
			return e.until, true
		}
	}
	return 0, false
}
