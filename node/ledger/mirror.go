package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/recovery"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// Buckets of a mirror's file. Keys of the first two are places, 8 bytes big-endian.
const (
	entriesBucket = "entries" // signed entries as they are in the tree
	hashesBucket  = "hashes"  // of the tree, as checkpoint.Append returns them
	signedBucket  = "signed"  // what this node has signed: see Signer
	finalBucket   = "final"   // final checkpoints that this node has seen, by size
	voidBucket    = "void"    // why entries have no effect, by place
	ledgerBucket  = "ledger"  // which ledger the file is of
	termsBucket   = "terms"   // openings of ledger terms, by number from 1 on for the second
	pledgeBucket  = "pledge"  // for which term this node has pledged: see Signer
)

// openTimeout is how long a mirror's file may be held by another process.
const openTimeout = time.Second

// ErrNotHeld says that this node does not hold the ledger that far.
var ErrNotHeld = errors.New("the ledger is not held that far")

// ErrTerm says that a checkpoint is of a ledger term that this node is not in.
var ErrTerm = errors.New("the checkpoint is of another term of the ledger")

// Mirror is a node's own copy of the ledger: every entry, the tree over them, and the
// state that replaying them leads to. It is in one file, and nothing is in it that replay
// did not admit. Safe for several goroutines.
type Mirror struct {
	db    *bbolt.DB
	fresh func() (*replay.State, error) // before the first entry
	first checkpoint.Origin             // of the first term

	mu     sync.RWMutex
	state  *replay.State
	broken error         // a write failed: the state may be ahead of the file
	grown  chan struct{} // closed when something changes

	// final is the state after the newest final checkpoint, nil before there is one; later
	// is what there is after checkpoints beyond it, ascending. A state is replaced, never
	// changed.
	final *replay.State
	later []reached

	newest checkpoint.Checkpoint // that is final; of size 0 before there is one
	terms  []recovery.Opening    // after the first, up to the present one

	bytes uint64            // of all entries together
	upTo  map[uint64]uint64 // of those before each final checkpoint that is kept, by its size
}

// reached is what there is after a checkpoint.
type reached struct {
	state *replay.State
	bytes uint64 // of the entries before it
}

// OpenMirror opens the file, or makes it, and replays what it holds: a changed byte in an
// entry or a hash is found, and the error names the entry.
func OpenMirror(ctx context.Context, file string, first roster.Roster) (_ *Mirror, err error) {
	// The database panics on pages of its own that are damaged, as after a power cut while the
	// file was made, or faults on mapped memory. The file then stays locked until the process ends.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("open mirror: the file is damaged: %v", p)
		}
	}()
	fresh := func() (*replay.State, error) { return replay.New(first) }
	state, err := fresh()
	if err != nil {
		return nil, fmt.Errorf("open mirror: %w", err)
	}
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: openTimeout})
	if err != nil {
		return nil, fmt.Errorf("open mirror: %w", err)
	}
	m := &Mirror{db: db, fresh: fresh, state: state, first: state.Term(), grown: make(chan struct{}), upTo: map[uint64]uint64{}}
	if err := m.load(ctx); err != nil {
		return nil, fmt.Errorf("open mirror: %w", errors.Join(err, db.Close()))
	}
	return m, nil
}

