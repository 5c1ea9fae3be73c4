package standing

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"entente/node/store"
	"entente/protocol/standing"
)

// Filling is what a long list leaves in the files of a store, with invented content: one
// set of tags, and one of entries, which all subscriptions of a benchmark share.
type Filling struct {
	tags                   []standing.Tag
	set, items, asked, own []byte // segments: of the set in either store, of items, of entries
	had                    []byte // segment: of entries by lookup
}

// Fill makes the files of n items.
func Fill(holder, asker *Service, n int) (Filling, error) {
	f := Filling{tags: make([]standing.Tag, n)}
	for i := range f.tags {
		rand.Read(f.tags[i][:])
	}
	sortTags(f.tags)
	plain := func(w *store.SegmentWriter) error {
		for i := range f.tags {
			if err := w.Append(f.tags[i][:]); err != nil {
				return err
			}
		}
		return nil
	}
	// Entries and items begin with something that ascends: tags do.
	wide := func(width int) func(*store.SegmentWriter) error {
		return func(w *store.SegmentWriter) error {
			b := make([]byte, width)
			for i := range f.tags {
				rand.Read(b)
				copy(b, f.tags[i][:])
				b[width-1] = 1
				if err := w.Append(b); err != nil {
					return err
				}
			}
			return nil
		}
	}
	var err error
	if f.set, err = holder.build(standing.TagSize, standing.TagSize, plain); err != nil {
		return f, err
	}
	if f.items, err = holder.build(itemSize, lookupSize, wide(itemSize)); err != nil {
		return f, err
	}
	if f.own, err = asker.build(standing.TagSize, standing.TagSize, plain); err != nil {
		return f, err
	}
	f.asked, err = asker.build(entrySize, standing.TagSize, func(w *store.SegmentWriter) error {
		b := make([]byte, entrySize)
		for i := range f.tags {
			rand.Read(b)
			b[0], b[1], b[2], b[3] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
			if err := w.Append(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return f, err
	}
	f.had, err = asker.build(hadSize, lookupSize, wide(hadSize))
	return f, err
}

// Pretend puts a feed of both services into the state after a tag period's first sync with
// a filling, and one run that made its dummies.
func Pretend(ctx context.Context, holder, asker *Service, id string, number uint8, f Filling) error {
	hf, err := holder.named(ctx, id)
	if err != nil {
		return err
	}
	x, err := holder.feed(hf, number)
	if err != nil {
		return err
	}
	h := x.shelf()
	if err := h.get(ctx); err != nil {
		return err
	}
	h.state = shelfState{LastIndex: h.state.LastIndex + 1, Tags: f.set, Published: f.items}
	rand.Read(h.state.Nonce[:])
	rand.Read(h.state.Dummies[:])
	index := h.state.LastIndex
	key, err := h.key(index)
	if err != nil {
		return err
	}
	mark, err := standing.Published(h.session.Agreement, number, index, uint32(len(f.tags)), each(f.tags))
	if err != nil {
		return err
	}
	start := now()
	period, signed, err := standing.SignPeriod(h.session, index, start.UnixMilli(), start.Add(24*time.Hour).UnixMilli(), key.Public(), mark)
	if err != nil {
		return err
	}
	dummies, err := h.dummies(ctx, key, index, 512)
	if err != nil {
		return err
	}
	sortTags(dummies)
	run, after, err := standing.SignRun(h.session, index, mark, dummies, f.tags[:64])
	if err != nil {
		return err
	}
	h.state.Signed, h.state.Last = signed, after
	err = holder.o.Store.Update(ctx, func(tx *store.Tx) error {
		if h.state.Seen, err = tx.LastTouch(); err != nil {
			return err
		}
		for n, m := range []standing.Mark{mark, after} {
			if err := h.write(tx, recordMark, int64(n), m); err != nil {
				return err
			}
		}
		if err := h.write(tx, recordRun, 1, recordOf(run)); err != nil {
			return err
		}
		return h.write(tx, recordShelf, 0, h.state)
	})
	if err != nil {
		return err
	}
	af, err := asker.named(ctx, id)
	if err != nil {
		return err
	}
	y, err := asker.feed(af, number)
	if err != nil {
		return err
	}
	a := y.asker()
	a.state = askerState{
		Signed: signed, Index: index, Blocks: (period.Class + standing.BlockTags - 1) / standing.BlockTags, Last: f.tags[len(f.tags)-1],
		Mark: after, Known: after, Base: f.own, Prepared: true, Asked: [][]byte{f.asked}, Had: [][]byte{f.had}, MatchedRun: 1,
	}
	return a.save(ctx, func(tx *store.Tx) error {
		if a.state.Seen, err = tx.LastTouch(); err != nil {
			return err
		}
		a.state.Rematched, a.state.Swept, a.state.SweptAt = a.state.Seen, a.state.Seen, now().UnixMilli()
		return a.write(tx, recordTheirs, 1, recordOf(run))
	})
}

// Forget has a service look for what is to be forgotten now.
func (s *Service) Forget(ctx context.Context) error {
	all, err := s.load(ctx)
	if err != nil {
		return err
	}
	return s.forgetChanges(ctx, all)
}

// Slow makes a service look after its subscriptions less often, so that months in a bubble
// take seconds.
func (s *Service) Slow(every time.Duration) { s.every = every }

// Fold makes a service hold fewer tags of a partner's runs in memory than it could, so that
// they go into the file of the publication though lists are short.
func (s *Service) Fold(tags int) { s.held = tags }

// Folded is up to which run the file of a partner's publication was brought.
func (s *Service) Folded(ctx context.Context, id string, number uint8) (uint32, error) {
	a, err := s.askerOf(ctx, id, number)
	if err != nil {
		return 0, err
	}
	return a.state.Folded, nil
}

// Keyless tells whether the key of a holder's feed is destroyed.
func (s *Service) Keyless(ctx context.Context, id string, number uint8) (bool, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return false, err
	}
	x, err := s.feed(f, number)
	if err != nil {
		return false, err
	}
	h := x.shelf()
	err = h.get(ctx)
	return h.state.Nonce == [32]byte{} && len(h.state.Signed.Body) > 0, err
}

// Reopen renews a holder's feed and asks for its tag period on a stream that is gone already.
// It returns the new period's number.
func (s *Service) Reopen(ctx context.Context, id string, number uint8) (uint32, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return 0, err
	}
	x, err := s.feed(f, number)
	if err != nil {
		return 0, err
	}
	h := x.shelf()
	if err := s.o.Store.Update(ctx, h.renew); err != nil {
		return 0, err
	}
	h.loaded, h.opening = true, ctx
	gone, cancel := context.WithCancel(ctx)
	cancel()
	open, err := h.Period(gone)
	return open.Period.Index, err
}

// Match makes the caller the one who looks for hits, until the returned function is called.
// The context ends when somebody else needs the subscription.
func (s *Service) Match(ctx context.Context, id string) (context.Context, func(), error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	return s.claim(ctx, f, matching)
}

// Retire draws dummies of so many that were ever published, again and again, and returns them
// in the order in which they go.
func Retire(published uint32, counts ...int) ([]uint32, error) {
	h := shelfState{Next: published}
	var all []uint32
	for _, n := range counts {
		some, err := h.retire(n)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if h.dummies() != int(published)-len(all) {
		return nil, fmt.Errorf("%d are left", h.dummies())
	}
	return all, nil
}

// Join files entries in many small files, has them joined, and returns how many files of each
// form there are then and how many entries.
func (s *Service) Join(ctx context.Context, id string, number uint8, files int) (asked, had, entries int, err error) {
	a, err := s.askerOf(ctx, id, number)
	if err != nil {
		return 0, 0, 0, err
	}
	for i := range files {
		e := evaluated{lookup: store.Lookup{byte(i), 1}}
		e.Tag[0], e.Tag[1] = byte(255-i), 1
		if err := a.file([]evaluated{e}); err != nil {
			return 0, 0, 0, err
		}
	}
	if err := a.merge(ctx, func(l store.Lookup) bool { return l == store.Lookup{3, 1} }); err != nil {
		return 0, 0, 0, err
	}
	entries, _, err = s.Evaluated(ctx, id, number)
	return len(a.state.Asked), len(a.state.Had), entries, err
}

// Unmatch puts an asker into the state before its search for hits, and forgets those.
func (s *Service) Unmatch(ctx context.Context, id string, number uint8) error {
	a, err := s.askerOf(ctx, id, number)
	if err != nil {
		return err
	}
	a.state.MatchedChunk = a.state.Kept
	return a.save(ctx, func(tx *store.Tx) error {
		_, err := tx.DropHits(a.f.ID)
		return err
	})
}

// Search looks for hits now.
func (s *Service) Search(ctx context.Context, id string) (int, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return 0, err
	}
	return s.matched(ctx, f)
}

// Unwhole puts an asker into the state of a process that died between the last block of a
// publication and its file.
func (s *Service) Unwhole(ctx context.Context, id string, number uint8) error {
	a, err := s.askerOf(ctx, id, number)
	if err != nil {
		return err
	}
	g, err := s.segment(a.state.Base)
	if err != nil {
		return err
	}
	var all []byte
	for b, err := range g.From(0) {
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	closing(g)
	a.state.Base = nil
	return a.save(ctx, func(tx *store.Tx) error { return a.write(tx, recordBlock, 0, blockRecord{Tags: all}) })
}

// Base names the file of a partner's publication.
func (s *Service) Base(ctx context.Context, id string, number uint8) (string, error) {
	a, err := s.askerOf(ctx, id, number)
	return nameOf(a.state.Base)[0], err
}

// Retry tries an urgent check again whose chunk an earlier try has made. It returns how many
// chunks are asked, and whether the check has its answer.
func (s *Service) Retry(ctx context.Context, id string, number uint8, l store.Lookup) (chunks int, done bool, err error) {
	a, err := s.askerOf(ctx, id, number)
	if err != nil {
		return 0, false, err
	}
	a.checks, a.checksLeft = []check{{lookup: l, tried: true}}, 1
	for _, err := range a.Questions(ctx, a.state.Index) {
		if err != nil {
			return chunks, false, err
		}
		chunks++
	}
	return chunks, a.checks[0].done, nil
}

// Overdue makes the search for hits one that has waited for long.
func (s *Service) Overdue(id string) error {
	i, err := readID(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.searches[i] = search{since: now().Add(-searchAge)}
	return err
}

// Jump lets an asker hear that the holder has charged so many chunks more than it knows of.
func (s *Service) Jump(ctx context.Context, id string, number uint8, by uint32) error {
	a, err := s.askerOf(ctx, id, number)
	if err != nil {
		return err
	}
	next := a.state.Next + by
	_, err = a.Resume(ctx, a.state.Index, standing.Position{Next: next, Acknowledged: next})
	return err
}

func (s *Service) askerOf(ctx context.Context, id string, number uint8) (*asker, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return nil, err
	}
	x, err := s.feed(f, number)
	if err != nil {
		return nil, err
	}
	a := x.asker()
	return a, a.get(ctx)
}

// Evaluated counts what an asker keeps of what it had asked in one feed: entries by tag, and
// by lookup in files.
func (s *Service) Evaluated(ctx context.Context, id string, number uint8) (entries, had int, err error) {
	a, err := s.askerOf(ctx, id, number)
	if err != nil {
		return 0, 0, err
	}
	list, err := a.entries(ctx, a.state.Kept, a.state.Next)
	if err != nil {
		return 0, 0, err
	}
	entries = len(list)
	for i, infos := range [][][]byte{a.state.Asked, a.state.Had} {
		for _, info := range infos {
			g, err := s.segment(info)
			if err != nil {
				return 0, 0, err
			}
			if i == 0 {
				entries += int(g.Len())
			} else {
				had += int(g.Len())
			}
			closing(g)
		}
	}
	return entries, had, nil
}
