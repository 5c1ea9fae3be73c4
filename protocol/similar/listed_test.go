package similar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"entente/crypto/he"
	"entente/protocol/wire"
)

// listed are sides that compare some pairs of positions only, and those pairs.
type listed struct {
	*sides
	pairs [][2]int // positions of probe and template
}

// newListed draws lists, and each pair of them with a probability.
func newListed(t testing.TB, r *rand.Rand, s Session, probes, templates int, density float64) listed {
	t.Helper()
	x := listed{sides: newSides(s, drawn(r, probes, s.Dimension, 3), drawn(r, templates, s.Dimension, 3))}
	for i := range probes {
		for j := range templates {
			if r.Float64() < density {
				x.pairs = append(x.pairs, [2]int{i, j})
			}
		}
	}
	x.agree(t)
	return x
}

// agree turns positions into places, as both sides would tell each other.
func (x *listed) agree(t testing.TB) {
	t.Helper()
	asks, err := AskerPlaces(x.asker, len(x.probes))
	if err != nil {
		t.Fatal(err)
	}
	answers, err := AnswererPlaces(x.answerer, len(x.templates))
	if err != nil {
		t.Fatal(err)
	}
	candidates := make([]Pair, len(x.pairs))
	for i, p := range x.pairs {
		candidates[i] = Pair{asks[p[0]], answers[p[1]]}
	}
	slices.SortFunc(candidates, func(a, b Pair) int {
		if a.less(b) {
			return -1
		}
		return 1
	})
	x.asker.Candidates, x.answerer.Candidates = candidates, slices.Clone(candidates)
}

// inTheClear are the positions that reach the threshold among the pairs.
func (x *listed) inTheClear() (asker, answerer []int) {
	a, b := make([]bool, len(x.probes)), make([]bool, len(x.templates))
	for _, p := range x.pairs {
		if inner(x.probes[p[0]], x.templates[p[1]]) >= x.asker.Threshold {
			a[p[0]], b[p[1]] = true, true
		}
	}
	for i, hit := range a {
		if hit {
			asker = append(asker, i)
		}
	}
	for i, hit := range b {
		if hit {
			answerer = append(answerer, i)
		}
	}
	return asker, answerer
}

// checkHits compares the hits of both sides, pair by pair, with the clear.
func (x *listed) checkHits(t *testing.T, o outcome) {
	t.Helper()
	asks, err := AskerPlaces(x.asker, len(x.probes))
	if err != nil {
		t.Fatal(err)
	}
	answers, err := AnswererPlaces(x.answerer, len(x.templates))
	if err != nil {
		t.Fatal(err)
	}
	var a, b []Hit
	for _, p := range x.pairs {
		if inner(x.probes[p[0]], x.templates[p[1]]) < x.asker.Threshold {
			continue
		}
		if x.asker.Learns.asker() {
			a = append(a, Hit{p[0], answers[p[1]]})
		}
		if x.asker.Learns.answerer() {
			b = append(b, Hit{p[1], asks[p[0]]})
		}
	}
	for _, hits := range [][]Hit{a, b} {
		slices.SortFunc(hits, func(x, y Hit) int { return (x.Position-y.Position)<<32 + int(x.Place) - int(y.Place) })
	}
	if !slices.Equal(o.asker.Hits, a) || !slices.Equal(o.answerer.Hits, b) {
		t.Errorf("%d and %d pairs, in the clear %d and %d", len(o.asker.Hits), len(o.answerer.Hits), len(a), len(b))
	}
}

func inner(a, b []int8) (sum int) {
	for i, x := range a {
		sum += int(x) * int(b[i])
	}
	return sum
}

