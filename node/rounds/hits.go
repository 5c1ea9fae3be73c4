package rounds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/round"
)

// A run's result waits in its journal until the stream is over, in records of fixed
// length: for each place of the size class a mark and the proof of a hit.
const (
	resultFlow   = "result"
	resultPlaces = 4096 // in one record
	resultSize   = 1 + exact.ProofSize
)

// keep stores a result. A run that is repeated after a crash stores the same again,
// which changes nothing.
func keep(ctx context.Context, j *store.Journal, r exact.Result, class int) error {
	next := 0
	for first := 0; first < class; first += resultPlaces {
		record := make([]byte, min(resultPlaces, class-first)*resultSize)
		for ; next < len(r.Positions) && r.Positions[next] < first+resultPlaces; next++ {
			place := record[(r.Positions[next]-first)*resultSize:]
			place[0] = 1
			copy(place[1:resultSize], r.Proofs[next][:])
		}
		if err := j.Put(ctx, resultFlow, first/resultPlaces, record); err != nil {
			return fmt.Errorf("store the result: %w", err)
		}
	}
	return nil
}

// kept reads a stored result: the proof of each hit by its position.
func kept(ctx context.Context, j *store.Journal) (map[int64][]byte, error) {
	hits := map[int64][]byte{}
	position := int64(0)
	for record, err := range j.Chunks(ctx, resultFlow) {
		if err != nil {
			return nil, fmt.Errorf("read the result: %w", err)
		}
		for ; len(record) >= resultSize; record = record[resultSize:] {
			if record[0] == 1 {
				hits[position] = append([]byte{}, record[1:resultSize]...)
			}
			position++
		}
	}
	return hits, nil
}

// concluded reports whether nothing of a round is left to be looked up or dropped.
func (f *file) concluded() bool {
	return f.machine.State().Over() && (f.Snapshot == 0 || f.Evidence)
}

// evident reports whether a round compared vectors, or began to: then what this side did in it
// can be recomputed, as long as its secret and its list are there.
func (f *file) evident() bool {
	runs := f.machine.Runs()
	return len(runs) > 0 && runs[0].Similar() && len(f.details.Agreement) > 0
}

// conclude turns what the runs of a round that is over left behind into hits, and
// drops the rest. It waits for the round's stream to end. If it fails it is made up for
// within a minute, or at the next start.
func (s *Service) conclude(ctx context.Context, id round.ID) {
	ctx = context.WithoutCancel(ctx)
	ctx, free := s.quiet(ctx, id)
	defer free()
	f, err := s.find(ctx, id)
	if err == nil && f.machine.State().Over() && !f.concluded() {
		err = s.lookUp(ctx, f)
	}
	if err != nil && !errors.Is(err, ErrUnknownRound) {
		s.o.Log.Error("look up the hits of a round; it is tried again", "round", id, "error", err)
	}
}

// lookUp finds the own record of each hit in one pass over the snapshot.
func (s *Service) lookUp(ctx context.Context, f *file) error {
	proofs := map[int64][]byte{}
	for i := range f.machine.Runs() {
		found, err := kept(ctx, s.o.Store.Journal(f.ID, i))
		if err != nil {
			return err
		}
		for position, proof := range found {
			proofs[position] = proof
		}
	}
	hits := make([]store.Hit, 0, len(proofs))
	if len(proofs) > 0 {
		position := int64(0)
		for item, err := range s.o.Store.SnapshotItems(ctx, f.Snapshot) {
			if err != nil {
				return fmt.Errorf("find the hits' records: %w", err)
			}
			if proof, ok := proofs[position]; ok {
				hits = append(hits, store.Hit{Position: position, Indicator: item.Indicator, Proof: proof})
			}
			position++
		}
	}
	f.Hits = int64(len(hits))
	f.Evidence = f.evident()
	drop := s.dropping(f)
	return s.put(ctx, f, func(tx *store.Tx) error {
		if err := tx.PutHits(f.ID, hits); err != nil || f.Evidence {
			return err
		}
		return drop(tx)
	})
}

// quiet claims a round once nobody works on it.
func (s *Service) quiet(ctx context.Context, id round.ID) (context.Context, func()) {
	for {
		s.mu.Lock()
		old := s.talks[id]
		s.mu.Unlock()
		if old == nil {
			if ctx, free, err := s.claim(ctx, id, somebody, ""); err == nil {
				return ctx, free
			}
			continue
		}
		<-old.ended
	}
}

// evidenceTime is how long evidence is kept at least: a partner that cheats must not be able to
// have it erased by agreeing on fewer days for hits.
const evidenceTime = 30 * 24 * time.Hour

// ForgetList drops the copies of a list that rounds keep for an auditor, for the list to be deleted.
func (s *Service) ForgetList(ctx context.Context, list string) error {
	all, err := s.load(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		if !f.Evidence || !slices.Contains(f.Lists, list) {
			continue
		}
		ctx, f, free, err := s.take(ctx, f.id.String())
		if err != nil {
			return err
		}
		f.Evidence, f.Secret, f.Note = false, nil, "the list was deleted, and with it what an auditor could have had opened"
		err = s.put(ctx, f, s.dropping(f))
		free()
		if err != nil {
			return err
		}
	}
	return nil
}

// forget erases a round's hits when the days are over for which both sides agreed to
// keep them. That there was a round, and its receipt, stay.
func (s *Service) forget(ctx context.Context, f *file) error {
	days := time.Duration(f.machine.Answer().Terms.RetentionDays) * 24 * time.Hour
	age := time.Since(f.Updated)
	hits, evidence := f.Hits > 0 && age >= days, f.Evidence && age >= max(days, evidenceTime)
	if !f.concluded() || !hits && !evidence {
		return nil
	}
	ctx, free := s.quiet(ctx, f.id)
	defer free()
	drop := func(*store.Tx) error { return nil }
	if evidence {
		drop = s.dropping(f)
		f.Evidence, f.Secret = false, nil
	}
	f.Hits, f.Note = 0, "the hits were erased when the agreed time was over"
	return s.put(ctx, f, func(tx *store.Tx) error {
		if _, err := tx.DropHits(f.ID); err != nil {
			return err
		}
		return drop(tx)
	})
}
