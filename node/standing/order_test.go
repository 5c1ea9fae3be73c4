package standing_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/standing"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/indicator"
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

// A partner's stream does not wait while this side looks for hits: it would learn how many
// there are. What was left undone is done afterwards.
func TestMatchingGivesWay(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		for _, who := range []*side{b.au, b.id} {
			ctx, free, err := who.Match(b.t.Context(), b.sub)
			must(b.t, err)
			given := make(chan time.Time, 1)
			go func() {
				<-ctx.Done()
				given <- time.Now()
				free()
			}()
			b.au.suspects("wanted", numbers(9, 1)...)
			b.id.suspects("wanted", numbers(10, 1)...)
			b.next()
			if len(given) != 1 {
				b.t.Errorf("%s did not give way", who.id)
			}
		}
		b.knows(b.au, append(numbers(5, 3), numbers(9, 1)...)...)
		b.knows(b.id, append(numbers(5, 3), numbers(9, 1)...)...)
	})
}

// The partner's runs go into the file of its publication before they fill the memory, also in
// the middle of a sync, and hits are the same.
func TestRunsAreFolded(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		b.au.Fold(100)
		want := numbers(5, 3)
		for i := range 6 {
			b.au.suspects("wanted", numbers(100+i, 1)...)
			if i == 3 {
				b.id.drop("second") // a run of its own
			}
			b.id.suspects("wanted", numbers(99+i, 1)...)
			b.id.suspects("second", numbers(300+i, 1)...)
			b.next()
			if i > 0 {
				want = append(want, numbers(99+i, 1)...)
			}
			b.knows(b.au, want...)
		}
		folded, err := b.au.Folded(b.t.Context(), b.sub, 0)
		if v := b.id.show(b.sub); err != nil || folded == 0 || v.Removed == nil || v.Removed.Run < folded {
			b.t.Errorf("folded up to run %d, %v", folded, err)
		}
		if n, err := b.id.Folded(b.t.Context(), b.sub, 1); n != 0 || err != nil {
			b.t.Errorf("without need: folded up to run %d, %v", n, err)
		}
	})
}

// Many files of what was asked are joined a few at a time, and nothing is left of those in
// between.
func TestManyFilesAreJoined(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		before, err := b.au.store.Segments()
		must(b.t, err)
		was, _, err := b.au.Evaluated(b.t.Context(), b.sub, 0)
		must(b.t, err)
		asked, had, entries, err := b.au.Join(b.t.Context(), b.sub, 0, 100)
		if asked != 1 || had != 1 || entries != was+99 || err != nil {
			b.t.Errorf("%d and %d files with %d entries: %v", asked, had, entries, err)
		}
		after, err := b.au.store.Segments()
		if err != nil || len(after) != len(before)+2 {
			b.t.Errorf("%d files before, %d after: %v", len(before), len(after), err)
		}
	})
}

// An asker whose disk was set back keeps what it has when the numbers of its questions jump to
// those of the holder, and makes no files of nothing.
func TestNumbersJump(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		was, _, err := b.au.Evaluated(b.t.Context(), b.sub, 0)
		must(b.t, err)
		must(b.t, b.au.Jump(b.t.Context(), b.sub, 0, 0))
		for _, by := range []uint32{5, 1} {
			must(b.t, b.au.Jump(b.t.Context(), b.sub, 0, by))
			entries, had, err := b.au.Evaluated(b.t.Context(), b.sub, 0)
			if entries != was || had != was || err != nil {
				b.t.Errorf("%d entries, %d of them by lookup, were %d: %v", entries, had, was, err)
			}
		}
		files, err := b.au.store.Segments()
		if err != nil || len(files) != 6 { // a publication and its items; the partner's; what is wanted; what was asked, twice
			b.t.Errorf("%d files: %v", len(files), err)
		}
	})
}

// Answers that were not compared yet when the numbers jump are compared afterwards.
func TestNumbersJumpBeforeTheSearch(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		must(b.t, b.au.Unmatch(b.t.Context(), b.sub, 0))
		b.knows(b.au)
		must(b.t, b.au.Jump(b.t.Context(), b.sub, 0, 5))
		if n, err := b.au.Search(b.t.Context(), b.sub); n != 3 || err != nil {
			b.t.Errorf("%d hits: %v", n, err)
		}
		b.knows(b.au, numbers(5, 3)...)
	})
}

// A partner's publication that is gone or altered here is taken again, with the runs that
// came after it, and the partner is not blamed.
func TestDamagedCache(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		want := numbers(5, 3)
		for i, harm := range []func(string) error{os.Remove, func(name string) error { return os.Truncate(name, 40) }, os.Remove} {
			if i == 2 {
				b.au.Fold(100) // runs are in the file too
			}
			b.next()
			name, err := b.au.Base(b.t.Context(), b.sub, 0)
			must(b.t, err)
			time.Sleep(23 * time.Hour) // so late that the sync is the first to notice
			must(b.t, harm(filepath.Join(b.au.dir, store.SegmentFolder, name)))
			b.id.suspects("wanted", numbers(4-i, 1)...)
			b.next()
			b.next()
			want = append(numbers(4-i, 1), want...)
			slices.Sort(want)
			b.found(time.Time{}, want...)
		}
	})
}

