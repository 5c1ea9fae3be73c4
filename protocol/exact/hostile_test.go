package exact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"entente/crypto/oprf"
	"entente/protocol/wire"
)

// hostile changes what one side sends; the other side must find out.
type hostile struct {
	from   role
	change func(frame) []frame
	want   wire.Code
}

// edit changes the bodies of one kind: the n-th of it, or each if n is negative.
func edit(kind wire.Kind, n int, change func(body []byte) []byte) func(frame) []frame {
	seen := 0
	return func(f frame) []frame {
		if f.kind != kind {
			return []frame{f}
		}
		if seen++; n >= 0 && seen != n+1 {
			return []frame{f}
		}
		f.body = change(f.body)
		return []frame{f}
	}
}

// before puts a frame before the n-th of a kind.
func before(kind wire.Kind, n int, extra frame) func(frame) []frame {
	seen := 0
	return func(f frame) []frame {
		if f.kind != kind {
			return []frame{f}
		}
		if seen++; seen != n+1 {
			return []frame{f}
		}
		extra.from = f.from
		return []frame{extra, f}
	}
}

func set(at int, with ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], with)
		return b
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
}

func swap(a, b, size int) func([]byte) []byte {
	return func(body []byte) []byte {
		out := bytes.Clone(body)
		copy(out[a:a+size], body[b:b+size])
		copy(out[b:b+size], body[a:a+size])
		return out
	}
}

func shorter(b []byte) []byte { return b[:len(b)-1] }
func longer(b []byte) []byte  { return append(bytes.Clone(b), 0) }

// chunkOf is a chunk of tags of a list of 112 in which all tags have the upper part of the
// one before them: first those with the lower parts stated, then others that ascend.
func chunkOf(index int, lower ...uint64) []byte {
	const low = 80 - 7
	count := min(64, 112-64*index)
	text := strings.Repeat("1", count)
	for i := range count {
		v := uint64(1000 + i)
		if i < len(lower) {
			v = lower[i]
		}
		text += fmt.Sprintf("%0*b", low, v)
	}
	return encodeChunk(index, packed(text))
}

// packed are the bytes that a text of zeros and ones stands for, filled up with zeros.
func packed(text string) []byte {
	b := make([]byte, (len(text)+7)/8)
	for i, c := range text {
		b[i/8] |= byte(c-'0') << (7 - i%8)
	}
	return b
}

const (
	item0 = indexSize               // first item of a chunk of elements
	item1 = indexSize + elementSize // second
)

