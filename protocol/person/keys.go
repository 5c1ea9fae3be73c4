package person

import (
	"slices"
	"strconv"
)

// KeysPerPerson is the number of keys to which strict mode pads every record. Records with
// more keep the most selective ones.
const KeysPerPerson = 16

// Keys returns the keys under which candidates for the person are looked for: two records
// that share one are a candidate pair. They are distinct, at most KeysPerPerson, in a
// fixed order, the most selective first:
//
//	D|skeleton|year|low|high    a word, with day and month in either order
//	M|skeleton|year|month       a word, with year and month
//	P|skeleton|skeleton|year    two words of one name in byte order
//
// D and P stand under the year of birth and the one before, so that two records whose
// years differ by one share a key. 1 January counts as no day and no month. Padding and
// caps on common keys are the caller's.
func (p Profile) Keys() [][]byte {
	b := keyBuilder{birth: p.birth}
	for _, name := range p.names {
		b.name(name)
	}
	slices.SortFunc(b.keys, func(x, y rankedKey) int {
		if x.rank != y.rank {
			return y.rank - x.rank
		}
		return slices.Compare(x.key, y.key)
	})
	out := make([][]byte, 0, KeysPerPerson)
	for _, k := range b.keys {
		if n := len(out); n == KeysPerPerson {
			break
		} else if n == 0 || !slices.Equal(out[n-1], k.key) {
			out = append(out, k.key)
		}
	}
	return out
}

// rankedKey ranks by kind, then by the weight of its words: equal keys have equal rank.
type rankedKey struct {
	rank int
	key  []byte
}

type keyBuilder struct {
	birth Birth
	keys  []rankedKey
	arena []byte
}

func (b *keyBuilder) name(words []word) {
	strong := 0
	for _, w := range words {
		if !w.weak {
			strong++
		}
	}
	for i, w := range words {
		if w.weak && strong >= 2 {
			continue
		}
		b.single(w)
		for _, v := range words[:i] {
			if v.weak && strong >= 2 || v.skeleton == w.skeleton {
				continue
			}
			first, second := min(v.skeleton, w.skeleton), max(v.skeleton, w.skeleton)
			b.add(v.weight+w.weight, 'P', first, second, b.birth.Year, 0, 0)
			b.add(v.weight+w.weight, 'P', first, second, b.birth.Year-1, 0, 0)
		}
	}
}

func (b *keyBuilder) single(w word) {
	d := b.birth
	if d.known() {
		low, high := min(d.Day, d.Month), max(d.Day, d.Month)
		b.add(400+w.weight, 'D', w.skeleton, "", d.Year, low, high)
		b.add(400+w.weight, 'D', w.skeleton, "", d.Year-1, low, high)
	}
	if d.Month != 0 && (d.Day == 0 || d.known()) {
		b.add(200+w.weight, 'M', w.skeleton, "", d.Year, d.Month, 0)
	}
}

func (b *keyBuilder) add(rank int, kind byte, first, second string, numbers ...int) {
	if b.arena == nil {
		b.arena = make([]byte, 0, 1024)
		b.keys = make([]rankedKey, 0, 32)
	}
	start := len(b.arena)
	b.arena = append(append(append(b.arena, kind, '|'), first...), '|')
	if second != "" {
		b.arena = append(append(b.arena, second...), '|')
	}
	for i, n := range numbers {
		if n == 0 {
			break
		}
		if i > 0 {
			b.arena = append(b.arena, '|')
		}
		b.arena = strconv.AppendInt(b.arena, int64(n), 10)
	}
	b.keys = append(b.keys, rankedKey{rank, b.arena[start:len(b.arena):len(b.arena)]})
}
