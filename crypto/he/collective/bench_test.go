package collective

import (
	"crypto/rand"
	"fmt"
	"testing"
)

func BenchmarkDeal(b *testing.B) {
	r := parameters(b).NewReference(seed(1))
	for _, g := range []Group{{points(7), 4}, {points(45), 23}} {
		b.Run(fmt.Sprintf("%d_of_%d", g.Threshold, len(g.Points)), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Deal(g, seed(2)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHold adds up what 45 dealers dealt to one holder, whole polynomials and seeds.
func BenchmarkHold(b *testing.B) {
	p := parameters(b)
	g := Group{points(45), 23}
	d, err := p.NewReference(seed(1)).Deal(g, seed(2))
	if err != nil {
		b.Fatal(err)
	}
	for name, x := range map[string]uint8{"seeds": 1, "polynomials": 45} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h, err := p.NewHolder(g, x, Life{})
				if err != nil {
					b.Fatal(err)
				}
				for range g.Points {
					if err := h.Add(d.Share(x)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkKey adds up the public parts of 45 dealers.
func BenchmarkKey(b *testing.B) {
	p := parameters(b)
	r := p.NewReference(seed(1))
	d, err := r.Deal(Group{points(2), 2}, seed(2))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		k := r.NewKeySum()
		for range 45 {
			if err := k.Add(d.Public()); err != nil {
				b.Fatal(err)
			}
		}
		k.Key()
	}
}

func BenchmarkBlock(b *testing.B) {
	m := newMembers(b, Group{points(2), 2}, 70)
	values := filled(7)
	b.Run("encrypt", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.key.Encrypt(seed(1), values); err != nil {
				b.Fatal(err)
			}
		}
	})
	c, err := m.key.Encrypt(seed(1), values)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("add", func(b *testing.B) {
		s, err := m.key.NewSum(len(values))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			s.masks.added = 0
			if err := s.Add(c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("share", func(b *testing.B) {
		s := m.sum(b, values)
		secret := m.holders[1].Secret()
		for b.Loop() {
			h, err := m.params.LoadHolder(m.group, 1, Life{1}, secret)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := h.Share(s.Masks(), m.group.Points, newMemory(), rand.Reader); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		s := m.sum(b, values)
		share := make([]byte, s.Masks().ShareSize())
		for b.Loop() {
			k, err := s.NewCombiner(m.group, m.group.Points)
			if err != nil {
				b.Fatal(err)
			}
			for _, x := range m.group.Points {
				if err := k.Add(x, share); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := k.Values(len(values)); err == nil {
				b.Fatal("zeros open a sum")
			}
		}
	})
}
