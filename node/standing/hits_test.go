package standing_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entente/node/store"
	"entente/protocol/indicator"
)

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
			pass(23 * time.Hour) // so late that the sync is the first to notice
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
		pass(time.Minute)
		must(b.t, b.au.Overdue(b.sub))
		start := time.Now()
		if got := ask(); got != "busy" {
			b.t.Errorf("at first: %s", got)
		}
		pass(time.Until(start.Add(50 * time.Second)))
		if got := ask(); got != "busy" {
			b.t.Errorf("later in the minute: %s", got)
		}
		pass(time.Until(start.Add(62 * time.Second)))
		if got := ask(); got != "hit" {
			b.t.Errorf("after it: %s", got)
		}
	})
}
