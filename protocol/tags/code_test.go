package tags

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"entente/protocol/wire"
)

var (
	lowest  = Tag{}
	highest = Tag(bytes.Repeat([]byte{0xff}, Size))
)

// through checks that a list survives its encoding.
func through(t *testing.T, list []Tag, count int) [][]byte {
	t.Helper()
	c := code(t, len(list))
	blocks := encode(t, c, list, count)
	got, err := decode(c, blocks, count)
	if err != nil || !slices.Equal(got, list) {
		t.Fatalf("%d tags in blocks of %d: %v, or another list", len(list), count, err)
	}
	for i, b := range blocks {
		if n := min(count, len(list)-i*count); len(b) > c.MaxBlock(n) {
			t.Errorf("block %d of %d bytes is over its cap of %d", i, len(b), c.MaxBlock(n))
		}
	}
	return blocks
}

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{1, 2, 3, 63, 64, 65, 80, 127, 128, 1000, 4095, 4096, 4097, 8192, 10_000, 1 << 16} {
		for _, count := range []int{1, 7, 64, 4096, n} {
			if n/count < 5000 {
				through(t, uniform(uint64(n), n), count)
			}
		}
	}
}

func TestEdges(t *testing.T) {
	spread := uniform(1, 62)
	for name, list := range map[string][]Tag{
		"lowest alone":      {lowest},
		"highest alone":     {highest},
		"both ends":         {lowest, highest},
		"both ends, filled": slices.Concat([]Tag{lowest}, spread, []Tag{highest}),
		"neighbours":        {number(7), number(8), number(9)},
		"first ones":        {number(0), number(1), number(2), number(3)},
		"across a byte":     {number(0xff), number(0x100), number(0xffff), number(0x10000)},
		"last 64 bits":      {{0, 1}, {0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, {1}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, count := range []int{1, 2, 4096} {
				through(t, list, count)
			}
		})
	}
	if c := code(t, 0); c.low() != 80 || c.MaxSize(4096) != 0 {
		t.Errorf("an empty list takes %d bytes", c.MaxSize(4096))
	}
}

// The number of low bits is floor(log2(2^80/n)).
func TestLowBits(t *testing.T) {
	for n, want := range map[int]int{
		1: 80, 2: 79, 3: 78, 4: 78, 5: 77, 63: 74, 64: 74, 65: 73, 80: 73, 4096: 68, 4097: 67, 5120: 67,
		1 << 20: 60, 5 << 18: 59, 7 << 18: 59, 1 << 21: 59, 10_000_000: 56, 1 << 24: 56, 1<<24 - 1: 56, 1<<23 + 1: 56, 1 << 23: 57,
	} {
		if c := code(t, n); c.low() != want {
			t.Errorf("%d tags: %d low bits, want %d", n, c.low(), want)
		}
	}
	for _, n := range []int{-1, MaxList + 1} {
		if _, err := NewCode(n); err == nil {
			t.Errorf("a list of %d tags", n)
		}
	}
}

// At most 62.5 bits a tag from 2^20 on, and what is expected is near what comes.
func TestSizes(t *testing.T) {
	for _, n := range []int{1 << 12, 1 << 16, 1 << 20, 1<<20 + 1} {
		list := uniform(uint64(n), n)
		size := 0
		c := code(t, n)
		for _, b := range encode(t, c, list, 4096) {
			size += len(b)
		}
		bits := 8 * float64(size) / float64(n)
		if n >= 1<<20 && bits > 62.5 {
			t.Errorf("%d tags: %.2f bits a tag", n, bits)
		}
		if most := c.MaxSize(4096); int64(size) > most || float64(size) < 0.998*float64(most) {
			t.Errorf("%d tags: %d bytes, at most %d expected", n, size, most)
		}
	}
	for n := 1 << 20; n <= MaxList; n += 1 << 18 { // and at the most
		if bits := 8 * float64(code(t, n).MaxSize(4096)) / float64(n); bits > 62.5 {
			t.Errorf("%d tags: %.2f bits a tag at most", n, bits)
		}
	}
	for _, list := range [][]Tag{{highest}, {lowest, highest}, {number(1), number(2), highest}} { // the longest there are
		size := int64(0)
		for _, b := range encode(t, code(t, len(list)), list, 1) {
			size += int64(len(b))
		}
		if most := code(t, len(list)).MaxSize(1); size > most {
			t.Errorf("%d tags: %d bytes, at most %d expected", len(list), size, most)
		}
	}
}

// Blocks of a large list fit the frames, whatever a peer sends.
func TestMaxBlock(t *testing.T) {
	for n, want := range map[int]int{64: 696, 4096: 37440, 1 << 20: 33344, 1 << 24: 31296} {
		if got := code(t, n).MaxBlock(min(n, 4096)); got != want {
			t.Errorf("%d tags: blocks of up to %d bytes, want %d", n, got, want)
		}
	}
}

