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
	"testing/synctest"

	"entente/crypto/he"
	"entente/protocol/wire"
)

// TestHitsEqualTheClear compares both sides' hits with those of plain inner products, for
// batches, single probes, split queries and lists that fill their places or not.
func TestHitsEqualTheClear(t *testing.T) {
	for n, c := range []struct {
		Session
		probes, templates, most int
	}{
		{Session{Dimension: 16, Threshold: 40, Probes: 64, Templates: 64, Split: 1, Learns: BothLearn}, 50, 60, 3},
		{Session{Dimension: 16, Threshold: 40, Probes: 64, Templates: 160, Split: 1, Learns: BothLearn}, 64, 160, 3},
		{Session{Dimension: 16, Threshold: 40, Probes: 64, Templates: 64, Split: 1, Learns: AskerLearns}, 50, 60, 3},
		{Session{Dimension: 16, Threshold: 40, Probes: 64, Templates: 64, Split: 1, Learns: AnswererLearns}, 50, 60, 3},
		{Session{Dimension: 32, Threshold: 60, Probes: 1, Templates: 5120, Split: 1, Learns: BothLearn}, 1, 5000, 3},
		{Session{Dimension: 32, Threshold: 45, Probes: 1, Templates: 1024, Split: 8, Learns: BothLearn}, 1, 1000, 3},
		{Session{Dimension: 32, Threshold: 60, Probes: 4, Templates: 512, Split: 2, Learns: BothLearn}, 3, 500, 3},
		{Session{Dimension: 8, Threshold: 30, Probes: 4096, Templates: 96, Split: 1, Learns: BothLearn}, 4000, 90, 3},
		{Session{Dimension: 8, Threshold: 30, Probes: 8192, Templates: 64, Split: 1, Learns: BothLearn}, 5000, 30, 3},
		{Session{Dimension: 8, Threshold: 1, Probes: 64, Templates: 64, Split: 1, Learns: BothLearn}, 64, 64, 2},
		{Session{Dimension: 8, Threshold: MaxThreshold, Probes: 64, Templates: 64, Split: 1, Learns: BothLearn}, 64, 64, 2},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(n)))
			probes, templates := drawn(r, c.probes, c.Dimension, c.most), drawn(r, c.templates, c.Dimension, c.most)
			x := newSides(c.Session, probes, templates)
			o := x.attempt(t, plain)
			if o.askerError != nil || o.answerError != nil {
				t.Fatal(o.askerError, o.answerError)
			}
			asker, answerer := inTheClear(probes, templates, c.Threshold)
			if !c.Learns.asker() {
				asker = nil
			}
			if !c.Learns.answerer() {
				answerer = nil
			}
			if !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
				t.Errorf("%d and %d hits, in the clear %d and %d", len(o.asker.Positions), len(o.answerer.Positions), len(asker), len(answerer))
			}
			if c.Threshold > 1 && c.Threshold < MaxThreshold && c.Learns == BothLearn && (len(asker) == 0 || len(answerer) == 0) {
				t.Error("the lists have nothing in common: the test is blind")
			}
			if o.asker.BytesSent != o.answerer.BytesReceived || o.asker.BytesReceived != o.answerer.BytesSent {
				t.Errorf("bytes differ: %+v, %+v", o.asker, o.answerer)
			}
		})
	}
}

// TestExtremeScores has scores at both ends and at the threshold.
func TestExtremeScores(t *testing.T) {
	long, back := make([]int8, 16), make([]int8, 16)
	for i := range long {
		long[i], back[i] = 32, -32
	}
	almost := slices.Clone(long)
	almost[0] = 31
	for _, threshold := range []int{1, 16_351, 16_352, 16_353, MaxThreshold} {
		probes, templates := vectors{long, back, almost}, vectors{back, long, almost}
		x := newSides(Session{Dimension: 16, Threshold: threshold, Probes: 64, Templates: 64, Split: 1, Learns: BothLearn}, probes, templates)
		o := x.attempt(t, plain)
		asker, answerer := inTheClear(probes, templates, threshold)
		if o.askerError != nil || o.answerError != nil || !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
			t.Errorf("threshold %d: %v %v, want %v %v (%v, %v)", threshold, o.asker.Positions, o.answerer.Positions, asker, answerer, o.askerError, o.answerError)
		}
	}
}

// small is a run of 20 blocks in two windows.
func small(learns Learns) (*sides, vectors, vectors) {
	r := rand.New(rand.NewPCG(8, 8))
	probes, templates := drawn(r, 64, 8, 3), drawn(r, 1280, 8, 3)
	return newSides(Session{Dimension: 8, Threshold: 30, Probes: 64, Templates: 1280, Split: 1, Learns: learns}, probes, templates), probes, templates
}

