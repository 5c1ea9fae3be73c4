package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// over is the tree of a mirror with entries behind it, whether or not they are admitted.
func over(t *testing.T, m *Mirror, entries ...[]byte) checkpoint.Checkpoint {
	t.Helper()
	tail, err := newTail(m)
	must(t, err)
	must(t, tail.push(1, entries, tail.head, nil))
	return tail.tree()
}

// Entries that are not admitted are in a checkpoint that sequencers have signed, as many as may
// be faulty or all of them, and as many cosigners as may be: nobody takes it in, and the
// ledger goes on without.
func TestInvalidEntriesInACheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begun(t, 7, 4, nil)
		defer w.stopAll()
		w.timed()
		s := w.members[name(4)].service
		var size uint64
		must(t, s.mirror.State(func(st *replay.State) {
			size = st.Size()
			for i := range w.w.heads {
				w.w.heads[i] = st.Head(name(i))
			}
		}))
		w.w.now = today()
		before := slices.Clone(w.w.heads)

		key, err := sign.NewPrivateKey(bytes.Repeat([]byte{77}, sign.SeedSize))
		must(t, err)
		card, err := roster.NewCard(roster.Member{
			ID: "ZZZ", Name: "ZZZ", Role: roster.State, Sign: key.Public().Bytes(),
			Transport: bytes.Repeat([]byte{77}, 32), Addresses: []string{},
		}, key)
		must(t, err)
		joining := entry.Joining{Member: card.Member, Signature: card.Signature}
		w.w.authors[5].Key, w.w.authors[6].Key = w.w.authors[0].Key, w.w.authors[0].Key // M00 writes for them
		join := w.w.propose(entry.Join, joining, 0, 5, 6)
		w.w.heads = slices.Clone(before)
		spend := w.w.entry(5, entry.BudgetSpent, entry.Spend{Kind: "phone", Period: 1, Class: 64})
		w.w.heads = before
		gap := [][]byte{w.w.sealed(0, 1), w.w.sealed(0, 2)}[1:]

		for what, entries := range map[string][][]byte{"a join that one made up the votes for": join, "a spend in another's name": {spend}, "a gap in a chain": gap} {
			c := over(t, s.mirror, entries...)
			for _, sequencers := range []int{1, 4} {
				signed := checkpoint.Signed{Text: c.Text()}
				for i := range sequencers {
					signed.Signatures = append(signed.Signatures, checkpoint.Sign(c, name(i), checkpoint.Sequencer, w.w.keys[i], today()))
				}
				if v, err := s.cosign(t.Context(), name(0), exchange.Offer{Signed: signed, From: size, Entries: entries}); err == nil {
					t.Errorf("%s, %d sequencers: cosigned %s", what, sequencers, v.Checkpoint)
				}
				for i := range 2 {
					signed.Signatures = append(signed.Signatures, checkpoint.Sign(c, name(i), checkpoint.Cosigner, w.w.keys[i], today()))
				}
				if s.finalise(t.Context(), name(0), signed) == nil || s.mirror.Extend(signed, entries) == nil {
					t.Errorf("%s, %d sequencers: taken in", what, sequencers)
				}
			}
		}
		w.write(name(1), 1)
		w.soon(w.ids()...)
		w.agreeing()
		w.replays()
		must(t, s.mirror.State(func(st *replay.State) {
			if len(st.Roster().Members) != 7 {
				t.Errorf("%d members", len(st.Roster().Members))
			}
		}))
	})
}

// dial opens a stream to a service that one member serves, until the test ends.
func dial(t *testing.T, s *Service, member string, serving *sync.WaitGroup) net.Conn {
	a, b := net.Pipe()
	serving.Go(func() { s.Serve(t.Context(), &pipe{Conn: b, member: member, other: a}) })
	return a
}

