package node_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entente/crypto/sign"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/keys"
	"entente/node/standing"
	"entente/protocol/round"
	protocol "entente/protocol/standing"
	"entente/protocol/terms"
	"entente/protocol/wire"
	"entente/simulations/fabric"
)

// altering changes the last byte of the next frame of a kind that a node writes.
type altering struct {
	io.ReadWriter
	kind  byte
	armed *atomic.Bool
}

func (a altering) Write(b []byte) (int, error) {
	if len(b) > wire.HeaderSize && b[0] == a.kind && a.armed.CompareAndSwap(true, false) {
		b = append([]byte{}, b...)
		b[len(b)-1] ^= 1
	}
	return a.ReadWriter.Write(b)
}

// A partner whose answer, run or publication is not what it has signed is named and left
// alone until a person goes on.
func TestStandingPartnerBreaksTheProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		kind byte
		say  string
	}{
		"another key": {25, "ID answered with another key"}, // answers: the proof does not fit
		"a run":       {21, "ID broke the protocol"},        // tags that were not signed
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, au, id, sub := running(t, nil)
				var armed atomic.Bool
				id.o.Tap = func(_ string, s io.ReadWriter) io.ReadWriter { return altering{s, c.kind, &armed} }
				id.stop()
				if err := id.Close(); err != nil {
					t.Fatal(err)
				}
				id.reopen(t)
				id.serve(t)
				armed.Store(true)
				v := until(t, au, sub, "the stop", 2*every, func(v standing.View) bool { return v.State == "paused" })
				if !strings.Contains(v.Note, c.say) {
					t.Errorf("the note is %q", v.Note)
				}
				last := *v.LastRun
				time.Sleep(3 * every)
				if v, err := au.Standing().Show(t.Context(), sub); err != nil || !v.LastRun.Equal(last) {
					t.Errorf("it was tried again without a person: %v", err)
				}
				id.list(t, "wanted", "suspect", phones(7, 1)...)
				if err := au.Standing().Resume(t.Context(), sub); err != nil {
					t.Fatal(err)
				}
				until(t, au, sub, "the hit after a person went on", 2*every, withHits(4))
			})
		})
	}
}

// What is deleted while its question is under way is answered, and is no hit.
func TestStandingDeletionDuringAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		au.list(t, "late", "suspect", phones(900, 1)...)
		id.list(t, "wanted", "suspect", phones(900, 1)...)
		var deleted atomic.Bool
		au.o.Tap = func(_ string, s io.ReadWriter) io.ReadWriter {
			return deleting{s, func() {
				if deleted.CompareAndSwap(false, true) {
					if err := au.DeleteList(context.Background(), "late"); err != nil {
						t.Error(err)
					}
				}
			}}
		}
		au.stop()
		if err := au.Close(); err != nil {
			t.Fatal(err)
		}
		au.reopen(t)
		au.serve(t)
		v := subscribe(t, au, func(r *standing.Request) { r.Lists = append(r.Lists, "late") })
		until(t, au, v.ID, "the first hits", time.Minute, withHits(3))
		if !deleted.Load() {
			t.Fatal("nothing was deleted under way: the test shows nothing")
		}
		time.Sleep(2 * every)
		if v, err := au.Standing().Show(t.Context(), v.ID); err != nil || v.Hits != 3 {
			t.Errorf("%d hits, %v", v.Hits, err)
		}
	})
}

// deleting calls act when the first questions go out.
type deleting struct {
	io.ReadWriter
	act func()
}

func (d deleting) Write(b []byte) (int, error) {
	if len(b) > 0 && b[0] == 24 {
		d.act()
	}
	return d.ReadWriter.Write(b)
}

// intruder speaks for ID, with its keys, as it likes.
type intruder struct {
	t       *testing.T
	key     *sign.PrivateKey
	fed     *federation.Federation
	victim  *member
	machine *protocol.Machine
	mine    *fabric.End // of the newest stream
}

