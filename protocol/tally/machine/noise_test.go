package machine

import (
	"math"
	mathrand "math/rand/v2"
	"slices"
	"testing"

	"entente/crypto/dp"
	"entente/protocol/tally"
)

// fixed has every member of a rig draw from a seed of its own, so that seeds, key and noise are
// the same in each run.
func fixed(r *rig) {
	for i, n := range r.names {
		c := r.configs[n]
		c.Random = mathrand.NewChaCha8([32]byte{byte(i + 1)})
		r.configs[n] = c
	}
}

// deviation is by how many standard deviations the chi-square statistic of values is off from
// what the distribution of a split gives. Bins are single values, those of less than eight
// expected together at either end.
func deviation(values []int64, s dp.Split) float64 {
	n := float64(len(values))
	reach := int64(0)
	for n*s.Probability(reach+1) >= 8 {
		reach++
	}
	counts := map[int64]float64{}
	for _, v := range values {
		counts[min(max(v, -reach-1), reach+1)]++
	}
	inside, statistic := 0.0, 0.0
	for x := -reach; x <= reach; x++ {
		inside += s.Probability(x)
		statistic += square(counts[x]-n*s.Probability(x)) / (n * s.Probability(x))
	}
	tail := n * (1 - inside) / 2
	statistic += (square(counts[-reach-1]-tail) + square(counts[reach+1]-tail)) / tail
	freedom := float64(2*reach + 2)
	return (statistic - freedom) / math.Sqrt(2*freedom)
}

func square(x float64) float64 { return x * x }

// TestNoise runs a whole tally with fixed seeds. The noise of a release is what its contributors'
// openings say, and who takes off its own share is left with the discrete Laplace distribution
// of the ε that was agreed: no more noise than that, and no less.
func TestNoise(t *testing.T) {
	p := proposal(corridors(150), 3, 3, 3)
	p.EpsilonMilli, p.NoiseOf, p.Cap = 1000, 2, 3
	r := newRig(t, p)
	fixed(r)
	r.random(4, 1000)
	for _, n := range r.names { // enough that all cells are shown
		for i := range r.counts[n] {
			r.counts[n][i] += 1000
		}
	}
	release := r.run(t)
	if release.EpsilonMilli != 1000 || release.NoiseOf != 2 || release.Cap != 3 {
		t.Errorf("the release names other noise: %d, %d, %d", release.EpsilonMilli, release.NoiseOf, release.Cap)
	}
	split, err := p.Noise()
	if err != nil {
		t.Fatal(err)
	}
	sums := r.clear(r.names...)
	all := make([]int64, len(sums))
	for i, n := range release.Cells {
		all[i] = int64(n) - int64(sums[i])
	}
	if want := []int64{-1, -2, 7, -4, 8, -1, -2, 0}; !slices.Equal(all[:8], want) {
		t.Errorf("the noise of fixed seeds is %v, not %v", all[:8], want)
	}
	total := make([]int64, len(all))
	for _, own := range r.names {
		shares := opening(t, r, own)
		rest := slices.Clone(all)
		for i, x := range shares {
			rest[i] -= x
			total[i] += x
		}
		if d := deviation(rest, split); math.Abs(d) > 5 {
			t.Errorf("without the share of %s the noise is %.1f standard deviations off", own, d)
		}
		if d := deviation(shares, split); d < 5 {
			t.Errorf("one share passes for the noise of two: %.1f", d)
		}
	}
	if !slices.Equal(total, all) {
		t.Error("the noise that was released is not that of the openings")
	}
	if d := deviation(all, split); d < 5 {
		t.Errorf("three shares pass for two: %.1f", d)
	}
	weaker, err := dp.NewSplit(1050, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range opening(t, r, name(0)) {
		all[i] -= x
	}
	if d := deviation(all, weaker); d < 5 {
		t.Errorf("ε that is 5 %% off passes: %.1f", d)
	}
}

// opening draws a member's noise again from what it opens.
func opening(t *testing.T, r *rig, member string) []int64 {
	t.Helper()
	s, o := opened(t, r, member)
	if err := CheckOpening(arithmetic(t), r.public, r.collector.rec.Release, s, o); err != nil {
		t.Fatal(err)
	}
	noise, err := drawNoise(r.proposal, o.Seed, [32]byte(o.Key))
	if err != nil {
		t.Fatal(err)
	}
	return noise
}

// TestNoiseOfOneCell draws the noise of one cell under many keys: as above, and as in the sum of
// a tally with one counter.
func TestNoiseOfOneCell(t *testing.T) {
	p := proposal(tally.Question{Kind: tally.Counters, Dimensions: []tally.Dimension{{Name: "counter", Labels: []string{"hits"}}}}, 5, 3, 3)
	p.EpsilonMilli, p.NoiseOf, p.Minimum = 700, 4, 5
	split, err := p.Noise()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]int64, 20_000)
	if testing.Short() {
		values = values[:2_000]
	}
	for i := range values {
		for member := range byte(p.NoiseOf) {
			noise, err := drawNoise(p, []byte{31: member}, [32]byte{byte(i), byte(i >> 8)})
			if err != nil {
				t.Fatal(err)
			}
			values[i] += noise[0]
		}
	}
	if d := deviation(values, split); math.Abs(d) > 5 {
		t.Errorf("%.1f standard deviations off", d)
	}
}

// TestNoNoise: without ε nothing is drawn.
func TestNoNoise(t *testing.T) {
	if noise, err := drawNoise(proposal(corridors(3), 3, 3, 3), make([]byte, 32), [32]byte{}); err != nil || noise != nil {
		t.Errorf("%v, %v", noise, err)
	}
}
