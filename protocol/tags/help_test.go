package tags

import (
	"encoding/binary"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
)

func itself(t *Tag) *Tag { return t }

func value(t Tag) Tag { return t }

// uniform is a list of n distinct tags that look random, sorted.
func uniform(seed uint64, n int) []Tag {
	rnd := rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), seed)))
	list := make([]Tag, n)
	for i := range list {
		rnd.Read(list[i][:])
	}
	for {
		Sort(list, itself)
		list = slices.Compact(list)
		if len(list) == n {
			return list
		}
		for len(list) < n {
			var t Tag
			rnd.Read(t[:])
			list = append(list, t)
		}
	}
}

// mix puts tags into another order.
func mix(list []Tag) {
	rnd := rand.New(rand.NewPCG(1, uint64(len(list))))
	rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func code(t testing.TB, n int) Code {
	t.Helper()
	c, err := NewCode(n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// encode returns the blocks of a list.
func encode(t testing.TB, c Code, list []Tag, count int) (blocks [][]byte) {
	t.Helper()
	var before *Tag
	for part := range slices.Chunk(list, count) {
		block, err := c.AppendBlock(nil, before, part)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block)
		before = &part[len(part)-1]
	}
	return blocks
}

// decode reads the blocks of a list.
func decode(c Code, blocks [][]byte, count int) (list []Tag, err error) {
	for _, block := range blocks {
		var before *Tag
		if len(list) > 0 {
			last := list[len(list)-1]
			before = &last
		}
		if list, err = c.DecodeBlock(list, before, min(count, c.n-len(list)), block); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// number is the tag with a value.
func number(v uint64) (t Tag) {
	binary.BigEndian.PutUint64(t[2:], v)
	return t
}

// stream is a list as a stream that may end with an error.
func stream(list []Tag, err error) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
		if err != nil {
			yield(Tag{}, err)
		}
	}
}
