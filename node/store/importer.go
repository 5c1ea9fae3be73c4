package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entente/crypto/seal"
	"entente/node/intake"
)

// Sizes of an import, measured: larger flushes spread fewer writes over the lookup
// index, longer statements save calls, and both stop paying above these.
const (
	flushRows  = 1 << 16  // rows kept in memory between two transactions
	flushBytes = 16 << 20 // or so many bytes
	insertRows = 200      // rows in one INSERT
	probeRows  = 500      // lookups in one SELECT
)

// fate says what becomes of a buffered row.
type fate uint8

const (
	fateInsert  fate = iota // a new record
	fateRewrite             // changes a record of this import
	fateMerge               // changes an older record when the import commits
	fateHold                // waits for the protection desk
)

// pending is a row that the importer has answered for but not yet written. What it
// holds lies encoded in the importer's arena: a Go value for each would take five times
// the memory.
type pending struct {
	lookup   [lookupSize]byte
	id       int64 // of the record to change; 0 for a new row
	from, to int   // in the arena
	fate     fate
	expires  int64 // as the column holds it
	shielded bool
	never    bool // it has never-with members
}

// Importer fills a list. It implements intake.Sink. Rows go to the database in
// several transactions, so that rounds can go on meanwhile, and become visible all
// at once with Commit; after a crash nothing of them is left. It is for one
// goroutine.
type Importer struct {
	store  *Store
	list   List
	key    seal.Key
	id     int64
	buffer []pending
	arena  []byte                   // encoded rows of the buffer
	byKey  map[[lookupSize]byte]int // into buffer, but not of held rows
	items  int64                    // new records written so far
	held   int64
	from   int64 // the numbers of what it wrote lie from here
	to     int64 // to before here; 0: it wrote nothing
	done   bool
	failed error // of a flush: what was answered for is lost, so Commit must refuse
}

// Format prints a placeholder, whatever the verb: an importer holds rows and a key.
func (*Importer) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[importer]")) }

// Importer begins an import into a list. One runs at a time; a second waits. The
// caller must end it with Commit or Rollback.
func (s *Store) Importer(ctx context.Context, listID int64) (*Importer, error) {
	select {
	case s.importing <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("begin import: %w", ctx.Err())
	}
	i := &Importer{store: s, byKey: make(map[[lookupSize]byte]int)}
	err := s.Update(ctx, func(tx *Tx) error {
		var err error
		if i.list, err = tx.List(listID); err != nil {
			return err
		}
		if i.key, err = tx.listKey(listID); err != nil {
			return err
		}
		return tx.row("INSERT INTO imports (list, open) VALUES (?, 1) RETURNING id", []any{listID}, &i.id)
	})
	if err != nil {
		<-s.importing
		return nil, fmt.Errorf("begin import: %w", err)
	}
	return i, nil
}

// Add takes a batch. A value that is in the list already is merged with it: see
// DESIGN section 5; protection only grows. A value that is shielded on another list,
// or held back already, is held, unless the row itself is shielded.
func (i *Importer) Add(ctx context.Context, batch []intake.Record) (intake.Added, error) {
	var added intake.Added
	if err := i.usable(); err != nil {
		return added, fmt.Errorf("import: %w", err)
	}
	keys := make([][lookupSize]byte, len(batch))
	elements := make([][]byte, len(batch))
	for n, r := range batch {
		if r.Value.Kind() != i.list.Kind {
			return added, errors.New("import: a record of another kind than the list")
		}
		elements[n] = r.Value.Element()
		keys[n] = i.store.keys.lookupOf(string(i.list.Kind), elements[n])
	}
	known, err := i.probe(ctx, keys)
	if err != nil {
		i.failed = err
		return added, fmt.Errorf("import: %w", err)
	}
	for n, r := range batch {
		rec := stored{element: elements[n], original: r.Original, handling: r.Handling}
		fate, err := i.take(keys[n], rec, known[keys[n]])
		if err != nil {
			i.failed = err
			return intake.Added{}, fmt.Errorf("import: %w", err)
		}
		switch fate {
		case fateInsert:
			added.New++
		case fateHold:
			added.Held++
			added.HeldLines = append(added.HeldLines, r.Line)
		default:
			added.Duplicate++
			added.DuplicateLines = append(added.DuplicateLines, r.Line)
		}
	}
	if len(i.buffer) >= i.store.flushRows || len(i.arena) >= flushBytes {
		if err := i.flush(ctx); err != nil {
			return intake.Added{}, fmt.Errorf("import: %w", err)
		}
	}
	return added, nil
}

