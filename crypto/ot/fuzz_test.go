package ot

import (
	"bytes"
	"errors"
	"testing"

	"entente/crypto/ristretto"
	"entente/protocol/vectors/memory"
)

// measured runs a reader of messages of one length, and holds it to little memory where the
// length is another.
func measured(t *testing.T, b []byte, right int, read func()) {
	t.Helper()
	if len(b) == right {
		read()
		return
	}
	if used := memory.Allocated(read); used > uint64(16*len(b)+64<<10) {
		t.Errorf("%d bytes allocated to refuse %d", used, len(b))
	}
}

// FuzzRequest: what is answered has the right length and strict elements only.
func FuzzRequest(f *testing.F) {
	session := [SessionSize]byte{1}
	c, err := NewBaseChooser(session, Choices{bits: Block{5}}, random(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Request())
	f.Add(hidesNothing(f, session, c.Request()))
	f.Add(make([]byte, RequestSize))
	f.Add([]byte{1})
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var answer []byte
		var err error
		measured(t, b, RequestSize, func() { _, answer, err = AnswerBase(session, b, random(2)) })
		switch {
		case err == nil:
			var p ristretto.Points
			if err := w.Decode(&p, b); err != nil || len(b) != RequestSize || w.FirstIdentity(&p) >= 0 || len(answer) != AnswerSize {
				t.Errorf("%d bytes were answered with %d: %v", len(b), len(answer), err)
			}
			again := make([]byte, len(b))
			w.Encode(again, &p)
			if !bytes.Equal(again, b) {
				t.Error("the elements of a request that was answered encode to something else")
			}
		case !errors.Is(err, ErrSize) && !errors.Is(err, ErrElement):
			t.Errorf("other error: %v", err)
		}
	})
}

// FuzzTrees: whatever passes gives the seeds of the honest receiver, the same for all senders.
func FuzzTrees(f *testing.F) {
	chosen, pairs := dealt(1)
	_, honest := NewReceiver(pairs)
	want, err := regrowAll(shapeOf(fieldBits), chosen, honest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(honest)
	f.Add(make([]byte, TreesSize()))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var seeds [][]Block
		var err error
		measured(t, b, TreesSize(), func() { seeds, err = regrowAll(shapeOf(fieldBits), chosen, b) })
		switch {
		case err == nil:
			for i := range seeds {
				for x := 1; x < len(seeds[i]); x++ {
					if seeds[i][x] != want[i][x] {
						t.Fatalf("other trees pass: leaf %d of tree %d", x, i)
					}
				}
			}
		case !errors.Is(err, ErrSize) && !errors.Is(err, ErrTrees):
			t.Errorf("other error: %v", err)
		}
	})
}

// FuzzColumns: columns with any change that the sender's bits see do not pass.
func FuzzColumns(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 1})
	f.Add(bytes.Repeat([]byte{0xff}, ColumnsSize(20)))
	f.Fuzz(func(t *testing.T, change []byte) {
		s, r := sides(t, fieldBits, 3)
		receiving, columns, err := r.Extend(20)
		if err != nil {
			t.Fatal(err)
		}
		seen, size := false, rowsFor(20)/8
		for i := range min(len(change), len(columns)) {
			columns[i] ^= change[i]
			seen = seen || change[i] != 0 && s.field(1+i/size) != 0
		}
		columns = append(columns, change[min(len(change), len(columns)):]...)
		sending, challenge, err := s.Extend(20, columns, random(9))
		if len(columns) != ColumnsSize(20) {
			if !errors.Is(err, ErrSize) {
				t.Errorf("%d bytes: %v", len(columns), err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		_, proof, err := receiving.Prove(challenge)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sending.Verify(proof); (err != nil) != seen || err != nil && !errors.Is(err, ErrProof) {
			t.Errorf("a change was made that the sender sees: %v, but: %v", seen, err)
		}
	})
}

// FuzzProof: no bytes but the right ones pass.
func FuzzProof(f *testing.F) {
	s, r := sides(f, fieldBits, 3)
	b := begin(f, s, r, 20, nil)
	_, right, err := b.receiving.Prove(b.challenge)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(right)
	f.Add(make([]byte, ProofSize))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, proof []byte) {
		s, r := sides(t, fieldBits, 3)
		pads, err := begin(t, s, r, 20, nil).sending.Verify(proof)
		if (err == nil) != bytes.Equal(proof, right) || (pads != nil) != (err == nil) {
			t.Errorf("%d bytes: %v", len(proof), err)
		}
		if err != nil && !errors.Is(err, ErrSize) && !errors.Is(err, ErrProof) {
			t.Errorf("other error: %v", err)
		}
	})
}

// FuzzChallenge: a challenge of the right length gets a proof, and any other ends the session.
func FuzzChallenge(f *testing.F) {
	f.Add(make([]byte, ChallengeSize))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, challenge []byte) {
		_, pairs := dealt(3)
		r, _ := NewReceiver(pairs)
		x, _, err := r.Extend(20)
		if err != nil {
			t.Fatal(err)
		}
		pads, proof, err := x.Prove(challenge)
		if (err == nil) != (len(challenge) == ChallengeSize) || r.ended != (err != nil) {
			t.Errorf("%d bytes: %v, ended: %v", len(challenge), err, r.ended)
		}
		if err == nil && (pads.Len() != 20 || len(proof) != ProofSize) || err != nil && !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %d bytes of proof, %v", len(challenge), len(proof), err)
		}
	})
}
