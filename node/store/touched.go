package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"entente/protocol/indicator"
)

// Lookup is the keyed pseudonym under which this store keeps a value: equal for equal
// values of one kind on all lists, and nothing without the store key. It prints nothing
// of itself.
type Lookup [lookupSize]byte

// Format prints a placeholder, whatever the verb.
func (Lookup) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[lookup]") }

// LogValue logs a placeholder.
func (Lookup) LogValue() slog.Value { return slog.StringValue("[lookup]") }

// MarshalText writes a placeholder.
func (Lookup) MarshalText() ([]byte, error) { return []byte("[lookup]"), nil }

// Lookup returns the lookup of a value, whether or not a list holds it.
func (s *Store) Lookup(v indicator.Value) Lookup {
	return s.keys.lookupOf(string(v.Kind()), v.Element())
}

// Touch is one entry of the log of changes.
type Touch struct {
	Sequence int64 // ascending from 1; no number comes twice
	Lookup   Lookup
}

// passSetting holds the time of the last expiry pass, in Unix milliseconds.
const passSetting = "store expiry pass"

// expiredBetween finds what expires after a time, up to another. That it is above 0 is said
// again for SQLite, which may use the index of what expires at all only then.
const expiredBetween = `SELECT lookup FROM records WHERE expires > 0 AND expires > ? AND expires <= ?
	AND import NOT IN ` + openImports

// Touched returns at most limit entries of the log of changes with numbers above after,
// in order. Each names a value of which it may have changed whether it takes part with
// some partner, by an import, a deleted list or expiry; the change is visible when the
// entry is. A value comes at least once for each change, and may come more often. Changes
// are logged only while there is a subscription that is not Over.
//
// To miss nothing: put the subscription, note LastTouch, then read AllEligible, and from
// then on Touched and Eligible, with the time read after the log.
// errors.Is ErrNotFound if entries above after are forgotten: whoever asks must then begin
// anew with AllEligible.
func (t *Tx) Touched(after int64, limit int) ([]Touch, error) {
	var out []Touch
	err := t.rows("SELECT sequence, lookup FROM touched WHERE sequence > ? ORDER BY sequence LIMIT ?", []any{after, limit},
		func(scan func(...any) error) error {
			var e Touch
			var lookup rawBytes
			if err := scan(&e.Sequence, &lookup); err != nil {
				return err
			}
			if len(lookup) != lookupSize {
				return fmt.Errorf("%w: a lookup has %d bytes", ErrDamaged, len(lookup))
			}
			e.Lookup = Lookup(lookup)
			out = append(out, e)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read the log of changes: %w", err)
	}
	if len(out) > 0 && out[0].Sequence == after+1 || limit <= 0 {
		return out, nil
	}
	last, err := t.LastTouch()
	if err != nil {
		return nil, err
	}
	if last > after { // numbers have no gaps, so what is not there was forgotten
		return nil, fmt.Errorf("read the log of changes: its entries from number %d on: %w", after+1, ErrNotFound)
	}
	return nil, nil
}

// LastTouch returns the number of the newest entry that the log of changes ever had; 0
// before the first.
func (t *Tx) LastTouch() (int64, error) {
	var last int64
	err := t.row("SELECT seq FROM sqlite_sequence WHERE name = 'touched'", nil, &last)
	if err != nil && !isNotFound(err) {
		return 0, fmt.Errorf("read the end of the log of changes: %w", err)
	}
	return last, nil
}

// ForgetTouched erases the entries of the log of changes up to a number, which everybody
// who follows the log has seen.
func (t *Tx) ForgetTouched(upTo int64) error {
	n, err := t.exec("DELETE FROM touched WHERE sequence <= ?", upTo)
	if err != nil {
		return fmt.Errorf("forget changes: %w", err)
	}
	t.erased = t.erased || n > 0
	return nil
}

// TouchExpired logs the values of records whose state of being expired differs between
// the last pass and now: usually those that expired since. If the clock was put back, it
// logs those that take part again. The same time twice logs nothing twice. It returns how
// many entries it logged.
func (t *Tx) TouchExpired(now time.Time) (int64, error) {
	last, err := t.expiryPass()
	if err != nil {
		return 0, fmt.Errorf("log expired records: %w", err)
	}
	at := max(now.UnixMilli(), 0)
	if at == last {
		return 0, nil
	}
	n, err := t.touch(expiredBetween, min(last, at), max(last, at))
	if err != nil {
		return 0, fmt.Errorf("log expired records: %w", err)
	}
	if err := t.Put(passSetting, binary.BigEndian.AppendUint64(nil, uint64(at))); err != nil {
		return 0, fmt.Errorf("log expired records: %w", err)
	}
	return n, nil
}

// expiryPass returns the time of the last expiry pass, 0 without one.
func (t *Tx) expiryPass() (int64, error) {
	b, err := t.Get(passSetting)
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: the time of the expiry pass has %d bytes", ErrDamaged, len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// touch logs the lookups that a query gives, if anybody follows the log, and returns how
// many there were.
func (t *Tx) touch(query string, args ...any) (int64, error) {
	var followed bool
	if err := t.row("SELECT EXISTS (SELECT 1 FROM subscriptions WHERE over = 0)", nil, &followed); err != nil || !followed {
		return 0, err
	}
	return t.exec("INSERT INTO touched (lookup) "+query, args...)
}

// touchList logs all that a list holds and holds back.
func (t *Tx) touchList(id int64) error {
	_, records := t.touch("SELECT lookup FROM records WHERE list = ?", id)
	_, held := t.touch("SELECT lookup FROM held WHERE list = ?", id)
	return errors.Join(records, held)
}

// expiryMillis is how the column expires holds a time: 0 for never, and what lies before
// 1970 as its beginning.
func expiryMillis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return max(at.UnixMilli(), 1)
}
