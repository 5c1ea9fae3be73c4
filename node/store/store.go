// Package store keeps what one node must not lose: lists, snapshots, rounds and
// what lets them resume, hits, the two signed chains, quotas and settings.
//
// It is one SQLite database in the node's directory (DESIGN section 11), written
// through one connection with full synchronisation, so that what Update returned
// for survives a power cut. Everything that says something about a person is
// sealed (crypto/seal) before SQLite sees it, each list under a dataset key of its
// own, with table, row and column as associated data: a value that was altered, or
// moved to another place, is reported as ErrAltered and never used.
//
// Against someone who has the database file but not the store key it hides all
// values and handling data. It does not hide list names, counts, states, partners,
// times, which rows are shielded, when each row expires, nor that two lists hold the
// same value: equal values have equal keyed lookups. The log of changes (Touched) tells
// which of those lookups changed lately and in what order, also of rows that are
// deleted, until it is forgotten. Of subscriptions it shows what it shows of rounds,
// when their next run is due, and names, numbers and sizes of their standing records.
// Deleted rows are overwritten in the file and in its log; copies that a file system
// or disk keeps are outside its reach, so disks are to be encrypted too.
//
// Large sets that are derived from it and can be made again lie beside it, in segment
// files (SegmentFolder), each sealed under a key of its own that only its SegmentInfo
// opens. Their names say nothing; their sizes tell how many entries they hold.
//
// One process holds a directory at a time (Lock). Indicator values appear in no
// error of this package.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver behind database/sql

	"entente/crypto/seal"
	"entente/protocol/entry"
)

// File is the name of the database in the node's directory.
const File = "store.db"

// Sizes of the connections. One writer keeps transactions in one order; readers
// see the last committed state and never wait for it.
const (
	readers     = 4
	cacheKiB    = 32 << 10 // page cache of the writer
	busyMillis  = 10_000   // wait for a lock of a copy or checkpoint
	settingKey  = "store key check"
	settingText = "entente store 1"
)

// Store is an open store. Its methods may be called concurrently.
type Store struct {
	dir    string // the node's directory
	path   string // of the database
	keys   ring
	author atomic.Pointer[entry.Author]

	write *sql.DB // one connection
	read  *sql.DB

	importing chan struct{} // holds one token while an import is open

	audit struct { // what is written outside the database; see heads.go and mirror.go
		sync.Mutex
		behind error             // why the high-water file is not up to date, or nil
		folder string            // that the next two are about
		ends   map[string]logEnd // of the logs that this process has read through
	}

	grown struct { // who waits for entries; see Appended
		sync.Mutex
		c chan struct{}
	}

	unforgotten atomic.Bool // something erased may still be in the log file; see forget

	flushRows int // see the constant; tests set it smaller

	// step is called before each statement and around each commit: see the names in
	// tx.go. It returns nil; only tests set another, before the store is shared.
	step func(name string) error
}

// Format prints a placeholder, whatever the verb: a store holds keys.
func (*Store) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[store]")) }

// Create makes a new store in dir, sealed under key. author signs the chains.
// errors.Is ErrExists if there is a store already.
func Create(ctx context.Context, dir string, key seal.Key, author entry.Author) (*Store, error) {
	if _, err := os.Lstat(filepath.Join(dir, File)); err == nil {
		return nil, fmt.Errorf("create store: %w", ErrExists)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create store: %w", err)
	}
	if err := create(ctx, dir, key, author); err != nil {
		return nil, fmt.Errorf("create store: %w", errors.Join(err, removeCopies(dir)))
	}
	return Open(ctx, dir, key, author)
}

// create makes the file under another name first, so that a kill leaves no half store.
func create(ctx context.Context, dir string, key seal.Key, author entry.Author) error {
	if err := removeCopies(dir); err != nil {
		return err
	}
	if err := removeFiles(dir, File+"-wal", File+"-shm"); err != nil { // of a store that is no more
		return err
	}
	s, err := open(ctx, dir, createCopy, key, author)
	if err != nil {
		return err
	}
	err = s.Update(ctx, func(tx *Tx) error { return tx.Put(settingKey, []byte(settingText)) })
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	return s.settle()
}

