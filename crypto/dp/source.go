package dp

import (
	"crypto/rand"
	"encoding/binary"
	"math"
)

// source draws exactly, by integer arithmetic on random bytes. It is not for concurrent use.
type source struct {
	fill   func([]byte)
	buffer [128]byte
	left   int // bytes at the end of the buffer that nothing was drawn from
}

// newSource draws from crypto/rand, which never fails.
func newSource() *source { return &source{fill: func(b []byte) { rand.Read(b) }} }

// clear forgets the bytes that draws were made from.
func (s *source) clear() {
	clear(s.buffer[:])
	s.left = 0
}

// word returns the next eight bytes as a number.
func (s *source) word() uint64 {
	if s.left == 0 {
		s.fill(s.buffer[:])
		s.left = len(s.buffer)
	}
	at := len(s.buffer) - s.left
	s.left -= 8
	return binary.BigEndian.Uint64(s.buffer[at:])
}

// uniform returns a number below n, each with the same probability: a draw from the last,
// incomplete run of n below 2⁶⁴ is thrown away. n must not be zero.
func (s *source) uniform(n uint64) uint64 {
	if n == 1 {
		return 0
	}
	spare := (math.MaxUint64%n + 1) % n // 2⁶⁴ mod n
	for {
		if x := s.word(); x <= math.MaxUint64-spare {
			return x % n
		}
	}
}

// bernoulliExp is true with probability exp(−a/b), for a ≤ b and b > 0: the number of
// successes of probability a/b, a/2b, a/3b … before the first failure is even with just
// that probability (the series of the exponential function).
func (s *source) bernoulliExp(a, b uint64) bool {
	k := uint64(1)
	for s.uniform(b*k) < a { // k passes 20 once in 20! runs, so b·k stays small
		k++
	}
	return k%2 == 1
}

// geometric draws y ≥ 0 with probability proportional to exp(−y·a/b), for positive a and b
// that are at most 10⁶.
//
// u below b is kept with probability exp(−u/b), v counts successes of exp(−1), so u + b·v is
// geometric with ratio exp(−1/b), and divided by a with ratio exp(−a/b).
func (s *source) geometric(a, b uint64) uint64 {
	for {
		if x := s.uniform(b); s.bernoulliExp(x, b) {
			for s.bernoulliExp(1, 1) { // a thousand times once in e¹⁰⁰⁰ runs
				x += b
			}
			return x / a
		}
	}
}
