package standing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entente/protocol/wire"
)

// TestManyStreamsAtOnce: an asker that syncs the same feed over many streams at the same
// time, and breaks them off, gets no place more than one that does not.
func TestManyStreamsAtOnce(t *testing.T) {
	f := newFeed(t, 0)
	f.shelf.list["a"] = true
	f.sync().must(t) // opens the period
	f.meter.limits.Queries = 4 * 64
	f.queue.split = 1
	for i := range 12 {
		f.queue.list[fmt.Sprint(i)] = true
	}
	// Every stream's asker has the same chunks, as after a copy of its node.
	for range 12 {
		f.queue.make()
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			a, h := net.Pipe()
			queue := newQueue(nil)
			queue.chunks = f.queue.chunks
			cache := &memoryCache{state: f.cache.state, set: map[Tag]bool{}, queue: queue}
			for tag := range f.cache.set {
				cache.set[tag] = true
			}
			var both sync.WaitGroup
			both.Go(func() { Ask(t.Context(), cut(9+n, false)(true, a), f.asker, cache, queue) })
			both.Go(func() { Hold(t.Context(), h, f.holder, f.shelf, f.meter, &memoryReceipts{}) })
			both.Wait()
		})
	}
	all.Wait()
	if f.meter.places > 4*64 || f.meter.taken > 4 {
		t.Errorf("%d places in %d chunks", f.meter.places, f.meter.taken)
	}
}

// TestNothingInventedHits: a holder that publishes every tag it has ever computed, in any
// period and feed, makes the asker report nothing that it did not have evaluated here.
func TestNothingInventedHits(t *testing.T) {
	f := newFeed(t, 0)
	f.queue.list["a"] = true
	f.shelf.list["b"] = true
	f.sync().must(t)
	for _, other := range []Inputs{
		NewInputs([32]byte{1}, 0, f.shelf.index), NewInputs(f.holder.Agreement, 1, f.shelf.index), NewInputs(f.holder.Agreement, 0, f.shelf.index+1),
	} {
		input, err := other.Element(Item{"phone", 1, []byte("a")})
		if err != nil {
			t.Fatal(err)
		}
		outputs, err := f.shelf.open.Key.Outputs([][]byte{input})
		if err != nil {
			t.Fatal(err)
		}
		f.shelf.forced = append(f.shelf.forced, EntryOf(outputs[0]).Tag)
	}
	f.shelf.change()
	f.sync().must(t)
	if hits := f.hits(); len(hits) != 0 {
		t.Errorf("hits %v", hits)
	}
}

// slowShelf computes for a long time before it has a period.
type slowShelf struct {
	Shelf
	wait time.Duration
}

func (s slowShelf) Period(ctx context.Context) (Open, error) {
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
		return Open{}, ctx.Err()
	}
	return s.Shelf.Period(ctx)
}

// TestAlive: who computes for minutes says that it is there, so that transports do not end
// the stream; who computes for ever is left.
func TestAlive(t *testing.T) {
	for _, x := range []struct {
		wait time.Duration
		want bool
	}{{10 * time.Minute, true}, {patience + time.Minute, false}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFeed(t, 0)
			a, h := net.Pipe()
			var tp tape
			var both sync.WaitGroup
			var asked, held error
			both.Go(func() { _, asked = Ask(t.Context(), tp.wrap(true, a), f.asker, f.cache, f.queue) })
			both.Go(func() {
				_, held = Hold(t.Context(), tp.wrap(false, h), f.holder, slowShelf{f.shelf, x.wait}, f.meter, f.proofs)
			})
			both.Wait()
			if (asked == nil && held == nil) != x.want {
				t.Errorf("after %s: %v, %v", x.wait, asked, held)
			}
			alive := 0
			for _, fr := range tp.frames {
				if fr.kind == kindAlive {
					alive++
				}
			}
			if alive < int(min(x.wait, patience)/aliveInterval) {
				t.Errorf("%d signs of life in %s", alive, x.wait)
			}
			if !x.want {
				wantFault(t, asked, wire.Stalled)
			}
			a.Close()
			h.Close()
		})
	}
}

// deepShelf has a publication that is computed as it goes, of tags that count up.
type deepShelf struct {
	Shelf
	class uint32
	open  Open
	mark  Mark
}

func (s *deepShelf) Period(context.Context) (Open, error) { return s.open, nil }

func (s *deepShelf) Publication(_ context.Context, _, block uint32) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		for n := block * BlockTags; n < s.class; n++ {
			if !yield(Tag{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, nil) {
				return
			}
		}
	}
}

func (s *deepShelf) Mark(context.Context, uint32, uint32) (Mark, bool, error) {
	return s.mark, true, nil
}

// live returns the bytes that are in use, without garbage.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// countingCache keeps nothing of a publication.
type countingCache struct {
	memoryCache
	peak uint64
}

func (c *countingCache) Block(_ context.Context, b Block) error {
	if b.Index%128 == 0 {
		c.peak = max(c.peak, live())
	}
	c.state.Blocks, c.state.Mark, c.state.Last = b.Index+1, b.Mark, b.Tags[len(b.Tags)-1]
	return nil
}