// TestCutEverywhere cuts the stream before each frame of either side; the run goes on over a
// new stream and gives the same hits, and sends no more blocks again than those of a window.
func TestCutEverywhere(t *testing.T) {
	x, probes, templates := small(BothLearn)
	asker, answerer := inTheClear(probes, templates, 30)
	frames := 0
	count := func(_ role, c net.Conn) io.ReadWriter {
		return tapped{c, func(_ wire.Kind, b []byte) []byte { frames++; return b }}
	}
	if o := x.attempt(t, count); o.askerError != nil || o.answerError != nil {
		t.Fatal(o.askerError, o.answerError)
	}
	for cut := 1; cut < frames; cut += 17 {
		x, _, _ := small(BothLearn)
		left := cut
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{c, func(_ wire.Kind, b []byte) []byte {
				if left--; left < 0 {
					return nil
				}
				return b
			}}
		})
		if o.askerError == nil && o.answerError == nil {
			t.Fatalf("cut %d went unnoticed", cut)
		}
		replies, kept := 0, min(len(x.askerLog.flows[blocksFlow]), len(x.answererLog.flows[blocksFlow]))
		o = x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{c, func(k wire.Kind, b []byte) []byte {
				if k == kindReply {
					replies++
				}
				return b
			}}
		})
		if o.askerError != nil || o.answerError != nil || !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
			t.Fatalf("after cut %d: %v, %v, %d and %d hits", cut, o.askerError, o.answerError, len(o.asker.Positions), len(o.answerer.Positions))
		}
		if replies != 20-kept {
			t.Errorf("after cut %d with %d blocks kept %d are sent again", cut, kept, replies)
		}
	}
}

// TestRepliesComeAgainTheSame: a block that is sent twice for one query is the same bytes, and
// for another query shares nothing with it.
func TestRepliesComeAgainTheSame(t *testing.T) {
	var seen [][]byte
	record := func(_ role, c net.Conn) io.ReadWriter {
		return tapped{c, func(k wire.Kind, b []byte) []byte {
			if k == kindReply {
				seen = append(seen, b)
			}
			return b
		}}
	}
	x, _, _ := small(AskerLearns)
	x.attempt(t, record)
	x.askerLog, x.answererLog = newMemory(), newMemory()
	x.attempt(t, record)
	if len(seen) != 40 || !bytes.Equal(seen[0], seen[20]) || !bytes.Equal(seen[19], seen[39]) {
		t.Fatalf("%d replies, not twice the same twenty", len(seen))
	}
	x.askerLog, x.answererLog = newMemory(), newMemory()
	x.attempt(t, func(as role, c net.Conn) io.ReadWriter {
		first := true
		return tapped{c, func(k wire.Kind, b []byte) []byte {
			if k == kindReply {
				seen = append(seen, b)
			}
			if k == kindCiphertext && first { // one residue changed by one
				first = false
				b[0] ^= 1
			}
			return b
		}}
	})
	if len(seen) < 41 {
		t.Fatal("no replies to another query")
	}
	same := 0
	for i := range seen[0] {
		if seen[0][i] == seen[40][i] {
			same++
		}
	}
	if share := float64(same) / float64(len(seen[0])); share > 0.02 { // by chance 1 in 256
		t.Errorf("%.1f %% of the bytes of replies to two queries are the same", 100*share)
	}
}

// TestRunsAreBounded ends a run that was broken too often, and one whose peer pretends to have
// lost blocks.
func TestRunsAreBounded(t *testing.T) {
	x, _, _ := small(AskerLearns)
	cut := func(_ role, c net.Conn) io.ReadWriter {
		return tapped{c, func(k wire.Kind, b []byte) []byte {
			if k == kindRequest {
				return nil
			}
			return b
		}}
	}
	for n := range maxAttempts {
		if n > 3 && n < maxAttempts-3 { // in the middle only as journals tell of them
			for _, m := range []*memory{x.askerLog, x.answererLog} {
				m.flows[attemptsFlow] = append(m.flows[attemptsFlow], m.flows[attemptsFlow][0])
			}
			continue
		}
		if o := x.attempt(t, cut); errors.Is(o.answerError, ErrRepeated) || o.answerError == nil {
			t.Fatal(o.answerError)
		}
	}
	if o := x.attempt(t, plain); !errors.Is(o.askerError, ErrRepeated) || !errors.Is(o.answerError, ErrRepeated) {
		t.Errorf("after %d attempts: %v, %v", maxAttempts, o.askerError, o.answerError)
	}

	x, _, _ = small(AskerLearns)
	if o := x.attempt(t, plain); o.askerError != nil {
		t.Fatal(o.askerError)
	}
	x.askerLog = newMemory()
	var fault *wire.ProtocolError
	if o := x.attempt(t, plain); !errors.As(o.answerError, &fault) || fault.Code != wire.Malformed {
		t.Errorf("an asker that has lost twenty blocks: %v", o.answerError)
	}
	x.templates = x.templates[1:]
	x.answererLog.flows[attemptsFlow][0][5] ^= 1
	if o := x.attempt(t, plain); !errors.Is(o.answerError, ErrChanged) {
		t.Errorf("a journal of another run: %v", o.answerError)
	}
}