func (i *Importer) usable() error {
	if i.done {
		return errors.New("it was ended before")
	}
	return i.failed
}

// take decides on one row and buffers what has to be written.
func (i *Importer) take(key [lookupSize]byte, rec stored, have standing) (fate, error) {
	if (have.shieldedElsewhere || have.held) && !rec.handling.Shielded() {
		i.keep(pending{lookup: key, fate: fateHold}, rec)
		return fateHold, nil
	}
	if at, ok := i.byKey[key]; ok {
		return fateMerge, i.mergeInto(at, rec)
	}
	p := pending{lookup: key, fate: fateInsert}
	if have.id != 0 {
		merged, changed := merge(have.rec, rec)
		if !changed {
			return fateMerge, nil
		}
		p.id, p.fate, rec = have.id, fateMerge, merged
		if have.mine {
			p.fate = fateRewrite
		}
	}
	i.byKey[key] = len(i.buffer)
	i.keep(p, rec)
	return p.fate, nil
}

// mergeInto joins a row with one in the buffer.
func (i *Importer) mergeInto(at int, rec stored) error {
	p := i.buffer[at]
	old, err := decodeStored(i.arena[p.from:p.to])
	if err != nil {
		return err
	}
	merged, changed := merge(old, rec)
	if changed {
		i.buffer[at] = i.place(p, merged)
	}
	return nil
}

// keep adds a row to the buffer.
func (i *Importer) keep(p pending, rec stored) { i.buffer = append(i.buffer, i.place(p, rec)) }

// place encodes a row into the arena.
func (i *Importer) place(p pending, rec stored) pending {
	p.from = len(i.arena)
	i.arena = appendStored(i.arena, rec)
	p.to = len(i.arena)
	p.shielded, p.never = rec.handling.Shielded(), len(rec.handling.NeverWith) > 0
	p.expires = expiryMillis(rec.handling.Expires)
	return p
}

// standing is what the database knows of a value.
type standing struct {
	id                int64 // of the record in this list; 0 without one
	mine              bool  // written by this import
	rec               stored
	shieldedElsewhere bool
	held              bool // on any list
}