// inBoth are the faults that both suites find alike.
func inBoth() map[string]hostile {
	zero := make([]byte, elementSize)
	high := bytes.Repeat([]byte{0xff}, elementSize)
	return map[string]hostile{
		"start: other session":       {sender, edit(kindStart, 0, flip(6)), wire.Altered},
		"start: other session, back": {receiver, edit(kindStart, 0, flip(30)), wire.Altered},
		"start: own role":            {sender, edit(kindStart, 0, set(1, byte(receiver))), wire.Unexpected},
		"start: no role":             {receiver, edit(kindStart, 0, set(1, 9)), wire.Unexpected},
		"start: too many questions":  {sender, edit(kindStart, 0, func(b []byte) []byte { return set(len(b)-2, 23)(b) }), wire.Malformed},
		"start: answers unasked":     {receiver, edit(kindStart, 0, func(b []byte) []byte { return set(len(b)-2, 1)(b) }), wire.UnknownRound},
		"start: huge count":          {sender, edit(kindStart, 0, func(b []byte) []byte { return append(bytes.Clone(b[:len(b)-1]), 0x1a, 0xff, 0xff, 0xff, 0xff) }), wire.Malformed},
		"start: trailing byte":       {receiver, edit(kindStart, 0, longer), wire.Malformed},
		"start: short":               {receiver, edit(kindStart, 0, shorter), wire.Malformed},
		"start: not shortest form":   {sender, edit(kindStart, 0, func(b []byte) []byte { return append(bytes.Clone(b[:len(b)-1]), 0x18, 0) }), wire.Malformed},
		"start: over its cap":        {sender, edit(kindStart, 0, func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, maxStart)...) }), wire.TooLarge},
		"start: twice": {sender, func() func(frame) []frame {
			return func(f frame) []frame {
				if f.kind == kindStart {
					return []frame{f, f}
				}
				return []frame{f}
			}
		}(), wire.Unexpected},
		"start: missing":        {receiver, before(kindStart, 0, frame{kind: kindProgress, body: []byte{0x82, 0, 0}}), wire.Unexpected},
		"progress: beyond sent": {receiver, before(kindQuestions, 0, frame{kind: kindProgress, body: []byte{0x82, 4, 0}}), wire.Malformed},
		"progress: not there":   {sender, before(kindTags, 0, frame{kind: kindProgress, body: []byte{0x82, 0, 5}}), wire.Malformed},
		"progress: back": {sender, func(f frame) []frame {
			if f.kind != kindProgress {
				return []frame{f}
			}
			return []frame{{f.from, f.kind, []byte{0x82, 1, 0}}, {f.from, f.kind, []byte{0x82, 0, 0}}}
		}, wire.Malformed},
		"progress: not CBOR":        {sender, edit(kindProgress, 0, set(0, 0xff)), wire.Malformed},
		"progress: three numbers":   {sender, edit(kindProgress, 0, func(b []byte) []byte { return append([]byte{0x83, 0}, b[1:]...) }), wire.Malformed},
		"unknown kind":              {sender, before(kindAnswers, 0, frame{kind: 99}), wire.Unexpected},
		"flow of the other side":    {sender, before(kindAnswers, 0, frame{kind: kindQuestions, body: make([]byte, 600)}), wire.Unexpected},
		"done early":                {receiver, before(kindQuestions, 2, frame{kind: kindDone}), wire.Unexpected},
		"done early, sender":        {sender, before(kindTags, 1, frame{kind: kindDone}), wire.Unexpected},
		"done with body":            {receiver, edit(kindDone, 0, longer), wire.TooLarge},
		"question: identity":        {receiver, edit(kindQuestions, 1, set(item0, zero...)), wire.BadPoint},
		"question: not canonical":   {receiver, edit(kindQuestions, 3, set(item1, high...)), wire.BadPoint},
		"question: short":           {receiver, edit(kindQuestions, 0, shorter), wire.Malformed},
		"question: empty":           {receiver, edit(kindQuestions, 0, func([]byte) []byte { return nil }), wire.Malformed},
		"question: long":            {receiver, edit(kindQuestions, 0, longer), wire.TooLarge},
		"question: other place":     {receiver, edit(kindQuestions, 1, set(0, 0, 0, 0, 0)), wire.Malformed},
		"question: one too many":    {receiver, before(kindDone, 0, frame{kind: kindQuestions, body: make([]byte, indexSize+16*elementSize)}), wire.Malformed},
		"answer: identity":          {sender, edit(kindAnswers, 0, set(item1, zero...)), wire.BadPoint},
		"answer: not canonical":     {sender, edit(kindAnswers, 2, set(item0, high...)), wire.BadPoint},
		"answer: short":             {sender, edit(kindAnswers, 1, shorter), wire.Malformed},
		"answer: long":              {sender, edit(kindAnswers, 0, longer), wire.TooLarge},
		"answer: other place":       {sender, edit(kindAnswers, 0, set(3, 1)), wire.Malformed},
		"answer: one too many":      {sender, before(kindDone, 0, frame{kind: kindAnswers, body: make([]byte, indexSize+16*elementSize)}), wire.Malformed},
		"tags: beyond the largest":  {sender, edit(kindTags, 0, set(indexSize, make([]byte, 24)...)), wire.Malformed},
		"tags: no unary part":       {sender, edit(kindTags, 0, func(b []byte) []byte { return make([]byte, len(b)) }), wire.Malformed},
		"tags: the same twice":      {sender, edit(kindTags, 0, func(b []byte) []byte { return chunkOf(0, 5, 5) }), wire.Malformed},
		"tags: down":                {sender, edit(kindTags, 0, func(b []byte) []byte { return chunkOf(0, 5, 4) }), wire.Malformed},
		"tags: down between chunks": {sender, edit(kindTags, 1, func(b []byte) []byte { return chunkOf(1, 0) }), wire.Malformed},
		"tags: short":               {sender, edit(kindTags, 0, shorter), wire.Malformed},
		"tags: empty":               {sender, edit(kindTags, 0, func(b []byte) []byte { return b[:indexSize] }), wire.Malformed},
		"tags: long":                {sender, edit(kindTags, 0, longer), wire.Malformed},
		"tags: over the cap":        {sender, edit(kindTags, 0, func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, 200)...) }), wire.TooLarge},
		"tags: one chunk too many":  {sender, before(kindDone, 0, frame{kind: kindTags, body: append([]byte{0, 0, 0, 2}, bytes.Repeat([]byte{0xff}, 500)...)}), wire.Malformed},
	}
}

