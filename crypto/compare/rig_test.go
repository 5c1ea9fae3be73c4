package compare

import (
	"io"
	"math/rand/v2"
	"testing"
)

// random is a source of bytes that are the same in each run.
func random(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// start begins a run.
func start(t testing.TB, p Parameters) (*Sender, *Chooser) {
	t.Helper()
	s, request, err := NewSender(p, random(1))
	if err != nil {
		t.Fatal(err)
	}
	h, reply, err := NewChooser(p, request, random(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(reply); err != nil {
		t.Fatal(err)
	}
	return s, h
}

// messages are those of one chunk, in their order.
type messages struct{ columns, challenge, choices, tables, combining, last, shares []byte }

// bytes returns how many there are.
func (m *messages) bytes() int {
	return len(m.columns) + len(m.challenge) + len(m.choices) + len(m.tables) + len(m.combining) + len(m.last) + len(m.shares)
}

// outcome is what a chunk gave either side.
type outcome struct {
	messages
	sender, chooser []bool
}

// under is a chunk under way.
type under struct {
	outcome
	ours   *SenderChunk
	theirs *ChooserChunk
	s      *Sender
}

// steps are those of a chunk after the first two; each reads the message of the one before.
func (u *under) steps() []func() error {
	return []func() error{
		func() (err error) { u.choices, err = u.theirs.Choose(u.challenge); return },
		func() (err error) { u.tables, err = u.ours.Tables(u.choices); return },
		func() (err error) { u.combining, err = u.theirs.Combine(u.tables); return },
		func() (err error) { u.last, err = u.ours.Combine(u.combining); return },
		func() (err error) { u.chooser, u.shares, err = u.theirs.Finish(u.last); return },
		func() (err error) {
			if u.s.parameters.Learns.sender() {
				u.sender, err = u.ours.Finish(u.shares)
			}
			return
		},
	}
}

// openBoth opens a chunk at both sides.
func openBoth(t testing.TB, s *Sender, h *Chooser, x, y []uint16) *under {
	t.Helper()
	u := &under{s: s}
	var err error
	if u.theirs, u.columns, err = h.Open(y); err != nil {
		t.Fatal(err)
	}
	if u.ours, u.challenge, err = s.Open(x, u.columns); err != nil {
		t.Fatal(err)
	}
	return u
}

// run runs one chunk.
func run(t testing.TB, s *Sender, h *Chooser, x, y []uint16) outcome {
	t.Helper()
	u := openBoth(t, s, h, x, y)
	for _, step := range u.steps() {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return u.outcome
}

// pairs are two lists of summands.
type pairs struct{ x, y []uint16 }

// add adds a pair with a score; x is the sender's share.
func (p *pairs) add(x uint16, score int) {
	p.x = append(p.x, x)
	p.y = append(p.y, uint16(score)-x)
}

// check compares all pairs in chunks, and the bits with the scores.
func (p *pairs) check(t testing.TB, s *Sender, h *Chooser) {
	t.Helper()
	threshold := int(s.parameters.Threshold)
	wrong := 0
	for from := 0; from < len(p.x); from += MaxChunk {
		to := min(from+MaxChunk, len(p.x))
		o := run(t, s, h, p.x[from:to], p.y[from:to])
		for i := from; i < to; i++ {
			want := int16(p.x[i]+p.y[i]-uint16(threshold)) >= 0 // the distance is below 2^15
			for _, bits := range [][]bool{o.sender, o.chooser} {
				if bits != nil && bits[i-from] != want {
					if wrong++; wrong < 10 {
						t.Errorf("threshold %d: %d + %d: bit %v", threshold, p.x[i], p.y[i], bits[i-from])
					}
				}
			}
		}
		if (o.sender != nil) != s.parameters.Learns.sender() || (o.chooser != nil) != s.parameters.Learns.chooser() {
			t.Fatalf("%v: not those learn who are named", s.parameters.Learns)
		}
	}
	if wrong > 0 {
		t.Errorf("threshold %d: %d wrong bits", threshold, wrong)
	}
}
