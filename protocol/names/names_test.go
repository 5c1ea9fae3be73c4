package names

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"entente/protocol/exact"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// TestHitsEqualTheClear compares both sides' hits with plain inner products of records that
// have a key in common.
func TestHitsEqualTheClear(t *testing.T) {
	for n, c := range []struct {
		probes, templates, keys, of int
		learns                      similar.Learns
	}{
		{60, 60, 16, 200, similar.BothLearn},
		{64, 200, 4, 40, similar.AskerLearns},
		{200, 50, 4, 40, similar.AnswererLearns},
		{60, 60, 3, 1_000_000, similar.BothLearn}, // nothing in common
		{0, 60, 3, 20, similar.BothLearn},
		{300, 300, 2, 4, similar.BothLearn}, // keys above the cap
	} {
		if testing.Short() && n > 0 {
			continue
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, uint64(n)))
			s := Session{Dimension: 16, Threshold: 25, Probes: wire.SizeClass(c.probes), Templates: wire.SizeClass(c.templates),
				Candidates: 10_000, Learns: c.learns}
			x := newSides(t, s, drawn(r, c.probes, 16, c.keys, c.of), drawn(r, c.templates, 16, c.keys, c.of))
			o := x.attempt(t, plain)
			if o.askerError != nil || o.answerError != nil {
				t.Fatal(o.askerError, o.answerError)
			}
			asker, answerer, pairs, labels := x.inTheClear()
			if c.learns == similar.AnswererLearns {
				asker = nil
			}
			if c.learns == similar.AskerLearns {
				answerer = nil
			}
			if !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
				t.Errorf("%d and %d hits, in the clear %d and %d", len(o.asker.Positions), len(o.answerer.Positions), len(asker), len(answerer))
			}
			for _, got := range []Result{o.asker, o.answerer} {
				if got.Candidates != pairs || got.Labels != labels {
					t.Errorf("%d candidates under %d keys, in the clear %d under %d", got.Candidates, got.Labels, pairs, labels)
				}
			}
			if n < 3 && len(asker)+len(answerer) == 0 {
				t.Error("nothing reaches the threshold: the test is blind")
			}
			if o.asker.BytesSent != o.answerer.BytesReceived || o.asker.BytesReceived != o.answerer.BytesSent || o.asker.Handles != o.answerer.Handles {
				t.Errorf("both sides count other bytes or handles: %+v, %+v", o.asker, o.answerer)
			}
		})
	}
}

// TestCutEverywhere cuts the stream before each frame of either side; the run goes on over a
// new stream and gives the same hits.
func TestCutEverywhere(t *testing.T) {
	x := small(t, similar.BothLearn)
	asker, answerer, _, _ := x.inTheClear()
	frames := 0
	o := x.attempt(t, func(_ role, _ wire.Kind, b []byte) []byte { frames++; return b })
	if o.askerError != nil || o.answerError != nil || len(asker) == 0 {
		t.Fatal(o.askerError, o.answerError)
	}
	step := 1
	if testing.Short() {
		step = 9
	}
	for cut := 0; cut < frames; cut += step {
		x := small(t, similar.BothLearn)
		left := cut
		o := x.attempt(t, func(_ role, _ wire.Kind, b []byte) []byte {
			if left--; left < 0 {
				return nil
			}
			return b
		})
		if left < 0 && o.askerError == nil && o.answerError == nil {
			t.Fatalf("cut %d went unnoticed", cut)
		}
		o = x.attempt(t, plain)
		if o.askerError != nil || o.answerError != nil || !slices.Equal(o.asker.Positions, asker) || !slices.Equal(o.answerer.Positions, answerer) {
			t.Fatalf("after cut %d: %v, %v, %d and %d hits", cut, o.askerError, o.answerError, len(o.asker.Positions), len(o.answerer.Positions))
		}
	}
}

// TestHandlesMustNotChange: handles that come again as others are refused before a vector is
// compared.
func TestHandlesMustNotChange(t *testing.T) {
	x := small(t, similar.BothLearn)
	cut := func(as role, k wire.Kind, b []byte) []byte {
		if k == 7 && as == answerer { // the similar run's Reply
			return nil
		}
		return b
	}
	if o := x.attempt(t, cut); o.askerError == nil {
		t.Fatal("the run was not cut")
	}
	o := x.attempt(t, func(as role, k wire.Kind, b []byte) []byte {
		if k == kindHandles && as == answerer {
			labels, err := parseHandles(b, countLabels(b), 64)
			if err != nil {
				t.Error(err)
				return b
			}
			for i, handles := range labels {
				if len(handles) == 1 { // another record of one's own
					labels[i] = []uint32{(handles[0] + 1) % 64}
					break
				}
			}
			return appendHandles(nil, labels)
		}
		return b
	})
	var fault *wire.ProtocolError
	if !errors.As(o.askerError, &fault) || fault.Code != wire.Altered {
		t.Errorf("other handles: %v", o.askerError)
	}
	slices.Reverse(x.templates.keys)
	if o := x.attempt(t, plain); !errors.Is(o.answerError, ErrChanged) {
		t.Errorf("a list whose keys have moved: %v", o.answerError)
	}
}

func countLabels(b []byte) (n int) {
	for ; len(b) > 0; b = b[1+4*int(b[0]):] {
		n++
	}
	return n
}

