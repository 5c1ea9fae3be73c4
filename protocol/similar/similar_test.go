package similar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
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
		if testing.Short() && c.Probes > 64 {
			continue // batches are long under the race detector
		}
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

// small is a run of 20 blocks in three windows.
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
		return tapped{Conn: c, change: func(_ wire.Kind, b []byte) []byte { frames++; return b }}
	}
	if o := x.attempt(t, count); o.askerError != nil || o.answerError != nil {
		t.Fatal(o.askerError, o.answerError)
	}
	step := 17
	if testing.Short() {
		step = 151
	}
	for cut := 1; cut < frames; cut += step {
		x, _, _ := small(BothLearn)
		left := cut
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
		replies, kept := 0, min(len(x.askerLog.flows[blocksFlow]), len(x.answererLog.flows[blocksFlow]))
		o = x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
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

// TestRepliesComeAgainTheSame: a block that is sent twice for one query is the same bytes; for
// another query or other templates it shares nothing with the first.
func TestRepliesComeAgainTheSame(t *testing.T) {
	var seen [][]byte
	record := func(_ role, c net.Conn) io.ReadWriter {
		return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
			if k == kindReply {
				seen = append(seen, b)
			}
			return b
		}}
	}
	again := func(change func(x *sides)) {
		x, _, _ := small(AskerLearns)
		change(x)
		if o := x.attempt(t, record); o.askerError != nil || o.answerError != nil {
			t.Fatal(o.askerError, o.answerError)
		}
	}
	again(func(*sides) {})
	again(func(*sides) {})
	again(func(x *sides) { x.probes[5] = []int8{1, 1, 1, 1, 1, 1, 1, 1} })
	again(func(x *sides) {
		for i := range x.templates {
			x.templates[i] = []int8{1, 1, 1, 1, 1, 1, 1, 1}
		}
	})
	if len(seen) != 80 || !bytes.Equal(seen[0], seen[20]) || !bytes.Equal(seen[19], seen[39]) {
		t.Fatalf("%d replies, not twice the same twenty", len(seen))
	}
	for _, other := range []int{40, 60} {
		if share := alike(seen[0], seen[other]); share > 0.02 { // by chance 1 in 256
			t.Errorf("%.1f %% of the bytes of replies %d are the same", 100*share, other)
		}
	}
}

// alike is the share of bytes that are the same in both.
func alike(a, b []byte) float64 {
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / float64(len(a))
}

// TestListsMustNotChange: a side whose list has changed since a run began does not go on, and
// says nothing of the change before. Even with its journal lost it uses no seed for another list.
func TestListsMustNotChange(t *testing.T) {
	var sent [2][][]byte
	for n := range sent {
		for _, changes := range []role{asker, answerer} {
			x, _, _ := small(BothLearn)
			frames := 0
			o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
				return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
					if k == kindCiphertext && changes == asker {
						sent[n] = append(sent[n], b)
					}
					if k == kindColumns {
						return nil
					}
					return b
				}}
			})
			if o.askerError == nil || o.answerError == nil {
				t.Fatal("the run was not cut")
			}
			if changes == asker {
				x.probes[3] = []int8{2, 2, 2, 2, 2, 2, 2, 2}
			} else {
				for i := range x.templates { // those of the blocks that were answered among them
					x.templates[i] = []int8{2, 2, 2, 2, 2, 2, 2, 2}
				}
			}
			if n == 1 {
				x.askerLog, x.answererLog = newMemory(), newMemory()
			}
			o = x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
				return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
					if k == kindCiphertext && changes == asker {
						sent[n] = append(sent[n], b)
					}
					if k == kindCiphertext && changes == asker || k == kindReply && changes == answerer {
						frames++
					}
					return b
				}}
			})
			err := o.askerError
			if changes == answerer {
				err = o.answerError
			}
			if n == 0 && (!errors.Is(err, ErrChanged) || frames > 0) || n == 1 && err != nil {
				t.Errorf("role %d, journal lost %v: %v after %d frames", changes, n == 1, err, frames)
			}
		}
	}
	if len(sent[0]) != 8 || len(sent[1]) != 16 {
		t.Fatalf("%d and %d ciphertexts", len(sent[0]), len(sent[1]))
	}
	if share := alike(sent[1][0], sent[1][8]); share > 0.02 {
		t.Errorf("%.1f %% of the bytes of ciphertexts of two lists are the same", 100*share)
	}
}

