package store

import (
	"context"
	"crypto/ed25519"
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
	author, prev, err := t.writer(chain)
	if err == nil && chain == entry.Submitted && prev.Empty() {
		err = t.begun()
	}
	if err != nil {
		return fmt.Errorf("append to the %s chain: %w", chain, err)
	}
	s, _, err := author.Next(prev, chain, kind, body, now)
	if err != nil {
		return fmt.Errorf("append to the %s chain: %w", chain, err)
	}
	return t.putEntry(chain, s)
}

// adopted is the setting that names the entry up to which the submitted chain was taken from
// others; nothing as long as it waits to be.
const adopted = "submitted chain adopted up to"

// AwaitChain has the submitted chain begin with Adopt and with nothing else.
func (t *Tx) AwaitChain() error { return t.Put(adopted, nil) }

// begun refuses to begin a submitted chain that waits to be adopted. errors.Is ErrUnbegun.
func (t *Tx) begun() error {
	_, err := t.Get(adopted)
	switch {
	case err == nil:
		return ErrUnbegun
	case isNotFound(err):
		return nil
	}
	return err
}

// Awaits reports whether the submitted chain waits to be adopted.
func (t *Tx) Awaits() (bool, error) {
	head, err := t.Head(entry.Submitted)
	if err != nil || !head.Empty() {
		return false, err
	}
	if err = t.begun(); errors.Is(err, ErrUnbegun) {
		return true, nil
	}
	return false, err
}

// Adopt begins the submitted chain with what others hold of it, verified and in its order, and
// goes on after a stated gap: the member's lost node may have used more numbers. If they hold
// nothing, it begins as any other.
func (t *Tx) Adopt(entries iter.Seq2[entry.Signed, error], now time.Time) error {
	if waits, err := t.Awaits(); err != nil || !waits {
		return errors.Join(errors.New("adopt the submitted chain: it has begun"), err)
	}
	for s, err := range entries {
		if err == nil {
			err = t.putEntry(entry.Submitted, s)
		}
		if err != nil {
			return fmt.Errorf("adopt the submitted chain: %w", err)
		}
	}
	prev, err := t.Head(entry.Submitted)
	if err != nil {
		return fmt.Errorf("adopt the submitted chain: %w", err)
	}
	author := t.store.author.Load()
	var s entry.Signed
	if prev.Empty() {
		s, _, err = author.Next(prev, entry.Submitted, entry.Created, nil, now)
	} else if s, _, err = author.Restore(prev, entry.Submitted, prev.Sequence, now); err == nil {
		err = t.Put(adopted, prev.Digest[:])
	}
	if err == nil {
		err = t.putEntry(entry.Submitted, s)
	}
	if err != nil {
		return fmt.Errorf("adopt the submitted chain: %w", err)
	}
	return nil
}

// HandOver has a chain go on under the author's heir, and names the transport key that goes with
// it. It does nothing to a chain that does so already.
func (t *Tx) HandOver(chain entry.Chain, transport ed25519.PrivateKey, now time.Time) error {
	heir := t.store.author.Load().Heir
	author, prev, err := t.writer(chain)
	switch {
	case err != nil:
	case heir == nil:
		err = errors.New("there is no key to hand over to")
	case author.Key == heir:
		return nil
	}
	if err != nil {
		return fmt.Errorf("hand the %s chain over: %w", chain, err)
	}
	s, _, err := author.Rotate(prev, chain, heir, transport, now)
	if err != nil {
		return fmt.Errorf("hand the %s chain over: %w", chain, err)
	}
	return t.putEntry(chain, s)
}

// HandedOver reports whether a chain goes on under the author's heir.
func (t *Tx) HandedOver(chain entry.Chain) (bool, error) {
	author, _, err := t.writer(chain)
	return err == nil && author.Key == t.store.author.Load().Heir, err
}

// SetAuthor changes the keys that are there to go on with. Which of them does in a chain says
// the chain.
func (s *Store) SetAuthor(a entry.Author) { s.author.Store(&a) }

// writer is who goes on with a chain, and after what. It refuses keys under which the chain
// does not go on: store and keys are of different times then, and what was signed now would
// fit nobody's copy of the chain.
func (t *Tx) writer(chain entry.Chain) (entry.Author, entry.Head, error) {
	a := *t.store.author.Load()
	newest, err := t.newest(chain)
	if err != nil || newest == nil {
		return a, entry.Head{}, err
	}
	if a, err = a.After(*newest); err != nil {
		return a, entry.Head{}, err
	}
	head, err := entry.HeadOf(*newest)
	return a, head, err
}

// checkAuthor looks early whether both chains can go on.
func (s *Store) checkAuthor(ctx context.Context) error {
	return s.View(ctx, func(tx *Tx) error {
		for _, c := range chains() {
			if _, _, err := tx.writer(c); err != nil {
				return fmt.Errorf("%s chain: %w", c, err)
			}
		}
		return nil
	})
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
	s, err := t.newest(chain)
	if err != nil || s == nil {
		return entry.Head{}, err
	}
	return entry.HeadOf(*s)
}

// newest is the newest entry of a chain; nil if it has none.
func (t *Tx) newest(chain entry.Chain) (*entry.Signed, error) {
	var b []byte
	err := t.row("SELECT signed FROM entries WHERE chain = ? ORDER BY sequence DESC LIMIT 1", []any{int64(chain)}, &b)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	s, err := entry.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("read head: %w: %w", ErrDamaged, err)
	}
	return &s, nil
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