// expose runs one hostile change and checks what its victim says, to its caller and to the
// hostile side.
func expose(t *testing.T, name string, su Suite, about terms, h hostile) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { // also finds goroutines that are left behind
		g := rig{suite: su}
		g.r, g.s = agree(t, su, about)
		var victims tape
		g.wrap = func(side role, c net.Conn) io.ReadWriter {
			if side == h.from {
				return tapped{c, side, nil, h.change}
			}
			return victims.wrap(side, c)
		}
		e := g.run(t.Context())
		victim, culprit := e.rerr, e.serr
		if h.from == receiver {
			victim, culprit = e.serr, e.rerr
		}
		var p *wire.ProtocolError
		if !errors.As(victim, &p) || p.Code != h.want {
			t.Errorf("%s, %s: %v, want code %d", su.Name(), name, victim, h.want)
		}
		var q *wire.PeerError
		if errors.As(culprit, &q) && q.Code != h.want {
			t.Errorf("%s, %s: the culprit hears %v, want code %d", su.Name(), name, culprit, h.want)
		}
		if culprit == nil && len(victims.of(kindDone)) == 0 {
			t.Errorf("%s, %s: the culprit hears nothing", su.Name(), name)
		}
	})
}

func TestHostilePeers(t *testing.T) {
	for _, su := range []Suite{smallOPRF(), smallCount()} {
		about := terms{receives: span(0, 60), sends: span(0, 100)}
		for name, h := range inBoth() {
			expose(t, name, su, about, h)
		}
	}
}

func TestHostilePeersOfOPRF(t *testing.T) {
	other, err := oprf.DeriveKey(oprf.Batched, make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	proofAt := indexSize + 16*elementSize
	var question []byte // of the receiver, for a sender that answers with another key
	foreign := func(f frame) []frame {
		if f.kind != kindAnswers {
			return []frame{f}
		}
		evaluated, proof, err := other.Evaluate(question)
		if err != nil {
			t.Error(err)
		}
		f.body = append(append(bytes.Clone(f.body[:indexSize]), evaluated...), proof...)
		return []frame{f}
	}
	point, err := other.Scalar().MaskInputs([][]byte{{1}})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]hostile{
		"proof: altered":            {sender, edit(kindAnswers, 2, flip(proofAt)), wire.BadProof},
		"proof: not reduced":        {sender, edit(kindAnswers, 0, set(proofAt, bytes.Repeat([]byte{0xff}, 64)...)), wire.BadProof},
		"proof: other element":      {sender, edit(kindAnswers, 0, set(item0, point...)), wire.BadProof},
		"proof: elements swapped":   {sender, edit(kindAnswers, 0, swap(item0, item1, elementSize)), wire.BadProof},
		"proof: none":               {sender, edit(kindAnswers, 0, set(proofAt, make([]byte, 64)...)), wire.BadProof},
		"returns: short":            {receiver, edit(kindReturns, 0, shorter), wire.Malformed},
		"returns: early":            {receiver, before(kindQuestions, 1, frame{kind: kindReturns, body: make([]byte, indexSize+32*ProofSize)}), wire.Malformed},
		"start: returns unaccepted": {sender, edit(kindStart, 0, func(b []byte) []byte { return set(len(b)-1, 1)(b) }), wire.UnknownRound},
	} {
		expose(t, name, smallOPRF(), terms{mutual: true, receives: span(0, 60), sends: span(0, 100)}, h)
	}
	expose(t, "returns: not agreed", smallOPRF(), terms{receives: span(0, 60), sends: span(0, 100)},
		hostile{receiver, before(kindDone, 0, frame{kind: kindReturns, body: make([]byte, indexSize+32*ProofSize)}), wire.Unexpected})

	g := rig{suite: smallOPRF()}
	g.r, g.s = agree(t, g.suite, terms{receives: span(0, 60), sends: span(0, 100)})
	g.wrap = func(side role, c net.Conn) io.ReadWriter {
		if side == sender {
			return tapped{c, side, nil, foreign}
		}
		return tapped{c, side, nil, edit(kindQuestions, 0, func(b []byte) []byte { question = b[indexSize:]; return b })}
	}
	var p *wire.ProtocolError
	if e := g.run(t.Context()); !errors.As(e.rerr, &p) || p.Code != wire.BadProof {
		t.Errorf("a proof by another key: %v", e.rerr)
	}
}

