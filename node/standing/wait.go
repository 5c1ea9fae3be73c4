package standing

import (
	"context"
	"time"
)

// Wait returns a standing round as soon as it has run after a time, does not run any more,
// or the context ends.
func (s *Service) Wait(ctx context.Context, id string, after time.Time) (View, error) {
	for {
		changed := s.waiting()
		f, err := s.named(ctx, id)
		if err != nil {
			return View{}, err
		}
		if f.Over || f.Paused || f.Stopped != "" || f.LastRun > 0 && time.UnixMilli(f.LastRun).After(after) {
			return s.view(ctx, f)
		}
		select {
		case <-ctx.Done():
			return View{}, ctx.Err()
		case <-changed:
		}
	}
}
