package indicator

import (
	"errors"
	"slices"
	"strings"

	"entente/protocol/person"
)

// Persons: canonical text is DATE|NAME|VARIANT…, as package person defines it. Two
// spellings of one person have two elements; they meet by similarity.
var personDefinition = definition{
	kind: Person, version: person.Version, parse: parsePerson, canonical: canonicalPerson, similar: true,
}

func parsePerson(raw string, d Defaults) (content, []Change, *Rejection) {
	return personContent(person.ParseText(raw, d.birth()))
}

// birth is what package person needs of the defaults.
func (d Defaults) birth() person.Defaults {
	return person.Defaults{Calendar: d.Calendar, Order: d.Order}
}

// ParsePerson is Parse for a person whose names and date of birth stand in fields of their
// own, each of at most 1,024 bytes.
func ParsePerson(f person.Fields, d Defaults) (Value, []Change, error) {
	var changes []Change
	unmark := func(field string) string {
		text, marked := textMark(strings.TrimSpace(field))
		if marked {
			changes = []Change{changeTextMark}
			return text
		}
		return field
	}
	f.Name, f.Born = unmark(f.Name), unmark(f.Born)
	f.Variants = slices.Clone(f.Variants)
	for i := range f.Variants {
		f.Variants[i] = unmark(f.Variants[i])
	}
	c, more, r := personContent(person.Parse(f, d.birth()))
	switch {
	case r != nil:
		return Value{}, nil, r
	case !personDefinition.settled(c):
		return Value{}, nil, reject(ReasonCharacters)
	}
	return newValue(Person, c), appendChanges(changes, more), nil
}

// personContent takes over what package person says. Its reasons are among those of this
// package.
func personContent(p person.Person, said []person.Change, err error) (content, []Change, *Rejection) {
	if err != nil {
		r, ok := errors.AsType[*person.Rejection](err)
		if !ok {
			return content{}, nil, reject(ReasonCharacters)
		}
		return content{}, nil, reject(Reason(r.Reason))
	}
	changes := make([]Change, len(said))
	for i, c := range said {
		changes[i] = Change(c)
	}
	return content{formCanonical, p.Canonical()}, changes, nil
}

func canonicalPerson(c content) bool {
	p, err := person.Restore([]byte(string([]byte{byte(c.form)}) + c.text))
	return err == nil && p.Canonical() == c.text
}