// TestRepeatsAreBounded has blocks begin as often as they may, and a peer that pretends to have
// lost blocks.
func TestRepeatsAreBounded(t *testing.T) {
	x, _, _ := small(AskerLearns)
	cut := func(_ role, c net.Conn) io.ReadWriter {
		return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
			if k == kindTables {
				return nil
			}
			return b
		}}
	}
	for n := range maxBegun {
		if o := x.attempt(t, cut); errors.Is(o.answerError, ErrRepeated) || o.answerError == nil {
			t.Fatalf("attempt %d: %v", n, o.answerError)
		}
	}
	if o := x.attempt(t, plain); !errors.Is(o.answerError, ErrRepeated) {
		t.Errorf("after %d attempts: %v", maxBegun, o.answerError)
	}
	x, _, _ = small(AskerLearns)
	for range 3 * maxBegun { // what breaks before anything is compared costs nothing
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
				if k == kindBase {
					return nil
				}
				return b
			}}
		})
		if o.askerError == nil {
			t.Fatal("the run was not cut")
		}
	}
	if o := x.attempt(t, plain); o.askerError != nil || o.answerError != nil {
		t.Fatal(o.askerError, o.answerError)
	}
	x.askerLog = newMemory()
	var fault *wire.ProtocolError
	if o := x.attempt(t, plain); !errors.As(o.answerError, &fault) || fault.Code != wire.Malformed {
		t.Errorf("an asker that has lost twenty blocks: %v", o.answerError)
	}
	x.answererLog.flows[runFlow][0][5] ^= 1
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
		return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte { lengths[k] = as; return b }}
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
			if testing.Short() && name == "longer" {
				continue
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
		return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
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
		"commitment": func(s *Session) { s.AskerCommitment[0]++ },
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
	x = newSides(good, vectors{{127, 127, 22, 5, 0, 0, 0, 0}}, vectors{{1, 2, 3}})
	if o := x.attempt(t, plain); !errors.Is(o.askerError, he.ErrVector) {
		t.Errorf("a vector that is too long: %v", o.askerError)
	}
	x = newSides(good, nil, vectors{{1, 2, 3}})
	if o := x.attempt(t, plain); !errors.Is(o.answerError, he.ErrVector) {
		t.Errorf("a vector of three coordinates: %v", o.answerError)
	}
	x.asker.Secret[0]++
	if o := x.attempt(t, plain); !errors.Is(o.askerError, ErrChanged) {
		t.Errorf("a secret that is not the one committed to: %v", o.askerError)
	}
	x.asker.Secret = Secret{}
	x.asker.AskerCommitment = x.asker.Secret.Commit()
	if o := x.attempt(t, plain); !errors.Is(o.askerError, ErrChanged) {
		t.Errorf("a secret of zeros: %v", o.askerError)
	}
}

