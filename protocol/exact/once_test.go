package exact

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"entente/protocol/wire"
)

// workbook counts how often each chunk of a side's own work is worked out.
type workbook struct {
	mu    sync.Mutex
	times map[int]int
}

func (w *workbook) note(index int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.times == nil {
		w.times = make(map[int]int)
	}
	w.times[index]++
}

// check fails the test unless each of n chunks was worked out as often as stated.
func (w *workbook) check(t *testing.T, what string, n, times int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range n {
		if w.times[i] != times {
			t.Errorf("%s: chunk %d was worked out %d times, want %d", what, i, w.times[i], times)
		}
	}
	if len(w.times) > n {
		t.Errorf("%s: %d chunks, want %d", what, len(w.times), n)
	}
}

// watched is the suite with a workbook.
func watched(su Suite, w *workbook) Suite {
	switch v := su.(type) {
	case oprfSuite:
		v.worked = w.note
		return v
	case countSuite:
		v.worked = w.note
		return v
	}
	return su
}

// forgetful is the party without anything that came in.
func (p party) forgetful() party {
	p.journal = p.journal.copied()
	delete(p.journal.records, "answers")
	delete(p.journal.records, "tags")
	return p
}

// cutAfter cuts the stream of a rig after a number of frames of both sides.
func cutAfter(frames int64) func(role, net.Conn) io.ReadWriter {
	var left atomic.Int64
	left.Store(frames)
	return func(_ role, c net.Conn) io.ReadWriter { return cutter{c, &left, frames%2 == 0} }
}

// A receiver that always says that it has nothing, and breaks off at all moments, gets each
// chunk evaluated and proved once.
func TestNoChunkIsEvaluatedTwice(t *testing.T) {
	for name, c := range cases() {
		if c.about.mutual {
			continue // once it has returned, it cannot say that it has nothing
		}
		t.Run(name, func(t *testing.T) {
			var w workbook
			g := rig{suite: c.suite, senders: watched(c.suite, &w)}
			g.r, g.s = agree(t, g.suite, c.about)
			for frames := int64(2); ; frames += 2 {
				g.r = g.r.forgetful()
				g.wrap = cutAfter(frames)
				if frames > 100 {
					t.Fatal("no end")
				}
				if e := g.run(t.Context()); e.rerr == nil && e.serr == nil {
					checkWhole(t, g, e)
					break
				}
			}
			w.check(t, name, 4, 1)
			var tp [2]tape
			for i := range tp {
				g.r, g.wrap = g.r.forgetful(), tp[i].wrap
				checkWhole(t, g, g.run(t.Context()).must(t))
			}
			w.check(t, name+", complete", 4, 1)
			// Proofs are random: the same ones are the old ones.
			a, b := tp[0].of(kindAnswers), tp[1].of(kindAnswers)
			if len(a) != 4 || !slices.EqualFunc(a, b, bytes.Equal) {
				t.Errorf("%d and %d answers, or not the same", len(a), len(b))
			}
		})
	}
}

// Answers come out of the journal, not out of the questions again.
func TestAnswersAreNotMadeFromOldQuestions(t *testing.T) {
	for name, c := range cases() {
		if c.about.mutual {
			continue
		}
		g := rig{suite: c.suite}
		g.r, g.s = agree(t, g.suite, c.about)
		g.run(t.Context()).must(t)
		for i, q := range g.s.journal.records["questions"] {
			g.s.journal.records["questions"][i] = bytes.Repeat([]byte{0xff}, len(q))
		}
		g.r = g.r.forgetful()
		e := g.run(t.Context())
		if e.rerr != nil || e.serr != nil {
			t.Errorf("%s: %v, %v", name, e.rerr, e.serr)
			continue
		}
		checkWhole(t, g, e)
	}
}

// A sender of a count that always says that it has no question does not get them masked
// again either.
func TestNoQuestionOfACountIsMaskedTwice(t *testing.T) {
	var w workbook
	su := smallCount()
	g := rig{suite: watched(su, &w), senders: su}
	g.r, g.s = agree(t, su, terms{receives: span(0, 50), sends: span(20, 110)})
	g.wrap = cutAfter(8)
	g.run(t.Context())
	for range 3 {
		g.wrap = func(side role, c net.Conn) io.ReadWriter {
			if side == receiver {
				return c
			}
			return tapped{c, side, nil, edit(kindStart, 0, func(b []byte) []byte { return set(len(b)-2, 0, 0)(b) })}
		}
		g.run(t.Context())
	}
	g.wrap = nil
	checkWhole(t, g, g.run(t.Context()).must(t))
	w.check(t, "questions", 4, 1)
}

