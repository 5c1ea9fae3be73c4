package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// isNotFound spares the callers of this package's own reads an import of errors.
func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// Quota returns how many items a partner's rounds have used on a day (in any form
// that the caller keeps to, such as 2026-01-31).
func (t *Tx) Quota(partner, day string) (int64, error) {
	var n int64
	err := t.row("SELECT items FROM quotas WHERE partner = ? AND day = ?", []any{partner, day}, &n)
	if err != nil && !isNotFound(err) {
		return 0, fmt.Errorf("read quota: %w", err)
	}
	return n, nil
}

// AddQuota adds n items to what a partner's rounds have used on a day.
func (t *Tx) AddQuota(partner, day string, n int64) error {
	if n < 0 {
		return errors.New("use quota: a use cannot be taken back")
	}
	_, err := t.exec(`INSERT INTO quotas (partner, day, items) VALUES (?, ?, ?)
		ON CONFLICT (partner, day) DO UPDATE SET items = items + excluded.items`, partner, day, n)
	if err != nil {
		return fmt.Errorf("use quota: %w", err)
	}
	return nil
}

// SetStopped stops a partner or lets it in again.
func (t *Tx) SetStopped(member string, stopped bool) error {
	query := "DELETE FROM stopped WHERE member = ?"
	if stopped {
		query = "INSERT OR IGNORE INTO stopped (member) VALUES (?)"
	}
	if _, err := t.exec(query, member); err != nil {
		return fmt.Errorf("stop or allow a partner: %w", err)
	}
	return nil
}

// Stopped returns the partners that are stopped.
func (t *Tx) Stopped() (map[string]bool, error) {
	out := make(map[string]bool)
	err := t.rows("SELECT member FROM stopped", nil, func(scan func(...any) error) error {
		var m string
		err := scan(&m)
		out[m] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read stopped partners: %w", err)
	}
	return out, nil
}

// Put stores a setting, sealed, in place of the old one.
func (t *Tx) Put(name string, value []byte) error {
	sealed := t.store.keys.column.Seal(value, place("settings", "sealed", []byte(name)))
	if _, err := t.exec("INSERT OR REPLACE INTO settings (name, sealed) VALUES (?, ?)", name, sealed); err != nil {
		return fmt.Errorf("put setting: %w", err)
	}
	return nil
}

// Get returns a setting. errors.Is ErrNotFound.
func (t *Tx) Get(name string) ([]byte, error) {
	var sealed []byte
	if err := t.row("SELECT sealed FROM settings WHERE name = ?", []any{name}, &sealed); err != nil {
		return nil, fmt.Errorf("read setting: %w", err)
	}
	b, err := unseal(t.store.keys.column, sealed, "settings", "sealed", []byte(name))
	if err != nil {
		return nil, fmt.Errorf("read setting: %w", err)
	}
	return b, nil
}

// Bundle is a set of rules that was active once or is now: kept so that an auditor
// can see by which rules an old round was decided.
type Bundle struct {
	Version uint64
	Digest  [32]byte
	Files   map[string][]byte // by path
}

// maxFiles bounds the files of one bundle.
const maxFiles = 512

// PutBundle keeps a bundle. The same one may be put again; errors.Is ErrExists if the
// version is taken by another, or its digest by another version.
func (t *Tx) PutBundle(version uint64, digest [32]byte, files map[string][]byte) error {
	if len(files) > maxFiles {
		return fmt.Errorf("put bundle: it has more than %d files", maxFiles)
	}
	row := bundleRow(version)
	sealed := t.store.keys.column.Seal(encodeFiles(files), place("bundles", "sealed", row))
	n, err := t.exec("INSERT OR IGNORE INTO bundles (version, digest, sealed) VALUES (?, ?, ?)", int64(version), digest[:], sealed)
	if err != nil {
		return fmt.Errorf("put bundle: %w", err)
	}
	if n == 1 {
		return nil
	}
	var have []byte
	err = t.row("SELECT digest FROM bundles WHERE version = ?", []any{int64(version)}, &have)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("put bundle: %w", err)
	}
	if string(have) != string(digest[:]) {
		return fmt.Errorf("put bundle of version %d: %w", version, ErrExists)
	}
	return nil
}

// Bundles returns all kept bundles by version.
func (t *Tx) Bundles() ([]Bundle, error) {
	var out []Bundle
	err := t.rows("SELECT version, digest, sealed FROM bundles ORDER BY version", nil, func(scan func(...any) error) error {
		var version int64
		var digest, sealed []byte
		if err := scan(&version, &digest, &sealed); err != nil {
			return err
		}
		b := Bundle{Version: uint64(version)}
		plain, err := unseal(t.store.keys.column, sealed, "bundles", "sealed", bundleRow(b.Version))
		if err != nil {
			return err
		}
		if b.Files, err = decodeFiles(plain); err != nil {
			return err
		}
		if len(digest) != len(b.Digest) {
			return fmt.Errorf("%w: a bundle's digest has %d bytes", ErrDamaged, len(digest))
		}
		copy(b.Digest[:], digest)
		out = append(out, b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read bundles: %w", err)
	}
	return out, nil
}

func bundleRow(version uint64) []byte { return binary.BigEndian.AppendUint64(nil, version) }

// encodeFiles writes paths and contents in the order of the paths.
func encodeFiles(files map[string][]byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(files)))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b = appendText(b, name)
		b = appendText(b, files[name])
	}
	return b
}

func decodeFiles(b []byte) (map[string][]byte, error) {
	d := decoder{rest: b}
	out := make(map[string][]byte)
	last := ""
	n := d.uvarint()
	if n > maxFiles {
		d.failed = true
	}
	for ; n > 0 && !d.failed; n-- {
		name, content := string(d.text()), slices.Clone(d.text())
		if len(out) > 0 && name <= last {
			d.failed = true
		}
		out[name], last = content, name
	}
	if d.failed || len(d.rest) != 0 {
		return nil, fmt.Errorf("%w: a bundle does not have the expected form", ErrDamaged)
	}
	return out, nil
}
