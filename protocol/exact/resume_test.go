package exact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"entente/protocol/tags"
	"entente/protocol/wire"
)

// meter checks what progress says over several attempts.
type meter struct {
	t     *testing.T
	done  [3]int64 // last figure of each role
	first [3]int64 // first figure of this attempt; -1: none yet
	total [3]int64
}

func (m *meter) begin() { m.first = [3]int64{-1, -1, -1} }

func (m *meter) tell(side role, done, total int64) {
	if done < m.done[side] || done > total || m.total[side] > 0 && m.total[side] != total {
		m.t.Errorf("%s: %d of %d after %d of %d", side, done, total, m.done[side], m.total[side])
	}
	if m.first[side] < 0 {
		m.first[side] = done
	}
	m.done[side], m.total[side] = done, total
}

// same fails the test if a result is not that of an undisturbed run, bytes aside.
func same(t *testing.T, what string, got, want Result) {
	t.Helper()
	got.BytesSent, got.BytesReceived = want.BytesSent, want.BytesReceived
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, undisturbed %+v", what, got, want)
	}
}

// cases are the runs that are disturbed.
func cases() map[string]struct {
	suite Suite
	about terms
} {
	return map[string]struct {
		suite Suite
		about terms
	}{
		"oprf":    {smallOPRF(), terms{mutual: true, receives: span(0, 50), sends: span(20, 110)}},
		"one way": {smallOPRF(), terms{receives: span(0, 50), sends: span(20, 110)}},
		"rfc9497": {smallRFC(), terms{receives: span(0, 50), sends: span(20, 110)}},
		"count":   {smallCount(), terms{epsilon: 4000, receives: span(0, 50), sends: span(20, 110)}},
	}
}

// payload is the length of all chunks that were written, as progress counts them.
func payload(p plan, frames []frame) (n int64) {
	for _, f := range frames {
		for _, flow := range p {
			if f.kind == flow.kind {
				index := int(binary.BigEndian.Uint32(f.body))
				n += flow.upTo(index+1) - flow.upTo(index)
			}
		}
	}
	return n
}

// planOf is the shape of a rig's runs.
func planOf(g rig) plan {
	s := g.r.session
	return newPlan(g.suite.Name(), s.Receiver, s.Sender, s.Mutual, 64)
}

// A run is cut after every number of frames, also inside the next one, and resumed once.
func TestResumeAfterACutAtEveryFrame(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			g := rig{suite: c.suite}
			g.r, g.s = agree(t, g.suite, c.about)
			for frames := int64(0); ; frames++ {
				whole := cutOnce(t, g, frames, true)
				if c.about.mutual {
					cutOnce(t, g, frames, false)
				}
				if whole {
					if frames < 12 {
						t.Errorf("only %d frames were cut", frames)
					}
					return
				}
			}
		})
	}
}

// cutOnce reports that a run needs no more than the frames allowed.
func cutOnce(t *testing.T, g rig, frames int64, half bool) (whole bool) {
	m := &meter{t: t}
	g.r, g.s = g.r.fresh(), g.s.fresh()
	g.progress = m.tell
	var left atomic.Int64
	left.Store(frames)
	g.wrap = func(_ role, c net.Conn) io.ReadWriter { return cutter{c, &left, half} }
	m.begin()
	e := g.run(t.Context())
	whole = e.rerr == nil && e.serr == nil
	if !whole {
		checkCut(t, e)
	}
	var again tape
	g.wrap = again.wrap
	m.begin()
	e = g.run(t.Context()).must(t)
	checkWhole(t, g, e)
	for _, side := range []role{receiver, sender} {
		if m.done[side] != m.total[side] {
			t.Errorf("after %d frames, %s ended with %d of %d", frames, side, m.done[side], m.total[side])
		}
		// What was to come when the second attempt began is what then came.
		if rest, came := m.total[side]-m.first[side], payload(planOf(g), again.frames); rest != came {
			t.Errorf("after %d frames, %s announced %d bytes, %d came", frames, side, rest, came)
		}
	}
	return whole
}

