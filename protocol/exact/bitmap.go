package exact

import (
	"bufio"
	"fmt"
	"io"
)

// bitmap is a set of places: all that is kept in memory for each place of a class.
type bitmap []uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(i int) bool { return b[i/64]>>(i%64)&1 == 1 }

func (b bitmap) add(i int) { b[i/64] |= 1 << (i % 64) }

// choose draws which n of so many places are taken: each set of n alike (selection
// sampling, algorithm S of Knuth's section 3.4.2). It draws once for every place, so that
// the time says nothing of n.
func choose(stream io.Reader, n, places int) (bitmap, error) {
	stream = bufio.NewReader(stream)
	taken := newBitmap(places)
	for i := range places {
		draw, err := below(stream, uint64(places-i))
		if err != nil {
			return nil, fmt.Errorf("choose places: %w", err)
		}
		if draw < uint64(n) {
			taken.add(i)
			n--
		}
	}
	return taken, nil
}
