package ledger

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
	"entente/protocol/wire"
)

// A leader that leaves out one member's entries is replaced, and they become final.
func TestWithholdingLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		victim, old := name(6), w.leader()
		q := w.members[old].service.sequencer()
		ctx, end := context.WithCancel(context.Background())
		var work sync.WaitGroup
		defer work.Wait()
		defer end()
		work.Go(func() {
			for ctx.Err() == nil {
				q.mu.Lock()
				delete(q.pending, victim)
				added := q.added
				q.mu.Unlock()
				select {
				case <-added:
				case <-ctx.Done():
				}
			}
		})
		w.write(victim, 1)
		if took := w.until("the victim's entry is final", func() bool { return w.settled(w.ids()...) }); took > time.Minute {
			t.Errorf("it was final after %s", took)
		}
		if w.leader() == old {
			t.Error("the leader that withheld it leads on")
		}
	})
}

// swapping shows two entries in the other order to whoever reads the stream.
type swapping struct {
	Stream
	one, two func() []byte
}

func (s *swapping) Write(b []byte) (int, error) {
	one, two := s.one(), s.two()
	i, j := bytes.Index(b, one), bytes.Index(b, two)
	if one == nil || two == nil || len(one) != len(two) || i < 0 || j < 0 {
		return s.Stream.Write(b)
	}
	c := bytes.Clone(b)
	copy(c[i:], two)
	copy(c[j:], one)
	return s.Stream.Write(c)
}

// equivocate founds a federation whose leader shows two entries in the other order to so many
// of its followers. It returns these.
func equivocate(t *testing.T, deceived int) (w *world, leader string, victims []string) {
	w = newWorld(t, 7, 4)
	var mu sync.Mutex
	last := func(id string) func() []byte {
		return func() []byte {
			mu.Lock()
			defer mu.Unlock()
			if len(victims) == 0 {
				return nil
			}
			c := w.members[id].chain
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.entries[len(c.entries)-1]
		}
	}
	for id, m := range w.members {
		inner := m.options.Open
		m.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
			s, err := inner(ctx, to, protocol)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || protocol != RaftProtocol || id != leader || !slices.Contains(victims, to) {
				return s, err
			}
			return &swapping{s, last(name(5)), last(name(6))}, nil
		}
	}
	w.startAll()
	w.until("all final", func() bool { return w.settled(w.ids()...) })
	mu.Lock()
	leader = w.leader()
	for i := range 4 {
		if name(i) != leader && len(victims) < deceived {
			victims = append(victims, name(i))
		}
	}
	mu.Unlock()
	for _, v := range victims { // streams that are open are honest ones
		w.separate(leader, v, true)
		w.separate(leader, v, false)
	}
	w.write(name(5), 1)
	w.write(name(6), 2)
	return w, leader, victims
}

// agree fails if two members hold different trees as final.
func (w *world) agree() {
	w.t.Helper()
	trees := map[uint64]checkpoint.Hash{}
	for _, id := range w.ids() {
		kept, err := w.members[id].service.mirror.Final()
		must(w.t, err)
		for _, one := range kept {
			c, err := one.Checkpoint()
			must(w.t, err)
			if other, known := trees[c.Size]; known && other != c.Root {
				w.t.Errorf("two trees of %d entries are final", c.Size)
			}
			trees[c.Size] = c.Root
		}
	}
}

// A sequencer to whom the leader showed another order than to the others notices, and begins
// ordering anew with what the others made final.
func TestEquivocatingLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, victims := equivocate(t, 1)
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		w.agree()
		w.write(victims[0], 3)
		w.until("the deceived one takes part", func() bool {
			q := w.members[victims[0]].service.sequencer()
			return w.settled(w.ids()...) && q != nil && q.order.Leader() != ""
		})
	})
}

// If it shows half of them another order nothing can be signed by enough, and nothing
// conflicting becomes final: the ledger stands still, and those who see it say why.
func TestSplittingLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, leader, _ := equivocate(t, 2)
		defer w.stopAll()
		<-time.After(10 * time.Minute)
		w.agree()
		if w.settled(w.ids()...) {
			return // the two entries came in different commands
		}
		said := 0
		for _, id := range w.ids()[:4] {
			v, err := w.members[id].service.Standing(t.Context())
			must(t, err)
			if id != leader && strings.Contains(strings.Join(v.Alarms, "\n"), "another order") {
				said++
			}
			if v.Waiting > 0 && len(v.Remedy) == 0 {
				t.Errorf("%s says not what to do", id)
			}
		}
		if said == 0 {
			t.Error("no sequencer says that it was shown another order")
		}
	})
}

