package he

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkQuery(b *testing.B) {
	p := parameters(b)
	l := Layout{Dimension: 512, Slots: Degree, Split: 1}
	q := query(b, p, l, drawn(rand.New(source(1)), Degree, 512), 1)
	for b.Loop() {
		if _, err := q.Ciphertext(7); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	p := parameters(b)
	for name, l := range map[string]Layout{"batch": {Dimension: 512, Slots: Degree, Split: 1}, "single": {Dimension: 512, Slots: 1, Split: 1}} {
		b.Run(name, func(b *testing.B) {
			q := query(b, p, l, nil, 1)
			a, err := p.NewAnswerer(l, q.seeds.Public, q.PublicKey())
			if err != nil {
				b.Fatal(err)
			}
			c, err := q.Ciphertext(0)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				a.taken = 0
				if err := a.Take(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReplies makes the replies of one step, with all that hides them, and opens them.
func BenchmarkReplies(b *testing.B) {
	p := parameters(b)
	for name, l := range map[string]Layout{"batch": {Dimension: 512, Slots: Degree, Split: 1}, "single": {Dimension: 512, Slots: 1, Split: 1}, "split": {Dimension: 512, Slots: 1, Split: 8}} {
		r := rand.New(source(1))
		q := query(b, p, l, drawn(r, l.Slots, 512), 1)
		a := asked(b, p, l, q)
		g, err := p.Gallery(l, drawn(r, l.Step(), 512))
		if err != nil {
			b.Fatal(err)
		}
		pairs := float64(g.Replies() * l.Pairs())
		var replies []Reply
		b.Run(name+"/reply", func(b *testing.B) {
			for b.Loop() {
				if replies, err = a.Replies(b.Context(), g, source(1)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pairs, "ns/pair")
			b.ReportMetric(float64(l.ReplySize())/float64(l.Pairs()), "B/pair")
		})
		o := q.Opener()
		b.Run(name+"/open", func(b *testing.B) {
			for b.Loop() {
				for _, reply := range replies {
					if _, err := o.Open(reply.Ciphertext); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pairs, "ns/pair")
		})
		b.Run(name+"/gallery", func(b *testing.B) {
			templates := drawn(r, l.Step(), 512)
			for b.Loop() {
				if _, err := p.Gallery(l, templates); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(templates)), "ns/template")
		})
	}
}
