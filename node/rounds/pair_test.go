package rounds_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/store"
	"entente/policy"
	"entente/protocol/round"
)

// present moves a bubble's clock, which begins before entries may be made, to where
// they may.
func present() { time.Sleep(time.Until(time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC))) }

// pair is two members whose lists share three phones, and the rounds between them.
type pair struct {
	*world
	au, id *side  // AU proposes
	name   string // of the case
	round  string // the last one
	rounds int    // that went through
}

// shared are what a pair's round finds.
func shared() []string { return phones(5, 3) }

// newPair starts two members whose rules show every count.
func newPair(t *testing.T, others ...string) *pair {
	t.Helper()
	w := newWorld(t, replaced(`@exact_count("yes")`, `@exact_count("yes") @min_count("0")`), append([]string{"AU", "ID"}, others...)...)
	w.list("AU", "wanted", "suspect", phones(0, 8)...)
	w.list("ID", "watch", "suspect", phones(5, 8)...)
	return &pair{world: w, au: w.fresh("AU"), id: w.fresh("ID")}
}

// until waits for the network to stop, or for the round to end on the proposer's side.
func (x *pair) until() (stopped bool) {
	ctx, cancel := context.WithCancel(x.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = x.au.Wait(ctx, x.round) // the caller looks at the state
	}()
	select {
	case <-x.net.stopped:
		stopped = true
	case <-ended:
	}
	synctest.Wait()
	cancel()
	<-ended
	return stopped
}

// complete requires that a round went through as if nothing had happened: with its
// result, charged once, and with nothing left behind.
func (x *pair) complete(result string) {
	x.t.Helper()
	x.rounds++
	for _, p := range [][2]*side{{x.au, x.id}, {x.id, x.au}} {
		s := p[0]
		v := x.wait(s, x.round)
		if v.State != "done" {
			x.t.Errorf("%s: %s: the round is %s: %s %s", x.name, s.id, v.State, v.Reason, v.Note)
			continue
		}
		if found := x.values(s, x.round); result == "which" && !slices.Equal(found, shared()) {
			x.t.Errorf("%s: %s found %v", x.name, s.id, found)
		}
		if result == "count" && (v.Count == nil || *v.Count != "3") {
			x.t.Errorf("%s: %s does not count the shared items", x.name, s.id)
		}
		if n := x.quota(s, p[1].id); n != int64(x.rounds)*policy.Counted(64, 64) {
			x.t.Errorf("%s: %s has counted %d items against the quota after %d rounds", x.name, s.id, n, x.rounds)
		}
		x.leftovers(s)
	}
}

// settled stops both sides and requires that their audit folders are right and hold the
// same receipts, one for each round.
func (x *pair) settled() {
	x.t.Helper()
	x.halt(x.au, x.id)
	a, b := x.audited(x.au.dir), x.audited(x.id.dir)
	if len(a) != x.rounds || !maps.Equal(a, b) {
		x.t.Errorf("%d and %d receipts for %d rounds, or not the same", len(a), len(b), x.rounds)
	}
}

// leftovers requires that a round that is over keeps no secret, no partial result and
// no copy of a list.
func (x *pair) leftovers(s *side) {
	x.t.Helper()
	n, err := s.store.DropStraySnapshots(x.t.Context())
	must(x.t, err)
	if n != 0 {
		x.t.Errorf("%s: %s keeps %d copies of lists that no round uses", x.name, s.id, n)
	}
	if x.round == "" {
		return
	}
	id, err := round.ParseID(unhex(x.t, x.round))
	must(x.t, err)
	must(x.t, s.store.View(x.t.Context(), func(tx *store.Tx) error {
		r, err := tx.Round(id)
		if err == nil && (len(r.Secret) > 0 || r.Snapshot != 0) {
			x.t.Errorf("%s: %s keeps a secret or the list of a round that is over", x.name, s.id)
		}
		return err
	}))
	for run := range 2 {
		for _, flow := range []string{"questions", "answers", "tags", "returns", "run"} {
			for range s.store.Journal(id, run).Chunks(x.t.Context(), flow) {
				x.t.Errorf("%s: %s keeps partial results (%s) of a round that is over", x.name, s.id, flow)
			}
		}
	}
}
