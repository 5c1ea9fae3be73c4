package world

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// TestAlone: two records that are each damaged alone are damaged at the stated rate, to one
// in ten thousand, and not below.
func TestAlone(t *testing.T) {
	for r := range Rate(whole + 1) {
		a := r.alone()
		either := 1 - (1-a.float())*(1-a.float())
		less := 1 - (1-a.float()+1e-4)*(1-a.float()+1e-4)
		if a < 0 || a > whole || either < r.float()-1e-12 || a > 0 && less >= r.float() {
			t.Errorf("rate %d becomes %d, for two %.6f", r, a, either)
		}
	}
}

// entry is a record with what is known of it.
type entry struct {
	Record
	damage Damage
	person *Person
}

func (e entry) own() bool              { return e.damage.Has(DamageOwnForm) }
func (e entry) has(role Role) bool     { return e.count(role) > 0 }
func (e entry) of(all ...Culture) bool { return slices.Contains(all, e.person.Culture) }

func (e entry) count(role Role) int {
	n := 0
	for _, p := range e.person.parts {
		if p.role == role {
			n++
		}
	}
	return n
}

func (e entry) droppable() bool {
	w := writer{person: e.person}
	return slices.ContainsFunc(e.person.parts, w.droppable)
}

// swappable: two names remain whatever is left out.
func (e entry) swappable() bool {
	w := writer{person: e.person}
	firm := 0
	for _, n := range e.person.parts {
		if !w.droppable(n) && n.role != Mother {
			firm++
		}
	}
	return firm > 1 && (!e.own() || e.person.tradition.gap != "")
}

// gendered: a woman whose family name has endings.
func (e entry) gendered() bool {
	return e.person.Female && slices.ContainsFunc(e.person.parts, func(n part) bool {
		return n.role == Family && n.group.columns[0].latin[0][1] != ""
	})
}

func (e entry) marked() bool { return norm.NFC.String(e.Name) != bare(e.Name) }

func entries(s *Set) (a, b []entry) {
	for i, r := range s.A {
		a = append(a, entry{r, s.DamageA[i], &s.People[s.OfA[i]]})
	}
	for i, r := range s.B {
		b = append(b, entry{r, s.DamageB[i], &s.People[s.OfB[i]]})
	}
	return a, b
}

// TestRatesOfRecords measures on all records of the frozen set how often each damage befalls
// one that can have it.
func TestRatesOfRecords(t *testing.T) {
	a, b := entries(quality(t))
	all := append(a, b...)
	columns := func(e entry) bool {
		return len(e.person.tradition.origins) > 1 && e.of(Arabic, Persian, Slavic, Tamil, Chinese, WestAfrican)
	}
	for _, c := range []struct {
		what    string
		damage  Damage
		rate    Rate
		applies func(entry) bool
	}{
		{"swapped", DamageSwapped, Swapped, entry.swappable},
		{"middle name dropped", DamageMiddleDropped, MiddleDropped, entry.droppable},
		{"mother's name dropped", DamageMotherDropped, MotherDropped, func(e entry) bool { return e.has(Mother) }},
		{"other spelling", DamageOtherSpelling, OtherSpelling, columns},
		{"feminine ending lost", DamageFeminineLost, FeminineLost, entry.gendered},
		{"year only", DamageYearOnly, YearOnly, func(entry) bool { return true }},
		{"birth damaged", DamageBorn, BornDamaged, func(e entry) bool { return !e.damage.Has(DamageYearOnly) }},
		{"titled", DamageTitled, Titled, func(e entry) bool { return !e.own() && !e.of(Burmese) && len(e.person.parts) > 1 }},
		{"titled, Burmese", DamageTitled, BurmeseTitled, func(e entry) bool { return e.of(Burmese) && len(e.person.parts) > 1 }},
		{"initial", DamageInitial, Initial, func(e entry) bool {
			return !e.own() && !e.damage.Has(DamageMiddleDropped) && e.count(Middle) == 1
		}},
		{"initial, Tamil", DamageInitial, TamilInitial, func(e entry) bool { return !e.own() && e.of(Tamil) && e.person.Origin != "MY" }},
		{"single name filled", DamageFilled, Filled, func(e entry) bool { return !e.own() && len(e.person.parts) == 1 }},
		{"tones dropped", DamageToneDropped, ToneDropped, func(e entry) bool { return !e.own() && e.of(Vietnamese) }},
	} {
		got, of := 0, 0
		for _, e := range all {
			if c.applies(e) {
				of++
				if e.damage.Has(c.damage) {
					got++
				}
			} else if e.damage.Has(c.damage) && c.damage&(DamageSwapped|DamageTitled|DamageInitial) == 0 {
				t.Fatalf("%s: %+v cannot be", c.what, e.Record)
			}
		}
		near(t, c.what, got, of, c.rate.alone().float())
	}
}