// What has cost work is in the journal when the first byte of it leaves, and the noise
// before anything at all leaves: a process that is killed then has lost nothing.
func TestWorkIsDurableBeforeItIsSent(t *testing.T) {
	for name, c := range cases() {
		g := rig{suite: c.suite}
		g.r, g.s = agree(t, g.suite, c.about)
		seen := make(map[wire.Kind]int)
		holds := func(p party, record string, i int, content []byte) bool {
			p.journal.mu.Lock()
			defer p.journal.mu.Unlock()
			all := p.journal.records[record]
			return i < len(all) && (content == nil || bytes.Equal(all[i], content))
		}
		var mu sync.Mutex
		g.wrap = func(side role, conn net.Conn) io.ReadWriter {
			return tapped{conn, side, nil, func(f frame) []frame {
				mu.Lock()
				defer mu.Unlock()
				i := seen[f.kind]
				seen[f.kind]++
				ok := true
				switch {
				case f.kind == kindStart && side == sender && c.about.epsilon > 0:
					ok = holds(g.s, noiseRecord, 0, nil)
				case f.kind == kindAnswers:
					ok = holds(g.s, "answers", i, f.body[indexSize:])
				case f.kind == kindQuestions && g.suite.Name() == nameCount:
					ok = holds(g.r, "questions", i, f.body[indexSize:])
				}
				if !ok {
					t.Errorf("%s: frame %d of kind %d left before it was durable", name, i, f.kind)
				}
				return []frame{f}
			}}
		}
		g.run(t.Context()).must(t)
		if seen[kindAnswers] != 4 || seen[kindQuestions] != 4 {
			t.Errorf("%s: %v", name, seen)
		}
	}
}

// Bad questions are found once: they stand in the journal for good, so that finding them
// again would cost the chunks around them each time.
func TestAFaultInQuestionsIsFinal(t *testing.T) {
	for name, c := range map[string]struct {
		suite  Suite
		change func([]byte) []byte
		want   wire.Code
	}{
		"oprf, point":  {smallOPRF(), set(item0, make([]byte, elementSize)...), wire.BadPoint},
		"count, point": {smallCount(), set(item0, make([]byte, elementSize)...), wire.BadPoint},
		"count, twice": {smallCount(), func(b []byte) []byte { return set(item1, b[item0:item1]...)(b) }, wire.Malformed},
	} {
		var w workbook
		g := rig{suite: c.suite, senders: watched(c.suite, &w)}
		g.r, g.s = agree(t, g.suite, terms{receives: span(0, 60), sends: span(0, 60)})
		g.wrap = func(side role, conn net.Conn) io.ReadWriter {
			if side == sender {
				return conn
			}
			return tapped{conn, side, nil, edit(kindQuestions, 0, c.change)}
		}
		g.run(t.Context())
		before := len(w.times)
		for range 3 {
			g.r = g.r.forgetful()
			e := g.run(t.Context())
			var p *wire.ProtocolError
			if !errors.As(e.serr, &p) || p.Code != c.want {
				t.Errorf("%s: %v, want code %d", name, e.serr, c.want)
			}
			var q *wire.PeerError
			if !errors.As(e.rerr, &q) || q.Code != c.want {
				t.Errorf("%s: the culprit hears %v", name, e.rerr)
			}
		}
		if len(w.times) != before {
			t.Errorf("%s: %d chunks were worked out after the fault", name, len(w.times)-before)
		}
	}
}

// What breaks the order of frames is no fault of questions: the run can go on. It was taken
// for one if it came while answers were worked out.
func TestAFaultOfTheStreamIsNotFinal(t *testing.T) {
	for name, c := range cases() {
		if c.about.mutual {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			told, once := make(chan struct{}), sync.Once{}
			su := c.suite
			switch v := su.(type) {
			case oprfSuite:
				v.worked = func(int) { <-told }
				su = v
			case countSuite:
				v.worked = func(int) { <-told }
				su = v
			}
			g := rig{suite: c.suite, senders: su}
			g.r, g.s = agree(t, c.suite, c.about)
			g.wrap = func(side role, conn net.Conn) io.ReadWriter {
				if side == receiver { // a second Start while the first answer is worked out
					return tapped{conn, side, nil, func(f frame) []frame {
						if f.kind == kindQuestions && f.body[3] == 0 {
							return []frame{f, {f.from, kindStart, []byte{0}}}
						}
						return []frame{f}
					}}
				}
				return tapped{conn, side, nil, func(f frame) []frame {
					if f.kind == wire.KindError {
						once.Do(func() { close(told) })
					}
					return []frame{f}
				}}
			}
			var p *wire.ProtocolError
			if e := g.run(t.Context()); !errors.As(e.serr, &p) || p.Code != wire.Unexpected {
				t.Errorf("%s: %v", name, e.serr)
			}
			g.wrap, g.senders = nil, nil
			checkWhole(t, g, g.run(t.Context()).must(t))
		})
	}
}

