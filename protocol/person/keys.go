package person

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"unicode/utf8"
)

// KeysPerPerson is the number of keys to which strict mode pads every record. Records with
// more keep the most selective ones.
const KeysPerPerson = 16

// Keys returns the keys under which candidates for the person are looked for: two records
// that share one are a candidate pair. They are distinct, at most KeysPerPerson, in a
// fixed order, the most selective kind first:
//
//	D|skeleton|year|low|high      a word, with day and month in either order
//	M|skeleton|year|month         a word, with year and month
//	P|skeleton|skeleton|year      two words of one name in byte order
//	N|skeleton|year               the only word of a name
//	L|letters|year                all consonants of a name, sorted: joined or divided words meet
//	I|skeleton|letter|year        a word, and how another of the name begins: initials and slips
//
// D, P, N and L stand under the year of birth and the one before, so that two records whose
// years differ by one share a key. 1 January counts as no day and no month. Padding and
// caps on common keys are the caller's.
func (p Profile) Keys() [][]byte {
	b := keyBuilder{birth: p.birth}
	for _, name := range p.names {
		b.name(name)
	}
	// Once each, at its highest rank; then by rank.
	slices.SortFunc(b.keys, func(x, y rankedKey) int {
		return cmp.Or(bytes.Compare(x.key, y.key), y.rank-x.rank)
	})
	keys := slices.CompactFunc(b.keys, func(x, y rankedKey) bool { return bytes.Equal(x.key, y.key) })
	slices.SortFunc(keys, func(x, y rankedKey) int {
		return cmp.Or(y.rank-x.rank, bytes.Compare(x.key, y.key))
	})
	out := make([][]byte, min(len(keys), KeysPerPerson))
	for i := range out {
		out[i] = keys[i].key
	}
	return out
}

// rankedKey ranks by kind, then by the weight of its words.
type rankedKey struct {
	rank int
	key  []byte
}

type keyBuilder struct {
	birth Birth
	keys  []rankedKey
	arena []byte
}

// Ranks of the kinds of keys. The weights of words, at most 2*36, order keys of a kind.
const (
	rankBirth   = 500 // D
	rankMonth   = 400 // M
	rankPair    = 300 // P, N, same year
	rankLetters = 220 // L
	rankInitial = 120 // I
	rankBefore  = 0   // P, N, year before
)

func (b *keyBuilder) name(words []word) {
	b.letters(words)
	strong := 0
	for _, w := range words {
		if !w.weak {
			strong++
		}
	}
	if len(words) == 1 {
		b.add(rankPair, 'N', words[0].skeleton, "", b.birth.Year)
		b.add(rankBefore, 'N', words[0].skeleton, "", b.birth.Year-1)
	}
	for i, w := range words {
		if w.weak && strong >= 2 {
			continue
		}
		b.single(w)
		for _, v := range words[:i] {
			if (!v.weak || strong < 2) && v.skeleton != w.skeleton {
				b.pair(v, w)
			}
		}
	}
}

func (b *keyBuilder) single(w word) {
	d := b.birth
	if d.known() {
		low, high := min(d.Day, d.Month), max(d.Day, d.Month)
		b.add(rankBirth+w.weight, 'D', w.skeleton, "", d.Year, low, high)
		b.add(rankBirth+w.weight, 'D', w.skeleton, "", d.Year-1, low, high)
	}
	if d.Month != 0 && (d.Day == 0 || d.known()) {
		b.add(rankMonth+w.weight, 'M', w.skeleton, "", d.Year, d.Month)
	}
}

func (b *keyBuilder) pair(v, w word) {
	first, second := min(v.skeleton, w.skeleton), max(v.skeleton, w.skeleton)
	b.add(rankPair+v.weight+w.weight, 'P', first, second, b.birth.Year)
	b.add(rankBefore+v.weight+w.weight, 'P', first, second, b.birth.Year-1)
	b.add(rankInitial+w.weight, 'I', w.skeleton, initial(v), b.birth.Year)
	b.add(rankInitial+v.weight, 'I', v.skeleton, initial(w), b.birth.Year)
}

func initial(w word) string {
	_, width := utf8.DecodeRuneInString(w.skeleton)
	return w.skeleton[:width]
}

// leastLetters is how many consonants a whole name needs for a key of its own.
const leastLetters = 4

// letters adds the keys of the whole name: its classes of consonants in order of the
// alphabet, whatever the order of the words and wherever one is written as two.
func (b *keyBuilder) letters(words []word) {
	var buf [maxWords * maxSound]rune
	all := buf[:0]
	for _, w := range words {
		for _, r := range w.sound {
			switch {
			case r >= utf8.RuneSelf:
				all = append(all, r)
			case !vowel(byte(r)):
				all = append(all, rune(consonantClass(byte(r))))
			}
		}
	}
	if len(all) < leastLetters {
		return
	}
	slices.Sort(all)
	b.add(rankLetters, 'L', string(all), "", b.birth.Year)
	b.add(rankLetters, 'L', string(all), "", b.birth.Year-1)
}

func (b *keyBuilder) add(rank int, kind byte, first, second string, numbers ...int) {
	if b.arena == nil {
		b.arena = make([]byte, 0, 1024)
		b.keys = make([]rankedKey, 0, 48)
	}
	start := len(b.arena)
	b.arena = append(append(append(b.arena, kind, '|'), first...), '|')
	if second != "" {
		b.arena = append(append(b.arena, second...), '|')
	}
	for i, n := range numbers {
		if i > 0 {
			b.arena = append(b.arena, '|')
		}
		b.arena = strconv.AppendInt(b.arena, int64(n), 10)
	}
	b.keys = append(b.keys, rankedKey{rank, b.arena[start:len(b.arena):len(b.arena)]})
}
