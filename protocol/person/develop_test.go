package person

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// The development set: invented persons whose names have the spellings of
// testdata/development.txt, written down from general knowledge of how names are spelled.
// It shows whether a change helps; measured figures come from the simulations' generator.

// culture is the names of one culture, from frequent to rare, each with its spellings.
type culture struct {
	name          string
	given, family [][]string
}

func loadDevelopment(t testing.TB) []*culture {
	t.Helper()
	b, err := os.ReadFile("testdata/development.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []*culture
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(out) == 0 || out[len(out)-1].name != f[0] {
			out = append(out, &culture{name: f[0]})
		}
		c := out[len(out)-1]
		if f[1] == "given" {
			c.given = append(c.given, strings.Fields(f[2]))
		} else {
			c.family = append(c.family, strings.Fields(f[2]))
		}
	}
	return out
}

// invented is a person of the development set.
type invented struct {
	culture *culture
	names   [][]string
	birth   Birth
}

// frequent draws one of n, the k-th with a chance like 1/k.
func frequent(r *rand.Rand, n int) int {
	for {
		if k := r.IntN(n); r.Float64() < 1/float64(k+1) {
			return k
		}
	}
}

func invent(r *rand.Rand, cs []*culture) invented {
	c := cs[r.IntN(len(cs))]
	p := invented{culture: c}
	for range 1 + r.IntN(2) {
		p.names = append(p.names, c.given[frequent(r, len(c.given))])
	}
	p.names = append(p.names, c.family[frequent(r, len(c.family))])
	y, m := 1945+r.IntN(60), 1+r.IntN(12)
	p.birth = Birth{y, m, 1 + r.IntN(daysIn(y, m))}
	if r.Float64() < 0.12 {
		p.birth.Month, p.birth.Day = 1, 1
	}
	return p
}

// write gives the person's record as one agency wrote it, with its errors.
func (p invented) write(r *rand.Rand) Fields {
	own := r.Float64() < 0.15
	var ws []string
	for k, spellings := range p.names {
		if k == 1 && len(p.names) == 3 && r.Float64() < 0.15 {
			continue
		}
		w := spelling(r, spellings, own)
		if w[0] < 0x80 && r.Float64() < 0.125 {
			w = respell(r, w)
		}
		if r.Float64() < 0.03 {
			w = mistype(r, w)
		}
		ws = append(ws, strings.ReplaceAll(w, "-", " "))
	}
	if r.Float64() < 0.05 {
		ws[0], ws[len(ws)-1] = ws[len(ws)-1], ws[0]
	}
	b := p.birth
	switch x := r.Float64(); {
	case x < 0.03 && b.Day <= 12:
		b.Day, b.Month = b.Month, b.Day
	case x < 0.05:
		b = Birth{b.Year + 1 - 2*r.IntN(2), b.Month, min(b.Day, 28)}
	case x < 0.08:
		b.Month, b.Day = 1, 1
	}
	return Fields{Name: strings.Join(ws, " "), Born: b.String()}
}

// spelling draws one in the own script or one in Latin letters, if there is such.
func spelling(r *rand.Rand, spellings []string, own bool) string {
	var pool []string
	for _, s := range spellings {
		if latin := s[0] < 0x80; latin != own {
			pool = append(pool, s)
		}
	}
	if len(pool) == 0 {
		pool = spellings
	}
	return pool[r.IntN(len(pool))]
}

func respell(r *rand.Rand, w string) string {
	rules := [][2]string{
		{"oo", "u"}, {"u", "ou"}, {"ee", "i"}, {"i", "ee"}, {"y", "i"}, {"i", "y"}, {"kh", "h"}, {"q", "k"}, {"k", "q"}, {"ph", "f"},
		{"f", "ph"}, {"v", "w"}, {"w", "v"}, {"j", "dj"}, {"sh", "ch"}, {"sh", "s"}, {"mm", "m"}, {"ss", "s"}, {"l", "ll"}, {"s", "ss"},
		{"a", "aa"}, {"e", "a"}, {"a", "e"}, {"o", "u"}, {"th", "t"}, {"t", "th"}, {"z", "s"}, {"g", "gh"},
	}
	for range 10 {
		x := rules[r.IntN(len(rules))]
		if i := strings.Index(w, x[0]); i >= 0 {
			return w[:i] + x[1] + w[i+len(x[0]):]
		}
	}
	return w
}

