package rounds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/node/federation"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/indicator"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// ask is what the own rules are asked about one round.
type ask struct {
	partner  federation.Partner
	proposer bool
	kind     indicator.Kind
	purpose  string
	us, them terms.Mode
	offered  terms.Terms // what the partner's side grants; the widest while it is unknown
	ours     int64       // the own size class; zero while nothing is frozen
	theirs   int64       // the partner's size class; zero while it is unknown
	like     likeness    // of a kind that is matched by similarity
	agreed   int64       // pairs that an answer means; 0 while there is none
}

// day is the quota's day. It is UTC, so that both sides count by the same days.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// granted asks the rules about a round with the given own lists.
func (s *Service) granted(ctx context.Context, a ask, lists []store.List) (policy.Grant, int64, error) {
	var items, used int64
	p := policy.Proposal{
		Self: s.o.Self, Partner: a.partner.ID, PartnerRole: string(a.partner.Role), Proposer: a.proposer,
		Kind: a.kind, Purpose: a.purpose, AskedUs: a.us, AskedPartner: a.them, PartnerItems: a.theirs, Now: time.Now(),
	}
	for _, l := range lists {
		items += l.Items
		p.Lists = append(p.Lists, policy.List{Category: l.Category, Purpose: l.Purpose, Basis: l.Basis})
	}
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		if p.PairsToday, err = tx.Quota(a.partner.ID, pairsOf(day(p.Now))); err != nil {
			return err
		}
		used, err = tx.Quota(a.partner.ID, day(p.Now))
		return err
	})
	if err != nil {
		return policy.Grant{}, 0, err
	}
	p.OwnItems, p.ItemsToday = int64(wire.SizeClass(int(items))), used
	if a.ours > 0 {
		p.OwnItems = a.ours // lists may have changed since
	}
	if a.kind.Similar() {
		p.Pairs = a.pairs(p.OwnItems)
	}
	return s.widened(p, a.offered), used, nil
}

// widened asks the rules about the sizes that the runs really take: the noise of a
// count makes both lists longer, and how much follows from the terms.
func (s *Service) widened(p policy.Proposal, offered terms.Terms) policy.Grant {
	ours, theirs := p.OwnItems, p.PartnerItems
	for {
		g := s.o.Rules().Grant(p)
		t := terms.Merge(g.Terms, offered)
		own, partner := max(p.OwnItems, runClass(t, ours)), max(p.PartnerItems, runClass(t, theirs))
		if own == p.OwnItems && partner == p.PartnerItems {
			return g // sizes only grow, and have a bound
		}
		p.OwnItems, p.PartnerItems = own, partner
	}
}

// runClass is the class that a list takes in the largest run; an unknown one stays so.
func runClass(t terms.Terms, class int64) int64 {
	if class == 0 {
		return 0
	}
	return int64(round.LargestClass(t, uint32(class)))
}

// sentences are the grounds of a grant for own eyes.
func sentences(g policy.Grant) []string {
	out := []string{}
	for _, ground := range g.Grounds() {
		verb := "allows"
		if ground.Forbids {
			verb = "forbids"
		}
		sentence := fmt.Sprintf("%s: %s (%s)", verb, ground.Title, ground.Rule)
		if !slices.Contains(out, sentence) { // one rule may decide several modes
			out = append(out, sentence)
		}
	}
	return append(out, g.Errors()...)
}

// contribute chooses the own lists for a partner's offer: of all lists of the kind
// those that the rules open furthest, each judged alone and then together.
func (s *Service) contribute(ctx context.Context, a ask) ([]store.List, policy.Grant, error) {
	var all, chosen []store.List
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Lists()
		return err
	})
	if err != nil {
		return nil, policy.Grant{}, err
	}
	all = slices.DeleteFunc(all, func(l store.List) bool { return l.Kind != a.kind || l.Items == 0 })
	var best openness
	var refused []policy.Decision
	for _, l := range all {
		g, _, err := s.granted(ctx, a, []store.List{l})
		if err != nil {
			return nil, g, err
		}
		o := openness{g.Terms.Proposer, g.Terms.Responder}
		switch {
		case !g.Open():
			refused = append(refused, g.Decisions...)
		case o == best:
			chosen = append(chosen, l)
		case o.sum() > best.sum():
			best, chosen = o, []store.List{l}
		}
	}
	if len(chosen) == 0 {
		return nil, policy.Grant{Decisions: refused}, nil
	}
	g, _, err := s.granted(ctx, a, chosen)
	return chosen, g, err
}

// openness compares grants by how much they let the two sides learn.
type openness struct{ proposer, responder terms.Mode }

func (o openness) sum() int { return int(o.proposer) + int(o.responder) }

// stillGranted asks the own rules once more about an own proposal, with what the
// answer says of the partner's list.
func (s *Service) stillGranted(ctx context.Context, f *file) (policy.Grant, error) {
	o, a := f.machine.Offer(), f.machine.Answer()
	_, partner, err := s.partner(f.Partner)
	if err != nil {
		return policy.Grant{}, err
	}
	var lists []store.List
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		for _, name := range f.Lists {
			l, err := tx.ListByName(name)
			if errors.Is(err, store.ErrNotFound) {
				continue // erased since; the snapshot counts
			}
			if err != nil {
				return err
			}
			lists = append(lists, l)
		}
		return nil
	})
	if err != nil || len(lists) == 0 { // without a list nothing is granted
		return policy.Grant{}, err
	}
	q := ask{
		partner: partner, proposer: true, kind: indicator.Kind(o.Kind), purpose: o.Purpose,
		us: a.Terms.Proposer, them: a.Terms.Responder, offered: a.Terms, ours: int64(o.Class), theirs: int64(a.Class),
	}
	if q.kind.Similar() {
		x, err := session(o, a)
		if err != nil {
			return policy.Grant{}, err
		}
		q.like = likeness{dimension: x.all.Dimension, threshold: x.all.Threshold}
		q.agreed = x.pairs()
	}
	g, _, err := s.granted(ctx, q, lists)
	return g, err
}

// charge counts a round against the day's quota with its partner.
func (s *Service) charge(tx *store.Tx, f *file) error {
	o, a := f.machine.Offer(), f.machine.Answer()
	counted := policy.Counted(runClass(a.Terms, int64(o.Class)), runClass(a.Terms, int64(a.Class)))
	if indicator.Kind(o.Kind).Similar() {
		x, err := session(o, a)
		if err != nil {
			return err
		}
		if err := chargePairs(tx, f, x, model(o)); err != nil {
			return err
		}
	}
	return tx.AddQuota(f.Partner, day(time.Now()), counted)
}

// learns reads who is to learn what, from this side's words.
func learns(who, what string) (us, them terms.Mode, err error) {
	mode, ok := map[string]terms.Mode{"which": terms.IDs, "count": terms.Count}[what]
	if !ok {
		return 0, 0, fmt.Errorf("the result is %q: say which or count", what)
	}
	switch who {
	case "us":
		return mode, terms.None, nil
	case "them":
		return terms.None, mode, nil
	case "both":
		return mode, mode, nil
	}
	return 0, 0, errors.New("say who learns: us, them or both")
}
