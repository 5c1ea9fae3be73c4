package exact

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"entente/protocol/wire"
)

// list is a Set in memory.
type list [][]byte

func (l list) Len() int { return len(l) }

func (l list) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, e := range l {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// element is invented content of a stated number.
func element(n int) []byte { return fmt.Appendf(nil, "phone|+000%09d", n) }

// span is the list of elements first to end-1.
func span(first, end int) list {
	l := make(list, 0, end-first)
	for i := first; i < end; i++ {
		l = append(l, element(i))
	}
	return l
}

// ordered is the list as a suite takes it: sorted, but shuffled for a count, which takes any
// order.
func ordered(su Suite, l list) list {
	l = slices.Clone(l)
	slices.SortFunc(l, bytes.Compare)
	if su.Name() == nameCount {
		rand.New(rand.NewPCG(1, uint64(len(l)))).Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
	}
	return l
}

// overlap is the plain intersection: positions in a of what b holds, ascending.
func overlap(a, b list) []int {
	held := make(map[string]bool, len(b))
	for _, e := range b {
		held[string(e)] = true
	}
	var positions []int
	for i, e := range a {
		if held[string(e)] {
			positions = append(positions, i)
		}
	}
	return positions
}

// The suites with chunks a sixty-fourth as long, so that 64 items make four questions, and
// room for 32 entries, so that every list is swept in parts.
func smallOPRF() Suite  { return oprfSuite{suite{name: nameOPRF, divide: 64, sweep: 32}} }
func smallRFC() Suite   { return oprfSuite{suite{name: nameRFC, divide: 64, sweep: 32}} }
func smallCount() Suite { return countSuite{suite{name: nameCount, divide: 64, sweep: 32}} }

// party is one side of a test run.
type party struct {
	session Session
	set     list
	journal *MemoryJournal
}

// fresh is the party with the same secret and an empty journal.
func (p party) fresh() party {
	p.journal = new(MemoryJournal)
	return p
}

// terms are what a test run is about.
type terms struct {
	mutual   bool
	epsilon  uint32
	receives list
	sends    list
}

// agree sets up both sides of a run with classes that fit.
func agree(t testing.TB, su Suite, about terms) (r, s party) {
	t.Helper()
	noise, err := NoiseItems(about.epsilon)
	if err != nil {
		t.Fatal(err)
	}
	common := Session{
		Kind: "phone", Version: 3, Mutual: about.mutual, EpsilonMilli: about.epsilon,
		Receiver: wire.SizeClass(len(about.receives) + noise), Sender: wire.SizeClass(len(about.sends) + noise),
	}
	binary.BigEndian.PutUint64(common.Agreement[:], 0x1122334455667788)
	rs, ss := common, common
	if rs.Secret, _, err = su.NewSecret(); err != nil {
		t.Fatal(err)
	}
	if ss.Secret, rs.PeerPublic, err = su.NewSecret(); err != nil {
		t.Fatal(err)
	}
	return party{rs, ordered(su, about.receives), new(MemoryJournal)}, party{ss, ordered(su, about.sends), new(MemoryJournal)}
}

// rig runs two parties over a pipe that buffers nothing.
type rig struct {
	suite    Suite
	senders  Suite // the sender's, if it is not the same
	r, s     party
	rset     Set // the receiver's list, if it is not that of its party
	sset     Set
	wrap     func(side role, c net.Conn) io.ReadWriter // nil: as it is
	progress func(side role, done, total int64)        // nil: none
}

// ends is what came of both sides.
type ends struct {
	r, s       Result
	rerr, serr error
}

func (g rig) run(ctx context.Context) (e ends) {
	a, b := net.Pipe()
	stream := func(side role, c net.Conn) io.ReadWriter {
		if g.wrap == nil {
			return c
		}
		return g.wrap(side, c)
	}
	tell := func(side role) Progress {
		if g.progress == nil {
			return nil
		}
		return func(done, total int64) { g.progress(side, done, total) }
	}
	senders := g.senders
	if senders == nil {
		senders = g.suite
	}
	var receives, sends Set = g.r.set, g.s.set
	if g.rset != nil {
		receives = g.rset
	}
	if g.sset != nil {
		sends = g.sset
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.s, e.serr = senders.Send(ctx, stream(sender, b), g.s.session, sends, g.s.journal, tell(sender))
	}()
	e.r, e.rerr = g.suite.Receive(ctx, stream(receiver, a), g.r.session, receives, g.r.journal, tell(receiver))
	<-ended
	return e
}

// must fails the test if either side failed.
func (e ends) must(t testing.TB) ends {
	t.Helper()
	if err := errors.Join(e.rerr, e.serr); err != nil {
		t.Fatal(err)
	}
	return e
}

// checkHits compares a mutual run with the plain intersection.
func checkHits(t *testing.T, g rig, e ends) {
	t.Helper()
	if want := overlap(g.r.set, g.s.set); !slices.Equal(e.r.Positions, want) {
		t.Errorf("receiver: %d hits at %v, want %v", len(e.r.Positions), e.r.Positions, want)
	}
	if want := overlap(g.s.set, g.r.set); !slices.Equal(e.s.Positions, want) {
		t.Errorf("sender: %d hits at %v, want %v", len(e.s.Positions), e.s.Positions, want)
	}
	if len(e.r.Proofs) != len(e.r.Positions) || len(e.s.Proofs) != len(e.s.Positions) {
		t.Fatalf("%d and %d proofs of %d and %d hits", len(e.r.Proofs), len(e.s.Proofs), len(e.r.Positions), len(e.s.Positions))
	}
	byElement := make(map[string][ProofSize]byte)
	for i, p := range e.r.Positions {
		byElement[string(g.r.set[p])] = e.r.Proofs[i]
	}
	for i, p := range e.s.Positions {
		if byElement[string(g.s.set[p])] != e.s.Proofs[i] {
			t.Errorf("hit %d: the two sides hold different proofs", i)
		}
	}
}

func TestAgainstPlainIntersection(t *testing.T) {
	near := span(0, 60)
	for i, e := range near { // one digit, one letter, one byte off
		near[i] = bytes.Clone(e)
		switch i % 3 {
		case 0:
			near[i][len(e)-1] ^= 0x40
		case 1:
			near[i] = append(near[i], '0')
		default:
			near[i][0] ^= 1
		}
	}
	ends := list{{0}, bytes.Repeat([]byte{0}, 2), bytes.Repeat([]byte{0xff}, MaxElement), {0xff}, []byte("\x00\x01a")}
	for name, about := range map[string]terms{
		"both empty":     {},
		"receiver empty": {sends: span(0, 40)},
		"sender empty":   {receives: span(0, 40)},
		"one, shared":    {receives: span(5, 6), sends: span(5, 6)},
		"one, not":       {receives: span(5, 6), sends: span(6, 7)},
		"disjoint":       {receives: span(0, 64), sends: span(64, 128)},
		"equal":          {receives: span(0, 64), sends: span(0, 64)},
		"inside":         {receives: span(10, 20), sends: span(0, 100)},
		"around":         {receives: span(0, 100), sends: span(10, 20)},
		"near":           {receives: span(0, 60), sends: near},
		"edges":          {receives: ends, sends: slices.Concat(ends[1:], span(0, 3))},
		"chunk - 1":      {receives: span(0, 15), sends: span(3, 63)},
		"chunk":          {receives: span(0, 16), sends: span(3, 64)},
		"chunk + 1":      {receives: span(0, 17), sends: span(3, 65)},
		"many chunks":    {receives: span(0, 200), sends: span(100, 450)},
	} {
		t.Run(name, func(t *testing.T) {
			about.mutual = true
			g := rig{suite: smallOPRF()}
			g.r, g.s = agree(t, g.suite, about)
			checkHits(t, g, g.run(t.Context()).must(t))
			g.suite = smallRFC()
			g.r, g.s = agree(t, g.suite, about)
			checkHits(t, g, g.run(t.Context()).must(t))

			g.suite = smallOPRF()
			about.mutual = false
			g.r, g.s = agree(t, g.suite, about)
			e := g.run(t.Context()).must(t)
			if !slices.Equal(e.r.Positions, overlap(g.r.set, g.s.set)) || len(e.s.Positions) != 0 {
				t.Errorf("one way: %d and %d hits", len(e.r.Positions), len(e.s.Positions))
			}

			c := rig{suite: smallCount()}
			c.r, c.s = agree(t, c.suite, about)
			e = c.run(t.Context()).must(t)
			if want := len(overlap(c.r.set, c.s.set)); e.r.Count != want || len(e.r.Positions) != 0 || e.s.Count != 0 {
				t.Errorf("count %d, sender's %d, want %d and 0", e.r.Count, e.s.Count, want)
			}
		})
	}
}

// Full chunks at their real length, and one item more or less than fits them.
func TestAtTheRealChunkLength(t *testing.T) {
	su, err := Lookup(nameOPRF)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{questionChunk, questionChunk + 1} { // classes of one chunk and of two
		g := rig{suite: su}
		g.r, g.s = agree(t, su, terms{mutual: true, receives: span(0, n), sends: span(n-7, n+20)})
		checkHits(t, g, g.run(t.Context()).must(t))
	}
}

func TestRandomSets(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		var a, b list
		for i := range 150 {
			switch rnd.IntN(4) {
			case 0:
				a = append(a, element(i))
			case 1:
				b = append(b, element(i))
			case 2:
				a, b = append(a, element(i)), append(b, element(i))
			}
		}
		g := rig{suite: smallOPRF()}
		g.r, g.s = agree(t, g.suite, terms{mutual: true, receives: a, sends: b})
		checkHits(t, g, g.run(t.Context()).must(t))
	}
}