// TestCandidatesEqualTheClear compares hits among candidates with plain inner products.
func TestCandidatesEqualTheClear(t *testing.T) {
	for n, c := range []struct {
		dimension, threshold, probes, templates int
		density                                 float64
		learns                                  Learns
	}{
		{16, 40, 64, 64, 0.1, BothLearn},
		{16, 40, 64, 64, 1, BothLearn},
		{64, 60, 100, 300, 0.05, AskerLearns},
		{64, 60, 300, 90, 0.04, AnswererLearns},
		{7, 25, 300, 300, 0.05, BothLearn},
		{32, 40, 1, 1, 1, BothLearn},
		{32, 40, 60, 60, 0, BothLearn},
		{8, 30, 5000, 60, 0.9, BothLearn}, // two batches, replies with thousands of slots
		{8, 30, 5000, 300, 0.004, BothLearn},
		{1024, 300, 80, 80, 0.04, BothLearn},
	} {
		if testing.Short() && c.probes > 1000 {
			continue
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, uint64(n)))
			s := Session{Dimension: c.dimension, Threshold: c.threshold, Learns: c.learns,
				Probes: wire.SizeClass(c.probes), Templates: wire.SizeClass(c.templates)}
			x := newListed(t, r, s, c.probes, c.templates, c.density)
			o := x.attempt(t, plain)
			if o.askerError != nil || o.answerError != nil {
				t.Fatal(o.askerError, o.answerError)
			}
			asker, answerer := x.inTheClear()
			if !c.learns.asker() {
				asker = nil
			}
			if !c.learns.answerer() {
				answerer = nil
			}
			if !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
				t.Errorf("%d and %d hits, in the clear %d and %d", len(o.asker.Positions), len(o.answerer.Positions), len(asker), len(answerer))
			}
			x.checkHits(t, o)
			if c.density > 0 && c.probes > 1 && len(asker)+len(answerer) == 0 {
				t.Error("nothing reaches the threshold: the test is blind")
			}
		})
	}
}

// smallListed is a run of two blocks.
func smallListed(t testing.TB, learns Learns) listed {
	r := rand.New(rand.NewPCG(12, 1))
	s := Session{Dimension: 8, Threshold: 25, Probes: 64, Templates: 80, Learns: learns}
	return newListed(t, r, s, 40, 76, 0.1)
}

// TestListedCutEverywhere cuts before each frame of either side and goes on.
func TestListedCutEverywhere(t *testing.T) {
	x := smallListed(t, BothLearn)
	asker, answerer := x.inTheClear()
	frames := 0
	o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
		return tapped{Conn: c, change: func(_ wire.Kind, b []byte) []byte { frames++; return b }}
	})
	if o.askerError != nil || o.answerError != nil || len(asker) == 0 || len(answerer) == 0 {
		t.Fatal(o.askerError, o.answerError)
	}
	step := 1
	if testing.Short() {
		step = 11
	}
	for cut := 0; cut < frames; cut += step {
		x, left := smallListed(t, BothLearn), cut
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(_ wire.Kind, b []byte) []byte {
				if left--; left < 0 {
					return nil
				}
				return b
			}}
		})
		if o.askerError == nil && o.answerError == nil {
			t.Fatalf("cut %d went unnoticed", cut)
		}
		o = x.attempt(t, plain)
		if o.askerError != nil || o.answerError != nil || !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
			t.Fatalf("after cut %d: %v, %v, %d and %d hits", cut, o.askerError, o.answerError, len(o.asker.Positions), len(o.answerer.Positions))
		}
	}
}

// TestListedWindows breaks a run in its second window: of the first nothing is sent again.
func TestListedWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 2))
	s := Session{Dimension: 8, Threshold: 25, Probes: 64, Templates: 640, Learns: BothLearn}
	x := newListed(t, r, s, 40, 600, 0.1)
	replies := 0
	cut := func(most int) func(role, net.Conn) io.ReadWriter {
		return func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
				if k == kindReply {
					if replies++; replies > most {
						return nil
					}
				}
				return b
			}}
		}
	}
	if o := x.attempt(t, cut(window+1)); o.askerError == nil || o.answerError == nil {
		t.Fatal("the run was not cut")
	}
	first := replies
	o := x.attempt(t, cut(1000))
	asker, answerer := x.inTheClear()
	if o.askerError != nil || o.answerError != nil || !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
		t.Fatal(o.askerError, o.answerError)
	}
	plan := x.asker.divide()
	if first != window+2 || replies-first != plan.blocks()-window {
		t.Errorf("%d replies, then %d of %d", first, replies-first, plan.blocks())
	}
}

// TestListedOpenedSecrets: an auditor computes the queries and replies of a run with candidates.
func TestListedOpenedSecrets(t *testing.T) {
	for cheat, kind := range map[string]wire.Kind{"nobody": 0, "answerer": kindReply} {
		x := smallListed(t, AskerLearns)
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
				if k == kind {
					b[1] ^= 1
				}
				return b
			}}
		})
		if o.askerError != nil || o.answerError != nil {
			t.Fatal(o.askerError, o.answerError)
		}
		queries, err := Queries(t.Context(), x.asker, x.probes)
		if err != nil || !slices.Equal(queries, o.answerer.Queries) {
			t.Errorf("%s cheats: other queries: %v", cheat, err)
		}
		replies, err := Replies(t.Context(), x.asker, x.probes, x.answerer, x.templates)
		if err != nil || len(replies) != 2 || slices.Equal(replies, o.asker.Replies) != (cheat == "nobody") {
			t.Errorf("%s cheats: %d replies, the same: %v, %v", cheat, len(replies), cheat != "nobody", err)
		}
	}
}