// A process that died between a publication's last block and its file still answers a check.
func TestCheckOfAPublicationWithoutAFile(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		time.Sleep(time.Minute)
		must(b.t, b.au.Unwhole(b.t.Context(), b.sub, 0))
		v, _, err := indicator.Parse(indicator.Phone, numbers(12, 1)[0], indicator.Defaults{})
		must(b.t, err)
		answers, err := b.au.Check(b.t.Context(), v, nil)
		if err != nil || len(answers) != 1 || answers[0].Result != "hit" {
			b.t.Errorf("%v, %v", answers, err)
		}
	})
}

// A check whose chunk another stream has had answered meanwhile is not asked and paid again.
func TestCheckAnsweredElsewhere(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		for i, value := range []string{numbers(2, 1)[0], numbers(90, 1)[0]} { // answered, and not
			v, _, err := indicator.Parse(indicator.Phone, value, indicator.Defaults{})
			must(b.t, err)
			chunks, done, err := b.au.Retry(b.t.Context(), b.sub, 0, b.au.store.Lookup(v))
			if chunks != i || done != (i == 0) || err != nil {
				b.t.Errorf("%d chunks, answered %v: %v", chunks, done, err)
			}
		}
	})
}

// A person's check of a partner that is away does not put off what must go once it is back.
func TestCheckPutsNothingOff(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		time.Sleep(time.Minute)
		b.net.leave(b.id)
		v, _, err := indicator.Parse(indicator.Phone, numbers(12, 1)[0], indicator.Defaults{})
		must(b.t, err)
		answers, err := b.au.Check(b.t.Context(), v, nil)
		if err != nil || len(answers) != 1 || answers[0].Result != "not reached" {
			b.t.Errorf("%v, %v", answers, err)
		}
		b.net.join(b.id)
		back := time.Now()
		b.au.drop("wanted")
		time.Sleep(5 * time.Second)
		if v := b.au.show(b.sub); v.LastRun.Before(back) {
			b.t.Errorf("nothing went out: %q", v.Note)
		}
	})
}

// A partner whose streams kept this side from looking for hits is turned away for a while,
// which is as long whatever there is to find.
func TestSearchHasItsTime(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		v, _, err := indicator.Parse(indicator.Phone, numbers(1, 1)[0], indicator.Defaults{})
		must(b.t, err)
		ask := func() string {
			answers, err := b.id.Check(b.t.Context(), v, nil)
			must(b.t, err)
			return answers[0].Result
		}
		time.Sleep(time.Minute)
		must(b.t, b.au.Overdue(b.sub))
		start := time.Now()
		if got := ask(); got != "busy" {
			b.t.Errorf("at first: %s", got)
		}
		time.Sleep(time.Until(start.Add(50 * time.Second)))
		if got := ask(); got != "busy" {
			b.t.Errorf("later in the minute: %s", got)
		}
		time.Sleep(time.Until(start.Add(62 * time.Second)))
		if got := ask(); got != "hit" {
			b.t.Errorf("after it: %s", got)
		}
	})
}

// What is deleted when the time of a tag period is over goes at once too, and so does a new
// tag period that either side wants.
func TestOverPeriodsHideNothing(t *testing.T) {
	inBubble(t, func(r *standing.Request) { r.Every, r.Period = 6*24*time.Hour, 7*24*time.Hour }, func(b *both) {
		time.Sleep((7*24 + 6) * time.Hour) // a run was due on the sixth day
		for _, s := range []*side{b.au, b.id} {
			last := *s.show(b.sub).LastRun
			if s == b.au {
				s.drop("wanted")
			} else {
				must(b.t, s.Renew(b.t.Context(), b.sub))
			}
			time.Sleep(time.Hour)
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
		time.Sleep(time.Hour)
		keyless(b, b.au, 1, false)
		b.au.suspects("wanted", numbers(20, 1)...) // nothing that must go
		time.Sleep(time.Hour)
		keyless(b, b.au, 1, false)
		b.au.drop("wanted")
		time.Sleep(time.Hour)
		keyless(b, b.au, 1, true)
		must(b.t, b.au.Resume(b.t.Context(), b.sub))
		time.Sleep(time.Hour)
		keyless(b, b.au, 1, false) // a new one

		deny, err := policy.Parse(policy.DenyAll(3))
		must(b.t, err)
		b.id.rules.Store(deny)
		time.Sleep(25 * time.Hour)
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

// An urgent check whose stream breaks is asked once, however often it is tried.
func TestCheckBrokenAtEachFrame(t *testing.T) {
	inBubble(t, func(r *standing.Request) { r.Checks, r.Period, r.For = 1, 60*24*time.Hour, 60*24*time.Hour }, func(b *both) {
		v, _, err := indicator.Parse(indicator.Phone, numbers(12, 1)[0], indicator.Defaults{})
		must(b.t, err)
		for k := 1; ; k += pace() {
			b.next()
			b.net.arm(k)
			cut, done := false, make(chan struct{})
			var healing sync.WaitGroup
			healing.Go(func() {
				select {
				case <-b.net.stopped:
					cut = true
					time.Sleep(time.Second)
				case <-done:
				}
				b.net.heal()
			})
			answers, err := b.au.Check(b.t.Context(), v, nil)
			must(b.t, err)
			if len(answers) != 1 || answers[0].Result != "hit" {
				b.t.Errorf("frame %d: %v", k, answers)
			}
			close(done)
			if healing.Wait(); !cut {
				if k < 12 {
					b.t.Errorf("there are only %d frames", k-1)
				}
				break
			}
		}
		if v := b.id.show(b.sub); v.Refused > 0 {
			b.t.Errorf("%d chunks were refused", v.Refused)
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
