package person

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"
)

type devGroup struct{ spellings []string }
type devCulture struct {
	name          string
	given, family []devGroup
}

func loadDevelopment(t testing.TB) []*devCulture {
	b, err := os.ReadFile("testdata/development.txt")
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*devCulture{}
	var out []*devCulture
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "\t")
		c := by[f[0]]
		if c == nil {
			c = &devCulture{name: f[0]}
			by[f[0]] = c
			out = append(out, c)
		}
		g := devGroup{strings.Fields(f[2])}
		if f[1] == "given" {
			c.given = append(c.given, g)
		} else {
			c.family = append(c.family, g)
		}
	}
	return out
}

type devPerson struct {
	culture *devCulture
	names   []int // group ids: >=0 given, <0 family
	birth   Birth
}

func zipf(r *rand.Rand, n int) int {
	for {
		k := r.IntN(n)
		if r.Float64() < 1/float64(k+1) {
			return k
		}
	}
}

func newDevPerson(r *rand.Rand, cs []*devCulture) devPerson {
	c := cs[r.IntN(len(cs))]
	p := devPerson{culture: c}
	p.names = append(p.names, zipf(r, len(c.given)))
	if r.Float64() < 0.5 {
		p.names = append(p.names, zipf(r, len(c.given)))
	}
	p.names = append(p.names, -1-zipf(r, len(c.family)))
	y := 1945 + r.IntN(60)
	m := 1 + r.IntN(12)
	p.birth = Birth{y, m, 1 + r.IntN(daysIn(y, m))}
	if r.Float64() < 0.12 {
		p.birth.Month, p.birth.Day = 1, 1
	}
	return p
}

func (p devPerson) render(r *rand.Rand, damage bool) Fields {
	native := r.Float64() < 0.15
	var ws []string
	for k, id := range p.names {
		if damage && k == 1 && len(p.names) == 3 && r.Float64() < 0.15 {
			continue
		}
		var g devGroup
		if id >= 0 {
			g = p.culture.given[id]
		} else {
			g = p.culture.family[-1-id]
		}
		var pool []string
		for _, s := range g.spellings {
			latin := s[0] < 0x80 || p.culture.name == "vietnamese" || strings.ContainsAny(s, "éïûô")
			if latin != native {
				pool = append(pool, s)
			}
		}
		if len(pool) == 0 {
			pool = g.spellings
		}
		w := pool[r.IntN(len(pool))]
		if damage && w[0] < 0x80 && r.Float64() < 0.125 {
			w = respell(r, w)
		}
		if damage && r.Float64() < 0.03 {
			w = typo(r, w)
		}
		ws = append(ws, strings.ReplaceAll(w, "-", " "))
	}
	if damage && r.Float64() < 0.05 {
		ws[0], ws[len(ws)-1] = ws[len(ws)-1], ws[0]
	}
	b := p.birth
	if damage {
		switch x := r.Float64(); {
		case x < 0.03 && b.Day <= 12:
			b.Day, b.Month = b.Month, b.Day
		case x < 0.05:
			b.Year += 1 - 2*r.IntN(2)
			if b.check() != nil {
				b.Day = 28
			}
		case x < 0.08:
			b.Month, b.Day = 1, 1
		}
	}
	return Fields{Name: strings.Join(ws, " "), Born: b.String()}
}

func respell(r *rand.Rand, w string) string {
	rules := [][2]string{{"oo", "u"}, {"u", "ou"}, {"ee", "i"}, {"i", "ee"}, {"y", "i"}, {"i", "y"}, {"kh", "h"}, {"q", "k"}, {"k", "q"}, {"ph", "f"}, {"f", "ph"}, {"v", "w"}, {"w", "v"}, {"j", "dj"}, {"sh", "ch"}, {"sh", "s"}, {"mm", "m"}, {"ss", "s"}, {"l", "ll"}, {"s", "ss"}, {"a", "aa"}, {"e", "a"}, {"a", "e"}, {"o", "u"}, {"th", "t"}, {"t", "th"}, {"z", "s"}, {"g", "gh"}}
	for range 10 {
		x := rules[r.IntN(len(rules))]
		if i := strings.Index(w, x[0]); i >= 0 {
			return w[:i] + x[1] + w[i+len(x[0]):]
		}
	}
	return w
}

func typo(r *rand.Rand, w string) string {
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
		if rs[i] < utf8.RuneSelf {
			rs[i] = rune('a' + r.IntN(26))
		}
	}
	return string(rs)
}

