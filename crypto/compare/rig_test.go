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

// outcome is what a chunk gave either side, and the bytes that went between them.
type outcome struct {
	sender, chooser []bool
	bytes           int
}

// run compares one chunk.
func run(t testing.TB, s *Sender, h *Chooser, x, y []uint16) outcome {
	t.Helper()
	var o outcome
	must := func(message []byte, err error) []byte {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
		o.bytes += len(message)
		return message
	}
	theirs, columns, err := h.Open(y)
	must(columns, err)
	ours, challenge, err := s.Open(x, columns)
	choices := must(theirs.Choose(must(challenge, err)))
	tables := must(ours.Tables(choices))
	last := must(ours.Combine(must(theirs.Combine(tables))))
	bits, shares, err := theirs.Finish(last)
	must(shares, err)
	o.chooser = bits
	if s.parameters.Learns.sender() {
		if o.sender, err = ours.Finish(shares); err != nil {
			t.Fatal(err)
		}
	}
	return o
}