// TestRatesOfWriting measures what is no damage, on the names themselves.
func TestRatesOfWriting(t *testing.T) {
	a, b := entries(quality(t))
	all := append(a, b...)
	capitals := func(e entry) bool { return e.Name == strings.ToUpper(e.Name) }
	malay := regexp.MustCompile(`(?i)\b(bin|b\.|bt\.|binte)`)
	for _, c := range []struct {
		what         string
		rate         Rate
		applies, got func(entry) bool
	}{
		{"marks dropped", MarksDropped,
			func(e entry) bool {
				return e.damage.Has(DamageMarksDropped) || !e.own() && !e.damage.Has(DamageToneDropped) && e.marked()
			},
			func(e entry) bool { return e.damage.Has(DamageMarksDropped) }},
		{"decomposed", Decomposed,
			func(e entry) bool {
				return (!e.own() || e.of(Vietnamese, Somali)) && norm.NFD.String(e.Name) != norm.NFC.String(e.Name)
			},
			func(e entry) bool { return !norm.NFC.IsNormalString(e.Name) }},
		{"capitals", Capitals, func(e entry) bool { return !e.own() }, capitals},
		{"family in capitals", FamilyCapitals,
			func(e entry) bool { return !e.own() && e.of(Thai) && !capitals(e) },
			func(e entry) bool {
				return slices.ContainsFunc(strings.Fields(e.Name), func(w string) bool { return len(w) > 2 && w == strings.ToUpper(w) })
			}},
		{"comma", CommaWritten,
			func(e entry) bool {
				return !e.own() && e.damage.Has(DamageSwapped) && e.of(Thai, Bengali, Hindi, European, Slavic)
			},
			func(e entry) bool { return strings.Contains(e.Name, ", ") }},
		{"bint", ParticleKept,
			func(e entry) bool {
				return e.of(Arabic) && e.own() && e.person.Female && !e.damage.Has(DamageMiddleDropped) && !e.damage.Has(DamageSwapped)
			},
			func(e entry) bool { return strings.Contains(e.Name, " بنت ") }},
		{"bin and binti", MalayKept,
			func(e entry) bool { return e.of(Indonesian) && e.person.Origin == "MY" && !e.damage.Has(DamageSwapped) },
			func(e entry) bool { return malay.MatchString(e.Name[1:]) }},
	} {
		got, of := 0, 0
		for _, e := range all {
			if c.applies(e) {
				of++
				if c.got(e) {
					got++
				}
			}
		}
		near(t, c.what, got, of, c.rate.float())
	}
}

// TestRatesOfPairs measures on the true pairs that a stated rate is that of two records.
func TestRatesOfPairs(t *testing.T) {
	s := quality(t)
	a, b := entries(s)
	for _, c := range []struct {
		what    string
		damage  Damage
		rate    Rate
		applies func(entry) bool
	}{
		{"swapped", DamageSwapped, Swapped, func(e entry) bool { return e.swappable() && e.person.tradition.gap != "" }},
		{"middle name dropped", DamageMiddleDropped, MiddleDropped, entry.droppable},
		{"birth damaged", DamageBorn, Rate(1773), func(entry) bool { return true }}, // 1 − (1 − 945/10⁴·(1 − 152/10⁴))²
	} {
		got, of := 0, 0
		for _, p := range s.Pairs {
			if c.applies(a[p.A]) {
				of++
				if (a[p.A].damage | b[p.B].damage).Has(c.damage) {
					got++
				}
			}
		}
		near(t, c.what, got, of, c.rate.float())
	}
}

