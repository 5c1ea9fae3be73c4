package world

import (
	"fmt"
	"slices"
)

// Options of a set of name data.
type Options struct {
	Records int // in each list, at most MaxRecords
	Pairs   int // persons who are in both lists
}

// MaxRecords bounds a list, so that record ids keep their length.
const MaxRecords = 999_999

// The two frozen sets, each 20,000 records a list: Quality is for recall and precision, Rare
// for the wrong hits that lists with next to nothing in common bring. Tune on other seeds.
const (
	QualitySeed = 1
	RareSeed    = 2
)

// Quality are the options of the frozen set with 2,000 true pairs.
func Quality() Options { return Options{Records: 20_000, Pairs: 2_000} }

// Rare are the options of the frozen set with 2 true pairs.
func Rare() Options { return Options{Records: 20_000, Pairs: 2} }

// Set is two lists with what is true about them. Indexes of A and B count from 0.
type Set struct {
	A, B []Record
	// People are those of whom the lists speak; OfA and OfB say of whom each record is.
	People   []Person
	OfA, OfB []int
	// DamageA and DamageB say what happened to each record.
	DamageA, DamageB []Damage
	// Pairs are the records of one person, in ascending order of A: the hits to be found.
	Pairs []Pair
	// Near are the planted decoys, in ascending order of A: hits that would be wrong. More
	// persons are alike by chance.
	Near []Pair
}

// Pair is a record of A and one of B, and how their persons are related.
type Pair struct {
	A, B     int
	Relation Relation
}

// Culture returns the culture of a pair's person in A.
func (s *Set) Culture(p Pair) Culture { return s.People[s.OfA[p.A]].Culture }

// Names draws a set. Equal seeds and options give equal sets, on any machine.
func Names(seed uint64, o Options) (*Set, error) {
	decoys := decoysOf(o.Records)
	switch {
	case o.Records < 1 || o.Records > MaxRecords:
		return nil, fmt.Errorf("name data: %d records, allowed are 1 to %d", o.Records, MaxRecords)
	case o.Pairs < 0 || o.Pairs > o.Records-len(decoys):
		return nil, fmt.Errorf("name data: %d pairs, allowed are 0 to %d in lists of %d", o.Pairs, o.Records-len(decoys), o.Records)
	}
	all, err := traditions()
	if err != nil {
		return nil, err
	}
	// First the persons of A, of whom the first o.Pairs are in B as well.
	s := &Set{}
	for i := range o.Records {
		s.People = append(s.People, newPerson(newDice(seed, "person", i), all))
	}
	inB := make([]int, 0, o.Records)
	for i := range o.Pairs {
		inB = append(inB, i)
	}
	near, err := s.plant(seed, decoys)
	if err != nil {
		return nil, err
	}
	for len(s.People) < 2*o.Records-o.Pairs {
		s.People = append(s.People, newPerson(newDice(seed, "person", len(s.People)), all))
	}
	for i := o.Records; i < len(s.People); i++ {
		inB = append(inB, i)
	}
	inA := make([]int, o.Records)
	for i := range inA {
		inA[i] = i
	}
	s.list(seed, inA, inB)
	s.relate(o.Pairs, near)
	return s, nil
}

// decoysOf lists the relations of the decoys in a list of that length.
func decoysOf(records int) []Relation {
	var all []Relation
	for _, d := range []struct {
		relation Relation
		rate     Rate
	}{{Sibling, Siblings}, {Namesake, Namesakes}, {Twin, Twins}} {
		all = append(all, slices.Repeat([]Relation{d.relation}, records*int(d.rate)/whole)...)
	}
	return all
}

// planted is a decoy: a person of A, and the one of B who is near.
type planted struct {
	of, near int
	relation Relation
}

// plant adds the decoys, each near to another person of A, to the people.
func (s *Set) plant(seed uint64, decoys []Relation) ([]planted, error) {
	order := make([]int, len(s.People))
	for i := range order {
		order[i] = i
	}
	newDice(seed, "decoys", 0).shuffle(order)
	var all []planted
	for _, relation := range decoys {
		i := slices.IndexFunc(order, func(of int) bool {
			p, ok := relative(newDice(seed, "relative", of), &s.People[of], relation)
			if ok {
				all = append(all, planted{of, len(s.People), relation})
				s.People = append(s.People, p)
			}
			return ok
		})
		if i < 0 {
			return nil, fmt.Errorf("name data: nobody among %d persons can have a %s", len(order), relation)
		}
		order = slices.Delete(order, i, i+1)
	}
	return all, nil
}

// list writes the records of both lists, each in random order.
func (s *Set) list(seed uint64, inA, inB []int) {
	newDice(seed, "order of A", 0).shuffle(inA)
	newDice(seed, "order of B", 0).shuffle(inB)
	s.OfA, s.OfB = inA, inB
	for side, of := range [][]int{inA, inB} {
		for i, person := range of {
			w := s.writer(seed, side, person)
			r := Record{ID: fmt.Sprintf("%c-%06d", 'A'+side, i+1)}
			r.Name, r.Born = w.write()
			if side == 0 {
				s.A, s.DamageA = append(s.A, r), append(s.DamageA, w.damage)
			} else {
				s.B, s.DamageB = append(s.B, r), append(s.DamageB, w.damage)
			}
		}
	}
}

// writer begins a person's record of a side, 0 or 1. At most one of the two is in the own
// form.
func (s *Set) writer(seed uint64, side, person int) *writer {
	p := &s.People[person]
	w := &writer{dice: newDice(seed, []string{"record of A", "record of B"}[side], person), person: p}
	script := newDice(seed, "script", person)
	w.own = p.tradition.script != "" && script.chance(OwnForm) && script.below(2) == side
	return w
}

// relate fills in pairs and decoys by their places in the lists.
func (s *Set) relate(pairs int, near []planted) {
	inA, inB := make([]int, len(s.People)), make([]int, len(s.People))
	for i, person := range s.OfA {
		inA[person] = i
	}
	for i, person := range s.OfB {
		inB[person] = i
	}
	for person := range pairs {
		s.Pairs = append(s.Pairs, Pair{inA[person], inB[person], Same})
	}
	for _, d := range near {
		s.Near = append(s.Near, Pair{inA[d.of], inB[d.near], d.relation})
	}
	byA := func(x, y Pair) int { return x.A - y.A }
	slices.SortFunc(s.Pairs, byA)
	slices.SortFunc(s.Near, byA)
}
