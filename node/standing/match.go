package standing

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"entente/node/store"
	"entente/protocol/standing"
)

const (
	// matchChunks bounds the entries that are compared or sorted at once: 256 chunks of
	// 1,024 are 11 MB.
	matchChunks = 256
	// looseChunks and looseFiles are how many chunks or files of entries may lie about before
	// they are joined.
	looseChunks = 16
	looseFiles  = 8
)

// match compares what is new: answers with the partner's set, runs with all that was asked.
// It is called when the stream has ended, so that its time tells the partner nothing.
func (a *asker) match(ctx context.Context) (int, error) {
	if err := a.get(ctx); err != nil || a.state.Index == 0 || len(a.state.Base) == 0 {
		return 0, err
	}
	found := map[store.Lookup]evaluated{}
	set, err := a.tags(ctx)
	if err != nil {
		return 0, err
	}
	defer a.close()
	for from := a.state.MatchedChunk; from < a.state.Oldest; from += matchChunks {
		list, err := a.entries(ctx, from, min(from+matchChunks, a.state.Oldest))
		if err != nil {
			return 0, err
		}
		for _, e := range list {
			in, err := set.has(e.Tag)
			if err != nil {
				return 0, err
			}
			if in {
				found[e.lookup] = e
			}
		}
	}
	if err := a.matchRuns(ctx, found); err != nil {
		return 0, err
	}
	return a.tell(ctx, found)
}

// entries returns the entries of loose chunks, sorted by tag.
func (a *asker) entries(ctx context.Context, from, to uint32) ([]evaluated, error) {
	var list []evaluated
	err := a.s.o.Store.View(ctx, func(tx *store.Tx) error {
		for rec, err := range tx.StandingRange(a.f.ID, a.number(), recordAsked, int64(from)) {
			if err != nil {
				return err
			}
			if rec.Number >= int64(to) {
				break
			}
			for b := range slices.Chunk(rec.Value, entrySize) {
				list = append(list, evaluatedOf(b))
			}
		}
		return nil
	})
	slices.SortFunc(list, func(x, y evaluated) int { return compareTags(x.Tag, y.Tag) })
	return list, err
}

// matchRuns looks for the additions of new runs among all that was asked.
func (a *asker) matchRuns(ctx context.Context, found map[store.Lookup]evaluated) error {
	var additions []standing.Tag
	err := a.runsAfter(ctx, recordTheirs, a.state.MatchedRun, func(_ uint32, r runRecord) error {
		additions = append(additions, splitTags(r.Additions)...)
		return nil
	})
	if err != nil || len(additions) == 0 {
		return err
	}
	sortTags(additions)
	for _, info := range a.state.Asked {
		if err := a.among(info, additions, found); err != nil {
			return err
		}
	}
	for from := a.state.Kept; from < a.state.Oldest; from += matchChunks {
		list, err := a.entries(ctx, from, min(from+matchChunks, a.state.Oldest))
		if err != nil {
			return err
		}
		for _, e := range list {
			if _, ok := slices.BinarySearchFunc(additions, e.Tag, compareTags); ok {
				found[e.lookup] = e
			}
		}
	}
	return nil
}

func (a *asker) among(info []byte, additions []standing.Tag, found map[store.Lookup]evaluated) error {
	g, err := a.s.segment(info)
	if err != nil {
		return err
	}
	defer closing(g)
	for _, t := range additions {
		b, ok, err := g.Find(t[:])
		if err != nil {
			return err
		}
		if ok {
			e := evaluatedOf(b)
			found[e.lookup] = e
		}
	}
	return nil
}

