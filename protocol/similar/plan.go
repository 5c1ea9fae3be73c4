package similar

import (
	"sort"

	"entente/crypto/he"
	"entente/protocol/wire"
)

// agreed is a session with what follows from it.
type agreed struct {
	Session
	plan
	id [32]byte // the session's digest
}

// agree checks a session and plans its run.
func (s Session) agree() (*agreed, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return &agreed{s, s.divide(), s.digest()}, nil
}

// plan is how a run is divided: into batches of probes, and these into blocks.
type plan struct {
	layout  he.Layout
	batches int
	replies int      // of each batch, each a block of its own, if all pairs are compared
	listing *listing // of the candidates; nil: all pairs are compared
}

func (s *Session) divide() plan {
	if s.Candidates != nil {
		l := newListing(s)
		return plan{layout: l.layout, batches: len(l.starts) - 1, listing: l}
	}
	return plan{layout: s.allLayout(), batches: s.allBatches(), replies: s.allReplies()}
}

// start is the first block of a batch; of the number of batches, how many blocks there are.
func (p *plan) start(batch int) int {
	if p.listing != nil {
		return p.listing.starts[batch]
	}
	return batch * p.replies
}

func (p *plan) blocks() int { return p.start(p.batches) }

// batchOf is the batch of a block; behind the last block the number of batches.
func (p *plan) batchOf(block int) int {
	return sort.Search(p.batches, func(batch int) bool { return p.start(batch+1) > block })
}

// pairs is how many pairs a block has.
func (p *plan) pairs(block int) int { return int(p.before(block+1) - p.before(block)) }

// before is how many pairs the blocks before one have.
func (p *plan) before(block int) int64 {
	if l := p.listing; l != nil {
		return int64(l.replies[l.blocks[block]])
	}
	return int64(block) * int64(p.layout.Pairs())
}

// replySize is the length of a block's frame Reply.
func (p *plan) replySize(block int) int {
	if p.listing == nil {
		return p.layout.ReplySize()
	}
	size := 0
	for _, slots := range p.listing.slots(block) {
		size += he.SomeSize(len(slots))
	}
	return size
}

// probes are the places of the probes of a batch, −1 for slots without one.
func (p *plan) probes(batch int) []int {
	n := p.layout.Slots
	if p.listing != nil {
		return p.listing.probes[batch*n:][:n]
	}
	return span(batch*n, n)
}

// templates are the places of the templates of a block.
func (p *plan) templates(block int) []int {
	l := p.listing
	if l == nil {
		each := p.layout.Templates()
		return span(block%p.replies*each, each)
	}
	var out []int
	for reply := l.blocks[block]; reply < l.blocks[block+1]; reply++ {
		out = append(out, int(l.pairs[l.replies[reply]].Template))
	}
	return out
}

// place is where a pair of a block belongs: which place for probes, and which for templates.
func (p *plan) place(block, pair int) (probe, template int) {
	if l := p.listing; l != nil {
		x := l.pairs[l.replies[l.blocks[block]]+pair]
		return int(x.Probe), int(x.Template)
	}
	batch, reply := block/p.replies, block%p.replies
	return batch*p.layout.Slots + pair%p.layout.Slots, reply*p.layout.Templates() + pair/p.layout.Slots
}

func span(first, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = first + i
	}
	return out
}

// checkListed refuses sessions with candidates that no agreement should have led to.
func (s *Session) checkListed() error {
	for _, n := range []int{s.Probes, s.Templates} {
		if !wire.IsSizeClass(n) || n > MaxCandidates {
			return errorf("%d is no size class of places", n)
		}
	}
	switch {
	case s.Split != 0:
		return errorf("the split follows from the candidates")
	case len(s.Candidates) > MaxCandidates:
		return errorf("%d candidates", len(s.Candidates))
	}
	for i, p := range s.Candidates {
		if int(p.Probe) >= s.Probes || int(p.Template) >= s.Templates {
			return errorf("candidate %d is out of range", i)
		}
		if i > 0 && !s.Candidates[i-1].less(p) {
			return errorf("candidates %d and %d do not ascend", i-1, i)
		}
	}
	layout := he.Layout{Dimension: s.Dimension, Slots: he.Degree, Split: 1}
	return layout.Check()
}

func (p Pair) less(q Pair) bool {
	return p.Probe < q.Probe || p.Probe == q.Probe && p.Template < q.Template
}
