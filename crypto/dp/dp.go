// Package dp draws noise: for an exact count of two parties, where one of them draws it
// (Noise), and for the sums of a tally, where every contributor draws a share (Split).
//
// The noise of a count is the discrete Laplace distribution of scale 1/ε, moved up by a
// shift and truncated, so that it is a number of dummies: D = shift + X, where X is drawn
// with probability proportional to exp(−ε·|x|) from the integers with |x| ≤ shift. So D lies
// in [0, 2·shift], and whoever sees count + D and knows the shift gets the count with
// symmetric noise. That of a tally is the same distribution, of scale sensitivity/ε and
// divided among contributors. Sampling is exact, by integer arithmetic on crypto/rand or on a
// contributor's seeded stream, after
// Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy"
// (arXiv:2004.00010), algorithms 1 and 2, and for shares after Shepp and Lloyd, "Ordered
// cycle lengths in a random permutation" (1966): no floating point, so none of its leaks.
//
// Promise for a count: one item more or less in the overlap changes the probability of each
// outcome by at most a factor e^ε, apart from outcomes of a probability below δ = 2⁻⁴⁰. That
// is (ε, 2⁻⁴⁰)-differential privacy of one answer. Answers add up: n of them give (n·ε,
// n·2⁻⁴⁰), so whoever asks must keep an account. Split states its own promise, of the same
// kind. Not promised: privacy of someone who changes the count by more than one, and
// constant time: how long a draw takes says a little about it, so draw before the protocol
// begins and never in a timed reply.
package dp

import (
	"errors"
	"fmt"
	"math"
)

// Bounds of ε in thousandths. Below the lower one more than five thousand dummies would
// have to cover an answer, above the upper one the noise is nearly always zero.
const (
	MinEpsilonMilli = 10
	MaxEpsilonMilli = 10_000
)

// scale is the denominator of ε.
const scale = 1000

// shiftNumerator is 1000 · 40 · ln 2 = 27,725.887…, rounded up.
//
// The untruncated X has P(|X| > s) = 2·q^(s+1)/(1+q) with q = e^−ε, which is at most q^s
// since 2q ≤ 1+q. So s ≥ 40·ln 2/ε truncates a mass of at most 2⁻⁴⁰. The same s gives δ:
// between neighbouring counts only the two end points have no counterpart, each of
// probability (1−q)·q^s / ((1+q)·(1−mass)) < 2⁻⁴⁰; all others differ by a factor e^±ε
// exactly, because truncation scales them alike. In integers, so that both sides compute
// the same number of dummies on any machine.
const shiftNumerator = 27_726

// Noise is one noise distribution. Its zero value is none.
type Noise struct {
	epsilonMilli uint32
	shift        int
}

// NewNoise returns the noise for ε = epsilonMilli/1000, which must lie within
// MinEpsilonMilli and MaxEpsilonMilli.
func NewNoise(epsilonMilli uint32) (Noise, error) {
	if epsilonMilli < MinEpsilonMilli || epsilonMilli > MaxEpsilonMilli {
		return Noise{}, fmt.Errorf("noise: epsilon of %d/1000, allowed are %d to %d",
			epsilonMilli, MinEpsilonMilli, MaxEpsilonMilli)
	}
	shift := (shiftNumerator + epsilonMilli - 1) / epsilonMilli
	return Noise{epsilonMilli, int(shift)}, nil
}

// Shift returns the mean of D, in items: what the reader of a noisy count takes off.
func (n Noise) Shift() int { return n.shift }

// Max returns the largest D, in items: how many public dummies the count needs.
func (n Noise) Max() int { return 2 * n.shift }

// Sample draws D from crypto/rand. It fails for the zero Noise only.
func (n Noise) Sample() (int, error) {
	if n.epsilonMilli == 0 {
		return 0, errors.New("draw noise: no parameters")
	}
	s := newSource()
	defer s.clear()
	for {
		// What is refused is drawn anew as a whole, sign included: that is what truncation means.
		magnitude := s.geometric(uint64(n.epsilonMilli), scale)
		negative := s.uniform(2) == 1
		switch {
		case magnitude > uint64(n.shift):
		case negative && magnitude == 0: // else zero would come up twice as often
		case negative:
			return n.shift - int(magnitude), nil
		default:
			return n.shift + int(magnitude), nil
		}
	}
}

// Probability returns the probability of D = d, for tests and documents: the noise itself
// is never computed from it.
func (n Noise) Probability(d int) float64 {
	if n.epsilonMilli == 0 || d < 0 || d > n.Max() {
		return 0
	}
	epsilon := float64(n.epsilonMilli) / 1000
	q := math.Exp(-epsilon)
	// The sum of q^|x| over |x| ≤ shift.
	all := (1 + q - 2*math.Pow(q, float64(n.shift+1))) / -math.Expm1(-epsilon)
	return math.Exp(-epsilon*math.Abs(float64(d-n.shift))) / all
}