func (m *Mirror) load(ctx context.Context) error {
	err := m.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{entriesBucket, hashesBucket, signedBucket, finalBucket, voidBucket, ledgerBucket, termsBucket, pledgeBucket} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		about, key := tx.Bucket([]byte(ledgerBucket)), []byte("origin")
		switch held := about.Get(key); {
		case held == nil:
			return about.Put(key, []byte(m.first.String()))
		case string(held) != m.first.String():
			return errors.New("the file is of another ledger")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.db.View(func(tx *bbolt.Tx) error {
		if err := m.loadNewest(tx); err != nil {
			return err
		}
		openings, err := loadTerms(tx)
		if err != nil {
			return err
		}
		final, finals := m.newest.Size, tx.Bucket([]byte(finalBucket))
		c := tx.Bucket([]byte(entriesBucket)).Cursor()
		var some [][]byte
		next := m.state.Size()
		for k, b := c.First(); k != nil; k, b = c.Next() {
			if len(k) != 8 || binary.BigEndian.Uint64(k) != next {
				if err := m.replay(ctx, tx, some); err != nil {
					return err // what is wrong before the gap comes first
				}
				return fmt.Errorf("entry %d of the mirror is missing", next)
			}
			some, next = append(some, b), next+1
			if m.bytes += uint64(len(b)); finals.Get(place(next)) != nil {
				m.upTo[next] = m.bytes
			}
			if len(some) == loadedAtOnce || next == final || len(openings) > 0 && openings[0].size == next {
				if err := m.replay(ctx, tx, some); err != nil {
					return err
				}
				if err := m.begin(tx, &openings); err != nil {
					return err
				}
				some = some[:0]
			}
		}
		if err := m.replay(ctx, tx, some); err != nil {
			return err
		}
		if len(openings) > 0 {
			return errors.New("a term of the mirror begins with more entries than it holds")
		}
		if final > next {
			return fmt.Errorf("%d entries of the mirror are final, and it holds %d", final, next)
		}
		if next > final { // what was signed last before, and may become final as it is
			m.later = []reached{{m.state.Clone(), m.bytes}}
		}
		return nil
	})
}

// loadedAtOnce bounds the entries that are replayed together: their decoded form is in
// memory.
const loadedAtOnce = 1024

// replay applies the next of the entries in the file, and compares the tree's hashes.
func (m *Mirror) replay(ctx context.Context, tx *bbolt.Tx, entries [][]byte) error {
	from := m.state.Size()
	if _, err := m.state.ApplyAll(ctx, entries); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("entry %d of the mirror is damaged: %w", m.state.Size(), err)
	}
	hashes := reader{tx}
	for i, b := range entries {
		size := from + uint64(i)
		want, err := checkpoint.Append(size, checkpoint.Leaf(b), hashes)
		if err != nil {
			return err
		}
		for i, h := range want {
			held, err := hashes.ReadHashes([]int64{int64(checkpoint.Stored(size)) + int64(i)})
			if err != nil {
				return err
			}
			if held[0] != h {
				return fmt.Errorf("a hash of entry %d of the mirror is damaged", size)
			}
		}
	}
	return nil
}

// Close gives the file back.
func (m *Mirror) Close() error {
	if err := m.db.Close(); err != nil {
		return fmt.Errorf("close mirror: %w", err)
	}
	return nil
}

// reader reads the tree's hashes within a transaction.
type reader struct{ tx *bbolt.Tx }

// ReadHashes returns the hashes at those places.
func (r reader) ReadHashes(places []int64) ([]checkpoint.Hash, error) {
	bucket := r.tx.Bucket([]byte(hashesBucket))
	out := make([]checkpoint.Hash, len(places))
	for i, p := range places {
		b := bucket.Get(place(uint64(p)))
		if len(b) != checkpoint.HashSize {
			return nil, fmt.Errorf("hash %d of the mirror is missing", p)
		}
		out[i] = checkpoint.Hash(b)
	}
	return out, nil
}

