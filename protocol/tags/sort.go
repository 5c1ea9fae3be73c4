package tags

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

const (
	perBucket = 8 // entries that a bucket of the last pass expects
	maxDigit  = 8 // bits by which one pass sorts: so many buckets stay in the caches
)

// Sort sorts entries by tag, ascending: uniform tags in time that grows with their number
// only, any others as well as slices.SortFunc. Which of two entries with one tag comes first
// is not defined. It takes as much memory again as the entries.
func Sort[E any](list []E, tag func(*E) *Tag) {
	s := sorter[E]{tag: tag}
	s.sort(list, make([]E, len(list)), 0, false)
}

type sorter[E any] struct {
	tag func(*E) *Tag // pointers: a tag that was just copied takes long to read
}

// sort sorts entries whose tags have the first bits in common. They are in list, or in
// other; the result is in list, and other is used up.
func (s *sorter[E]) sort(list, other []E, from int, inOther bool) {
	width := min(bits.Len(uint(len(list)/perBucket)), maxDigit)
	if width == 0 || from+maxDigit > 64 { // few, or not uniform
		if inOther {
			copy(list, other)
		}
		s.finish(list)
		return
	}
	source, target := list, other
	if inOther {
		source, target = other, list
	}
	var ends [1 << maxDigit]int
	s.distribute(target, source, from, width, ends[:1<<width])
	start := 0
	for _, end := range ends[:1<<width] {
		if end > start {
			s.sort(list[start:end], other[start:end], from+width, !inOther)
		}
		start = end
	}
}

// distribute copies entries to their buckets, and notes where each bucket ends.
func (s *sorter[E]) distribute(target, source []E, from, width int, ends []int) {
	digit := func(t *Tag) uint64 { return binary.BigEndian.Uint64(t[:]) << from >> (64 - width) }
	for i := range source {
		ends[digit(s.tag(&source[i]))]++
	}
	sum := 0
	for b, n := range ends { // first where each begins
		ends[b] = sum
		sum += n
	}
	for i := range source {
		b := digit(s.tag(&source[i]))
		target[ends[b]] = source[i]
		ends[b]++
	}
}

func (s *sorter[E]) finish(list []E) {
	if len(list) >= perBucket*perBucket {
		slices.SortFunc(list, func(a, b E) int { return Compare(*s.tag(&a), *s.tag(&b)) })
		return
	}
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && less(s.tag(&list[j]), s.tag(&list[j-1])); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

func less(a, b *Tag) bool {
	aTop, aBottom := a.halves()
	bTop, bBottom := b.halves()
	return aTop < bTop || aTop == bTop && aBottom < bBottom
}
