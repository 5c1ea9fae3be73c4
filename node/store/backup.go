package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"entente/crypto/seal"
	"entente/protocol/entry"
)

// Names of files that exist only while a store or backup is made.
const (
	createCopy  = "create.new"
	backupCopy  = "backup.new"
	restoreCopy = "restore.new"
)

// copied are the tables of a backup with the columns and the rows that it takes; a
// table that is not here stays out. What is used once is not here: round_secrets, journal,
// subscription_secrets and standing. Snapshots serve rounds that cannot go on after a
// restore, and the log of changes serves feeds that must begin anew after it.
func copied() []struct{ table, rows string } {
	return []struct{ table, rows string }{
		{"settings", ""},
		{"lists", ""},
		{"imports", "WHERE open = 0"},
		{"records", "WHERE import NOT IN (SELECT id FROM main.imports WHERE open = 1)"},
		{"held", "WHERE import NOT IN (SELECT id FROM main.imports WHERE open = 1)"},
		{"rounds", ""},
		{"subscriptions", ""},
		{"hits", ""},
		{"entries", ""},
		{"quotas", ""},
		{"stopped", ""},
		{"bundles", ""},
		{"counters", ""},
		{"sqlite_sequence", ""},
	}
}

// Backup writes one consistent state of the store to w, sealed under the store key.
// It holds no secret that may be used only once: no secrets of rounds or subscriptions, no
// journals, no standing records and no segment files.
// It does not hold the keys either; without the store key it cannot be read. It needs
// as much free disk as the store takes. Writers are not held up.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	path := filepath.Join(s.dir, backupCopy)
	if err := removeCopies(s.dir); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	err := s.copyTo(ctx, path)
	if err == nil {
		err = s.stream(w, path)
	}
	if err := errors.Join(err, removeCopies(s.dir)); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return nil
}

// copyTo makes a database file of what a backup takes.
func (s *Store) copyTo(ctx context.Context, path string) error {
	fresh, err := connect(path, forWriting())
	if err != nil {
		return err
	}
	if err := errors.Join(migrate(ctx, fresh), single(ctx, fresh), fresh.Close()); err != nil {
		return err
	}
	db, err := connect(s.path, forCopying())
	if err != nil {
		return err
	}
	return errors.Join(copyTables(ctx, db, path), db.Close())
}

// single puts a database into one file, without a log beside it.
func single(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode); err != nil {
		return named(err)
	}
	if mode != "delete" {
		return errors.New("the log of the copy could not be closed")
	}
	return nil
}

// copyTables copies in one transaction, so from one committed state.
func copyTables(ctx context.Context, db *sql.DB, path string) error {
	if _, err := db.ExecContext(ctx, "ATTACH DATABASE ? AS target", path); err != nil {
		return named(err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return named(err)
	}
	err = func() error {
		for _, c := range copied() {
			if _, err := tx.ExecContext(ctx, "DELETE FROM target."+c.table); err != nil {
				return fmt.Errorf("copy %s: %w", c.table, named(err))
			}
			q := "INSERT INTO target." + c.table + " SELECT * FROM main." + c.table + " " + c.rows
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return fmt.Errorf("copy %s: %w", c.table, named(err))
			}
		}
		for _, q := range []string{
			"UPDATE target.rounds SET restored = 1, snapshot = 0", "UPDATE target.subscriptions SET restored = 1",
		} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return named(err)
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return named(tx.Commit())
}

// stream seals the copy to w.
func (s *Store) stream(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(sealStream(s.keys.backup, w, f), f.Close())
}

// Restore makes the store of dir from a backup. Rounds that were not over cannot go on,
// and feeds of subscriptions must begin anew: they come marked Restored. Each chain takes in what its log in dir/audit still
// holds, and then goes on at a number that cannot have been used before, with an entry
// that states the gap; so restoring an old backup, even twice, forks nothing. now must
// be later than the chains' newest entries. errors.Is ErrExists if dir has a store,
// ErrKey or ErrAltered if the backup does not open. After a failure dir has no store,
// and Restore can be called again.
func Restore(ctx context.Context, dir string, key seal.Key, author entry.Author, r io.Reader, now time.Time) error {
	if err := restore(ctx, dir, key, author, r, now); err != nil {
		return fmt.Errorf("restore: %w", errors.Join(err, removeCopies(dir)))
	}
	return nil
}

func restore(ctx context.Context, dir string, key seal.Key, author entry.Author, r io.Reader, now time.Time) error {
	if _, err := os.Lstat(filepath.Join(dir, File)); err == nil {
		return ErrExists
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := removeCopies(dir); err != nil {
		return err
	}
	if err := removeFiles(dir, File+"-wal", File+"-shm"); err != nil { // of a store that is no more
		return err
	}
	if err := openStreamTo(newRing(key).backup, filepath.Join(dir, restoreCopy), r); err != nil {
		return err
	}
	s, err := open(ctx, dir, restoreCopy, key, author)
	if err != nil {
		return err
	}
	if err := errors.Join(s.revive(ctx, now), s.Close()); err != nil {
		return err
	}
	return s.settle()
}

// revive checks a restored copy and makes it safe to go on with.
func (s *Store) revive(ctx context.Context, now time.Time) error {
	if err := s.checkKey(ctx); err != nil {
		return err
	}
	var result string
	if err := s.write.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return named(err)
	}
	if result != "ok" {
		return ErrDamaged
	}
	known, err := s.readMarks()
	if err != nil {
		return err
	}
	return s.renew(ctx, known, now)
}

// openStreamTo unseals a backup into a new file, durably.
func openStreamTo(key seal.Key, path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = openStream(key, f, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removeCopies removes what a killed Create, Backup or Restore left.
func removeCopies(dir string) error {
	var names []string
	for _, base := range []string{createCopy, backupCopy, restoreCopy} {
		names = append(names, base, base+"-wal", base+"-shm", base+"-journal")
	}
	return removeFiles(dir, names...)
}

func removeFiles(dir string, names ...string) error {
	for _, n := range names {
		if err := os.Remove(filepath.Join(dir, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
