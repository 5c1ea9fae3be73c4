package ledgerfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"entente/protocol/checkpoint"
)

const manifestHeader = "entente ledger export 1"

// MaxManifest is the longest manifest in bytes.
const MaxManifest = 256

const (
	dayForm           = "2006-01-02"
	millisecondsOfDay = 24 * 60 * 60 * 1000
)

// Day is a day in UTC, counted from 1 January 1970.
type Day int64

// DayOf is the day of a time in Unix milliseconds, which is not before 1970.
func DayOf(milliseconds int64) Day { return Day(milliseconds / millisecondsOfDay) }

// ParseDay reads a day as String writes it, from the year 1970 on.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(dayForm, s)
	if err != nil || t.Unix() < 0 {
		return 0, fmt.Errorf("%q is no day, such as 2026-01-31", s)
	}
	return DayOf(t.UnixMilli()), nil
}

// String is year, month and day.
func (d Day) String() string {
	return time.UnixMilli(int64(d) * millisecondsOfDay).UTC().Format(dayForm)
}

// Period is the days about which somebody asks.
type Period struct{ First, Last Day }

// Holds reports whether a time in Unix milliseconds is of one of the days.
func (p Period) Holds(milliseconds int64) bool {
	d := DayOf(milliseconds)
	return p.First <= d && d <= p.Last
}

// Validate checks that there is a day in the period.
func (p Period) Validate() error {
	if p.First < 0 || p.Last < p.First {
		return errors.New("the last day is before the first")
	}
	return nil
}

// Manifest says what the folder holds.
type Manifest struct {
	Origin  checkpoint.Origin
	Entries uint64 // up to the newest final checkpoint
	Period         // for which it was asked
}

// Text is the manifest as its file has it.
func (m Manifest) Text() []byte {
	return fmt.Appendf(nil, "%s\norigin %s\nentries %d\nfirst %s\nlast %s\n", manifestHeader, m.Origin, m.Entries, m.First, m.Last)
}

// ParseManifest reads exactly what Text writes.
func ParseManifest(b []byte) (m Manifest, err error) {
	lines := strings.Split(string(b), "\n")
	if len(b) > MaxManifest || len(lines) != 6 || lines[0] != manifestHeader {
		return Manifest{}, fmt.Errorf("read manifest: does not have five lines, the first of them %q", manifestHeader)
	}
	value := func(i int, key string) string { return strings.TrimPrefix(lines[i], key+" ") }
	if m.Origin, err = checkpoint.ParseOrigin(value(1, "origin")); err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	if m.Entries, err = strconv.ParseUint(value(2, "entries"), 10, 64); err != nil || m.Entries == 0 || m.Entries > checkpoint.MaxSize {
		return Manifest{}, errors.New("read manifest: the number of entries is none, or out of range")
	}
	if m.First, err = ParseDay(value(3, "first")); err != nil {
		return Manifest{}, fmt.Errorf("read manifest: first day: %w", err)
	}
	if m.Last, err = ParseDay(value(4, "last")); err != nil {
		return Manifest{}, fmt.Errorf("read manifest: last day: %w", err)
	}
	if err := m.Validate(); err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	if string(m.Text()) != string(b) {
		return Manifest{}, errors.New("read manifest: oddly spelt")
	}
	return m, nil
}