// TestListsAreShuffled: places are in no order that the other side could use, and in another
// one for each run and side.
func TestListsAreShuffled(t *testing.T) {
	x := newSides(Session{Dimension: 8, Threshold: 3, Probes: 1024, Templates: 640, Split: 1, Learns: BothLearn}, nil, nil)
	for as, s := range map[role]Session{asker: x.asker, answerer: x.answerer} {
		a, err := s.order(as, 600)
		if err != nil {
			t.Fatal(err)
		}
		seen := make([]bool, 600)
		inPlace, empty, front := 0, 0, 0
		for place, position := range a {
			switch {
			case position < 0:
				empty++
				if place < len(a)/2 {
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
		if empty != len(a)-600 || slices.Contains(seen, false) || inPlace > 10 || front*4 < empty || front*4 > 3*empty {
			t.Errorf("%d empty places, %d of them in front, %d in place", empty, front, inPlace)
		}
		s.Run++
		b, err := s.order(as, 600)
		if err != nil || slices.Equal(a, b) {
			t.Errorf("two runs have one order: %v", err)
		}
	}
}

// TestSecretsPrintNothing prints what holds secrets.
func TestSecretsPrintNothing(t *testing.T) {
	x, _, _ := small(AskerLearns)
	x.asker.Secret = Secret(bytes.Repeat([]byte{0xa7}, SecretSize))
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		if s := fmt.Sprintf(format, x.asker); strings.Contains(s, "a7a7") || strings.Contains(s, "167 167") || strings.Contains(s, "0xa7, 0xa7") {
			t.Errorf("%s shows the secret", format)
		}
	}
}

// TestOpenedSecretsConvict has one side send a frame that its secret does not give: opened
// secrets and lists give another digest than both sides have noted.
func TestOpenedSecretsConvict(t *testing.T) {
	for cheat, kind := range map[string]wire.Kind{"nobody": 0, "asker": kindCiphertext, "answerer": kindReply} {
		x, probes, templates := small(AskerLearns)
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
				if k == kind {
					b[3] ^= 1
				}
				return b
			}}
		})
		if o.askerError != nil || o.answerError != nil {
			t.Fatal(o.askerError, o.answerError)
		}
		queries, err := Queries(t.Context(), x.asker, probes)
		if err != nil {
			t.Fatal(err)
		}
		replies, err := Replies(t.Context(), x.asker, probes, x.answerer, templates)
		if err != nil {
			t.Fatal(err)
		}
		if len(queries) != 1 || len(replies) != 20 || slices.Equal(queries, o.answerer.Queries) == (cheat == "asker") {
			t.Errorf("%s cheats: queries %x, opened %x", cheat, o.answerer.Queries, queries)
		}
		if slices.Equal(replies, o.asker.Replies) != (cheat == "nobody") {
			t.Errorf("%s cheats: the replies opened are the same: %v", cheat, cheat != "nobody")
		}
		if cheat == "nobody" && (!slices.Equal(o.asker.Queries, o.answerer.Queries) || !slices.Equal(o.asker.Replies, o.answerer.Replies)) {
			t.Error("both sides note other digests")
		}
	}
	x, probes, templates := small(AskerLearns)
	x.asker.Secret[0]++
	if _, err := Queries(t.Context(), x.asker, probes); !errors.Is(err, ErrChanged) {
		t.Errorf("another secret is taken for the one committed to: %v", err)
	}
	x.answerer.Secret[0]++
	if _, err := Replies(t.Context(), x.asker, probes, x.answerer, templates); !errors.Is(err, ErrChanged) {
		t.Errorf("another secret of the answerer's: %v", err)
	}
}

// TestNothingChangesOnTheWay: a query or reply that comes again as another one is refused.
func TestNothingChangesOnTheWay(t *testing.T) {
	for kind, refuses := range map[wire.Kind]role{kindCiphertext: answerer, kindReply: asker} {
		x, _, _ := small(BothLearn)
		cut := func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
				if k == kindColumns {
					return nil
				}
				return b
			}}
		}
		if o := x.attempt(t, cut); o.askerError == nil {
			t.Fatal("the run was not cut")
		}
		o := x.attempt(t, func(_ role, c net.Conn) io.ReadWriter {
			return tapped{Conn: c, change: func(k wire.Kind, b []byte) []byte {
				if k == kind {
					b[3] ^= 2
				}
				return b
			}}
		})
		err := o.answerError
		if refuses == asker {
			err = o.askerError
		}
		var fault *wire.ProtocolError
		if !errors.As(err, &fault) || fault.Code != wire.Altered {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// TestPeersThatDoNotRead ends an attempt with a peer that sends an error and reads nothing, and
// one that sends Start and reads nothing: within the grace, not for ever.
func TestPeersThatDoNotRead(t *testing.T) {
	for name, say := range map[string]func(c *wire.Conn, s *Session){
		"error": func(c *wire.Conn, _ *Session) { _ = c.SendError(wire.Busy) },
		"start": func(c *wire.Conn, s *Session) {
			_ = c.Send(kindStart, &startMessage{Role: uint8(answerer), Session: s.digest()})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			x, _, _ := small(AskerLearns)
			a, b := net.Pipe()
			defer b.Close()
			var peer sync.WaitGroup
			peer.Go(func() { say(wire.NewConn(b), &x.asker) })
			if _, err := Ask(t.Context(), a, x.asker, x.probes, x.askerLog, nil); err == nil {
				t.Errorf("%s: no error", name)
			}
			peer.Wait()
		})
	}
}
