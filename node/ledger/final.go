package ledger

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

// lastFinal is the size of the largest final checkpoint that is kept.
func lastFinal(tx *bbolt.Tx) uint64 {
	k, _ := tx.Bucket([]byte(finalBucket)).Cursor().Last()
	if k == nil {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

// Finalise keeps a checkpoint that is final for the tree that is held. Those that end with
// a change of the committee are kept for good, as others will ask for them, and so many
// of the rest that no two lie more than a step apart, by which others catch up.
func (m *Mirror) Finalise(s checkpoint.Signed) error {
	c, err := s.Checkpoint()
	if err != nil {
		return fmt.Errorf("keep final checkpoint: %w", err)
	}
	encoded, err := s.Marshal()
	if err != nil {
		return fmt.Errorf("keep final checkpoint: %w", err)
	}
	known, err := m.covers(c, func(_ *replay.State, tx *bbolt.Tx) uint64 { return lastFinal(tx) })
	if err != nil {
		return fmt.Errorf("keep final checkpoint: %w", err)
	}
	if known {
		return nil // it need not be verified again
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	var refused error
	err = m.db.Update(func(tx *bbolt.Tx) error {
		err := m.is(m.state, tx, c)
		last := lastFinal(tx)
		switch b, ok := m.state.Boundary(last); {
		case err != nil:
			refused = err
		case ok && b < c.Size:
			refused = fmt.Errorf("%w: at %d entries", ErrBoundary, b)
		default:
			refused = m.state.CommitteeOf(c.Origin, c.Size).Final(s)
		}
		if refused != nil || c.Size <= last {
			return nil
		}
		bucket := tx.Bucket([]byte(finalBucket))
		if m.spare(tx, last, c.Size) {
			if err := bucket.Delete(place(last)); err != nil {
				return err
			}
			delete(m.upTo, last)
		}
		m.upTo[c.Size] = m.before(tx, c.Size)
		return bucket.Put(place(c.Size), encoded)
	})
	if err != nil {
		m.broken = fmt.Errorf("keep final checkpoint: %w", err)
		return m.broken
	}
	if refused != nil {
		return fmt.Errorf("keep final checkpoint: %w", refused)
	}
	if c.Size <= m.newest.Size {
		return nil // somebody else was faster
	}
	if m.final, err = m.after(c); err != nil {
		m.broken = fmt.Errorf("keep final checkpoint: %w", err)
		return m.broken
	}
	m.newest = c
	m.changed()
	return nil
}

// after is the state after a checkpoint that is held, beyond what is final, and forgets the
// states before it.
func (m *Mirror) after(c checkpoint.Checkpoint) (*replay.State, error) {
	for len(m.later) > 0 {
		next := m.later[0].state
		if next.Size() > c.Size || next.Size() == c.Size && next.Term() != c.Origin {
			break
		}
		if m.later = m.later[1:]; next.Size() == c.Size {
			return next, nil
		}
	}
	// The mirror has not stopped there, or not in this session.
	state, err := m.start()
	if err != nil {
		return nil, err
	}
	terms := m.terms[state.Terms()-1 : m.state.Number(c.Origin)-1]
	err = m.db.View(func(tx *bbolt.Tx) error {
		r := regrowth{tx: tx, state: state, terms: terms}
		if err := r.begin(); err != nil {
			return err
		}
		entries := tx.Bucket([]byte(entriesBucket)).Cursor()
		for k, b := entries.Seek(place(state.Size())); k != nil && state.Size() < c.Size; k, b = entries.Next() {
			if _, err := state.Apply(b); err != nil {
				return err
			}
			if err := r.begin(); err != nil {
				return err
			}
		}
		return nil
	})
	return state, err
}

// FinalState gives use the state after all entries that are final; false if none are. It
// must not change it.
func (m *Mirror) FinalState(use func(*replay.State)) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.broken != nil || m.final == nil {
		return false
	}
	use(m.final)
	return true
}

// spare reports whether the final checkpoint of the size last need not be kept any more
// once there is one of the size next.
func (m *Mirror) spare(tx *bbolt.Tx, last, next uint64) bool {
	if b, ok := m.state.Boundary(last - min(last, 1)); last == 0 || ok && b == last {
		return false
	}
	c := tx.Bucket([]byte(finalBucket)).Cursor()
	c.Seek(place(last))
	before := uint64(0)
	if k, _ := c.Prev(); k != nil {
		before = binary.BigEndian.Uint64(k)
	}
	if next-before > exchange.MaxStep {
		return false
	}
	return m.before(tx, next)-m.upTo[before] <= exchange.MaxStepBytes
}

// before is how many bytes the entries before a size have together.
func (m *Mirror) before(tx *bbolt.Tx, size uint64) uint64 {
	for _, a := range m.later {
		if a.state.Size() == size {
			return a.bytes
		}
	}
	bytes := m.bytes
	c := tx.Bucket([]byte(entriesBucket)).Cursor()
	for k, b := c.Seek(place(size)); k != nil; k, b = c.Next() {
		bytes -= uint64(len(b))
	}
	return bytes
}

// room is how many entries and bytes beyond the newest final checkpoint the mirror holds.
func (m *Mirror) room() (final, entries, bytes uint64, err error) {
	err = m.view(func(s *replay.State, tx *bbolt.Tx) error {
		final = lastFinal(tx)
		entries, bytes = s.Size()-final, m.bytes-m.upTo[final]
		return nil
	})
	return final, entries, bytes, err
}

// Next returns the smallest kept final checkpoint above a size; false if there is none.
func (m *Mirror) Next(above uint64) (s checkpoint.Signed, found bool, err error) {
	err = m.view(func(_ *replay.State, tx *bbolt.Tx) error {
		k, b := tx.Bucket([]byte(finalBucket)).Cursor().Seek(place(above + 1))
		if k == nil {
			return nil
		}
		found = true
		s, _, err = checkpoint.Unmarshal(append([]byte{}, b...))
		return err
	})
	return s, found, err
}

// LastFinal is the newest checkpoint that this node knows to be final; of size 0 if there
// is none yet.
func (m *Mirror) LastFinal() (c checkpoint.Checkpoint, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.newest, m.broken
}

// Final returns the newest final checkpoint, and those before it that end with a change of
// the committee, ascending by size; none if there is none yet.
func (m *Mirror) Final() (out []checkpoint.Signed, err error) {
	err = m.view(func(_ *replay.State, tx *bbolt.Tx) error {
		return tx.Bucket([]byte(finalBucket)).ForEach(func(_, b []byte) error {
			s, _, err := checkpoint.Unmarshal(append([]byte{}, b...))
			out = append(out, s)
			return err
		})
	})
	return out, err
}
