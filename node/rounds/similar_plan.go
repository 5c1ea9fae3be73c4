package rounds

import (
	"context"
	"fmt"
	"time"

	"entente/node/store"
	"entente/protocol/indicator"
	"entente/protocol/names"
	"entente/protocol/person"
	"entente/protocol/round"
	"entente/protocol/similar"
)

// What is said wherever records are to be matched by similarity.
const (
	semiHonest = "Both sides must follow the protocol, and the agreement says so. A partner that does not can read out records of your list " +
		"without your noticing it: from malformed questions, or bit by bit from invented ones, up to the month's limit on pairs."
	notAnIdentity = "What is alike is a lead and nothing more: many people have such a name or such a face. A person has to look at every hit before anything is done."
	research      = "Faces are for research only: this node knows no error rates of the model by sex and origin, and a model errs more for some groups than for others."
	meeting       = "If the lists are long and both sides learn, names meet by keys first: both then also learn which keys they have in common (sounds of words with parts of the date of birth), and how many records each has under them."
	faceErrors    = "The expected wrong hits assume that one in a million pairs of strangers reaches the threshold; what it is for this model and threshold, its maker must say."
)

// faceRate is the share of pairs of strangers that face models are usually set to let pass.
const faceRate = 1e-6

// threshold is the score from which records of a round count as alike; 0 if it matches by equality.
func threshold(o round.Offer, a round.Answer) int {
	for _, suites := range [][]round.SuiteKey{a.Suites, o.Suites} {
		if t, err := likenessIn(suites); err == nil {
			return t.Threshold
		}
	}
	return 0
}

// planSimilar says what a round by similarity costs, and how many wrong hits its threshold lets
// through, taking the partner's list to be as long and as mixed as the own one.
func (s *Service) planSimilar(ctx context.Context, plan *Plan, p prepared) error {
	plan.Warnings = []string{semiHonest, notAnIdentity}
	if plan.Threshold = p.ask.like.threshold; !plan.Allowed || plan.Items == 0 {
		return nil
	}
	if err := plan.compare(p); err != nil {
		return fmt.Errorf("%w; split the list", err)
	}
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		_, inMonth, _, err := compared(tx, plan.Partner, p.ask.like.model, time.Now())
		plan.PairsLeft = similar.MaxPairs - inMonth
		return err
	})
	if err != nil {
		return err
	}
	if plan.Pairs > plan.PairsLeft {
		plan.Warnings = append(plan.Warnings, "More pairs than are left with this partner this month: the round would be refused. Take a shorter list.")
	}
	if p.ask.kind == indicator.Face {
		plan.WrongHits = faceRate * float64(plan.Items) * float64(plan.Class)
		plan.Warnings = append(plan.Warnings, research, faceErrors)
		return nil
	}
	profiles, err := s.profiles(ctx, p)
	if err != nil {
		return err
	}
	if p.grant.Terms.Proposer == p.grant.Terms.Responder {
		plan.Warnings = append(plan.Warnings, meeting)
	}
	plan.WrongHits = person.ExpectWrongHits(profiles, plan.Class, plan.Threshold).Hits
	return nil
}

// compare says what is compared, and what that costs.
func (plan *Plan) compare(p prepared) error {
	learns := learners(p.grant.Terms)
	if byKeys(p.ask.kind, plan.Class, plan.Class, p.grant.Terms) {
		x := names.Session{Model: "any", Kind: plan.Kind, Dimension: p.ask.like.dimension, Threshold: plan.Threshold, Learns: learns,
			Probes: plan.Class, Templates: plan.Class, Candidates: names.Bound(plan.Class, plan.Class)}
		if err := x.Check(); err != nil {
			return err
		}
		plan.Pairs, plan.Bytes, plan.Seconds = int64(x.Candidates), x.Bytes(), x.Seconds()
		return nil
	}
	x := similar.Session{Dimension: p.ask.like.dimension, Threshold: plan.Threshold, Learns: learns, Model: "any"}
	x.Fit(plan.Class, plan.Class)
	if err := x.Check(); err != nil {
		return err
	}
	plan.Pairs, plan.Bytes, plan.Seconds = x.Pairs(), x.Bytes(), x.Seconds()
	return nil
}

// profiles are those of the own persons that would take part.
func (s *Service) profiles(ctx context.Context, p prepared) (out []person.Profile, err error) {
	x := spec([]store.List{p.list}, p.ask)
	var broken error
	x.Keep = func(element []byte) bool {
		one, err := person.Restore(element)
		if err != nil {
			broken = err
			return false
		}
		out = append(out, one.Profile())
		return true
	}
	if _, err := s.o.Store.PlanSnapshot(ctx, x); err != nil {
		return nil, err
	}
	return out, broken
}