// failing is a set that breaks a promise.
type failing struct {
	list
	length int
	err    error
}

func (f failing) Len() int { return f.length }

func (f failing) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e := range f.list.All() {
			if !yield(e, nil) {
				return
			}
		}
		if f.err != nil {
			yield(nil, f.err)
		}
	}
}

func TestBadSetsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	broken := errors.New("disk")
	long := bytes.Repeat([]byte{1}, MaxElement+1)
	for name, set := range map[string]Set{
		"duplicate":            list{element(1), element(2), element(1)},
		"duplicate neighbours": list{element(1), element(1)},
		"empty element":        list{element(1), {}},
		"long element":         list{long},
		"over the class":       span(0, 65),
		"longer than it says":  failing{span(0, 3), 2, nil},
		"shorter than it says": failing{span(0, 3), 4, nil},
		"negative":             failing{nil, -1, nil},
		"read error":           failing{span(0, 3), 4, broken},
	} {
		for _, su := range []Suite{smallOPRF(), smallCount()} {
			r, s := agree(t, su, terms{})
			var stream bytes.Buffer
			_, rerr := su.Receive(t.Context(), &stream, r.session, set, r.journal, nil)
			_, serr := su.Send(t.Context(), &stream, s.session, set, s.journal, nil)
			if rerr == nil || serr == nil || stream.Len() > 0 {
				t.Errorf("%s: %v, %v, %d bytes sent", name, rerr, serr, stream.Len())
				continue
			}
			for _, e := range []list{{element(1)}, {long}} {
				if bytes.Contains([]byte(rerr.Error()+serr.Error()), e[0]) {
					t.Errorf("%s: the error repeats an element", name)
				}
			}
			if name == "read error" && !errors.Is(rerr, broken) {
				t.Errorf("%s: %v", name, rerr)
			}
		}
	}
}

func TestBadSessionsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Session){
		"no secret":           func(s *Session) { s.Secret = nil },
		"long secret":         func(s *Session) { s.Secret = make([]byte, 33) },
		"no kind":             func(s *Session) { s.Kind = "" },
		"long kind":           func(s *Session) { s.Kind = string(make([]byte, 65)) },
		"negative run":        func(s *Session) { s.Run = -1 },
		"large run":           func(s *Session) { s.Run = 1 << 16 },
		"no receiver's class": func(s *Session) { s.Receiver = 65 },
		"no sender's class":   func(s *Session) { s.Sender = 0 },
		"too large":           func(s *Session) { s.Sender = wire.SizeClass(MaxItems + 1) },
		"noise in oprf":       func(s *Session) { s.EpsilonMilli = 1000 },
	} {
		r, s := agree(t, smallOPRF(), terms{receives: span(0, 2), sends: span(0, 2)})
		change(&r.session)
		change(&s.session)
		var stream bytes.Buffer
		_, rerr := smallOPRF().Receive(t.Context(), &stream, r.session, r.set, nil, nil)
		_, serr := smallOPRF().Send(t.Context(), &stream, s.session, s.set, nil, nil)
		if rerr == nil || serr == nil || stream.Len() > 0 {
			t.Errorf("%s: %v, %v, %d bytes sent", name, rerr, serr, stream.Len())
		}
	}
	r, _ := agree(t, smallCount(), terms{})
	r.session.Mutual = true
	if _, err := smallCount().Receive(t.Context(), new(bytes.Buffer), r.session, r.set, nil, nil); err == nil {
		t.Error("a mutual count was accepted")
	}
	r, _ = agree(t, smallCount(), terms{})
	r.session.EpsilonMilli = 1
	if _, err := smallCount().Receive(t.Context(), new(bytes.Buffer), r.session, r.set, nil, nil); err == nil {
		t.Error("noise out of range was accepted")
	}
	r, _ = agree(t, smallCount(), terms{})
	r.session.Sender = wire.SizeClass(MaxCountItems + 1)
	if _, err := smallCount().Receive(t.Context(), new(bytes.Buffer), r.session, r.set, nil, nil); err == nil {
		t.Error("a count over its largest class was accepted")
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{nameOPRF, nameRFC, nameCount} {
		su, err := Lookup(name)
		if err != nil || su.Name() != name {
			t.Fatalf("%s: %v", name, err)
		}
		a, apub, err := su.NewSecret()
		if err != nil {
			t.Fatal(err)
		}
		b, bpub, err := su.NewSecret()
		if err != nil {
			t.Fatal(err)
		}
		if len(a) != SecretSize || len(apub) != elementSize || bytes.Equal(a, b) || bytes.Equal(apub, bpub) {
			t.Errorf("%s: secrets of %d bytes, public keys of %d", name, len(a), len(apub))
		}
	}
	if _, err := Lookup("vole"); err == nil {
		t.Error("a suite that is not there was found")
	}
}