func TestHostilePeersOfCount(t *testing.T) {
	twice := func(b []byte) []byte { return set(item1, b[item0:item1]...)(b) }
	for name, h := range map[string]hostile{
		"question twice": {receiver, edit(kindQuestions, 2, twice), wire.Malformed},
		"answer twice":   {sender, edit(kindAnswers, 3, twice), wire.Malformed},
		"returns":        {receiver, before(kindDone, 0, frame{kind: kindReturns}), wire.Unexpected},
	} {
		expose(t, name, smallCount(), terms{epsilon: 10_000, receives: span(0, 50), sends: span(0, 100)}, h)
	}
}

// A receiver that disconnects and comes back with other questions gets no more answers
// than its class has places.
func TestReconnectingBuysNoMoreAnswers(t *testing.T) {
	synctest.Test(t, reconnect) // a side that fails waits in vain for the other to read why
}

func reconnect(t *testing.T) {
	g := rig{suite: smallOPRF()}
	g.r, g.s = agree(t, g.suite, terms{receives: span(0, 64), sends: span(0, 64)})
	g.run(t.Context()).must(t)
	guesses := g
	guesses.r = g.r.fresh()
	guesses.r.set = span(1000, 1064)
	var tp tape
	guesses.wrap = tp.wrap
	e := guesses.run(t.Context())
	var p *wire.ProtocolError
	if !errors.As(e.rerr, &p) || p.Code != wire.BadProof {
		t.Errorf("the old answers passed for the new questions: %v", e.rerr)
	}
	if n := len(tp.of(kindQuestions)); n != 0 {
		t.Errorf("%d chunks of new questions were taken", n)
	}

	// One that sends them nevertheless is refused.
	g.r = g.r.fresh()
	extra := frame{kind: kindQuestions, body: make([]byte, indexSize+16*elementSize)}
	g.wrap = func(side role, c net.Conn) io.ReadWriter {
		if side == receiver {
			return tapped{c, side, nil, before(kindDone, 0, extra)}
		}
		return c
	}
	if e := g.run(t.Context()); !errors.As(e.serr, &p) || p.Code != wire.Malformed {
		t.Errorf("questions beyond the class: %v", e.serr)
	}
}

// Answers to what was not asked, or before the sender can know all, are refused.
func TestAnswersBeforeQuestions(t *testing.T) {
	for _, suite := range []string{nameOPRF, nameCount} {
		p := newPlan(suite, 64, 64, false, 64)
		l := newLink(new(bytes.Buffer), receiver, p, [32]byte{}, [flowCount]int{}, nil)
		d := &side{role: receiver, plan: p}
		o := &oprfReceiver{side: d, link: l, answered: make(chan arrival, 4)}
		c := &countReceiver{side: d, link: l, answered: make(chan arrival, 4)}
		for sent := range 5 {
			l.sent[questions] = sent
			for index := range 4 {
				oerr, cerr := o.takeAnswer(t.Context(), index, nil), c.takeAnswer(t.Context(), index, nil)
				if (oerr == nil) != (index < sent) || (cerr == nil) != (sent == 4) {
					t.Errorf("answer %d to %d questions: %v, %v", index, sent, oerr, cerr)
				}
			}
			o.answered, c.answered = make(chan arrival, 4), make(chan arrival, 4)
		}
	}
}

// A proof that comes back twice is a fault, not two hits.
func TestAProofComesBackOnce(t *testing.T) {
	g := rig{suite: smallOPRF()}
	g.r, g.s = agree(t, g.suite, terms{mutual: true, receives: span(0, 60), sends: span(0, 60)})
	e := g.run(t.Context()).must(t)
	proof := e.s.Proofs[0]
	chunk := bytes.Repeat(proof[:], 32)
	g.s.journal.records["returns"] = [][]byte{chunk, chunk}
	d, err := openSide(t.Context(), g.suite.(oprfSuite).suite, sender, g.s.session, g.s.set, g.s.journal)
	if err != nil {
		t.Fatal(err)
	}
	o := &oprfSender{side: d, own: newOwnList(d, entrySize, 0), answers: once{side: d, id: answers}}
	if _, err := o.restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	var p *wire.ProtocolError
	if _, err := o.match(t.Context()); !errors.As(err, &p) || p.Code != wire.Malformed {
		t.Errorf("%v", err)
	}
}

