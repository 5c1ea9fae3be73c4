package node_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/config"
	protocol "entente/protocol/standing"
	"entente/protocol/wire"
)

// said is the number with which the victim ended a stream; 0 for none.
func said(err error) wire.Code {
	var e *wire.PeerError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// begin opens a stream and asks for a sync.
func (x *intruder) begin() error {
	x.t.Helper()
	_, conn := x.stream()
	m, _ := x.machine.Sync()
	x.send(conn, m.Kind, m.Body)
	_, err := protocol.Read(conn)
	return err
}

// full are bounds that AU's list does not fit with its dummies.
var full = protocol.Bounds{Cadence: 3600, Period: 24 * 3600, Tags: 2048, Queries: 256, Checks: 1}

// One partner cannot hold all streams that a node answers.
func TestStandingStreamsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		x := intrude(t, au, id)
		half := config.Default().Limits.Rounds / 2
		for range half {
			x.agree(256)
			time.Sleep(2 * time.Second)
			if err := x.begin(); err != nil {
				t.Fatal(err)
			}
		}
		held := x.mine
		if _, err := protocol.Read(x.offer(full)); said(err) != wire.Busy {
			t.Errorf("one more: %v", err)
		}
		held.Cut()
		synctest.Wait()
		x.agree(256)
	})
}

// Whoever comes at once after a sync is turned away, however many hits there were; an urgent
// check of the partner's waits no longer than that.
func TestStandingQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		x := intrude(t, au, id)
		x.agree(256)
		if err := x.sync(&greedy{}); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := x.begin(); said(err) != wire.Busy {
			t.Errorf("at once: %v", err)
		}
		time.Sleep(2 * time.Second)
		for range 3 {
			if err := x.begin(); err != nil {
				t.Errorf("two seconds later: %v", err)
			}
			// One stream over the other ends that, but is not served either, nor the next.
			for range 2 {
				if err := x.begin(); said(err) != wire.Busy {
					t.Errorf("over a stream: %v", err)
				}
				synctest.Wait()
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// A stream on which a partner only greets, or stops before a sync, is ended.
func TestStandingStreamsThatSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		x := intrude(t, au, id)
		_, conn := x.stream()
		start := time.Now()
		_, err := protocol.Read(conn)
		if waited := time.Since(start); err == nil || waited < 30*time.Second || waited > 2*time.Minute {
			t.Errorf("after %s: %v", waited, err)
		}
	})
}

// The publication goes out to a partner that begins anew again and again some times a day, no
// more.
func TestStandingPublicationAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		x := intrude(t, au, id)
		x.agree(256)
		var got []wire.Code
		for range 10 {
			got = append(got, said(x.sync(&greedy{})))
		}
		if want := append(make([]wire.Code, 8), wire.Busy, wire.Busy); !slices.Equal(got, want) {
			t.Errorf("codes: %v", got)
		}
		time.Sleep(23 * time.Hour) // another day, the same tag period
		if err := x.sync(&greedy{}); said(err) != 0 {
			t.Errorf("on the next day: %v", err)
		}
	})
}

// An offer that the own lists do not fit is refused with the number and at the time of every
// refusal, and is counted like one: how long the lists are is not told.
func TestStandingUnfitOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		x := intrude(t, au, id)
		for range 2 {
			start := time.Now()
			_, err := protocol.Read(x.offer(full))
			x.mine.Cut()
			if said(err) != wire.NotAvailable || time.Since(start) < 2*time.Second {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
		}
		all, err := au.Standing().List(t.Context())
		if err != nil || len(all) != 2 || all[0].State != "refused" || !strings.Contains(strings.Join(all[0].Grounds, " "), "own lists do not fit") {
			t.Errorf("%+v, %v", all, err)
		}
		for range 99 {
			_, err = protocol.Read(x.offer(full))
			x.mine.Cut()
			synctest.Wait()
		}
		if said(err) != wire.Busy {
			t.Errorf("the hundred-and-first offer of a day: %v", err)
		}
	})
}

// A list that has grown beyond the agreed number of tags still has what must go taken back.
func TestStandingFullListRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		au.list(t, "second", "suspect", phones(900, 10)...)
		x := intrude(t, au, id)
		roomy := full
		roomy.Tags = 4096
		x.accept(x.offer(roomy))
		g := &greedy{}
		if err := x.sync(g); err != nil {
			t.Fatal(err)
		}
		au.list(t, "wanted", "suspect", phones(1000, 4000)...)
		if err := au.DeleteList(t.Context(), "second"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if err := x.sync(g); err != nil || g.state.Mark.Removed < 64 || g.state.Mark.Run == 0 {
			t.Errorf("%d tags were taken back in %d runs: %v", g.state.Mark.Removed, g.state.Mark.Run, err)
		}
		synctest.Wait()
		all, err := au.Standing().List(t.Context())
		if err != nil || len(all) != 1 || !strings.Contains(all[0].Note, "longer than the agreed number") {
			t.Errorf("%+v, %v", all, err)
		}
		// When its time is over no other period can begin: it stands still, without a key.
		time.Sleep(24 * time.Hour)
		if err := x.sync(&greedy{}); err == nil {
			t.Error("a tag period began")
		}
		time.Sleep(time.Minute)
		if err := x.sync(&greedy{}); said(err) != wire.Busy {
			t.Errorf("while it stands still: %v", err)
		}
		all, err = au.Standing().List(t.Context())
		if err != nil || all[0].State != "paused" || !strings.Contains(all[0].Note, "longer than the agreed number") {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