// TestHostileFrames changes one frame of each kind: shortens, lengthens and flips it. The
// other side must fail, and blame the peer.
func TestHostileFrames(t *testing.T) {
	lengths := map[wire.Kind]role{}
	x, _, _ := small(BothLearn)
	x.attempt(t, func(as role, c net.Conn) io.ReadWriter {
		return tapped{c, func(k wire.Kind, b []byte) []byte { lengths[k] = as; return b }}
	})
	if len(lengths) != 14 {
		t.Fatalf("%d kinds of frames", len(lengths))
	}
	for kind := range lengths {
		for name, change := range map[string]func([]byte) []byte{
			"shorter": func(b []byte) []byte { return b[:max(0, len(b)-1)] },
			"longer":  func(b []byte) []byte { return append(b, 0) },
			"ones": func(b []byte) []byte {
				for i := range b {
					b[i] = 0xff
				}
				return b
			},
		} {
			if name == "shorter" && kind == kindDone {
				continue // it is empty
			}
			free := []wire.Kind{kindDone, kindChallenge, kindTables, kindCombining, kindLast, kindShares}
			if name == "ones" && slices.Contains(free, kind) {
				continue // every value is one that an honest side may send
			}
			// In a bubble the wait for a peer that does not read costs nothing.
			synctest.Test(t, func(t *testing.T) {
				if err := changed(t, kind, lengths[kind], change); err == nil || err.Code.Fault() != wire.Peer {
					t.Errorf("kind %d %s: %v", kind, name, err)
				}
			})
		}
	}
}

// changed runs an attempt in which one side's first frame of a kind is changed, and returns
// what the other side blames it for.
func changed(t *testing.T, kind wire.Kind, from role, change func([]byte) []byte) *wire.ProtocolError {
	t.Helper()
	r := rand.New(rand.NewPCG(8, 9))
	s := Session{Dimension: 2, Threshold: 3, Probes: 64, Templates: 64, Split: 1, Learns: BothLearn}
	x := newSides(s, drawn(r, 64, 2, 3), drawn(r, 64, 2, 3))
	done := false
	o := x.attempt(t, func(as role, c net.Conn) io.ReadWriter {
		return tapped{c, func(k wire.Kind, b []byte) []byte {
			if k == kind && as == from && !done {
				done = true
				return change(b)
			}
			return b
		}}
	})
	err := o.answerError
	if from == answerer {
		err = o.askerError
	}
	var fault *wire.ProtocolError
	errors.As(err, &fault)
	return fault
}

// TestDisagreements has sides whose sessions differ in one thing each.
func TestDisagreements(t *testing.T) {
	for name, change := range map[string]func(*Session){
		"agreement":  func(s *Session) { s.Agreement[0]++ },
		"run":        func(s *Session) { s.Run++ },
		"model":      func(s *Session) { s.Model += "2" },
		"dimension":  func(s *Session) { s.Dimension++ },
		"threshold":  func(s *Session) { s.Threshold++ },
		"probes":     func(s *Session) { s.Probes *= 2 },
		"templates":  func(s *Session) { s.Templates = 1536 },
		"learns":     func(s *Session) { s.Learns = AskerLearns },
		"commitment": func(s *Session) { s.Commitment[0]++ },
	} {
		x, _, _ := small(BothLearn)
		change(&x.answerer)
		if name == "dimension" {
			x.templates = drawn(rand.New(rand.NewPCG(1, 1)), 10, 9, 1)
		}
		o := x.attempt(t, plain)
		var fault *wire.ProtocolError
		if !errors.As(o.askerError, &fault) && !errors.As(o.answerError, &fault) {
			t.Errorf("%s: %v, %v", name, o.askerError, o.answerError)
		} else if fault.Code != wire.Altered {
			t.Errorf("%s: %v", name, fault)
		}
	}
}

