package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// flush writes the buffer in one transaction. Rows go in sorted by lookup, which is
// the order of the index that costs most.
func (i *Importer) flush(ctx context.Context) error {
	if len(i.buffer) == 0 {
		return nil
	}
	slices.SortStableFunc(i.buffer, func(a, b pending) int {
		return cmp.Or(cmp.Compare(a.fate, b.fate), bytes.Compare(a.lookup[:], b.lookup[:]))
	})
	inserts := i.part(fateInsert)
	holds := i.part(fateHold)
	var first, held int64
	taken := int64(len(inserts) + len(holds))
	err := i.store.Update(ctx, func(tx *Tx) error {
		var err error
		if first, err = tx.reserve("record", taken); err != nil {
			return err
		}
		if err := i.insert(tx, inserts, first); err != nil {
			return err
		}
		if held, err = i.hold(tx, holds, first+int64(len(inserts))); err != nil {
			return err
		}
		if err := i.change(tx, i.part(fateRewrite)); err != nil {
			return err
		}
		return i.change(tx, i.part(fateMerge))
	})
	if err != nil {
		i.failed = err
		return fmt.Errorf("write rows: %w", err)
	}
	if i.to == 0 {
		i.from = first
	}
	i.to = first + taken
	i.items += int64(len(inserts))
	i.held += held
	clear(i.arena) // the rows are people's: do not keep them longer than needed
	i.buffer, i.arena = i.buffer[:0], i.arena[:0]
	clear(i.byKey)
	return nil
}

// part is the rows of one fate in the sorted buffer.
func (i *Importer) part(f fate) []pending {
	from, _ := slices.BinarySearchFunc(i.buffer, f, func(p pending, f fate) int { return cmp.Compare(p.fate, f) })
	to, _ := slices.BinarySearchFunc(i.buffer, f+1, func(p pending, f fate) int { return cmp.Compare(p.fate, f) })
	return i.buffer[from:to]
}

// sealed seals a row for the place where it will stand.
func (i *Importer) sealed(p pending, table string, id int64) []byte {
	return i.key.Seal(i.arena[p.from:p.to], place(table, "sealed", number(id)))
}

// insert writes new records.
func (i *Importer) insert(tx *Tx, rows []pending, first int64) error {
	const columns = 8
	args := make([]any, 0, insertRows*columns)
	prefix := "INSERT INTO records (id, list, import, shielded, never_with, expires, lookup, sealed) VALUES "
	full, err := tx.tx.PrepareContext(tx.ctx, prefix+groups(columns, insertRows))
	if err != nil {
		return named(err)
	}
	defer func() { _ = full.Close() }() // the transaction closes it at the latest
	for part := range slices.Chunk(rows, insertRows) {
		args = args[:0]
		for n := range part {
			p := &part[n]
			args = append(args, first, i.list.ID, i.id, flag(p.shielded), flag(p.never), p.expires, p.lookup[:],
				i.sealed(*p, "records", first))
			first++
		}
		if len(part) == insertRows {
			_, err = full.ExecContext(tx.ctx, args...)
			err = named(err)
		} else {
			_, err = tx.exec(prefix+groups(columns, len(part)), args...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hold writes rows for the protection desk and returns how many were not there before.
func (i *Importer) hold(tx *Tx, rows []pending, first int64) (int64, error) {
	var held int64
	for _, p := range rows {
		n, err := tx.exec("INSERT OR IGNORE INTO held (id, list, import, lookup, sealed) VALUES (?, ?, ?, ?, ?)",
			first, i.list.ID, i.id, p.lookup[:], i.sealed(p, "held", first))
		if err != nil {
			return 0, err
		}
		held += n
		first++
	}
	return held, nil
}

// change writes what merging made of rows that the database had. Rows of other
// imports are visible, so their new form waits in merges for the commit; it is
// sealed for the place where it will stand then.
func (i *Importer) change(tx *Tx, rows []pending) error {
	for _, p := range rows {
		query := `INSERT INTO merges (shielded, never_with, expires, sealed, record, import) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (record) DO UPDATE SET shielded = excluded.shielded,
			never_with = excluded.never_with, expires = excluded.expires, sealed = excluded.sealed`
		if p.fate == fateRewrite {
			query = "UPDATE records SET shielded = ?, never_with = ?, expires = ?, sealed = ? WHERE id = ? AND import = ?"
		}
		_, err := tx.exec(query, flag(p.shielded), flag(p.never), p.expires, i.sealed(p, "records", p.id), p.id, i.id)
		if err != nil {
			return err
		}
	}
	return nil
}

// reserve takes n numbers that were never given out and returns the first.
func (t *Tx) reserve(name string, n int64) (int64, error) {
	var next int64
	err := t.row("UPDATE counters SET next = next + ? WHERE name = ? RETURNING next", []any{n, name}, &next)
	if err != nil {
		return 0, fmt.Errorf("reserve numbers: %w", err)
	}
	return next - n, nil
}

// dropImport erases what an import wrote that was never committed.
func (t *Tx) dropImport(id int64) error {
	t.erased = true
	for _, table := range []string{"records", "held", "merges"} {
		if _, err := t.exec("DELETE FROM "+table+" WHERE import = ?", id); err != nil {
			return err
		}
	}
	_, err := t.exec("DELETE FROM imports WHERE id = ?", id)
	return err
}

// abandonImports drops the imports that a killed process left open.
func (s *Store) abandonImports(ctx context.Context) error {
	var open []int64
	err := s.View(ctx, func(tx *Tx) error {
		return tx.rows("SELECT id FROM imports WHERE open = 1", nil, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			open = append(open, id)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("look for unfinished imports: %w", err)
	}
	for _, id := range open {
		if err := s.Update(ctx, func(tx *Tx) error { return tx.dropImport(id) }); err != nil {
			return fmt.Errorf("drop an unfinished import: %w", err)
		}
	}
	return nil
}

// groups is "(?,…),(?,…)" with the given columns and rows.
func groups(columns, rows int) string {
	group := "(?" + strings.Repeat(",?", columns-1) + ")"
	return group + strings.Repeat(","+group, rows-1)
}

// flag is a truth value as SQLite keeps it.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