// TestNoSeedTwice: with other candidates neither a query nor a reply is like the first.
func TestNoSeedTwice(t *testing.T) {
	var seen [][]byte
	for n := range 2 {
		x := smallListed(t, AskerLearns)
		x.pairs = x.pairs[n:]
		x.agree(t)
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
				if k == kindCiphertext || k == kindReply {
					seen = append(seen, b)
				}
				return b
			}}
		})
		if o.askerError != nil || o.answerError != nil {
			t.Fatal(o.askerError, o.answerError)
		}
	}
	for i, a := range seen {
		for _, b := range seen[:i] {
			n := min(len(a), len(b), 8192)
			if share := alike(a[len(a)-n:], b[len(b)-n:]); share > 0.02 {
				t.Errorf("%.1f %% of the bytes of two frames are the same", 100*share)
			}
		}
	}
}

// TestNothingTellsAScore: what both sides send and keep is the same length whatever the scores
// are, and holds no score.
func TestNothingTellsAScore(t *testing.T) {
	lengths := func(factor int8) (sent map[wire.Kind]int, kept map[string]int) {
		x := smallListed(t, BothLearn)
		for _, v := range append(slices.Clone(x.probes), x.templates...) {
			for i := range v {
				v[i] *= factor
			}
		}
		sent, kept = map[wire.Kind]int{}, map[string]int{}
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte { sent[k] += len(b); return b }}
		})
		if o.askerError != nil || o.answerError != nil {
			t.Fatal(o.askerError, o.answerError)
		}
		for _, log := range []*memory{x.askerLog, x.answererLog} {
			for flow, records := range log.flows {
				kept[flow] += len(bytes.Join(records, nil))
			}
		}
		return sent, kept
	}
	sent, kept := lengths(1)
	again, more := lengths(0) // nothing reaches the threshold
	if fmt.Sprint(sent) != fmt.Sprint(again) || fmt.Sprint(kept) != fmt.Sprint(more) {
		t.Errorf("lengths depend on scores: %v and %v, %v and %v", sent, again, kept, more)
	}
	// A bit for each pair, once at either side, is all that a journal has of scores.
	bits := 0
	x := smallListed(t, BothLearn)
	plan := x.asker.divide()
	for block := range plan.blocks() {
		bits += (plan.pairs(block) + 7) / 8
	}
	if kept[blocksFlow] != 2*bits {
		t.Errorf("%d bytes of outcomes for %d of bits", kept[blocksFlow], bits)
	}
}

func TestBadCandidates(t *testing.T) {
	good := smallListed(t, BothLearn).asker
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Session){
		"probe out of range":    func(s *Session) { s.Candidates = []Pair{{64, 1}} },
		"template out of range": func(s *Session) { s.Candidates = []Pair{{1, 80}} },
		"largest":               func(s *Session) { s.Candidates = []Pair{{1<<32 - 1, 1<<32 - 1}} },
		"twice":                 func(s *Session) { s.Candidates = []Pair{{1, 1}, {1, 1}} },
		"falling":               func(s *Session) { s.Candidates = []Pair{{2, 1}, {1, 1}} },
		"falling templates":     func(s *Session) { s.Candidates = []Pair{{1, 2}, {1, 1}} },
		"too many":              func(s *Session) { s.Candidates = make([]Pair, MaxCandidates+1) },
		"split":                 func(s *Session) { s.Split = 1 },
		"no class of probes":    func(s *Session) { s.Probes = 65 },
		"no class of templates": func(s *Session) { s.Templates = 65 },
		"too many places":       func(s *Session) { s.Probes = 2 * MaxCandidates },
		"dimension":             func(s *Session) { s.Dimension = MaxDimension + 1 },
		"no dimension":          func(s *Session) { s.Dimension = 0 },
		"threshold":             func(s *Session) { s.Threshold = 0 },
	} {
		s := good
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s: passes", name)
		}
	}
	none := good
	none.Candidates = nil // must not mean all pairs
	if none.Check() == nil {
		t.Error("a list of candidates that is missing passes")
	}
	if _, err := AskerPlaces(good, 65); err == nil {
		t.Error("65 vectors in 64 places")
	}
}

