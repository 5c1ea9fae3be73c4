package standing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/indicator"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// refusalAfter is when a refusal is told, counted from the offer, so that the time does not
// tell its ground.
const refusalAfter = 2 * time.Second

// leastTags is the least bound on a partner's tags that this side agrees to.
const leastTags = 1 << 20

// fits checks what depends on programs alone, before any rule is asked.
func fits(o standing.Offer) error {
	for _, k := range o.Kinds {
		kind, err := indicator.ParseKind(k.Name)
		if err != nil {
			return &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: fmt.Errorf("the partner asks for an unknown kind: %w", err)}
		}
		if !round.Neighbours(k.Version, kind.Version()) {
			return &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: errors.New("the canonical forms of the two sides are more than one version apart")}
		}
	}
	return nil
}

// decide asks the own rules about a fresh offer and returns what to tell the proposer. A
// refusal has one neutral number and comes at one time; its grounds stay here.
func (t *talk) decide(ctx context.Context) (*round.Message, error) {
	told := time.NewTimer(refusalAfter)
	defer told.Stop()
	m, err := t.decision(ctx)
	var over *round.OverError
	if errors.As(err, &over) {
		select {
		case <-told.C:
		case <-ctx.Done():
		}
	}
	return m, err
}

func (t *talk) decision(ctx context.Context) (*round.Message, error) {
	t.s.deciding.Lock()
	defer t.s.deciding.Unlock()
	a, lists, g, err := t.s.consider(ctx, t.f)
	if err != nil {
		return nil, err
	}
	t.f.Grounds = g.grounds
	merged := terms.Merge(g.terms, t.f.machine.Offer().Granted)
	noted := func(tx *store.Tx) error {
		if err := t.count(tx); err != nil {
			return err
		}
		return noteDecision(tx, t.f.ID, a, t.f.machine.Offer().Kinds, g)
	}
	if err := t.s.o.Accounted(ctx); err != nil {
		t.f.Grounds = []string{err.Error()}
		return nil, t.refuse(ctx, noted)
	}
	switch {
	case len(lists) == 0 || !merged.Open():
		return nil, t.refuse(ctx, noted)
	case g.approval:
		m := t.f.machine.Defer()
		t.f.Note = noteDecide
		return &m, t.stored(t.save(ctx, noted))
	}
	m, err := t.s.accept(t.f, lists, merged)
	if err != nil { // what the own lists do not fit, such as their least size, would tell of them
		t.f.Grounds = append(t.f.Grounds, "the own lists do not fit what the offer asks for")
		return nil, t.refuse(ctx, noted)
	}
	return &m, t.stored(t.save(ctx, noted))
}

// refuse ends the subscription and gives the neutral answer.
func (t *talk) refuse(ctx context.Context, noted func(*store.Tx) error) error {
	t.f.machine.Finish(standing.Refused, wire.NotAvailable)
	if err := t.save(ctx, noted); err != nil {
		return errors.Join(errUnstored, err)
	}
	return &round.OverError{Code: wire.NotAvailable}
}

func (t *talk) stored(err error) error {
	if err != nil {
		return errors.Join(errUnstored, err)
	}
	return nil
}

// consider chooses the own lists for a partner's offer: of each kind those that the rules
// open furthest, each judged alone and then together.
func (s *Service) consider(ctx context.Context, f *file) (ask, []store.List, grant, error) {
	o := f.machine.Offer()
	_, partner, _, err := s.partner(f.Partner)
	if err != nil {
		return ask{}, nil, grant{}, err
	}
	var all []store.List
	err = s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Lists()
		return err
	})
	a := ask{partner: partner, purpose: o.Purpose, us: o.Granted.Responder, them: o.Granted.Proposer, theirs: guesses(o.Limit)}
	if err == nil {
		a.used, err = s.usedToday(ctx, partner.ID, f.ID)
	}
	var chosen []store.List
	var refused []string
	best := 0
	for _, l := range all {
		offered := false
		for _, k := range o.Kinds {
			offered = offered || k.Name == string(l.Kind)
		}
		if !offered {
			continue
		}
		a.ours = classOf([]store.List{l})
		g := s.granted(a, []store.List{l})
		switch open := int(g.terms.Proposer) + int(g.terms.Responder); {
		case open == 0:
			refused = append(refused, g.grounds...)
		case open > best:
			best, chosen = open, []store.List{l}
		case open == best:
			chosen = append(chosen, l)
		}
	}
	if len(chosen) == 0 {
		if len(refused) == 0 {
			refused = []string{"no rule was asked: there is no own list of such a kind"}
		}
		return a, nil, grant{grounds: refused}, err
	}
	a.ours = classOf(chosen)
	return a, chosen, s.granted(a, chosen), err
}

