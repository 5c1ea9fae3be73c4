// Package tags holds what nodes send of their lists: sorted sets of 80-bit tags, in one
// compact encoding, and what is done with such sets.
//
// A tag and a proof are two hashes of an item's output of an oblivious pseudorandom
// function. The tags of a list look uniform to whoever lacks the key, so a sorted list of n
// of them is coded as Elias (1974) and Fano (1971) do it, equally Golomb and Rice: the upper
// part of a tag as the unary distance from that of the tag before it, the l lower bits as
// they are, l = floor(log2(2^80/n)). That is l + 1 + 2^(80-l)/n bits a tag, less than two
// above log2 of the number of sets. A list goes in blocks, which are decoded one by one.
//
// Promises: a list has exactly one encoding; a decoder takes that one only, from anybody's
// bytes, and allocates in proportion to them. A list of uniform tags can be coded but with
// probability 2^-290 a block. Does not promise to hide a tag: it is its owner's business
// that tags say nothing of items. Nothing here is constant-time.
package tags

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"entente/crypto/transcript"
)

const (
	// Size is the length of a tag in bytes.
	Size = 10
	// ProofSize is the length of the proof of a hit in bytes.
	ProofSize = 16
	// MaxList is the largest number of tags in a list.
	MaxList = 1 << 24

	tagBits = 8 * Size
)

// Tag stands for an item in a list. Tags are ordered as numbers, big endian.
type Tag [Size]byte

// Proof shows, when it is returned, that its holder had the item evaluated.
type Proof [ProofSize]byte

// Labels tell a protocol's tags and proofs from any other's, and from each other.
type Labels struct{ Tag, Proof string }

// Of returns tag and proof of one output of the function.
func (l Labels) Of(output []byte) (Tag, Proof) {
	tag := transcript.Digest(l.Tag, output)
	proof := transcript.Digest(l.Proof, output)
	return Tag(tag[:Size]), Proof(proof[:ProofSize])
}

// halves returns a tag as two numbers: its first 64 bits and its last 16.
func (t *Tag) halves() (top, bottom uint64) {
	return binary.BigEndian.Uint64(t[:]), uint64(binary.BigEndian.Uint16(t[8:]))
}

// Compare returns -1, 0 or 1 as a is less than, equal to or greater than b.
func Compare(a, b Tag) int {
	aTop, aBottom := a.halves()
	bTop, bBottom := b.halves()
	switch {
	case aTop < bTop || aTop == bTop && aBottom < bBottom:
		return -1
	case aTop == bTop && aBottom == bBottom:
		return 0
	}
	return 1
}

// errOrder says that tags which must ascend strictly do not.
var errOrder = errors.New("tags do not ascend")

// Ascends reports whether tags ascend strictly, also from the one before them, if there is
// one.
func Ascends(before *Tag, list []Tag) bool {
	for i := range list {
		if before != nil && Compare(*before, list[i]) >= 0 {
			return false
		}
		before = &list[i]
	}
	return true
}

// Ascending passes a stream on as long as it ascends strictly, and ends it with an error
// where it does not.
func Ascending(list iter.Seq2[Tag, error]) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		var last Tag
		n := 0
		for tag, err := range list {
			if err == nil && n > 0 && Compare(last, tag) >= 0 {
				err = fmt.Errorf("tag %d: %w", n, errOrder)
			}
			if !yield(tag, err) || err != nil {
				return
			}
			last = tag
			n++
		}
	}
}

// Join yields those of the own entries whose tag is on a list, in their order. The own ones
// must ascend by tag, several may share one; the list must ascend strictly. It reads both
// once, and no further than needed.
func Join[E any](own iter.Seq2[E, error], tag func(E) Tag, list iter.Seq2[Tag, error]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		next, stop := iter.Pull2(Ascending(list))
		defer stop()
		listed, err, more := next()
		var last *Tag
		for entry, ownErr := range own {
			t := tag(entry)
			if ownErr == nil && last != nil && Compare(*last, t) > 0 {
				ownErr = fmt.Errorf("own entries: %w", errOrder)
			}
			if ownErr != nil {
				yield(entry, ownErr)
				return
			}
			last = &t
			for more && err == nil && Compare(listed, t) < 0 {
				listed, err, more = next()
			}
			if err != nil {
				yield(entry, err)
				return
			}
			if !more {
				return
			}
			if listed == t && !yield(entry, nil) {
				return
			}
		}
	}
}
