package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"entente/crypto/seal"
)

// rawBytes is valid until the next row is read: it spares a copy of each.
type rawBytes = sql.RawBytes

var errSegment = errors.New("a segment of a snapshot does not have the expected form")

// SnapshotItems gives all items in order: their positions are 0, 1, …. It may be
// ranged over again and always gives the same; it stops after an error.
func (s *Store) SnapshotItems(ctx context.Context, id int64) iter.Seq2[SnapshotItem, error] {
	return func(yield func(SnapshotItem, error) bool) {
		var key seal.Key
		var items int64
		err := s.View(ctx, func(tx *Tx) error {
			var err error
			if items, err = tx.snapshotSize(id); err != nil {
				return err
			}
			key, err = tx.snapshotKey(id)
			return err
		})
		if err != nil {
			yield(SnapshotItem{}, fmt.Errorf("read snapshot: %w", err))
			return
		}
		// Each segment is a read of its own: the snapshot cannot change, and a
		// consumer on a slow link must not hold the log file back for hours.
		for first := int64(0); first < items; first += segmentItems {
			part, err := s.segment(ctx, key, id, first/segmentItems, items-first)
			if err != nil {
				yield(SnapshotItem{}, fmt.Errorf("read snapshot: %w", err))
				return
			}
			for _, item := range part {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// SnapshotItem returns the item at a position. errors.Is ErrNotFound outside the snapshot.
func (s *Store) SnapshotItem(ctx context.Context, id, position int64) (SnapshotItem, error) {
	items, err := s.SnapshotAt(ctx, id, []int64{position})
	if err != nil {
		return SnapshotItem{}, err
	}
	return items[0], nil
}

// SnapshotAt returns the items at some positions, in that order; each segment of 4,096 items
// is opened once. errors.Is ErrNotFound outside the snapshot.
func (s *Store) SnapshotAt(ctx context.Context, id int64, positions []int64) ([]SnapshotItem, error) {
	var key seal.Key
	var items int64
	err := s.View(ctx, func(tx *Tx) error {
		var err error
		if items, err = tx.snapshotSize(id); err != nil {
			return err
		}
		for _, position := range positions {
			if position < 0 || position >= items {
				return ErrNotFound
			}
		}
		key, err = tx.snapshotKey(id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read snapshot items: %w", err)
	}
	wanted := map[int64][]int{} // indices of positions, by segment
	for i, position := range positions {
		wanted[position/segmentItems] = append(wanted[position/segmentItems], i)
	}
	out := make([]SnapshotItem, len(positions))
	for n, indices := range wanted {
		part, err := s.segment(ctx, key, id, n, items-n*segmentItems)
		if err != nil {
			return nil, fmt.Errorf("read snapshot items: %w", err)
		}
		for _, i := range indices {
			out[i] = part[positions[i]%segmentItems]
		}
	}
	return out, nil
}

// DropSnapshot erases a snapshot and its key. One that is not there is no error.
func (s *Store) DropSnapshot(ctx context.Context, id int64) error {
	err := s.Update(ctx, func(tx *Tx) error { return tx.DropSnapshot(id) })
	if err != nil {
		return fmt.Errorf("drop snapshot: %w", err)
	}
	return nil
}

// DropSnapshot erases a snapshot and its key as part of a transaction.
func (t *Tx) DropSnapshot(id int64) error {
	for _, q := range []string{
		"DELETE FROM segments WHERE snapshot = ?", "DELETE FROM snapshot_lists WHERE snapshot = ?",
		"DELETE FROM snapshots WHERE id = ?",
	} {
		n, err := t.exec(q, id)
		if err != nil {
			return fmt.Errorf("drop snapshot: %w", err)
		}
		t.erased = t.erased || n > 0
	}
	return nil
}

// DropStraySnapshots erases the snapshots that no round uses and returns how many there
// were: a process that died between taking one and storing its round left it. No round
// may be under way between the two.
func (s *Store) DropStraySnapshots(ctx context.Context) (int, error) {
	var stray []int64
	err := s.Update(ctx, func(tx *Tx) error {
		query := "SELECT id FROM snapshots WHERE id NOT IN (SELECT snapshot FROM rounds)"
		err := tx.rows(query, nil, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			stray = append(stray, id)
			return err
		})
		for _, id := range stray {
			err = errors.Join(err, tx.DropSnapshot(id))
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("drop stray snapshots: %w", err)
	}
	return len(stray), nil
}

// segment reads one segment; left is the number of items from its first to the end.
func (s *Store) segment(ctx context.Context, key seal.Key, id, number, left int64) ([]SnapshotItem, error) {
	var sealed []byte
	err := s.View(ctx, func(tx *Tx) error {
		return tx.row("SELECT sealed FROM segments WHERE snapshot = ? AND number = ?", []any{id, number}, &sealed)
	})
	if err != nil {
		return nil, err
	}
	b, err := unseal(key, sealed, "segments", "sealed", segmentRow(id, number))
	if err != nil {
		return nil, err
	}
	return decodeSegment(b, int(min(left, segmentItems)))
}

// decodeSegment decodes exactly n items.
func decodeSegment(b []byte, n int) ([]SnapshotItem, error) {
	d := decoder{rest: b}
	if 2*n > len(b) { // an item takes at least two bytes
		return nil, errSegment
	}
	out := make([]SnapshotItem, 0, n)
	for range n {
		out = append(out, SnapshotItem{Indicator: int64(d.uvarint()), Element: d.text()})
	}
	if d.failed || len(d.rest) != 0 {
		return nil, errSegment
	}
	return out, nil
}

func segmentRow(snapshot, segment int64) []byte {
	return binary.BigEndian.AppendUint64(number(snapshot), uint64(segment))
}

// putSnapshot adds the row of a snapshot with a key of its own.
func (t *Tx) putSnapshot(spec SnapshotSpec, items int64) (int64, error) {
	var id int64
	err := t.row(`INSERT INTO snapshots (kind, partner, created, items, wrapped) VALUES (?, ?, ?, ?, x'') RETURNING id`,
		[]any{string(spec.Kind), spec.Partner, millis(spec.Now), items}, &id)
	if err != nil {
		return 0, err
	}
	_, wrapped := t.store.keys.wrapped("snapshots", number(id))
	if _, err := t.exec("UPDATE snapshots SET wrapped = ? WHERE id = ?", wrapped, id); err != nil {
		return 0, err
	}
	for _, l := range spec.Lists {
		if _, err := t.exec("INSERT OR IGNORE INTO snapshot_lists (snapshot, list) VALUES (?, ?)", id, l); err != nil {
			return 0, err
		}
	}
	return id, nil
}

func (t *Tx) snapshotSize(id int64) (int64, error) {
	var items int64
	err := t.row("SELECT items FROM snapshots WHERE id = ?", []any{id}, &items)
	return items, err
}

func (t *Tx) snapshotKey(id int64) (seal.Key, error) {
	var sealed []byte
	if err := t.row("SELECT wrapped FROM snapshots WHERE id = ?", []any{id}, &sealed); err != nil {
		return seal.Key{}, err
	}
	return t.store.keys.unwrap(sealed, "snapshots", number(id))
}
