package dp

import (
	"errors"
	"fmt"
	"math"
)

// Bounds of a split.
const (
	MaxSensitivity = 1000    // how much one protected unit changes all counts together
	MaxHonest      = 1024    // contributors who draw their shares as stated
	MaxCells       = 1 << 20 // counts that are drawn for at once
)

// boundNumerator is 1000 · 80 · ln 2 = 55,451.77…, rounded up.
//
// A share of a cell is the difference of two parts. Each part is kept at or below
// S = ⌈boundNumerator·c/e⌉, where c is the sensitivity and ε = e/1000. With q = exp(−ε/c)
// that is q^S ≤ 2⁻⁸⁰. For one cell and one sign, no part of h contributors can exceed S
// unless their sum does, which is geometric: P(sum > S) = q^(S+1). So all shares of h
// contributors together, over M cells, differ from untruncated ones by a statistical
// distance of at most τ = 2·M·q^(S+1) ≤ 2·M·2⁻⁸⁰, which is 2⁻⁵⁹ at MaxCells, and for
// neighbouring tallies δ ≤ (1 + e^ε)·τ: below 2⁻⁴⁴ even for ε = 10.
const boundNumerator = 55_452

// Split is the noise of a tally, drawn in shares: every contributor adds one to its counts
// before they are encrypted, and the sum over any h of them that are honest has discrete
// Laplace noise of scale sensitivity/ε in every cell, independently. Whoever knows the other
// contributors' shares, those of colluding ones, can subtract them, and sees that noise
// still. More honest contributors than h only add more noise; fewer leave less than is
// promised. So h is the least number of contributors less all that may collude; who looks at
// the sums alone is one of those already, if it contributes, as it knows its own share.
//
// With q = exp(−ε/sensitivity), discrete Laplace noise is the difference of two geometric
// numbers of ratio q, and a geometric number is the sum of h independent negative binomial
// ones of shape 1/h. Those are drawn exactly, without
// approximation or floating point; see part.
//
// One protected unit (a case, say, that several contributors may count) must change all
// cells of all contributors together by at most the sensitivity, in absolute values. The
// contributors' caps have to see to that: nothing here can.
//
// Promise: (ε, 2⁻⁴⁰)-differential privacy of the sums for such a unit, by the bound above.
// Not promised: that a contributor's share is honest, and constant time. Time and memory
// access depend on the noise, so a share is drawn before anyone waits for it, once for a
// tally, and kept, or its seed, until it is used: two shares for the same counts can be averaged.
//
// The zero value is none.
type Split struct {
	epsilonMilli uint32
	sensitivity  uint32
	honest       int
}

// NewSplit returns the split for ε = epsilonMilli/1000, which must lie within
// MinEpsilonMilli and MaxEpsilonMilli.
func NewSplit(epsilonMilli, sensitivity uint32, honest int) (Split, error) {
	switch {
	case epsilonMilli < MinEpsilonMilli || epsilonMilli > MaxEpsilonMilli:
		return Split{}, fmt.Errorf("split noise: epsilon of %d/1000, allowed are %d to %d", epsilonMilli, MinEpsilonMilli, MaxEpsilonMilli)
	case sensitivity < 1 || sensitivity > MaxSensitivity:
		return Split{}, fmt.Errorf("split noise: sensitivity %d, allowed are 1 to %d", sensitivity, MaxSensitivity)
	case honest < 1 || honest > MaxHonest:
		return Split{}, fmt.Errorf("split noise: %d honest contributors, allowed are 1 to %d", honest, MaxHonest)
	}
	return Split{epsilonMilli, sensitivity, honest}, nil
}

// Bound returns the largest absolute value of a share of a cell: what an encoding of counts
// must leave room for, for each contributor.
func (s Split) Bound() int64 {
	if s.epsilonMilli == 0 {
		return 0
	}
	e, c := uint64(s.epsilonMilli), uint64(s.sensitivity)
	return int64((boundNumerator*c + e - 1) / e)
}

// Draw returns one contributor's shares for so many cells, from crypto/rand. It fails for
// the zero Split, and if there are not 1 to MaxCells cells.
func (s Split) Draw(cells int) ([]int64, error) {
	src := newSource()
	defer src.clear()
	return s.draw(src, cells)
}

