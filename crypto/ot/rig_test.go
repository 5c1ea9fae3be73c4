package ot

import (
	"io"
	"math/rand/v2"
	"testing"
)

// random is a source of bytes that are the same in each run.
func random(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// based runs the base transfers.
func based(t testing.TB, seed byte) (*MaliciousChosen, *MaliciousPairs) {
	t.Helper()
	session := [SessionSize]byte{1, seed}
	choices, err := DrawChoices(random(seed))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewBaseChooser(session, choices, random(seed+1))
	if err != nil {
		t.Fatal(err)
	}
	pairs, answer, err := AnswerBase(session, c.Request(), random(seed+2))
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := c.Finish(answer)
	if err != nil {
		t.Fatal(err)
	}
	return chosen, pairs
}

// sides sets up an extension with trees of one depth.
func sides(t testing.TB, depth int, seed byte) (*Sender, *Receiver) {
	t.Helper()
	chosen, pairs := based(t, seed)
	r, trees := newReceiver(shapeOf(depth), pairs)
	s, err := newSender(shapeOf(depth), chosen, trees)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// extend runs one extension.
func extend(t testing.TB, s *Sender, r *Receiver, n int) (*SenderPads, *ReceiverPads) {
	t.Helper()
	receiving, columns, err := r.Extend(n)
	if err != nil {
		t.Fatal(err)
	}
	sending, challenge, err := s.Extend(n, columns, random(9))
	if err != nil {
		t.Fatal(err)
	}
	theirs, proof, err := receiving.Prove(challenge)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := sending.Verify(proof)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
