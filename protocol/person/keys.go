package person

import (
	"slices"
	"strconv"
)

// Keys returns the keys under which candidates are looked for.
func (p Profile) Keys() [][]byte {
	type weighted struct {
		key  string
		rank int
	}
	var ks []weighted
	add := func(rank int, parts ...string) {
		k := ""
		for i, s := range parts {
			if i > 0 {
				k += "|"
			}
			k += s
		}
		for _, o := range ks {
			if o.key == k {
				return
			}
		}
		ks = append(ks, weighted{k, rank})
	}
	y := strconv.Itoa(p.birth.Year)
	y1 := strconv.Itoa(p.birth.Year - 1)
	for _, name := range p.names {
		strong := 0
		for _, w := range name {
			if !w.weak {
				strong++
			}
		}
		use := func(w word) bool { return !w.weak || strong < 2 }
		for i, w := range name {
			if !use(w) {
				continue
			}
			if p.birth.known() {
				a, b := p.birth.Day, p.birth.Month
				if a > b {
					a, b = b, a
				}
				add(100+w.bits, "D", w.skeleton, y, strconv.Itoa(a), strconv.Itoa(b))
				add(100+w.bits, "D", w.skeleton, y1, strconv.Itoa(a), strconv.Itoa(b))
			}
			if p.birth.Month != 0 && !(p.birth.Month == 1 && p.birth.Day == 1) {
				add(50+w.bits, "M", w.skeleton, y, strconv.Itoa(p.birth.Month))
			}
			for _, v := range name[:i] {
				if !use(v) {
					continue
				}
				s, u := w.skeleton, v.skeleton
				if s > u {
					s, u = u, s
				}
				add(w.bits+v.bits, "P", s, u, y)
				add(w.bits+v.bits, "P", s, u, y1)
			}
		}
	}
	slices.SortStableFunc(ks, func(a, b weighted) int { return b.rank - a.rank })
	out := make([][]byte, 0, len(ks))
	for _, k := range ks[:min(len(ks), 16)] {
		out = append(out, []byte(k.key))
	}
	return out
}
