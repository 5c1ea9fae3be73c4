package person

import "unicode/utf8"

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

// skeletonOf reduces sounds to what romanisations have in common: classes of consonants
//
//	p  b p f        t  t d          k  k x g h       c  c C Z J z
//	v  v            s  s S          m, n, r, l       letters that are not Latin
//
// without vowels, but for A or U in front if the word begins with a or i, or with u. At
// the end l is n, and r before n falls away, as in Thai. Words of one or two consonants
// would say too little: one keeps the vowels around it, two the vowel between them if
// there is no other.
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
	n := len(out)
	if n > 2 && (out[n-1] == 'n' || out[n-1] == 't') && out[n-2] == 'r' && !vowel(sound[len(sound)-2]) {
		out, n = append(out[:n-2], out[n-1]), n-1
	}
	if n > 2 && out[n-1] == 't' && out[n-2] == 'n' && !vowel(sound[len(sound)-1]) && !vowel(sound[len(sound)-2]) {
		out, n = out[:n-1], n-1
	}
	if n > 0 && out[n-1] == 'l' && !vowel(sound[len(sound)-1]) {
		out[n-1] = 'n'
	}
	return short(out, sound, vowels)
}

func short(out []byte, sound string, vowels int) string {
	switch {
	case len(sound) == 0:
		return ""
	case len(out) == 0:
		return sound
	case len(out) == 1:
		if vowel(sound[0]) {
			out = append([]byte{two(sound[0]) - 32}, out...)
		}
		if last := sound[len(sound)-1]; vowel(last) {
			out = append(out, two(last))
		}
		return string(out)
	case len(out) == 2 && vowels == 1 && !vowel(sound[0]) && !vowel(sound[len(sound)-1]):
		for i := range len(sound) {
			if vowel(sound[i]) {
				return string([]byte{out[0], two(sound[i]), out[1]})
			}
		}
	}
	switch sound[0] {
	case 'a', 'i':
		return "A" + string(out)
	case 'u':
		return "A" + string(out)
	}
	return string(out)
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

// two tells vowels apart as well as romanisations do: o and u from the others.
func two(v byte) byte {
	if v == 'i' {
		return 'a'
	}
	return v
}
