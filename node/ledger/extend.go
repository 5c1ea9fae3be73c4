package ledger

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

// ErrTooFar says that a checkpoint is more than one step beyond what is held: what lies
// between has to be fetched first.
var ErrTooFar = errors.New("the checkpoint is too far ahead")

// step is what lies between a mirror's end and a checkpoint.
type step struct {
	entries [][]byte
	after   *replay.State // with the entries applied; nil: not yet
	voids   []void        // among the entries, if they are applied
	index   uint64        // of the command in Raft's log with which the entries end; 0: unknown
}

// Extend takes in the entries from the mirror's end up to a checkpoint that a quorum of
// sequencers has signed: all or none. Entries that are not in such a checkpoint are never
// held, so a single sequencer cannot make a member hold another order. A checkpoint of what
// is held changes nothing. errors.Is ErrConflict, ErrBoundary, ErrNotHeld if entries are
// missing, ErrTooFar; a *checkpoint.QuorumError if signatures are missing.
func (m *Mirror) Extend(s checkpoint.Signed, entries [][]byte) error {
	return m.extend(s, step{entries: entries})
}

func (m *Mirror) extend(s checkpoint.Signed, next step) error {
	c, err := s.Checkpoint()
	if err != nil {
		return fmt.Errorf("extend mirror: %w", err)
	}
	held, err := m.covers(c, func(s *replay.State, _ *bbolt.Tx) uint64 { return s.Size() })
	if err == nil && !held {
		err = m.likely(s, c)
	}
	if err != nil {
		return fmt.Errorf("extend mirror: %w", err)
	}
	if held {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	var refused error
	err = m.db.Update(func(tx *bbolt.Tx) error {
		if refused = m.try(tx, s, c, &next); refused != nil {
			return refused // and take back what was put
		}
		for _, v := range next.voids {
			if err := tx.Bucket([]byte(voidBucket)).Put(place(v.index), []byte(v.reason)); err != nil {
				return err
			}
		}
		return m.mark(tx, next.index, c.Size)
	})
	if refused != nil {
		return fmt.Errorf("extend mirror: %w", refused)
	}
	if err != nil {
		m.broken = fmt.Errorf("extend mirror: %w", err)
		return m.broken
	}
	if m.state != next.after {
		for _, b := range next.entries {
			m.bytes += uint64(len(b))
		}
		m.state, m.later = next.after, append(m.later, reached{next.after, m.bytes})
		m.changed()
	}
	return nil
}

// covers reports whether a checkpoint is of the tree that is held, and of no more entries than
// limit says. ErrConflict if it is within the limit and of another tree.
func (m *Mirror) covers(c checkpoint.Checkpoint, limit func(*replay.State, *bbolt.Tx) uint64) (covered bool, err error) {
	err = m.view(func(s *replay.State, tx *bbolt.Tx) error {
		if c.Size > limit(s, tx) {
			return nil
		}
		err := m.is(s, tx, c)
		covered = err == nil
		return err
	})
	return covered, err
}

// likely refuses a checkpoint on which no work should be spent: of another ledger, or without
// the signature of any sequencer under a key that is known here. Only before anything is
// final there may be no such key.
func (m *Mirror) likely(s checkpoint.Signed, c checkpoint.Checkpoint) error {
	return m.view(func(state *replay.State, tx *bbolt.Tx) error {
		if c.Origin != state.Term() {
			return m.is(state, tx, c)
		}
		seats := state.Committee(c.Size).Seats
		for _, one := range s.Signatures {
			seat := seats[one.Member]
			if one.Role == checkpoint.Sequencer && seat.Sequencer && seat.Key != nil && one.Verify(c, seat.Key) == nil {
				return nil
			}
		}
		if lastFinal(tx) == 0 {
			return nil
		}
		return &checkpoint.QuorumError{Role: checkpoint.Sequencer, Want: 1}
	})
}

// void is an entry that has no effect, and why.
type void struct {
	index  uint64
	reason string
}

// voided adds an entry to those that have no effect, if it is one.
func voided(list []void, a replay.Applied) []void {
	if a.Void == nil {
		return list
	}
	return append(list, void{a.Index, a.Void.Error()})
}

// try puts the entries of a step, and completes the step, or says why not.
func (m *Mirror) try(tx *bbolt.Tx, s checkpoint.Signed, c checkpoint.Checkpoint, next *step) error {
	size := m.state.Size()
	if c.Size <= size {
		next.after, next.voids, next.index = m.state, nil, 0
		return m.is(m.state, tx, c)
	}
	if c.Origin != m.state.Term() {
		return cmp.Or(m.is(m.state, tx, c), ErrTerm)
	}
	switch missing := c.Size - size; {
	case missing > exchange.MaxStep:
		return fmt.Errorf("%w: by %d entries", ErrTooFar, missing)
	case missing != uint64(len(next.entries)):
		return fmt.Errorf("%w: %d entries of %d", ErrNotHeld, size+uint64(len(next.entries)), c.Size)
	}
	bytes := 0
	for i, b := range next.entries {
		if bytes > exchange.MaxStepBytes {
			return fmt.Errorf("%w: by more than %d bytes", ErrTooFar, exchange.MaxStepBytes)
		}
		bytes += len(b)
		if err := put(tx, size+uint64(i), b); err != nil {
			return err
		}
	}
	root, err := checkpoint.Root(c.Size, reader{tx})
	if err != nil {
		return err
	}
	if root != c.Root {
		return ErrConflict
	}
	if next.after == nil {
		next.after = m.state.Clone()
		for i, b := range next.entries {
			a, err := next.after.Apply(b)
			if err != nil {
				return fmt.Errorf("entry %d: %w", size+uint64(i), err)
			}
			next.voids = voided(next.voids, a)
		}
	}
	if b, ok := next.after.Boundary(lastFinal(tx)); ok && b < c.Size {
		return fmt.Errorf("%w: at %d entries", ErrBoundary, b)
	}
	return next.after.Committee(c.Size).Sequenced(s)
}

// Void says why an entry has no effect; empty if it has what its kind has.
func (m *Mirror) Void(index uint64) (reason string, err error) {
	err = m.view(func(_ *replay.State, tx *bbolt.Tx) error {
		reason = string(tx.Bucket([]byte(voidBucket)).Get(place(index)))
		return nil
	})
	return reason, err
}

var orderedKey = []byte("ordered")

// mark notes up to which command of Raft's log the mirror holds what came of it, and the
// size of the tree there.
func (m *Mirror) mark(tx *bbolt.Tx, index, size uint64) error {
	if index == 0 {
		return nil
	}
	return tx.Bucket([]byte(ledgerBucket)).Put(orderedKey, append(place(index), place(size)...))
}

// ordered is the last command of Raft's log of which the mirror holds what came of it, and
// the size of the tree there; zeros if it never held any.
func (m *Mirror) ordered() (index, size uint64, err error) {
	err = m.view(func(_ *replay.State, tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(ledgerBucket)).Get(orderedKey); len(b) == 16 {
			index, size = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		}
		return nil
	})
	return index, size, err
}

// ordersKey is for which term this node orders entries.
var ordersKey = []byte("orders")

// orders is the present term, and whether Raft's log is that of another.
func (m *Mirror) orders() (now checkpoint.Origin, anew bool, err error) {
	err = m.view(func(s *replay.State, tx *bbolt.Tx) error {
		now = s.Term()
		before := tx.Bucket([]byte(ledgerBucket)).Get(ordersKey)
		anew = before == nil && now != m.first || before != nil && string(before) != now.String()
		return nil
	})
	return now, anew, err
}

// disorder forgets what ordered tells: Raft's log begins anew, for a term.
func (m *Mirror) disorder(o checkpoint.Origin) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(ledgerBucket))
		if err := b.Put(ordersKey, []byte(o.String())); err != nil {
			return err
		}
		return b.Delete(orderedKey)
	})
}

// changed wakes whoever waits for the mirror to grow, or for more of it to be final.
func (m *Mirror) changed() {
	close(m.grown)
	m.grown = make(chan struct{})
}

// Changed is closed when the mirror grows or more of it is final. Take it before looking.
func (m *Mirror) Changed() <-chan struct{} {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.grown
}
