package person

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// checkBounds recomputes what bounds every score: the squared norm of both vectors, and that
// both sides differ in nothing but where the self weight stands.
func checkBounds(t *testing.T, p Profile) {
	t.Helper()
	probe, template := p.Features(Probe), p.Features(Template)
	for i := placeYear; i < Dimensions; i++ {
		if probe[i] != template[i] {
			t.Fatalf("entry %d differs between the sides", i)
		}
	}
	for _, v := range []*Vector{probe, template} {
		square := 0
		for _, x := range v {
			square += int(x) * int(x)
			if x == math.MinInt8 {
				t.Fatal("an entry of −128")
			}
		}
		if square > MaxSquare {
			t.Fatalf("squared norm %d", square)
		}
	}
	switch {
	case probe[placeProbe] > 0 || probe[placeTemplate] != selfUnit:
		t.Fatalf("self weights of the probe: %d, %d", probe[placeProbe], probe[placeTemplate])
	case template[placeTemplate] != probe[placeProbe] || template[placeProbe] != selfUnit:
		t.Fatalf("self weights of the template: %d, %d", template[placeProbe], template[placeTemplate])
	}
}

// TestVectorsStayWithinTheirBound: no record, heavy as it may be, has a vector of a larger
// squared norm than MaxSquare, so that scores less a threshold have sixteen bits.
func TestVectorsStayWithinTheirBound(t *testing.T) {
	if DefaultThreshold > MaxThreshold || MaxSquare+MaxThreshold != 1<<15-1 {
		t.Fatalf("bounds %d and %d", MaxSquare, MaxThreshold)
	}
	ps := developmentProfiles(t, 5, 400)
	// Records made to be heavy: many long words and variants, and words that sound alike, which
	// add to the self weight alone.
	r := rand.New(rand.NewPCG(8, 8))
	for range 400 {
		var f Fields
		f.Name, f.Born = longName(r), "1990-05-17"
		for range r.IntN(3) {
			f.Variants = append(f.Variants, longName(r))
		}
		p, _, err := Parse(f, Defaults{})
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p.Profile())
	}
	ps = append(ps, profileOf(t, "mukhtar moukhtar mokhtar muktar moktar mukhtor mokhtor mouktar muchtar mochtar", "1990-05-17"))
	most, heaviest := 0, 0
	var templates []*Vector
	for _, p := range ps {
		checkBounds(t, p)
		probe := p.Features(Probe)
		heaviest = max(heaviest, Product(probe, probe))
		templates = append(templates, p.Features(Template))
		for _, template := range templates {
			s := Product(probe, template)
			if s > MaxSquare || s < -MaxSquare {
				t.Fatalf("score %d", s)
			}
			most = max(most, s, -s)
		}
	}
	if most < 8000 || heaviest < MaxSquare*9/10 {
		t.Errorf("the largest score is %d, the largest squared norm %d: the heavy records are not heavy", most, heaviest)
	}
}

func longName(r *rand.Rand) string {
	var words []string
	for range 2 + r.IntN(8) {
		var b strings.Builder
		for range 3 + r.IntN(5) {
			b.WriteByte("bdfgklmnprstvz"[r.IntN(14)])
			b.WriteByte("aeiou"[r.IntN(5)])
		}
		words = append(words, b.String())
	}
	return strings.Join(words, " ")
}

// TestWordsThatDoNotFitAreLeftOut: what does not fit is left out whole, so that the vector equals that
// of the record without it.
func TestWordsThatDoNotFitAreLeftOut(t *testing.T) {
	const five = "karimov bolotbek sadirov temirlan nazgulov"
	long, short := profileOf(t, five+" dastanbek valimov rahimov", "1990-05-17"), profileOf(t, five+" dastanbek", "1990-05-17")
	checkBounds(t, long)
	if *long.Features(Probe) != *short.Features(Probe) {
		t.Error("words beyond the bound change the vector")
	}
	if *profileOf(t, five, "1990-05-17").Features(Probe) == *short.Features(Probe) {
		t.Error("words within the bound do not change the vector")
	}
}

func profileOf(t testing.TB, name, born string) Profile {
	t.Helper()
	p, _, err := Parse(Fields{Name: name, Born: born}, Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Profile()
}

func TestScoreIsSymmetricAndFreeOfOrder(t *testing.T) {
	ps := developmentProfiles(t, 6, 200)
	for i, p := range ps {
		q := ps[(i+1)%len(ps)]
		if Score(p, q) != Score(q, p) {
			t.Fatal("the score depends on the side")
		}
	}
	for _, f := range [][2]string{
		{"Mohammed Ali Hassan", "Hassan Mohammed Ali"}, {"Zhang Xiaoming", "Xiaoming Zhang"}, {"von der Leyen Anna", "Anna von der Leyen"},
		{"Bin Laden Omar", "Omar bin Laden"}, {"Anna-Maria Popova", "Popova Maria Anna"},
	} {
		a, b := profileOf(t, f[0], "1980-02-03"), profileOf(t, f[1], "1980-02-03")
		if *a.Features(Probe) != *b.Features(Probe) || !slices.EqualFunc(a.Keys(), b.Keys(), slices.Equal) {
			t.Errorf("%v: keys or features depend on the order", f)
		}
	}
}

// TestEvidenceOrders: a record agrees most with itself, less with a variant, still less
// with a namesake born in another year, and least with a stranger.
func TestEvidenceOrders(t *testing.T) {
	a := profileOf(t, "Yevgeny Kuznetsov", "1980-02-13")
	others := []Profile{
		a, profileOf(t, "Evgenii Kusnezow", "1980-02-13"), profileOf(t, "Evgenii Kuznetsov", "1981-02-13"),
		profileOf(t, "Anna Petrova", "1980-02-13"), profileOf(t, "Anna Petrova", "1965-07-30"),
	}
	last := MaxSquare
	for i, o := range others {
		s := Score(a, o)
		if s >= last {
			t.Errorf("record %d scores %d, the one before %d", i, s, last)
		}
		if want := i < 3; (s >= DefaultThreshold) != want {
			t.Errorf("record %d scores %d: match %v, want %v", i, s, !want, want)
		}
		last = s
	}
}

func TestHashIsFixed(t *testing.T) {
	// FNV-1a of "a" is af63dc4c8601ec8c (Noll); then the mixer of splitmix64.
	mix := func(h uint64) uint64 {
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		return h ^ h>>31
	}
	if got, want := hash('a', ""), mix(0xaf63dc4c8601ec8c); got != want {
		t.Errorf("hash %x, want %x", got, want)
	}
	if hash('k', "mkmt") == hash('b', "mkmt") {
		t.Error("tags do not separate")
	}
}
