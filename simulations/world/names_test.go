package world

import (
	"bytes"
	"encoding/csv"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
)

func names(t *testing.T, seed uint64, o Options) *Set {
	t.Helper()
	s, err := Names(seed, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// near reports whether a share of cases agrees with a rate: within four standard deviations,
// and since all is drawn from fixed seeds, always or never.
func near(t *testing.T, what string, got, of int, want float64) {
	t.Helper()
	deviation := math.Sqrt(want * (1 - want) / float64(of))
	share := float64(got) / float64(of)
	t.Logf("%-22s %6d of %6d: %.4f, stated %.4f", what, got, of, share, want)
	if of < 100 || math.Abs(share-want) > 4*deviation {
		t.Errorf("%s: %d of %d, want %.4f ± %.4f", what, got, of, want, 4*deviation)
	}
}

// frozen is the set on which the tests measure rates. It is the same for all of them.
var frozen = sync.OnceValues(func() (*Set, error) { return Names(QualitySeed, Quality()) })

func quality(t *testing.T) *Set {
	t.Helper()
	s, err := frozen()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r Rate) float() float64 { return float64(r) / whole }

func TestTruth(t *testing.T) {
	for _, o := range []Options{{3000, 700}, {1, 0}, {1, 1}, {60, 57}} {
		s := names(t, 5, o)
		if len(s.A) != o.Records || len(s.B) != o.Records || len(s.Pairs) != o.Pairs {
			t.Fatalf("%+v: %d and %d records, %d pairs", o, len(s.A), len(s.B), len(s.Pairs))
		}
		ids := map[string]bool{}
		for _, r := range slices.Concat(s.A, s.B) {
			if ids[r.ID] || r.Name == "" || strings.TrimSpace(r.Name) != r.Name || strings.Contains(r.Name, "  ") {
				t.Fatalf("%+v: record %+v", o, r)
			}
			ids[r.ID] = true
		}
		inB := map[int]int{}
		for i, person := range s.OfB {
			inB[person] = i
		}
		if len(inB) != o.Records {
			t.Fatalf("%+v: somebody is twice in B", o)
		}
		var want []Pair
		seen := map[int]bool{}
		for i, person := range s.OfA {
			if seen[person] {
				t.Fatalf("%+v: person %d is twice in A", o, person)
			}
			seen[person] = true
			if j, ok := inB[person]; ok {
				want = append(want, Pair{i, j, Same})
			}
		}
		if !slices.Equal(s.Pairs, want) {
			t.Errorf("%+v: the pairs are not those who are in both lists", o)
		}
	}
}

func TestDecoys(t *testing.T) {
	s := quality(t)
	kinds := map[Relation]int{}
	shared := func(p *Person) string {
		var all []string
		for _, n := range p.parts {
			if n.inherited {
				all = append(all, n.group.columns[0].latin[0][0])
			}
		}
		return strings.Join(all, " ")
	}
	for _, p := range s.Near {
		kinds[p.Relation]++
		if s.OfA[p.A] == s.OfB[p.B] {
			t.Fatalf("%+v is one person", p)
		}
		a, b := &s.People[s.OfA[p.A]], &s.People[s.OfB[p.B]]
		twins := a.Born == b.Born
		switch p.Relation {
		case Namesake:
			if !slices.Equal(a.Names, b.Names) || a.Born.Year == b.Born.Year {
				t.Errorf("namesakes %v and %v", a, b)
			}
		case Sibling, Twin:
			if shared(a) != shared(b) || shared(a) == "" || !distinct(a.parts, b.parts) || twins != (p.Relation == Twin) {
				t.Errorf("%s: %+v and %+v", p.Relation, a, b)
			}
		}
	}
	want := map[Relation]int{Sibling: 400, Namesake: 200, Twin: 100}
	if !maps.Equal(kinds, want) {
		t.Errorf("decoys %v, want %v", kinds, want)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{}, {-1, 0}, {MaxRecords + 1, 0}, {10, -1}, {10, 11}, {100, 98}} {
		if _, err := Names(1, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// TestScriptsOfRecords: what is said to be in the own script is, and everything else is in
// Latin. Of a pair at most one record is in the own form, at the stated rate.
func TestScriptsOfRecords(t *testing.T) {
	s := quality(t)
	scripts := map[string]int{}
	check := func(r Record, d Damage, p *Person) {
		script, has := p.Culture.Script()
		if !d.Has(DamageOwnForm) {
			script = "Latin"
		} else if scripts[script]++; !has {
			t.Errorf("%q has no own form", r.Name)
		}
		for _, c := range r.Name {
			if unicode.IsLetter(c) && !unicode.Is(unicode.Scripts[script], c) {
				t.Errorf("%q has %U, which is not %s", r.Name, c, script)
			}
		}
	}
	for i, r := range s.A {
		check(r, s.DamageA[i], &s.People[s.OfA[i]])
	}
	for i, r := range s.B {
		check(r, s.DamageB[i], &s.People[s.OfB[i]])
	}
	for _, c := range customs() {
		if c.script != "" && scripts[c.script] < 100 {
			t.Errorf("%d records in %s", scripts[c.script], c.script)
		}
	}
	own, of := 0, 0
	for _, p := range s.Pairs {
		if _, has := s.Culture(p).Script(); !has {
			continue
		}
		of++
		a, b := s.DamageA[p.A].Has(DamageOwnForm), s.DamageB[p.B].Has(DamageOwnForm)
		if a && b {
			t.Errorf("both records of %+v are in the own form", p)
		}
		if a || b {
			own++
		}
	}
	near(t, "own form on one side", own, of, OwnForm.float())
}

// TestCulturesAreDrawn: each has its share of the true pairs.
func TestCulturesAreDrawn(t *testing.T) {
	s := quality(t)
	of := map[Culture]int{}
	for _, p := range s.Pairs {
		of[s.Culture(p)]++
	}
	for _, c := range customs() {
		near(t, string(c.name), of[c.name], len(s.Pairs), float64(c.share)/100)
	}
}

func TestFilesAreReadBack(t *testing.T) {
	s := names(t, 9, Options{Records: 200, Pairs: 40})
	var b bytes.Buffer
	if err := WriteRecords(&b, s.A); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || !slices.Equal(rows[0], []string{"case number", "name", "date of birth"}) {
		t.Fatalf("%v, %v", rows[0], err)
	}
	for i, row := range rows[1:] {
		if r := s.A[i]; !slices.Equal(row, []string{r.ID, r.Name, r.Born}) {
			t.Errorf("%q is not %+v", row, r)
		}
	}
	b.Reset()
	if err := s.WriteTruth(&b); err != nil {
		t.Fatal(err)
	}
	rows, err = csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1+len(s.Pairs)+len(s.Near) || rows[1][0] != s.A[s.Pairs[0].A].ID {
		t.Errorf("%d rows of truth, %v", len(rows), err)
	}
	if err := WriteRecords(full{}, s.A); err == nil {
		t.Error("a full disk is no error")
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, bytes.ErrTooLarge }