// checkCut looks at the errors of a run whose stream was cut: nobody is blamed.
func checkCut(t *testing.T, e ends) {
	t.Helper()
	for _, err := range []error{e.rerr, e.serr} {
		var p *wire.ProtocolError
		var q *wire.PeerError
		if errors.As(err, &p) || errors.As(err, &q) || errors.Is(err, ErrChanged) {
			t.Errorf("a cut became %v", err)
		}
	}
}

// checkWhole compares a run with the plain intersection, and its bytes across sides.
func checkWhole(t *testing.T, g rig, e ends) {
	t.Helper()
	if g.suite.Name() == nameCount {
		if want := noisyCount(t, g); e.r.Count != want {
			t.Errorf("count %d, want %d", e.r.Count, want)
		}
		return
	}
	if g.r.session.Mutual {
		checkHits(t, g, e)
	} else if !slices.Equal(e.r.Positions, overlap(g.r.set, g.s.set)) {
		t.Errorf("%d hits", len(e.r.Positions))
	}
}

// Every attempt gets a few frames further, many times over, until the run is through.
func TestResumeManyTimes(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			g := rig{suite: c.suite}
			g.r, g.s = agree(t, g.suite, c.about)
			base := rig{suite: c.suite, r: g.r.fresh(), s: g.s.fresh()}
			want := base.run(t.Context()).must(t)
			m := &meter{t: t}
			g.progress = m.tell
			for attempt := 1; ; attempt++ {
				var left atomic.Int64
				left.Store(5)
				g.wrap = func(_ role, c net.Conn) io.ReadWriter { return cutter{c, &left, attempt%2 == 0} }
				m.begin()
				e := g.run(t.Context())
				if e.rerr == nil && e.serr == nil {
					checkWhole(t, g, e)
					if c.about.epsilon == 0 {
						same(t, "receiver", e.r, want.r)
						same(t, "sender", e.s, want.s)
					}
					if e.r.BytesSent < want.r.BytesSent || e.s.BytesReceived < want.s.BytesReceived {
						t.Errorf("bytes of the attempts before were forgotten: %+v", e.r)
					}
					if attempt < 3 {
						t.Errorf("only %d attempts", attempt)
					}
					return
				}
				if attempt > 60 {
					t.Fatalf("no end: %v, %v", e.rerr, e.serr)
				}
			}
		})
	}
}

// A run that is through can be asked again: the partner may have missed the end.
func TestResumeAfterTheEnd(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			g := rig{suite: c.suite}
			g.r, g.s = agree(t, g.suite, c.about)
			first := g.run(t.Context()).must(t)
			var again tape
			g.wrap = again.wrap
			second := g.run(t.Context()).must(t)
			same(t, "receiver", second.r, first.r)
			same(t, "sender", second.s, first.s)
			if n := payload(planOf(g), again.frames); n != 0 {
				t.Errorf("%d bytes came again", n)
			}
			if len(again.frames) != 4 {
				t.Errorf("%d frames, expected Start and Done of both", len(again.frames))
			}
		})
	}
}

