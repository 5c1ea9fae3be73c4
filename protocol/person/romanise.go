package person

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// romanise writes one word of a canonical name in the letters a to z by the tables. Where
// a script shows that a new word begins (a Chinese character, a Hangul or Burmese syllable)
// the result has a space. Letters that no table knows stay as they are, and unknown says so.
func (t *tableSet) romanise(word string) (latin string, unknown bool) {
	if lowerASCII(word) {
		return word, false
	}
	r := romaniser{tables: t, word: t.reordered(word)}
	r.out = make([]byte, 0, 2*len(word))
	r.run()
	return string(r.out), r.unknown
}

func lowerASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return true
}

// reordered moves vowels that are written before their consonant behind it, and removes
// silenced letters with their marks.
func (t *tableSet) reordered(word string) string {
	rules := t.letters[following(word, 0)]
	if len(rules) == 0 || (rules[0].set.reorder == nil && rules[0].set.silence == 0) {
		return word
	}
	set := rules[0].set
	for _, o := range set.omit {
		word = strings.ReplaceAll(word, o, "")
	}
	rs := []rune(word)
	out := rs[:0]
	for i := 0; i < len(rs); i++ {
		switch {
		case set.reorder != nil && set.reorder.has(rs[i]) && i+1 < len(rs):
			rs[i], rs[i+1] = rs[i+1], rs[i]
			out = append(out, rs[i], rs[i+1])
			i++
		case set.silence != 0 && rs[i] == set.silence:
			for len(out) > 0 && set.between.has(out[len(out)-1]) {
				out = out[:len(out)-1]
			}
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, rs[i])
		}
	}
	return string(out)
}

type romaniser struct {
	tables  *tableSet
	word    string
	out     []byte
	unknown bool
	pending string // inherent vowel of the last consonant, not yet written
	keep    bool   // that vowel is also written at the end of a word
}

func (r *romaniser) run() {
	prev := rune(edge)
	for i := 0; i < len(r.word); {
		c, width := utf8.DecodeRuneInString(r.word[i:])
		if m := match(r.tables.letters[c], r.word, i, width, prev); m != nil {
			r.apply(m, following(r.word, i+m.size))
			i, prev = i+m.size, m.last
			continue
		}
		r.single(c, i == 0)
		i, prev = i+width, c
	}
	r.flush("")
}

// apply writes what a rule gives, and before it the inherent vowel of the consonant before
// unless a vowel follows.
func (r *romaniser) apply(m *rule, next rune) {
	r.flush(m.out)
	r.out = append(r.out, m.out...)
	if m.out == "" || (len(m.out) > 1 && m.out[len(m.out)-1] == ' ') || m.set.inherent == "" || !m.set.carries.has(m.last) || m.set.suppress.has(next) {
		return
	}
	if next != edge || m.set.keepFinal {
		r.pending, r.keep = m.set.inherent, m.set.keepFinal
	}
}

// flush writes the inherent vowel before what comes next: not before a vowel, and not at the
// end of a word in scripts that drop it there.
func (r *romaniser) flush(next string) {
	switch {
	case r.pending == "":
	case next == "":
		r.out = append(r.out, r.pending...)
	case next[0] == ' ' && !r.keep, strings.IndexByte("aeiou", next[0]) >= 0:
	default:
		r.out = append(r.out, r.pending...)
	}
	r.pending = ""
}

// single writes a character that no rule begins with.
func (r *romaniser) single(c rune, first bool) {
	if c >= 'a' && c <= 'z' {
		r.flush("")
		r.out = append(r.out, byte(c))
		return
	}
	if unicode.Is(unicode.Mn, c) || c == '\'' {
		return
	}
	r.flush("")
	if reading, ok := r.tables.reading(c, first); ok {
		r.out = append(append(r.out, ' '), reading...)
		return
	}
	if hangul(&r.out, c, first) {
		return
	}
	r.decompose(c)
}

// decompose writes the letters without their marks.
func (r *romaniser) decompose(c rune) {
	var b [utf8.UTFMax]byte
	d := norm.NFKD.Properties(b[:utf8.EncodeRune(b[:], c)]).Decomposition()
	known := false
	for len(d) > 0 {
		part, width := utf8.DecodeRune(d)
		d = d[width:]
		if part >= 'a' && part <= 'z' {
			r.out, known = append(r.out, byte(part)), true
		} else if rules := r.tables.letters[part]; len(rules) > 0 {
			r.out, known = append(r.out, rules[len(rules)-1].out...), true
		} else if !unicode.Is(unicode.Mn, part) {
			known = false
			break
		}
	}
	if !known {
		r.out, r.unknown = utf8.AppendRune(r.out, c), true
	}
}

func (t *tableSet) reading(c rune, first bool) (string, bool) {
	if first {
		if s, ok := t.surname[c]; ok {
			return s, true
		}
	}
	s, ok := t.han[c]
	return s, ok
}

// hangul writes a precomposed syllable by the Revised Romanization of 2000, letter by
// letter. The surname 이, read i, is written Lee or Yi: it becomes li.
func hangul(out *[]byte, c rune, first bool) bool {
	if c < 0xAC00 || c > 0xD7A3 {
		return false
	}
	if first && c == '이' {
		*out = append(*out, " li"...)
		return true
	}
	const finals = 28
	const vowels = 21
	i := int(c - 0xAC00)
	initial := [...]string{"g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h"}
	vowel := [...]string{"a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu", "ui", "i"}
	final := [...]string{"", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng", "t", "t", "k", "t", "p", "t"}
	*out = append(*out, ' ')
	*out = append(*out, initial[i/(finals*vowels)]...)
	*out = append(*out, vowel[i/finals%vowels]...)
	*out = append(*out, final[i%finals]...)
	return true
}
