package world

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Record is one entry of a list as an agency wrote it.
type Record struct {
	ID   string
	Name string // in whatever script and order
	Born string // 2006-01-02, or the year alone
}

// written is one name on its way into a record.
type written struct {
	part
	words []string
}

// writer writes one record of a person.
type writer struct {
	*dice
	person  *Person
	own     bool // in the own form
	column  int
	bared   bool // of tone marks, but not of marks of vowels
	damage  Damage
	counted counts
}

// counts of words, so that rates of damage to words can be measured.
type counts struct{ words, respelled, mistyped int }

// happens draws a damage that has a rate for two records, and notes it.
func (w *writer) happens(r Rate, d Damage) bool {
	if !w.chance(r.alone()) {
		return false
	}
	w.damage |= d
	return true
}

// write returns name and date of birth as this record has them.
func (w *writer) write() (name, born string) {
	if w.own {
		w.damage |= DamageOwnForm
	}
	w.column = w.person.origin.column
	if n := w.columns(); n > 1 && w.happens(OtherSpelling, DamageOtherSpelling) {
		w.column = (w.column + 1 + w.below(n-1)) % n
	}
	w.bared = !w.own && w.person.Culture == Vietnamese && w.happens(ToneDropped, DamageToneDropped)
	names := w.spelled(w.kept())
	comma := w.swap(names)
	w.initials(names)
	text := w.finish(w.joined(names, comma))
	return text, w.born().String()
}

// columns counts the manners of spelling of the person's culture.
func (w *writer) columns() int {
	n := 0
	for _, o := range w.person.tradition.origins {
		n = max(n, o.column+1)
	}
	return n
}

// kept returns the names that the record has.
func (w *writer) kept() []part {
	var middle, mother, dropMiddle, dropMother, all bool
	for _, n := range w.person.parts {
		middle = middle || w.droppable(n)
		mother = mother || n.role == Mother
	}
	if middle && w.happens(MiddleDropped, DamageMiddleDropped) {
		dropMiddle, all = true, w.below(2) == 1
	}
	dropMother = mother && w.happens(MotherDropped, DamageMotherDropped)
	var kept []part
	for _, n := range w.person.parts {
		switch {
		case n.role == Mother && dropMother:
		case dropMiddle && w.droppable(n):
			dropMiddle = all // the first one only, or all of them
		default:
			kept = append(kept, n)
		}
	}
	return kept
}

// droppable reports whether documents leave a name out: middle names, and father's and
// grandfather's where another name follows or is before them.
func (w *writer) droppable(n part) bool {
	switch n.role {
	case Middle, Grandfather:
		return true
	case Father:
		for _, other := range w.person.parts {
			if other.role == Family {
				return true
			}
		}
	}
	return false
}

// spelled chooses the spelling of each name.
func (w *writer) spelled(parts []part) []written {
	var names []written
	for _, n := range parts {
		c := n.group.column(w.column)
		spellings := c.latin
		if w.own {
			spellings = []form{c.own}
		} else if w.bared {
			spellings = []form{{toneless(c.own[0])}}
		}
		f := spellings[w.rank(len(spellings), 1)]
		female := w.person.feminine(n)
		if female && n.role == Family && f[1] != "" && f[1] != f[0] && w.happens(FeminineLost, DamageFeminineLost) {
			female = false
		}
		text := f.of(female)
		name, arabic := strings.CutPrefix(text, article)
		words := strings.Fields(name)
		for i, word := range words {
			words[i] = w.damaged(word)
		}
		if arabic {
			words = w.withArticle(words)
		}
		names = append(names, written{n, words})
	}
	return w.withParticle(names)
}

// damaged spells a word by one more rule, or slips on the keyboard. It leaves what is no
// name by itself (de, von) alone.
func (w *writer) damaged(word string) string {
	if first, _ := utf8.DecodeRuneInString(word); unicode.IsLower(first) {
		return word
	}
	w.counted.words++
	rules := w.person.tradition.stock.latin
	if w.own {
		rules = w.person.tradition.stock.own
	}
	if w.chance(Respelled.alone()) {
		if other, ok := respell(w.dice, word, rules); ok {
			word = other
			w.damage |= DamageRespelled
			w.counted.respelled++
		}
	}
	if w.chance(Mistyped.alone()) {
		if other, ok := mistype(w.dice, word); ok {
			word = other
			w.damage |= DamageMistyped
			w.counted.mistyped++
		}
	}
	return word
}

