package he

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func parameters(t testing.TB) *Parameters {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// source is randomness that a test can repeat.
func source(n uint64) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "he test %d", n)))
}

func seeds(t testing.TB, n uint64) Seeds {
	t.Helper()
	var a, b [SeedSize]byte
	r := source(n)
	_, _ = r.Read(a[:])
	_, _ = r.Read(b[:])
	s, err := NewSeeds(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawn draws vectors of norm about 127, as faces are.
func drawn(r *rand.Rand, count, dimension int) [][]int8 {
	out := make([][]int8, count)
	for i := range out {
		raw := make([]float64, dimension)
		sum := 0.0
		for j := range raw {
			raw[j] = r.NormFloat64()
			sum += raw[j] * raw[j]
		}
		out[i] = make([]int8, dimension)
		for j, x := range raw {
			out[i][j] = int8(math.Round(x / math.Sqrt(sum) * 125))
		}
	}
	return out
}

func inner(a, b []int8) (sum int) {
	for i, x := range a {
		sum += int(x) * int(b[i])
	}
	return sum
}

// asked sends a whole query to an answerer.
func asked(t testing.TB, p *Parameters, l Layout, q *Query) *Answerer {
	t.Helper()
	a, err := p.NewAnswerer(l, q.seeds.Public, q.PublicKey())
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

func query(t testing.TB, p *Parameters, l Layout, probes [][]int8, n uint64) *Query {
	t.Helper()
	q, err := p.NewQuery(l, seeds(t, n), probes)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

var layouts = []Layout{
	{Dimension: 512, Slots: Degree, Split: 1},
	{Dimension: 13, Slots: Degree, Split: 1},
	{Dimension: 1, Slots: 512, Split: 1},
	{Dimension: 40, Slots: 64, Split: 1},
	{Dimension: 24, Slots: 32, Split: 1},
	{Dimension: 512, Slots: 1, Split: 1},
	{Dimension: 64, Slots: 1, Split: 8},
	{Dimension: 64, Slots: 16, Split: 4},
	{Dimension: 64, Slots: 64, Split: 64},
	{Dimension: 32, Slots: 2, Split: 2},
	{Dimension: MaxDimension, Slots: 128, Split: 1},
}

// TestSharesAddUp compares shares with inner products in the clear, for all layouts and for
// galleries that leave places empty.
func TestSharesAddUp(t *testing.T) {
	p := parameters(t)
	for n, l := range layouts {
		r := rand.New(source(uint64(n)))
		probes := drawn(r, max(1, l.Slots-3), l.Dimension)
		q := query(t, p, l, probes, uint64(n))
		a, o := asked(t, p, l, q), q.Opener()
		for _, count := range []int{1, min(l.Step(), 5), l.Step()} {
			if count > 300 && l.Slots > 1 {
				count = 300
			}
			templates := drawn(r, count, l.Dimension)
			g, err := p.Gallery(l, templates)
			if err != nil {
				t.Fatal(err)
			}
			replies, err := a.Replies(t.Context(), g, source(9))
			if err != nil || len(replies) != g.Replies() {
				t.Fatalf("%+v: %d replies of %d: %v", l, len(replies), g.Replies(), err)
			}
			seen := 0
			for i, reply := range replies {
				if len(reply.Ciphertext) != l.ReplySize() || len(reply.Shares) != l.Pairs() {
					t.Fatalf("%+v: a reply of %d bytes and %d shares", l, len(reply.Ciphertext), len(reply.Shares))
				}
				mine, err := o.Open(reply.Ciphertext)
				if err != nil {
					t.Fatal(err)
				}
				for place := range mine {
					probe, template := place%l.Slots, i*l.Templates()+place/l.Slots
					want := 0
					if probe < len(probes) && template < count {
						want = inner(probes[probe], templates[template])
						seen++
					}
					if got := int16(mine[place] + reply.Shares[place]); int(got) != want {
						t.Fatalf("%+v: probe %d and template %d: %d, not %d", l, probe, template, got, want)
					}
				}
			}
			if seen != count*len(probes) {
				t.Fatalf("%+v: %d pairs of %d", l, seen, count*len(probes))
			}
		}
	}
}

// TestExtremes uses vectors whose scores and sums are as large as they can be.
func TestExtremes(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: MaxDimension, Slots: Degree, Split: 1}
	most := make([]int8, MaxDimension) // of norm² 32,761, spread as evenly as can be
	for i := range most {
		most[i] = 5
		if i < 651 {
			most[i] = 6
		}
	}
	single := make([]int8, MaxDimension)
	single[0], single[1], single[2] = 127, 127, 22
	negative := slices.Clone(most)
	for i := range negative {
		negative[i] = -negative[i]
	}
	all := [][]int8{most, single, negative}
	for _, v := range all {
		if err := l.CheckVector(v); err != nil {
			t.Fatal(err, inner(v, v))
		}
	}
	q := query(t, p, l, all, 1)
	g, err := p.Gallery(l, all)
	if err != nil {
		t.Fatal(err)
	}
	replies, err := asked(t, p, l, q).Replies(t.Context(), g, source(1))
	if err != nil {
		t.Fatal(err)
	}
	for i, reply := range replies {
		mine, err := q.Opener().Open(reply.Ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		for j := range all {
			if got, want := int(int16(mine[j]+reply.Shares[j])), inner(all[i], all[j]); got != want {
				t.Errorf("%d and %d: %d, not %d", i, j, got, want)
			}
		}
	}
}

func TestBadLayouts(t *testing.T) {
	p := parameters(t)
	for _, l := range []Layout{
		{}, {Dimension: 1, Slots: 1}, {Dimension: 1, Split: 1}, {Dimension: 0, Slots: 1, Split: 1},
		{Dimension: MaxDimension + 1, Slots: 1, Split: 1}, {Dimension: -1, Slots: 1, Split: 1},
		{Dimension: 8, Slots: 3, Split: 1}, {Dimension: 9, Slots: 3, Split: 3}, {Dimension: 8, Slots: 2 * Degree, Split: 1},
		{Dimension: 8, Slots: Degree, Split: 2}, {Dimension: 7, Slots: 1, Split: 2}, {Dimension: 8, Slots: -1, Split: 1},
		{Dimension: math.MaxInt, Slots: math.MinInt, Split: math.MinInt},
	} {
		if err := l.Check(); !errors.Is(err, ErrLayout) {
			t.Errorf("%+v: %v", l, err)
		}
		if _, err := p.NewQuery(l, seeds(t, 1), nil); !errors.Is(err, ErrLayout) {
			t.Errorf("%+v: query: %v", l, err)
		}
		if _, err := p.NewAnswerer(l, [SeedSize]byte{}, make([]byte, CiphertextSize)); !errors.Is(err, ErrLayout) {
			t.Errorf("%+v: answer: %v", l, err)
		}
		if _, err := p.Gallery(l, [][]int8{{1}}); !errors.Is(err, ErrLayout) {
			t.Errorf("%+v: gallery: %v", l, err)
		}
	}
	l := Layout{Dimension: 2, Slots: 64, Split: 1}
	if _, err := p.Gallery(l, nil); !errors.Is(err, ErrLayout) {
		t.Errorf("no templates: %v", err)
	}
	if _, err := p.Gallery(l, drawn(rand.New(source(1)), 65, 2)); !errors.Is(err, ErrLayout) {
		t.Errorf("too many templates: %v", err)
	}
	if _, err := p.NewQuery(l, seeds(t, 1), drawn(rand.New(source(1)), 65, 2)); !errors.Is(err, ErrLayout) {
		t.Errorf("too many probes: %v", err)
	}
	for _, v := range [][]int8{{}, {1}, {1, 2, 3}, {-128, 0}, {127, -127}, {127, 0}, {128 - 1, 127}} {
		want := len(v) != 2 || inner(v, v) > MaxSquare || slices.Contains(v, -128)
		_, err := p.Gallery(l, [][]int8{{1, 1}, v})
		_, err2 := p.NewQuery(l, seeds(t, 1), [][]int8{{1, 1}, v})
		if errors.Is(err, ErrVector) != want || errors.Is(err2, ErrVector) != want {
			t.Errorf("vector %v: %v, %v", v, err, err2)
		}
	}
	var same [SeedSize]byte
	if _, err := NewSeeds(same, same); err == nil {
		t.Error("one seed for both")
	}
}

// TestUnwhole asks for replies before the query is whole, takes too many ciphertexts, and
// mixes layouts.
func TestUnwhole(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: 2, Slots: 64, Split: 1}
	other := Layout{Dimension: 2, Slots: 128, Split: 1}
	q := query(t, p, l, nil, 1)
	a, err := p.NewAnswerer(l, q.seeds.Public, q.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Gallery(l, [][]int8{{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := p.Gallery(other, [][]int8{{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if _, err := a.Replies(t.Context(), g, source(1)); !errors.Is(err, ErrMalformed) {
			t.Errorf("after %d ciphertexts: %v", i, err)
		}
		c, err := q.Ciphertext(i)
		if err != nil || a.Take(c) != nil {
			t.Fatal(err)
		}
	}
	if err := a.Take(make([]byte, CiphertextSize)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a third ciphertext: %v", err)
	}
	if _, err := a.Replies(t.Context(), wrong, source(1)); !errors.Is(err, ErrLayout) {
		t.Errorf("another layout: %v", err)
	}
	if _, err := q.Ciphertext(2); !errors.Is(err, ErrLayout) {
		t.Errorf("ciphertext beyond the last: %v", err)
	}
	if _, err := a.Replies(t.Context(), g, failing{}); err == nil {
		t.Error("replied without randomness")
	}
	if _, err := a.Replies(t.Context(), g, source(1)); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("no randomness") }