func TestDevelop(t *testing.T) {
	cs := loadDevelopment(t)
	r := rand.New(rand.NewPCG(1, 2))
	const n, pairs = 20000, 2000
	var a, b []Profile
	var rawA, rawB []Fields
	var cult []string
	parse := func(f Fields) Profile {
		p, _, err := Parse(f, Defaults{})
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		return p.Profile()
	}
	for i := range n {
		p := newDevPerson(r, cs)
		q := p
		if i >= pairs {
			q = newDevPerson(r, cs)
		}
		cult = append(cult, p.culture.name)
		fa, fb := p.render(r, true), q.render(r, true)
		rawA, rawB = append(rawA, fa), append(rawB, fb)
		a, b = append(a, parse(fa)), append(b, parse(fb))
	}
	e := ExpectWrongHits(a, len(b), DefaultThreshold)
	e2 := ExpectWrongHits(a[:2000], len(b), DefaultThreshold)
	fmt.Printf("expected %.1f rate %.3g; from 2000: rate %.3g\n", e.Hits, e.Rate, e2.Rate)
	evaluate(t, a, b, rawA, rawB, cult, pairs)
}

type scored struct {
	s    float64
	true bool
	i    int
}

func evaluate(t *testing.T, a, b []Profile, rawA, rawB []Fields, cult []string, pairs int) {
	byKey := map[string][]int32{}
	nk := 0
	for j, p := range b {
		for _, k := range p.Keys() {
			byKey[string(k)] = append(byKey[string(k)], int32(j))
		}
	}
	va, vb := make([]*Vector, len(a)), make([]*Vector, len(b))
	for i := range a {
		va[i], vb[i] = a[i].Features(Probe), b[i].Features(Template)
	}
	var out []scored
	cands, found := 0, 0
	byType := map[byte]int{}
	cm, ct := map[string]int{}, map[string]int{}
	_ = cm
	for i, p := range a {
		seen := map[int32]bool{}
		ks := p.Keys()
		nk += len(ks)
		for _, k := range ks {
			byType[k[0]] += len(byKey[string(k)])
			for _, j := range byKey[string(k)] {
				seen[j] = true
			}
		}
		cands += len(seen)
		for j := range seen {
			out = append(out, scored{float64(Product(va[i], vb[j])), i < pairs && int(j) == i, i})
		}
		if i < pairs {
			ct[cult[i]]++
			if seen[int32(i)] {
				found++
				cm[cult[i]]++
			} else if os.Getenv("MISS") != "" {
				fmt.Println("MISS", cult[i], rawA[i], rawB[i], p.names, b[i].names)
			}
		}
	}
	fmt.Printf("keys %.2f recall %.4f candidates %.2f %v\n", float64(nk)/float64(len(a)), float64(found)/float64(pairs), float64(cands)/float64(len(a)), byType)
	report(out, cult, pairs)
}

func report(out []scored, cult []string, pairs int) {
	ct := map[string]int{}
	for i := range pairs {
		ct[cult[i]]++
	}
	wrong, right := 0, 0
	for _, o := range out {
		if o.s >= DefaultThreshold && o.true {
			right++
		} else if o.s >= DefaultThreshold {
			wrong++
		}
	}
	fmt.Printf("default threshold: wrong %d right %d F1 %.4f\n", wrong, right, 2*float64(right)/float64(pairs+right+wrong))
	sort.Slice(out, func(i, j int) bool { return out[i].s > out[j].s })
	best, bt, tp := 0.0, 0.0, 0
	var bp, br float64
	for k, o := range out {
		if o.true {
			tp++
		}
		p, rc := float64(tp)/float64(k+1), float64(tp)/float64(pairs)
		if f := 2 * p * rc / (p + rc); f > best {
			best, bt, bp, br = f, o.s, p, rc
		}
	}
	fmt.Printf("best F1 %.4f at %.2f P %.3f R %.3f\n", best, bt, bp, br)
	tpc, fpc := map[string]int{}, map[string]int{}
	for _, o := range out {
		if o.s < bt {
			break
		}
		if o.true {
			tpc[cult[o.i]]++
		} else {
			fpc[cult[o.i]]++
		}
	}
	var names []string
	for c := range ct {
		names = append(names, c)
	}
	sort.Strings(names)
	for _, c := range names {
		fmt.Printf("  %-11s P %.3f R %.3f\n", c, float64(tpc[c])/float64(tpc[c]+fpc[c]), float64(tpc[c])/float64(ct[c]))
	}
}

func BenchmarkDerive(b *testing.B) {
	cs := loadDevelopment(b)
	r := rand.New(rand.NewPCG(3, 4))
	var ps []Person
	for range 1000 {
		p, _, err := Parse(newDevPerson(r, cs).render(r, true), Defaults{})
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
