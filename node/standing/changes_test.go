package standing_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/federation"
	"entente/node/standing"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/indicator"
	"entente/protocol/roster"
)

// inBubble runs a test with two members whose lists share three phones and whose standing
// round has run once.
func inBubble(t *testing.T, change func(*standing.Request), test func(b *both)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoth(t)
		b.sub = b.au.subscribe(change)
		b.found(time.Time{}, numbers(5, 3)...)
		test(b)
		b.halt(b.au, b.id)
	})
}

// pass lets the bubble's time go by.
func pass(d time.Duration) { time.Sleep(d) }

// next waits for the next run of both sides at the cadence: what goes at once is gone before.
func (b *both) next() {
	b.t.Helper()
	pass(time.Minute)
	after := *b.au.show(b.sub).LastRun
	for _, s := range []*side{b.au, b.id} {
		s.ran(b.sub, after)
	}
	synctest.Wait()
}

// until are rows with a date until which a record may be used.
func until(date string, values ...string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v + "," + date
	}
	return out
}

func (b *both) knows(s *side, want ...string) {
	b.t.Helper()
	if got := s.values(b.sub); !slices.Equal(got, want) {
		b.t.Errorf("%s knows of %v, not of %v", s.id, got, want)
	}
}

// What was asked in a tag period is not asked again when a file comes again, with another
// date: the quota is for new items.
func TestNothingIsAskedTwice(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		b.au.suspects("wanted", numbers(100, 90)...)
		b.next()
		before := b.id.show(b.sub).Asked
		b.au.list("wanted", "suspect", "phone,expires", until("2031-01-01", numbers(100, 90)...)...)
		b.next()
		if asked := b.id.show(b.sub).Asked - before; asked != 64 {
			b.t.Errorf("a run without new items asked %d places", asked)
		}
	})
}

// A value that no longer takes part is no hit, whatever the partner publishes later; when
// it takes part again it is one, though nothing is asked.
func TestHitsOnlyOfWhatTakesPart(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		const value = "+61491570900"
		b.au.list("wanted", "suspect", "phone,expires", until("2030-01-04", value)...)
		b.next()
		pass(4 * 24 * time.Hour) // past the date
		b.id.suspects("wanted", value)
		b.next()
		b.next()
		b.knows(b.au, numbers(5, 3)...)
		asked := b.id.show(b.sub).Asked
		b.au.list("wanted", "suspect", "phone,expires", until("2031-01-01", value)...)
		b.next()
		b.knows(b.au, append(numbers(5, 3), value)...)
		if now := b.id.show(b.sub).Asked; now > asked+64 {
			b.t.Errorf("%d places were asked for what was known", now-asked)
		}
	})
}

// A hit shows the record of the lists that take part, not one of another list that holds
// the same value; and a value that stands on a list of victims now is no hit at all.
func TestHitsOfTheListsThatTakePart(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		both, victim := "+61491570900", "+61491570901"
		b.au.suspects("other", both) // older than the record that takes part
		b.au.suspects("wanted", both, victim)
		b.next()
		b.au.list("victims", "victim", "phone", victim)
		b.id.suspects("wanted", both, victim)
		b.next()
		hits, err := b.au.Hits(b.t.Context(), b.sub)
		must(b.t, err)
		for _, h := range hits {
			if h.Value == victim || h.List != "wanted" {
				b.t.Errorf("a hit of list %s", h.List)
			}
		}
		b.knows(b.au, append(numbers(5, 3), both)...)
	})
}

// Entries of what was deleted are gone within the day, also from the files of what was
// asked, and also while the standing round is paused; what was only checked goes too.
func TestDeletedItemsVanish(t *testing.T) {
	for name, paused := range map[string]bool{"running": false, "paused": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *standing.Request) { r.Lists = []string{"wanted", "second"} }, func(b *both) {
				b.au.suspects("second", numbers(100, 30)...)
				v, _, err := indicator.Parse(indicator.Phone, "+61491570950", indicator.Defaults{})
				must(b.t, err)
				must(b.t, second(b.au.Check(b.t.Context(), v, nil)))
				b.next()
				if n, _, err := b.au.Evaluated(b.t.Context(), b.sub, 0); n != 39 || err != nil {
					b.t.Fatalf("%d entries: %v", n, err)
				}
				if paused {
					must(b.t, b.au.Pause(b.t.Context(), b.sub))
				}
				b.au.drop("second")
				pass(24 * time.Hour)
				n, had, err := b.au.Evaluated(b.t.Context(), b.sub, 0)
				if n != 8 || had != 8 || err != nil {
					b.t.Errorf("%d and %d entries for 8 items: %v", n, had, err)
				}
			})
		})
	}
}

