package store

import (
	"context"
	"errors"
	"fmt"
)

// backfillRows is how many records one transaction of fillExpiry looks at.
const backfillRows = 4096

// fillExpiry brings the column expires up to what records of older versions say inside
// their seal, in bounded transactions. A kill loses at most the last one: the next Open
// goes on where it was. Records that are written meanwhile have the column already.
func (s *Store) fillExpiry(ctx context.Context) error {
	for done := false; !done; {
		err := s.Update(ctx, func(tx *Tx) error {
			var next int64
			err := tx.row("SELECT next FROM counters WHERE name = 'expiry'", nil, &next)
			if isNotFound(err) {
				done = true
				return nil
			}
			if err != nil {
				return err
			}
			done, err = tx.fillExpiryFrom(next)
			return err
		})
		if err != nil {
			return fmt.Errorf("fill in when records expire: %w", err)
		}
	}
	return nil
}

// fillExpiryFrom does one batch, and reports whether it was the last.
func (t *Tx) fillExpiryFrom(next int64) (bool, error) {
	keys := t.listKeys()
	expires := make(map[int64]int64)
	rows := 0
	err := t.rows("SELECT id, list, sealed FROM records WHERE id >= ? ORDER BY id LIMIT ?", []any{next, backfillRows},
		func(scan func(...any) error) error {
			var id, list int64
			var sealed rawBytes
			if err := scan(&id, &list, &sealed); err != nil {
				return err
			}
			rows, next = rows+1, id+1
			rec, err := openHead(keys, list, id, sealed)
			if errors.Is(err, ErrAltered) || errors.Is(err, errStored) {
				return nil // it takes part in nothing: whatever needs it will say so
			}
			if at := expiryMillis(rec.handling.Expires); err == nil && at != 0 {
				expires[id] = at
			}
			return err
		})
	if err != nil {
		return false, err
	}
	for id, at := range expires {
		if _, err := t.exec("UPDATE records SET expires = ? WHERE id = ?", at, id); err != nil {
			return false, err
		}
	}
	if rows < backfillRows {
		_, err := t.exec("DELETE FROM counters WHERE name = 'expiry'")
		return true, err
	}
	_, err = t.exec("UPDATE counters SET next = ? WHERE name = 'expiry'", next)
	return false, err
}