// A receiver that did not have an item evaluated cannot make the sender report it.
func TestReturnsCannotBeInvented(t *testing.T) {
	g := rig{suite: smallOPRF()}
	g.r, g.s = agree(t, g.suite, terms{mutual: true, receives: span(100, 160), sends: span(0, 100)})
	g.wrap = func(side role, c net.Conn) io.ReadWriter {
		if side == receiver {
			return tapped{c, side, nil, edit(kindReturns, -1, func(b []byte) []byte {
				return append(b[:indexSize:indexSize], bytes.Repeat([]byte{7}, len(b)-indexSize)...)
			})}
		}
		return c
	}
	if e := g.run(t.Context()).must(t); len(e.s.Positions) != 0 {
		t.Errorf("%d hits out of nothing", len(e.s.Positions))
	}
}

// silent is a peer that takes everything and never says a word.
func silent(t *testing.T, c net.Conn, heard chan<- frame) {
	conn := wire.NewConn(c)
	for {
		kind, body, err := conn.Receive(func(wire.Kind) (uint32, bool) { return wire.MaxChunk, true })
		if err != nil {
			close(heard)
			return
		}
		heard <- frame{kind: kind, body: body}
	}
}

func TestAStalledPeerEndsWithTheContext(t *testing.T) {
	for _, su := range []Suite{smallOPRF(), smallCount()} {
		for _, listens := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				r, _ := agree(t, su, terms{receives: span(0, 3)})
				a, b := net.Pipe()
				defer b.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 18*aliveInterval/5) // 3.6 intervals
				defer cancel()
				heard := make(chan frame, 100)
				if listens {
					go silent(t, b, heard)
				}
				_, err := su.Receive(ctx, a, r.session, r.set, r.journal, nil)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", su.Name(), err)
				}
				if !listens {
					return
				}
				var kinds []wire.Kind
				for f := range heard {
					kinds = append(kinds, f.kind)
				}
				// Start, then a sign of life each interval.
				if want := []wire.Kind{kindStart, kindProgress, kindProgress, kindProgress}; !bytes.Equal(kindBytes(kinds), kindBytes(want)) {
					t.Errorf("%s: heard %v, want %v", su.Name(), kinds, want)
				}
			})
		}
	}
}

func kindBytes(kinds []wire.Kind) (b []byte) {
	for _, k := range kinds {
		b = append(b, byte(k))
	}
	return b
}

// A journal that fails stops the run on both sides; the peer hears that it is not at fault.
type brokenJournal struct {
	*MemoryJournal
	flow string
	left int
}

var errDisk = errors.New("disk full")

func (b *brokenJournal) Put(ctx context.Context, flow string, sequence int, data []byte) error {
	if flow == b.flow {
		if b.left--; b.left < 0 {
			return errDisk
		}
	}
	return b.MemoryJournal.Put(ctx, flow, sequence, data)
}

func TestAFullDiskStopsTheRunAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		side role
		flow string
		left int
	}{
		{receiver, pinRecord, 0}, {receiver, "answers", 1}, {receiver, "tags", 0}, {receiver, bytesRecord, 0},
		{sender, pinRecord, 0}, {sender, outputRecord, 0}, {sender, "questions", 2}, {sender, "answers", 2},
		{sender, "returns", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			su := smallOPRF()
			g := rig{suite: su}
			g.r, g.s = agree(t, su, terms{mutual: true, receives: span(0, 60), sends: span(0, 100)})
			a, b := net.Pipe()
			var rj, sj Journal = g.r.journal, g.s.journal
			if c.side == receiver {
				rj = &brokenJournal{g.r.journal, c.flow, c.left}
			} else {
				sj = &brokenJournal{g.s.journal, c.flow, c.left}
			}
			var serr error
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, serr = su.Send(t.Context(), b, g.s.session, g.s.set, sj, nil)
			}()
			_, rerr := su.Receive(t.Context(), a, g.r.session, g.r.set, rj, nil)
			<-ended
			own, other := rerr, serr
			if c.side == sender {
				own, other = serr, rerr
			}
			if !errors.Is(own, errDisk) {
				t.Errorf("%s, %s: %v", c.side, c.flow, own)
			}
			var q *wire.PeerError
			if errors.As(other, &q) && q.Code != wire.Internal {
				t.Errorf("%s, %s: the peer hears %v", c.side, c.flow, other)
			}
			checkHits(t, g, g.run(t.Context()).must(t))
		})
	}
}
