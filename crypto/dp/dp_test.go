package dp

import (
	"math"
	"math/big"
	"testing"
)

// noises has both ends of the range and what is usual between.
func noises(t *testing.T) []Noise {
	t.Helper()
	var all []Noise
	for _, e := range []uint32{MinEpsilonMilli, 11, 100, 333, 500, 1000, 2000, 5000, MaxEpsilonMilli - 1, MaxEpsilonMilli} {
		n, err := NewNoise(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func TestRangeOfEpsilon(t *testing.T) {
	for _, e := range []uint32{0, 1, MinEpsilonMilli - 1, MaxEpsilonMilli + 1, math.MaxUint32} {
		if n, err := NewNoise(e); err == nil || n != (Noise{}) {
			t.Errorf("epsilon %d/1000 is taken: %+v", e, n)
		}
	}
	if _, err := (Noise{}).Sample(); err == nil {
		t.Error("noise without parameters is drawn")
	}
	if p := (Noise{}).Probability(0); p != 0 {
		t.Errorf("noise without parameters has probability %v", p)
	}
}

// TestShift freezes the numbers: both sides of a round must compute the same.
func TestShift(t *testing.T) {
	for e, want := range map[uint32]int{10: 2773, 100: 278, 500: 56, 693: 41, 1000: 28, 2000: 14, 5000: 6, 10_000: 3} {
		n, err := NewNoise(e)
		if err != nil || n.Shift() != want || n.Max() != 2*want {
			t.Errorf("epsilon %d/1000: shift %d, max %d, want %d", e, n.Shift(), n.Max(), want)
		}
	}
}

// power returns exp(−milli/1000) to 200 bits, by the series for one thousandth.
func power(milli int) *big.Float {
	const precision = 200
	f := func(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }
	step, term := f(1), f(1)
	for i := 1; i < 40; i++ {
		term.Quo(term, f(float64(-1000*i)))
		step.Add(step, term)
	}
	result, square := f(1), step
	for n := milli; n > 0; n >>= 1 {
		if n&1 == 1 {
			result.Mul(result, square)
		}
		square = f(0).Mul(square, square)
	}
	return result
}

// TestTruncatedMassAndDelta computes both across the range, with big numbers: at most
// 2⁻⁴⁰, and with a shift of two less the mass would be more, so no dummies are wasted.
func TestTruncatedMassAndDelta(t *testing.T) {
	one := new(big.Float).SetPrec(200).SetInt64(1)
	bound := new(big.Float).SetMantExp(one, -40)
	for e := MinEpsilonMilli; e <= MaxEpsilonMilli; e += 37 {
		n, err := NewNoise(uint32(e))
		if err != nil {
			t.Fatal(err)
		}
		q := power(e)
		plus := new(big.Float).Add(one, q)
		mass := power(e * (n.Shift() + 1))
		mass.Add(mass, mass).Quo(mass, plus)
		delta := power(e * n.Shift())
		delta.Mul(delta, new(big.Float).Sub(one, q)).Quo(delta, plus)
		delta.Quo(delta, new(big.Float).Sub(one, mass))
		if mass.Cmp(bound) > 0 || delta.Cmp(bound) > 0 {
			t.Errorf("epsilon %d/1000: mass %.3g, delta %.3g", e, mass, delta)
		}
		less := power(e * (n.Shift() - 1))
		if less.Add(less, less).Quo(less, plus); less.Cmp(bound) <= 0 {
			t.Errorf("epsilon %d/1000: a shift of two less would do", e)
		}
	}
}

func TestProbability(t *testing.T) {
	for _, n := range noises(t) {
		sum := 0.0
		for d := range n.Max() + 1 {
			p := n.Probability(d)
			sum += p
			if mirrored := n.Probability(n.Max() - d); math.Abs(p-mirrored) > 1e-15 {
				t.Errorf("%+v: not symmetric at %d", n, d)
			}
			if d < n.Shift() {
				ratio := n.Probability(d+1) / p
				if want := math.Exp(float64(n.epsilonMilli) / 1000); math.Abs(ratio/want-1) > 1e-9 {
					t.Errorf("%+v: ratio %v at %d, want %v", n, ratio, d, want)
				}
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("%+v: probabilities add up to %v", n, sum)
		}
		if n.Probability(-1) != 0 || n.Probability(n.Max()+1) != 0 {
			t.Errorf("%+v: noise beyond its range", n)
		}
	}
}
