package standing

import (
	"context"
	"errors"
	"slices"
	"time"

	"entente/node/store"
	"entente/protocol/standing"
)

func now() time.Time { return time.Now() }

// touchPage is how many entries of the log of changes are read at once.
const touchPage = 4096

// changes is what the log of changes says since a number.
type changes struct {
	upTo    int64 // number of the last entry that was read
	lookups []store.Lookup
	all     bool // the log no longer reaches back: everything may have changed
}

// sorted puts the values in the order of segments keyed by lookup, so that each chunk of one
// is opened once.
func (c changes) sorted() []store.Lookup {
	slices.SortFunc(c.lookups, compareLookups)
	return c.lookups
}

// changes reads the log above a number.
func (s *Service) changes(ctx context.Context, after int64) (changes, error) {
	c := changes{upTo: after}
	seen := map[store.Lookup]bool{}
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		for {
			page, err := tx.Touched(c.upTo, touchPage)
			if err != nil {
				return err
			}
			for _, t := range page {
				c.upTo = t.Sequence
				if !seen[t.Lookup] {
					seen[t.Lookup] = true
					c.lookups = append(c.lookups, t.Lookup)
				}
			}
			if len(page) < touchPage {
				return nil
			}
		}
	})
	if errors.Is(err, store.ErrNotFound) {
		return changes{all: true}, nil
	}
	return c, err
}

// lastTouch is the end of the log of changes.
func (s *Service) lastTouch(ctx context.Context) (last int64, err error) {
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		last, err = tx.LastTouch()
		return err
	})
	return last, err
}

// spec says whose values take part in a subscription now. A list that was deleted adds
// nothing.
func (s *Service) spec(ctx context.Context, f *file) (store.EligibleSpec, error) {
	spec := store.EligibleSpec{Partner: f.Partner, Now: now()}
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		for _, name := range f.Lists {
			l, err := tx.ListByName(name)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			for _, k := range f.machine.Answer().Kinds {
				if k.Name == string(l.Kind) {
					spec.Lists = append(spec.Lists, l.ID)
				}
			}
		}
		return nil
	})
	return spec, err
}

// eligible returns those of some values that take part, by lookup.
func (s *Service) eligible(ctx context.Context, f *file, lookups []store.Lookup) (map[store.Lookup]store.Eligible, error) {
	spec, err := s.spec(ctx, f)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.Eligible(ctx, spec, lookups)
	if err != nil {
		return nil, err
	}
	out := make(map[store.Lookup]store.Eligible, len(list))
	for _, e := range list {
		out[e.Lookup] = e
	}
	return out, nil
}

// shelves are the feeds in which the partner learns.
func (s *Service) shelves(f *file) (out []*shelf, err error) {
	for _, number := range f.machine.Feeds() {
		x, err := s.feed(f, number)
		if err != nil {
			return nil, err
		}
		if !x.session.Asker {
			out = append(out, x.shelf())
		}
	}
	return out, nil
}

// mustGo tells whether the partner is to be told something at once, most of all that something
// which is published no longer takes part.
func (s *Service) mustGo(ctx context.Context, f *file) (bool, error) {
	all, err := s.shelves(f)
	for _, h := range all {
		gone, err := h.mustGo(ctx)
		if gone || err != nil {
			return gone, err
		}
	}
	return false, err
}

// lapse destroys the keys of a standing round that stands still, once something that is
// published must go: no run takes it back, so at least nobody can have anything more
// compared with it.
func (s *Service) lapse(ctx context.Context, f *file) error {
	all, err := s.shelves(f)
	for _, h := range all {
		gone, err := h.mustGo(ctx)
		if err != nil {
			return err
		}
		if gone && !h.state.Renew {
			err := s.change(ctx, standing.ID(f.ID).String(), func(*file) {}, s.renewing)
			if errors.Is(err, ErrState) {
				return nil
			}
			return err
		}
	}
	return err
}

// forgetChanges erases the part of the log of changes that every subscription has seen.
func (s *Service) forgetChanges(ctx context.Context, all []*file) error {
	least, followed := int64(0), false
	for _, f := range all {
		if f.machine.Stage().Over() {
			continue
		}
		for _, number := range []uint8{0, 1} {
			seen, ok, err := s.seen(ctx, f, number)
			if err != nil {
				return err
			}
			if ok && (!followed || seen < least) {
				least, followed = seen, true
			}
		}
	}
	s.mu.Lock()
	fresh := followed && least > s.forgotten
	s.mu.Unlock()
	if !fresh {
		return nil
	}
	if err := s.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.ForgetTouched(least) }); err != nil {
		return err
	}
	s.mu.Lock()
	s.forgotten = least
	s.mu.Unlock()
	return nil
}

// seen returns how far a feed has followed the log of changes; false if it does not yet.
func (s *Service) seen(ctx context.Context, f *file, number uint8) (int64, bool, error) {
	x := &feed{s: s, f: f}
	x.session.Feed = number
	var shelf shelfState
	held, err := x.load(ctx, recordShelf, 0, &shelf)
	if err != nil || held && len(shelf.Signed.Body) > 0 {
		return shelf.Seen, held, err
	}
	var asker askerState
	asks, err := x.load(ctx, recordAsker, 0, &asker)
	return min(asker.Seen, asker.Rematched, asker.Swept), asks && asker.Prepared, err
}