// TestOtherCandidates: sides whose lists differ do not begin, and a run that has begun does not
// go on with others.
func TestOtherCandidates(t *testing.T) {
	x := smallListed(t, BothLearn)
	x.answerer.Candidates = x.answerer.Candidates[1:]
	var fault *wire.ProtocolError
	if o := x.attempt(t, plain); !errors.As(o.askerError, &fault) && !errors.As(o.answerError, &fault) || fault.Code != wire.Altered {
		t.Errorf("other candidates: %v, %v", o.askerError, o.answerError)
	}
	if o := x.attempt(t, plain); o.askerError == nil {
		t.Error("other candidates pass")
	}
	x.asker.Candidates = x.asker.Candidates[1:]
	if o := x.attempt(t, plain); !errors.Is(o.askerError, ErrChanged) {
		t.Errorf("an asker with fewer candidates than its journal knows: %v", o.askerError)
	}
}

// FuzzListing divides any list of candidates: each pair is compared once, in a slot of its own
// probe and a reply of its own template, and no block is larger than it may be.
func FuzzListing(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 1, 3}, uint16(16))
	f.Add([]byte{}, uint16(1024))
	f.Add(bytes.Repeat([]byte{7, 9, 7, 8}, 300), uint16(7))
	f.Fuzz(func(t *testing.T, b []byte, dimension uint16) {
		s := Session{Model: "m", Dimension: int(dimension), Threshold: 1, Probes: 320, Templates: 256, Learns: BothLearn, Candidates: []Pair{}}
		for ; len(b) >= 2; b = b[2:] {
			s.Candidates = append(s.Candidates, Pair{uint32(b[0]) + uint32(b[1]&63), uint32(b[1])})
		}
		if err := s.Check(); err != nil && dimension >= 1 && dimension <= MaxDimension {
			slices.SortFunc(s.Candidates, func(p, q Pair) int {
				return (int(p.Probe)-int(q.Probe))<<32 + int(p.Template) - int(q.Template)
			})
			s.Candidates = slices.Compact(s.Candidates)
		}
		if s.Check() != nil {
			return
		}
		checkPlan(t, &s)
	})
}

func checkPlan(t *testing.T, s *Session) {
	t.Helper()
	p := s.divide()
	if err := p.layout.Check(); err != nil || p.layout.Templates() != 1 {
		t.Fatalf("layout %+v: %v", p.layout, err)
	}
	var seen []Pair
	for block := range p.blocks() {
		batch, templates, at := p.batchOf(block), p.templates(block), 0
		if block < p.start(batch) || block >= p.start(batch+1) {
			t.Fatalf("block %d is not in batch %d", block, batch)
		}
		for i, slots := range p.listing.slots(block) {
			for _, slot := range slots {
				probe, template := p.place(block, at)
				if probe != p.probes(batch)[slot] || template != templates[i] {
					t.Fatalf("block %d, pair %d: probe %d and template %d in slot %d", block, at, probe, template, slot)
				}
				seen = append(seen, Pair{uint32(probe), uint32(template)})
				at++
			}
		}
		if at != p.pairs(block) || at > blockPairs || len(templates) > blockReplies || p.replySize(block) > wire.MaxChunk {
			t.Fatalf("block %d of %d pairs, %d replies, %d bytes", block, at, len(templates), p.replySize(block))
		}
	}
	if p.batchOf(p.blocks()) != p.batches || p.before(p.blocks()) != int64(len(s.Candidates)) {
		t.Fatalf("%d blocks, %d batches", p.blocks(), p.batches)
	}
	slices.SortFunc(seen, func(a, b Pair) int {
		if a.less(b) {
			return -1
		}
		return 1
	})
	if !slices.Equal(seen, s.Candidates) {
		t.Fatalf("%d pairs are compared of %d", len(seen), len(s.Candidates))
	}
}

// TestLargeListings divides lists that need several batches, and replies that fill blocks.
func TestLargeListings(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	for _, c := range []struct{ probes, templates, pairs int }{{10_000, 8_000, 30_000}, {4_200, 3, 12_600}, {20_000, 20_000, 20_000}} {
		s := Session{Model: "m", Dimension: 1024, Threshold: 1, Probes: wire.SizeClass(c.probes), Templates: wire.SizeClass(c.templates), Learns: BothLearn}
		seen := map[Pair]bool{}
		for range c.pairs {
			seen[Pair{uint32(r.IntN(c.probes)), uint32(r.IntN(c.templates))}] = true
		}
		s.Candidates = []Pair{}
		for p := range seen {
			s.Candidates = append(s.Candidates, p)
		}
		slices.SortFunc(s.Candidates, func(a, b Pair) int {
			if a.less(b) {
				return -1
			}
			return 1
		})
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		checkPlan(t, &s)
	}
	if he.SomeSize(blockPairs)+he.SomeSize(0)*(blockReplies-1)+blockReplies > wire.MaxChunk {
		t.Error("a full block does not fit into a frame")
	}
}
