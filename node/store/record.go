package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"entente/protocol/indicator"
)

// Record is one row of a list as its owner may see it. It prints nothing of itself.
type Record struct {
	ID       int64
	List     int64
	Value    indicator.Value
	Original string // as it stood in the file; own eyes only
	Handling indicator.Handling
}

// Format prints a placeholder, whatever the verb.
func (r Record) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[record]") }

// LogValue logs a placeholder.
func (r Record) LogValue() slog.Value { return slog.StringValue("[record]") }

// MarshalJSON writes a placeholder.
func (r Record) MarshalJSON() ([]byte, error) { return []byte(`"[record]"`), nil }

// Indicator returns one record of a list. errors.Is ErrNotFound, also when its list was deleted.
func (t *Tx) Indicator(id int64) (Record, error) {
	var list int64
	var kind string
	var sealed []byte
	err := t.row(`SELECT r.list, l.kind, r.sealed FROM records r JOIN lists l ON l.id = r.list
		WHERE r.id = ? AND r.import NOT IN (SELECT id FROM imports WHERE open = 1)`, []any{id}, &list, &kind, &sealed)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	key, err := t.listKey(list)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	b, err := unseal(key, sealed, "records", "sealed", number(id))
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	return revealed(id, list, kind, b)
}

// HeldRecords returns what is held back from a list for the protection desk, oldest first.
func (t *Tx) HeldRecords(list int64) ([]Record, error) {
	l, err := t.List(list)
	if err != nil {
		return nil, fmt.Errorf("read held records: %w", err)
	}
	key, err := t.listKey(list)
	if err != nil {
		return nil, fmt.Errorf("read held records: %w", err)
	}
	var out []Record
	err = t.rows(`SELECT id, sealed FROM held WHERE list = ?
		AND import NOT IN (SELECT id FROM imports WHERE open = 1) ORDER BY id`, []any{list},
		func(scan func(...any) error) error {
			var id int64
			var sealed []byte
			if err := scan(&id, &sealed); err != nil {
				return err
			}
			b, err := unseal(key, sealed, "held", "sealed", number(id))
			if err != nil {
				return err
			}
			r, err := revealed(id, list, string(l.Kind), b)
			out = append(out, r)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read held records: %w", err)
	}
	return out, nil
}

// revealed turns an opened row into a Record.
func revealed(id, list int64, kind string, b []byte) (Record, error) {
	s, err := decodeStored(b)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	v, err := indicator.Restore(indicator.Kind(kind), s.element)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	return Record{ID: id, List: list, Value: v, Original: s.original, Handling: s.handling}, nil
}

// stored is what the sealed column of a record holds.
type stored struct {
	element  []byte
	original string
	handling indicator.Handling
}

// storedVersion is the first byte of an encoded record.
const storedVersion = 1

// maxTexts bounds the never-with members and the codes of one record; indicator.Handling
// admits no more.
const maxTexts = 64

// flags of an encoded record.
const (
	flagMinor = 1 << iota
	flagProtected
)

var errStored = errors.New("a stored record does not have the expected form")

// appendStored encodes a record: a version byte, then length-prefixed texts,
// counts and times in a fixed order. Element and expiry come first, since a
// snapshot needs no more of most rows.
func appendStored(b []byte, s stored) []byte {
	h := s.handling
	b = append(b, storedVersion)
	b = appendText(b, s.element)
	b = binary.AppendVarint(b, unixMillis(h.Expires))
	b = appendTexts(b, h.NeverWith)
	var flags byte
	if h.Minor {
		flags |= flagMinor
	}
	if h.Protected {
		flags |= flagProtected
	}
	b = append(b, flags)
	b = appendText(b, s.original)
	for _, text := range []string{
		string(h.Category), h.Offence, h.Purpose, h.Basis, h.SourceEvaluation, h.InformationEvaluation, h.CaseReference,
	} {
		b = appendText(b, text)
	}
	b = binary.AppendVarint(b, unixMillis(h.FirstObserved))
	b = binary.AppendVarint(b, unixMillis(h.LastObserved))
	return appendTexts(b, h.Codes)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendTexts(b []byte, texts []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(texts)))
	for _, t := range texts {
		b = appendText(b, t)
	}
	return b
}

