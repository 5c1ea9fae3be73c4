package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"entente/crypto/ot"
)

// TestEdges: thresholds at both ends and in the middle, scores at and next to the threshold
// and as far from it as is allowed, and all ways in which shares wrap round.
func TestEdges(t *testing.T) {
	shares := []uint16{0, 1, 0x1f, 0x20, 0x3ff, 0x400, 0x7fff, 0x8000, 0x8001, 0xffff}
	for i, threshold := range []int{-32768, -32767, -1024, -32, -1, 0, 1, 31, 32, 1023, 32766, 32767} {
		s, h := start(t, Parameters{Threshold: int16(threshold), Learns: Learns(1 + i%3)})
		var p pairs
		for _, away := range []int{-32767, -32766, -1025, -1024, -1023, -33, -32, -31, -2, -1, 0, 1, 2, 31, 32, 33, 1023, 1024, 1025, 32766, 32767} {
			score := threshold + away
			if score < -32768 || score > 32767 {
				continue
			}
			for _, x := range shares {
				p.add(x, score)
				p.add(uint16(score)-x, score) // the chooser's share is x
			}
		}
		if len(p.x) < 200 {
			t.Fatalf("only %d pairs", len(p.x))
		}
		p.check(t, s, h)
	}
}

// TestAllShares: every share of the sender, with scores on both sides of the threshold.
func TestAllShares(t *testing.T) {
	s, h := start(t, Parameters{Threshold: 700, Learns: BothLearn})
	var p pairs
	for x := range 1 << 16 {
		p.add(uint16(x), 699)
		p.add(uint16(x), 700)
	}
	p.check(t, s, h)
}

// TestRandom compares a million random pairs with the sum in the clear.
func TestRandom(t *testing.T) {
	s, h := start(t, Parameters{Threshold: -123, Learns: BothLearn})
	source := rand.New(rand.NewPCG(1, 2))
	var p pairs
	ones := 0
	for range 1_000_000 {
		score := -123 + source.IntN(65535) - 32767
		score = max(-32768, min(32767, score))
		p.add(uint16(source.Uint32()), score)
		if score >= -123 {
			ones++
		}
	}
	if ones < 450_000 || ones > 550_000 {
		t.Errorf("%d of a million bits are 1", ones)
	}
	p.check(t, s, h)
}

// TestTooFar: a score 2^15 or more away gives the wrong bit, as is said, and no error.
func TestTooFar(t *testing.T) {
	s, h := start(t, Parameters{Threshold: -32768, Learns: BothLearn})
	o := run(t, s, h, []uint16{5, 5, 5}, []uint16{0, 32767 - 5, 0x8000 - 5})
	if want := []bool{false, false, true}; fmt.Sprint(o.sender) != fmt.Sprint(want) || fmt.Sprint(o.chooser) != fmt.Sprint(want) {
		t.Errorf("%v %v, want %v", o.sender, o.chooser, want)
	}
}

// TestLengths: messages have the lengths that are stated, for all lengths of chunks that
// matter.
func TestLengths(t *testing.T) {
	for _, learns := range []Learns{SenderLearns, ChooserLearns, BothLearn} {
		s, h := start(t, Parameters{Learns: learns})
		for _, n := range []int{1, 2, 7, 8, 9, 63, 64, 65, 129, MaxChunk} {
			var p pairs
			for i := range n {
				p.add(uint16(i*7919), i%3-1)
			}
			p.check(t, s, h)
			o := run(t, s, h, p.x, p.y)
			shares := 0
			if learns.sender() {
				shares = SharesSize(n)
			}
			for name, l := range map[string][2]int{
				"columns": {len(o.columns), ColumnsSize(n)}, "challenge": {len(o.challenge), ChallengeSize},
				"choices": {len(o.choices), ChoicesSize(n)}, "tables": {len(o.tables), TablesSize(n)},
				"combining": {len(o.combining), CombiningSize(n)}, "last": {len(o.last), LastSize(n, learns)},
				"shares": {len(o.shares), shares},
			} {
				if l[0] != l[1] || l[0] >= 1<<20 {
					t.Errorf("%v, %d pairs: %s has %d bytes, stated are %d", learns, n, name, l[0], l[1])
				}
			}
		}
	}
}

// TestBytes holds a large run to 100 bytes a pair.
func TestBytes(t *testing.T) {
	n := ColumnsSize(MaxChunk) + ChallengeSize + ChoicesSize(MaxChunk) + TablesSize(MaxChunk) +
		CombiningSize(MaxChunk) + LastSize(MaxChunk, BothLearn) + SharesSize(MaxChunk)
	if per := float64(n) / MaxChunk; per < 98 || per > 99 {
		t.Errorf("%.2f bytes a pair", per)
	}
}

