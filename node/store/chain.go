package store

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"entente/protocol/entry"
)

// entriesPage is how many entries are read at once; each is about 4 KiB.
const entriesPage = 256

// Append signs an entry that follows the newest of its chain, and stores it in this
// transaction: entry, number and what it is about become durable together or not at all.
func (t *Tx) Append(chain entry.Chain, kind entry.Kind, body []byte, now time.Time) error {
	prev, err := t.Head(chain)
	if err != nil {
		return fmt.Errorf("append to the %s chain: %w", chain, err)
	}
	s, _, err := t.store.author.Next(prev, chain, kind, body, now)
	if err != nil {
		return fmt.Errorf("append to the %s chain: %w", chain, err)
	}
	return t.putEntry(chain, s)
}

// Appended is closed when an entry is added to a chain. Take it before looking.
func (s *Store) Appended() <-chan struct{} {
	s.grown.Lock()
	defer s.grown.Unlock()
	if s.grown.c == nil {
		s.grown.c = make(chan struct{})
	}
	return s.grown.c
}

// announce wakes whoever waits for entries.
func (s *Store) announce() {
	s.grown.Lock()
	defer s.grown.Unlock()
	if s.grown.c != nil {
		close(s.grown.c)
		s.grown.c = nil
	}
}

// Head returns the state of a chain: what the next entry follows.
func (t *Tx) Head(chain entry.Chain) (entry.Head, error) {
	var b []byte
	err := t.row("SELECT signed FROM entries WHERE chain = ? ORDER BY sequence DESC LIMIT 1", []any{int64(chain)}, &b)
	if isNotFound(err) {
		return entry.Head{}, nil
	}
	if err != nil {
		return entry.Head{}, fmt.Errorf("read head: %w", err)
	}
	s, err := entry.Unmarshal(b)
	if err != nil {
		return entry.Head{}, fmt.Errorf("read head: %w: %w", ErrDamaged, err)
	}
	return entry.HeadOf(s)
}

// Entries gives the entries of a chain with numbers from first on, in order. It must
// be ranged over inside the transaction, and stops after an error.
func (t *Tx) Entries(chain entry.Chain, first uint64) iter.Seq2[entry.Signed, error] {
	return func(yield func(entry.Signed, error) bool) {
		next := int64(first)
		for {
			var page []entry.Signed
			err := t.rows("SELECT sequence, signed FROM entries WHERE chain = ? AND sequence >= ? ORDER BY sequence LIMIT ?",
				[]any{int64(chain), next, entriesPage}, func(scan func(...any) error) error {
					var b []byte
					if err := scan(&next, &b); err != nil {
						return err
					}
					next++
					s, err := entry.Unmarshal(b)
					if err != nil {
						return fmt.Errorf("%w: %w", ErrDamaged, err)
					}
					page = append(page, s)
					return nil
				})
			if err != nil {
				yield(entry.Signed{}, fmt.Errorf("read the %s chain: %w", chain, err))
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if len(page) < entriesPage {
				return
			}
		}
	}
}

// putEntry stores a signed entry. Its number must be free: the primary key makes a
// fork impossible even for a fault of this program.
func (t *Tx) putEntry(chain entry.Chain, s entry.Signed) error {
	e, err := s.Decode()
	if err != nil {
		return fmt.Errorf("store entry: %w", err)
	}
	if e.Chain != chain {
		return errors.New("store entry: it belongs to another chain")
	}
	b, err := s.Marshal()
	if err != nil {
		return fmt.Errorf("store entry: %w", err)
	}
	_, err = t.exec("INSERT INTO entries (chain, sequence, signed) VALUES (?, ?, ?)", int64(chain), int64(e.Sequence), b)
	if err != nil {
		return fmt.Errorf("store entry: %w", err)
	}
	t.appended = true
	return nil
}

// chains are the two chains in the order in which files name them.
func chains() [2]entry.Chain { return [2]entry.Chain{entry.Local, entry.Submitted} }
