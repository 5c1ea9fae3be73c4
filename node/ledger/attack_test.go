package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
	"entente/protocol/wire"
)

// A sequencer to whom a leader showed another order signs no second tree of a size, so
// nobody can have it convicted.
func TestDeceivedSequencerIsNotConvicted(t *testing.T) {
	w := federation(t, 7, 4)
	begin := w.begin()
	m, reference := w.mirror(), w.mirror(begin...)
	n := uint64(len(begin))
	start := w.signed(reference, n, []int{0, 1, 2}, []int{0, 1, 2, 3, 4})
	must(t, m.Extend(start, begin))
	must(t, m.Finalise(start))
	tail, err := newTail(m)
	must(t, err)
	tail.log = n
	signer, heads := w.signer(m, 3), append([]entry.Head{}, w.heads...)
	b, err := wire.Marshal(command{From: n, Entries: [][]byte{w.sealed(4, 1)}}) // what the leader shows it
	must(t, err)
	must(t, tail.apply(10, b))
	if _, _, err = tail.sign(signer, n+1); err != nil {
		t.Fatal(err)
	}
	w.heads = heads
	one, two := w.sealed(5, 2), w.sealed(5, 3) // what it shows the others
	_, err = reference.Append(one, two)
	must(t, err)
	final := w.signed(reference, n+2, []int{0, 1, 2}, []int{0, 1, 2, 4, 5})
	if err := tail.settle(final, n, [][]byte{one, two}); err != nil || !tail.astray {
		t.Fatalf("astray: %v, %v", tail.astray, err)
	}
	must(t, m.Finalise(final))
	tail, err = newTail(m)
	must(t, err)
	for size := n; size <= n+2; size++ {
		if _, _, err := tail.sign(signer, size); err == nil {
			t.Errorf("it signed the other tree of %d entries, which is final", size)
		}
	}
	tail.log = n + 2
	b, err = wire.Marshal(command{From: n + 2, Entries: [][]byte{w.sealed(5, 4)}})
	must(t, err)
	must(t, tail.apply(11, b))
	if _, _, err := tail.sign(signer, n+3); err != nil {
		t.Errorf("it does not go on behind what is final: %v", err)
	}
}

// What was sequenced before a restart and becomes final after it is what the node lives by.
func TestFinalAfterRestart(t *testing.T) {
	w := federation(t, 7, 4)
	begin := w.begin()
	reference := w.mirror(begin...)
	n := uint64(len(begin))
	file := filepath.Join(t.TempDir(), "ledger")
	m := w.open(file)
	start := w.signed(reference, n, []int{0, 1, 2}, []int{0, 1, 2, 3, 4})
	must(t, m.Extend(start, begin))
	must(t, m.Finalise(start))
	e := w.sealed(4, 1)
	_, err := reference.Append(e)
	must(t, err)
	next := w.signed(reference, n+1, []int{0, 1, 2}, []int{0, 1, 2, 3, 4})
	must(t, m.Extend(next, [][]byte{e}))
	must(t, m.Close())
	m = w.open(file)
	defer func() { must(t, m.Close()) }()
	must(t, m.Finalise(next))
	if !m.FinalState(func(s *replay.State) {
		if s.Size() != n+1 {
			t.Errorf("%d entries are final, and the state is that after %d", n+1, s.Size())
		}
	}) {
		t.Error("nothing is final")
	}
}

// Commands that a leader makes up: none costs anything, and none has effect out of its place.
func TestCommands(t *testing.T) {
	w := federation(t, 4, 4)
	m := w.mirror(w.begin()...)
	tail, err := newTail(m)
	must(t, err)
	n, _ := tail.end()
	tail.log = n
	forged := w.sealed(1, 9)
	w.heads[1] = entry.Head{}
	late := w.sealed(2, 1)
	for name, c := range map[string]command{
		"empty": {From: n}, "elsewhere": {From: n + 1, Entries: [][]byte{late}}, "long ago": {From: 3, Entries: [][]byte{late}},
		"forged": {From: n, Entries: [][]byte{append(append([]byte{}, forged[:len(forged)-1]...), forged[len(forged)-1]^1)}},
		"twice":  {From: n, Entries: [][]byte{forged, forged}},
	} {
		b, err := wire.Marshal(c)
		must(t, err)
		if err := tail.apply(1, b); err == nil || len(tail.marks) > 0 {
			t.Errorf("%s had effect: %v", name, err)
		}
	}
	if err := tail.apply(1, []byte("x")); err == nil {
		t.Error("no command had effect")
	}
}

// What others hand on for authors who are no members is not kept.
func TestInventedAuthors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		s := w.members[name(0)].service
		for i := range 100 {
			one, _, err := (entry.Author{Member: fmt.Sprintf("X%03d", i), Key: w.w.authors[0].Key}).Next(entry.Head{}, entry.Submitted, entry.Created, nil, today())
			must(t, err)
			b, err := one.Marshal()
			must(t, err)
			_, err = s.submitted(name(1), [][]byte{b, b, b})
			must(t, err)
		}
		q := s.sequencer()
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.pending) > 0 {
			t.Errorf("%d lists of nobody wait", len(q.pending))
		}
	})
}

// cutting resets streams on which too much is written.
type cutting struct {
	Stream
	cut func(n int) bool
}

func (c *cutting) Write(b []byte) (int, error) {
	if c.cut(len(b)) {
		c.Reset()
		return 0, errors.New("cut")
	}
	return c.Stream.Write(b)
}