// TestPublicationStreams: a publication of two million tags takes no memory to speak of on
// either side.
func TestPublicationStreams(t *testing.T) {
	f := newFeed(t, 0)
	f.asker.Tags, f.holder.Tags = MaxTags, MaxTags
	if _, err := f.shelf.Period(t.Context()); err != nil {
		t.Fatal(err)
	}
	blocks := 512
	if testing.Short() { // no more of them run at the same time
		blocks = 64
	}
	s := &deepShelf{Shelf: f.shelf, class: uint32(blocks * BlockTags), open: *f.shelf.open}
	var err error
	if s.mark, err = Published(f.holder.Agreement, 0, 77, s.class, s.Publication(t.Context(), 0, 0)); err != nil {
		t.Fatal(err)
	}
	s.open.Period, s.open.Signed, err = SignPeriod(f.holder, 77, testNow, testNow+hour, s.open.Key.Public(), s.mark)
	if err != nil {
		t.Fatal(err)
	}
	before := live()
	cache := &countingCache{}
	cache.queue = f.queue
	a, h := net.Pipe()
	var both sync.WaitGroup
	var asked, held error
	both.Go(func() { _, asked = Ask(t.Context(), a, f.asker, cache, f.queue) })
	both.Go(func() { _, held = Hold(t.Context(), h, f.holder, s, f.meter, f.proofs) })
	both.Wait()
	if asked != nil || held != nil {
		t.Fatal(asked, held)
	}
	if cache.state.Mark.Digest != s.mark.Digest || cache.state.Blocks != uint32(blocks) {
		t.Errorf("%+v", cache.state.Mark)
	}
	if grown := cache.peak - min(cache.peak, before); grown > 4<<20 {
		t.Errorf("%d KiB more in use", grown>>10)
	}
}

// TestPublishedRefuses a list that no asker would take, before anything is signed.
func TestPublishedRefuses(t *testing.T) {
	up := []Tag{{1}, {2}, {3}}
	failing := func(yield func(Tag, error) bool) { yield(Tag{}, io.ErrUnexpectedEOF) }
	for name, x := range map[string]struct {
		class uint32
		list  iter.Seq2[Tag, error]
	}{
		"short": {4, each(up)}, "long": {2, each(up)}, "twice": {3, each([]Tag{{1}, {1}, {2}})},
		"down": {3, each([]Tag{{2}, {1}, {3}})}, "fails": {3, failing},
	} {
		if _, err := Published([32]byte{}, 0, 1, x.class, x.list); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
	if _, err := Published([32]byte{}, 0, 1, 3, each(up)); err != nil {
		t.Error(err)
	}
}

// TestErrorsSayNothingOfItems: no error of a sync holds an element, in any form.
func TestErrorsSayNothingOfItems(t *testing.T) {
	const planted = "planted-indicator"
	for n := range 24 {
		f := newFeed(t, 0)
		f.shelf.list[planted] = true
		f.queue.list[planted] = true
		f.faults = &faults{after: n%2 == 0}
		f.faults.left.Store(int64(n / 2))
		r := f.sync()
		if err := errors.Join(r.askErr, r.holdErr); err != nil && strings.Contains(err.Error(), planted) {
			t.Errorf("%v", err)
		}
	}
	q := Question{Class: 64, Items: []Item{{Kind: "phone", Element: []byte(strings.Repeat(planted, 1000))}}}
	if _, err := q.inputs(NewInputs([32]byte{}, 0, 1)); err == nil || strings.Contains(err.Error(), planted) {
		t.Errorf("%v", err)
	}
}

// TestSessionsThatNobodyAgreedOn and questions that must not go out are refused at home.
func TestOwnFaults(t *testing.T) {
	for name, change := range map[string]func(*Session){
		"feed": func(s *Session) { s.Feed = 2 }, "side": func(s *Session) { s.Asker = !s.Asker }, "key": func(s *Session) { s.Key = nil },
		"peer": func(s *Session) { s.PeerKey = nil }, "clock": func(s *Session) { s.Now = nil }, "period": func(s *Session) { s.PeriodSeconds = 0 },
		"tags": func(s *Session) { s.Tags = MaxTags + 1 }, "cadence": func(s *Session) { s.Cadence = 0 },
	} {
		f := newFeed(t, 0)
		change(&f.asker)
		change(&f.holder)
		if r := f.sync(); r.askErr == nil || r.holdErr == nil {
			t.Errorf("%s: %v, %v", name, r.askErr, r.holdErr)
		}
	}
	for name, change := range map[string]func(*Question){
		"class": func(q *Question) { q.Class = 65 }, "large": func(q *Question) { q.Class = 1280 },
		"urgent": func(q *Question) { q.Urgent, q.Class = true, 128 }, "number": func(q *Question) { q.Number = 5 },
		"items":   func(q *Question) { q.Items = make([]Item, 65) },
		"kind":    func(q *Question) { q.Items = []Item{{Kind: "email", Version: 1, Element: []byte{1}}} },
		"version": func(q *Question) { q.Items = []Item{{Kind: "phone", Version: 2, Element: []byte{1}}} },
		"element": func(q *Question) { q.Items = []Item{{Kind: "phone", Version: 1}} },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFeed(t, 0)
			f.queue.list["a"] = true
			f.sync().must(t)
			f.queue.list["b"] = true
			f.queue.make()
			change(&f.queue.chunks[1])
			r := f.sync()
			var heard *wire.PeerError
			if r.askErr == nil || !errors.As(r.holdErr, &heard) || heard.Code != wire.Internal {
				t.Errorf("%s: %v, %v", name, r.askErr, r.holdErr)
			}
			if f.meter.taken != 1 {
				t.Errorf("%s: it went out", name)
			}
		})
	}
}
