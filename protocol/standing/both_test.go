package standing

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/round"
	"entente/protocol/wire"
)

// member is one side of a subscription, with the feed where it asks and the one where it
// holds.
type member struct {
	machine    *Machine
	parties    round.Parties
	asks, hold *feed
	list       map[string]bool
}

// subscribe makes two members with an active subscription that serves both.
func subscribe(t *testing.T) (a, b *member) {
	t.Helper()
	p := newPair(t)
	a, b = &member{parties: p.proposer, list: map[string]bool{}}, &member{parties: p.responder, list: map[string]bool{}}
	a.machine, b.machine = p.active(t)
	feeds := [2]*feed{newFeed(t, 0), newFeed(t, 1)}
	asker, holder := a, b
	for number, f := range feeds {
		f.now.Store(testNow + 2000)
		now := func() time.Time { return time.UnixMilli(f.now.Load()) }
		var err, again error
		f.asker, err = asker.machine.Session(uint8(number), now)
		f.holder, again = holder.machine.Session(uint8(number), now)
		if err != nil || again != nil {
			t.Fatal(err, again)
		}
		f.shelf.s, f.queue.version = f.holder, f.asker.Kinds[0].Version
		f.queue.list, f.shelf.list = asker.list, holder.list
		asker.asks, holder.hold = f, f
		asker, holder = holder, asker
	}
	return a, b
}

// talk is one stream, from the hellos to Done, as one member leads it.
func (m *member) talk(ctx context.Context, c net.Conn, opener bool) error {
	conn := wire.NewConn(c)
	hello := round.Message{Kind: KindHello, Body: round.Hello{Version: Version, Roster: m.parties.Roster[:], Clock: testNow}}
	receive := func(want wire.Kind) (round.Message, error) {
		in, err := Read(conn)
		if err == nil && in.Kind != want {
			err = fmt.Errorf("message %d, expected %d", in.Kind, want)
		}
		return in, err
	}
	exchange := func(out round.Message, want wire.Kind, first bool) (in round.Message, err error) {
		for _, send := range []bool{first, !first} {
			if send {
				err = Write(conn, out)
			} else {
				in, err = receive(want)
			}
			if err != nil {
				return in, err
			}
		}
		return in, nil
	}
	in, err := exchange(hello, KindHello, opener)
	if err != nil {
		return err
	}
	if err := in.Body.(round.Hello).CheckVersion(Version, m.parties.Roster, testNow); err != nil {
		return err
	}
	if opener {
		out, _ := m.machine.Sync()
		if in, err = exchange(out, KindReady, true); err == nil {
			_, err = m.machine.Step(in, testNow)
		}
	} else if in, err = receive(KindSync); err == nil {
		var out *round.Message
		if out, err = m.machine.Step(in, testNow); err == nil {
			err = Write(conn, *out)
		}
	}
	if err != nil {
		return err
	}
	for _, number := range m.machine.Feeds() {
		if f := m.asks; f.asker.Feed == number {
			_, err = Ask(ctx, c, f.asker, f.cache, f.queue)
		} else {
			_, err = Hold(ctx, c, m.hold.holder, m.hold.shelf, m.hold.meter, m.hold.proofs)
		}
		if err != nil {
			return err
		}
	}
	agreement := m.machine.Agreement()
	_, err = exchange(round.Message{Kind: KindDone, Body: Done{Agreement: agreement[:]}}, KindDone, opener)
	return err
}

// TestBothDirections: two members, both feeds over one stream, opened by either; after every
// sync each knows what plain sets give.
func TestBothDirections(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 9))
				a, b := subscribe(t)
				for n := range 6 {
					for _, m := range []*member{a, b} {
						for range random.IntN(30) {
							item := fmt.Sprint(random.IntN(50))
							if m.list[item] = random.IntN(3) > 0; !m.list[item] {
								delete(m.list, item)
							}
						}
						if m.hold.shelf.renew = random.IntN(6) == 0; !m.hold.shelf.renew {
							m.hold.shelf.change()
						}
					}
					x, y := net.Pipe()
					var both sync.WaitGroup
					var errs [2]error
					both.Go(func() { errs[0] = a.talk(t.Context(), x, n%2 == 0) })
					both.Go(func() { errs[1] = b.talk(t.Context(), y, n%2 == 1) })
					both.Wait()
					if errs[0] != nil || errs[1] != nil {
						t.Fatal(errs)
					}
					a.asks.check()
					b.asks.check()
				}
			})
		})
	}
}

// BenchmarkIdleDay is one sync of both sides on a day on which nothing has changed.
func BenchmarkIdleDay(b *testing.B) {
	f := newFeed(b, 0)
	f.shelf.list["a"] = true
	f.sync().must(b)
	var r results
	for b.Loop() {
		f.shelf.change()
		f.queue.cadence = true
		r = f.sync().must(b)
	}
	b.ReportMetric(float64(r.ask.Sent+r.ask.Got), "wire-bytes")
}
