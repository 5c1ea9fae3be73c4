package similar

import (
	"cmp"
	"math/bits"
	"slices"

	"entente/crypto/he"
)

const (
	// MaxCandidates is how many candidates one run has at most, and places a side: they are
	// held in memory, some 30 bytes each.
	MaxCandidates = 1 << 24

	// blockReplies is how many replies a block has at most: no frame reaches a mebibyte.
	blockReplies = 64
	blockPairs   = he.Degree
)

// listing is how a run that compares candidates alone is divided. It is computed from their
// list, which both sides have, and tells nothing beyond it.
//
// Only probes with candidates are asked about. A template has a reply in each batch that has a
// candidate of it, and a reply costs the same for one as for many: so probes that have
// templates in common go together. Breadth first, from probes with few candidates on, 15,479
// probes of names with 59,935 candidates take 16,534 replies, in the order of their places
// 34,549, and 15,562 templates cannot do with fewer than as many (simulations/world, Quality).
type listing struct {
	layout  he.Layout
	probes  []int  // place of the probe in each slot of each batch; −1: none
	pairs   []Pair // by batch, template, slot
	at      []int  // slot of each
	replies []int  // first pair of each reply, and how many pairs there are
	blocks  []int  // first reply of each block, and how many replies there are
	starts  []int  // first block of each batch, and how many blocks there are
}

// newListing divides the candidates, which are checked.
func newListing(s *Session) *listing {
	order := s.breadthFirst()
	l := &listing{layout: s.listedLayout(len(order)), pairs: slices.Clone(s.Candidates)}
	n := l.layout.Slots
	batches := (len(order) + n - 1) / n
	l.probes = make([]int, batches*n)
	rank := make([]int32, s.Probes)
	for i := range l.probes {
		if l.probes[i] = -1; i < len(order) {
			l.probes[i] = int(order[i])
			rank[order[i]] = int32(i)
		}
	}
	batch := func(p Pair) int { return int(rank[p.Probe]) / n }
	slices.SortFunc(l.pairs, func(p, q Pair) int {
		return cmp.Or(batch(p)-batch(q), cmp.Compare(p.Template, q.Template), cmp.Compare(rank[p.Probe], rank[q.Probe]))
	})
	for i, p := range l.pairs {
		next := i == 0 || batch(p) != batch(l.pairs[i-1])
		if next {
			l.starts = append(l.starts, len(l.blocks))
		}
		if next || p.Template != l.pairs[i-1].Template {
			if next || l.full(i, rank, n) {
				l.blocks = append(l.blocks, len(l.replies))
			}
			l.replies = append(l.replies, i)
		}
		l.at = append(l.at, int(rank[p.Probe])%n)
	}
	l.starts = append(l.starts, len(l.blocks))
	l.blocks = append(l.blocks, len(l.replies))
	l.replies = append(l.replies, len(l.pairs))
	return l
}

// full tells whether the reply that begins with a pair does not fit into the last block.
func (l *listing) full(pair int, rank []int32, n int) bool {
	last := l.blocks[len(l.blocks)-1]
	if len(l.replies)-last == blockReplies {
		return true
	}
	end := pair
	for end < len(l.pairs) && l.pairs[end].Template == l.pairs[pair].Template &&
		rank[l.pairs[end].Probe]/int32(n) == rank[l.pairs[pair].Probe]/int32(n) {
		end++
	}
	return end-l.replies[last] > blockPairs
}

// listedLayout has room for so many probes in a batch, or for as many as there can be, and one
// template a reply.
func (s *Session) listedLayout(probes int) he.Layout {
	room := 1 << bits.Len(uint(max(probes, 1)-1))
	split := max(1, min(he.Degree/min(room, he.Degree), s.Dimension&-s.Dimension))
	return he.Layout{Dimension: s.Dimension, Slots: he.Degree / split, Split: split}
}

// slots are those of each reply of a block.
func (l *listing) slots(block int) [][]int {
	var out [][]int
	for reply := l.blocks[block]; reply < l.blocks[block+1]; reply++ {
		out = append(out, l.at[l.replies[reply]:l.replies[reply+1]])
	}
	return out
}

// breadthFirst orders the probes that have candidates: from the one with the fewest, of several
// the one with the lowest place, that is not in the order yet, breadth first over the graph of
// candidates, neighbours by ascending places; and so on until all are.
func (s *Session) breadthFirst() []uint32 {
	probes := newNeighbours(s.Probes, s.Candidates, func(p Pair) (uint32, uint32) { return p.Probe, p.Template })
	templates := newNeighbours(s.Templates, s.Candidates, func(p Pair) (uint32, uint32) { return p.Template, p.Probe })
	var starts []uint32
	for place := range uint32(s.Probes) {
		if len(probes.of(place)) > 0 {
			starts = append(starts, place)
		}
	}
	slices.SortStableFunc(starts, func(a, b uint32) int { return len(probes.of(a)) - len(probes.of(b)) })
	taken, met := make([]bool, s.Probes), make([]bool, s.Templates)
	order := make([]uint32, 0, len(starts))
	for _, start := range starts {
		if taken[start] {
			continue
		}
		taken[start] = true
		order = append(order, start)
		for next := len(order) - 1; next < len(order); next++ {
			for _, template := range probes.of(order[next]) {
				if met[template] {
					continue
				}
				met[template] = true
				for _, probe := range templates.of(template) {
					if !taken[probe] {
						taken[probe] = true
						order = append(order, probe)
					}
				}
			}
		}
	}
	return order
}

// neighbours are, for each place of one side, the places of the other's that it has candidates
// with, ascending.
type neighbours struct {
	first []int
	all   []uint32
}

func newNeighbours(places int, pairs []Pair, ends func(Pair) (from, to uint32)) neighbours {
	n := neighbours{make([]int, places+1), make([]uint32, len(pairs))}
	for _, p := range pairs {
		from, _ := ends(p)
		n.first[from+1]++
	}
	for i := range places {
		n.first[i+1] += n.first[i]
	}
	at := slices.Clone(n.first)
	for _, p := range pairs { // ascending by both places, so that those of each are too
		from, to := ends(p)
		n.all[at[from]] = to
		at[from]++
	}
	return n
}

func (n neighbours) of(place uint32) []uint32 { return n.all[n.first[place]:n.first[place+1]] }