// TestOverlappingChunks: chunks under way do not disturb each other.
func TestOverlappingChunks(t *testing.T) {
	s, h := start(t, Parameters{Threshold: 3, Learns: BothLearn})
	var all []*under
	for n := 1; n < 200; n += 66 {
		var p pairs
		for i := range n {
			p.add(uint16(i*31), i%7)
		}
		all = append(all, openBoth(t, s, h, p.x, p.y))
	}
	for step := range 6 {
		for i := range all {
			u := all[len(all)-1-i]
			if err := u.steps()[step](); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, u := range all {
		for i := range u.sender {
			if want := i%7 >= 3; u.sender[i] != want || u.chooser[i] != want {
				t.Errorf("chunk of %d: pair %d", len(u.sender), i)
			}
		}
	}
}

func TestParametersBind(t *testing.T) {
	right := Parameters{Threshold: 5, Learns: SenderLearns}
	_, request, err := NewSender(right, random(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]Parameters{
		"session":   {Session: [32]byte{1}, Threshold: 5, Learns: SenderLearns},
		"threshold": {Threshold: 6, Learns: SenderLearns},
		"learns":    {Threshold: 5, Learns: BothLearn},
	} {
		_, reply, err := NewChooser(other, request, random(2))
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := NewSender(right, random(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(reply); !errors.Is(err, ot.ErrTrees) {
			t.Errorf("other %s: %v", name, err)
		}
		if err := s.Start(reply); !errors.Is(err, ErrEnded) {
			t.Errorf("second start: %v", err)
		}
	}
	for _, learns := range []Learns{0, 4, 255} {
		if _, _, err := NewSender(Parameters{Learns: learns}, random(1)); !errors.Is(err, ErrParameters) {
			t.Errorf("sender, %v: %v", learns, err)
		}
		if _, _, err := NewChooser(Parameters{Learns: learns}, request, random(1)); !errors.Is(err, ErrParameters) {
			t.Errorf("chooser, %v: %v", learns, err)
		}
	}
}

func TestOrder(t *testing.T) {
	p := Parameters{Learns: ChooserLearns}
	s, request, err := NewSender(p, random(1))
	if err != nil {
		t.Fatal(err)
	}
	h, reply, err := NewChooser(p, request, random(2))
	if err != nil {
		t.Fatal(err)
	}
	x := []uint16{1, 2, 3}
	theirs, columns, err := h.Open(x)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(x, columns); !errors.Is(err, ErrOrder) {
		t.Errorf("chunk before the start: %v", err)
	}
	if err := s.Start(reply); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(reply); !errors.Is(err, ErrOrder) {
		t.Errorf("second start: %v", err)
	}
	for _, n := range []int{0, MaxChunk + 1} {
		if _, _, err := s.Open(make([]uint16, n), columns); !errors.Is(err, ErrSize) {
			t.Errorf("sender opens %d: %v", n, err)
		}
		if _, _, err := h.Open(make([]uint16, n)); !errors.Is(err, ErrSize) {
			t.Errorf("chooser opens %d: %v", n, err)
		}
	}
	ours, challenge, err := s.Open(x, columns)
	if err != nil {
		t.Fatal(err)
	}
	u := &under{ours: ours, theirs: theirs, s: s}
	u.challenge = challenge
	// At each point of a chunk each step but the next one is refused and changes nothing.
	steps := u.steps()[:5]
	for next := 0; next <= len(steps); next++ {
		for i, step := range steps {
			ourTurn := i%2 == 1
			if i == next || i == next+1 && ourTurn != (next%2 == 1) { // the next step of either side
				continue
			}
			kept := u.outcome
			if err := step(); !errors.Is(err, ErrOrder) {
				t.Errorf("step %d after %d: %v", i, next, err)
			}
			u.outcome = kept
		}
		if next < len(steps) {
			if err := steps[next](); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := ours.Finish(make([]byte, 1)); !errors.Is(err, ErrOrder) {
		t.Errorf("a sender that does not learn finishes: %v", err)
	}
	if s.ended || h.ended {
		t.Error("a caller's mistake ended the session")
	}
}

func TestShortRandomness(t *testing.T) {
	p := Parameters{Learns: BothLearn}
	if _, _, err := NewSender(p, bytes.NewReader(make([]byte, 15))); !errors.Is(err, ot.ErrRandom) {
		t.Errorf("choices: %v", err)
	}
	if _, _, err := NewSender(p, bytes.NewReader(make([]byte, 100))); !errors.Is(err, ot.ErrRandom) {
		t.Errorf("request: %v", err)
	}
	s, h := start(t, p)
	_, columns, err := h.Open([]uint16{1})
	if err != nil {
		t.Fatal(err)
	}
	s.random = bytes.NewReader(nil)
	if _, _, err := s.Open([]uint16{1}, columns); !errors.Is(err, ot.ErrRandom) || !s.ended {
		t.Errorf("challenge: %v", err)
	}
	s, h = start(t, p)
	u := openBoth(t, s, h, []uint16{1, 2}, []uint16{3, 4})
	if err := u.steps()[0](); err != nil {
		t.Fatal(err)
	}
	s.random = bytes.NewReader(make([]byte, 1))
	if err := u.steps()[1](); !errors.Is(err, ot.ErrRandom) || !s.ended {
		t.Errorf("tables: %v", err)
	}
}

func TestSecretsPrintNothing(t *testing.T) {
	s, h := start(t, Parameters{Learns: BothLearn})
	u := openBoth(t, s, h, []uint16{0xabcd}, []uint16{0xabcd})
	for _, v := range []any{s, h, u.ours, u.theirs, *u.ours, *u.theirs} {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), string(text)} {
			if strings.Trim(out, `"`) != secretText {
				t.Errorf("%T prints %.80s", v, out)
			}
		}
		if !strings.Contains(log.String(), "v="+secretText) {
			t.Errorf("%T logs %.80s", v, log.String())
		}
	}
	if fmt.Sprint(SenderLearns, ChooserLearns, BothLearn, Learns(9)) != "sender chooser both learns 9" {
		t.Error("who learns is not said in words")
	}
}
