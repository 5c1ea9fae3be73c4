package ordering

import (
	"encoding/binary"
	"fmt"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// IsMonotonic tells Raft that this log has no gaps.
func (s *Store) IsMonotonic() bool { return true }

// FirstIndex returns the first index of the log, or 0.
func (s *Store) FirstIndex() (uint64, error) {
	e, err := s.read()
	return e.first, err
}

// LastIndex returns the last index of the log, or 0.
func (s *Store) LastIndex() (uint64, error) {
	e, err := s.read()
	return e.last, err
}

func (s *Store) read() (out extent, err error) {
	err = s.view(func(_ *bbolt.Tx, e extent) error {
		out = e
		return nil
	})
	if err != nil {
		return extent{}, fmt.Errorf("read the extent of ledger store %s: %w", s.path, err)
	}
	return out, nil
}

// GetLog reads an entry. Raft compares the error for one that is not there, so that comes
// unwrapped.
func (s *Store) GetLog(index uint64, out *raft.Log) error {
	missing := false
	err := s.view(func(tx *bbolt.Tx, e extent) error {
		if missing = index < e.first || index > e.last || index == 0; missing {
			return nil
		}
		l, err := decodeLog(index, bucket(tx, bucketLog).Get(indexKey(index)))
		if err == nil {
			*out = l
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read entry %d of ledger store %s: %w", index, s.path, err)
	}
	if missing {
		return raft.ErrLogNotFound
	}
	return nil
}

// StoreLog appends an entry.
func (s *Store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries, all or none. Each must follow the one before.
func (s *Store) StoreLogs(logs []*raft.Log) error {
	err := s.update(func(tx *bbolt.Tx, e *extent) error {
		for _, l := range logs {
			if l.Index == 0 || e.last != 0 && l.Index != e.last+1 {
				return fmt.Errorf("entry %d cannot follow %d", l.Index, e.last)
			}
			record, err := encodeLog(l)
			if err != nil {
				return err
			}
			if err := bucket(tx, bucketLog).Put(indexKey(l.Index), record); err != nil {
				return err
			}
			if e.last = l.Index; e.first == 0 {
				e.first = l.Index
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("append to ledger store %s: %w", s.path, err)
	}
	return nil
}

// DeleteRange deletes the entries from least to most, which lie at one of the log's ends.
func (s *Store) DeleteRange(least, most uint64) error {
	err := s.update(func(tx *bbolt.Tx, e *extent) error {
		from, to := max(least, e.first), min(most, e.last)
		if from > to || e.first == 0 {
			return nil
		}
		switch {
		case from == e.first && to == e.last:
			e.first, e.last = 0, 0
		case from == e.first:
			e.first = to + 1
		case to == e.last:
			e.last = from - 1
		default:
			return fmt.Errorf("entries %d to %d lie inside the log", from, to)
		}
		for index := from; index <= to; index++ {
			if err := bucket(tx, bucketLog).Delete(indexKey(index)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete from ledger store %s: %w", s.path, err)
	}
	return nil
}

// Set stores a value under a key.
func (s *Store) Set(key, value []byte) error {
	err := s.update(func(tx *bbolt.Tx, e *extent) error {
		b := bucket(tx, bucketStable)
		if b.Get(key) == nil {
			e.keys++
		}
		return b.Put(key, seal(bucketStable, key, value))
	})
	if err != nil {
		return fmt.Errorf("set %q in ledger store %s: %w", key, s.path, err)
	}
	return nil
}

// Get reads a value. One that is not there is nil and no error, as raft.StableStore says;
// Raft takes any that is not nil for a vote that was given.
func (s *Store) Get(key []byte) (value []byte, err error) {
	err = s.view(func(tx *bbolt.Tx, _ extent) error {
		record := bucket(tx, bucketStable).Get(key)
		if record == nil {
			return nil
		}
		v, err := unseal(bucketStable, key, record)
		value = append([]byte{}, v...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %q of ledger store %s: %w", key, s.path, err)
	}
	return value, nil
}

// SetUint64 stores a number under a key.
func (s *Store) SetUint64(key []byte, n uint64) error { return s.Set(key, indexKey(n)) }

// GetUint64 reads a number; one that is not there is 0.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil || value == nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("read %q of ledger store %s: %d bytes are no number", key, s.path, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}
