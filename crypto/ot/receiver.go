package ot

import (
	"crypto/subtle"
	"fmt"
)

// Receiver is the side of the extension that gets one block of each pair. It is not safe for
// concurrent use; extensions may overlap if both sides begin them in the same order.
type Receiver struct {
	secret
	session
	streams *streams
}

// NewReceiver makes the trees of a session from both keys of the base transfers. It returns
// the message to the sender, TreesSize bytes.
func NewReceiver(pairs *MaliciousPairs) (*Receiver, []byte) {
	return newReceiver(shapeOf(fieldBits), pairs)
}

func newReceiver(s shape, pairs *MaliciousPairs) (*Receiver, []byte) {
	seeds, message := growAll(s, pairs)
	return &Receiver{session: session{id: pairs.session, shape: s}, streams: newStreams(seeds)}, message
}

// Receiving is an extension under way at the receiver.
type Receiving struct {
	secret
	receiver *Receiver
	number   uint64
	n        int
	choices  []byte // a column
	rows     *matrix
	used     bool
}

// ColumnsSize returns the length in bytes of the message of columns for n transfers.
func ColumnsSize(n int) int { return shapeOf(fieldBits).columnsSize(rowsFor(n)) }

// Extend begins an extension of n transfers, at most MaxExtension. It returns the message to
// the sender, ColumnsSize(n) bytes.
//
// The choices are the sum of all leaves of the first tree; of every other tree the message
// has the difference of its sum from the choices.
func (r *Receiver) Extend(n int) (*Receiving, []byte, error) {
	number, err := r.begin(n)
	if err != nil {
		return nil, nil, fmt.Errorf("extend: %w", err)
	}
	x := &Receiving{receiver: r, number: number, n: n, rows: r.spare.matrix(rowsFor(n))}
	size := x.rows.rows / 8
	x.choices = make([]byte, size)
	columns := make([]byte, 0, r.shape.columnsSize(x.rows.rows))
	level := 0
	for i, depth := range r.shape {
		own := make([][]byte, depth)
		for l := range own {
			own[l] = x.rows.column(level + l)
		}
		level += depth
		if i == 0 {
			r.streams.expand(i, x.choices, own)
			continue
		}
		columns = columns[:len(columns)+size]
		sum := columns[len(columns)-size:]
		r.streams.expand(i, sum, own)
		subtle.XORBytes(sum, sum, x.choices)
	}
	return x, columns, nil
}

// Prove answers the sender's challenge, ChallengeSize bytes, and returns the transfers and
// the proof, ProofSize bytes. The receiver may use its side at once; whether the sender
// accepts the proof it sees from what comes next. Errors are ErrSize, ErrUsed and ErrEnded.
func (x *Receiving) Prove(challenge []byte) (*ReceiverPads, []byte, error) {
	s := &x.receiver.session
	if s.ended {
		return nil, nil, fmt.Errorf("prove: %w", ErrEnded)
	}
	if x.used {
		return nil, nil, fmt.Errorf("prove: %w", ErrUsed)
	}
	x.used = true
	if len(challenge) != ChallengeSize {
		return nil, nil, s.fail(fmt.Errorf("challenge of %d bytes: %w", len(challenge), ErrSize))
	}
	t, err := newTagger(derive(checkKeyLabel, &s.id, x.number, challenge))
	if err != nil {
		return nil, nil, err
	}
	proof := make([]byte, 0, ProofSize)
	tag := t.tag(x.choices)
	proof = append(proof, tag[:]...)
	for i := range security {
		tag := t.tag(x.rows.column(i))
		proof = append(proof, tag[:]...)
	}
	p := &ReceiverPads{
		pads:    newPads(s, x.rows, x.n, derive(hashKeyLabel, &s.id, x.number, challenge), Block{}),
		choices: x.choices,
	}
	x.choices, x.rows = nil, nil
	return p, proof, nil
}

// ReceiverPads are the transfers of one extension at the receiver. Each is taken once.
type ReceiverPads struct {
	pads
	choices []byte
}

// Take fills blocks with those of the next transfers and choices, which is as long, with the
// bits that chose them, 0 or 1. Errors are ErrSize, ErrUsed and ErrEnded.
func (p *ReceiverPads) Take(blocks []Block, choices []byte) error {
	if len(choices) != len(blocks) {
		return fmt.Errorf("take %d blocks with %d choices: %w", len(blocks), len(choices), ErrSize)
	}
	first := p.taken
	if err := p.take(blocks); err != nil {
		return err
	}
	for i := range choices {
		j := first + i
		choices[i] = p.choices[j/8] >> (j % 8) & 1
	}
	return nil
}
