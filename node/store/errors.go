package store

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"entente/crypto/seal"
)

// Errors that callers tell apart.
var (
	// ErrNotFound says that there is no such store, list, record, snapshot, round or setting.
	ErrNotFound = errors.New("not found")
	// ErrExists says that what was to be made is there already.
	ErrExists = errors.New("there is one already")
	// ErrListDiffers says that a list of that name has another kind, category, purpose or basis.
	ErrListDiffers = errors.New("a list of this name has another kind, category, purpose or legal basis")
	// ErrListInUse says that a snapshot, so a round that is not over, still stands on the list.
	ErrListInUse = errors.New("a round still uses this list")
	// ErrKey says that the key is not the one that the store was created with.
	ErrKey = errors.New("this key does not open this store")
	// ErrAltered says that a sealed value was changed or moved, or its key is gone.
	ErrAltered = errors.New("a stored value was altered")
	// ErrDamaged says that the file is not a sound database of this program.
	ErrDamaged = errors.New("the database is damaged")
	// ErrNewer says that a newer version of this program made the database.
	ErrNewer = errors.New("a newer version of this program made the database")
	// ErrFull says that the disk or the database has no room left; nothing was lost.
	ErrFull = errors.New("the disk is full")
	// ErrLocked says that another process holds the directory.
	ErrLocked = errors.New("another process holds this directory")
	// ErrLogDiffers says that an audit log ends with an entry that the database does not hold.
	ErrLogDiffers = errors.New("the audit log ends with an entry that the store does not hold")
	// ErrBackup says that what should be a backup is none, or was cut off.
	ErrBackup = errors.New("this is no whole backup")
	// ErrUnbegun says that the submitted chain goes on from what others hold of it, which is not here yet.
	ErrUnbegun = errors.New("this member's chain goes on from what the ledger holds of it, once the others have restored the member")
	// ErrConflict says that a journal already holds other data at that place.
	ErrConflict = errors.New("the journal holds other data at this place")
)

// named gives an error of the database or of sealing its name of this package.
func named(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, seal.ErrOpen) {
		return fmt.Errorf("%w: %w", ErrAltered, err)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return err
}