// idle is a service that answers, and does nothing by itself.
func idle(t *testing.T) *Service {
	t.Helper()
	w := newWorld(t, 4, 4)
	s, err := OpenService(t.Context(), w.members[name(0)].options)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// A frame that is too long, or of a kind that asks for nothing, is refused by its header,
// before memory is set aside for it; one that is not too long costs memory as it comes.
func TestOversizedFrames(t *testing.T) {
	s := idle(t)
	var serving sync.WaitGroup
	header := func(k byte, n uint32) []byte {
		return binary.BigEndian.AppendUint32([]byte{k}, n)
	}
	refusal := func(k byte, n uint32) wire.Code {
		c := dial(t, s, name(1), &serving)
		defer c.Close()
		_, err := c.Write(header(k, n))
		must(t, err)
		conn := wire.NewConn(c)
		_, _, err = conn.Receive(exchange.Limit)
		stated, ok := errors.AsType[*wire.PeerError](err)
		if !ok {
			t.Fatalf("kind %d, %d bytes: %v", k, n, err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("kind %d, %d bytes: the stream goes on: %v", k, n, err)
		}
		return stated.Code
	}
	const tries = 256
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for k := range tries {
		most, asks := exchange.Limit(wire.Kind(k))
		for _, n := range []uint32{most + 1, wire.MaxChunk + 1, 1<<32 - 1} {
			want := wire.TooLarge
			if k != 0 && !asks {
				want = wire.Unexpected
			}
			if k == 0 {
				n = max(n, 5)
			}
			if got := refusal(byte(k), n); got != want {
				t.Errorf("kind %d, %d bytes: %v", k, n, got)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / (3 * tries); each > 64<<10 {
		t.Errorf("refusing a frame took %d bytes of memory", each)
	}

	// Frames of the largest size that never come.
	runtime.ReadMemStats(&before)
	var open []net.Conn
	for range 64 {
		c := dial(t, s, name(1), &serving)
		_, err := c.Write(header(byte(exchange.KindOffer), wire.MaxChunk))
		must(t, err)
		_, err = c.Write([]byte{0x83})
		must(t, err)
		open = append(open, c)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / 64; each > 128<<10 {
		t.Errorf("a frame that does not come took %d bytes of memory", each)
	}
	for _, c := range open {
		must(t, c.Close())
	}
	serving.Wait()
}

// A member that asks all the time for what it is refused, on as many streams as the channel
// lets it open, costs those whom it asks no memory that stays, and holds up nobody.
func TestFloodOfRefusedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begun(t, 7, 4, nil)
		defer w.stopAll()
		bad, victim := name(6), name(0)
		foreign := w.w.sealed(5, 1)
		far := checkpoint.Checkpoint{Origin: w.members[victim].service.mirror.Term(), Size: 1 << 30}
		near := checkpoint.Checkpoint{Origin: far.Origin, Size: w.final(victim)}
		near.Root[0] = 1
		forged := func(c checkpoint.Checkpoint) checkpoint.Signed {
			return checkpoint.Signed{Text: c.Text(), Signatures: []checkpoint.Signature{
				checkpoint.Sign(c, name(1), checkpoint.Sequencer, w.w.keys[6], today()),
			}}
		}
		requests := []struct {
			k    wire.Kind
			body any
		}{
			{exchange.KindStatus, exchange.Status{Size: 1 << 31, Final: far.Text(), Term: far.Origin.String()}},
			{exchange.KindStatus, exchange.Status{Size: 1 << 31, Final: near.Text(), Term: far.Origin.String()}},
			{exchange.KindFetch, exchange.Range{From: 1 << 40, Until: 1 << 41}},
			{exchange.KindNext, exchange.Position{Size: 1 << 60}},
			{exchange.KindSubmit, exchange.Entries{Entries: [][]byte{foreign, foreign}}},
			{exchange.KindSubmit, exchange.Entries{Entries: slices.Repeat([][]byte{{1}}, exchange.MaxEntries)}},
			{exchange.KindSequence, exchange.Position{Size: 1 << 30}},
			{exchange.KindOffer, exchange.Offer{Signed: forged(far)}},
			{exchange.KindOffer, exchange.Offer{Signed: forged(near)}},
		}
		ctx, end := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		defer asking.Wait()
		defer end()
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		var mu sync.Mutex
		refused := 0
		for n := range 64 {
			asking.Go(func() {
				var conn *wire.Conn
				for i := n; wait(ctx, 200*time.Millisecond); i++ {
					if conn == nil {
						s, err := w.opener(bad)(ctx, victim, exchange.Protocol)
						must(t, err)
						conn = wire.NewConn(s)
					}
					r := requests[i%len(requests)]
					err := conn.Send(r.k, r.body)
					if err == nil {
						_, _, err = conn.Receive(func(wire.Kind) (uint32, bool) { return wire.MaxChunk, true })
					}
					if _, stated := errors.AsType[*wire.PeerError](err); stated {
						mu.Lock()
						refused++
						mu.Unlock()
					} else if err != nil {
						conn = nil // what breaks the form ends the stream
					}
				}
			})
		}
		for n := range 10 {
			<-time.After(time.Second)
			for i := range 6 {
				w.write(name(i), byte(n))
			}
			if took := w.until("it is final", func() bool { return w.settled(w.ids()[:6]...) }); took > 5*time.Second {
				t.Errorf("it was final after %s", took)
			}
		}
		w.bounded()
		if grown := int64(heap()) - int64(before); grown > 32<<20 {
			t.Errorf("the heap has grown by %d bytes", grown)
		}
		mu.Lock()
		defer mu.Unlock()
		if refused < 500 {
			t.Errorf("%d requests were refused: the test shows nothing", refused)
		}
	})
}

// A member of another version asks for what this one does not know, or says more than it
// expects: it is told so, and the stream ends where the form is broken. An answer by an Error
// frame, whatever its code, is a refusal, after which the stream goes on.
func TestOtherVersions(t *testing.T) {
	type later struct { // than exchange.Status, by a field
		_     struct{} `codec:",toarray"`
		Size  uint64
		Final []byte
		Term  string
		More  uint64
	}
	type earlier struct { // by one less
		_     struct{} `codec:",toarray"`
		Size  uint64
		Final []byte
	}
	s := idle(t)
	term := s.mirror.Term().String()
	var serving sync.WaitGroup
	defer serving.Wait()
	everything := func(wire.Kind) (uint32, bool) { return wire.MaxChunk, true }
	for _, test := range []struct {
		what string
		send func(c *wire.Conn) error
		want wire.Code
		over bool
	}{
		{"a later request", func(c *wire.Conn) error { return c.Send(99, later{Term: term}) }, wire.Unexpected, true},
		{"a field more", func(c *wire.Conn) error { return c.Send(exchange.KindStatus, later{Term: term}) }, wire.Malformed, true},
		{"a field less", func(c *wire.Conn) error { return c.Send(exchange.KindStatus, earlier{}) }, wire.Malformed, true},
		{"a refusal", func(c *wire.Conn) error { return c.Send(exchange.KindNext, exchange.Position{Size: 1 << 60}) }, wire.NotAvailable, false},
	} {
		stream := dial(t, s, name(1), &serving)
		conn := wire.NewConn(stream)
		must(t, test.send(conn))
		_, _, err := conn.Receive(everything)
		stated, ok := errors.AsType[*wire.PeerError](err)
		if !ok || stated.Code != test.want {
			t.Errorf("%s: %v", test.what, err)
		}
		var after exchange.Status
		err = conn.Send(exchange.KindStatus, exchange.Status{Term: term})
		if err == nil {
			err = conn.Expect(exchange.KindStanding, 512, &after)
		}
		if (err != nil) != test.over {
			t.Errorf("%s: afterwards: %v", test.what, err)
		}
		_ = stream.Close() // it may have been reset
	}
}

// An older member, which refuses every request that it does not know by a code that nobody
// knows, or answers how far it is in its own form, costs the others nothing but its signature.
func TestOlderMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		older := func(there Stream) {
			defer there.Reset()
			conn := wire.NewConn(there)
			for turn := 0; ; turn++ {
				k, _, err := conn.Receive(exchange.Limit)
				if err != nil {
					return
				}
				if k == exchange.KindStatus {
					err = conn.Send(exchange.KindStanding, exchange.Position{Size: 1}) // a field less
				} else {
					err = conn.SendError(wire.Code(65535 - turn%2))
				}
				if err != nil {
					return
				}
			}
		}
		var serving sync.WaitGroup
		asked := map[string]int{}
		var mu sync.Mutex
		var on atomic.Bool
		w := begun(t, 7, 4, func(w *world) {
			for id, m := range w.members {
				inner := m.options.Open
				m.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
					if to != name(6) || !on.Load() {
						return inner(ctx, to, protocol)
					}
					mu.Lock()
					asked[id]++
					mu.Unlock()
					a, b := net.Pipe()
					here, there := &pipe{Conn: a, member: to, other: b}, &pipe{Conn: b, member: id, other: a}
					context.AfterFunc(ctx, here.Reset)
					serving.Go(func() { older(there) })
					return here, nil
				}
			}
		})
		on.Store(true)
		w.members[name(6)].stop()
		defer serving.Wait()
		defer w.stopAll()
		w.soon(w.ids()[:6]...)
		for n := range 12 {
			for i := range 6 {
				w.write(name(i), byte(n))
			}
			if took := w.until("it is final", func() bool { return w.settled(w.ids()[:6]...) }); took > 5*time.Second {
				t.Errorf("it was final after %s", took)
			}
			<-time.After(10 * time.Second)
		}
		for _, id := range w.ids()[:6] {
			v, err := w.members[id].service.Standing(t.Context())
			must(t, err)
			if len(v.Alarms) > 0 {
				t.Errorf("%s: %v", id, v.Alarms)
			}
			if asked[id] == 0 {
				t.Errorf("%s never asked the older one", id)
			}
		}
	})
}
