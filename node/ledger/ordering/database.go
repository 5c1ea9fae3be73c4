package ordering

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// The file's buckets; that of the extent has one record.
const (
	bucketExtent = "extent"
	bucketLog    = "log"
	bucketStable = "stable"
	keyExtent    = "extent"
)

// Store keeps Raft's log, term and vote in one file, durably before a call returns. Every
// record has a checksum, and the file says what must be in it; OpenStore checks all, and
// reading checks again, since disks also decay under a program that runs. Of bbolt's own
// pages only what it checks itself is noticed: a disk that spoils its newest head page takes
// back the last write.
type Store struct {
	path string
	db   *bbolt.DB

	mu     sync.Mutex
	broken error // the database panicked while writing: its locks are in no known state
}

var (
	_ raft.LogStore          = (*Store)(nil)
	_ raft.StableStore       = (*Store)(nil)
	_ raft.MonotonicLogStore = (*Store)(nil)
)

// OpenStore opens the store at path, or makes it. errors.Is ErrDamaged if it is damaged.
func OpenStore(path string) (*Store, error) {
	s := &Store{path: path}
	err := guarded(func() (err error) {
		s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open ledger store %s: %w", path, err)
	}
	if err = s.prepare(); err == nil {
		err = s.view(check)
	}
	if err != nil {
		return nil, fmt.Errorf("open ledger store %s: %w", path, errors.Join(err, s.Close()))
	}
	return s, nil
}

// Close ends the store after the calls that are under way. After damage that the database
// itself failed on, the file stays locked until the process ends.
func (s *Store) Close() error {
	if s.fate(nil) != nil {
		return nil // the database could wait forever for itself
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close ledger store %s: %w", s.path, err)
	}
	return nil
}

// fate records that the database broke, if it did, and returns whether it ever has.
func (s *Store) fate(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, errPanic) {
		s.broken = err
	}
	return s.broken
}

// guarded turns a panic of the database, which trusts its pages, into ErrDamaged. The pages
// are mapped memory, where a bad reference is a fault.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %w: %v", ErrDamaged, errPanic, p)
		}
	}()
	return f()
}

var errPanic = errors.New("the database failed on its own pages")

func (s *Store) write(f func(tx *bbolt.Tx) error) error {
	if err := s.fate(nil); err != nil {
		return err
	}
	err := guarded(func() error { return s.db.Update(f) })
	_ = s.fate(err)
	return err
}

// update runs f in a transaction; what it does to the extent is written with the rest.
func (s *Store) update(f func(tx *bbolt.Tx, e *extent) error) error {
	return s.write(func(tx *bbolt.Tx) error {
		e, err := readExtent(tx)
		if err != nil {
			return err
		}
		if err := f(tx, &e); err != nil {
			return err
		}
		return writeExtent(tx, e)
	})
}

func (s *Store) view(f func(tx *bbolt.Tx, e extent) error) error {
	return s.look(func(tx *bbolt.Tx) error {
		e, err := readExtent(tx)
		if err != nil {
			return err
		}
		return f(tx, e)
	})
}

func (s *Store) look(f func(tx *bbolt.Tx) error) error {
	if err := s.fate(nil); err != nil {
		return err
	}
	return guarded(func() error { return s.db.View(f) })
}

func bucket(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }

func readExtent(tx *bbolt.Tx) (extent, error) {
	record := bucket(tx, bucketExtent).Get([]byte(keyExtent))
	value, err := unseal(bucketExtent, []byte(keyExtent), record)
	if err != nil {
		return extent{}, err
	}
	return decodeExtent(value)
}

func writeExtent(tx *bbolt.Tx, e extent) error {
	return bucket(tx, bucketExtent).Put([]byte(keyExtent), seal(bucketExtent, []byte(keyExtent), e.encode()))
}

// firstID is the number of a database's last transaction if nothing was written to it yet.
const firstID = 1

// prepare makes the buckets of a fresh store. It writes nothing to any other: what is
// damaged there must not spread before it is found.
func (s *Store) prepare() error {
	all, names := []string{bucketExtent, bucketLog, bucketStable}, []string(nil)
	fresh := false
	err := s.look(func(tx *bbolt.Tx) error {
		fresh = tx.ID() <= firstID
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			names = append(names, string(name))
			return nil
		})
	})
	if err != nil || slices.Equal(names, all) {
		return err
	}
	if !fresh {
		return fmt.Errorf("%w: it holds %q", ErrDamaged, names)
	}
	return s.write(func(tx *bbolt.Tx) error {
		for _, name := range all {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return writeExtent(tx, extent{})
	})
}
