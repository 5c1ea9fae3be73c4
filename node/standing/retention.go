package standing

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"entente/node/store"
	"entente/protocol/standing"
)

// putFound notes when the hits from a position on were found.
func putFound(tx *store.Tx, id standing.ID, first int64, at time.Time) error {
	return tx.PutStanding(id, 0, recordFound, first, binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
}

// forget erases hits when the days are over for which both sides agreed to keep them. One
// that both lists still share is found again in a later tag period, and told again.
func (s *Service) forget(ctx context.Context, f *file, at time.Time) error {
	days := f.machine.Answer().Terms.RetentionDays
	if days == 0 {
		return nil
	}
	limit := at.AddDate(0, 0, -int(days))
	below := int64(0)
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		below, err = foundBefore(tx, f.ID, limit)
		return err
	})
	if err != nil || below == 0 {
		return err
	}
	err = s.o.Store.Update(ctx, func(tx *store.Tx) error {
		rest, err := tx.HitsFrom(f.ID, below)
		if err != nil {
			return err
		}
		if _, err := tx.DropHits(f.ID); err != nil {
			return err
		}
		return errors.Join(tx.PutHits(f.ID, rest), tx.DropStanding(f.ID, 0, recordFound, below))
	})
	if err == nil {
		s.notify()
	}
	return err
}

// foundBefore is the position below which all hits were found before a time.
func foundBefore(tx *store.Tx, id standing.ID, limit time.Time) (int64, error) {
	old := false
	for rec, err := range tx.StandingRange(id, 0, recordFound, 0) {
		if err != nil {
			return 0, err
		}
		switch late := len(rec.Value) == 8 && !time.UnixMilli(int64(binary.BigEndian.Uint64(rec.Value))).Before(limit); {
		case late && old:
			return rec.Number, nil
		case late:
			return 0, nil
		}
		old = true
	}
	if old {
		return math.MaxInt64, nil
	}
	return 0, nil
}

// noteRestored dates hits that came back from a backup, which holds no dates, from now on.
func noteRestored(tx *store.Tx, id standing.ID) error {
	hits, err := tx.HitsFrom(id, 0)
	if err != nil || len(hits) == 0 {
		return err
	}
	return putFound(tx, id, hits[0].Position, now())
}