// Stream is a key stream that never ends, such as crypto/he/sample's. Next returns its next n
// bytes, valid until the next call; n is at most 64.
type Stream interface {
	Next(n int) []byte
}

// DrawFrom is Draw from a stream, so that who has the stream's seed draws the same shares
// again. Bytes are taken from the stream in order, eight a number; some that follow the last
// number may have been read. So a stream serves one draw, and its seed must be secret and
// random: who knows the seed takes the noise off.
func (s Split) DrawFrom(stream Stream, cells int) ([]int64, error) {
	src := &source{fill: func(b []byte) {
		for len(b) > 0 {
			b = b[copy(b, stream.Next(min(len(b), 64))):]
		}
	}}
	defer src.clear()
	return s.draw(src, cells)
}

func (s Split) draw(src *source, cells int) ([]int64, error) {
	if s.epsilonMilli == 0 {
		return nil, errors.New("draw shares of noise: no parameters")
	}
	if cells < 1 || cells > MaxCells {
		return nil, fmt.Errorf("draw shares of noise: %d cells, allowed are 1 to %d", cells, MaxCells)
	}
	shares, minus := make([]int64, cells), make([]int64, cells)
	for !s.part(src, shares) {
	}
	for !s.part(src, minus) {
	}
	for i, m := range minus {
		shares[i] -= m
	}
	clear(minus)
	return shares, nil
}

// part draws one sign's parts of the shares, independent negative binomial numbers of shape
// 1/h and ratio q, and reports whether none exceeds the bound.
//
// In a uniformly random permutation of a geometric number of elements the numbers of cycles
// of length k are independent Poisson numbers of mean q^k/k (Shepp and Lloyd, Ordered cycle
// lengths in a random permutation, 1966), and these are the lengths that a geometric number
// is the sum of when it is written as a compound Poisson one. The shape 1/h asks for means
// of q^k/(h·k) in each cell. So the cycles of w permutations, each put into one of w·h cells
// at random, give all w·h cells at once: a Poisson number of cycles that are marked at
// random falls into independent ones. With w = ⌈cells/h⌉ cells at the end are left over,
// and what falls into them is dropped. The lengths are drawn without the permutation: the
// cycle of the first of n elements has a length uniform from 1 to n, and the rest is a
// random permutation again.
func (s Split) part(src *source, cells []int64) bool {
	clear(cells)
	a, b := s.ratio()
	permutations := (len(cells) + s.honest - 1) / s.honest
	places := uint64(permutations * s.honest)
	bound, within := s.Bound(), true
	for range permutations {
		for n := src.geometric(a, b); n > 0; {
			length := 1 + src.uniform(n)
			n -= length
			if place := src.uniform(places); place < uint64(len(cells)) {
				cells[place] += int64(length)
				within = within && cells[place] <= bound
			}
		}
	}
	return within
}

// ratio returns ε/sensitivity as a fraction in lowest terms.
func (s Split) ratio() (a, b uint64) {
	a, b = uint64(s.epsilonMilli), scale*uint64(s.sensitivity)
	x, y := a, b
	for y > 0 {
		x, y = y, x%y
	}
	return a / x, b / x
}

// Probability returns the probability that the noise of exactly h honest contributors adds
// up to x in a cell, for plans, tests and documents: the noise is never computed from it.
func (s Split) Probability(x int64) float64 {
	if s.epsilonMilli == 0 {
		return 0
	}
	rate := s.rate()
	return math.Tanh(rate/2) * math.Exp(-rate*math.Abs(float64(x))) // tanh(r/2) = (1−q)/(1+q)
}

// Deviation returns the standard deviation of the noise in a cell if so many contributors
// add shares: h of them give discrete Laplace noise, all give more.
func (s Split) Deviation(contributors int) float64 {
	if s.epsilonMilli == 0 || contributors < 1 {
		return 0
	}
	q := math.Exp(-s.rate())
	return math.Sqrt(2*q*float64(contributors)/float64(s.honest)) / -math.Expm1(-s.rate())
}

// rate is ε/sensitivity.
func (s Split) rate() float64 { return float64(s.epsilonMilli) / scale / float64(s.sensitivity) }
