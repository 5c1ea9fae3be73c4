package intake

import (
	"errors"
	"strings"

	"entente/protocol/indicator"
	"entente/protocol/person"
)

// value reads the indicator of a row with what completes it. If it fails, blamed is the
// field that is wrong.
func (c *converter) value(r *rawRow) (v indicator.Value, changed []indicator.Change, blamed field, err error) {
	d := c.o.Defaults
	override(&d.Country, r.cells[fieldCountry])
	override(&d.Platform, r.cells[fieldPlatform])
	override(&d.Issuer, r.cells[fieldIssuer])
	override(&d.Scheme, r.cells[fieldScheme])
	override(&d.Model, r.cells[fieldModel])
	switch {
	case c.l.decode != nil:
		v, changed, err = indicator.ParseFace(d.Model, c.l.decode(r.cells[fieldValue]))
	case c.o.Kind == indicator.Person && !inOneCell(r):
		return namedPerson(r, d)
	default:
		v, changed, err = indicator.Parse(c.o.Kind, r.cells[fieldValue], d)
	}
	return v, changed, fieldValue, err
}

// inOneCell reports a person written as date, stroke and names in the cell of the name. No
// name begins with a digit.
func inOneCell(r *rawRow) bool {
	if strings.TrimSpace(r.cells[fieldBorn]+r.cells[fieldVariants]) != "" {
		return false
	}
	born, _, ok := strings.Cut(r.cells[fieldValue], "|")
	return ok && strings.ContainsAny(born, "0123456789")
}

// namedPerson reads a person whose date of birth stands in a cell of its own.
func namedPerson(r *rawRow, d indicator.Defaults) (indicator.Value, []indicator.Change, field, error) {
	f := person.Fields{Name: r.cells[fieldValue], Born: r.cells[fieldBorn]}
	if variants := r.cells[fieldVariants]; variants != "" {
		f.Variants = []string{variants}
	}
	v, changed, err := indicator.ParsePerson(f, d)
	if err == nil {
		return v, changed, fieldValue, nil
	}
	if rejection, ok := errors.AsType[*indicator.Rejection](err); ok && strings.HasPrefix(string(rejection.Reason), "birth_") {
		return v, nil, fieldBorn, err
	}
	f.Variants = nil
	if _, _, other := indicator.ParsePerson(f, d); other == nil {
		return v, nil, fieldVariants, err
	}
	if _, _, other := indicator.ParsePerson(person.Fields{Name: f.Name, Born: "1990"}, d); other == nil {
		return v, nil, fieldBorn, err
	}
	return v, nil, fieldValue, err
}

// original is what a record keeps of how its value was written: for a person names, variants
// and date of birth; for a face nothing, since nobody reads numbers by the hundred.
func (c *converter) original(r *rawRow) string {
	switch c.o.Kind {
	case indicator.Face:
		return ""
	case indicator.Person:
		var parts []string
		for _, f := range []field{fieldValue, fieldVariants, fieldBorn} {
			if text := strings.TrimSpace(r.cells[f]); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, "; ")
	}
	return r.cells[fieldValue]
}

// before is what the report shows of how a row's value was written.
func (c *converter) before(r *rawRow) string {
	switch {
	case c.l.decode != nil:
		return "" // no text
	case c.o.Kind == indicator.Person:
		return c.original(r)
	}
	return r.cells[fieldValue]
}