// accept signs the answer over the own lists.
func (s *Service) accept(f *file, lists []store.List, merged terms.Terms) (round.Message, error) {
	o, rules := f.machine.Offer(), s.o.Rules().Digest()
	limit := o.Limit
	ours := uint32(classOf(lists))
	session := standing.Session{PeriodSeconds: limit.Period, Cadence: limit.Cadence}
	// Four times what both lists need now, at least a million (10 MB on disk): a partner
	// whose list grows beyond asks again.
	room := max(leastTags, 4*session.PublicationClass(int(ours)), 4*session.PublicationClass(int(o.Class)))
	limit.Tags = min(limit.Tags, uint32(min(wire.SizeClass(room), standing.MaxTags)))
	answer := standing.Answer{
		Created: now().UnixMilli(), Expires: o.Expires, Basis: lists[0].Basis, Terms: merged, Rules: rules[:], Limit: limit, Class: ours,
	}
	f.Lists = nil
	for _, k := range o.Kinds {
		for _, l := range lists {
			if string(l.Kind) == k.Name {
				answer.Kinds = append(answer.Kinds, standing.Kind{Name: k.Name, Version: l.Kind.Version()})
				break
			}
		}
	}
	for _, l := range lists {
		f.Lists = append(f.Lists, l.Name)
	}
	f.Secret = newSecret()
	return f.machine.Accept(answer)
}

// allowed asks the own rules once more before a sync. If they no longer allow it, the
// standing round is paused here, with the ground, and its key destroyed; the partner hears
// what it hears of one that a person has paused.
func (t *talk) allowed(ctx context.Context) error {
	t.s.deciding.Lock()
	defer t.s.deciding.Unlock()
	a := t.f.machine.Answer()
	_, partner, _, err := t.s.partner(t.f.Partner)
	if err != nil {
		return err
	}
	var lists []store.List
	err = t.s.o.Store.View(ctx, func(tx *store.Tx) error {
		for _, name := range t.f.Lists {
			l, err := tx.ListByName(name)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			lists = append(lists, l)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(lists) == 0 { // all were deleted: what is published must still be taken back
		return nil
	}
	q := ask{partner: partner, proposer: t.f.Proposer, purpose: t.f.machine.Offer().Purpose,
		us: a.Terms.Responder, them: a.Terms.Proposer, ours: classOf(lists), theirs: guesses(a.Limit)}
	if t.f.Proposer {
		q.us, q.them = q.them, q.us
	}
	g := t.s.granted(q, lists)
	if a.Terms.Within(g.terms) {
		return nil
	}
	t.f.Paused, t.f.Grounds, t.f.Note = true, g.grounds, "the own rules no longer allow it"
	err = t.save(ctx, func(tx *store.Tx) error {
		return errors.Join(noteDecision(tx, t.f.ID, q, a.Kinds, g), t.s.renewing(t.f)(tx))
	})
	if err != nil {
		return err
	}
	return paused()
}

// Approve lets a waiting offer through, if the own rules still allow it. The proposer gets
// the answer when it asks again.
func (s *Service) Approve(ctx context.Context, id string) (View, error) {
	ctx, f, free, err := s.take(ctx, id)
	if err != nil {
		return View{}, err
	}
	defer free()
	if f.machine.Proposer() || f.machine.Stage() != standing.Waiting {
		return View{}, fmt.Errorf("approve a standing round that is %s: %w", f.machine.Stage(), ErrState)
	}
	s.deciding.Lock()
	defer s.deciding.Unlock()
	a, lists, g, err := s.consider(ctx, f)
	if err != nil {
		return View{}, err
	}
	merged := terms.Merge(g.terms, f.machine.Offer().Granted)
	if len(lists) == 0 || !merged.Open() {
		return View{}, &rounds.DeniedError{Grounds: g.grounds}
	}
	f.Grounds = append(g.grounds, "a person approved it")
	if _, err := s.accept(f, lists, merged); err != nil {
		return View{}, err
	}
	err = s.put(ctx, f, func(tx *store.Tx) error { return noteDecision(tx, f.ID, a, f.machine.Offer().Kinds, g) })
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, f)
}

// Refuse turns a waiting offer down. The partner hears only "not available".
func (s *Service) Refuse(ctx context.Context, id string) error {
	ctx, f, free, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	defer free()
	if f.machine.Proposer() || f.machine.Stage() != standing.Waiting {
		return fmt.Errorf("refuse a standing round that is %s: %w", f.machine.Stage(), ErrState)
	}
	f.machine.Finish(standing.Refused, wire.NotAvailable)
	f.Grounds = append(f.Grounds, "a person refused it")
	return s.put(ctx, f, nil)
}