// TestRatesOfWords measures the damages to words over all records. Some words fit no rule or
// are too short to mistype; still the rates of the study that this repeats are reached.
func TestRatesOfWords(t *testing.T) {
	s := quality(t)
	var all counts
	for side, of := range [][]int{s.OfA, s.OfB} {
		for _, person := range of {
			w := s.writer(QualitySeed, side, person)
			w.write()
			all.words += w.counted.words
			all.respelled += w.counted.respelled
			all.mistyped += w.counted.mistyped
		}
	}
	for _, c := range []struct {
		what        string
		got         int
		least, most float64
	}{{"respelled", all.respelled, 0.25, Respelled.float()}, {"mistyped", all.mistyped, 0.06, Mistyped.float()}} {
		p := float64(c.got) / float64(all.words)
		pair := 1 - (1-p)*(1-p)
		t.Logf("%s: %.4f of %d words, %.4f of two", c.what, p, all.words, pair)
		if pair < c.least || pair > c.most {
			t.Errorf("%s: %.4f of pairs of words, want %.2f to %.2f", c.what, pair, c.least, c.most)
		}
	}
}

// TestBirths compares what the records say with the persons themselves.
func TestBirths(t *testing.T) {
	s := quality(t)
	newYears, damaged, years := 0, 0, 0
	for i := range s.People {
		b := s.People[i].Born
		if b.Year < firstYear || b.Year > lastYear || b.Month < 1 || b.Month > 12 || b.Day < 1 || b.Day > lastDay(b.Year, b.Month) {
			t.Fatalf("born on %v", b)
		}
		if b.Month == 1 && b.Day == 1 {
			newYears++
		}
	}
	chance := 0.88 / 366 * 1.003 // of a 1 January that is one
	near(t, "1 January", newYears, len(s.People), NewYearBorn.float()+chance)
	kinds := map[string]int{}
	record := func(r Record, d Damage, b Date) (bad, year bool) {
		kind := wrong(r.Born, b)
		kinds[kind]++
		if kind == "?" || (kind == "") != (d&(DamageBorn|DamageYearOnly) == 0) || (kind == "year only") != d.Has(DamageYearOnly) {
			t.Fatalf("born on %v, written %s, damage %b", b, r.Born, d)
		}
		return kind != "" && kind != "year only", kind == "year only"
	}
	for _, p := range s.Pairs {
		b := s.People[s.OfA[p.A]].Born
		badA, yearA := record(s.A[p.A], s.DamageA[p.A], b)
		badB, yearB := record(s.B[p.B], s.DamageB[p.B], b)
		if badA || badB {
			damaged++
		}
		if yearA || yearB {
			years++
		}
	}
	t.Log(kinds)
	near(t, "year only", years, len(s.Pairs), YearOnly.float())
	// A record with the year alone hides other damage.
	near(t, "birth damaged", damaged, len(s.Pairs), BornDamaged.float()*(1-YearOnly.alone().float()))
}

// wrong says how a written date differs from the true one.
func wrong(text string, b Date) string {
	switch text {
	case b.String():
		return ""
	case Date{Year: b.Year}.String():
		return "year only"
	case Date{b.Year, b.Day, b.Month}.String():
		return "day and month"
	case Date{b.Year, 1, 1}.String():
		return "1 January"
	case Date{b.Year - 1, b.Month, min(b.Day, lastDay(b.Year-1, b.Month))}.String(),
		Date{b.Year + 1, b.Month, min(b.Day, lastDay(b.Year+1, b.Month))}.String():
		return "year"
	}
	return "?"
}

// TestMostFrequentNames: frequencies fall with the rank.
func TestMostFrequentNames(t *testing.T) {
	s := quality(t)
	of := map[string]int{}
	for _, p := range s.People {
		for _, n := range p.Names {
			if p.Culture == Vietnamese && n.Role == Family {
				of[n.Own]++
			}
		}
	}
	if of["Nguyễn"] < 2*of["Phạm"] || of["Phạm"] < of["Quách"] || of["Quách"] == 0 {
		t.Errorf("%v", of)
	}
}
