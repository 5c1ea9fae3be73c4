package exact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"entente/crypto/transcript"
	"entente/protocol/tags"
)

// A place is taken as often as any other, and any two as often as any other two.
func TestChooseIsUniform(t *testing.T) {
	stream := seedStream(make([]byte, 32))
	counts := make(map[string]int)
	const rounds = 24_000
	for range rounds {
		taken, err := choose(stream, 2, 4)
		if err != nil {
			t.Fatal(err)
		}
		counts[fmt.Sprint(taken)]++
	}
	chi := 0.0
	for _, n := range counts {
		chi += math.Pow(float64(n)-rounds/6, 2) / (rounds / 6)
	}
	// 5 degrees of freedom; above 36 less than once in a million. The seed is fixed.
	if len(counts) != 6 || chi > 36 {
		t.Errorf("%d sets of 2 in 4, chi square %.1f", len(counts), chi)
	}
	for _, c := range [][2]int{{0, 64}, {64, 64}, {63, 64}, {1, 80}, {0, 0}, {500, 1000}} {
		taken, err := choose(stream, c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range c[1] {
			if taken.has(i) {
				n++
			}
		}
		if n != c[0] {
			t.Errorf("%d of %d places taken, want %d", n, c[1], c[0])
		}
	}
	if _, err := choose(strings.NewReader("short"), 2, 4); err == nil {
		t.Error("a stream that ends gave places")
	}
}

// A run that is swept in many parts is the run that fits into memory: the same bytes, the
// same results.
func TestPartsChangeNothing(t *testing.T) {
	for _, su := range []Suite{smallOPRF(), smallCount()} {
		whole := rig{suite: su}
		switch v := su.(type) {
		case oprfSuite:
			v.sweep = 0
			whole.suite = v
		case countSuite:
			v.sweep = 0
			whole.suite = v
		}
		whole.r, whole.s = agree(t, su, terms{mutual: su.Name() != nameCount, receives: span(0, 300), sends: span(100, 700)})
		record := func(g rig) (ends, []frame) {
			var tp tape
			g.wrap = tp.wrap
			g.r, g.s = g.r.fresh(), g.s.fresh()
			e := g.run(t.Context()).must(t)
			var out []frame
			for _, f := range tp.frames {
				if f.kind == kindTags || f.kind == kindReturns {
					out = append(out, f)
				}
			}
			return e, out
		}
		want, wantFrames := record(whole)
		for _, limit := range []int{16, 100, 448, 1000} {
			parts := whole
			switch v := su.(type) {
			case oprfSuite:
				v.sweep = limit
				parts.suite = v
			case countSuite:
				v.sweep = limit
				parts.suite = v
			}
			got, frames := record(parts)
			same(t, su.Name(), got.r, want.r)
			same(t, su.Name(), got.s, want.s)
			if !slices.EqualFunc(frames, wantFrames, func(a, b frame) bool { return bytes.Equal(a.bytes(), b.bytes()) }) {
				t.Errorf("%s: parts of %d make other tags or returns", su.Name(), limit)
			}
		}
	}
}

// filled is a ledger whose journal holds the tags stated.
func filled(t *testing.T, limit int, list ...tags.Tag) ledger {
	t.Helper()
	d := &side{suite: suite{name: nameOPRF, divide: 64, sweep: limit}, plan: newPlan(nameOPRF, 64, 64, true, 64),
		diary: &diary{journal: new(MemoryJournal)}}
	l := ledger{side: d, record: outputRecord, class: len(list), chunk: 3, size: entrySize}
	for i := range l.chunks() {
		var record []byte
		for _, tag := range list[i*3 : min(i*3+3, len(list))] {
			record = append(append(record, tag[:]...), make([]byte, ProofSize)...)
		}
		if err := d.diary.put(t.Context(), l.record, i, record); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// A part holds no more entries than its share, but for chance, and all of them come once.
func TestPartsAreBounded(t *testing.T) {
	var list []tags.Tag
	for i := range 5000 {
		digest := transcript.Digest("entente/test/1", fmt.Append(nil, i))
		list = append(list, tags.Tag(digest[:TagSize]))
	}
	l := filled(t, 700, list...)
	var got []tags.Tag
	parts := 0
	places := make(map[uint32]bool)
	err := l.sweep(t.Context(), byTag, func(part []entry) error {
		parts++
		if len(part) > 800 {
			t.Errorf("%d entries at once", len(part))
		}
		for _, e := range part {
			got = append(got, e.tag)
			places[e.place] = list[e.place] == e.tag
		}
		return nil
	})
	if err != nil || parts != 8 || len(places) != len(list) || len(got) != len(list) || !tags.Ascends(nil, got) {
		t.Errorf("%d parts, %d entries of %d places: %v", parts, len(got), len(places), err)
	}
	for place, right := range places {
		if !right {
			t.Fatalf("place %d came with another's tag", place)
		}
	}
	broken := errors.New("enough")
	if err := l.sweep(t.Context(), byTag, func([]entry) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a visitor's error became %v", err)
	}
	l.class++
	if err := l.sweep(t.Context(), byTag, func([]entry) error { return nil }); err == nil {
		t.Error("a ledger with a place less was swept")
	}
}

// repeatedTag is a tag of one byte many times.
func repeatedTag(b byte) tags.Tag { return tags.Tag(bytes.Repeat([]byte{b}, TagSize)) }

// Two own items with one tag are both hits, in one part and in many.
func TestJoinFindsEveryHolderOfATag(t *testing.T) {
	for _, limit := range []int{2, 100} {
		var own, peers []tags.Tag
		for _, b := range []byte{5, 4, 4, 126, 0, 127, 255} {
			own = append(own, repeatedTag(b))
		}
		for b := range byte(64) {
			peers = append(peers, repeatedTag(4*b))
		}
		l := filled(t, limit, own...)
		f := l.side.plan[listed]
		block, err := f.code.AppendBlock(nil, nil, peers)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.side.diary.put(t.Context(), f.name, 0, block); err != nil {
			t.Fatal(err)
		}
		var hits []uint32
		digest, err := l.join(t.Context(), func(e entry) { hits = append(hits, e.place) })
		if err != nil {
			t.Fatal(err)
		}
		if digest != transcript.Digest(listLabel, nil, block) {
			t.Error("another digest of the list")
		}
		if slices.Sort(hits); !slices.Equal(hits, []uint32{1, 2, 4}) {
			t.Errorf("hits %v", hits)
		}
	}
}

// Equal tags go out as neighbours, so that a list always has as many tags as its class.
func TestEqualTagsBecomeNeighbours(t *testing.T) {
	code, err := tags.NewCode(6)
	if err != nil {
		t.Fatal(err)
	}
	f := flow{items: 6, chunk: 4, code: &code}
	next := func(tag tags.Tag, by byte) tags.Tag { tag[9] += by; return tag }
	nine := repeatedTag(9)
	for name, c := range map[string]struct{ in, want []tags.Tag }{
		"apart":  {[]tags.Tag{nine, next(nine, 2)}, []tags.Tag{nine, next(nine, 2)}},
		"twice":  {[]tags.Tag{nine, nine}, []tags.Tag{nine, next(nine, 1)}},
		"thrice": {[]tags.Tag{nine, nine, nine, next(nine, 1), next(nine, 3), next(nine, 9)}, []tags.Tag{nine, next(nine, 1), next(nine, 2), next(nine, 3), next(nine, 4), next(nine, 9)}},
		"carry":  {[]tags.Tag{{8: 1, 9: 255}, {8: 1, 9: 255}}, []tags.Tag{{8: 1, 9: 255}, {8: 2}}},
	} {
		var got []tags.Tag
		r := tagReceiver{flow: f}
		s := tagSender{flow: f, code: code, send: func(index int, content []byte) error {
			block, err := r.take(index, content)
			got = append(got, block...)
			return err
		}}
		for _, tag := range c.in {
			if err := s.put(tag); err != nil {
				t.Fatal(err)
			}
		}
		if got = append(got, s.block...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %x, want %x", name, got, c.want)
		}
	}
	s := tagSender{flow: f, code: code}
	if err := errors.Join(s.put(repeatedTag(255)), s.put(repeatedTag(255))); err == nil {
		t.Error("there is a tag above the largest")
	}
}

// Proofs stand in places of which each set is equally likely, in the order they came.
func TestReturnsAreFilledUniformly(t *testing.T) {
	stream := seedStream(make([]byte, 32))
	counts := make(map[string]int)
	const rounds = 24_000
	for range rounds {
		var message []byte
		g := giver{stream: stream, flow: flow{items: 4, chunk: 3, size: ProofSize}, left: 2, first: 0,
			send: func(_ int, content []byte) error { message = append(message, content...); return nil }}
		for _, proof := range []tags.Proof{{1}, {2}, {}} {
			if err := g.fill(proof); err != nil {
				t.Fatal(err)
			}
		}
		place := func(proof tags.Proof) int {
			for i := range 4 {
				if bytes.Equal(message[i*ProofSize:(i+1)*ProofSize], proof[:]) {
					return i
				}
			}
			return -1
		}
		if len(message) != 4*ProofSize || place(tags.Proof{}) >= 0 {
			t.Fatalf("message %x", message)
		}
		counts[fmt.Sprint(place(tags.Proof{1}), place(tags.Proof{2}))]++
	}
	chi := 0.0
	for places, n := range counts {
		if places[0] >= places[2] || places[0] == '-' {
			t.Fatalf("proofs in places %s", places)
		}
		chi += math.Pow(float64(n)-rounds/6, 2) / (rounds / 6)
	}
	if len(counts) != 6 || chi > 36 {
		t.Errorf("%d pairs of places, chi square %.1f", len(counts), chi)
	}
	if err := (&giver{stream: strings.NewReader(""), flow: flow{items: 1, chunk: 1, size: ProofSize}}).fill(tags.Proof{}); !errors.Is(err, io.EOF) {
		t.Errorf("a stream that ends: %v", err)
	}
}

// lender gives out one buffer for all elements, as a list on disk may, and counts how often
// it is read.
type lender struct {
	list
	read *int
}

func (l lender) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		*l.read++
		var buffer []byte
		for e := range l.list.All() {
			buffer = append(buffer[:0], e...)
			if !yield(buffer, nil) {
				return
			}
			clear(buffer)
		}
	}
}

// shrinking is a list that has lost its end when it is read again.
type shrinking struct {
	list
	read *int
}

func (s shrinking) All() iter.Seq2[[]byte, error] {
	if *s.read++; *s.read > 1 {
		return s.list[:len(s.list)-1].All()
	}
	return s.list.All()
}

// Lists are read as streams, in their order, a few times.
func TestListsAreStreams(t *testing.T) {
	g := rig{suite: smallOPRF()}
	g.r, g.s = agree(t, g.suite, terms{mutual: true, receives: span(0, 100), sends: span(50, 200)})
	r, s := 0, 0
	g.rset, g.sset = lender{g.r.set, &r}, lender{g.s.set, &s}
	checkHits(t, g, g.run(t.Context()).must(t))
	if r != 2 || s != 2 {
		t.Errorf("the lists were read %d and %d times", r, s)
	}
	for _, side := range []role{receiver, sender} {
		g := rig{suite: smallOPRF()}
		g.r, g.s = agree(t, g.suite, terms{receives: span(0, 100), sends: span(50, 200)})
		n := 0
		if side == receiver {
			g.rset = shrinking{g.r.set, &n}
		} else {
			g.sset = shrinking{g.s.set, &n}
		}
		e := g.run(t.Context())
		if err := map[role]error{receiver: e.rerr, sender: e.serr}[side]; !errors.Is(err, errChangedList) {
			t.Errorf("%s: a list that shrinks: %v", side, err)
		}
	}
}

// A list that says something else when it is read again gets other blinds, in every slot of
// the chunk: the peer never sees two items under one.
func TestBlindsBelongToTheirInputs(t *testing.T) {
	seen := make(map[string]string)
	for _, c := range []struct {
		slot   int
		inputs string
	}{{0, "abcd"}, {0, "abce"}, {0, "bacd"}, {4, "abcd"}} {
		points := func() (points [][]byte) {
			var inputs [][]byte
			for _, b := range []byte(c.inputs) {
				inputs = append(inputs, field(nil, []byte{b}))
			}
			blinds, err := blindsOf(make([]byte, 32), c.slot, inputs)
			if err != nil {
				t.Fatal(err)
			}
			for _, blind := range blinds {
				point, err := blind.MaskInputs([][]byte{[]byte("one point")})
				if err != nil {
					t.Fatal(err)
				}
				points = append(points, point)
			}
			return points
		}
		first := points()
		if !slices.EqualFunc(first, points(), bytes.Equal) {
			t.Errorf("%v: other blinds the second time", c)
		}
		for i, point := range first {
			name := fmt.Sprint(c, i)
			if other := seen[string(point)]; other != "" {
				t.Errorf("%s and %s have one blind", name, other)
			}
			seen[string(point)] = name
		}
	}
}

// Only a count takes lists in any order.
func TestListsMustAscend(t *testing.T) {
	shuffled := ordered(smallCount(), span(0, 10))
	for _, su := range []Suite{smallOPRF(), smallRFC(), smallCount()} {
		r, _ := agree(t, su, terms{receives: span(0, 10)})
		_, err := su.Receive(t.Context(), script{new(bytes.Buffer), io.Discard}, r.session, shuffled, nil, nil)
		if ascend := err != nil && strings.Contains(err.Error(), "ascend"); ascend == (su.Name() == nameCount) {
			t.Errorf("%s: %v", su.Name(), err)
		}
	}
}
