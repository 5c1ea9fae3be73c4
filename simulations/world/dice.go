package world

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// dice is one stream of reproducible draws. Each person and each record has a stream of its
// own, so that no draw depends on how many others came before it.
type dice struct{ source *rand.ChaCha8 }

// newDice derives the stream of an item: SHA-256 of label, seed, purpose and number is the
// key of ChaCha8 (C2SP chacha8rand), whose output is fixed for all time.
func newDice(seed uint64, purpose string, number int) *dice {
	b := append([]byte("entente world names 1\x00"), purpose...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, seed)
	b = binary.BigEndian.AppendUint64(b, uint64(number))
	return &dice{rand.NewChaCha8(sha256.Sum256(b))}
}

// below returns a number from 0 to n − 1, each with the same probability. It is written out
// here because how math/rand/v2 reduces its draws is not promised.
func (d *dice) below(n int) int {
	size := uint64(n)
	spare := (math.MaxUint64%size + 1) % size // 2⁶⁴ mod n
	for {
		if x := d.source.Uint64(); x <= math.MaxUint64-spare {
			return int(x % size)
		}
	}
}

// chance is true with the rate's probability.
func (d *dice) chance(r Rate) bool { return d.below(whole) < int(r) }

// share returns an index with probability proportional to its weight.
func (d *dice) share(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	x := d.below(sum)
	for i, w := range weights {
		if x < w {
			return i
		}
		x -= w
	}
	panic("unreachable: the draw is below the sum of the weights")
}

// rank returns an index below n with weight 1/(index + flat), as frequencies of names fall
// off (Zipf's law; flat above 1 flattens its head, as Mandelbrot proposed).
func (d *dice) rank(n, flat int) int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1_000_000 / (i + flat)
	}
	return d.share(weights...)
}

// shuffle puts numbers in random order (Fisher and Yates).
func (d *dice) shuffle(numbers []int) {
	for i := len(numbers) - 1; i > 0; i-- {
		j := d.below(i + 1)
		numbers[i], numbers[j] = numbers[j], numbers[i]
	}
}