// Hits are erased when the agreed days are over, each by its own date, also once the
// standing round has ended.
func TestHitsAreErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "AU-TIP")
		w.every = 12 * time.Hour
		b := w.both()
		b.sub = b.au.subscribe(func(r *standing.Request) {
			r.Every, r.Period, r.For = 4*24*time.Hour, 8*24*time.Hour, 60*24*time.Hour
		})
		b.found(time.Time{}, numbers(5, 3)...)
		b.id.drop("wanted")
		pass(50 * 24 * time.Hour)
		b.id.suspects("wanted", numbers(0, 1)...)
		pass(11 * 24 * time.Hour)
		b.knows(b.au, append(numbers(0, 1), numbers(5, 3)...)...)
		pass(30 * 24 * time.Hour) // 91 days after the first
		b.knows(b.au, numbers(0, 1)...)
		pass(60 * 24 * time.Hour)
		b.knows(b.au)
		b.halt(b.au, b.id)
	})
}

// A damaged publication of the responder's is made anew when something must go, and does
// not keep other standing rounds from running.
func TestDamagedPublication(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		other := b.au.subscribe(nil)
		b.au.ran(other, time.Time{})
		files, err := filepath.Glob(filepath.Join(b.id.dir, store.SegmentFolder, "*"))
		if err != nil || len(files) == 0 {
			b.t.Fatalf("no files: %v", err)
		}
		for _, name := range files {
			must(b.t, os.Truncate(name, 10))
		}
		b.id.drop("wanted")
		b.next()
		b.id.suspects("wanted", numbers(0, 2)...)
		for _, sub := range []string{b.sub, other} {
			after := *b.au.show(b.sub).LastRun
			b.au.ran(sub, after)
		}
		b.next()
		b.knows(b.au, append(numbers(0, 2), numbers(5, 3)...)...)
	})
}

// Urgent checks have a quota of their own.
func TestCheckQuota(t *testing.T) {
	inBubble(t, nil, func(b *both) {
		ask := func(value string) string {
			v, _, err := indicator.Parse(indicator.Phone, value, indicator.Defaults{})
			must(b.t, err)
			answers, err := b.au.Check(b.t.Context(), v, []string{"id"})
			if err != nil || len(answers) != 1 {
				b.t.Fatal(answers, err)
			}
			return answers[0].Result
		}
		got := []string{ask("+61491570012"), ask("+61491570500"), ask("+61491570012"), ask("+61491570013")}
		if want := []string{"hit", "no hit", "quota used up", "quota used up"}; !slices.Equal(got, want) {
			b.t.Errorf("%v", got)
		}
		if v := b.id.show(b.sub); v.Refused > 0 || v.Asked != 64 {
			b.t.Errorf("%d refused, %d places of the period's quota", v.Refused, v.Asked)
		}
		b.next()
		if got := ask("+61491570011"); got != "hit" {
			b.t.Errorf("on the next day: %s", got)
		}
		b.next()
		b.knows(b.au, numbers(5, 3)...) // what was checked is on no list here
	})
}

