package world

import (
	"slices"
	"strings"
	"unicode"
)

// article marks a name that has the Arabic article before it.
const article = "al+"

// withArticle writes the article before a name. The words are of the own form only if they
// hold no article: Arabic script writes it as part of the word.
func (w *writer) withArticle(words []string) []string {
	first := words[0]
	joined := strings.ToLower(first)
	switch w.share(articleWeights(w.column == 1)...) {
	case 0:
		words[0] = "al-" + first
	case 1:
		words[0] = "Al-" + first
	case 2:
		words = slices.Insert(words, 0, "Al")
	case 3:
		words = slices.Insert(words, 0, "El")
	case 4:
		words[0] = "El-" + first
	case 5:
		words[0] = "Al" + joined
	case 6:
		words[0] = "A" + sun(joined) + "-" + first
	}
	return words
}

// sun returns the letter that the l of the article becomes before a name: the sun letters of
// Arabic assimilate it.
func sun(name string) string {
	for _, letter := range []string{"sh", "dh", "th", "t", "d", "r", "z", "s", "n"} {
		if strings.HasPrefix(name, letter) {
			return letter
		}
	}
	return "l"
}

// withParticle puts bin, bint and the like before the father's name, where the culture has
// them.
func (w *writer) withParticle(names []written) []written {
	pool := w.person.tradition.stock.pool("particle", w.person.Female, w.person.Origin)
	i := slices.IndexFunc(names, func(n written) bool { return n.role == Father })
	if len(pool) == 0 || i < 1 || w.person.Culture == Tamil && w.person.Origin != "MY" {
		return names
	}
	kept := ParticleKept
	if w.person.Origin == "MY" {
		kept = MalayKept
	}
	c := pool[0].columns[0]
	if !w.chance(kept) || w.own && c.own[0] == "" {
		return names
	}
	if w.own {
		names[i].words = slices.Insert(names[i].words, 0, c.own[0])
		return names
	}
	particle, first := c.latin[w.rank(len(c.latin), 1)][0], names[i].words[0]
	plain := !strings.ContainsAny(particle, "./")
	switch how := w.share(particleWeights()...); {
	case how == 1 && plain:
		names[i].words[0] = particle + "-" + first
	case how == 2 && plain:
		names[i].words[0] = strings.ToUpper(particle[:1]) + particle[1:] + strings.ToLower(first)
	default:
		names[i].words = slices.Insert(names[i].words, 0, particle)
	}
	return names
}

// respell applies one of the rules that fit the word, at one of the places where it fits.
func respell(d *dice, word string, rules []rule) (string, bool) {
	runes, lower := []rune(word), []rune(strings.ToLower(word))
	type place struct{ rule, at int }
	var fits []place
	for i, r := range rules {
		for at := range lower {
			if r.fits(lower, at) && readable(lower, replace(lower, at, len(r.from), r.to), r) {
				fits = append(fits, place{i, at})
			}
		}
	}
	if len(fits) == 0 {
		return word, false
	}
	p := fits[d.below(len(fits))]
	r := rules[p.rule]
	out := replace(runes, p.at, len(r.from), r.to)
	if unicode.IsUpper(runes[p.at]) {
		out[p.at] = unicode.ToUpper(out[p.at])
	}
	return string(out), true
}

// fits reports whether the rule's letters stand at a place. A single letter is not taken
// from a double one.
func (r rule) fits(word []rune, at int) bool {
	next := at + len(r.from)
	if next > len(word) || !slices.Equal(word[at:next], r.from) || r.inner && at == 0 || r.end && next < len(word) {
		return false
	}
	single := len(r.from) == 1
	return !(single && at > 0 && word[at-1] == word[at] || single && next < len(word) && word[next] == word[at])
}

// replace puts other letters for n of them.
func replace(word []rune, at, n int, to []rune) []rune {
	return slices.Concat(word[:at], to, word[at+n:])
}

// readable refuses spellings that nobody writes: words of one letter, no more than two vowels
// together unless there were more, and letters newly doubled but for consonants between
// vowels and what the rule itself asks for.
func readable(before, after []rune, r rule) bool {
	if len(after) < 2 || unicode.Is(unicode.Mn, after[0]) || vowels(after) > max(2, vowels(before)) {
		return false
	}
	text := string(before)
	for i := 1; i < len(after); i++ {
		pair := string(after[i-1 : i+1])
		if i > 1 && after[i] == after[i-1] && after[i] == after[i-2] {
			return false
		}
		if after[i] != after[i-1] || strings.Contains(text, pair) || isVowel(after[i]) && strings.Contains(string(r.to), pair) || r.end {
			continue
		}
		between := i > 1 && isVowel(after[i-2]) && i+1 < len(after) && isVowel(after[i+1])
		if isVowel(after[i]) || after[i] == 'h' || !between {
			return false
		}
	}
	return true
}

// vowels is the length of the longest run of Latin vowels.
func vowels(word []rune) int {
	longest, run := 0, 0
	for _, r := range word {
		if isVowel(r) {
			run++
		} else {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// isVowel reports whether a small letter is a Latin vowel.
func isVowel(r rune) bool { return strings.ContainsRune("aeiou", r) }

// mistype slips once on the keyboard. Chinese characters, which are typed by their sound, are
// left alone, and so is whatever is no letter: marks of a syllable go with their letter.
func mistype(d *dice, word string) (string, bool) {
	runes := []rune(word)
	var letters []int
	for i, r := range runes {
		if unicode.IsLetter(r) && !unicode.Is(unicode.Han, r) {
			letters = append(letters, i)
		}
	}
	if len(letters) < 2 {
		return word, false
	}
	k := d.below(len(letters))
	i := letters[k]
	switch d.below(4) {
	case 0: // left out
		runes = slices.Delete(runes, i, i+1)
	case 1: // doubled
		runes = slices.Insert(runes, i, runes[i])
	case 2: // exchanged with the next letter, or the one before the last
		j := letters[min(k, len(letters)-2)+1]
		i = letters[min(k, len(letters)-2)]
		runes[i], runes[j] = runes[j], runes[i]
	default:
		runes[i] = neighbour(d, runes[i])
	}
	// Capitals stay where they are.
	for i, r := range []rune(word)[:min(len(runes), len([]rune(word)))] {
		if unicode.IsUpper(r) {
			runes[i] = unicode.ToUpper(runes[i])
		} else {
			runes[i] = unicode.ToLower(runes[i])
		}
	}
	return string(runes), string(runes) != word
}

// neighbour returns a key beside the letter's own on a QWERTY keyboard, and doubles nothing:
// letters of other keyboards stay as they are.
func neighbour(d *dice, r rune) rune {
	for _, row := range []string{"qwertyuiop", "asdfghjkl", "zxcvbnm"} {
		i := strings.IndexRune(row, unicode.ToLower(r))
		if i < 0 {
			continue
		}
		if i == 0 || i < len(row)-1 && d.below(2) == 1 {
			i++
		} else {
			i--
		}
		if unicode.IsUpper(r) {
			return unicode.ToUpper(rune(row[i]))
		}
		return rune(row[i])
	}
	return r
}
