package standing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"entente/protocol/wire"
)

// longFeed is a feed whose next sync has everything in it: a new period whose publication
// has several blocks, if first; else runs. Then several chunks of questions.
func longFeed(t testing.TB, first bool) *feed {
	f := newFeed(t, 0)
	f.shelf.list["a"], f.shelf.list["b"] = true, true
	f.shelf.extra = 2*BlockTags + 100
	f.queue.list["a"], f.queue.list["c"] = true, true
	f.queue.split = 1
	if !first {
		f.sync().must(t)
		f.shelf.list["c"], f.shelf.list["d"] = true, true
		delete(f.shelf.list, "a")
		f.shelf.change()
		f.shelf.change()
		f.queue.list["b"], f.queue.list["d"] = true, true
	}
	return f
}

// TestDisconnectAfterEveryFrame: wherever the stream breaks, the next sync goes on, nothing
// is charged twice, a question that comes again is the same, and the end is the same.
func TestDisconnectAfterEveryFrame(t *testing.T) {
	for _, first := range []bool{true, false} {
		for _, half := range []bool{false, true} {
			t.Run(fmt.Sprintf("first %t, half %t", first, half), func(t *testing.T) {
				whole := longFeed(t, first)
				var frames tape
				whole.wrap = frames.wrap
				whole.sync().must(t)
				if len(frames.frames) < 12 {
					t.Fatalf("only %d frames", len(frames.frames))
				}
				// How many acknowledgements go together differs, so the number of frames does.
				n, through := 0, false
				for ; !through; n++ {
					synctest.Test(t, func(t *testing.T) { through = disconnect(t, first, half, n, whole.meter.places) })
				}
				if n < len(frames.frames)-4 {
					t.Errorf("through after %d frames, once it took %d", n, len(frames.frames))
				}
			})
		}
	}
}

// disconnect reports whether the cut came too late to matter.
func disconnect(t *testing.T, first, half bool, n, places int) bool {
	f := longFeed(t, first)
	var asked, second tape
	inner := cut(n, half)
	f.wrap = func(asker bool, c net.Conn) io.ReadWriter {
		return tapedConn{inner(asker, c).(cutter), asker, &asked}
	}
	r := f.sync()
	if r.askErr == nil && r.holdErr == nil {
		return true
	}
	f.wrap = second.wrap
	f.sync().must(t)
	f.check()
	if f.meter.places != places {
		t.Errorf("cut after %d frames: %d places charged, without it %d", n, f.meter.places, places)
	}
	same := map[uint32][]byte{}
	for _, fr := range slices.Concat(asked.frames, second.frames) {
		if fr.kind != kindQuestions {
			continue
		}
		a, err := decodeQuestions(fr.body)
		if err != nil {
			t.Fatal(err)
		}
		if before := same[a.number]; before != nil && !bytes.Equal(before, fr.body) {
			t.Errorf("cut after %d frames: chunk %d came again with other bytes", n, a.number)
		}
		same[a.number] = fr.body
	}
	return false
}

// TestFaultAtEveryCall: a crash before or after any step of either side leaves a state from
// which the next sync succeeds.
func TestFaultAtEveryCall(t *testing.T) {
	for _, first := range []bool{true, false} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("first %t, after %t", first, after), func(t *testing.T) {
				whole := longFeed(t, first)
				whole.faults = new(faults)
				whole.faults.left.Store(1 << 40)
				whole.sync().must(t)
				calls := int(whole.faults.n.Load())
				if calls < 12 {
					t.Fatalf("only %d calls", calls)
				}
				missed := 0
				for n := range calls {
					synctest.Test(t, func(t *testing.T) {
						if !crash(t, first, after, n, whole.meter.places) {
							missed++
						}
					})
				}
				if missed > 6 {
					t.Errorf("%d of %d calls were not reached", missed, calls)
				}
			})
		}
	}
}

