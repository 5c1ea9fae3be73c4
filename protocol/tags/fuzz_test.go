package tags

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"entente/protocol/vectors/memory"
	"entente/protocol/wire"
)

// FuzzDecodeBlock: a block decodes to ascending tags that encode to the same bytes, or is
// refused; within a bound on memory.
func FuzzDecodeBlock(f *testing.F) {
	for _, n := range []int{1, 64, 4096, 5000} {
		list := uniform(uint64(n), n)
		c := code(f, n)
		for i, block := range encode(f, c, list, 64) {
			if i < 2 {
				f.Add(uint32(n), uint16(min(64, n-64*i)), i > 0, list[max(0, 64*i-1)][:], block)
			}
		}
	}
	f.Add(uint32(MaxList), uint16(1), true, highest[:], []byte{0x80, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, n uint32, count uint16, some bool, last, block []byte) {
		c, err := NewCode(int(n % (MaxList + 1)))
		if err != nil {
			t.Fatal(err)
		}
		var before *Tag
		if some && len(last) == Size {
			before = (*Tag)(last)
		}
		var list []Tag
		used := memory.Allocated(func() { list, err = c.DecodeBlock(nil, before, int(count), block) })
		if limit := uint64(16*len(block) + 64<<10); used > limit {
			t.Errorf("%d bytes allocated for %d", used, len(block))
		}
		if err != nil {
			var p *wire.ProtocolError
			if !errors.As(err, &p) || p.Code != wire.Malformed || len(list) != 0 {
				t.Errorf("%d tags, %v", len(list), err)
			}
			return
		}
		if len(list) != int(count) || !Ascends(before, list) {
			t.Fatalf("%d tags, or not in order", len(list))
		}
		again, err := c.AppendBlock(nil, before, list)
		if err != nil || !bytes.Equal(again, block) {
			t.Errorf("%x encodes to %x, %v", block, again, err)
		}
	})
}

// FuzzLists: every list that can be coded comes back, in blocks of any length.
func FuzzLists(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijABCDEFGHIJ"), uint16(1))
	f.Add(bytes.Repeat([]byte{0, 0xff}, 50), uint16(3))
	f.Fuzz(func(t *testing.T, data []byte, count uint16) {
		var list []Tag
		for part := range slices.Chunk(data, Size) {
			if len(part) == Size {
				list = append(list, Tag(part))
			}
		}
		Sort(list, itself)
		if list = slices.Compact(list); len(list) == 0 {
			return
		}
		c, size := code(t, len(list)), 1+int(count)%len(list)
		var blocks [][]byte
		var before *Tag
		for part := range slices.Chunk(list, size) {
			block, err := c.AppendBlock(nil, before, part)
			if err != nil {
				return // not uniform
			}
			blocks = append(blocks, block)
			before = &part[len(part)-1]
		}
		if got, err := decode(c, blocks, size); err != nil || !slices.Equal(got, list) {
			t.Errorf("%v, or another list", err)
		}
	})
}
