package standing

import (
	"context"
	"time"

	"entente/protocol/standing"
)

// matchSoon looks for hits in the background, as soon as nobody is at work on a subscription.
func (s *Service) matchSoon(id standing.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.matchLater(id)
}

// matchLater is matchSoon for whoever holds mu.
func (s *Service) matchLater(id standing.ID) {
	if s.running == nil || s.matches[id] {
		return
	}
	s.matches[id] = true
	if q := s.searches[id]; q.since.IsZero() {
		q.since = now()
		s.searches[id] = q
	}
	ctx := s.running
	s.workers.Go(func() {
		for again := true; again; {
			var err error
			if again, err = s.match(ctx, id); err != nil && ctx.Err() == nil {
				s.mu.Lock()
				delete(s.tidied, id) // the next pass tries again
				s.mu.Unlock()
				s.o.Log.Error("look for hits of a standing round", "subscription", id, "error", err)
			}
		}
	})
}

// tidySoon looks for hits that a killed process may have left, and lets what no longer takes
// part go within the day, whether or not anything runs.
func (s *Service) tidySoon(f *file, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.machine.Stage() != standing.Active || f.Ran == 0 && now.Sub(s.tidied[f.ID]) < sweepEvery {
		return
	}
	s.tidied[f.ID] = now
	s.matchLater(f.ID)
}

// match looks for hits, and reports whether it has to go on because somebody needed the
// subscription meanwhile.
func (s *Service) match(outer context.Context, id standing.ID) (again bool, err error) {
	f, err := s.find(outer, id)
	if err != nil {
		s.unmatched(id)
		return false, err
	}
	ctx, free, err := s.claim(outer, f, matching)
	s.unmatched(id) // whatever arrives from now on asks anew
	if err != nil {
		return false, err
	}
	defer free()
	if f, err = s.find(ctx, id); err == nil && f.machine.Stage() == standing.Active {
		err = s.searched(ctx, f)
	}
	if ctx.Err() != nil && outer.Err() == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		again = !s.matches[id]
		s.matches[id] = true
		return again, nil
	}
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if q := s.searches[id]; now().Before(q.until) {
			s.searches[id] = search{span: q.span, until: q.until}
		} else {
			delete(s.searches, id)
		}
	}
	return false, err
}

// searched looks for hits, and then says that the sync which brought them has run.
func (s *Service) searched(ctx context.Context, f *file) error {
	hits, err := s.matched(ctx, f)
	switch {
	case err != nil:
		return err
	case f.Ran != 0:
		f.LastRun, f.Ran = f.Ran, 0
		return s.put(ctx, f, nil)
	case hits > 0:
		s.notify()
	}
	return nil
}

// matched looks for hits in the feeds in which this side learns.
func (s *Service) matched(ctx context.Context, f *file) (hits int, err error) {
	for _, number := range f.machine.Feeds() {
		x, err := s.feed(f, number)
		if err != nil || !x.session.Asker {
			continue
		}
		a := x.asker()
		n, err := a.match(ctx)
		if hits += n; err == nil {
			err = a.tidy(ctx)
		}
		a.close()
		if err != nil && damaged(err) {
			err = a.recover(context.WithoutCancel(ctx), err)
		}
		if err != nil {
			return hits, err
		}
	}
	return hits, nil
}

// unmatched lets the next stream ask for a search of its own.
func (s *Service) unmatched(id standing.ID) {
	s.mu.Lock()
	delete(s.matches, id)
	s.mu.Unlock()
}