// probe finds what the database knows of a batch of values.
func (i *Importer) probe(ctx context.Context, keys [][lookupSize]byte) (map[[lookupSize]byte]standing, error) {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, func(a, b [lookupSize]byte) int { return bytes.Compare(a[:], b[:]) })
	sorted = slices.Compact(sorted)
	known := make(map[[lookupSize]byte]standing)
	err := i.store.View(ctx, func(tx *Tx) error {
		for part := range slices.Chunk(sorted, probeRows) {
			if err := i.probePart(tx, part, known); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up values: %w", err)
	}
	return known, nil
}

func (i *Importer) probePart(tx *Tx, part [][lookupSize]byte, known map[[lookupSize]byte]standing) error {
	args := make([]any, 0, len(part)+1)
	for n := range part {
		args = append(args, part[n][:])
	}
	in := "(?" + strings.Repeat(",?", len(part)-1) + ")"
	err := tx.rows("SELECT lookup FROM held WHERE lookup IN "+in, args, func(scan func(...any) error) error {
		var b sql.RawBytes
		if err := scan(&b); err != nil {
			return err
		}
		k := [lookupSize]byte(b)
		known[k] = standing{held: true}
		return nil
	})
	if err != nil {
		return err
	}
	query := `SELECT r.lookup, r.id, r.list, r.import, r.shielded, m.sealed,
		CASE WHEN r.list = ? AND m.sealed IS NULL THEN r.sealed END
		FROM records r LEFT JOIN merges m ON m.record = r.id WHERE r.lookup IN ` + in
	return tx.rows(query, append([]any{i.list.ID}, args...), func(scan func(...any) error) error {
		return i.noteRecord(scan, known)
	})
}

// noteRecord adds one stored row to what is known of its value.
func (i *Importer) noteRecord(scan func(...any) error, known map[[lookupSize]byte]standing) error {
	var lookup, merged, sealed sql.RawBytes
	var id, list, origin int64
	var shielded bool
	if err := scan(&lookup, &id, &list, &origin, &shielded, &merged, &sealed); err != nil {
		return err
	}
	k := [lookupSize]byte(lookup)
	s := known[k]
	if list != i.list.ID {
		s.shieldedElsewhere = s.shieldedElsewhere || shielded
		known[k] = s
		return nil
	}
	if merged != nil {
		sealed = merged
	}
	b, err := unseal(i.key, sealed, "records", "sealed", number(id))
	if err != nil {
		return err
	}
	if s.rec, err = decodeStored(b); err != nil {
		return err
	}
	s.id, s.mine = id, origin == i.id
	known[k] = s
	return nil
}

// Commit writes the rest and makes the import visible, in one transaction with
// what f does, such as the entry of the local chain. f may be nil. If it fails the
// import can still be rolled back, but not be used further.
func (i *Importer) Commit(ctx context.Context, f func(*Tx) error) error {
	if err := i.usable(); err != nil {
		return fmt.Errorf("commit import: %w", err)
	}
	if err := i.flush(ctx); err != nil {
		return fmt.Errorf("commit import: %w", err)
	}
	err := i.store.Update(ctx, func(tx *Tx) error {
		if err := i.touch(tx); err != nil {
			return err
		}
		_, err := tx.exec(`UPDATE records SET shielded = m.shielded, never_with = m.never_with, expires = m.expires,
			sealed = m.sealed FROM merges m WHERE m.record = records.id AND m.import = ?`, i.id)
		if err != nil {
			return err
		}
		if _, err := tx.exec("DELETE FROM merges WHERE import = ?", i.id); err != nil {
			return err
		}
		if _, err := tx.exec("UPDATE imports SET open = 0 WHERE id = ?", i.id); err != nil {
			return err
		}
		if _, err := tx.exec("UPDATE lists SET items = items + ?, held = held + ? WHERE id = ?",
			i.items, i.held, i.list.ID); err != nil {
			return err
		}
		if f == nil {
			return nil
		}
		return f(tx)
	})
	if err != nil {
		i.failed = err
		return fmt.Errorf("commit import: %w", err)
	}
	i.end()
	return nil
}

// touch logs the values of which the commit may change whether they take part: what is
// new, what is newly held, and what merging protects or gives another expiry.
func (i *Importer) touch(tx *Tx) error {
	for _, table := range []string{"records", "held"} {
		_, err := tx.touch("SELECT lookup FROM "+table+" WHERE id >= ? AND id < ? AND import = ?", i.from, i.to, i.id)
		if err != nil {
			return err
		}
	}
	_, err := tx.touch(`SELECT r.lookup FROM merges m JOIN records r ON r.id = m.record WHERE m.import = ?
		AND (m.shielded <> r.shielded OR m.expires <> r.expires OR m.never_with = 1)`, i.id)
	return err
}

// Rollback undoes the import; after Commit it does nothing. It works with an ended context too.
func (i *Importer) Rollback(ctx context.Context) error {
	if i.done {
		return nil
	}
	defer i.end()
	err := i.store.Update(context.WithoutCancel(ctx), func(tx *Tx) error { return tx.dropImport(i.id) })
	if err != nil {
		return fmt.Errorf("roll back import: %w", err)
	}
	return nil
}

func (i *Importer) end() {
	i.done = true
	clear(i.arena)
	i.buffer, i.arena, i.byKey = nil, nil, nil
	<-i.store.importing
}
