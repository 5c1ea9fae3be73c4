package ot

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
)

// Sender is the side of the extension that gets both blocks of each pair. It is not safe for
// concurrent use; extensions may overlap if both sides begin them in the same order.
type Sender struct {
	secret
	session
	streams *streams
	delta   Block // by which the two rows of a pair differ
}

// NewSender reads the receiver's message of trees with the keys of the base transfers.
// Errors are ErrSize and ErrTrees; after either the keys must not be used again, because a
// cheat that failed has learnt something about the choices.
func NewSender(chosen *MaliciousChosen, trees []byte) (*Sender, error) {
	return newSender(shapeOf(fieldBits), chosen, trees)
}

func newSender(s shape, chosen *MaliciousChosen, trees []byte) (*Sender, error) {
	seeds, err := regrowAll(s, chosen, trees)
	if err != nil {
		return nil, fmt.Errorf("read trees: %w", err)
	}
	sender := &Sender{session: session{id: chosen.session, shape: s}, streams: newStreams(seeds)}
	for i, b := range chosen.choices.bits {
		sender.delta[i] = ^b
	}
	return sender, nil
}

// bit returns bit i of the difference.
func (s *Sender) bit(i int) byte { return s.delta[i/8] >> (i % 8) & 1 }

// Sending is an extension under way at the sender.
type Sending struct {
	secret
	sender    *Sender
	number    uint64
	n         int
	rows      *matrix
	challenge [ChallengeSize]byte
	used      bool
}

// Extend begins an extension of n transfers from the receiver's message of columns,
// ColumnsSize(n) bytes. It draws ChallengeSize bytes and returns them as the message to the
// receiver. Errors are ErrSize, ErrEnded and ErrRandom.
func (s *Sender) Extend(n int, columns []byte, random io.Reader) (*Sending, []byte, error) {
	number, err := s.begin(n)
	if err != nil {
		return nil, nil, fmt.Errorf("extend: %w", err)
	}
	rows := rowsFor(n)
	if len(columns) != s.shape.columnsSize(rows) {
		return nil, nil, s.fail(fmt.Errorf("columns of %d bytes for %d transfers: %w", len(columns), n, ErrSize))
	}
	x := &Sending{sender: s, number: number, n: n, rows: s.spare.matrix(rows)}
	level := 0
	for i, depth := range s.shape {
		own := make([][]byte, depth)
		for l := range own {
			own[l] = x.rows.column(level + l)
		}
		s.streams.expand(i, nil, own)
		if i > 0 {
			for l := range own {
				addIf(s.bit(level+l), own[l], columns[(i-1)*rows/8:])
			}
		}
		level += depth
	}
	if err := draw(random, x.challenge[:]); err != nil {
		return nil, nil, fmt.Errorf("challenge: %w", err)
	}
	return x, append([]byte(nil), x.challenge[:]...), nil
}

// addIf adds b to a if the bit is set, in the same time either way; b may be longer.
func addIf(bit byte, a, b []byte) {
	mask := -uint64(bit)
	b = b[:len(a)]
	for len(a) >= 8 && len(b) >= 8 {
		binary.LittleEndian.PutUint64(a, binary.LittleEndian.Uint64(a)^binary.LittleEndian.Uint64(b)&mask)
		a, b = a[8:], b[8:]
	}
}

// Verify checks the receiver's proof, ProofSize bytes, and returns the transfers. Errors are
// ErrSize, ErrProof, ErrUsed and ErrEnded.
//
// Where the choices of one tree differ from the proof's, the proof passes for at most one
// value of the bits of the difference that belong to the tree; so a cheat passes only if it
// guesses them, all 128 unless the choices of some trees are equal.
func (x *Sending) Verify(proof []byte) (*SenderPads, error) {
	s := &x.sender.session
	if s.ended {
		return nil, fmt.Errorf("verify: %w", ErrEnded)
	}
	if x.used {
		return nil, fmt.Errorf("verify: %w", ErrUsed)
	}
	x.used = true
	if len(proof) != ProofSize {
		return nil, s.fail(fmt.Errorf("proof of %d bytes: %w", len(proof), ErrSize))
	}
	t, err := newTagger(derive(checkKeyLabel, &s.id, x.number, x.challenge[:]))
	if err != nil {
		return nil, err
	}
	choices := t.tag(make([]byte, x.rows.rows/8))
	subtle.XORBytes(choices[:], choices[:], proof)
	var wrong byte
	for i := range security {
		tag := t.tag(x.rows.column(i))
		mask := -x.sender.bit(i)
		for j, theirs := range proof[(1+i)*BlockSize:][:BlockSize] {
			wrong |= tag[j] ^ theirs ^ choices[j]&mask
		}
	}
	if wrong != 0 {
		return nil, s.fail(ErrProof)
	}
	key := derive(hashKeyLabel, &s.id, x.number, x.challenge[:])
	p := &SenderPads{newPads(s, x.rows, x.n, key, Block{}, x.sender.delta)}
	x.rows = nil
	return p, nil
}

// SenderPads are the transfers of one extension at the sender. Each is taken once.
type SenderPads struct{ pads }

// Take fills zero and one, which is as long, with the pairs of the next transfers. Errors
// are ErrSize, ErrUsed and ErrEnded.
func (p *SenderPads) Take(zero, one []Block) error {
	if len(zero) != len(one) {
		return fmt.Errorf("take %d and %d blocks: %w", len(zero), len(one), ErrSize)
	}
	return p.take(zero, one)
}