// settle gives a finished and closed copy the name of the store.
func (s *Store) settle() error {
	if _, err := os.Lstat(s.path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		return errors.New("the log of the new store was not written back")
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	err = root.Rename(filepath.Base(s.path), File)
	if err == nil {
		err = syncFolder(root)
	}
	return errors.Join(err, root.Close())
}

// Open opens the store in dir. errors.Is ErrNotFound without one, ErrKey if key
// is not the one it was created with, ErrDamaged if the file is no sound database.
func Open(ctx context.Context, dir string, key seal.Key, author entry.Author) (*Store, error) {
	if _, err := os.Stat(filepath.Join(dir, File)); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open store: %w", ErrNotFound)
	}
	s, err := open(ctx, dir, File, key, author)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.Close())
	}
	return s, nil
}

// open connects and brings the schema up to date.
func open(ctx context.Context, dir, file string, key seal.Key, author entry.Author) (*Store, error) {
	s := &Store{
		dir: dir, path: filepath.Join(dir, file), keys: newRing(key),
		importing: make(chan struct{}, 1), flushRows: flushRows, step: func(string) error { return nil },
	}
	s.SetAuthor(author)
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600) // with these rights, whatever the umask
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if s.write, err = connect(s.path, forWriting()); err != nil {
		return nil, err
	}
	if s.read, err = connect(s.path, forReading()); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if err := migrate(ctx, s.write); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// use says what connections are for.
type use struct {
	lock        string // that a transaction begins with
	connections int
	cache       int // KiB for each connection
	queryOnly   bool
}

func forWriting() use { return use{lock: "immediate", connections: 1, cache: cacheKiB} }

func forReading() use {
	return use{lock: "deferred", connections: readers, cache: cacheKiB / 4, queryOnly: true}
}

func forCopying() use { return use{lock: "deferred", connections: 1, cache: cacheKiB / 4} }

// connect opens one pool. Foreign settings of the file play no part: every
// connection sets its own.
func connect(path string, u use) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	v := url.Values{}
	v.Set("_txlock", u.lock)
	for _, p := range []string{
		fmt.Sprintf("busy_timeout(%d)", busyMillis), fmt.Sprintf("cache_size(-%d)", u.cache),
		"journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "foreign_keys(ON)",
		"trusted_schema(OFF)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)",
	} {
		v.Add("_pragma", p)
	}
	if u.queryOnly {
		v.Add("_pragma", "query_only(ON)")
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: slashed(path), RawQuery: v.Encode()}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(u.connections)
	db.SetMaxIdleConns(u.connections)
	return db, nil
}

// slashed turns a path into the path of a file URI; a drive letter needs a slash before it.
func slashed(path string) string {
	p := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" && !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return p
}

// start checks the key and clears what a killed process left half done.
func (s *Store) start(ctx context.Context) error {
	if err := s.checkKey(ctx); err != nil {
		return err
	}
	if err := s.abandonImports(ctx); err != nil {
		return err
	}
	if err := s.fillExpiry(ctx); err != nil {
		return err
	}
	if err := removeCopies(s.dir); err != nil {
		return err
	}
	if err := s.continueChains(ctx); err != nil {
		return err
	}
	return s.checkAuthor(ctx)
}

// checkKey opens a known value.
func (s *Store) checkKey(ctx context.Context) error {
	return s.View(ctx, func(tx *Tx) error {
		b, err := tx.Get(settingKey)
		switch {
		case errors.Is(err, ErrAltered):
			return ErrKey
		case errors.Is(err, ErrNotFound):
			return fmt.Errorf("%w: it was never completed", ErrDamaged)
		case err == nil && string(b) != settingText:
			return fmt.Errorf("%w: unknown version", ErrDamaged)
		}
		return err
	})
}

// Close writes the log back into the database and closes it.
func (s *Store) Close() error {
	var errs []error
	errs = append(errs, s.read.Close())
	errs = append(errs, s.write.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}
