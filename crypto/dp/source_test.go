package dp

import (
	"math"
	"testing"
	"testing/cryptotest"
)

// chiSquare compares counts with probabilities. Cells that expect fewer than ten draws are
// put together. It returns the statistic in standard deviations above its mean: for the
// right distribution about standard normal.
func chiSquare(counts []int, probability func(int) float64) float64 {
	total := 0
	for _, c := range counts {
		total += c
	}
	statistic, cells, expected, got := 0.0, 0, 0.0, 0.0
	add := func() {
		statistic += (got - expected) * (got - expected) / expected
		cells++
		expected, got = 0, 0
	}
	for i, c := range counts {
		expected += probability(i) * float64(total)
		got += float64(c)
		if expected >= 10 {
			add()
		}
	}
	if expected > 0 {
		add()
	}
	degrees := float64(cells - 1)
	return (statistic - degrees) / math.Sqrt(2*degrees)
}

// threshold, in standard deviations: the randomness is fixed, so the test passes always
// or never; a right sampler would exceed it for about one seed in a thousand.
const threshold = 4

func histogram(t *testing.T, n Noise, draws int) []int {
	t.Helper()
	counts := make([]int, n.Max()+1)
	for range draws {
		d, err := n.Sample()
		if err != nil {
			t.Fatal(err)
		}
		if d < 0 || d > n.Max() {
			t.Fatalf("%+v: drew %d", n, d)
		}
		counts[d]++
	}
	return counts
}

func TestSampleHasTheStatedDistribution(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	for _, n := range noises(t) {
		counts := histogram(t, n, 50_000)
		if x := chiSquare(counts, n.Probability); x > threshold {
			t.Errorf("%+v: %.1f standard deviations off", n, x)
		}
	}
}

// TestWrongDistributionsAreFound: the same test must see small mistakes.
func TestWrongDistributionsAreFound(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 2)
	n, err := NewNoise(1000)
	if err != nil {
		t.Fatal(err)
	}
	counts := histogram(t, n, 50_000)
	near, err := NewNoise(950)
	if err != nil {
		t.Fatal(err)
	}
	half := n.Probability(n.Shift()) / 2
	for name, p := range map[string]func(int) float64{
		"epsilon 5 % less": func(d int) float64 { return near.Probability(d + near.Shift() - n.Shift()) },
		"shift off by one": func(d int) float64 { return n.Probability(d + 1) },
		"one-sided":        func(d int) float64 { return 1 / float64(n.Max()+1) },
		"zero drawn twice": func(d int) float64 {
			if d == n.Shift() {
				return 4 * half / (1 + 2*half)
			}
			return n.Probability(d) / (1 + 2*half)
		},
	} {
		if x := chiSquare(counts, p); x <= threshold {
			t.Errorf("%s is not found: %.1f standard deviations", name, x)
		}
	}
}

func TestBernoulliExp(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 3)
	const draws = 40_000
	src := newSource()
	for _, c := range []struct{ a, b uint64 }{{0, 1}, {1, 1000}, {1, 4}, {1, 2}, {693, 1000}, {999, 1000}, {1, 1}} {
		yes := 0
		for range draws {
			if src.bernoulliExp(c.a, c.b) {
				yes++
			}
		}
		p := math.Exp(-float64(c.a) / float64(c.b))
		deviation := math.Sqrt(p * (1 - p) / draws)
		if off := math.Abs(float64(yes)/draws - p); off > threshold*deviation {
			t.Errorf("exp(−%d/%d): off by %v, one deviation is %v", c.a, c.b, off, deviation)
		}
	}
}

func TestUniform(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 4)
	src := newSource()
	for _, n := range []uint64{1, 2, 3, 7, 1000} {
		counts := make([]int, n)
		for range 20_000 {
			counts[src.uniform(n)]++ // panics if out of range
		}
		if n == 1 {
			continue
		}
		if x := chiSquare(counts, func(int) float64 { return 1 / float64(n) }); x > threshold {
			t.Errorf("below %d: %.1f standard deviations off", n, x)
		}
	}
	// Almost half of all draws must be thrown away here, or the lower half comes twice.
	const large = 1<<63 + 1
	low := 0
	for range 20_000 {
		x := src.uniform(large)
		if x >= large {
			t.Fatalf("drew %d", x)
		}
		if x < large/2 {
			low++
		}
	}
	if low < 9_700 || low > 10_300 { // 10,000 ± 71
		t.Errorf("%d of 20,000 in the lower half", low)
	}
}

// TestNeighboursStayWithinTheFactor checks the promise itself on the stated
// distribution: counts c and c+1 seen with noise.
func TestNeighboursStayWithinTheFactor(t *testing.T) {
	for _, n := range noises(t) {
		factor, delta := math.Exp(float64(n.epsilonMilli)/1000), 0.0
		for seen := range n.Max() + 2 {
			p, q := n.Probability(seen), n.Probability(seen-1)
			delta += max(0, p-factor*q*(1+1e-9))
		}
		if delta > math.Pow(2, -40) {
			t.Errorf("%+v: delta %v", n, delta)
		}
	}
}

func BenchmarkSample(b *testing.B) {
	n, err := NewNoise(1000)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := n.Sample(); err != nil {
			b.Fatal(err)
		}
	}
}
