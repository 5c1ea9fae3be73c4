package tags

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"entente/protocol/wire"
)

// Code is the encoding of lists of one length. The zero Code is that of the empty list.
type Code struct {
	n    int  // tags in the list
	high uint // bits of a tag in the unary part
}

// NewCode returns the encoding of lists of n tags, 0 to MaxList.
func NewCode(n int) (Code, error) {
	if n < 0 || n > MaxList {
		return Code{}, fmt.Errorf("code tags: a list of %d, at most %d", n, MaxList)
	}
	if n == 0 {
		return Code{}, nil
	}
	// floor(log2(2^80/n)) = 80 - ceil(log2(n))
	return Code{n, uint(bits.Len(uint(n - 1)))}, nil
}

// low is the number of bits of a tag that are coded as they are.
func (c Code) low() int { return tagBits - int(c.high) }

// maxZeros is how many zeros the unary part of a block of count tags may hold. Their number
// is below the distance of count of the list's n uniform points, in steps of less than two
// on average, so that it is over this only where fewer than count points fall into a range
// that expects more than 2·count + 255: by Chernoff's bound less than
// e^(count-μ)·(μ/count)^count, μ = 2·count + 255, which is greatest near count = 90: 2^-293.
func maxZeros(count int) int { return 4*count + 512 }

// bytes is the length of a block of count tags with so many zeros.
func (c Code) bytes(count, zeros int) int { return (count*(1+c.low()) + zeros + 7) / 8 }

// MaxBlock returns the longest encoding of a block of count tags in bytes: the cap of its
// frame.
func (c Code) MaxBlock(count int) int { return c.bytes(count, maxZeros(count)) }

// MaxSize returns the longest encoding of the whole list, in blocks of count tags each, in
// bytes. Lists of uniform tags come close to it: within two bits, and half a byte a block.
func (c Code) MaxSize(count int) int64 {
	if c.n == 0 {
		return 0
	}
	blocks := (c.n + count - 1) / count
	zeros := int64(1)<<c.high - 1 // up to the largest tag
	return (int64(c.n)*int64(1+c.low()) + zeros + 7*int64(blocks)) / 8
}

// AppendBlock appends the encoding of the list's next tags, which must ascend strictly from
// the last one before them (nil: there is none), and not be so sparse that chance does not
// make them.
func (c Code) AppendBlock(dst []byte, before *Tag, block []Tag) ([]byte, error) {
	if len(block) == 0 || len(block) > c.n {
		return nil, fmt.Errorf("code tags: a block of %d from a list of %d", len(block), c.n)
	}
	if !Ascends(before, block) {
		return nil, fmt.Errorf("code tags: %w", errOrder)
	}
	first := c.highOf(before)
	zeros := int(c.highOf(&block[len(block)-1]) - first)
	if zeros > maxZeros(len(block)) {
		return nil, errors.New("code tags: too far apart for tags that are uniform")
	}
	// The writer appends whole words.
	w := writer{b: slices.Grow(dst, c.bytes(len(block), zeros)+8), free: 64}
	last := first
	for i := range block {
		high := c.highOf(&block[i])
		w.unary(high - last)
		last = high
	}
	upper := 64 - c.high
	for i := range block {
		top, bottom := block[i].halves()
		w.put(top&(1<<upper-1), upper)
		w.put(bottom, 16)
	}
	return w.end(), nil
}

// highOf is the part of a tag that is coded in unary; 0 before the first tag.
func (c Code) highOf(t *Tag) uint64 {
	if t == nil {
		return 0
	}
	return binary.BigEndian.Uint64(t[:]) >> (64 - c.high)
}

// DecodeBlock appends to dst the count next tags of a list from their encoding. before is
// the last tag of the block before it, nil if there is none. What AppendBlock cannot have
// made is a *wire.ProtocolError of class Malformed, and nothing of it is appended.
func (c Code) DecodeBlock(dst []Tag, before *Tag, count int, block []byte) ([]Tag, error) {
	switch {
	case count <= 0 || count > c.n:
		return dst, malformed("%d tags in a block of a list of %d", count, c.n)
	case len(block) < c.bytes(count, 0) || len(block) > c.MaxBlock(count):
		return dst, malformed("%d bytes for %d tags of %d", len(block), count, c.n)
	}
	old := len(dst)
	dst = slices.Grow(dst, count) // below twice the block: a tag has 56 bits and more in it
	list := dst[old : old+count]
	at, err := c.decodeUpper(list, before, block)
	if err != nil {
		return dst, err
	}
	zeros := at - count
	if want := c.bytes(count, zeros); len(block) != want {
		return dst, malformed("%d bytes for %d tags, expected %d", len(block), count, want)
	}
	if filling := 8*len(block) - count*(1+c.low()) - zeros; block[len(block)-1]&(1<<filling-1) != 0 {
		return dst, malformed("a block of tags is not filled up with zeros")
	}
	if !c.decodeLower(list, before, block, at) {
		return dst, malformed("tags do not ascend")
	}
	return dst[:old+count], nil
}

// decodeUpper reads the unary part and returns its length in bits.
func (c Code) decodeUpper(list []Tag, before *Tag, block []byte) (at int, err error) {
	const step = 56 // bits that a window holds wherever it begins
	limit := 8 * len(block)
	high := c.highOf(before)
	for i := range list {
		for {
			zeros := bits.LeadingZeros64(window(block, at))
			if zeros < step {
				at += zeros + 1
				high += uint64(zeros)
				break
			}
			at += step
			high += step
			if at >= limit {
				return at, malformed("%d of %d tags in a block", i, len(list))
			}
		}
		if high>>c.high != 0 {
			return at, malformed("the distance between two tags goes beyond the largest")
		}
		binary.BigEndian.PutUint64(list[i][:], high<<(64-c.high))
	}
	if zeros := at - len(list); zeros > maxZeros(len(list)) {
		return at, malformed("%d tags too far apart", len(list))
	}
	return at, nil
}

// decodeLower reads the lower parts, which begin at a bit, and reports whether the tags
// ascend.
func (c Code) decodeLower(list []Tag, before *Tag, block []byte, at int) bool {
	r := newReader(block, at)
	upper := 64 - c.high
	var lastTop, lastBottom uint64
	if before != nil {
		lastTop, lastBottom = before.halves()
	}
	for i := range list {
		top := binary.BigEndian.Uint64(list[i][:]) | r.get(upper)
		bottom := r.get(16)
		if (i > 0 || before != nil) && (top < lastTop || top == lastTop && bottom <= lastBottom) {
			return false
		}
		binary.BigEndian.PutUint64(list[i][:], top)
		binary.BigEndian.PutUint16(list[i][8:], uint16(bottom))
		lastTop, lastBottom = top, bottom
	}
	return true
}

func malformed(format string, args ...any) error {
	return &wire.ProtocolError{Code: wire.Malformed, Err: fmt.Errorf(format, args...)}
}
