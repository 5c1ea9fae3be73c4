package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"entente/node/standing"
	"entente/simulations/fabric"
)

// every is the time from run to run in these tests: shorter than in life, since a bubble's
// lines keep alive all the while.
const every = 20 * time.Minute

// subscribe makes a standing round from AU to ID, in which both learn.
func subscribe(t *testing.T, au *member, change func(*standing.Request)) standing.View {
	t.Helper()
	r := standing.Request{Partner: "ID", Lists: []string{"wanted"}, Purpose: "trafficking", Learn: "both",
		Every: every, Period: 7 * every, For: 60 * every, Checks: 2}
	if change != nil {
		change(&r)
	}
	v, err := au.Standing().Subscribe(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// until waits, in the bubble's time, for a standing round to be as it should.
func until(t *testing.T, m *member, id string, what string, limit time.Duration, ok func(standing.View) bool) standing.View {
	t.Helper()
	var v standing.View
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(limit / 200) {
		var err error
		if v, err = m.Standing().Show(t.Context(), id); err == nil && ok(v) {
			return v
		}
	}
	t.Fatalf("%s: %s did not come: %+v", m.ID(), what, v)
	return v
}

func withHits(n int64) func(standing.View) bool {
	return func(v standing.View) bool { return v.Hits == n && v.LastRun != nil }
}

// A standing round finds what both hold, then what comes, and takes back what goes.
func TestStandingRoundLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, fabric.Link{Latency: 20 * time.Millisecond, Bandwidth: 50_000_000})
		v := subscribe(t, au, nil)
		for _, m := range []*member{au, id} {
			if got := until(t, m, v.ID, "the first hits", time.Minute, withHits(3)); got.NewHits != 3 {
				t.Errorf("%s: %d new hits", m.ID(), got.NewHits)
			}
		}
		// A new suspect of ID's, whom AU asked about long ago, and one the other way round.
		id.list(t, "wanted", "suspect", phones(7, 1)...)
		au.list(t, "wanted", "suspect", phones(300, 1)...)
		for _, m := range []*member{au, id} {
			until(t, m, v.ID, "the hits of the next day", 2*every, withHits(5))
		}
	})
}