func TestBadListsAreNotCoded(t *testing.T) {
	three := []Tag{number(1), number(2), number(3)}
	sparse := uniform(1, 100)
	c := code(t, 1<<20)
	for name, err := range map[string]error{
		"down":        second(c.AppendBlock(nil, nil, []Tag{number(2), number(1)})),
		"twice":       second(c.AppendBlock(nil, nil, []Tag{number(2), number(2)})),
		"down across": second(c.AppendBlock(nil, &three[1], three[:1])),
		"same across": second(c.AppendBlock(nil, &three[1], three[1:])),
		"none":        second(c.AppendBlock(nil, nil, nil)),
		"too many":    second(code(t, 2).AppendBlock(nil, nil, three)),
		"too sparse":  second(c.AppendBlock(nil, nil, sparse)),
	} {
		if err == nil {
			t.Errorf("%s: coded", name)
		}
	}
	// As sparse as may be: 4·1 + 512 zeros, and one more.
	for zeros, ok := range map[uint64]bool{516: true, 517: false} {
		var far Tag
		v := zeros << 44 // in the upper 64 bits, of which 20 are the unary part
		for i := range 8 {
			far[i] = byte(v >> (56 - 8*i))
		}
		block, err := c.AppendBlock(nil, nil, []Tag{far})
		if (err == nil) != ok {
			t.Errorf("%d zeros: %v", zeros, err)
		}
		if err == nil && len(block) != c.MaxBlock(1) {
			t.Errorf("%d bytes, the cap is %d", len(block), c.MaxBlock(1))
		}
	}
}

func second[T any](_ T, err error) error { return err }

// raw builds a block bit by bit, from a text of zeros and ones.
func raw(parts ...string) []byte {
	w := writer{free: 64}
	for _, p := range parts {
		for _, c := range p {
			w.put(uint64(c-'0'), 1)
		}
	}
	return w.end()
}

// bitsOf is a number of equal bits.
func bitsOf(c byte, n int) string { return string(bytes.Repeat([]byte{c}, n)) }

func TestHostileBlocks(t *testing.T) {
	// Lists of 4 tags have 2 bits in unary and 78 as they are.
	low := func(v byte) string { return fmt.Sprintf("%078b", v) }
	good := raw("1", "01", "1", low(1), low(1), low(2))
	five, full := number(5), Tag{0xff}
	for name, c := range map[string]struct {
		n, count int
		before   *Tag
		block    []byte
	}{
		"empty":                   {4, 3, nil, nil},
		"short":                   {4, 3, nil, good[:len(good)-1]},
		"long":                    {4, 3, nil, append(bytes.Clone(good), 0)},
		"over the cap":            {4, 3, nil, append(bytes.Clone(good), make([]byte, 200)...)},
		"padding":                 {4, 3, nil, append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]|1)},
		"a tag more":              {4, 3, nil, raw("1", "1", "1", "1", low(1), low(2), low(3), low(4))},
		"a tag less":              {4, 3, nil, raw("1", "1", low(1), low(2))},
		"a tag less, same length": {4, 3, nil, raw(bitsOf('0', 237), "1", "1", "0")},
		"only zeros":              {4, 3, nil, make([]byte, len(good))},
		"beyond the largest":      {4, 3, nil, raw("1", "01", "0001", low(1), low(1), low(2))},
		"beyond after the first":  {4, 1, &full, raw("01", low(1))},
		"twice":                   {4, 3, nil, raw("1", "01", "1", low(1), low(2), low(2))},
		"down":                    {4, 3, nil, raw("1", "01", "1", low(1), low(2), low(1))},
		"as before":               {4, 1, &five, raw("1", low(5))},
		"below before":            {4, 1, &five, raw("1", low(4))},
		"no tags":                 {4, 0, nil, nil},
		"more than the list":      {4, 5, nil, good},
		"negative":                {4, -1, nil, good},
		"of an empty list":        {0, 1, nil, good},
		"too sparse":              {1 << 20, 1, nil, raw(bitsOf('0', 517), "1", bitsOf('0', 60))},
		"far too sparse":          {1 << 20, 1, nil, raw(bitsOf('0', 570), "1", "000")},
	} {
		dst := []Tag{number(9)}
		got, err := code(t, c.n).DecodeBlock(dst, c.before, c.count, c.block)
		var p *wire.ProtocolError
		if !errors.As(err, &p) || p.Code != wire.Malformed {
			t.Errorf("%s: %v", name, err)
		}
		if len(got) != 1 {
			t.Errorf("%s: %d tags of a bad block are there", name, len(got)-1)
		}
	}
	if _, err := code(t, 4).DecodeBlock(nil, nil, 3, good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// Random blocks of random lists, before random tags.
func TestRandomLists(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		n := 1 + rnd.IntN(3000)
		through(t, uniform(rnd.Uint64(), n), 1+rnd.IntN(n))
	}
}

// What a list appends to stays, and a decoder that appends gives the same.
func TestAppending(t *testing.T) {
	list := uniform(5, 100)
	c := code(t, 100)
	block, err := c.AppendBlock([]byte("before"), nil, list)
	if err != nil || !bytes.HasPrefix(block, []byte("before")) {
		t.Fatalf("%x, %v", block, err)
	}
	if other := encode(t, c, list, 100)[0]; !bytes.Equal(block[6:], other) {
		t.Error("another encoding after other bytes")
	}
	got, err := c.DecodeBlock(slices.Clone(list[:3]), nil, 100, block[6:])
	if err != nil || !slices.Equal(got, slices.Concat(list[:3], list)) {
		t.Errorf("%d tags, %v", len(got), err)
	}
}
