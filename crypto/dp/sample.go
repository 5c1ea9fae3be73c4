package dp

import (
	"crypto/rand"
	"encoding/binary"
	"math"
)

// scale is the denominator of ε.
const scale = 1000

// magnitude draws |X| before truncation, with P(y) proportional to exp(−ε·y), and reports
// whether the draw was accepted and lies within the shift. A refused draw is drawn anew
// as a whole, sign included; that is what truncation means.
//
// With ε = s/t: u below t is kept with probability exp(−u/t), v counts successes of
// exp(−1), so u + t·v is geometric with ratio exp(−1/t), and divided by s with exp(−s/t).
func (n Noise) magnitude() (int, bool) {
	u := uniform(scale)
	if !bernoulliExp(u, scale) {
		return 0, false
	}
	x := u
	for bernoulliExp(1, 1) {
		x += scale
		// Beyond the shift the draw is refused whatever follows.
		if x/uint64(n.epsilonMilli) > uint64(n.shift) {
			return 0, false
		}
	}
	y := x / uint64(n.epsilonMilli)
	return int(y), y <= uint64(n.shift)
}

// bernoulliExp is true with probability exp(−a/b), for a ≤ b and b > 0: the number of
// successes of probability a/b, a/2b, a/3b … before the first failure is even with just
// that probability (the series of the exponential function).
func bernoulliExp(a, b uint64) bool {
	k := uint64(1)
	for uniform(b*k) < a { // k passes 20 once in 20! runs, so b·k stays small
		k++
	}
	return k%2 == 1
}

// uniform returns a number below n, each with the same probability: a draw from the last,
// incomplete run of n below 2⁶⁴ is thrown away. n must not be zero.
func uniform(n uint64) uint64 {
	spare := (math.MaxUint64%n + 1) % n // 2⁶⁴ mod n
	for {
		var b [8]byte
		rand.Read(b[:]) // never fails
		x := binary.LittleEndian.Uint64(b[:])
		if x <= math.MaxUint64-spare {
			return x % n
		}
	}
}
