package replay

import (
	"errors"
	"fmt"
	"slices"

	"entente/protocol/checkpoint"
	"entente/protocol/recovery"
)

// term is one ledger term.
type term struct {
	origin     checkpoint.Origin
	base       uint64 // entries that it begins with
	sequencers []string
	without    string // who has no part from the base on
}

// Origin is that of the latest term that has a tree of a size.
func (s *State) Origin(size uint64) checkpoint.Origin {
	for i := len(s.terms) - 1; i > 0; i-- {
		if s.terms[i].base <= size {
			return s.terms[i].origin
		}
	}
	return s.terms[0].origin
}

// Term is the origin of the present term.
func (s *State) Term() checkpoint.Origin { return s.terms[len(s.terms)-1].origin }

// Called are the sequencers that the present term began with.
func (s *State) Called() []string {
	if len(s.terms) == 1 {
		return nil
	}
	return slices.Clone(s.terms[len(s.terms)-1].sequencers)
}

// Terms is how many ledger terms there were, this one counted.
func (s *State) Terms() int { return len(s.terms) }

// Number is the place of a term among those that this ledger was in, from 1 on; 0 if it was
// not in it.
func (s *State) Number(o checkpoint.Origin) int {
	return 1 + slices.IndexFunc(s.terms, func(t term) bool { return t.origin == o })
}

// Base is how many entries the present term began with.
func (s *State) Base() uint64 { return s.terms[len(s.terms)-1].base }

// HasTree reports whether a term has, or had, a tree of a size: from its base on, and up to
// the base of the next.
func (s *State) HasTree(o checkpoint.Origin, size uint64) bool {
	_, ok := s.term(o, size)
	return ok
}

func (s *State) term(o checkpoint.Origin, size uint64) (term, bool) {
	i := slices.IndexFunc(s.terms, func(t term) bool { return t.origin == o })
	if i < 0 || size < s.terms[i].base || i+1 < len(s.terms) && size > s.terms[i+1].base {
		return term{}, false
	}
	return s.terms[i], true
}

// Begin begins the next term, if its opening says that the tree goes on from here; root is
// the tree's at sizes up to this one. Whoever is left out has no part from here on. Boundary
// is not this change, which q members have agreed to already.
func (s *State) Begin(o recovery.Opening, root func(size uint64) (checkpoint.Hash, error)) error {
	base, err := o.Tree()
	if err != nil {
		return fmt.Errorf("begin term: %w", err)
	}
	if base.Size != s.size {
		return fmt.Errorf("begin term: its base has %d entries, the tree %d", base.Size, s.size)
	}
	if s.Term() != base.Origin {
		return errors.New("begin term: another term has begun since its base")
	}
	if err := o.Check(s.View(base, root)); err != nil {
		return fmt.Errorf("begin term: %w", err)
	}
	t := term{origin: o.Origin(), base: s.size, sequencers: o.Call.Sequencers, without: o.Call.Without}
	if err := s.begin(t); err != nil {
		return fmt.Errorf("begin term: %w", err)
	}
	return nil
}

// View is what an opening with a base is checked against; root is the tree's, up to the base.
func (s *State) View(base checkpoint.Checkpoint, root func(size uint64) (checkpoint.Hash, error)) recovery.View {
	return recovery.View{Origin: base.Origin, Committee: s.CommitteeOf(base.Origin, base.Size), Rekeyed: s.rekeyed(base.Size), Root: root}
}

// rekeyed are the members whose cosigning keys the last entry of a tree replaces.
func (s *State) rekeyed(size uint64) (ids []string) {
	for id, m := range s.members {
		if slices.ContainsFunc(m.cosigning, func(k keyFrom) bool { return k.size == size+1 && k.replaces }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Callable says why a term that was called for could not begin here; nil if it could.
func (s *State) Callable(c recovery.Call) error {
	if err := c.Validate(); err != nil {
		return err
	}
	switch {
	case [32]byte(c.Federation) != s.first:
		return errors.New("the call is for another ledger")
	case !c.Later(s.Term()):
		return errors.New("a later term has begun")
	}
	return s.Clone().begin(term{sequencers: c.Sequencers, without: c.Without})
}

func (s *State) begin(t term) error {
	after := s.Clone()
	if without := t.without; without != "" {
		if !after.active(without) || len(after.activeIDs()) != recovery.Alone || after.custodians.Holds(without) {
			return fmt.Errorf("%s cannot be left out: only one of %d can, who is no custodian", without, recovery.Alone)
		}
		after.silence(without)
		after.members[without].suspended = true
	}
	if err := after.sequenceable(t.sequencers); err != nil {
		return err
	}
	for _, id := range t.sequencers {
		if after.members[id].cosigningKey() == "" {
			return fmt.Errorf("%s has named no cosigning key", id)
		}
	}
	if n := len(s.eras); n == 0 || s.eras[n-1].until < s.size {
		after.eras = append(after.eras, era{until: s.size, seats: s.seats(), wanted: s.wanted(""), term: true})
	}
	after.sequencers = slices.Clone(t.sequencers)
	after.terms = append(after.terms, t)
	*s = *after
	return nil
}
