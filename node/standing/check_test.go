package standing_test

import (
	"sync"
	"testing"
	"time"

	"entente/node/standing"
	"entente/protocol/indicator"
)

// A process that died between a publication's last block and its file still answers a check.
func TestCheckOfAPublicationWithoutAFile(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		pass(time.Minute)
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
		pass(time.Minute)
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
		pass(5 * time.Second)
		if v := b.au.show(b.sub); v.LastRun.Before(back) {
			b.t.Errorf("nothing went out: %q", v.Note)
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
					pass(time.Second)
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
