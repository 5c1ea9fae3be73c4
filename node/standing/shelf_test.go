package standing_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/standing"
	"entente/policy"
)

// Dummies go in no order: each of those that are left is as likely as any other, or a
// tombstone of a young tag would be a real one.
func TestDummiesGoInNoOrder(t *testing.T) {
	const published, trials = 640, 400
	times := make([]int, published)
	for range trials {
		gone, err := standing.Retire(published, 64, 64, 32)
		if err != nil {
			t.Fatal(err)
		}
		sorted := slices.Sorted(slices.Values(gone))
		if len(sorted) != 160 || len(slices.Compact(sorted)) != 160 || sorted[159] >= published {
			t.Fatalf("%d dummies went, some twice or none of those published", len(sorted))
		}
		for _, place := range gone {
			times[place]++
		}
	}
	// Each place is expected 100 times with a deviation of 8.7. Six of them for 640 places leave
	// one failure in a million.
	for place, n := range times {
		if n < 48 || n > 152 {
			t.Errorf("dummy %d went %d times of %d", place, n, trials)
		}
	}
	if all, err := standing.Retire(64, 64); err != nil || len(all) != 64 {
		t.Errorf("the last ones: %d, %v", len(all), err)
	}
}

// What is deleted when the time of a tag period is over goes at once too, and so does a new
// tag period that either side wants.
func TestOverPeriodsHideNothing(t *testing.T) {
	inBubble(t, func(r *standing.Request) { r.Every, r.Period = 6*24*time.Hour, 7*24*time.Hour }, func(b *both) {
		pass((7*24 + 6) * time.Hour) // a run was due on the sixth day
		for _, s := range []*side{b.au, b.id} {
			last := *s.show(b.sub).LastRun
			if s == b.au {
				s.drop("wanted")
			} else {
				must(b.t, s.Renew(b.t.Context(), b.sub))
			}
			pass(time.Hour)
			if v := s.show(b.sub); !v.LastRun.After(last) {
				b.t.Errorf("%s: nothing went out since %s", s.id, last)
			}
		}
	})
}

// When the rules no longer allow a standing round, and when something must go while it stands
// still, its key is destroyed: nobody can have anything more compared with what was published.
func TestKeysLapse(t *testing.T) {
	keyless := func(b *both, s *side, number uint8, want bool) {
		b.t.Helper()
		if got, err := s.Keyless(b.t.Context(), b.sub, number); got != want || err != nil {
			b.t.Errorf("%s: the key is destroyed: %v, %v", s.id, got, err)
		}
	}
	inBubble(t, nil, func(b *both) {
		must(b.t, b.au.Pause(b.t.Context(), b.sub))
		pass(time.Hour)
		keyless(b, b.au, 1, false)
		b.au.suspects("wanted", numbers(20, 1)...) // nothing that must go
		pass(time.Hour)
		keyless(b, b.au, 1, false)
		b.au.drop("wanted")
		pass(time.Hour)
		keyless(b, b.au, 1, true)
		must(b.t, b.au.Resume(b.t.Context(), b.sub))
		pass(time.Hour)
		keyless(b, b.au, 1, false) // a new one

		deny, err := policy.Parse(policy.DenyAll(3))
		must(b.t, err)
		b.id.rules.Store(deny)
		pass(25 * time.Hour)
		if v := b.id.show(b.sub); v.State != "paused" {
			b.t.Errorf("ID: %s", v.State)
		}
		keyless(b, b.id, 0, true)
	})
}

// A tag period that a partner asks for is opened though its stream breaks, so that it cannot
// have one computed again and again.
func TestPeriodOutlivesItsStream(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		if index, err := b.au.Reopen(b.t.Context(), b.sub, 1); err != nil || index < 2 {
			b.t.Errorf("tag period %d: %v", index, err)
		}
	})
}

// A process that is killed leaves files that no record names; they are gone before the first
// stream is served.
func TestStrayFilesAreErasedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "AU-TIP")
		s := w.fresh("AU")
		g, err := s.store.CreateSegment(16, 16)
		must(t, err)
		must(t, g.Append(make([]byte, 16)))
		must(t, second(g.Commit()))
		must(t, s.TakeUp(t.Context()))
		if left, err := s.store.Segments(); err != nil || len(left) > 0 {
			t.Errorf("files are left: %v, %v", left, err)
		}
		w.halt(s)
	})
}
