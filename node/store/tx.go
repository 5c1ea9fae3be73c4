package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Points at which tests look at the files or let something fail. An error of the last
// two has no effect: what happened has happened.
const (
	stepStatement = "statement"
	stepCommit    = "before commit"
	stepCommitted = "after commit"
	stepHeads     = "after heads"
)

// Tx is one transaction. It is valid only inside the function it was given to,
// and must not be used from two goroutines at once.
type Tx struct {
	ctx   context.Context
	store *Store
	tx    *sql.Tx

	appended bool // an entry was added to a chain: the high-water file must follow
	erased   bool // something was deleted that must leave the log file too
}

// View runs f on the last committed state. f must not keep the Tx.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin reading: %w", named(err))
	}
	defer func() { _ = tx.Rollback() }() // nothing was written: it cannot lose anything
	return f(&Tx{ctx: ctx, store: s, tx: tx})
}

// Update runs f and makes all that it did durable at once; if f or the commit
// fails, nothing of it happened. Inside f no other Update may be called: it would
// wait for the outer one for ever.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin writing: %w", named(err))
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing; it must run even if f panics
	t := &Tx{ctx: ctx, store: s, tx: tx}
	if err := f(t); err != nil {
		return err
	}
	if err := s.step(stepCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := tx.Commit(); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // the context's end was faster
			err = ctx.Err()
		}
		return fmt.Errorf("commit: %w", named(err))
	}
	_ = s.step(stepCommitted)
	if t.appended {
		s.advanceHeads(context.WithoutCancel(ctx))
		_ = s.step(stepHeads)
		s.announce()
	}
	if t.erased || s.unforgotten.Load() {
		s.forget(context.WithoutCancel(ctx))
	}
	return nil
}

// forget empties the log file, which still holds the overwritten pages of what was
// deleted. A reader of an older state prevents that; it is tried again after the next
// Updates, and Close does it at the latest.
func (s *Store) forget(ctx context.Context) {
	s.unforgotten.Store(true)
	c, err := s.write.Conn(ctx)
	if err != nil {
		return // the store was closed
	}
	defer func() { _ = c.Close() }() // gives it back to the pool
	var busy, frames, done int
	_, err1 := c.ExecContext(ctx, "PRAGMA busy_timeout = 50") // writers must not wait for a long reader
	err2 := c.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &done)
	_, err3 := c.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", busyMillis))
	if errors.Join(err1, err2, err3) == nil && busy == 0 {
		s.unforgotten.Store(false)
	}
}

// exec runs one statement and names what fails.
func (t *Tx) exec(query string, args ...any) (int64, error) {
	if err := t.store.step(stepStatement); err != nil {
		return 0, err
	}
	r, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, named(err)
	}
	n, err := r.RowsAffected()
	return n, named(err)
}

// row reads one row; no row is ErrNotFound.
func (t *Tx) row(query string, args []any, into ...any) error {
	if err := t.store.step(stepStatement); err != nil {
		return err
	}
	err := t.tx.QueryRowContext(t.ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return named(err)
}

// rows calls f for each row, with a function that scans it.
func (t *Tx) rows(query string, args []any, f func(scan func(...any) error) error) error {
	if err := t.store.step(stepStatement); err != nil {
		return err
	}
	r, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return named(err)
	}
	for r.Next() {
		if err := f(r.Scan); err != nil {
			return errors.Join(named(err), r.Close())
		}
	}
	return named(r.Err())
}
