package standing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"entente/node/store"
	"entente/protocol/standing"
)

const (
	// keepChunks bounds the entries that are sorted at once and make one file: 256 chunks of
	// 1,024 are 11 MB.
	keepChunks = 256
	// matchTags bounds the tags of a partner's runs that are held at once, in so many tags and
	// one run: 2^18 are 12 MB as a map. More of them go into the file of its publication.
	matchTags = 1 << 18
	// giveWay are the look-ups after which the search looks whether it has to give way.
	giveWay = 1 << 10
	// tellHits are the hits stored in one step: nobody waits longer for the store because of
	// how many there are.
	tellHits = 128
	// matchStep are the chunks after which the search stores how far it is, and looks whether it
	// has to give way: some milliseconds of work.
	matchStep = 16
	// looseChunks and looseFiles are how many chunks or files of entries may lie about before
	// they are joined.
	looseChunks = 16
	looseFiles  = 8
	// mergeFiles are open at a time while files are joined.
	mergeFiles = 16
)

// progress is how far was compared; it is stored with the hits that were found.
type progress struct {
	chunk, run uint32 // askerState.MatchedChunk and MatchedRun
	changes    int64  // askerState.Rematched
}

func (s *askerState) progress() progress {
	return progress{s.MatchedChunk, s.MatchedRun, s.Rematched}
}

// match compares what is new: answers with the partner's set, runs with all that was asked.
// It goes in steps, so that what it has found is kept when it has to give way.
func (a *asker) match(ctx context.Context) (hits int, err error) {
	if err := a.get(ctx); err != nil || a.state.Index == 0 || len(a.state.Base) == 0 {
		return 0, err
	}
	set, err := a.tags(ctx)
	if err != nil {
		return 0, err
	}
	first, at, found := a.state.MatchedChunk, a.state.progress(), map[store.Lookup]evaluated{}
	tell := func() error {
		n, err := a.tell(ctx, found, at)
		hits += n
		clear(found)
		return err
	}
	for at.chunk < a.state.Oldest {
		if err := a.matchChunks(ctx, set, &at.chunk, found); err != nil {
			return hits, err
		}
		if at.chunk < a.state.Oldest {
			if err := tell(); err != nil {
				return hits, err
			}
		}
	}
	for at.run < a.state.Mark.Run {
		if err := a.matchRuns(ctx, &at.run, found); err != nil {
			return hits, err
		}
		if at.run < a.state.Mark.Run {
			if err := tell(); err != nil {
				return hits, err
			}
		}
	}
	if a.state.Prepared {
		upTo, err := a.rematch(ctx, set, found)
		if err != nil {
			return hits, err
		}
		at.changes = max(at.changes, upTo)
	}
	if err := tell(); err != nil {
		return hits, err
	}
	if a.state.Oldest-first > looseChunks {
		return hits, nil // they become files at once
	}
	if a.state.Unsure {
		first = a.state.Kept // an earlier search may have had to give way before it came to this
	}
	return hits, a.thin(ctx, first)
}

// matchChunks compares the next entries with the partner's set.
func (a *asker) matchChunks(ctx context.Context, set *tagSet, from *uint32, found map[store.Lookup]evaluated) error {
	to := min(*from+matchStep, a.state.Oldest)
	list, err := a.entries(ctx, *from, to)
	if err != nil {
		return err
	}
	for _, e := range list {
		in, err := set.has(e.Tag)
		if err != nil {
			return err
		}
		if in {
			found[e.lookup] = e
		}
	}
	*from = to
	return ctx.Err()
}

