package rounds_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestHitsAreErasedInTime keeps hits for the agreed days and no longer.
func TestHitsAreErasedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replaced(`@retention_days("90")`, `@retention_days("1")`), "AU", "ID")
		w.list("AU", "wanted", "suspect", phones(0, 8)...)
		w.list("ID", "watch", "suspect", phones(5, 8)...)
		x := &pair{world: w, au: w.fresh("AU"), id: w.fresh("ID")}
		x.round = x.propose(x.au, request("ID"))
		x.complete("which")
		for _, s := range []*side{x.au, x.id} {
			hits, err := s.Hits(t.Context(), x.round)
			must(t, err)
			if len(hits) == 0 {
				t.Fatalf("%s has no hits to erase", s.id)
			}
		}
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if hits, err := x.au.Hits(t.Context(), x.round); err != nil || len(hits) == 0 {
			t.Errorf("hits are gone before their time: %v", err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		for _, s := range []*side{x.au, x.id} {
			if hits, err := s.Hits(t.Context(), x.round); err != nil || len(hits) != 0 {
				t.Errorf("%s keeps %d hits after the agreed day: %v", s.id, len(hits), err)
			}
		}
		x.halt(x.au, x.id)
	})
}