// tell stores the hits that are new to this subscription, with how far was compared. A hit
// of a value whose records are gone is none.
func (a *asker) tell(ctx context.Context, found map[store.Lookup]evaluated) (int, error) {
	hits := 0
	a.state.MatchedChunk, a.state.MatchedRun = a.state.Oldest, a.state.Mark.Run
	err := a.save(ctx, func(tx *store.Tx) error {
		known := map[int64]bool{}
		if len(found) > 0 {
			old, err := tx.HitsFrom(a.f.ID, 0)
			if err != nil {
				return err
			}
			for _, h := range old {
				known[h.Indicator] = true
			}
		}
		lookups := make([]store.Lookup, 0, len(found))
		for l := range found {
			lookups = append(lookups, l)
		}
		slices.SortFunc(lookups, func(x, y store.Lookup) int { return bytes.Compare(x[:], y[:]) })
		var fresh []store.Hit
		for _, l := range lookups {
			records, err := tx.RecordsByLookup(l)
			if err != nil {
				return err
			}
			e := found[l]
			if len(records) > 0 && !known[records[0].ID] {
				fresh = append(fresh, store.Hit{Indicator: records[0].ID, Proof: e.Proof[:]})
			}
		}
		hits = len(fresh)
		if hits == 0 {
			return nil
		}
		_, err := tx.AddHits(a.f.ID, fresh)
		return err
	})
	return hits, err
}

// tidy joins loose entries into files, and files into one; it leaves out what has gone.
func (a *asker) tidy(ctx context.Context) error {
	if a.state.Oldest-a.state.Kept > looseChunks {
		if err := a.keep(ctx); err != nil {
			return err
		}
	}
	if len(a.state.Asked) <= looseFiles && (len(a.state.Gone) == 0 || len(a.state.Asked) == 0) {
		return nil
	}
	return a.merge(ctx)
}

// keep writes all loose entries, which were compared, to a file.
func (a *asker) keep(ctx context.Context) error {
	for a.state.Kept < a.state.Oldest {
		to := min(a.state.Kept+matchChunks, a.state.Oldest)
		list, err := a.entries(ctx, a.state.Kept, to)
		if err != nil {
			return err
		}
		list = slices.CompactFunc(list, func(x, y evaluated) bool { return x.Tag == y.Tag })
		info, err := a.s.build(entrySize, standing.TagSize, func(w *store.SegmentWriter) error {
			var b []byte
			for _, e := range list {
				b = appendEntry(b[:0], e)
				if err := w.Append(b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		before := a.state
		a.state.Asked, a.state.Kept = append(slices.Clone(a.state.Asked), info), to
		err = a.save(ctx, func(tx *store.Tx) error {
			return tx.DropStanding(a.f.ID, a.number(), recordAsked, int64(to))
		})
		if err != nil {
			a.state = before
			return errors.Join(err, a.s.remove(nameOf(info)))
		}
	}
	return nil
}

// merge makes one file of entries.
func (a *asker) merge(ctx context.Context) error {
	gone := map[store.Lookup]bool{}
	for _, l := range lookupsOf(a.state.Gone) {
		gone[l] = true
	}
	var files []*store.Segment
	defer func() {
		for _, g := range files {
			closing(g)
		}
	}()
	for _, info := range a.state.Asked {
		g, err := a.s.segment(info)
		if err != nil {
			return err
		}
		files = append(files, g)
	}
	made, err := a.s.o.Store.MergeSegments(ctx, files, func(b []byte) bool { return gone[evaluatedOf(b).lookup] })
	if err != nil {
		return err
	}
	before := a.state
	a.state.Asked, a.state.Gone = [][]byte{made.Encode()}, nil
	if err := a.save(ctx, nil); err != nil {
		a.state = before
		return errors.Join(err, a.s.remove([]string{made.Name}))
	}
	return a.s.remove(nameOf(before.Asked...))
}

// answerOf tells whether an urgent check hit.
func (a *asker) answerOf(ctx context.Context, c check) (bool, error) {
	list, err := a.entries(ctx, c.number, c.number+1)
	if err != nil || len(list) == 0 {
		return false, err
	}
	set, err := a.tags(ctx)
	if err != nil {
		return false, err
	}
	return set.has(list[0].Tag)
}
