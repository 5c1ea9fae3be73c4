package ledger

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
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
// a change of the committee are kept for good, as others will ask for them; of the rest
// only the newest.
func (m *Mirror) Finalise(s checkpoint.Signed) error {
	c, err := s.Checkpoint()
	if err != nil {
		return fmt.Errorf("keep final checkpoint: %w", err)
	}
	encoded, err := s.Marshal()
	if err != nil {
		return fmt.Errorf("keep final checkpoint: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	var refused error
	err = m.db.Update(func(tx *bbolt.Tx) error {
		own, err := m.at(m.state, tx, c.Size)
		last := lastFinal(tx)
		switch b, ok := m.state.Boundary(last); {
		case err != nil:
			refused = err
		case own != c:
			refused = ErrConflict
		case ok && b < c.Size:
			refused = fmt.Errorf("%w: at %d entries", ErrBoundary, b)
		default:
			refused = m.state.Committee(c.Size).Final(s)
		}
		if refused != nil || c.Size <= last {
			return nil
		}
		bucket := tx.Bucket([]byte(finalBucket))
		if b, ok := m.state.Boundary(last - min(last, 1)); last > 0 && (!ok || b != last) {
			if err := bucket.Delete(place(last)); err != nil {
				return err
			}
		}
		return bucket.Put(place(c.Size), encoded)
	})
	if err != nil {
		m.broken = fmt.Errorf("keep final checkpoint: %w", err)
		return m.broken
	}
	if refused != nil {
		return fmt.Errorf("keep final checkpoint: %w", refused)
	}
	return nil
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
