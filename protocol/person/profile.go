package person

import "strings"

// word is one word of a name in the forms that matching compares.
type word struct {
	sound    string
	skeleton string
	bits     int  // what it says when it agrees, in bits
	weak     bool // stands beside so many names that it makes no key
}

// Profile is what matching derives from a person: words and date of birth. It is secret
// like the person, and prints nothing of itself.
type Profile struct {
	names [][]word // the primary name first
	birth Birth
}

// Profile derives keys and features' common part.
func (p Person) Profile() Profile {
	t := tables()
	out := Profile{birth: p.Birth()}
	if p.text == nil {
		return out
	}
	_, names, _ := strings.Cut(*p.text, "|")
	for n := range strings.SplitSeq(names, "|") {
		words, _ := t.wordsOf(n)
		ws := make([]word, 0, len(words))
		for _, w := range words {
			ws = append(ws, t.wordOf(w))
		}
		out.names = append(out.names, ws)
	}
	return out
}

func (t *tableSet) wordOf(form string) word {
	w := word{sound: t.soundOf(form)}
	w.skeleton = skeletonOf(w.sound)
	w.weak = t.words[form] == weakWord || t.words[form] == prefixWord
	w.bits = t.bitsOf(form, w)
	return w
}

// bitsOf is the weight of a word by a fixed rule.
func (t *tableSet) bitsOf(form string, w word) int {
	if w.weak {
		return params.weak
	}
	if b, ok := t.common[w.skeleton]; ok {
		return int(b)
	}
	n := 0
	for i := range len(w.sound) {
		if !vowel(w.sound[i]) {
			n++
		}
	}
	return params.length[min(n, 6)]
}