func TestBadSessions(t *testing.T) {
	good := Session{Model: "m", Dimension: 8, Threshold: 3, Probes: 64, Templates: 64, Split: 1, Learns: BothLearn}
	for name, change := range map[string]func(*Session){
		"run":              func(s *Session) { s.Run = -1 },
		"no model":         func(s *Session) { s.Model = "" },
		"long model":       func(s *Session) { s.Model = string(make([]byte, 65)) },
		"no threshold":     func(s *Session) { s.Threshold = 0 },
		"high threshold":   func(s *Session) { s.Threshold = MaxThreshold + 1 },
		"nobody learns":    func(s *Session) { s.Learns = 0 },
		"others learn":     func(s *Session) { s.Learns = 4 },
		"no probes":        func(s *Session) { s.Probes = 0 },
		"odd probes":       func(s *Session) { s.Probes = 65 },
		"large odd probes": func(s *Session) { s.Probes = 6144 },
		"no templates":     func(s *Session) { s.Templates = 0 },
		"templates":        func(s *Session) { s.Templates = 65 },
		"dimension":        func(s *Session) { s.Dimension = MaxDimension + 1 },
		"split":            func(s *Session) { s.Split = 3 },
		"pairs":            func(s *Session) { s.Probes, s.Templates = 1<<16, 1<<16 },
	} {
		s := good
		change(&s)
		if err := s.Check(); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	x := newSides(good, drawn(rand.New(rand.NewPCG(1, 1)), 65, 8, 1), nil)
	if o := x.attempt(t, plain); o.askerError == nil {
		t.Error("a list longer than its places passes")
	}
	x = newSides(good, vectors{{127, 127, 0, 0, 0, 0, 0, 0}}, vectors{{1, 2, 3}})
	if o := x.attempt(t, plain); !errors.Is(o.askerError, he.ErrVector) {
		t.Errorf("a vector that is too long: %v", o.askerError)
	}
	x = newSides(good, nil, vectors{{1, 2, 3}})
	if o := x.attempt(t, plain); !errors.Is(o.answerError, he.ErrVector) {
		t.Errorf("a vector of three coordinates: %v", o.answerError)
	}
	x.asker.Secret[0]++
	if o := x.attempt(t, plain); o.askerError == nil {
		t.Error("a secret that is not the one committed to passes")
	}
}

// TestTemplatesAreShuffled: places of templates are in no order that the asker could use, and
// in another one for each run.
func TestTemplatesAreShuffled(t *testing.T) {
	s := newSides(Session{Dimension: 8, Threshold: 3, Probes: 64, Templates: 640, Split: 1, Learns: BothLearn}, nil, nil).answerer
	a, err := s.order(answerer, 600)
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]bool, 600)
	inPlace, empty, front := 0, 0, 0
	for place, position := range a {
		switch {
		case position < 0:
			empty++
			if place < 320 {
				front++
			}
		case seen[position]:
			t.Fatalf("position %d twice", position)
		default:
			seen[position] = true
			if place == position {
				inPlace++
			}
		}
	}
	if empty != 40 || slices.Contains(seen, false) || inPlace > 10 || front < 5 || front > 35 {
		t.Errorf("%d empty places, %d of them in front, %d in place", empty, front, inPlace)
	}
	s.Run++
	b, err := s.order(answerer, 600)
	if err != nil || slices.Equal(a, b) {
		t.Errorf("two runs have one order: %v", err)
	}
}

// TestOpenedSecretsConvict has an asker send one ciphertext that its secret does not give: its
// opened secret and probes give another digest than the answerer has. And it cannot change its
// query when the run goes on.
func TestOpenedSecretsConvict(t *testing.T) {
	for _, cheat := range []bool{false, true} {
		x, probes, _ := small(AskerLearns)
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{c, func(k wire.Kind, b []byte) []byte {
				if cheat && k == kindCiphertext {
					b[3] ^= 1
				}
				return b
			}}
		})
		if o.answerError != nil {
			t.Fatal(o.answerError)
		}
		want, err := Queries(x.asker, probes)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(want, o.answerer.Queries) == cheat || len(want) != 1 || len(o.answerer.Queries) != 1 {
			t.Errorf("cheating %v: %x, opened %x", cheat, o.answerer.Queries, want)
		}
		other := x.asker
		other.Secret[0]++
		if _, err := Queries(other, probes); !errors.Is(err, ErrChanged) {
			t.Errorf("another secret is taken for the one committed to: %v", err)
		}
		delete(x.askerLog.flows, blocksFlow)
		x.answererLog.flows[blocksFlow] = x.answererLog.flows[blocksFlow][:10]
		o = x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{c, func(k wire.Kind, b []byte) []byte {
				if k == kindCiphertext {
					b[3] ^= 2
				}
				return b
			}}
		})
		var fault *wire.ProtocolError
		if !errors.As(o.answerError, &fault) || fault.Code != wire.Altered {
			t.Errorf("a query that is changed on the way: %v", o.answerError)
		}
	}
}
