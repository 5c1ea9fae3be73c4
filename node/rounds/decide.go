package rounds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/node/store"
	"entente/policy"
	"entente/protocol/exact"
	"entente/protocol/indicator"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// refusalAfter is when a refusal is told, counted from the offer: long enough that a
// list of half a million items has been looked through by then, so that the time does
// not tell whether rules refused at once or a look into the list was needed.
const refusalAfter = 2 * time.Second

// decide asks the own rules about a fresh offer and returns what to tell the proposer;
// it writes nothing itself, lest a partner who does not read holds up every decision.
// A refusal has one neutral number and comes at one time; its grounds stay here.
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
	a, err := t.s.askOf(t.file)
	if err != nil {
		return nil, err
	}
	lists, grant, err := t.s.contribute(ctx, a)
	if err != nil {
		return nil, err
	}
	t.file.Grounds = sentences(grant)
	if len(t.file.Grounds) == 0 {
		t.file.Grounds = []string{"no rule was asked: there is no own list of this kind"}
	}
	if err := t.s.o.Accounted(ctx); err != nil {
		t.file.Grounds = []string{err.Error()}
		return nil, t.refuse(ctx, grant)
	}
	merged := terms.Merge(grant.Terms, t.machine.Offer().Granted)
	if len(lists) == 0 || !merged.Open() {
		return nil, t.refuse(ctx, grant)
	}
	if grant.Approval {
		return t.hold(ctx, a, lists, merged, grant)
	}
	answer, err := t.s.answer(ctx, t.file, a, lists, merged, grant)
	if err == nil && answer == nil {
		err = t.refuse(ctx, grant)
	}
	return answer, err
}

// hold leaves the decision to a person, unless nothing could come of it.
func (t *talk) hold(ctx context.Context, a ask, lists []store.List, merged terms.Terms, g policy.Grant) (*round.Message, error) {
	plan, err := t.s.o.Store.PlanSnapshot(ctx, spec(lists, a))
	if err != nil {
		return nil, err
	}
	if class := wire.SizeClass(int(plan.Items)); plan.Items == 0 || !round.Fits(merged, uint32(class)) || !merged.Admits(int64(class)) {
		return nil, t.refuse(ctx, g)
	}
	hold := t.machine.Hold()
	return &hold, t.save(ctx, t.s.decided(t.file, g))
}

// refuse ends the round and gives the neutral answer.
func (t *talk) refuse(ctx context.Context, g policy.Grant) error {
	t.machine.End(round.Refused, wire.NotAvailable)
	noted, ending := t.s.decided(t.file, g), t.s.ending(t.file)
	err := t.save(ctx, func(tx *store.Tx) error {
		if err := noted(tx); err != nil {
			return err
		}
		return ending(tx)
	})
	if err != nil {
		return err
	}
	return &round.OverError{Code: wire.NotAvailable}
}

// askOf reads from an offer what the own rules are asked.
func (s *Service) askOf(f *file) (ask, error) {
	o := f.machine.Offer()
	_, partner, err := s.partner(f.Partner)
	if err != nil {
		return ask{}, err
	}
	a := ask{
		partner: partner, kind: indicator.Kind(o.Kind), purpose: o.Purpose,
		us: o.Granted.Responder, them: o.Granted.Proposer, offered: o.Granted, theirs: int64(o.Class),
	}
	if a.kind.Similar() {
		t, err := likenessIn(o.Suites)
		if err != nil {
			return ask{}, err
		}
		a.like = likeness{t.Model, t.Dimension, t.Threshold}
	}
	return a, nil
}

// fits checks what depends on programs alone, before any rule is asked: an error here
// must not tell that the rules would have allowed the round.
func fits(o round.Offer) error {
	kind, err := indicator.ParseKind(o.Kind)
	if err != nil {
		return &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: fmt.Errorf("the partner asks for an unknown kind: %w", err)}
	}
	if !round.Neighbours(o.Normaliser, kind.Version()) {
		return &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: errors.New("the canonical forms of the two sides are more than one version apart")}
	}
	if kind.Similar() {
		return fitsSimilar(o, kind)
	}
	known := 0
	for _, k := range o.Suites {
		counts := k.Name == round.CountSuite
		if !counts && !slices.Contains(exactSuites(), k.Name) {
			continue // of a later version: another one may be there for us
		}
		if err := exact.CheckPublic(k.Name, k.Public); err != nil {
			return err
		}
		if !counts {
			known++
		}
	}
	if known == 0 && max(o.Granted.Proposer, o.Granted.Responder) >= terms.IDs {
		return &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: errors.New("the offer has no suite that this side knows")}
	}
	if !slices.ContainsFunc(o.Suites, func(k round.SuiteKey) bool { return k.Name == round.CountSuite }) {
		return &wire.ProtocolError{Code: wire.UnsupportedVersion, Err: errors.New("the offer lacks the suite for counts")}
	}
	return nil
}

// answer freezes the own lists, signs the answer and stores both. It returns nil
// if nothing of the lists may take part.
func (s *Service) answer(ctx context.Context, f *file, a ask, lists []store.List, merged terms.Terms, g policy.Grant) (*round.Message, error) {
	if a.kind.Similar() {
		ok, err := s.settleThreshold(ctx, &a, g)
		if err != nil || !ok {
			f.Grounds = append(f.Grounds, "forbids: the month's threshold with this partner is another")
			return nil, err
		}
	}
	own, err := s.freeze(ctx, lists, a, merged)
	if err != nil {
		return nil, ignoreNothing(err)
	}
	message, err := s.sign(ctx, f, a, lists, merged, g, own)
	if err != nil || message == nil {
		err = errors.Join(err, s.dropUnused(ctx))
	}
	return message, err
}

