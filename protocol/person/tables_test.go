package person

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestSpecificationNamesTheTables compares the digests in SPEC.md with the files.
func TestSpecificationNamesTheTables(t *testing.T) {
	spec, err := os.ReadFile("../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("tables")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.txt)` \\|.*\\| `([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(spec), -1) {
		named[m[1]] = m[2]
	}
	for _, e := range entries {
		b, err := os.ReadFile("tables/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		if got := hex.EncodeToString(sum[:]); named[e.Name()] != got {
			t.Errorf("%s has digest %s, SPEC.md says %q", e.Name(), got, named[e.Name()])
		}
		if n := strings.Count(string(b), "\n"); n > 800 || !strings.HasPrefix(string(b), "# ") || !utf8.Valid(b) {
			t.Errorf("%s: %d lines, or no comment at its head", e.Name(), n)
		}
	}
	if len(named) != len(entries) {
		t.Errorf("SPEC.md names %d tables, there are %d", len(named), len(entries))
	}
}

// TestTablesAreComplete holds what the tables promise: how many characters are known.
func TestTablesAreComplete(t *testing.T) {
	s := tables()
	if n := len(s.han); n < 10_000 {
		t.Errorf("only %d Han characters have a reading", n)
	}
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		if rs := s.sound[c]; len(rs) == 0 || rs[len(rs)-1].left != nil || rs[len(rs)-1].right != nil || rs[len(rs)-1].size != 1 {
			t.Errorf("letter %c has no rule that always fits", c)
		}
	}
	for form, read := range s.irregular {
		for w := range strings.FieldsSeq(read) {
			if again, twice := s.irregular[squeeze(w)]; twice && again != w {
				t.Errorf("%s is read as %s, which is read as %s", form, read, again)
			}
			if !lowerASCII(w) {
				t.Errorf("%s is read as %q", form, read)
			}
		}
	}
	for r, rules := range s.letters {
		for _, rule := range rules {
			for _, c := range rule.out {
				if c != ' ' && (c < 'a' || c > 'z') {
					t.Errorf("a rule for %c writes %q", r, rule.out)
				}
			}
		}
	}
}

func TestRulesRefuse(t *testing.T) {
	for _, text := range []string{"a", "\tb", "a\tb\tc\td\te\tf\tg", "class X", "a\tb\t@Y", "a\tb\t[@Y]", "inherent a drop", "a\tb\t[@", "\xff\ta"} {
		if _, err := parseRules(text + "\n"); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestRules: the longest pattern wins, then the earlier line; contexts look at the input.
func TestRules(t *testing.T) {
	s, err := parseRules("class V = ae\nclass C = kt\nclass S = x\ninherent o drop\nκ\tk\nκ\tx\nκκ\tq\nτ\td\t[#@V]\nτ\tt\nα\ta\nλ\tl\t-\t[#]\nλ\tr\nχ\t\n")
	if err != nil {
		t.Fatal(err)
	}
	set := &tableSet{letters: s.rules}
	for word, want := range map[string]string{"κ": "k", "κκ": "q", "κκκ": "qk", "τα": "da", "ατ": "at", "αλ": "al", "λα": "ra", "": ""} {
		if got, unknown := set.romanise(word); got != want || unknown {
			t.Errorf("%s became %q, want %q", word, got, want)
		}
	}
	if got, unknown := set.romanise("κω"); got != "kω" || !unknown {
		t.Errorf("an unknown letter became %q, %v", got, unknown)
	}
}

func TestWordsAreDistinctAndBounded(t *testing.T) {
	words, _ := tables().wordsOf("ali ali " + strings.Repeat("omar hasan karim salem jamal nasir tarik walid khalid samir faris adnan ", 3))
	if len(words) > maxWords || len(words) < 8 {
		t.Errorf("%d words", len(words))
	}
	for i, w := range words {
		if slices.Contains(words[:i], w) {
			t.Errorf("%s stands twice", w)
		}
	}
}