// Where a run ends on the stream is exact: what follows belongs to the caller.
func TestTheStreamStaysUsable(t *testing.T) {
	for _, su := range []Suite{smallOPRF(), smallCount()} {
		r, s := agree(t, su, terms{receives: span(0, 5), sends: span(3, 9)})
		a, b := net.Pipe()
		heard := make(chan []byte, 1)
		go func() {
			word := make([]byte, 4)
			if _, err := su.Send(t.Context(), b, s.session, s.set, s.journal, nil); err == nil {
				if _, err = io.ReadFull(b, word); err != nil {
					word = nil
				}
			}
			heard <- word
		}()
		if _, err := su.Receive(t.Context(), a, r.session, r.set, r.journal, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte("next")); err != nil {
			t.Fatal(err)
		}
		if word := <-heard; string(word) != "next" {
			t.Errorf("%s: %q", su.Name(), word)
		}
	}
}

// One direction of equal lists takes at most 74 bytes an item, all frames included, and a
// longer list no more of them.
func TestBytesAnItem(t *testing.T) {
	for _, n := range []int{1 << 20, 5 << 20, 1 << 22, MaxItems} {
		for _, suite := range []string{nameOPRF, nameRFC} {
			if bytes, _ := Estimate(suite, n, n, false); bytes > 74*int64(n) {
				t.Errorf("%s, %d items: %.2f bytes an item", suite, n, float64(bytes)/float64(n))
			}
		}
	}
}

// The estimate that people see before a run must hold, and not be far above.
func TestEstimateBoundsTheBytes(t *testing.T) {
	for _, c := range []struct {
		suite string
		about terms
	}{
		{nameOPRF, terms{mutual: true, receives: span(0, 1), sends: span(0, 1)}},
		{nameCount, terms{receives: span(0, 1), sends: span(0, 1)}},
		{nameOPRF, terms{receives: span(0, 1030), sends: span(0, 100)}},
		{nameRFC, terms{mutual: true, receives: span(0, 100), sends: span(0, 4200)}},
		{nameCount, terms{receives: span(0, 100), sends: span(0, 4097)}},
	} {
		g := rig{}
		g.suite, _ = Lookup(c.suite)
		g.r, g.s = agree(t, g.suite, c.about)
		e := g.run(t.Context()).must(t)
		if e.r.BytesSent != e.s.BytesReceived || e.s.BytesSent != e.r.BytesReceived {
			t.Errorf("%s: the sides count different bytes: %+v", c.suite, e)
		}
		estimate, seconds := Estimate(c.suite, g.r.session.Receiver, g.s.session.Sender, c.about.mutual)
		if got := int64(e.r.BytesSent + e.r.BytesReceived); got > estimate || got < estimate*9/10 || seconds <= 0 {
			t.Errorf("%s: %d bytes, %d estimated, %f s", c.suite, got, estimate, seconds)
		}
	}
	if b, s := Estimate("vole", 64, 64, true); b != 0 || s != 0 {
		t.Error("an estimate of a suite that is not there")
	}
}
