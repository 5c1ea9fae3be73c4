package rounds

import (
	"context"
	"fmt"
	"math"
	"time"

	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// guessing is said wherever a round is planned, until inputs are hardened.
const guessing = "For trial data only: a partner who lists guesses can test them against your list, up to the daily quota. " +
	"Numbers that can be listed (phones, documents) are not protected against that by this version."

// Plan says what a round would cost and reveal. Nothing is sent and nothing kept.
func (s *Service) Plan(ctx context.Context, r Request) (Plan, error) {
	p, err := s.prepare(ctx, r)
	if err != nil {
		return Plan{}, err
	}
	snapshot, err := s.o.Store.PlanSnapshot(ctx, spec([]store.List{p.list}, p.ask))
	if err != nil {
		return Plan{}, err
	}
	class := wire.SizeClass(int(snapshot.Items))
	t := p.grant.Terms
	plan := Plan{
		Partner: p.ask.partner.ID, PartnerName: p.ask.partner.Name, List: p.list.Name, Kind: r.Kind,
		Items: snapshot.Items, Excluded: snapshot.Excluded, Class: class,
		Learns: Learns{Us: t.Proposer, Them: t.Responder}, Allowed: p.grant.Open(), Grounds: sentences(p.grant),
		Used: p.used, Retention: t.RetentionDays, Warnings: []string{guessing},
	}
	if p.ask.kind.Similar() {
		err = s.planSimilar(ctx, &plan, p)
	} else {
		err = planExact(&plan, t, class)
	}
	if err != nil {
		return Plan{}, err
	}
	if snapshot.Items == 0 {
		plan.Warnings = append(plan.Warnings, ErrNothing.Error())
	}
	plan.PartnerRules, err = s.lastWord(ctx, p.ask.partner.ID, r.Kind)
	return plan, err
}

// planExact says what a round by equality costs and how often it errs.
func planExact(plan *Plan, t terms.Terms, class int) (err error) {
	if plan.Bytes, plan.Seconds, err = cost(t, class); err != nil {
		return err
	}
	// Each of the pairs collides with probability 2^-80: the length of a tag.
	plan.WrongHits = float64(class) * float64(class) * math.Exp2(-80)
	if t.Proposer == terms.Count || t.Responder == terms.Count {
		plan.Warnings = append(plan.Warnings, "A count is computed for partners who follow the protocol: a cheat can learn which items are shared.")
	}
	return nil
}

// cost estimates bytes and computing time, taking the partner's list to be as long
// as the own one.
func cost(t terms.Terms, class int) (bytes int64, seconds float64, err error) {
	if t.Proposer == terms.IDs && t.Responder == terms.IDs {
		bytes, seconds = exact.Estimate(Suite, class, class, true)
		return bytes, seconds, nil
	}
	for _, mode := range []terms.Mode{t.Proposer, t.Responder} {
		suite, n := Suite, class
		switch mode {
		case terms.None:
			continue
		case terms.Count:
			noise, err := exact.NoiseItems(t.EpsilonMilli)
			if err != nil {
				return 0, 0, fmt.Errorf("estimate cost: %w", err)
			}
			suite, n = round.CountSuite, wire.SizeClass(class+noise)
		}
		b, c := exact.Estimate(suite, n, n, false)
		bytes, seconds = bytes+b, seconds+c
	}
	return bytes, seconds, nil
}

// lastWord is what is known of the partner's rules: how it answered last.
func (s *Service) lastWord(ctx context.Context, partner, kind string) (string, error) {
	all, err := s.load(ctx)
	if err != nil {
		return "", err
	}
	for i := len(all) - 1; i >= 0; i-- {
		f := all[i]
		if f.Partner != partner || !f.machine.Proposer() || f.machine.Offer().Kind != kind {
			continue
		}
		when := f.Updated.UTC().Format(time.DateOnly)
		switch {
		case f.machine.Answer().Created > 0:
			t := f.machine.Answer().Terms
			return fmt.Sprintf("on %s the partner agreed that we learn %s and they learn %s", when, words(t.Proposer), words(t.Responder)), nil
		case f.machine.State() == round.Refused:
			return fmt.Sprintf("on %s the partner answered: not available", when), nil
		}
	}
	return "unknown until asked: the partner decides by its own rules", nil
}

// words says a mode to people.
func words(m terms.Mode) string {
	switch m {
	case terms.IDs:
		return "which items are shared"
	case terms.Count:
		return "how many items are shared"
	}
	return "nothing"
}
