package person

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse: whatever comes in, the outcome is a fixed rejection, or a person whose element
// and canonical text both lead back to it, and whose keys and vector keep their bounds.
func FuzzParse(f *testing.F) {
	for _, r := range loadCorpus(f) {
		f.Add(r.name, r.variant, r.born, string(r.defaults.Calendar), string(r.defaults.Order))
	}
	f.Fuzz(func(t *testing.T, name, variant, born, calendar, order string) {
		d := Defaults{Calendar: Calendar(calendar), Order: Order(order)}
		p, changes, err := Parse(Fields{Name: name, Variants: []string{variant}, Born: born}, d)
		if err != nil {
			r, ok := errors.AsType[*Rejection](err)
			if !ok || !slices.Contains(Reasons(), r.Reason) || r.Text != r.Reason.Text() {
				t.Fatalf("rejection %v", err)
			}
			return
		}
		for _, c := range changes {
			if c.Code == "" || c.Text == "" {
				t.Fatal("a change without code or text")
			}
		}
		checkPerson(t, p)
	})
}

func checkPerson(t *testing.T, p Person) {
	t.Helper()
	if n := len(p.Element()); n < 2 || n > maxCanonical+1 {
		t.Fatalf("element of %d bytes", n)
	}
	back, err := Restore(p.Element())
	if err != nil || !back.Equal(p) {
		t.Fatalf("restore of %q: %v", p.Canonical(), err)
	}
	again, _, err := ParseText(p.Canonical(), Defaults{})
	if err != nil || !again.Equal(p) {
		t.Fatalf("parse of canonical %q: %v", p.Canonical(), err)
	}
	if len(p.Names()) == 0 || len(p.Names()) > maxNames || p.Birth().check() != nil {
		t.Fatalf("%d names, born %v", len(p.Names()), p.Birth())
	}
	checkProfile(t, p.Profile())
}

func checkProfile(t *testing.T, p Profile) {
	t.Helper()
	keys := p.Keys()
	if len(keys) > KeysPerPerson {
		t.Fatalf("%d keys", len(keys))
	}
	for i, k := range keys {
		if !utf8.Valid(k) || strings.IndexByte("DMPNLI", k[0]) < 0 || k[1] != '|' {
			t.Fatalf("key %q", k)
		}
		for _, o := range keys[:i] {
			if slices.Equal(k, o) {
				t.Fatalf("key %q stands twice", k)
			}
		}
	}
	checkBounds(t, p)
}

// FuzzRestore: accepted bytes are canonical, so they come back unchanged.
func FuzzRestore(f *testing.F) {
	for _, r := range loadCorpus(f) {
		f.Add([]byte("\x01" + r.canonical))
	}
	f.Fuzz(func(t *testing.T, element []byte) {
		p, err := Restore(element)
		if err != nil {
			if r, ok := errors.AsType[*Rejection](err); !ok || r.Reason != ReasonNotCanonical {
				t.Fatalf("rejection %v", err)
			}
			return
		}
		if !slices.Equal(p.Element(), element) {
			t.Fatalf("%q came back as %q", element, p.Element())
		}
		checkPerson(t, p)
	})
}

// FuzzRules: any text is either a table or an error, and reading never panics.
func FuzzRules(f *testing.F) {
	for _, name := range scripts {
		text, err := readTable(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "word")
	}
	f.Add("class C = abc\ninherent a keep\nclass S = x\na\tb\t[#@C]\t-\n", "aaxb")
	f.Fuzz(func(t *testing.T, text, word string) {
		s, err := parseRules(text)
		if err != nil {
			return
		}
		latin, _ := (&tableSet{letters: s.rules}).romanise(strings.ToValidUTF8(word, ""))
		if len(latin) > (len(word)+1)*(len(text)+8) {
			t.Fatalf("%d bytes became %d", len(word), len(latin))
		}
	})
}