// TestTooManyCandidates: a run with more than was agreed ends before a vector is encrypted.
func TestTooManyCandidates(t *testing.T) {
	x := small(t, similar.BothLearn)
	_, _, pairs, _ := x.inTheClear()
	x.asker.Candidates, x.answerer.Candidates = pairs-1, pairs-1
	o := x.attempt(t, func(_ role, k wire.Kind, b []byte) []byte {
		if len(b) > 50_000 {
			t.Error("a ciphertext is sent")
		}
		return b
	})
	if !errors.Is(o.askerError, ErrTooMany) && !errors.Is(o.answerError, ErrTooMany) {
		t.Errorf("%v, %v", o.askerError, o.answerError)
	}
	x = small(t, similar.BothLearn)
	x.asker.Candidates, x.answerer.Candidates = pairs, pairs
	if o := x.attempt(t, plain); o.askerError != nil || o.answerError != nil {
		t.Errorf("as many as agreed: %v, %v", o.askerError, o.answerError)
	}
}

// TestOpenedHandles: keys and secrets opened give the digests that both sides have noted.
func TestOpenedHandles(t *testing.T) {
	x := small(t, similar.BothLearn)
	own := map[role]exact.Result{}
	o := x.attempt(t, plain)
	if o.askerError != nil || o.answerError != nil {
		t.Fatal(o.askerError, o.answerError)
	}
	again := x.attempt(t, plain)
	if again.askerError != nil || again.asker.Handles != o.asker.Handles || !slices.Equal(again.asker.Positions, o.asker.Positions) {
		t.Fatalf("a run that is over gives something else: %v", again.askerError)
	}
	_, own[asker] = commonOf(t, x.probes, x.templates)
	_, own[answerer] = commonOf(t, x.templates, x.probes)
	a, err := AskerHandles(t.Context(), x.asker, x.probes, own[asker])
	if err != nil {
		t.Fatal(err)
	}
	b, err := AnswererHandles(t.Context(), x.answerer, x.templates, own[answerer])
	if err != nil {
		t.Fatal(err)
	}
	if a == b || a == o.asker.Handles[0] { // other proofs, another digest
		t.Error("handles do not depend on side and proofs")
	}
	own[asker].Proofs[0][0] ^= 1
	if c, err := AskerHandles(t.Context(), x.asker, x.probes, own[asker]); err != nil || c == a {
		t.Errorf("another proof gives the same digest: %v", err)
	}
}

func TestBadLists(t *testing.T) {
	for name, change := range map[string]func(*list){
		"too many keys": func(l *list) {
			l.keys[3] = make([][]byte, KeysPerRecord+1)
			for i := range l.keys[3] {
				l.keys[3][i] = []byte{byte(i)}
			}
		},
		"a key twice":      func(l *list) { l.keys[3] = [][]byte{{1}, {1}} },
		"too many records": func(l *list) { l.vectors = append(l.vectors, make([][]int8, 64)...); l.keys = make([][][]byte, 100) },
	} {
		x := small(t, similar.BothLearn)
		change(x.probes)
		if _, err := readKeys(t.Context(), x.probes, 64); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func TestBadSessions(t *testing.T) {
	good := small(t, similar.BothLearn).asker
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Session){
		"probes":        func(s *Session) { s.Probes = 65 },
		"templates":     func(s *Session) { s.Templates = 2 * MaxRecords },
		"no candidates": func(s *Session) { s.Candidates = 0 },
		"candidates":    func(s *Session) { s.Candidates = similar.MaxCandidates + 1 },
		"threshold":     func(s *Session) { s.Threshold = 0 },
		"dimension":     func(s *Session) { s.Dimension = similar.MaxDimension + 1 },
		"learns":        func(s *Session) { s.Learns = 0 },
		"model":         func(s *Session) { s.Model = "" },
	} {
		s := good
		change(&s)
		if s.Check() == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

// TestDisagreements has sides whose sessions differ in one thing each.
func TestDisagreements(t *testing.T) {
	for name, change := range map[string]func(*Session){
		"candidates": func(s *Session) { s.Candidates++ },
		"version":    func(s *Session) { s.Version++ },
	} {
		x := small(t, similar.BothLearn)
		change(&x.answerer)
		o := x.attempt(t, plain)
		var fault *wire.ProtocolError
		if !errors.As(o.askerError, &fault) && !errors.As(o.answerError, &fault) || fault.Code != wire.Altered {
			t.Errorf("%s: %v, %v", name, o.askerError, o.answerError)
		}
	}
}

// TestNothingTellsMoreThanTheGraph: what is sent and kept has the same length whatever the
// vectors are and however many keys are not common, and no frame or record holds a key.
func TestNothingTellsMoreThanTheGraph(t *testing.T) {
	seen := func(change func(*sides)) string {
		x := small(t, similar.BothLearn)
		change(x)
		sent := map[string]int{}
		o := x.attempt(t, func(as role, k wire.Kind, b []byte) []byte {
			if strings.Contains(string(b), "key ") {
				t.Errorf("a frame of kind %d holds a key", k)
			}
			if k != 6 || len(b) > 50_000 { // chunks of tags have lengths of their own
				sent[fmt.Sprint(as, k)] += len(b)
			}
			return b
		})
		if o.askerError != nil || o.answerError != nil {
			t.Fatal(o.askerError, o.answerError)
		}
		delete(sent, fmt.Sprint(asker, 2)) // Progress comes when it comes
		delete(sent, fmt.Sprint(answerer, 2))
		return fmt.Sprint(sent)
	}
	as := seen(func(*sides) {})
	if zeros := seen(func(x *sides) {
		for _, v := range append(slices.Clone(x.probes.vectors), x.templates.vectors...) {
			clear(v)
		}
	}); zeros != as {
		t.Errorf("lengths depend on scores: %s, %s", as, zeros)
	}
	if more := seen(func(x *sides) {
		for i := range x.probes.keys {
			x.probes.keys[i] = append(x.probes.keys[i], fmt.Appendf(nil, "key of %d", i))
		}
	}); more != as {
		t.Errorf("lengths depend on keys that are not common: %s, %s", as, more)
	}
}