// unixMillis keeps the zero time apart from 1970, as the smallest number.
func unixMillis(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 63
	}
	return t.UnixMilli()
}

// decodeStored decodes one record and requires that nothing is left over.
func decodeStored(b []byte) (stored, error) {
	d := decoder{rest: b}
	s := d.head()
	h := &s.handling
	flags := d.byte()
	h.Minor, h.Protected = flags&flagMinor != 0, flags&flagProtected != 0
	s.original = string(d.text())
	var category string
	for _, into := range []*string{
		&category, &h.Offence, &h.Purpose, &h.Basis, &h.SourceEvaluation, &h.InformationEvaluation, &h.CaseReference,
	} {
		*into = string(d.text())
	}
	h.Category = indicator.Category(category)
	h.FirstObserved, h.LastObserved = d.time(), d.time()
	h.Codes = d.texts()
	if d.failed || len(d.rest) != 0 || flags&^(flagMinor|flagProtected) != 0 {
		return stored{}, errStored
	}
	if !bytes.Equal(appendStored(make([]byte, 0, len(b)), s), b) {
		return stored{}, errStored // one record has one form
	}
	return s, nil
}

// decodeHead decodes only what a snapshot needs: element, expiry, never-with.
func decodeHead(b []byte) (stored, error) {
	d := decoder{rest: b}
	s := d.head()
	if d.failed {
		return stored{}, errStored
	}
	return s, nil
}

// decoder reads an encoded record; after a failure it returns zero values.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) head() stored {
	var s stored
	if d.byte() != storedVersion {
		d.failed = true
	}
	s.element = d.text()
	s.handling.Expires = d.time()
	s.handling.NeverWith = d.texts()
	return s
}

func (d *decoder) byte() byte {
	if d.failed || len(d.rest) == 0 {
		d.failed = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.failed || n <= 0 {
		d.failed = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) text() []byte {
	n := d.uvarint()
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	t := d.rest[:n]
	d.rest = d.rest[n:]
	return t
}

func (d *decoder) texts() []string {
	n := d.uvarint()
	if d.failed || n > maxTexts {
		d.failed = true
		return nil
	}
	var out []string
	for range n {
		out = append(out, string(d.text()))
	}
	return out
}

func (d *decoder) time() time.Time {
	v, n := binary.Varint(d.rest)
	if d.failed || n <= 0 {
		d.failed = true
		return time.Time{}
	}
	d.rest = d.rest[n:]
	if v == -1<<63 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

// merge joins a row with a later one of the same value. Protection only grows:
// flags and never-with add up. Observation times span both. Of the rest the later
// row's word counts where it says something. It reports whether old changes.
func merge(old, later stored) (stored, bool) {
	o, n := old.handling, later.handling
	m := o
	m.Minor, m.Protected = o.Minor || n.Minor, o.Protected || n.Protected
	m.NeverWith = union(o.NeverWith, n.NeverWith)
	if !n.FirstObserved.IsZero() && (o.FirstObserved.IsZero() || n.FirstObserved.Before(o.FirstObserved)) {
		m.FirstObserved = n.FirstObserved
	}
	if n.LastObserved.After(o.LastObserved) {
		m.LastObserved = n.LastObserved
	}
	if !o.Shielded() || n.Shielded() { // a later plain row does not lift a victim's or witness's category
		m.Category = indicator.Category(said(string(o.Category), string(n.Category)))
	}
	m.Offence, m.Purpose, m.Basis = said(o.Offence, n.Offence), said(o.Purpose, n.Purpose), said(o.Basis, n.Basis)
	m.SourceEvaluation = said(o.SourceEvaluation, n.SourceEvaluation)
	m.InformationEvaluation = said(o.InformationEvaluation, n.InformationEvaluation)
	m.CaseReference = said(o.CaseReference, n.CaseReference)
	if len(n.Codes) > 0 {
		m.Codes = n.Codes
	}
	if !n.Expires.IsZero() {
		m.Expires = n.Expires
	}
	merged := stored{element: old.element, original: old.original, handling: m}
	changed := !bytes.Equal(appendStored(nil, merged), appendStored(nil, old))
	return merged, changed
}

// said is the later text where it says something.
func said(old, later string) string {
	if later != "" {
		return later
	}
	return old
}

// union adds to a the members of b that it lacks, in order.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, m := range b {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}
