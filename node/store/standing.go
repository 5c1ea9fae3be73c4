package store

import (
	"encoding/binary"
	"fmt"
	"io"
	"iter"
)

// standingPage is how many standing records StandingRange reads at once.
const standingPage = 64

// StandingRecord is one small record of a subscription's feed. It prints nothing of itself.
type StandingRecord struct {
	Number int64
	Value  []byte
}

// Format prints a placeholder, whatever the verb.
func (StandingRecord) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[standing record]") }

// standingRow is the row part of a standing record's place.
func standingRow(id [16]byte, feed int, name string, number int64) []byte {
	b := binary.BigEndian.AppendUint64(id[:], uint64(feed))
	b = binary.BigEndian.AppendUint64(b, uint64(number))
	return append(b, name...)
}

// PutStanding stores a small record of a subscription, sealed, in place of the one of the
// same feed, name and number. Standing records are never in a backup.
func (t *Tx) PutStanding(id [16]byte, feed int, name string, number int64, value []byte) error {
	sealed := t.store.keys.column.Seal(value, place("standing", "sealed", standingRow(id, feed, name, number)))
	_, err := t.exec(`INSERT INTO standing (subscription, feed, name, number, sealed) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (subscription, feed, name, number) DO UPDATE SET sealed = excluded.sealed`,
		id[:], feed, name, number, sealed)
	if err != nil {
		return fmt.Errorf("put standing record: %w", err)
	}
	return nil
}

// Standing returns one standing record. errors.Is ErrNotFound.
func (t *Tx) Standing(id [16]byte, feed int, name string, number int64) ([]byte, error) {
	var sealed []byte
	err := t.row("SELECT sealed FROM standing WHERE subscription = ? AND feed = ? AND name = ? AND number = ?",
		[]any{id[:], feed, name, number}, &sealed)
	if err != nil {
		return nil, fmt.Errorf("read standing record: %w", err)
	}
	b, err := unseal(t.store.keys.column, sealed, "standing", "sealed", standingRow(id, feed, name, number))
	if err != nil {
		return nil, fmt.Errorf("read standing record: %w", err)
	}
	return b, nil
}

// StandingRange gives the standing records of a name with numbers from first on, in order
// of their numbers, gaps or not. It must be ranged over inside the transaction, and stops
// after an error. What is put or dropped meanwhile may or may not show.
func (t *Tx) StandingRange(id [16]byte, feed int, name string, first int64) iter.Seq2[StandingRecord, error] {
	return func(yield func(StandingRecord, error) bool) {
		for next := first; ; {
			page, err := t.standingPage(id, feed, name, next)
			if err != nil {
				yield(StandingRecord{}, fmt.Errorf("read standing records: %w", err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				next = r.Number + 1
			}
			if len(page) < standingPage || next == -1<<63 { // after the largest number
				return
			}
		}
	}
}

func (t *Tx) standingPage(id [16]byte, feed int, name string, first int64) ([]StandingRecord, error) {
	var page []StandingRecord
	err := t.rows(`SELECT number, sealed FROM standing WHERE subscription = ? AND feed = ? AND name = ? AND number >= ?
		ORDER BY number LIMIT ?`, []any{id[:], feed, name, first, standingPage}, func(scan func(...any) error) error {
		var r StandingRecord
		var sealed []byte
		if err := scan(&r.Number, &sealed); err != nil {
			return err
		}
		var err error
		r.Value, err = unseal(t.store.keys.column, sealed, "standing", "sealed", standingRow(id, feed, name, r.Number))
		page = append(page, r)
		return err
	})
	return page, err
}

// DropStanding destroys the standing records of a name with numbers below the given one.
func (t *Tx) DropStanding(id [16]byte, feed int, name string, below int64) error {
	n, err := t.exec("DELETE FROM standing WHERE subscription = ? AND feed = ? AND name = ? AND number < ?",
		id[:], feed, name, below)
	if err != nil {
		return fmt.Errorf("drop standing records: %w", err)
	}
	t.erased = t.erased || n > 0
	return nil
}

// DropAllStanding destroys all standing records of a subscription.
func (t *Tx) DropAllStanding(id [16]byte) error {
	n, err := t.exec("DELETE FROM standing WHERE subscription = ?", id[:])
	if err != nil {
		return fmt.Errorf("drop standing records: %w", err)
	}
	t.erased = t.erased || n > 0
	return nil
}