func TestCheckPublic(t *testing.T) {
	_, good, err := smallOPRF().NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	_, counts, err := smallCount().NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		public      []byte
		oprf, count wire.Code // 0: accepted
	}{
		"good":          {good, 0, 0},
		"of a count":    {counts, 0, 0},
		"none":          {nil, wire.BadPoint, wire.Malformed},
		"short":         {good[:31], wire.BadPoint, wire.Malformed},
		"long":          {append(bytes.Clone(good), 0), wire.BadPoint, wire.Malformed},
		"two":           {append(bytes.Clone(good), good...), wire.BadPoint, wire.Malformed},
		"identity":      {make([]byte, 32), wire.BadPoint, wire.Malformed},
		"not canonical": {bytes.Repeat([]byte{0xff}, 32), wire.BadPoint, wire.Malformed},
		"negative":      {append([]byte{1}, make([]byte, 31)...), wire.BadPoint, wire.Malformed},
	} {
		for suite, want := range map[string]wire.Code{nameOPRF: c.oprf, nameCount: c.count, "vole": wire.UnsupportedVersion, "": wire.UnsupportedVersion} {
			err := CheckPublic(suite, c.public)
			var p *wire.ProtocolError
			if errors.As(err, &p); err != nil != (want != 0) || p != nil != (want != 0) || p != nil && p.Code != want {
				t.Errorf("%s, %q: %v, want code %d", name, suite, err, want)
			}
		}
	}
}

// A run with a key that should not have been agreed on blames the peer, and tells it.
func TestARunReportsABadKey(t *testing.T) {
	for _, su := range []Suite{smallOPRF(), smallCount()} {
		for name, public := range map[string][]byte{"none": nil, "short": make([]byte, 31), "identity": make([]byte, 32), "not canonical": bytes.Repeat([]byte{0xff}, 32)} {
			r, _ := agree(t, su, terms{receives: span(0, 5)})
			r.session.PeerPublic = public
			a, b := net.Pipe()
			heard := make(chan error, 1)
			go func() {
				conn := wire.NewConn(b)
				any := func(wire.Kind) (uint32, bool) { return wire.MaxChunk, true }
				_, _, err := conn.Receive(any)
				if err == nil {
					err = conn.SendBytes(kindStart, nil)
				}
				if err == nil {
					_, _, err = conn.Receive(any)
				}
				b.Close()
				heard <- err
			}()
			_, err := su.Receive(t.Context(), a, r.session, r.set, r.journal, nil)
			want := wire.BadPoint
			if su.Name() == nameCount {
				want = wire.Malformed
			}
			var p *wire.ProtocolError
			if !errors.As(err, &p) || p.Code != want {
				t.Errorf("%s, %s: %v, want code %d", su.Name(), name, err, want)
			}
			var q *wire.PeerError
			if err := <-heard; !errors.As(err, &q) || q.Code != want {
				t.Errorf("%s, %s: the peer hears %v", su.Name(), name, err)
			}
		}
	}
}

// The work on the own list is that of the class, whatever it holds and whatever the noise.
func TestOwnWorkIsThatOfTheClass(t *testing.T) {
	for _, n := range []int{0, 1, 13, 500} {
		for _, dummies := range []int{0, 3, 28} {
			d := &side{suite: suite{name: nameCount, divide: 2}, set: span(0, n), size: n, inputs: newInputs(nameCount, &Session{Kind: "phone"}),
				root: root{make([]byte, 32)}, session: Session{Sender: 640}, diary: &diary{journal: new(MemoryJournal)}}
			o := newOwnList(d, TagSize, dummies)
			if err := o.restore(t.Context()); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var sizes []int
			kinds, seen := make(map[byte]int), make(map[string]bool)
			err := o.compute(t.Context(), func(inputs [][]byte) ([]byte, error) {
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, len(inputs))
				for _, in := range inputs {
					kinds[in[len("xxentente/exact/input/1/")]]++
					seen[string(in)] = true
				}
				return make([]byte, len(inputs)*TagSize), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(sizes)
			if have, err := o.count(t.Context()); err != nil || have != 2 || !slices.Equal(sizes, []int{128, 512}) || len(seen) != 640 {
				t.Errorf("%d items, %d dummies: batches of %v, %d inputs, %d records, %v", n, dummies, sizes, len(seen), have, err)
			}
			if kinds['e'] != n || kinds['d'] != dummies || kinds['p'] != 640-n-dummies {
				t.Errorf("%d items, %d dummies: %v", n, dummies, kinds)
			}
		}
	}
}