func place(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Append takes the next entries in, durably: all of them or, at the first that is not
// admitted, those before it. The error names that entry by its place and says why; how many
// are in, what is returned. After a failed write the mirror must be opened anew.
func (m *Mirror) Append(entries ...[]byte) ([]replay.Applied, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return nil, m.broken
	}
	var out []replay.Applied
	var refused error
	state := m.state.Clone() // the present one may be that after what is final
	err := m.db.Update(func(tx *bbolt.Tx) error {
		from := state.Size()
		// Not to be cut short: what is applied must be written.
		out, refused = state.ApplyAll(context.Background(), entries)
		if refused != nil {
			refused = fmt.Errorf("append to mirror: entry %d: %w", state.Size(), refused)
		}
		for i := range out {
			m.bytes += uint64(len(entries[i]))
			if err := put(tx, from+uint64(i), entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		m.broken = fmt.Errorf("append to mirror: %w", err)
		return nil, m.broken
	}
	m.state, m.later = state, append(m.later, reached{state, m.bytes})
	return out, refused
}

func put(tx *bbolt.Tx, size uint64, b []byte) error {
	hashes, err := checkpoint.Append(size, checkpoint.Leaf(b), reader{tx})
	if err != nil {
		return err
	}
	if err := tx.Bucket([]byte(entriesBucket)).Put(place(size), b); err != nil {
		return err
	}
	for i, h := range hashes {
		if err := tx.Bucket([]byte(hashesBucket)).Put(place(checkpoint.Stored(size)+uint64(i)), h[:]); err != nil {
			return err
		}
	}
	return nil
}

// view reads the state and the file as they belong together.
func (m *Mirror) view(use func(s *replay.State, tx *bbolt.Tx) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.broken != nil {
		return m.broken
	}
	return m.db.View(func(tx *bbolt.Tx) error { return use(m.state, tx) })
}

// State gives use the state after all entries that are held. It must not change it, nor
// keep it.
func (m *Mirror) State(use func(*replay.State)) error {
	return m.view(func(s *replay.State, _ *bbolt.Tx) error { use(s); return nil })
}

// Checkpoint is the tree at a size that is held. errors.Is ErrNotHeld.
func (m *Mirror) Checkpoint(size uint64) (c checkpoint.Checkpoint, err error) {
	err = m.view(func(s *replay.State, tx *bbolt.Tx) error {
		c, err = m.at(s, tx, size)
		return err
	})
	return c, err
}

func (m *Mirror) at(s *replay.State, tx *bbolt.Tx, size uint64) (checkpoint.Checkpoint, error) {
	if size > s.Size() {
		return checkpoint.Checkpoint{}, fmt.Errorf("%w: %d entries of %d", ErrNotHeld, s.Size(), size)
	}
	root, err := checkpoint.Root(size, reader{tx})
	return checkpoint.Checkpoint{Origin: s.Origin(size), Size: size, Root: root}, err
}

// is says whether a checkpoint is of the tree that is held, in whichever term: nil, or
// errors.Is ErrNotHeld, ErrTerm or ErrConflict.
func (m *Mirror) is(s *replay.State, tx *bbolt.Tx, c checkpoint.Checkpoint) error {
	switch {
	case c.Origin.Federation != m.first.Federation:
		return ErrConflict
	case c.Origin == s.Term() && c.Size > s.Size():
		return fmt.Errorf("%w: %d entries of %d", ErrNotHeld, s.Size(), c.Size)
	case !s.HasTree(c.Origin, c.Size):
		return ErrTerm
	}
	root, err := checkpoint.Root(c.Size, reader{tx})
	if err == nil && root != c.Root {
		err = ErrConflict
	}
	return err
}

// Is says whether a checkpoint is of the tree that is held, in whichever term: nil, or
// errors.Is ErrNotHeld, ErrTerm or ErrConflict.
func (m *Mirror) Is(c checkpoint.Checkpoint) error {
	return m.view(func(s *replay.State, tx *bbolt.Tx) error { return m.is(s, tx, c) })
}

// Entries returns entries from one place on, at most so many and about so many bytes
// together, but at least one if it is held.
func (m *Mirror) Entries(from uint64, most, bytes int) ([][]byte, error) {
	var out [][]byte
	err := m.view(func(_ *replay.State, tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(entriesBucket)).Cursor()
		for k, b := c.Seek(place(from)); k != nil && len(out) < most && (bytes > 0 || len(out) == 0); k, b = c.Next() {
			out = append(out, append([]byte{}, b...))
			bytes -= len(b)
		}
		return nil
	})
	return out, err
}

// Inclusion proves that the tree of a size holds its entry of that index.
func (m *Mirror) Inclusion(index, size uint64) (proof []checkpoint.Hash, err error) {
	err = m.view(func(_ *replay.State, tx *bbolt.Tx) error {
		proof, err = checkpoint.ProveInclusion(index, size, reader{tx})
		return err
	})
	return proof, err
}

// Consistency proves that the tree of a size begins as that of an older one.
func (m *Mirror) Consistency(old, size uint64) (proof []checkpoint.Hash, err error) {
	err = m.view(func(_ *replay.State, tx *bbolt.Tx) error {
		proof, err = checkpoint.ProveConsistency(old, size, reader{tx})
		return err
	})
	return proof, err
}