// A leader that brings what it orders to a bare majority, and the others only heartbeats, is
// replaced: else nothing could be signed by enough sequencers for ever.
func TestStarvingLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 5)
		var leader atomic.Value
		leader.Store("")
		var mu sync.Mutex
		starved := map[string]bool{}
		for id, m := range w.members {
			inner := m.options.Open
			m.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
				s, err := inner(ctx, to, protocol)
				if err != nil || protocol != RaftProtocol {
					return s, err
				}
				return &cutting{s, func(n int) bool {
					mu.Lock()
					defer mu.Unlock()
					return leader.Load() == id && starved[to] && n > 1000
				}}, nil
			}
		}
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		old := w.leader()
		mu.Lock()
		for i := range 5 {
			if name(i) != old && len(starved) < 2 {
				starved[name(i)] = true
			}
		}
		mu.Unlock()
		leader.Store(old)
		w.write(name(5), 1)
		w.write(name(6), 1)
		w.until("it is final", func() bool { return w.settled(name(5), name(6)) })
	})
}

// However much is ordered while too many cosigners are away, they can take it in when they
// are back.
func TestMuchIsOrderedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		away := []int{4, 5, 6}
		for _, i := range away {
			w.members[name(i)].stop()
		}
		for n := range exchange.MaxStep + 300 {
			w.write(name(0), byte(n))
		}
		<-time.After(30 * time.Second)
		for _, i := range away {
			w.start(name(i))
		}
		w.until("all final", func() bool { return w.settled(w.ids()...) })
	})
}

// A member that answers slowly holds up nobody but who asks it.
func TestSlowMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		slow := name(6)
		var on atomic.Bool
		for _, m := range w.members {
			inner := m.options.Open
			m.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
				if to == slow && on.Load() {
					wait(ctx, time.Minute)
					return nil, errors.New("no answer")
				}
				return inner(ctx, to, protocol)
			}
		}
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		on.Store(true)
		w.members[slow].stop()
		w.write(name(0), 1)
		if took := w.until("it is final", func() bool { return w.settled(w.ids()[:6]...) }); took > 5*time.Second {
			t.Errorf("one entry was final after %s", took)
		}
	})
}

// Who is asked for entries and sends them a crumb at a time cannot keep a member from getting
// them elsewhere.
func TestCrumbs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		bad, victim := name(6), w.members[name(5)]
		gone, leave := context.WithCancel(context.Background())
		inner := victim.options.Open
		var serving sync.WaitGroup
		victim.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
			if to != bad {
				return inner(ctx, to, protocol)
			}
			a, b := net.Pipe()
			here, there := &pipe{Conn: a, member: to, other: b}, &pipe{Conn: b, member: victim.id, other: a}
			context.AfterFunc(ctx, here.Reset)
			serving.Go(func() { crumbs(gone, there) })
			return here, nil
		}
		for _, id := range w.ids()[:6] {
			w.start(id)
		}
		defer w.stopAll()
		defer serving.Wait()
		defer leave()
		w.until("all final", func() bool { return w.settled(w.ids()[:6]...) })
		attack, end := context.WithCancel(context.Background())
		var attacking sync.WaitGroup
		defer attacking.Wait()
		defer end()
		s := victim.service
		for range 4 {
			attacking.Go(func() {
				for wait(attack, 10*time.Millisecond) {
					c := checkpoint.Checkpoint{Origin: s.mirror.Term(), Size: w.final(victim.id) + exchange.MaxStep}
					_, _ = s.cosign(attack, bad, exchange.Offer{Signed: checkpoint.Signed{Text: c.Text()}}) // refused, or not in time
				}
			})
		}
		for n := range 50 {
			w.write(name(0), byte(n))
		}
		w.until("the victim follows", func() bool { return w.settled(w.ids()[:6]...) })
	})
}

// crumbs answers requests for entries with a single one, as late as it can.
func crumbs(ctx context.Context, there Stream) {
	defer there.Reset()
	conn := wire.NewConn(struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(there), there})
	for {
		k, _, err := conn.Receive(exchange.Limit)
		if err != nil || k != exchange.KindFetch || !wait(ctx, 19*time.Second) {
			return
		}
		if conn.Send(exchange.KindEntries, &exchange.Entries{Entries: [][]byte{{1}}}) != nil {
			return
		}
	}
}

// Claims of other ledgers, and such that nobody can show, alarm nobody for long.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		s := w.members[name(0)].service
		for size := uint64(1); size < w.final(name(0)); size++ {
			foreign := checkpoint.Checkpoint{Size: size, Origin: checkpoint.Origin{Federation: [32]byte{7}, Term: 1}}
			s.observe(t.Context(), name(3), exchange.Status{Size: size, Final: foreign.Text()})
			made := checkpoint.Checkpoint{Size: size, Origin: s.mirror.Term()}
			s.observe(t.Context(), name(2), exchange.Status{Size: size, Final: made.Text()})
		}
		v, err := s.Standing(t.Context())
		must(t, err)
		if len(v.Alarms) != 1 {
			t.Errorf("alarms: %v", v.Alarms)
		}
	})
}

// A sequencer whose Raft files are damaged begins ordering anew, and goes on cosigning.
func TestDamagedOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		m := w.members[name(3)]
		m.stop()
		file := filepath.Join(m.options.Dir, raftFolder, "log")
		b, err := os.ReadFile(file)
		must(t, err)
		for i := range b {
			b[i] ^= 0x55
		}
		must(t, os.WriteFile(file, b, 0o600))
		w.start(name(3))
		w.write(name(3), 1)
		w.write(name(0), 1)
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		<-time.After(5 * time.Minute)
		if q := m.service.sequencer(); q == nil || q.order.Leader() == "" {
			t.Error("it does not order entries again")
		}
	})
}
