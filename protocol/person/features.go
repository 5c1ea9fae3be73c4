package person

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Dimensions is the length of a vector. The cost of a comparison under encryption is
// proportional to it, and features of different words that fall together make noise that
// grows with the root of its inverse: of candidate pairs of invented names (simulations/matching,
// seeds 11 to 13), 512 dimensions match 0.75 of the true pairs at a precision of 0.94 to 0.95,
// 1,024 and 2,048 at 0.96.
const Dimensions = 1024

// Unit is the score that stands for one bit of evidence: what is twice as likely between
// records of one person as between those of strangers adds one unit.
const Unit = 300

// DefaultThreshold is the least score of a match, ten bits: with 2,000 true pairs in two
// lists of 20,000 it gives a precision of 0.96 and a recall of 0.75. Each bit more halves the
// wrong hits and costs a twentieth of all true pairs (2700: 0.93 and 0.79; 3300: 0.97 and 0.69).
const DefaultThreshold = 3000

// MaxThreshold is the largest threshold that the bounds allow, twelve bits.
const MaxThreshold = 12 * Unit

// MaxSquare bounds the squared norm of every vector, and so, by Cauchy and Schwarz, each score on
// either side of zero: a score less any threshold up to MaxThreshold has sixteen bits, which
// package similar relies on. Six words of usual length and a date stay within it.
const MaxSquare = 1<<15 - 1 - MaxThreshold

// selfUnit is what the other side's self weight counts. It is near the usual self weight,
// because of all factors of a product equal ones have the least squared norm.
const selfUnit = 63

// Places of the vector: the two self weights, then the parts of the date of birth, each
// with a place of its own, then features of words, which share the rest by hash.
const (
	placeProbe    = 0
	placeTemplate = 1
	placeYear     = 2               // year modulo 64
	placeMonth    = placeYear + 64  // 12
	placeDay      = placeMonth + 12 // 31
	placePair     = placeDay + 31   // day and month in either order, modulo 128
	placeWords    = placePair + 128
)

// Magnitudes of the features; their squares over Unit are bits. They round the weights of a
// logistic regression over the candidate pairs of invented names (development seeds of the
// simulations' generator), made equal for all lengths of words where these hardly differed.
const (
	magnitudeYear   = 35
	magnitudeMonth  = 18
	magnitudeDay    = 26
	magnitudePair   = 57
	squareOfBigrams = 1600 // shared by the bigrams of a word
	squareOfWeak    = 900

	selfDate = 23 // self weight of a day and month that are known
	selfWord = 10
	selfWeak = 9
)

// Side says on which side of the product a vector stands.
type Side bool

// The sides: the probe is encrypted, the template is in the clear at its owner.
const (
	Probe    Side = false
	Template Side = true
)

// Vector is a record's features. The inner product of a probe and a template is the score.
type Vector [Dimensions]int8

// Features returns the profile's vector for one side.
func (p Profile) Features(side Side) *Vector {
	b := vectorBuilder{in: make([]feature, 0, 48)}
	b.date(p.birth)
	for i, name := range p.names {
		// In a fixed order, so that the order in which names are written plays no part.
		for _, w := range slices.SortedFunc(slices.Values(name), compareWords) {
			b.word(w, i == 0)
		}
	}
	v := new(Vector)
	for i, x := range b.sum {
		v[i] = int8(x)
	}
	own, other := placeProbe, placeTemplate
	if side == Template {
		own, other = other, own
	}
	v[own], v[other] = int8(-b.self), selfUnit
	return v
}

// Score is the inner product of the vectors of two profiles. It is symmetric, and linear
// in each side's vector; two records match if it is at least the threshold.
func Score(a, b Profile) int { return Product(a.Features(Probe), b.Features(Template)) }

// Product is the inner product of a probe and a template.
func Product(probe, template *Vector) int {
	s := 0
	for i, x := range probe {
		s += int(x) * int(template[i])
	}
	return s
}

// compareWords puts the words that say most first.
func compareWords(a, b word) int {
	return cmp.Or(b.weight-a.weight, strings.Compare(a.skeleton, b.skeleton), strings.Compare(a.sound, b.sound))
}

// vectorBuilder adds features while they fit into the bounds.
type vectorBuilder struct {
	sum  [Dimensions]int16
	norm int // squared norm of sum, without self weights
	self int
	in   []feature // features of words
}

// feature is one feature of a word where the hash puts it.
type feature struct {
	hash      uint64
	place     int
	magnitude int16
}

func (b *vectorBuilder) add(place int, magnitude int16) {
	old := b.sum[place]
	b.sum[place] = old + magnitude
	b.norm += int(magnitude) * int(2*old+magnitude)
}

func (b *vectorBuilder) date(d Birth) {
	b.add(placeYear+d.Year%64, magnitudeYear)
	if d.Month != 0 && (d.Day == 0 || d.known()) {
		b.add(placeMonth+d.Month-1, magnitudeMonth)
	}
	if !d.known() {
		return
	}
	b.add(placeDay+d.Day-1, magnitudeDay)
	low, high := min(d.Day, d.Month), max(d.Day, d.Month)
	b.add(placePair+(31*low+high)%128, magnitudePair)
	b.self += selfDate
}

// word adds the features of one word, or none of them if a bound would be passed. Self
// weights are those of the primary name.
func (b *vectorBuilder) word(w word, primary bool) {
	square, self := squareOfBigrams, selfWord
	if w.weak {
		square, self = squareOfWeak, selfWeak
	}
	before := len(b.in)
	fits := b.feature(hash('k', w.skeleton), w.weight)
	var buf [maxSound + 10]byte
	c := append(buf[:0], '^')
	for i := range len(w.sound) {
		if s := w.sound[i]; !vowel(s) || s == 'u' {
			c = append(c, s)
		}
	}
	c = append(c, '$')
	magnitude := root(square / (len(c) - 1))
	for i := range len(c) - 1 {
		fits = b.feature(hash('b', string(c[i:i+2])), magnitude) && fits
	}
	if primary {
		b.self += self
	}
	if fits && b.self <= math.MaxInt8 && b.norm+b.self*b.self+selfUnit*selfUnit <= MaxSquare {
		return
	}
	if primary {
		b.self -= self
	}
	for _, f := range b.in[before:] {
		b.add(f.place, -f.magnitude)
	}
	b.in = b.in[:before]
}

// feature adds a feature of words once. It reports whether the entry fits into eight bits.
func (b *vectorBuilder) feature(h uint64, magnitude int) bool {
	for i := range b.in {
		if b.in[i].hash == h {
			return true
		}
	}
	f := feature{h, placeWords + int(h>>8%(Dimensions-placeWords)), int16(magnitude)}
	if h>>63 == 1 {
		f.magnitude = -f.magnitude
	}
	b.in = append(b.in, f)
	b.add(f.place, f.magnitude)
	return b.sum[f.place] <= math.MaxInt8 && b.sum[f.place] >= -math.MaxInt8
}

// root is the integer square root.
func root(n int) int {
	r := 0
	for (r+1)*(r+1) <= n {
		r++
	}
	return r
}

// hash is FNV-1a over the tag and the text, finished by the mixer of splitmix64, so that
// all bits of the result depend on every byte.
func hash(tag byte, s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	h = (h ^ uint64(tag)) * 0x100000001b3
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