// forging answers as a member that shows another history than the others have.
func forging(ctx context.Context, there Stream, forged checkpoint.Signed) {
	defer there.Reset()
	defer context.AfterFunc(ctx, there.Reset)()
	conn := wire.NewConn(struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(there), there})
	for {
		k, _, err := conn.Receive(exchange.Limit)
		if err != nil {
			return
		}
		switch k {
		case exchange.KindStatus:
			c, _ := checkpoint.Parse(forged.Text) // it is well formed
			err = conn.Send(exchange.KindStanding, &exchange.Status{Size: c.Size, Final: forged.Text, Term: c.Origin.String()})
		case exchange.KindNext:
			b, _ := forged.Marshal() // it is well formed
			err = conn.SendBytes(exchange.KindCheckpoint, b)
		default:
			err = conn.SendError(wire.NotAvailable)
		}
		if err != nil {
			return
		}
	}
}

// A member that signs another tree than the one that it cosigned is convicted as soon as it
// shows that to anybody, and nobody else is: also not one whose signature it made up.
func TestDoubleSigningCosigner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7, 4)
		bad, witness := 6, w.members[name(5)]
		ctx, end := context.WithCancel(context.Background())
		var mu sync.Mutex
		var forged checkpoint.Signed
		var serving sync.WaitGroup
		inner := witness.options.Open
		witness.options.Open = func(life context.Context, to, protocol string) (Stream, error) {
			mu.Lock()
			f := forged
			mu.Unlock()
			if to != name(bad) || f.Text == nil {
				return inner(life, to, protocol)
			}
			a, b := net.Pipe()
			here, there := &pipe{Conn: a, member: to, other: b}, &pipe{Conn: b, member: witness.id, other: a}
			context.AfterFunc(life, here.Reset)
			serving.Go(func() { forging(ctx, there, f) })
			return here, nil
		}
		w.startAll()
		defer w.stopAll()
		defer serving.Wait()
		defer end()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		// It must have cosigned something that the witness keeps.
		w.until("it has cosigned", func() bool {
			w.write(name(0), 1)
			<-time.After(time.Second)
			kept, err := witness.service.mirror.Final()
			must(t, err)
			return slices.ContainsFunc(kept[len(kept)-1].Signatures, func(s checkpoint.Signature) bool {
				return s.Member == name(bad) && s.Role == checkpoint.Cosigner
			})
		})
		kept, err := witness.service.mirror.Final()
		must(t, err)
		c, err := kept[len(kept)-1].Checkpoint()
		must(t, err)
		c.Root[0] ^= 1
		framed := checkpoint.Sign(c, name(4), checkpoint.Cosigner, w.w.keys[bad], today()) // not its key
		mu.Lock()
		forged = checkpoint.Signed{Text: c.Text(), Signatures: []checkpoint.Signature{
			checkpoint.Sign(c, name(bad), checkpoint.Cosigner, w.w.keys[bad], today()), framed,
		}}
		mu.Unlock()
		w.separate(name(bad), witness.id, true) // the streams that are open
		w.separate(name(bad), witness.id, false)
		w.until("it is convicted", func() bool {
			w.write(name(0), 2) // it cosigns on, if not every time
			<-time.After(time.Second)
			var convicted map[string]uint64
			w.members[name(0)].service.mirror.FinalState(func(s *replay.State) { convicted = s.Convicted() })
			if len(convicted) > 1 {
				t.Fatalf("convicted: %v", convicted)
			}
			_, ok := convicted[name(bad)]
			return ok
		})
	})
}

// What a member may write, and is not possible, takes its place without effect; everybody sees
// that.
func TestVoidEntriesAreMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4)
		w.startAll()
		defer w.stopAll()
		w.until("all final", func() bool { return w.settled(w.ids()...) })
		b, err := entry.Body(entry.Spend{Kind: "phone", Period: 1, Class: 64})
		must(t, err)
		must(t, w.members[name(2)].chain.Append(t.Context(), entry.BudgetSpent, func(entry.Head) ([]byte, error) { return b, nil }))
		w.until("it is final", func() bool { return w.settled(w.ids()...) })
		for _, id := range w.ids() {
			lines, err := w.members[id].service.Lines(0, 1000)
			must(t, err)
			found := false
			for _, l := range lines {
				if l.Kind == entry.BudgetSpent.String() {
					found = l.Void != "" && l.Final && l.Member == name(2)
				} else if l.Void != "" {
					t.Errorf("%s: entry %d is void: %s", id, l.Index, l.Void)
				}
			}
			if !found {
				t.Errorf("%s does not mark the spend that nothing covers", id)
			}
		}
	})
}
