// Package person turns names in any script and dates of birth into canonical persons, and
// these into what two nodes compare: keys under which candidates meet, and vectors whose
// inner product says how likely two records are of one person.
//
// Sources: the romanisation systems that each file of tables names (ICAO Doc 9303 part 3,
// BGN/PCGN, UNGEGN, ALA-LC, RTGS, Unihan); Fellegi and Sunter 1969 for additive weights of
// agreement; Weinberger et al. 2009 for features shared by a signed hash.
//
//	names, date ──Parse──► Person + what was changed, or a Rejection with its reason
//	Person ──Profile──► words: letters ──► sounds ──► skeleton
//	Profile ──Keys──► up to 16 keys         Profile ──Features──► 1,024 small integers
//
// Everything is a pure function of the record and of tables that Version names: no clock,
// no list of a partner, no floating point in what two nodes compare.
//
// Promised: nothing is dropped or merged silently on reading; equal persons have equal
// elements, keys and vectors on every machine; the product of any two vectors, less a
// threshold up to MaxThreshold, has sixteen bits; no error, log line or formatted value holds
// a name. Not promised: that records of one person meet, or that records that match are of
// one person. A match is a lead. Keys and vectors are as secret as the names: both can be
// searched for chosen persons, so that neither may leave a node except inside a protocol that
// hides it.
//
// All functions are safe for concurrent use.
package person

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// Version is the version of the canonical form, the tables, keys, features and threshold
// together. It changes only when the output on the golden corpus changes.
const Version uint16 = 2

// Fields are the raw fields of one record.
type Fields struct {
	Name     string   // full name in any script and order
	Variants []string // other names and spellings
	Born     string   // date of birth
}

// Defaults complete raw fields that do not say everything themselves.
type Defaults struct {
	Calendar Calendar // calendar of the column of dates
	Order    Order    // order of day and month in dates such as 04/05/1990
}

// Person is one canonical record. It prints nothing of itself: not under any fmt verb, in
// slog, JSON or text encodings. The zero Person has no names.
type Person struct {
	text *string
}

// form is the first byte of an element, as with every indicator.
const form = 1

// Parse turns raw fields into the canonical person and says what it changed. The error is
// always a *Rejection.
func Parse(f Fields, d Defaults) (Person, []Change, error) {
	names, changes, r := parseNames(f.Name)
	if r != nil {
		if r.Reason == ReasonEmpty {
			r = reject(ReasonNameMissing)
		}
		return Person{}, nil, r
	}
	for _, v := range f.Variants {
		more, c, r := parseNames(v)
		if r != nil && (r.Reason == ReasonEmpty || r.Reason == ReasonNameMissing) {
			continue
		}
		if r != nil {
			return Person{}, nil, r
		}
		changes = appendChanges(changes, c)
		for _, n := range more {
			if stopName(n) {
				changes = appendChanges(changes, []Change{changePlaceholder})
				continue
			}
			names = append(names, n)
		}
	}
	birth, c, r := parseBirth(f.Born, d)
	if r != nil {
		return Person{}, nil, r
	}
	changes = appendChanges(changes, c)
	p, c, r := assemble(names, birth)
	if r != nil {
		return Person{}, nil, r
	}
	return p, appendChanges(changes, c), nil
}

// ParseText reads one cell: the date of birth, a stroke, the name, and variants after
// further strokes. The canonical text is such a cell.
func ParseText(raw string, d Defaults) (Person, []Change, error) {
	born, names, ok := strings.Cut(raw, "|")
	if !ok {
		return Person{}, nil, reject(ReasonBirthMissing)
	}
	return Parse(Fields{Name: names, Born: born}, d)
}

// assemble puts the primary name first and the others behind it in byte order, each once.
func assemble(names []string, birth Birth) (Person, []Change, *Rejection) {
	var changes []Change
	others := slices.Clone(names[1:])
	slices.Sort(others)
	all := names[:1:1]
	for _, n := range others {
		if n != names[0] && n != all[len(all)-1] {
			all = append(all, n)
		}
	}
	if len(all) < len(names) {
		changes = append(changes, changeRepeated)
	}
	if slices.ContainsFunc(all, stopName) {
		return Person{}, nil, reject(ReasonStopValue)
	}
	text := birth.String() + "|" + strings.Join(all, "|")
	if len(all) > maxNames || len(text) > maxCanonical {
		return Person{}, nil, reject(ReasonTooLong)
	}
	words, unknown := tables().wordsOf(all[0])
	for _, n := range all[1:] {
		_, u := tables().wordsOf(n)
		unknown = unknown || u
	}
	if unknown {
		changes = append(changes, changeUnknown)
	}
	if len(words) == 1 {
		changes = append(changes, changeOneWord)
	}
	return Person{&text}, changes, nil
}

// stopName reports what people write when they know no name.
func stopName(name string) bool {
	switch name {
	case "unknown", "unknown unknown", "not known", "name unknown", "no name", "unnamed", "anonymous", "none", "nil", "null", "test",
		"test test", "fnu", "lnu", "fnu lnu", "nn", "n n", "xx", "xxx", "john doe", "jane doe", "inconnu", "desconocido", "unbekannt",
		"tidak diketahui", "không rõ", "неизвестно", "неизвестный", "ไม่ทราบชื่อ", "ไม่ทราบ", "مجهول", "نامعلوم", "不详", "不詳", "无名氏", "無名氏":
		return true
	}
	return false
}

// Restore returns the person of stored or received element bytes. It accepts only what
// Element of a parsed person returns. The error is always a *Rejection.
func Restore(element []byte) (Person, error) {
	if len(element) < 2 || len(element) > maxCanonical+1 || element[0] != form {
		return Person{}, reject(ReasonNotCanonical)
	}
	text := string(element[1:])
	p, _, err := ParseText(text, Defaults{})
	if err != nil || *p.text != text {
		return Person{}, reject(ReasonNotCanonical)
	}
	return p, nil
}

func appendChanges(a, b []Change) []Change {
	for _, c := range b {
		if !slices.Contains(a, c) {
			a = append(a, c)
		}
	}
	return a
}

// Element returns the bytes that are stored: the form byte 1, then the canonical text.
func (p Person) Element() []byte {
	if p.text == nil {
		return nil
	}
	return append([]byte{form}, *p.text...)
}

// Canonical reveals the canonical text. It is for the eyes of the own side only.
func (p Person) Canonical() string {
	if p.text == nil {
		return ""
	}
	return *p.text
}

// Names reveals the canonical names, the primary one first.
func (p Person) Names() []string {
	if p.text == nil {
		return nil
	}
	return strings.Split(*p.text, "|")[1:]
}

// Birth reveals the date of birth.
func (p Person) Birth() Birth {
	if p.text == nil {
		return Birth{}
	}
	born, _, _ := strings.Cut(*p.text, "|")
	b, _ := parseCanonicalBirth(born) // holds by construction
	return b
}

// Equal reports whether both are the same canonical record.
func (p Person) Equal(q Person) bool {
	if p.text == nil || q.text == nil {
		return p.text == q.text
	}
	return *p.text == *q.text
}

// String returns a placeholder.
func (p Person) String() string {
	if p.text == nil {
		return "[no person]"
	}
	return "[person]"
}

// Format prints the placeholder under every verb and flag.
func (p Person) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, p.String()) }

// LogValue logs the placeholder.
func (p Person) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText encodes the placeholder; JSON and other text encodings use it.
func (p Person) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalBinary encodes the placeholder. Store Element instead.
func (p Person) MarshalBinary() ([]byte, error) { return []byte(p.String()), nil }