// thin drops loose entries of values that do not take part: checked without being on a list,
// or deleted while the question was under way.
func (a *asker) thin(ctx context.Context, from uint32) error {
	last, err := a.s.lastTouch(ctx)
	if err != nil || last == a.state.Seen && !a.state.Unsure {
		return err
	}
	for number := from; number < a.state.Oldest; number++ {
		list, err := a.entries(ctx, number, number+1)
		if err != nil {
			return err
		}
		n := len(list)
		if list, err = a.takingPart(ctx, list); err != nil {
			return err
		}
		if len(list) == n {
			continue
		}
		var b []byte
		for _, e := range list {
			b = appendEntry(b, e)
		}
		err = a.s.o.Store.Update(ctx, func(tx *store.Tx) error {
			return tx.PutStanding(a.f.ID, a.number(), recordAsked, int64(number), b)
		})
		if err != nil {
			return err
		}
	}
	if !a.state.Unsure {
		return nil
	}
	a.state.Unsure = false
	return a.save(ctx, nil)
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

// matchRuns looks for the additions of the next runs among all that was asked.
func (a *asker) matchRuns(ctx context.Context, after *uint32, found map[store.Lookup]evaluated) error {
	var additions []standing.Tag
	next := *after + 1
	err := a.runsAfter(ctx, recordTheirs, *after, func(number uint32, r runRecord) bool {
		additions, *after = append(additions, splitTags(r.Additions)...), number
		return len(additions) < a.s.held
	})
	if err == nil && *after < next {
		err = fmt.Errorf("the partner's run %d: %w", next, store.ErrNotFound)
	}
	if err != nil || len(additions) == 0 {
		return err
	}
	sortTags(additions)
	for _, info := range a.state.Asked {
		if err := a.among(ctx, info, additions, found); err != nil {
			return err
		}
	}
	return a.amongLoose(ctx, found, func(t standing.Tag) (bool, error) {
		_, ok := slices.BinarySearchFunc(additions, t, compareTags)
		return ok, nil
	})
}

// amongLoose looks through the entries that no file holds.
func (a *asker) amongLoose(ctx context.Context, found map[store.Lookup]evaluated, in func(standing.Tag) (bool, error)) error {
	for from := a.state.Kept; from < a.state.Oldest && ctx.Err() == nil; from += matchStep {
		list, err := a.entries(ctx, from, min(from+matchStep, a.state.Oldest))
		if err != nil {
			return err
		}
		for _, e := range list {
			hit, err := in(e.Tag)
			if err != nil {
				return err
			}
			if hit {
				found[e.lookup] = e
			}
		}
	}
	return ctx.Err()
}

func (a *asker) among(ctx context.Context, info []byte, additions []standing.Tag, found map[store.Lookup]evaluated) error {
	g, err := a.s.segment(info)
	if err != nil {
		return err
	}
	defer closing(g)
	for i, t := range additions {
		if i%giveWay == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
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

// tell stores the hits that are new to this subscription, and then how far was compared. A
// hit of a value that no longer takes part is none: the partner was asked under another
// premise.
func (a *asker) tell(ctx context.Context, found map[store.Lookup]evaluated, at progress) (hits int, err error) {
	fresh, err := a.fresh(ctx, found)
	if err != nil || len(fresh) == 0 && at == a.state.progress() {
		return 0, err
	}
	before := a.state
	a.state.MatchedChunk, a.state.MatchedRun, a.state.Rematched = at.chunk, at.run, at.changes
	for last := false; !last; {
		some := fresh[:min(len(fresh), tellHits)]
		fresh = fresh[len(some):]
		last = len(fresh) == 0
		err = a.s.o.Store.Update(ctx, func(tx *store.Tx) error {
			if len(some) > 0 {
				first, err := tx.AddHits(a.f.ID, some)
				if err == nil {
					err = putFound(tx, a.f.ID, first, now())
				}
				if err != nil {
					return err
				}
			}
			if !last {
				return nil
			}
			if err := a.dropFolded(tx); err != nil {
				return err
			}
			return a.write(tx, recordAsker, 0, a.state)
		})
		if err != nil {
			a.state = before
			return hits, err
		}
		hits += len(some)
	}
	return hits, nil
}

// fresh are the hits of records that take part and of which this subscription has not told,
// in the order of their keyed lookups, which says nothing.
func (a *asker) fresh(ctx context.Context, found map[store.Lookup]evaluated) ([]store.Hit, error) {
	if len(found) == 0 {
		return nil, nil
	}
	eligible, err := a.s.eligible(ctx, a.f, slices.Collect(maps.Keys(found)))
	if err != nil || len(eligible) == 0 {
		return nil, err
	}
	var told []store.Hit
	err = a.s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		told, err = tx.HitsFrom(a.f.ID, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	known := make(map[int64]bool, len(told))
	for _, h := range told {
		known[h.Indicator] = true
	}
	var out []store.Hit
	for _, l := range slices.SortedFunc(maps.Keys(eligible), compareLookups) {
		proof := found[l].Proof
		if e := eligible[l]; !known[e.Indicator] {
			out = append(out, store.Hit{Indicator: e.Indicator, Proof: proof[:]})
		}
	}
	return out, nil
}

// tidy joins loose entries into files, and files into one, and lets go what has to.
func (a *asker) tidy(ctx context.Context) error {
	if a.state.MatchedChunk-a.state.Kept > looseChunks {
		if err := a.keep(ctx); err != nil {
			return err
		}
	}
	if len(a.state.Asked) > looseFiles {
		if err := a.merge(ctx, func(store.Lookup) bool { return false }); err != nil {
			return err
		}
	}
	return a.sweep(ctx)
}

// keep writes all loose entries that were compared to files.
func (a *asker) keep(ctx context.Context) error {
	for a.state.Kept < a.state.MatchedChunk {
		to := min(a.state.Kept+keepChunks, a.state.MatchedChunk)
		list, err := a.entries(ctx, a.state.Kept, to)
		if err != nil {
			return err
		}
		if list, err = a.takingPart(ctx, list); err != nil {
			return err
		}
		list = slices.CompactFunc(list, func(x, y evaluated) bool { return x.Tag == y.Tag })
		before := a.state
		a.state.Kept = to
		if len(list) > 0 {
			if err := a.file(list); err != nil {
				a.state = before
				return err
			}
		}
		err = a.save(ctx, func(tx *store.Tx) error {
			return tx.DropStanding(a.f.ID, a.number(), recordAsked, int64(to))
		})
		if err != nil {
			made := slices.Concat(a.state.Asked[len(before.Asked):], a.state.Had[len(before.Had):])
			a.state = before
			return errors.Join(err, a.s.remove(nameOf(made...)))
		}
	}
	return nil
}

// file makes the two files of entries that are sorted by tag.
func (a *asker) file(list []evaluated) error {
	asked, err := a.s.build(entrySize, standing.TagSize, func(w *store.SegmentWriter) error {
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
	list = slices.Clone(list)
	slices.SortFunc(list, func(x, y evaluated) int { return compareLookups(x.lookup, y.lookup) })
	had, err := a.s.build(hadSize, lookupSize, func(w *store.SegmentWriter) error {
		var b []byte
		for _, e := range list {
			b = append(append(b[:0], e.lookup[:]...), e.Tag[:]...)
			if err := w.Append(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, a.s.remove(nameOf(asked)))
	}
	a.state.Asked, a.state.Had = append(slices.Clone(a.state.Asked), asked), append(slices.Clone(a.state.Had), had)
	return nil
}

// merge makes one file of each form, without the entries that are gone.
func (a *asker) merge(ctx context.Context, gone func(store.Lookup) bool) error {
	asked, err := a.joined(ctx, a.state.Asked, func(b []byte) bool { return gone(evaluatedOf(b).lookup) })
	if err != nil {
		return err
	}
	had, err := a.joined(ctx, a.state.Had, func(b []byte) bool { return gone(store.Lookup(b)) })
	if err != nil {
		return errors.Join(err, a.s.remove(nameOf(asked...)))
	}
	before := a.state
	a.state.Asked, a.state.Had = asked, had
	if err := a.save(ctx, nil); err != nil {
		a.state = before
		return errors.Join(err, a.s.remove(nameOf(slices.Concat(asked, had)...)))
	}
	return a.s.remove(nameOf(slices.Concat(before.Asked, before.Had)...))
}

// joined merges files of one form, a few at a time, until there is one. Which of two entries
// with one key is kept does not matter: within a tag period they are the same.
func (a *asker) joined(ctx context.Context, infos [][]byte, drop func([]byte) bool) (_ [][]byte, err error) {
	var made [][]byte // of them only the last one is still needed in the end
	defer func() {
		if err != nil {
			err = errors.Join(err, a.s.remove(nameOf(made...)))
		}
	}()
	queue := slices.Clone(infos)
	for len(queue) > 1 || len(queue) == 1 && len(made) == 0 {
		some := queue[:min(len(queue), mergeFiles)]
		one, err := a.joinedOnce(ctx, some, drop)
		if err != nil {
			return nil, err
		}
		queue, made = append(queue[len(some):], one), append(made, one)
	}
	if len(made) > 1 {
		err = a.s.remove(nameOf(made[:len(made)-1]...))
	}
	return queue, err
}

func (a *asker) joinedOnce(ctx context.Context, infos [][]byte, drop func([]byte) bool) ([]byte, error) {
	var files []*store.Segment
	defer func() {
		for _, g := range files {
			closing(g)
		}
	}()
	for _, info := range infos {
		g, err := a.s.segment(info)
		if err != nil {
			return nil, err
		}
		files = append(files, g)
	}
	made, err := a.s.o.Store.MergeSegments(ctx, files, drop)
	if err != nil {
		return nil, err
	}
	return made.Encode(), nil
}

// answerOf tells whether an urgent check hit.
func (a *asker) answerOf(ctx context.Context, c check) (bool, error) {
	if len(a.state.Base) == 0 {
		return false, errors.New("the partner's publication is not whole")
	}
	set, err := a.tags(ctx)
	if err != nil {
		return false, err
	}
	return set.has(c.tag)
}