// crash reports whether the call was reached: how many acknowledgements go together differs,
// and not every iteration is gone through to a fault after its first element.
func crash(t *testing.T, first, after bool, n, places int) bool {
	f := longFeed(t, first)
	f.faults = &faults{after: after}
	f.faults.left.Store(int64(n))
	r := f.sync()
	if r.askErr == nil && r.holdErr == nil {
		return false
	}
	if !errors.Is(r.askErr, errFault) && !errors.Is(r.holdErr, errFault) {
		t.Fatalf("call %d: asker: %v, holder: %v", n, r.askErr, r.holdErr)
	}
	for _, err := range []error{r.askErr, r.holdErr} {
		var peer *wire.PeerError
		if err == nil || errors.Is(err, errFault) {
			continue
		}
		if !errors.As(err, &peer) || peer.Code != wire.Internal {
			t.Errorf("call %d: the other side heard %v", n, err)
		}
	}
	f.faults = nil
	f.sync().must(t)
	f.check()
	if f.meter.places != places {
		t.Errorf("call %d: %d places charged, without it %d", n, f.meter.places, places)
	}
	return true
}

// TestCancelled: a context ends both sides at once, with nobody told anything.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := longFeed(t, true)
		a, h := net.Pipe()
		defer h.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := Ask(ctx, a, f.asker, f.cache, f.queue)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestAskerThatLostItsQuestions goes on behind the holder's account, and pays again.
func TestAskerThatLostItsQuestions(t *testing.T) {
	f := longFeed(t, true)
	f.sync().must(t)
	before := f.meter.places
	f.queue.begin()
	f.cache.state, f.cache.set = State{}, nil
	f.sync().must(t)
	f.check()
	if f.meter.places != 2*before {
		t.Errorf("%d places charged, before the loss %d", f.meter.places, before)
	}
}

// TestHolderThatLostItsRecords opens a period whose number no period had before.
func TestHolderThatLostItsRecords(t *testing.T) {
	f := longFeed(t, true)
	f.sync().must(t)
	before := f.cache.state.Period.Index
	f.now.Add(2 * hour / 60) // two minutes
	lost := newShelf(t, f.holder)
	lost.list, lost.secret = f.shelf.list, bytes.Repeat([]byte{6}, SecretSize)
	f.shelf, f.meter.record = lost, nil
	f.sync().must(t)
	f.check()
	if now := f.cache.state.Period.Index; now <= before {
		t.Errorf("period %d after %d", now, before)
	}
}

// TestCacheThatWasAltered: the asker finds it out itself, or the holder by the digest; the
// publication comes again, nothing is asked again.
func TestCacheThatWasAltered(t *testing.T) {
	alter := map[string]func(*memoryCache){
		"found by the asker": func(c *memoryCache) {
			s := c.state
			c.state = State{Signed: s.Signed, Period: s.Period, Known: s.Known}
			c.set = map[Tag]bool{}
		},
		"found by the holder": func(c *memoryCache) { c.state.Mark.Digest[3]++ },
		"half of a publication": func(c *memoryCache) {
			c.state.Blocks, c.state.Mark = 1, Mark{Living: BlockTags, Digest: [32]byte{1}}
		},
	}
	for name, change := range alter {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := longFeed(t, false)
				f.sync().must(t)
				places := f.meter.places
				change(f.cache)
				if name == "half of a publication" { // the digest says so only at its end
					f.cache.state.Last = f.shelf.published[BlockTags-1]
					r := f.sync()
					wantFault(t, r.askErr, wire.Altered)
				}
				r := f.sync().must(t)
				f.check()
				if f.meter.places != places || r.ask.Runs == 0 || r.ask.Blocks == 0 {
					t.Errorf("%d places after %d, %+v", f.meter.places, places, r.ask)
				}
			})
		})
	}
}

func wantFault(t *testing.T, err error, want wire.Code) {
	t.Helper()
	var broke *wire.ProtocolError
	if !errors.As(err, &broke) || broke.Code != want {
		t.Errorf("error is %v, want code %d (%s)", err, want, want)
	}
}
