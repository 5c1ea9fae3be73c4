package person

import "math"

type vec struct {
	dims int
	f    []float64
	pen  float64
}

func hash(tag byte, s string) uint64 {
	h := uint64(14695981039346656037)
	h = (h ^ uint64(tag)) * 1099511628211
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return h
}

const fixed = 64 + 12 + 31 + 96

func (p Profile) vector() vec {
	v := vec{dims: params.dims, f: make([]float64, params.dims)}
	u := params.unit
	put := func(i int, bits float64) { v.f[i] += math.Sqrt(bits * u) }
	y := p.birth.Year
	self := 1 + 2*params.near*params.near
	put((y)%64, params.year/self)
	put((y+1)%64, params.year/self*params.near*params.near)
	put((y+63)%64, params.year/self*params.near*params.near)
	v.pen += params.yearPen
	if p.birth.known() {
		a, b := p.birth.Day, p.birth.Month
		put(64+b-1, params.month)
		put(76+a-1, params.day)
		if a > b {
			a, b = b, a
		}
		put(107+int(hash('s', string([]byte{byte(a), byte(b)}))%96), params.swap)
		v.pen += params.dmPen
	} else if p.birth.Month != 0 && p.birth.Day == 0 {
		put(64+p.birth.Month-1, params.month)
		v.pen += params.dmPen / 4
	}
	seen := map[string]bool{}
	add := func(tag byte, s string, bits float64) {
		k := string(tag) + s
		if seen[k] {
			return
		}
		seen[k] = true
		h := hash(tag, s)
		i := fixed + int(h%uint64(params.dims-fixed))
		m := math.Sqrt(bits * u)
		if h>>63 == 1 {
			m = -m
		}
		v.f[i] += m
	}
	for n, name := range p.names {
		for _, w := range name {
			bits := float64(w.bits)
			add('k', w.skeleton, bits*params.skel)
			add('o', w.sound, bits*params.sound)
			s := "^" + w.sound + "$"
			c := make([]byte, 0, 20)
			for i := range len(s) {
				if !vowel(s[i]) {
					c = append(c, s[i])
				}
			}
			for i := 0; i+1 < len(c); i++ {
				add('b', string(c[i:i+2]), bits*params.bigram/float64(len(c)-1))
			}
			if n == 0 {
				v.pen += params.pen + params.penShare*bits
			}
		}
	}
	return v
}

func score(a, b vec) float64 {
	s := 0.0
	for i := range a.f {
		s += math.Round(a.f[i]) * math.Round(b.f[i])
	}
	return s/params.unit - a.pen - b.pen
}