func mistype(r *rand.Rand, w string) string {
	rs := []rune(w)
	if len(rs) < 3 {
		return w
	}
	i := r.IntN(len(rs) - 1)
	switch r.IntN(3) {
	case 0:
		rs = append(rs[:i:i], rs[i+1:]...)
	case 1:
		rs[i], rs[i+1] = rs[i+1], rs[i]
	case 2:
		if rs[i] < 0x80 {
			rs[i] = rune('a' + r.IntN(26))
		}
	}
	return string(rs)
}

func profile(t testing.TB, f Fields) Profile {
	t.Helper()
	p, _, err := Parse(f, Defaults{})
	if err != nil {
		t.Fatalf("%+v: %v", f, err)
	}
	return p.Profile()
}

func developmentProfiles(t testing.TB, seed uint64, n int) []Profile {
	t.Helper()
	cs, r := loadDevelopment(t), rand.New(rand.NewPCG(seed, seed))
	var out []Profile
	for range n {
		out = append(out, profile(t, invent(r, cs).write(r)))
	}
	return out
}

// eachCandidate calls f for every pair of records that share a key.
func eachCandidate(a, b []Profile, f func(i, j int)) {
	buckets := map[string][]int{}
	for j, p := range b {
		for _, k := range p.Keys() {
			buckets[string(k)] = append(buckets[string(k)], j)
		}
	}
	for i, p := range a {
		met := map[int]bool{}
		for _, k := range p.Keys() {
			for _, j := range buckets[string(k)] {
				met[j] = true
			}
		}
		for _, j := range slices.Sorted(maps.Keys(met)) {
			f(i, j)
		}
	}
}

// TestDevelopmentSet matches two lists of 8,000 of which 800 are the same persons: candidates
// meet, decisions are good, and the wrong hits are those that one list foretells.
func TestDevelopmentSet(t *testing.T) {
	const records, pairs = 8000, 800
	cs, r := loadDevelopment(t), rand.New(rand.NewPCG(1, 2))
	var a, b []Profile
	for i := range records {
		p := invent(r, cs)
		a = append(a, profile(t, p.write(r)))
		if i >= pairs {
			p = invent(r, cs)
		}
		b = append(b, profile(t, p.write(r)))
	}
	met, right, wrong := 0, 0, 0
	eachCandidate(a, b, func(i, j int) {
		same := i == j && i < pairs
		switch match := Score(a[i], b[j]) >= DefaultThreshold; {
		case match && same:
			right++
		case match:
			wrong++
		}
		if same {
			met++
		}
	})
	recall, f1 := float64(met)/pairs, 2*float64(right)/float64(pairs+right+wrong)
	e := ExpectWrongHits(a, len(b), DefaultThreshold)
	t.Logf("candidate recall %.3f, right %d, wrong %d (expected %.0f), F1 %.3f", recall, right, wrong, e.Hits, f1)
	if recall < 0.95 || f1 < 0.75 {
		t.Errorf("candidate recall %.3f, F1 %.3f", recall, f1)
	}
	if e.Hits < float64(wrong)/2 || e.Hits > 2*float64(wrong) {
		t.Errorf("%d wrong hits, expected were %.0f", wrong, e.Hits)
	}
}

// BenchmarkDerive measures words, keys and features of one record.
func BenchmarkDerive(b *testing.B) {
	cs, r := loadDevelopment(b), rand.New(rand.NewPCG(3, 4))
	var ps []Person
	for range 1000 {
		p, _, err := Parse(invent(r, cs).write(r), Defaults{})
		if err != nil {
			b.Fatal(err)
		}
		ps = append(ps, p)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := ps[i%len(ps)].Profile()
		p.Keys()
		p.Features(Probe)
	}
}

// BenchmarkParse measures reading one record.
func BenchmarkParse(b *testing.B) {
	cs, r := loadDevelopment(b), rand.New(rand.NewPCG(3, 4))
	var fs []Fields
	for range 1000 {
		fs = append(fs, invent(r, cs).write(r))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := Parse(fs[i%len(fs)], Defaults{}); err != nil {
			b.Fatal(err)
		}
	}
}
