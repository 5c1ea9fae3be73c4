package world

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func everything(t *testing.T) []tradition {
	t.Helper()
	all, err := traditions()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// only returns the first rune that is neither in the script nor a sign within names.
func only(text, script string) (rune, bool) {
	for _, r := range text {
		if !unicode.Is(unicode.Scripts[script], r) && !strings.ContainsRune(" -'./\u200c", r) {
			return r, false
		}
	}
	return 0, true
}

// TestScriptsOfTheData: own forms are in the culture's script, all others in Latin, and all
// in NFC.
func TestScriptsOfTheData(t *testing.T) {
	for _, c := range everything(t) {
		for _, key := range slices.Sorted(maps.Keys(c.stock.pools)) {
			name := strings.HasPrefix(key, "given") || strings.HasPrefix(key, "middle") || strings.HasPrefix(key, "family")
			for _, g := range c.stock.pools[key] {
				for _, column := range g.columns {
					if name && (column.own[0] != "") != (c.script != "") {
						t.Errorf("%s, %s: %v: own form and script do not go together", c.name, key, column)
					}
					for _, own := range column.own {
						if r, ok := only(own, c.script); own != "" && !ok {
							t.Errorf("%s, %s: %s has %U, which is not %s", c.name, key, own, r, c.script)
						}
					}
					for _, f := range column.latin {
						for _, text := range f {
							text = strings.TrimPrefix(text, article)
							if r, ok := only(text, "Latin"); !ok || !norm.NFC.IsNormalString(text) {
								t.Errorf("%s, %s: %s has %U, which is not Latin, or is not in NFC", c.name, key, text, r)
							}
						}
					}
				}
			}
		}
	}
}

// TestSections finds headings that no draw would ever look up.
func TestSections(t *testing.T) {
	for _, c := range everything(t) {
		reached := map[string]bool{}
		for _, o := range c.origins {
			for _, sex := range []string{" male", " female"} {
				for _, kind := range []string{"given", "middle", "family", "title", "particle"} {
					for _, key := range []string{kind + sex + " " + o.code, kind + " " + o.code, kind + sex, kind} {
						reached[key] = true
					}
				}
			}
		}
		for key := range c.stock.pools {
			if !reached[key] {
				t.Errorf("%s: nothing draws from [%s]", c.name, key)
			}
		}
		if len(c.stock.latin) < 10 || c.script != "" && len(c.stock.own) == 0 {
			t.Errorf("%s: %d rules of spelling, %d for the own form", c.name, len(c.stock.latin), len(c.stock.own))
		}
	}
}

func TestSizesOfTheData(t *testing.T) {
	given, family, varied := 0, 0, 0
	for _, c := range everything(t) {
		g, f := 0, 0
		for key, pool := range c.stock.pools {
			switch {
			case strings.HasPrefix(key, "given"):
				g += len(pool)
			case strings.HasPrefix(key, "family"):
				f += len(pool)
			default:
				continue
			}
			for _, group := range pool {
				spellings := map[form]bool{}
				for _, column := range group.columns {
					seen := map[form]bool{}
					for _, latin := range column.latin {
						if seen[latin] {
							t.Errorf("%s, %s: %v comes twice", c.name, key, latin)
						}
						seen[latin], spellings[latin] = true, true
					}
				}
				if len(spellings) > 1 {
					varied++
				}
			}
		}
		t.Logf("%-14s %3d given names, %3d families", c.name, g, f)
		given, family = given+g, family+f
	}
	t.Logf("%d given names and %d families, of which %d in several Latin spellings", given, family, varied)
	if given < 500 || family < 350 || varied < (given+family)*4/5 {
		t.Error("the data are fewer than they were")
	}
}

// TestGroupsAreDifferentNames: no two groups of a pool share own form and first spelling, else
// the truth would call one name two.
func TestGroupsAreDifferentNames(t *testing.T) {
	for _, c := range everything(t) {
		for key, pool := range c.stock.pools {
			seen := map[[2]string]bool{}
			for _, g := range pool {
				id := [2]string{g.columns[0].own[0], g.columns[0].latin[0][0]}
				if seen[id] && !strings.HasPrefix(key, "title") {
					t.Errorf("%s: %v stands twice in [%s]", c.name, id, key)
				}
				seen[id] = true
			}
		}
	}
}

func TestSharesAddUp(t *testing.T) {
	sum := 0
	for _, c := range customs() {
		sum += c.share
		countries := 0
		for _, o := range c.origins {
			countries += o.share
		}
		if countries != 100 {
			t.Errorf("%s: the countries' shares add up to %d", c.name, countries)
		}
	}
	if sum != 100 {
		t.Errorf("the cultures' shares add up to %d", sum)
	}
	if len(Cultures()) != len(customs()) {
		t.Error("a culture is missing")
	}
	if script, ok := Thai.Script(); script != "Thai" || !ok {
		t.Errorf("Thai is written in %q", script)
	}
	if script, ok := European.Script(); ok || script != "" {
		t.Errorf("Europeans have an own script %q", script)
	}
	if _, ok := Culture("martian").Script(); ok {
		t.Error("an unknown culture has a script")
	}
}

func TestMistakesInData(t *testing.T) {
	s := &stock{pools: map[string][]*group{}}
	for _, c := range []struct{ section, line string }{
		{"", "محمد: Mohammed"},
		{"family", ": "},
		{"family", "Иванов/: Ivanov"},
		{"family", "Иванов: Ivanov/Ivanova/Ivanovoj"},
		{"family", "A\u030a: Aa"},
		{"family", "Gonza\u0301lez"},
	} {
		if err := s.add(c.section, c.line); err == nil {
			t.Errorf("[%s] %q is taken", c.section, c.line)
		}
	}
	for _, line := range []string{"a", ">b", "$>b"} {
		if rules, err := readRules(line); err == nil {
			t.Errorf("%q is taken for rules %v", line, rules)
		}
	}
	if _, err := readStock("martian"); err == nil {
		t.Error("a culture without a file is read")
	}
}