// Rules are asked at every run. When they no longer allow it, the standing round is paused
// on that side, with the ground; the partner hears nothing of it.
func TestRulesAreAskedAgain(t *testing.T) {
	for _, who := range []string{"AU", "ID"} {
		t.Run(who, func(t *testing.T) {
			inBubble(t, nil, func(b *both) {
				s, other := b.au, b.id
				if who == "ID" {
					s, other = b.id, b.au
				}
				allow := s.rules.Load()
				deny, err := policy.Parse(policy.DenyAll(3))
				must(b.t, err)
				s.rules.Store(deny)
				b.au.suspects("wanted", numbers(10, 1)...)
				pass(48 * time.Hour)
				v, w := s.show(b.sub), other.show(b.sub)
				if v.State != "paused" || !strings.Contains(v.Note, "no longer allow") || len(v.Grounds) == 0 {
					b.t.Errorf("%s: %s, %q, %v", s.id, v.State, v.Note, v.Grounds)
				}
				if w.State != "active" || strings.Contains(w.Note, "rule") {
					b.t.Errorf("%s: %s, %q", other.id, w.State, w.Note)
				}
				for _, d := range []*side{s, other} {
					b.knows(d, numbers(5, 3)...)
				}
				s.rules.Store(allow)
				must(b.t, s.Resume(b.t.Context(), b.sub))
				b.next()
				b.knows(b.au, append(numbers(5, 3), numbers(10, 1)...)...)
			})
		})
	}
}

// The key of the tags that a partner has is destroyed when it is suspended, under the same
// roster; the standing round goes on in a new tag period when it is readmitted.
func TestSuspendedPartner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoth(t)
		b.sub = b.au.subscribe(func(r *standing.Request) { r.Learn = "them" }) // ID asks, AU holds
		b.next()
		ends := b.id.show(b.sub).TagEnds
		pass(time.Hour)
		under := func(r roster.Roster, suspended ...string) {
			t.Helper()
			fed, err := federation.Vouched(r, suspended, "AU", b.au.keys)
			must(t, err)
			b.au.fed.Store(fed)
			must(t, b.au.Roster(t.Context()))
		}
		r := b.au.fed.Load().Roster()
		under(r)
		under(r, "ID")
		pass(26 * time.Hour)
		if v := b.id.show(b.sub); v.State != "active" || !v.TagEnds.Equal(*ends) || v.LastRun.After(time.Now().Add(-26*time.Hour)) {
			t.Errorf("suspended: %s, %q, %v, last run %v", v.State, v.Note, v.TagEnds, v.LastRun)
		}
		if v := b.au.show(b.sub); v.State != "active" {
			t.Errorf("the other side: %s, %q", v.State, v.Note)
		}
		under(r)
		b.next()
		if v := b.id.show(b.sub); v.State != "active" || !v.TagEnds.After(*ends) {
			t.Errorf("readmitted: %s, %q, %v", v.State, v.Note, v.TagEnds)
		}
		next := r // another change of the roster does not end what is suspended
		next.Version++
		under(next, "ID")
		if v := b.au.show(b.sub); v.State != "active" {
			t.Errorf("under another roster: %s, %q", v.State, v.Note)
		}
		b.halt(b.au, b.id)
	})
}

// Under a roster without the partner a standing round ends; under another one with it, it
// goes on in a new tag period.
func TestNewRoster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoth(t)
		b.sub = b.au.subscribe(nil)
		b.found(time.Time{}, numbers(5, 3)...)
		ends := b.au.show(b.sub).TagEnds
		pass(time.Hour)
		next := b.roster(2, "AU", "ID")
		for _, s := range []*side{b.au, b.id} {
			s.join(next)
		}
		b.next()
		if v := b.au.show(b.sub); v.State != "active" || !v.TagEnds.After(*ends) || v.Hits != 3 {
			t.Errorf("after a new roster: %s, %q, %v", v.State, v.Note, v.TagEnds)
		}
		must(t, b.au.Roster(t.Context())) // the same again changes nothing
		if v := b.au.show(b.sub); v.Next.Before(time.Now().Add(20 * time.Hour)) {
			t.Errorf("the next run is at %v", v.Next)
		}
		b.setUp("TH")
		b.au.join(b.roster(3, "AU", "TH"))
		if v := b.au.show(b.sub); v.State != "ended" || !strings.Contains(v.Note, "no longer a member") || v.Hits != 3 {
			t.Errorf("after the partner has left: %s, %q", v.State, v.Note)
		}
		if _, err := b.au.Subscribe(t.Context(), standing.Request{Partner: "ID", Lists: []string{"wanted"}, Purpose: "trafficking", Learn: "us"}); err == nil {
			t.Error("a standing round with who is no member was proposed")
		}
		if err := b.au.Pause(t.Context(), b.sub); !errors.Is(err, standing.ErrState) {
			t.Errorf("pause: %v", err)
		}
		b.halt(b.au, b.id)
	})
}
