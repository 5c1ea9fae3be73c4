package compare

import (
	"math/rand/v2"
	"testing"
)

func TestRandom(t *testing.T) {
	s, h := start(t, Parameters{Threshold: 1000, Learns: BothLearn})
	for _, n := range []int{1, 2, 63, 64, 65, 1000, MaxChunk} {
		x, y := make([]uint16, n), make([]uint16, n)
		for i := range x {
			score := 1000 + rand.IntN(65535) - 32767
			x[i] = uint16(rand.Uint32())
			y[i] = uint16(score) - x[i]
		}
		o := run(t, s, h, x, y)
		for i := range x {
			d := int16(x[i] + y[i] - 1000)
			if want := d >= 0; o.sender[i] != want || o.chooser[i] != want {
				t.Fatalf("n %d pair %d: %v %v want %v", n, i, o.sender[i], o.chooser[i], want)
			}
		}
	}
}
