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

// dealt is what base transfers give, without them: for tests of what comes after.
func dealt(seed byte) (*MaliciousChosen, *MaliciousPairs) {
	source := rand.NewChaCha8([32]byte{seed})
	chosen := &MaliciousChosen{session: [SessionSize]byte{seed}}
	pairs := &MaliciousPairs{session: chosen.session}
	source.Read(chosen.choices.bits[:]) // never fails
	for i := range pairs.keys {
		source.Read(pairs.keys[i][0][:])
		source.Read(pairs.keys[i][1][:])
		chosen.keys[i] = pairs.keys[i][chosen.choices.bit(i)]
	}
	return chosen, pairs
}

// sides sets up an extension with trees of one depth.
func sides(t testing.TB, depth int, seed byte) (*Sender, *Receiver) {
	t.Helper()
	chosen, pairs := dealt(seed)
	r, trees := newReceiver(shapeOf(depth), pairs)
	s, err := newSender(shapeOf(depth), chosen, trees)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// begun is an extension up to the proof.
type begun struct {
	receiving *Receiving
	sending   *Sending
	columns   []byte
	challenge []byte
}

// begin runs an extension up to the challenge; a cheat may change the columns.
func begin(t testing.TB, s *Sender, r *Receiver, n int, cheat func(columns []byte)) begun {
	t.Helper()
	receiving, columns, err := r.Extend(n)
	if err != nil {
		t.Fatal(err)
	}
	if cheat != nil {
		cheat(columns)
	}
	sending, challenge, err := s.Extend(n, columns, random(9))
	if err != nil {
		t.Fatal(err)
	}
	return begun{receiving, sending, columns, challenge}
}

// extend runs one extension.
func extend(t testing.TB, s *Sender, r *Receiver, n int) (*SenderPads, *ReceiverPads) {
	t.Helper()
	b := begin(t, s, r, n, nil)
	theirs, proof, err := b.receiving.Prove(b.challenge)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := b.sending.Verify(proof)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// transfers are all of one extension.
type transfers struct {
	zero, one, got []Block
	choices        []byte
}

// takeAll takes all that is left, a few at a time.
func takeAll(t testing.TB, ours *SenderPads, theirs *ReceiverPads, few int) transfers {
	t.Helper()
	n := ours.Len()
	if theirs.Len() != n {
		t.Fatalf("%d transfers at the sender, %d at the receiver", n, theirs.Len())
	}
	all := transfers{make([]Block, n), make([]Block, n), make([]Block, n), make([]byte, n)}
	for from := 0; from < n; from += few {
		to := min(from+few, n)
		if err := ours.Take(all.zero[from:to], all.one[from:to]); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Take(all.got[from:to], all.choices[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// check compares the two sides.
func (all transfers) check(t testing.TB) {
	t.Helper()
	for i, got := range all.got {
		pair := [2]Block{all.zero[i], all.one[i]}
		if c := all.choices[i]; c > 1 || got != pair[c] || got == pair[1-c] {
			t.Fatalf("transfer %d of %d: choice %d does not give its block alone", i, len(all.got), c)
		}
	}
}