// What a side sends depends on its secret, agreement and list alone: a retry is identical,
// another list or agreement has nothing in common with it.
func TestARetryIsIdenticalAndAChangeIsAnother(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			g := rig{suite: c.suite}
			g.r, g.s = agree(t, g.suite, c.about)
			record := func(g rig) map[wire.Kind][][]byte {
				var tp tape
				g.wrap = tp.wrap
				// The dummies are drawn once a journal: a retry without journal is not one.
				noise := g.s.journal.records[noiseRecord]
				g.r, g.s = g.r.fresh(), g.s.fresh()
				if noise != nil {
					g.s.journal.records = map[string][][]byte{noiseRecord: noise}
				}
				g.run(t.Context()).must(t)
				return map[wire.Kind][][]byte{kindQuestions: tp.of(kindQuestions), kindTags: tp.of(kindTags), kindReturns: tp.of(kindReturns)}
			}
			g.run(t.Context()).must(t)
			base := record(g)
			if again := record(g); !reflect.DeepEqual(again, base) {
				t.Error("a retry sent other bytes")
			}
			list := g
			list.r.set = append(slices.Clone(g.r.set[:len(g.r.set)-1]), element(999))
			agreement := g
			agreement.r.session.Agreement[0]++
			agreement.s.session.Agreement[0]++
			run := g
			run.r.session.Run++
			run.s.session.Run++
			for what, other := range map[string]rig{"list": list, "agreement": agreement, "run": run} {
				if n := shared(base[kindQuestions], record(other)[kindQuestions], elementSize); n > 0 {
					t.Errorf("another %s: %d questions in common", what, n)
				}
			}
			listed := record(agreement)[kindTags]
			p := planOf(g)
			if n := sharedTags(t, p, base[kindTags], listed); n > 0 {
				t.Errorf("another agreement: %d tags in common", n)
			}
			if n := sharedTags(t, p, base[kindTags], base[kindTags]); n != g.s.session.Sender {
				t.Errorf("the control has %d tags in common", n)
			}
		})
	}
}

// decoded returns the tags of all Tags frames of a run.
func decoded(t *testing.T, p plan, bodies [][]byte) (list []tags.Tag) {
	t.Helper()
	r := tagReceiver{flow: p[listed]}
	for i, body := range bodies {
		block, err := r.take(i, body[indexSize:])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, block...)
	}
	return list
}

func sharedTags(t *testing.T, p plan, a, b [][]byte) (n int) {
	t.Helper()
	seen := make(map[tags.Tag]bool)
	for _, tag := range decoded(t, p, a) {
		seen[tag] = true
	}
	for _, tag := range decoded(t, p, b) {
		if seen[tag] {
			n++
		}
	}
	return n
}

// shared counts the items that two flows have in common.
func shared(a, b [][]byte, size int) (n int) {
	seen := make(map[string]bool)
	for _, chunk := range a {
		for item := range slices.Chunk(chunk[indexSize:], size) {
			seen[string(item)] = true
		}
	}
	for _, chunk := range b {
		for item := range slices.Chunk(chunk[indexSize:], size) {
			if seen[string(item)] {
				n++
			}
		}
	}
	return n
}

func TestAJournalServesOneRunOnly(t *testing.T) {
	for name, c := range cases() {
		g := rig{suite: c.suite}
		g.r, g.s = agree(t, g.suite, c.about)
		g.run(t.Context()).must(t)
		for what, change := range map[string]func(*party){
			"agreement": func(p *party) { p.session.Agreement[31]++ },
			"list":      func(p *party) { p.set = p.set[1:] },
			"item":      func(p *party) { p.set = slices.Clone(p.set); p.set[0] = append(bytes.Clone(p.set[0]), '!') },
			"class":     func(p *party) { p.session.Sender = wire.SizeClass(p.session.Sender + 1) },
			"version":   func(p *party) { p.session.Version++ },
			"kind":      func(p *party) { p.session.Kind = "document" },
			"run":       func(p *party) { p.session.Run++ },
		} {
			r, s := g.r, g.s
			change(&r)
			change(&s)
			a, b := net.Pipe()
			_, rerr := g.suite.Receive(t.Context(), a, r.session, r.set, r.journal, nil)
			_, serr := g.suite.Send(t.Context(), b, s.session, s.set, s.journal, nil)
			if !errors.Is(rerr, ErrChanged) || !errors.Is(serr, ErrChanged) {
				t.Errorf("%s, other %s: %v, %v", name, what, rerr, serr)
			}
		}
		// The sides of a run do not mix either.
		a, _ := net.Pipe()
		if _, err := g.suite.Send(t.Context(), a, g.r.session, g.r.set, g.r.journal, nil); !errors.Is(err, ErrChanged) {
			t.Errorf("%s, other role: %v", name, err)
		}
	}
}
