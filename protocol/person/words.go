package person

import "strings"

// maxWords bounds the words of one name that enter matching.
const maxWords = 10

// words returns the words of a canonical name as matching compares them: in Latin letters,
// without doubled consonants, articles, particles, titles and initials, compounds taken
// apart. Unknown says that a letter was in no table.
func (t *tableSet) wordsOf(name string) (words []string, unknown bool) {
	latin := make([]string, 0, maxWords)
	for w := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == ' ' || r == '-' }) {
		l, u := t.romanise(strings.ReplaceAll(w, "'", ""))
		unknown = unknown || u
		latin = append(latin, strings.Fields(l)...)
	}
	latin = t.takeApart(t.somaliSpelling(latin))
	return t.nameWords(latin), unknown
}

// somaliSpelling reads c and x as Somali does if one word shows that spelling.
func (t *tableSet) somaliSpelling(words []string) []string {
	for _, w := range words {
		for _, beginning := range t.somali {
			if strings.HasPrefix(w, beginning) {
				for i := range words {
					words[i] = strings.ReplaceAll(strings.ReplaceAll(words[i], "c", ""), "x", "h")
				}
				return words
			}
		}
	}
	return words
}

// takeApart splits the given names of a Chinese name in Latin letters into syllables. A
// name is Chinese if all its words are one or two pinyin syllables and one is a surname.
func (t *tableSet) takeApart(words []string) []string {
	if len(words) < 2 {
		return words
	}
	surname, joined := false, false
	for _, w := range words {
		s := w
		if read, ok := t.irregular[w]; ok {
			s = read
		}
		if is, ok := t.syllable[s]; ok {
			surname = surname || is
			continue
		}
		if t.syllables(w) == 0 {
			return words
		}
		joined = true
	}
	if !surname || !joined {
		return words
	}
	out := make([]string, 0, maxWords)
	for _, w := range words {
		if n := t.syllables(w); n > 0 {
			out = append(out, w[:n], w[n:])
			continue
		}
		out = append(out, w)
	}
	return out
}

// syllables returns where the second of exactly two pinyin syllables begins, or 0. The
// second begins with a consonant, as pinyin without apostrophe has it; of two ways to
// divide the longer first syllable wins.
func (t *tableSet) syllables(w string) int {
	if _, one := t.syllable[w]; one || len(w) > 12 {
		return 0
	}
	for n := min(len(w)-1, 6); n >= 1; n-- {
		if strings.IndexByte("aeiou", w[n]) >= 0 {
			continue
		}
		_, first := t.syllable[w[:n]]
		_, second := t.syllable[w[n:]]
		if first && second && len(w[n:]) > 1 {
			return n
		}
	}
	return 0
}

// nameWords leaves out what is no name, unless nothing would be left.
func (t *tableSet) nameWords(latin []string) []string {
	out := make([]string, 0, maxWords)
	for i := 0; i < len(latin); i++ {
		next := ""
		if i+1 < len(latin) {
			next = latin[i+1]
		}
		w := squeeze(latin[i])
		switch t.words[w] {
		case articleWord, particleWord, relationWord, titleWord:
			continue
		case assimilatedWord:
			if next != "" && next[0] == w[len(w)-1] || strings.HasSuffix(w, "h") && strings.HasPrefix(next, w[1:]) {
				continue
			}
		}
		if len(w) == 1 {
			continue
		}
		out = t.compound(out, latin[i])
	}
	if len(out) == 0 {
		for _, w := range latin {
			out = append(out, squeeze(w))
		}
	}
	return distinct(out[:min(len(out), maxWords)])
}

func distinct(words []string) []string {
	out := words[:0]
next:
	for _, w := range words {
		for _, o := range out {
			if o == w {
				continue next
			}
		}
		out = append(out, w)
	}
	return out
}

// compound appends the parts of one word, each read as the table of irregular forms says.
func (t *tableSet) compound(out []string, w string) []string {
	if n := len(out); n > 0 && out[n-1] == "abd" && (w == "allah" || w == "ullah" || w == "alah") {
		out[n-1] = "abdulah"
		return out
	}
	if read, ok := t.irregular[squeeze(w)]; ok {
		return append(out, strings.Fields(read)...)
	}
	if rest, ok := strings.CutPrefix(w, "abd"); ok {
		return t.servant(out, rest)
	}
	if head, tail := t.suffixed(w); head != "" {
		return append(t.compound(out, head), tail)
	}
	w = squeeze(w)
	if head, tail := t.prefixed(w); tail != "" {
		if head == "" {
			return t.compound(out, tail)
		}
		return t.compound(t.compound(out, head), tail)
	}
	return append(out, w)
}

// servant appends a name that begins with abd, servant of: Abdullah in one word, others as
// abd and the name without its article.
func (t *tableSet) servant(out []string, rest string) []string {
	name := strings.TrimLeft(rest, "aeiouy")
	vowels := len(rest) - len(name)
	if vowels == 0 || name == "" {
		return append(out, squeeze("abd"+rest))
	}
	if name[0] == 'l' {
		god := strings.TrimLeft(name, "l")
		switch god {
		case "":
			return append(out, "abd")
		case "ah", "a", "ahi", "aye", "ae", "ai", "aahi", "aah", "oh", "o", "eh", "aj":
			return append(out, "abdulah")
		}
		if len(name) >= 4 {
			name = name[1:]
		}
	}
	if len(name) < 3 {
		return append(out, squeeze("abd"+rest))
	}
	return t.compound(append(out, "abd"), name)
}

// prefixed takes apart compounds by their first part, which has no head if it is no name. An
// article that is joined to a long name is such a part: al or el before a consonant but l
// and y, if five letters or more follow.
func (t *tableSet) prefixed(w string) (head, tail string) {
	for _, p := range t.firstParts {
		if tail, ok := strings.CutPrefix(w, p.part); ok && len(tail) >= p.rest {
			return p.read, tail
		}
	}
	if (strings.HasPrefix(w, "al") || strings.HasPrefix(w, "el")) && len(w) >= 7 && strings.IndexByte("aeiouyl", w[2]) < 0 {
		return "", w[2:]
	}
	return "", ""
}

// suffixed takes apart compounds by their last part.
func (t *tableSet) suffixed(w string) (head, tail string) {
	for _, p := range t.lastParts {
		if head, ok := strings.CutSuffix(w, p.part); ok && len(head) >= 3 {
			return head, p.read
		}
	}
	return "", ""
}

// squeeze writes doubled consonants once.
func squeeze(w string) string {
	for i := 1; i < len(w); i++ {
		if w[i] == w[i-1] && doubles(w[i]) {
			b := make([]byte, 0, len(w))
			b = append(b, w[:i]...)
			for ; i < len(w); i++ {
				if w[i] != w[i-1] || !doubles(w[i]) {
					b = append(b, w[i])
				}
			}
			return string(b)
		}
	}
	return w
}

func doubles(c byte) bool {
	switch c {
	case 'a', 'e', 'i', 'o', 'u':
		return false
	}
	return c >= 'a' && c <= 'z'
}
