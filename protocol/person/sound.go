package person

import (
	"strings"
	"unicode/utf8"
)

// maxSound bounds the sounds of one word; longer words are cut, on both sides alike.
const maxSound = 24

// soundOf turns a word into sounds by the table: consonants as their letters, each run of
// vowels as one of a, i and u, by its last letter. Letters that are not Latin stay.
func (t *tableSet) soundOf(word string) string {
	var buf [maxSound + 8]byte
	out := buf[:0]
	prev := rune(edge)
	for i := 0; i < len(word) && len(out) < maxSound; {
		c := word[i]
		if c >= utf8.RuneSelf {
			r, width := utf8.DecodeRuneInString(word[i:])
			out = append(out, word[i:i+width]...)
			i, prev = i+width, r
			continue
		}
		m := match(t.sound[c], word, i, 1, prev)
		if m == nil {
			i, prev = i+1, rune(c)
			continue
		}
		for k := range len(m.out) {
			out = appendSound(out, m.out[k])
		}
		i, prev = i+m.size, m.last
	}
	return string(out)
}

// appendSound keeps one sound of a run of vowels and one of a run of equal consonants.
func appendSound(out []byte, s byte) []byte {
	n := len(out)
	if n > 0 && vowel(s) && vowel(out[n-1]) {
		out[n-1] = s
		return out
	}
	if n > 0 && out[n-1] == s {
		return out
	}
	return append(out, s)
}

func vowel(s byte) bool { return s == 'a' || s == 'i' || s == 'u' }

// skeletonOf reduces sounds to what romanisations have in common: the classes of consonants
//
//	p  b p f    t  t d    k  k x g h    c  c C J s S z Z    v, m, n, r, l    other letters
//
// without vowels, but for an A in front if the word begins with one. At the end l is n, r
// before n or t falls away, and so does t after n: Thai and Burmese write the one and say the
// other. Words of one or two consonants would say too little: one keeps the vowels around
// it, two the vowel between them if there is no other.
func skeletonOf(sound string) string {
	var buf [maxSound + 10]byte
	out := buf[:0]
	vowels := 0
	for i := range len(sound) {
		if vowel(sound[i]) {
			vowels++
			continue
		}
		c := consonantClass(sound[i])
		if n := len(out); n > 0 && c < utf8.RuneSelf && out[n-1] == c && !vowel(sound[i-1]) {
			continue
		}
		out = append(out, c)
	}
	return withVowels(ending(out, sound), sound, vowels)
}

// ending simplifies two last consonants that no vowel parts and no vowel follows, and a last l.
func ending(out []byte, sound string) []byte {
	n, last := len(out), len(sound)-1
	if n == 0 || vowel(sound[last]) {
		return out
	}
	if n > 2 && !vowel(sound[last-1]) {
		switch string(out[n-2:]) {
		case "rn", "rt":
			out = append(out[:n-2], out[n-1])
		case "nt":
			out = out[:n-1]
		}
	}
	if n := len(out); out[n-1] == 'l' {
		out[n-1] = 'n'
	}
	return out
}

// withVowels adds the vowels that count.
func withVowels(out []byte, sound string, vowels int) string {
	if sound == "" || len(out) == 0 {
		return sound
	}
	first, last := sound[0], sound[len(sound)-1]
	switch {
	case len(out) == 1:
		if vowel(first) {
			out = append([]byte{backOrFront(first) - 'a' + 'A'}, out...)
		}
		if vowel(last) {
			out = append(out, backOrFront(last))
		}
		return string(out)
	case len(out) == 2 && vowels == 1 && !vowel(first) && !vowel(last):
		between := sound[strings.IndexAny(sound, "aiu")]
		return string([]byte{out[0], backOrFront(between), out[1]})
	case vowel(first):
		return "A" + string(out)
	}
	return string(out)
}

// backOrFront tells vowels apart as well as romanisations do: o and u from the others.
func backOrFront(v byte) byte {
	if v == 'i' {
		return 'a'
	}
	return v
}

func consonantClass(s byte) byte {
	switch s {
	case 'b', 'f':
		return 'p'
	case 'd':
		return 't'
	case 'C', 'Z', 'J', 'z', 's', 'S':
		return 'c'
	case 'x', 'g', 'h':
		return 'k'
	}
	return s
}