// sign signs the answer over a frozen list and stores it with what it costs.
func (s *Service) sign(ctx context.Context, f *file, a ask, lists []store.List, merged terms.Terms, g policy.Grant, own contribution) (*round.Message, error) {
	if !merged.Admits(int64(own.class)) || !merged.Admits(a.theirs) || !round.Fits(merged, uint32(max(int64(own.class), a.theirs))) {
		return nil, nil
	}
	rules := s.o.Rules().Digest()
	answer := round.Answer{
		Created: time.Now().UnixMilli(), Expires: f.machine.Offer().Expires,
		Normaliser: a.kind.Version(), Basis: lists[0].Basis, Terms: merged, Rules: rules[:],
		Class: uint32(own.class), Commitment: own.commitment[:], Suites: needed(own.public, f.machine.Offer(), merged, own.class),
	}
	if a.kind.Similar() {
		ok, err := s.affords(ctx, f, answer, g.MinScore)
		if err == nil && ok {
			ok, err = s.stillAllowed(ctx, f, answer, a, lists)
		}
		if err != nil || !ok {
			f.Grounds = append(f.Grounds, "forbids: the pairs that the two lists have are not left with this partner, by the rules or for the month")
			return nil, err
		}
	}
	message, err := f.machine.Accept(answer)
	if err != nil {
		return nil, err
	}
	f.Items, f.Secret, f.Snapshot = own.items, own.sealed, own.snapshot
	for _, l := range lists {
		f.Lists = append(f.Lists, l.Name)
	}
	decided := s.decided(f, g)
	err = s.put(ctx, f, func(tx *store.Tx) error {
		if err := decided(tx); err != nil {
			return err
		}
		return s.charge(tx, f) // before the answer goes out: a crash leaves it spent
	})
	if err != nil {
		return nil, err
	}
	return &message, nil
}

// stillAllowed asks the own rules again about an answer as it is, with the pairs that it means:
// they follow from the frozen list and from what both sides learn.
func (s *Service) stillAllowed(ctx context.Context, f *file, answer round.Answer, a ask, lists []store.List) (bool, error) {
	x, err := session(f.machine.Offer(), answer)
	if err != nil {
		return false, err
	}
	a.us, a.them = answer.Terms.Responder, answer.Terms.Proposer
	a.ours, a.agreed = int64(answer.Class), x.pairs()
	g, _, err := s.granted(ctx, a, lists)
	return answer.Terms.Within(g.Terms) && x.all.Threshold >= int(g.MinScore), err
}

// needed are the own suites that the terms call for: of those for mode ids the best that
// was offered.
func needed(own []round.SuiteKey, o round.Offer, t terms.Terms, class int) []round.SuiteKey {
	if kind := indicator.Kind(o.Kind); kind.Similar() {
		return slices.DeleteFunc(slices.Clone(own), func(k round.SuiteKey) bool {
			return k.Name == round.NamesSuite && (keyed(o.Suites) < 0 || !byKeys(kind, int(o.Class), class, t))
		})
	}
	modes := []terms.Mode{t.Proposer, t.Responder}
	var out []round.SuiteKey
	chosen := false
	for _, k := range own {
		offered := slices.ContainsFunc(o.Suites, func(x round.SuiteKey) bool { return x.Name == k.Name })
		switch {
		case !offered:
		case k.Name == round.CountSuite:
			if slices.Contains(modes, terms.Count) {
				out = append(out, k)
			}
		case !chosen && slices.Contains(modes, terms.IDs):
			chosen = true
			out = append(out, k)
		}
	}
	return out
}

// Approve lets a waiting offer through, if the own rules still allow it. The
// proposer gets the answer when it asks again.
func (s *Service) Approve(ctx context.Context, id string) (View, error) {
	ctx, f, free, err := s.take(ctx, id)
	if err != nil {
		return View{}, err
	}
	defer free()
	if f.machine.Expire(time.Now().UnixMilli()) {
		if err := s.put(ctx, f, s.ending(f)); err != nil {
			return View{}, err
		}
	}
	if f.machine.Proposer() || f.machine.State() != round.Waiting {
		return View{}, fmt.Errorf("approve a round that is %s: %w", f.machine.State(), ErrState)
	}
	s.deciding.Lock()
	defer s.deciding.Unlock()
	a, err := s.askOf(f)
	if err != nil {
		return View{}, err
	}
	lists, grant, err := s.contribute(ctx, a)
	if err != nil {
		return View{}, err
	}
	merged := terms.Merge(grant.Terms, f.machine.Offer().Granted)
	if len(lists) == 0 || !merged.Open() {
		return View{}, &DeniedError{Grounds: sentences(grant)}
	}
	f.Grounds = append(sentences(grant), "a person approved it")
	answer, err := s.answer(ctx, f, a, lists, merged, grant)
	if err != nil {
		return View{}, err
	}
	if answer == nil {
		return View{}, ErrNothing
	}
	return s.view(f), nil
}