// swap moves the family name, or the last name where there is none, to the other end, and
// reports whether a comma is behind it.
func (w *writer) swap(names []written) bool {
	unspaced := w.own && w.person.tradition.gap == ""
	if len(names) < 2 || unspaced || !w.happens(Swapped, DamageSwapped) {
		return false
	}
	family := func(n written) bool { return n.role == Family || n.role == Mother }
	if family(names[0]) && !family(names[len(names)-1]) {
		rotate(names, 1)
		return false
	}
	last := len(names) - 1
	for last > 1 && family(names[last]) && family(names[last-1]) {
		last--
	}
	rotate(names, last)
	return family(names[0]) && !w.own && w.chance(CommaWritten)
}

// rotate brings the name at index i to the front.
func rotate(names []written, i int) {
	turned := append(append([]written(nil), names[i:]...), names[:i]...)
	copy(names, turned)
}

// initials shortens middle and fathers' names to their first letters. Other scripts than
// Latin and Cyrillic rarely do so.
func (w *writer) initials(names []written) {
	for i, n := range names {
		father := n.role == Father && w.person.Culture == Tamil
		if n.role != Middle && !father || len(n.words) != 1 {
			continue
		}
		first := []rune(n.words[0])[0]
		if unicode.In(first, unicode.Latin, unicode.Cyrillic) && w.happens(w.person.tradition.initial, DamageInitial) {
			names[i].words = []string{string(unicode.ToUpper(first)) + []string{".", ""}[w.below(2)]}
		}
	}
}

// joined puts the names together.
func (w *writer) joined(names []written, comma bool) string {
	gap := " "
	if w.own {
		gap = w.person.tradition.gap
	}
	capital := !w.own && w.chance(FamilyCapitals)
	var b strings.Builder
	for i, n := range names {
		text := strings.Join(n.words, gap)
		if capital && n.role == Family {
			text = strings.ToUpper(text)
		}
		switch {
		case i == 0:
		case comma && n.role != Family && n.role != Mother && (names[i-1].role == Family || names[i-1].role == Mother):
			b.WriteString(", ")
			comma = false
		case !w.own && n.role == Given && names[i-1].role == Given:
			var glued bool
			if glued, text = w.compound(text); !glued {
				b.WriteString(gap)
			}
		default:
			b.WriteString(gap)
		}
		b.WriteString(text)
	}
	return w.titled(b.String(), len(names) == 1)
}

// compound joins a given name to the one before it, and reports whether it is joined.
func (w *writer) compound(text string) (bool, string) {
	switch w.share(w.person.tradition.joins...) {
	case 1:
		return true, strings.ToLower(text)
	case 2:
		return true, "-" + text
	}
	return false, text
}

// titled puts a title before the name, and fills up a single one.
func (w *writer) titled(name string, single bool) string {
	if single && !w.own && w.happens(Filled, DamageFilled) {
		if w.below(2) == 0 {
			return "FNU " + name
		}
		return name + " " + name
	}
	pool := w.person.tradition.stock.pool("title", w.person.Female, w.person.Origin)
	c := pool[w.rank(len(pool), 1)].columns[0]
	title := c.latin[w.rank(len(c.latin), 1)][0] + " "
	if w.own {
		title = c.own[0] + " "
	}
	if w.own && (w.person.Culture == Thai || w.person.Culture == Burmese) {
		title = c.own[0]
	}
	if strings.TrimSpace(title) == "" || !w.happens(w.person.tradition.titles, DamageTitled) {
		return name
	}
	return title + name
}

// finish leaves out diacritics, and writes capitals.
func (w *writer) finish(text string) string {
	if plain := bare(text); !w.own && plain != text && !w.bared && w.chance(MarksDropped) {
		w.damage |= DamageMarksDropped
		text = plain
	}
	if !w.own && w.chance(Capitals) {
		text = strings.ToUpper(text)
	}
	if w.latin() && !norm.NFD.IsNormalString(text) && w.chance(Decomposed) {
		w.damage |= DamageDecomposed
		text = norm.NFD.String(text)
	}
	return text
}

// latin reports whether the record is in Latin script.
func (w *writer) latin() bool { return !w.own || w.person.tradition.script == "Latin" }

// born returns the date of birth as the record has it.
func (w *writer) born() Date {
	b := w.person.Born
	if w.happens(YearOnly, DamageYearOnly) {
		return Date{Year: b.Year}
	}
	if !w.happens(BornDamaged, DamageBorn) {
		return b
	}
	var wrong []Date
	if b.Day <= 12 && b.Day != b.Month {
		wrong = append(wrong, Date{b.Year, b.Day, b.Month})
	}
	if b.Month != 1 || b.Day != 1 {
		wrong = append(wrong, Date{b.Year, 1, 1})
	}
	year := b.Year - 1 + 2*w.below(2)
	wrong = append(wrong, Date{year, b.Month, min(b.Day, lastDay(year, b.Month))})
	return wrong[w.below(len(wrong))]
}
