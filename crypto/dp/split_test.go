package dp

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"entente/crypto/he/sample"
)

// seeded draws from reproducible bytes.
func seeded(seed byte) *source {
	stream := rand.NewChaCha8([32]byte{seed})
	return &source{fill: func(b []byte) { stream.Read(b) }}
}

func split(t testing.TB, epsilonMilli, sensitivity uint32, honest int) Split {
	t.Helper()
	s, err := NewSplit(epsilonMilli, sensitivity, honest)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sum adds the shares of so many contributors.
func sum(t *testing.T, s Split, src *source, cells, contributors int) []int64 {
	t.Helper()
	all := make([]int64, cells)
	for range contributors {
		shares, err := s.draw(src, cells)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range shares {
			if max(x, -x) > s.Bound() {
				t.Fatalf("%+v: share %d", s, x)
			}
			all[i] += x
		}
	}
	return all
}

// fit compares values with a distribution that is given from −reach to reach; what is beyond
// counts as at the end. It returns standard deviations as chiSquare does.
func fit(values []int64, p []float64) float64 {
	reach := int64(len(p) / 2)
	counts := make([]int, len(p))
	for _, x := range values {
		counts[min(max(x, -reach), reach)+reach]++
	}
	return chiSquare(counts, func(i int) float64 { return p[i] })
}

// reachOf is how far from zero a distribution must be known: less than 10⁻⁵ lies beyond.
func reachOf(s Split) int { return int(12/s.rate()) + 3 }

// laplace is the distribution of Probability from −reach to reach, with the tails at its ends.
func laplace(s Split) []float64 {
	reach := reachOf(s)
	p := make([]float64, 2*reach+1)
	for i := range p {
		p[i] = s.Probability(int64(i - reach))
	}
	p[0] /= -math.Expm1(-s.rate())
	p[2*reach] = p[0]
	return p
}

// oneShare is the distribution of a single share: the difference of two negative binomial
// numbers of shape 1/h, computed term by term.
func oneShare(s Split, reach int) []float64 {
	const terms = 4000
	q, r := math.Exp(-s.rate()), 1/float64(s.honest)
	part := make([]float64, terms)
	part[0] = math.Pow(1-q, r)
	for k := 1; k < terms; k++ {
		part[k] = part[k-1] * q * (float64(k-1) + r) / float64(k)
	}
	p := make([]float64, 2*reach+1)
	for x := range reach + 1 {
		for k := 0; k+x < terms; k++ {
			p[reach+x] += part[k] * part[k+x]
		}
		p[reach-x] = p[reach+x]
	}
	return p
}

// splits spans the ranges: the least and the largest ε, one honest contributor and many.
func splits(t *testing.T) []Split {
	return []Split{
		split(t, 1000, 1, 1), split(t, 1000, 1, 2), split(t, 1000, 5, 23), split(t, 100, 1, 45),
		split(t, 5000, 3, 7), split(t, MaxEpsilonMilli, 1, 3), split(t, 333, 7, 10), split(t, MinEpsilonMilli, 1, 30), split(t, 2000, 1, 100),
	}
}

func TestSumIsDiscreteLaplace(t *testing.T) {
	for i, s := range splits(t) {
		values := sum(t, s, seeded(byte(i)), 20_000, s.honest)
		if x := fit(values, laplace(s)); x > threshold {
			t.Errorf("%+v: %.1f standard deviations off", s, x)
		}
	}
}

func TestOneShareIsStated(t *testing.T) {
	for i, s := range splits(t) {
		if s.rate() < 0.02 {
			continue // the terms that oneShare computes would not be all
		}
		values := sum(t, s, seeded(byte(100+i)), 20_000, 1)
		if x := fit(values, oneShare(s, reachOf(s))); x > threshold {
			t.Errorf("%+v: %.1f standard deviations off", s, x)
		}
	}
}

// TestDrawFrom: a seeded stream gives the same shares each time, other streams others, and the
// sum over the contributors is what it is from any source.
func TestDrawFrom(t *testing.T) {
	s := split(t, 1000, 3, 4)
	draw := func(contributor byte) []int64 {
		shares, err := s.DrawFrom(sample.New("test", [sample.SeedSize]byte{contributor}, 0), 20_000)
		if err != nil {
			t.Fatal(err)
		}
		return shares
	}
	all := make([]int64, 20_000)
	for contributor := range byte(4) {
		first := draw(contributor)
		if !slices.Equal(first, draw(contributor)) {
			t.Error("a seed gives two draws")
		}
		if slices.Equal(first, draw(contributor+1)) {
			t.Error("two seeds give one draw")
		}
		for i, x := range first {
			all[i] += x
		}
	}
	if x := fit(all, laplace(s)); x > threshold {
		t.Errorf("%.1f standard deviations off", x)
	}
	if _, err := s.DrawFrom(sample.New("test", [sample.SeedSize]byte{}, 0), 0); err == nil {
		t.Error("no cells are drawn for")
	}
	if _, err := (Split{}).DrawFrom(sample.New("test", [sample.SeedSize]byte{}, 0), 1); err == nil {
		t.Error("no noise is drawn")
	}
}

// TestSharesConvolveToLaplace checks the claim itself by numbers: h times the distribution
// of one share is the one of Probability.
func TestSharesConvolveToLaplace(t *testing.T) {
	for _, s := range []Split{split(t, 1000, 1, 3), split(t, 1000, 2, 5), split(t, 3000, 1, 8)} {
		one := oneShare(s, 60)
		all := []float64{1}
		for range s.honest {
			next := make([]float64, len(all)+len(one)-1)
			for i, a := range all {
				for j, b := range one {
					next[i+j] += a * b
				}
			}
			all = next
		}
		for x := -20; x <= 20; x++ {
			if got, want := all[len(all)/2+x], s.Probability(int64(x)); math.Abs(got-want) > 1e-9*want {
				t.Errorf("%+v: probability %v of %d, want %v", s, got, x, want)
			}
		}
	}
}

// TestWrongSharesAreFound: the tests above must see small mistakes.
func TestWrongSharesAreFound(t *testing.T) {
	s := split(t, 500, 1, 10)
	for name, values := range map[string][]int64{
		"one contributor fewer": sum(t, s, seeded(1), 20_000, 9),
		"one more":              sum(t, s, seeded(2), 20_000, 11),
		"shape 1/11":            sum(t, split(t, 500, 1, 11), seeded(3), 20_000, 10),
		"epsilon 5 % less":      sum(t, split(t, 475, 1, 10), seeded(4), 20_000, 10),
		"double sensitivity":    sum(t, split(t, 500, 2, 10), seeded(5), 20_000, 10),
	} {
		if x := fit(values, laplace(s)); x <= threshold {
			t.Errorf("%s is not found: %.1f standard deviations", name, x)
		}
	}
	parts := make([]int64, 20_000)
	if s.part(seeded(6), parts); fit(parts, oneShare(s, reachOf(s))) <= threshold {
		t.Error("a single part passes for a share")
	}
}

// TestEachCellIsAlike: cells at either end, also where cells are no multiple of h or fewer.
func TestEachCellIsAlike(t *testing.T) {
	for _, c := range []struct{ honest, cells int }{{5, 1}, {5, 3}, {5, 5}, {5, 7}, {1, 4}, {3, 10}} {
		s := split(t, 700, 1, c.honest)
		src := seeded(byte(10*c.honest + c.cells))
		first, last := make([]int64, 20_000), make([]int64, 20_000)
		for i := range first {
			shares := sum(t, s, src, c.cells, 1)
			first[i], last[i] = shares[0], shares[c.cells-1]
		}
		for name, values := range map[string][]int64{"first": first, "last": last} {
			if x := fit(values, oneShare(s, reachOf(s))); x > threshold {
				t.Errorf("%d cells for %d: the %s is %.1f standard deviations off", c.cells, c.honest, name, x)
			}
		}
	}
}

// TestCellsAreIndependent compares how often two cells are zero together, and how the sum of
// all cells varies, with what independent cells do.
func TestCellsAreIndependent(t *testing.T) {
	s := split(t, 400, 1, 4)
	one := oneShare(s, reachOf(s))
	zero := one[len(one)/2]
	src := seeded(77)
	const draws, cells = 4000, 12
	both, squares := 0, 0.0
	for range draws {
		shares, total := sum(t, s, src, cells, 1), int64(0)
		for i := 0; i < cells; i += 2 {
			if shares[i] == 0 && shares[i+1] == 0 {
				both++
			}
		}
		for _, x := range shares {
			total += x
		}
		squares += float64(total * total)
	}
	pairs := float64(draws * cells / 2)
	if want := zero * zero; math.Abs(float64(both)/pairs-want) > threshold*math.Sqrt(want*(1-want)/pairs) {
		t.Errorf("two cells are zero in %.4f of cases, want %.4f", float64(both)/pairs, want)
	}
	one1 := s.Deviation(1)
	if got, want := squares/draws, cells*one1*one1; math.Abs(got/want-1) > 0.15 {
		t.Errorf("the sum of cells has variance %.1f, want %.1f", got, want)
	}
}

func TestDeviation(t *testing.T) {
	s := split(t, 1000, 2, 5)
	for _, contributors := range []int{1, 5, 20} {
		squares := 0.0
		values := sum(t, s, seeded(9), 50_000, contributors)
		for _, x := range values {
			squares += float64(x * x)
		}
		if got, want := math.Sqrt(squares/float64(len(values))), s.Deviation(contributors); math.Abs(got/want-1) > 0.03 {
			t.Errorf("%d contributors: deviation %.3f, stated %.3f", contributors, got, want)
		}
	}
}

// TestPrivacyOfTheSum is the promise on the stated distribution: counts that differ by the
// sensitivity are within the factor e^ε, in whatever cells the difference lies.
func TestPrivacyOfTheSum(t *testing.T) {
	for _, s := range splits(t) {
		factor := math.Exp(float64(s.epsilonMilli) / 1000 * (1 + 1e-12))
		total := 0.0
		for x := -s.Bound() - int64(s.sensitivity); x <= s.Bound()+int64(s.sensitivity); x++ {
			p, moved := s.Probability(x), s.Probability(x-int64(s.sensitivity))
			if total += p; p > factor*moved || moved > factor*p {
				t.Errorf("%+v: %v and %v at %d", s, p, moved, x)
			}
		}
		if math.Abs(total-1) > 1e-9 {
			t.Errorf("%+v: probabilities add up to %v", s, total)
		}
	}
}

// TestBounds checks what the truncation costs: q^S at most 2⁻⁸⁰, and δ at most 2⁻⁴⁰.
func TestBounds(t *testing.T) {
	if ln := new(big.Float).SetPrec(100).SetFloat64(80_000 * math.Ln2); ln.Cmp(big.NewFloat(boundNumerator)) > 0 || boundNumerator-80_000*math.Ln2 > 1 {
		t.Errorf("%d is not 80,000·ln 2 rounded up", boundNumerator)
	}
	for _, c := range []struct {
		e, sensitivity uint32
		want           int64
	}{{10_000, 1, 6}, {1000, 1, 56}, {1000, 5, 278}, {10, 1, 5546}, {10, 1000, 5_545_200}, {333, 7, 1166}} {
		s := split(t, c.e, c.sensitivity, 3)
		if got := s.Bound(); got != c.want || float64(got)*s.rate() < 80*math.Ln2 {
			t.Errorf("epsilon %d/1000, sensitivity %d: bound %d, want %d", c.e, c.sensitivity, got, c.want)
		}
	}
	if delta := (1 + math.Exp(MaxEpsilonMilli/1000)) * 2 * MaxCells * math.Pow(2, -80); delta > math.Pow(2, -44) {
		t.Errorf("delta %g", delta)
	}
}

func TestRangesOfSplits(t *testing.T) {
	for _, c := range []struct {
		e, sensitivity uint32
		honest         int
	}{{0, 1, 1}, {9, 1, 1}, {10_001, 1, 1}, {1000, 0, 1}, {1000, 1001, 1}, {1000, 1, 0}, {1000, 1, -1}, {1000, 1, 1025}, {math.MaxUint32, 1, 1}} {
		if s, err := NewSplit(c.e, c.sensitivity, c.honest); err == nil || s != (Split{}) {
			t.Errorf("%+v is taken", c)
		}
	}
	for _, c := range [][3]int{{10, 1, 1}, {10_000, 1000, 1024}, {10, 1000, 1024}} {
		if _, err := split(t, uint32(c[0]), uint32(c[1]), c[2]).Draw(3); err != nil {
			t.Error(err)
		}
	}
	s := split(t, 1000, 1, 2)
	for _, cells := range []int{-1, 0, MaxCells + 1} {
		if shares, err := s.Draw(cells); err == nil || shares != nil {
			t.Errorf("shares of %d cells", cells)
		}
	}
	none := Split{}
	if _, err := none.Draw(1); err == nil || none.Bound() != 0 || none.Probability(0) != 0 || none.Deviation(1) != 0 {
		t.Error("a split without parameters draws")
	}
	if s.Deviation(0) != 0 {
		t.Error("nobody's noise deviates")
	}
}

// TestTooLargeSharesAreDrawnAgain: a part above the bound makes its sign be drawn anew.
func TestTooLargeSharesAreDrawnAgain(t *testing.T) {
	s := split(t, MaxEpsilonMilli, 1, 1) // ratio exp(−10), bound 6
	var words []uint64
	large := func(n int) { // a geometric number n: 10·n successes of exp(−1), then a failure
		for range 10 * n {
			words = append(words, 0, 1)
		}
		words = append(words, 1)
	}
	large(7)
	words = append(words, 6) // one cycle of all 7
	large(6)
	words = append(words, 5)
	large(0)
	src := &source{}
	used := 0
	src.fill = func(b []byte) {
		for i := range b {
			b[i] = 0
		}
		for i := 0; i+8 <= len(b) && used < len(words); i += 8 {
			b[i+7] = byte(words[used])
			used++
		}
	}
	shares, err := s.draw(src, 1)
	if err != nil || !slices.Equal(shares, []int64{6}) {
		t.Errorf("shares %v, %v; want 6", shares, err)
	}
}

// BenchmarkTally draws what a whole tally needs: the shares of 45 contributors for 36,100 cells.
func BenchmarkTally(b *testing.B) {
	for _, honest := range []int{1, 10, 23, 44} {
		b.Run(fmt.Sprintf("honest=%d", honest), func(b *testing.B) {
			s := split(b, 1000, 5, honest)
			for b.Loop() {
				for range 45 {
					if _, err := s.Draw(36_100); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
