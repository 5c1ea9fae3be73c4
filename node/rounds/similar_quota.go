package rounds

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"entente/node/store"
	"entente/policy"
	"entente/protocol/round"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// month is the span in which a partner's pairs are counted and thresholds stay.
func month(t time.Time) string { return t.UTC().Format("2006-01") }

// counters of a partner in the store's quotas, beside the items of a day.
func pairsOf(span string) string { return "pairs " + span }

func thresholdOf(model [16]byte, t time.Time) string {
	return "threshold " + hex.EncodeToString(model[:]) + " " + month(t)
}

// compared is how many pairs were compared with a partner today and this month, and the
// month's threshold for a model, 0 if there is none yet.
func compared(tx *store.Tx, partner string, model [16]byte, now time.Time) (today, inMonth, threshold int64, err error) {
	for name, n := range map[string]*int64{pairsOf(day(now)): &today, pairsOf(month(now)): &inMonth, thresholdOf(model, now): &threshold} {
		if *n, err = tx.Quota(partner, name); err != nil {
			return 0, 0, 0, err
		}
	}
	return today, inMonth, threshold, nil
}

// within reports whether a session's pairs are left with a partner this month, and its
// threshold is the month's. Many answers about one pair under other thresholds are its score;
// too many pairs, and the flooding hides no template any more (crypto/he).
func (s *Service) within(ctx context.Context, partner string, x comparison, model [16]byte) (ok bool, err error) {
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		_, inMonth, threshold, err := compared(tx, partner, model, time.Now())
		ok = err == nil && inMonth+x.pairs() <= similar.MaxPairs && (threshold == 0 || threshold == int64(x.all.Threshold))
		return err
	})
	return ok, err
}

// chargePairs counts a round's pairs and fixes the threshold for the rest of the month.
func chargePairs(tx *store.Tx, f *file, x comparison, model [16]byte) error {
	now := time.Now()
	_, _, threshold, err := compared(tx, f.Partner, model, now)
	if err != nil {
		return err
	}
	for _, span := range []string{day(now), month(now)} {
		if err := tx.AddQuota(f.Partner, pairsOf(span), x.pairs()); err != nil {
			return err
		}
	}
	if threshold != 0 {
		return nil
	}
	return tx.AddQuota(f.Partner, thresholdOf(model, now), int64(x.all.Threshold))
}

// settleThreshold raises an offered threshold to what the own rules and the month with this
// partner want. It reports false if the offer is above the month's.
func (s *Service) settleThreshold(ctx context.Context, a *ask, g policy.Grant) (bool, error) {
	var fixed int64
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		_, _, fixed, err = compared(tx, a.partner.ID, a.like.model, time.Now())
		return err
	})
	a.like.threshold = max(a.like.threshold, int(g.MinScore))
	if fixed == 0 || err != nil {
		return err == nil && a.like.threshold <= mostThreshold(a.kind, a.like.dimension), err
	}
	ok := a.like.threshold <= int(fixed) && int(fixed) <= mostThreshold(a.kind, a.like.dimension)
	a.like.threshold = int(fixed)
	return ok, err
}

// affords reports whether a round may compare what its answer says, under own rules that want
// a least threshold.
func (s *Service) affords(ctx context.Context, f *file, answer round.Answer, least uint32) (bool, error) {
	x, err := session(f.machine.Offer(), answer)
	if broke, ok := errors.AsType[*wire.ProtocolError](err); ok && broke.Code == wire.TooLarge && !f.machine.Proposer() {
		return false, nil // the own list is too long for this one: the partner hears no more than that
	}
	if err != nil {
		return false, err
	}
	if x.all.Threshold < int(least) {
		return false, nil
	}
	return s.within(ctx, f.Partner, x, model(f.machine.Offer()))
}