// intrude takes ID's place: its node does not serve any more.
func intrude(t *testing.T, victim, id *member) *intruder {
	t.Helper()
	id.stop()
	c, err := config.Load(id.dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := keys.ParseUnlock(c.Keys.Unlock, c.Keys.UnlockFrom)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.Open(id.dir, unlock)
	if err != nil {
		t.Fatal(err)
	}
	fed, err := federation.Load(id.dir, "ID", federation.Keys{Sign: k.Identity().Public(), Transport: k.Transport().Public()})
	if err != nil {
		t.Fatal(err)
	}
	return &intruder{t: t, key: k.Identity(), fed: fed, victim: victim}
}

// stream opens a stream to the victim, after the greetings.
func (x *intruder) stream() (*fabric.End, *wire.Conn) {
	x.t.Helper()
	mine, theirs := fabric.Pipe(fabric.Link{})
	x.mine = mine
	go x.victim.Standing().Serve(x.t.Context(), end{theirs, "ID"})
	conn := wire.NewConn(mine)
	digest := x.fed.Digest()
	x.send(conn, protocol.KindHello, round.Hello{Version: protocol.Version, Roster: digest[:], Clock: time.Now().UnixMilli()})
	x.read(conn)
	return mine, conn
}

// end makes a pipe's end a stream.
type end struct {
	*fabric.End
	member string
}

func (e end) Member() string { return e.member }
func (e end) Reset()         { e.Cut() }

func (x *intruder) send(c *wire.Conn, kind wire.Kind, body any) {
	x.t.Helper()
	if err := c.Send(kind, body); err != nil {
		x.t.Fatal(err)
	}
}

func (x *intruder) read(c *wire.Conn) round.Message {
	x.t.Helper()
	m, err := protocol.Read(c)
	if err != nil {
		x.t.Fatal(err)
	}
	return m
}

// agree makes a subscription in which ID alone learns.
func (x *intruder) agree(queries uint32) {
	x.t.Helper()
	x.accept(x.offer(protocol.Bounds{Cadence: 3600, Period: 24 * 3600, Tags: 1 << 20, Queries: queries, Checks: 1}))
}

// accept takes the answer to an offer and confirms it.
func (x *intruder) accept(conn *wire.Conn) {
	x.t.Helper()
	defer x.mine.Cut()
	out, err := x.machine.Step(x.read(conn), time.Now().UnixMilli())
	if err != nil || out == nil {
		x.t.Fatalf("no agreement: %v", err)
	}
	x.send(conn, out.Kind, out.Body)
	if _, err := x.machine.Step(x.read(conn), time.Now().UnixMilli()); err != nil {
		x.t.Fatal(err)
	}
}

// offer sends an offer in which ID alone learns, and returns the stream for the answer.
func (x *intruder) offer(limit protocol.Bounds) *wire.Conn {
	x.t.Helper()
	au, ok := x.fed.Find("AU")
	if !ok {
		x.t.Fatal("AU is not in the roster")
	}
	id, digest := round.NewID(), x.fed.Digest()
	var err error
	x.machine, err = protocol.Propose(protocol.Offer{
		Version: protocol.Version, Subscription: id[:], Roster: digest[:], From: "ID", To: "AU",
		Created: time.Now().UnixMilli(), Expires: time.Now().Add(30 * 24 * time.Hour).UnixMilli(),
		Kinds: []protocol.Kind{{Name: "phone", Version: 1}}, Purpose: "trafficking", Basis: "ID-TIP",
		Asked: terms.Widest(terms.IDs, terms.None), Granted: terms.Widest(terms.IDs, terms.None), Rules: make([]byte, 32),
		Limit: limit, Class: 64,
		Consequence: protocol.ConsequenceVersion,
	}, round.Parties{Self: "ID", Peer: "AU", Roster: digest, Key: x.key, PeerKey: au.Key})
	if err != nil {
		x.t.Fatal(err)
	}
	_, conn := x.stream()
	next, _ := x.machine.Next()
	x.send(conn, next.Kind, next.Body)
	return conn
}

// sync asks as many chunks of 64 guesses as there are, whatever the quota, some time after
// the last sync.
func (x *intruder) sync(c *greedy) error {
	x.t.Helper()
	time.Sleep(2 * time.Second)
	mine, conn := x.stream()
	defer func() { _ = mine.Close() }()
	m, _ := x.machine.Sync()
	x.send(conn, m.Kind, m.Body)
	if _, err := protocol.Read(conn); err != nil {
		return err
	}
	session, err := x.machine.Session(0, time.Now)
	if err != nil {
		x.t.Fatal(err)
	}
	if _, err = protocol.Ask(x.t.Context(), mine, session, c, c); err != nil {
		return err
	}
	agreement := x.machine.Agreement()
	x.send(conn, protocol.KindDone, protocol.Done{Agreement: agreement[:]})
	_, err = protocol.Read(conn)
	return err
}

// greedy is an asker that asks on.
type greedy struct {
	state    protocol.State
	chunks   uint32
	urgent   bool
	first    uint32
	answered uint32
}

func (g *greedy) State(context.Context) (protocol.State, error) { return g.state, nil }

func (g *greedy) Begin(_ context.Context, p protocol.Period, s round.Signed) error {
	g.state = protocol.State{Signed: s, Period: p}
	return nil
}

func (g *greedy) Block(_ context.Context, b protocol.Block) error {
	g.state.Blocks, g.state.Last, g.state.Mark = b.Index+1, b.Tags[len(b.Tags)-1], b.Mark
	return nil
}

func (g *greedy) Apply(_ context.Context, _ protocol.Run, m protocol.Mark) error {
	g.state.Mark = m
	return nil
}

func (g *greedy) Resume(_ context.Context, _ uint32, p protocol.Position) (uint32, error) {
	g.first = p.Next
	return p.Next, nil
}

func (g *greedy) Questions(context.Context, uint32) iter.Seq2[protocol.Question, error] {
	return func(yield func(protocol.Question, error) bool) {
		for n := range g.chunks {
			q := protocol.Question{Number: g.first + n, Class: 64, Urgent: g.urgent, Seed: [32]byte{byte(g.first + n), 1}}
			if !yield(q, nil) {
				return
			}
		}
	}
}

func (g *greedy) Answered(context.Context, uint32, uint32, []protocol.Entry) error {
	g.answered++
	return nil
}

// A partner that asks more than was agreed is refused with a number, each refusal is
// counted, and it gets nothing more; urgent checks have a quota of their own.
func TestStandingQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		x := intrude(t, au, id)
		x.agree(256)
		var said *wire.PeerError
		g := &greedy{chunks: 9}
		if err := x.sync(g); !errors.As(err, &said) || said.Code != wire.Quota {
			t.Fatalf("over the quota: %v", err)
		}
		if g.answered > 4 {
			t.Errorf("%d chunks of 64 were answered, agreed were 256 places", g.answered)
		}
		again := &greedy{chunks: 1, state: g.state}
		if err := x.sync(again); !errors.As(err, &said) || said.Code != wire.Quota || again.answered > 0 {
			t.Errorf("once more: %v, %d answers", err, again.answered)
		}
		check := &greedy{chunks: 1, urgent: true, state: g.state}
		if err := x.sync(check); err != nil || check.answered != 1 {
			t.Errorf("an urgent check: %v, %d answers", err, check.answered)
		}
		more := &greedy{chunks: 1, urgent: true, state: g.state}
		if err := x.sync(more); !errors.As(err, &said) || said.Code != wire.Quota || more.answered > 0 {
			t.Errorf("a second check: %v, %d answers", err, more.answered)
		}
		all, err := au.Standing().List(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("%d standing rounds: %v", len(all), err)
		}
		if v := all[0]; v.Refused < 3 || v.Asked != 256 {
			t.Errorf("the books say %d refused, %d places answered", v.Refused, v.Asked)
		}
	})
}
