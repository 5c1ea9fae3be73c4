package roster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of the number of sequencers: each more makes a Raft slower, and seven bear two
// faults. Fewer than MinSequencers bear none, so that any one could stop the ledger; they
// must do where there are not more members.
const (
	MinSequencers = 4
	MaxSequencers = 7
)

// MaxWord bounds the names of blocs and of kinds of indicators, in letters.
const MaxWord = 32

// Spread says of how many blocs those must be who sign the ledger or approve a change.
// Its canonical CBOR is an array of these fields in this order.
type Spread struct {
	_      struct{} `codec:",toarray"`
	Blocs  []Bloc   // ascending by name
	Wanted uint16   // of how many different ones the signers must be; 0 asks for none
}

// Bloc is a group of members that act alike.
type Bloc struct {
	_       struct{} `codec:",toarray"`
	Name    string
	Members []string // ascending
}

// Faulty is how many of n members may break every rule or be away: f = max(1, ⌊(n−1)/3⌋),
// as in every protocol that agrees without trusted parties.
func Faulty(n int) int { return max(1, (n-1)/3) }

// fewestSequencers is how many sequencers that many members need.
func fewestSequencers(members int) int {
	if members >= MinSequencers {
		return MinSequencers
	}
	return 1
}

// EnoughSequencers checks the number of sequencers among that many members.
func EnoughSequencers(sequencers, members int) error {
	switch {
	case sequencers > MaxSequencers:
		return fmt.Errorf("%d sequencers are too many: there may be at most %d", sequencers, MaxSequencers)
	case sequencers < fewestSequencers(members):
		return fmt.Errorf("%d of %d members as sequencers would be too few: there must be at least %d", sequencers, members, fewestSequencers(members))
	}
	return nil
}

// Validate checks the limits, the order, and that no member is of two blocs, where its
// signature would count for both.
func (s Spread) Validate() error {
	if len(s.Blocs) > MaxMembers {
		return fmt.Errorf("%d blocs, may be at most %d", len(s.Blocs), MaxMembers)
	}
	if int(s.Wanted) > len(s.Blocs) {
		return fmt.Errorf("%d blocs are wanted, and there are %d", s.Wanted, len(s.Blocs))
	}
	of := map[string]string{}
	for i, b := range s.Blocs {
		if err := CheckWord(b.Name); err != nil {
			return fmt.Errorf("bloc %d: %w", i+1, err)
		}
		if i > 0 && b.Name == s.Blocs[i-1].Name {
			return fmt.Errorf("bloc %s is there twice", b.Name)
		}
		if i > 0 && b.Name < s.Blocs[i-1].Name {
			return fmt.Errorf("bloc %s is out of order", b.Name)
		}
		if err := CheckIDs(b.Members, MaxMembers); err != nil {
			return fmt.Errorf("bloc %s: %w", b.Name, err)
		}
		for _, id := range b.Members {
			if other, taken := of[id]; taken {
				return fmt.Errorf("%s is of bloc %s and of bloc %s, and can be of one only", id, other, b.Name)
			}
			of[id] = b.Name
		}
	}
	return nil
}

// sorted is a copy in the order that Validate asks for.
func (s Spread) sorted() Spread {
	out := Spread{Wanted: s.Wanted}
	for _, b := range s.Blocs {
		out.Blocs = append(out.Blocs, Bloc{Name: b.Name, Members: slices.Sorted(slices.Values(b.Members))})
	}
	slices.SortFunc(out.Blocs, func(a, b Bloc) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Reachable checks that the wanted number of blocs is met whichever of that many members
// are away: else a few could stop what all the others sign.
func (s Spread) Reachable(members int) error {
	sizes := make([]int, len(s.Blocs))
	for i, b := range s.Blocs {
		sizes[i] = len(b.Members)
	}
	if left := Left(sizes, Faulty(members)); left < int(s.Wanted) {
		return fmt.Errorf("%d blocs are wanted, but at most %d can be met while any %d members are away, as may be: want fewer, or make blocs larger", s.Wanted, left, Faulty(members))
	}
	return nil
}

// Left is of how many blocs of these sizes somebody is left, whichever members are away, if so
// many are.
func Left(sizes []int, away int) int {
	left := len(sizes)
	for _, n := range slices.Sorted(slices.Values(sizes)) { // the smallest ones are away first
		if n > away {
			break
		}
		away -= n
		left--
	}
	return left
}

// CheckIDs checks that ids are right, at least one, and ascend.
func CheckIDs(ids []string, most int) error {
	if len(ids) == 0 || len(ids) > most {
		return fmt.Errorf("%d members, must be 1 to %d", len(ids), most)
	}
	for i, id := range ids {
		if err := CheckID(id); err != nil {
			return err
		}
		if i > 0 && id == ids[i-1] {
			return fmt.Errorf("%s is there twice", id)
		}
		if i > 0 && id < ids[i-1] {
			return fmt.Errorf("%s is out of order", id)
		}
	}
	return nil
}

// CheckWord admits what blocs and kinds of indicators are named with.
func CheckWord(s string) error {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '-' {
			return errors.New("a name may hold small letters and hyphens only")
		}
	}
	if s == "" || len(s) > MaxWord {
		return fmt.Errorf("a name has %d letters, must have 1 to %d", len(s), MaxWord)
	}
	return nil
}
