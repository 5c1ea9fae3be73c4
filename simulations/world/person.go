package world

import (
	"fmt"
	"slices"
	"strings"
)

// Date is a date of birth. Month and Day are 0 where only the year is known.
type Date struct{ Year, Month, Day int }

// String writes a date as ISO 8601 does: 1984-03-12, or 1984.
func (d Date) String() string {
	if d.Month == 0 {
		return fmt.Sprintf("%04d", d.Year)
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// Years of birth, both ends included.
const (
	firstYear = 1955
	lastYear  = 2006
)

// lastDay returns the last day of a month.
func lastDay(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// birth draws a date of birth.
func birth(d *dice) Date {
	year := firstYear + d.below(lastYear-firstYear+1)
	if d.chance(NewYearBorn) {
		return Date{year, 1, 1}
	}
	month := 1 + d.below(12)
	return Date{year, month, 1 + d.below(lastDay(year, month))}
}

// Name is one name of a person in its most usual spellings.
type Name struct {
	Role  Role
	Own   string // in the own script; empty if there is none
	Latin string
}

// Person is an invented person, of whom records are written.
type Person struct {
	Culture Culture
	Origin  string // ISO 3166-1 alpha-2
	Female  bool
	Born    Date
	Names   []Name // in the usual order

	tradition *tradition
	origin    origin
	parts     []part
}

// newPerson draws a person of any culture.
func newPerson(d *dice, all []tradition) Person {
	shares := make([]int, len(all))
	for i := range all {
		shares[i] = all[i].share
	}
	t := &all[d.share(shares...)]
	shares = shares[:0]
	for _, o := range t.origins {
		shares = append(shares, o.share)
	}
	p := Person{Culture: t.name, tradition: t, origin: t.origins[d.share(shares...)]}
	p.Origin = p.origin.code
	p.Female = d.below(2) == 1
	p.Born = birth(d)
	m := maker{dice: d, tradition: t, origin: p.origin, female: p.Female}
	t.compose(&m)
	p.bear(m.parts)
	return p
}

// bear gives the person its names.
func (p *Person) bear(parts []part) {
	p.parts, p.Names = parts, nil
	for _, n := range parts {
		c := n.group.column(p.origin.column)
		female := p.feminine(n)
		latin := c.latin[0].of(female)
		if name, ok := strings.CutPrefix(latin, article); ok {
			latin = "al-" + name
		}
		p.Names = append(p.Names, Name{n.role, c.own.of(female), latin})
	}
}

// feminine reports whether a name takes the feminine form, where it has one.
func (p *Person) feminine(n part) bool {
	return p.Female && n.role != Father && n.role != Grandfather
}

// Relation is how a person of list B is near to one of list A.
type Relation string

// Relations. All but Same are other persons.
const (
	Same     Relation = "same person"
	Sibling  Relation = "sibling"
	Namesake Relation = "namesake"
	Twin     Relation = "twin"
)

// relative draws a person with that relation to p. There is none for brothers and sisters of
// someone whose names are all their own.
func relative(d *dice, p *Person, r Relation) (Person, bool) {
	near := *p
	if r == Namesake {
		near.Born = birthApart(d, p.Born, 2, lastYear)
		return near, true
	}
	if !slices.ContainsFunc(p.parts, func(n part) bool { return n.inherited }) {
		return Person{}, false
	}
	near.Female = d.below(2) == 1
	if r == Sibling {
		near.Born = birthApart(d, p.Born, 1, 12)
	}
	m := maker{dice: d, tradition: p.tradition, origin: p.origin, female: near.Female}
	for {
		m.parts = nil
		for _, n := range p.parts {
			switch {
			case n.inherited, n.kind == "" && !near.Female:
				m.parts = append(m.parts, n)
			case n.kind != "":
				m.draw(n.role, n.kind, near.Female)
			}
		}
		if distinct(m.parts, p.parts) {
			near.bear(m.parts)
			return near, true
		}
	}
}

// birthApart draws a date of birth that many years from another.
func birthApart(d *dice, other Date, least, most int) Date {
	for {
		b := birth(d)
		if years := max(b.Year-other.Year, other.Year-b.Year); years >= least && years <= most {
			return b
		}
	}
}

// distinct reports whether no given name stands in both, but for those that are inherited.
func distinct(a, b []part) bool {
	for _, x := range a {
		if x.role == Given && !x.inherited && slices.ContainsFunc(b, func(y part) bool { return y.role == Given && y.group == x.group }) {
			return false
		}
	}
	return true
}
