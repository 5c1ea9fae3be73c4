package machine

import (
	"iter"
	"slices"

	"entente/protocol/tally"
	"entente/protocol/wire"
)

// Pending are the messages that a member needs next, in order: none if it is the member's turn
// for nothing. They are read from the store as they are asked for. After a disconnect they are
// sent again from the first on.
func (k *Collector) Pending(member string) iter.Seq2[tally.Message, error] {
	return func(yield func(tally.Message, error) bool) {
		out := sender{k: k, yield: yield}
		s := k.seat(member)
		if s == nil {
			return
		}
		switch k.Stage() {
		case Accepting:
			if !s.accepted() {
				out.signed(tally.KindProposal, k.rec.Proposal)
			}
		case Dealing:
			if k.deals(member) && !s.Dealt {
				k.pendingCall(&out)
			}
		case Contributing:
			k.pendingParts(s, member, &out)
			if _, contributes := k.proposal.Contributor(member); contributes && s.accepted() && s.Ready && !s.Contributed {
				out.wanted()
			}
		case Opening:
			k.pendingSum(s, member, &out)
		case Done:
			if s.accepted() && !s.Told {
				out.signed(tally.KindRelease, k.rec.Release)
			}
		}
	}
}

// sender yields messages until the first error, or until it is told to stop.
type sender struct {
	k     *Collector
	yield func(tally.Message, error) bool
	over  bool
}

func (s *sender) signed(kind wire.Kind, m tally.Signed) {
	if !s.over {
		s.over = !s.yield(tally.Message{Kind: kind, Body: m}, nil)
	}
}

// wanted says that a contribution has not come. It has no answer while people decide.
func (s *sender) wanted() {
	key, err := s.k.collectiveKey()
	if err != nil {
		s.yield(tally.Message{}, err)
		return
	}
	digest := key.Digest()
	s.yield(tally.Message{Kind: tally.KindWanted, Body: tally.Wanted{Key: digest[:]}}, nil)
}

// stored sends a head from the store.
func (s *sender) stored(kind wire.Kind, name string) {
	if s.over {
		return
	}
	m, err := s.k.getSigned(name)
	if err != nil {
		s.yield(tally.Message{}, err)
		s.over = true
		return
	}
	s.signed(kind, m)
}

// chunk sends bulk bytes from the store.
func (s *sender) chunk(kind wire.Kind, of, part uint8, name string) {
	if s.over {
		return
	}
	b, err := s.k.Store.Get(name)
	if err != nil {
		s.yield(tally.Message{}, err)
		s.over = true
		return
	}
	s.over = !s.yield(tally.Message{Kind: kind, Body: tally.Chunk{Of: of, Part: part, Data: b}}, nil)
}

// deals reports whether a member is among the dealers.
func (k *Collector) deals(member string) bool {
	place, holds := k.proposal.Holder(member)
	if !holds {
		return false
	}
	_, deals := tally.Find(k.keyCall.Dealers, place)
	return deals
}

// pendingCall is the key call, with the acceptances of all dealers.
func (k *Collector) pendingCall(out *sender) {
	out.signed(tally.KindKeyCall, k.rec.KeyCall)
	for _, d := range k.keyCall.Dealers {
		out.stored(tally.KindAcceptance, acceptanceName(k.proposal.Holders[d.Place]))
	}
}

// pendingParts are all parts of the key, with what was sealed for the member. A dealer has the
// key call, since it has dealt.
func (k *Collector) pendingParts(s *seat, member string, out *sender) {
	if !s.accepted() || s.Ready {
		return
	}
	own, _ := k.proposal.Holder(member)
	deals := k.deals(member)
	if !deals {
		k.pendingCall(out)
	}
	for _, d := range k.keyCall.Dealers {
		out.stored(tally.KindPart, partName(d.Place))
		out.chunk(tally.KindPublic, d.Place, 0, publicName(d.Place))
		if deals && d.Place != own {
			out.chunk(tally.KindSealed, d.Place, own, sealedName(d.Place, own))
		}
	}
}

// pendingSum is the request, with the masks of all contributions that it names, for who is to
// open it. Bodies stay here.
func (k *Collector) pendingSum(s *seat, member string, out *sender) {
	place, _ := k.proposal.Holder(member)
	if s.Shared || !k.deals(member) || !slices.Contains(k.request.Active, place) {
		return
	}
	out.signed(tally.KindRequest, k.rec.Request)
	for _, x := range k.request.Included {
		out.stored(tally.KindContribution, contributionName(x))
		for i := range k.proposal.Question.Blocks() {
			out.chunk(tally.KindMask, x, uint8(i), maskName(x, i))
		}
	}
}
