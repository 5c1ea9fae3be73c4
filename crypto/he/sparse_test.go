package he

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// sparseLayouts have one template a reply.
func sparseLayouts() []Layout {
	return []Layout{
		{Dimension: 7, Slots: Degree, Split: 1},
		{Dimension: 1024, Slots: 64, Split: 64},
		{Dimension: 1024, Slots: 4, Split: 1024},
		{Dimension: 32, Slots: 2048, Split: 2},
		{Dimension: 4096 / 1024, Slots: 1024, Split: 4},
	}
}

// sparsely draws vectors of which at most count coordinates are not 0.
func sparsely(r *rand.Rand, vectors, dimension, count int) [][]int8 {
	out := make([][]int8, vectors)
	for i := range out {
		out[i] = make([]int8, dimension)
		for range count {
			out[i][r.IntN(dimension)] = int8(r.IntN(41) - 20)
		}
	}
	return out
}

// sparselyAsked is an answerer for sparse galleries that has taken a whole query.
func sparselyAsked(t testing.TB, p *Parameters, l Layout, q *Query) *Answerer {
	t.Helper()
	a, err := p.NewSparseAnswerer(l, q.seeds.Public, q.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	for i := range l.Ciphertexts() {
		c, err := q.Ciphertext(i)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Take(c); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// TestSomeSlots compares the sums of shares with plain inner products.
func TestSomeSlots(t *testing.T) {
	p := parameters(t)
	for n, l := range sparseLayouts() {
		if testing.Short() && l.Ciphertexts() > 16 {
			continue
		}
		r := rand.New(source(uint64(n)))
		probes := sparsely(r, l.Slots, l.Dimension, 12)
		q := query(t, p, l, probes, 3)
		a, o := sparselyAsked(t, p, l, q), q.Opener()
		templates := sparsely(r, 6, l.Dimension, 12)
		slots := make([][]int, len(templates))
		for i := range slots {
			for slot := range l.Slots {
				if r.IntN(i+1) == 0 {
					slots[i] = append(slots[i], slot)
				}
			}
			if len(slots[i]) == 0 {
				slots[i] = []int{l.Slots - 1}
			}
		}
		g, err := p.SparseGallery(l, templates, slots, 12)
		if err != nil {
			t.Fatal(err)
		}
		replies, err := a.Replies(t.Context(), g, source(9))
		if err != nil || len(replies) != len(templates) {
			t.Fatalf("%+v: %d replies: %v", l, len(replies), err)
		}
		for i, reply := range replies {
			if len(reply.Ciphertext) != SomeSize(len(slots[i])) || len(reply.Shares) != len(slots[i]) {
				t.Fatalf("%+v: a reply of %d bytes and %d shares for %d slots", l, len(reply.Ciphertext), len(reply.Shares), len(slots[i]))
			}
			mine, err := o.OpenSome(reply.Ciphertext, slots[i])
			if err != nil {
				t.Fatal(err)
			}
			for at, slot := range slots[i] {
				if got, want := int(int16(mine[at]+reply.Shares[at])), inner(probes[slot], templates[i]); got != want {
					t.Fatalf("%+v: slot %d and template %d: %d, not %d", l, slot, i, got, want)
				}
			}
		}
	}
}

// TestSparseEqualsDense: for all slots and one seed a reply is the same bytes, whichever way it
// was multiplied and however many terms that had; for some slots its second polynomial is.
func TestSparseEqualsDense(t *testing.T) {
	p := parameters(t)
	for n, l := range sparseLayouts() {
		if testing.Short() && l.Ciphertexts() > 16 {
			continue
		}
		r := rand.New(source(uint64(n)))
		q := query(t, p, l, sparsely(r, l.Slots, l.Dimension, 9), 3)
		templates := sparsely(r, 1, l.Dimension, 3)
		dense, err := p.Gallery(l, templates)
		if err != nil {
			t.Fatal(err)
		}
		want, err := asked(t, p, l, q).Replies(t.Context(), dense, source(4))
		if err != nil {
			t.Fatal(err)
		}
		a, all := sparselyAsked(t, p, l, q), make([]int, l.Slots)
		for i := range all {
			all[i] = i
		}
		for _, terms := range []int{3, 4, 64, MaxDimension} {
			for _, slots := range [][]int{all, {l.Slots / 2}} {
				g, err := p.SparseGallery(l, templates, [][]int{slots}, terms)
				if err != nil {
					t.Fatal(err)
				}
				got, err := a.Replies(t.Context(), g, source(4))
				if err != nil {
					t.Fatal(err)
				}
				second := packedSize(0, Degree)
				if b := got[0].Ciphertext; !bytes.Equal(b[len(b)-second:], want[0].Ciphertext[len(want[0].Ciphertext)-second:]) {
					t.Errorf("%+v, %d terms, %d slots: another second polynomial", l, terms, len(slots))
				}
				if len(slots) == l.Pairs() && (!bytes.Equal(got[0].Ciphertext, want[0].Ciphertext) || !slices.Equal(got[0].Shares, want[0].Shares)) {
					t.Errorf("%+v, %d terms: another reply", l, terms)
				}
			}
		}
	}
}

// TestTermsTellNothing: however many coordinates are not 0, as many are multiplied, and those
// that fill up are no fixed ones of the first.
func TestTermsTellNothing(t *testing.T) {
	l := Layout{Dimension: 1024, Slots: 64, Split: 64}
	r := rand.New(source(5))
	for count := range 65 {
		v := sparsely(r, 1, 1024, count)[0]
		terms, err := sparseTerms(l, v, 64)
		if err != nil || len(terms) != 64 {
			t.Fatalf("%d coordinates: %d terms, %v", count, len(terms), err)
		}
		seen := map[[2]int]bool{}
		for _, x := range terms {
			at := [2]int{x.ciphertext, x.shift}
			if seen[at] || x.factor != int64(v[x.ciphertext*64+x.shift]) {
				t.Fatalf("%d coordinates: term %v", count, x)
			}
			seen[at] = true
		}
	}
	if terms, err := sparseTerms(Layout{Dimension: 7, Slots: Degree, Split: 1}, make([]int8, 7), 64); err != nil || len(terms) != 8 {
		t.Errorf("seven coordinates: %d terms, %v", len(terms), err)
	}
}

func TestBadSlots(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: 64, Slots: 64, Split: 64}
	q := query(t, p, l, nil, 1)
	a, o := sparselyAsked(t, p, l, q), q.Opener()
	v := make([]int8, 64)
	for name, slots := range map[string][]int{"none": {}, "below": {-1}, "beyond": {64}, "twice": {3, 3}, "falling": {4, 3}} {
		if _, err := p.SparseGallery(l, [][]int8{v}, [][]int{slots}, 4); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: gallery: %v", name, err)
		}
		if _, err := o.OpenSome(make([]byte, SomeSize(len(slots))), slots); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: open: %v", name, err)
		}
	}
	for n := range 3 {
		if _, err := o.OpenSome(make([]byte, SomeSize(2)+n-1), []int{1, 2}); (n == 1) != (err == nil) || n != 1 && !errors.Is(err, ErrMalformed) {
			t.Errorf("length %+d: %v", n-1, err)
		}
	}
	if _, err := o.OpenSome(bytes.Repeat([]byte{0xff}, SomeSize(2)), []int{1, 2}); !errors.Is(err, ErrMalformed) {
		t.Errorf("residues that are not below the modulus: %v", err)
	}
	for name, bad := range map[string]func() error{
		"several templates a reply": func() error {
			_, err := p.SparseGallery(Layout{Dimension: 64, Slots: 64, Split: 1}, [][]int8{v}, [][]int{{1}}, 4)
			return err
		},
		"no templates": func() error { _, err := p.SparseGallery(l, nil, nil, 4); return err },
		"no slots":     func() error { _, err := p.SparseGallery(l, [][]int8{v, v}, [][]int{{1}}, 4); return err },
		"layout": func() error {
			_, err := p.NewSparseAnswerer(Layout{Dimension: 64, Slots: 64, Split: 1}, q.seeds.Public, q.PublicKey())
			return err
		},
		"gallery of the other way": func() error {
			g, err := p.Gallery(l, [][]int8{v})
			if err != nil {
				return fmt.Errorf("gallery: %v", err)
			}
			_, err = a.Replies(t.Context(), g, source(1))
			return err
		},
	} {
		if err := bad(); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v[1], v[5], v[9] = 1, 2, 3
	if _, err := p.SparseGallery(l, [][]int8{v}, [][]int{{1}}, 2); !errors.Is(err, ErrVector) {
		t.Errorf("more coordinates than terms: %v", err)
	}
}

// BenchmarkSparse makes replies as names need them: for 20 of 1,024 coordinates and four slots.
func BenchmarkSparse(b *testing.B) {
	p := parameters(b)
	l := Layout{Dimension: 1024, Slots: Degree, Split: 1}
	r := rand.New(source(1))
	q := query(b, p, l, sparsely(r, Degree, 1024, 20), 1)
	a := sparselyAsked(b, p, l, q)
	templates, slots := sparsely(r, 64, 1024, 20), make([][]int, 64)
	for i := range slots {
		slots[i] = []int{i, i + 500, i + 2000, i + 3000}
	}
	g, err := p.SparseGallery(l, templates, slots, 64)
	if err != nil {
		b.Fatal(err)
	}
	var replies []Reply
	b.Run("reply", func(b *testing.B) {
		for b.Loop() {
			if replies, err = a.Replies(b.Context(), g, source(1)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/64, "us/reply")
	})
	o := q.Opener()
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			for i, reply := range replies {
				if _, err := o.OpenSome(reply.Ciphertext, slots[i]); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/64, "us/reply")
	})
}
