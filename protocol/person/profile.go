package person

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// word is one word of a name in the forms that matching compares.
type word struct {
	sound    string
	skeleton string
	weight   int  // magnitude of the skeleton's feature; larger is rarer
	weak     bool // stands beside so many names that it makes no key
}

// Profile is what matching derives from a person: words and date of birth. It is as
// secret as the person and prints nothing of itself.
type Profile struct {
	names [][]word // the primary name first
	birth Birth
	text  string // canonical text, to tell identical records
}

// Profile derives the words of all names.
func (p Person) Profile() Profile {
	if p.text == nil {
		return Profile{}
	}
	t := tables()
	out := Profile{birth: p.Birth(), text: *p.text}
	_, names, _ := strings.Cut(*p.text, "|")
	for n := range strings.SplitSeq(names, "|") {
		forms, _ := t.wordsOf(n)
		words := make([]word, len(forms))
		for i, f := range forms {
			words[i] = t.wordOf(f)
		}
		out.names = append(out.names, words)
	}
	return out
}

func (t *tableSet) wordOf(form string) word {
	w := word{sound: t.soundOf(form)}
	if w.sound == "" {
		w.sound = form // a word of silent letters alone
	}
	w.skeleton = skeletonOf(w.sound)
	kind := t.words[form]
	w.weak = kind == weakWord || kind == prefixWord
	w.weight = t.weightOf(w)
	return w
}

// weightOf is the magnitude of a skeleton's feature: by a published list of common names,
// else by the number of consonants, since longer names are rarer. Its square over Unit is
// the weight in bits: 1.9 for weak words, 1.8, 2.3 and 2.6 for common ones, 3.2 to 4.1.
func (t *tableSet) weightOf(w word) int {
	if w.weak {
		return 24
	}
	switch t.common[w.skeleton] {
	case 1:
		return 23
	case 2:
		return 26
	case 3:
		return 28
	}
	n := 0
	for i := range len(w.skeleton) {
		if c := w.skeleton[i]; c >= 'b' && c != 'u' {
			n++
		}
	}
	return 30 + min(n, 5)
}

// String returns a placeholder.
func (p Profile) String() string { return "[profile]" }

// Format prints the placeholder under every verb and flag.
func (p Profile) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, p.String()) }

// LogValue logs the placeholder.
func (p Profile) LogValue() slog.Value { return slog.StringValue(p.String()) }
