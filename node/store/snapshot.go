package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/protocol/indicator"
)

// segmentItems is how many items one sealed segment of a snapshot holds: opening one
// takes about 100 KiB.
const segmentItems = 4096

// Reasons for which records of the chosen lists take no part in a snapshot.
const (
	ExcludedExpired   = "expired"    // past its expiry
	ExcludedShielded  = "shielded"   // minor, protected, victim or witness, on any list
	ExcludedNeverWith = "never_with" // never with this partner, on any list
	ExcludedHeld      = "held"       // waits for the protection desk, on any list
	ExcludedOther     = "other"      // not what this snapshot is for, such as a face of another model
)

// SnapshotSpec says what a snapshot is to hold.
type SnapshotSpec struct {
	Lists   []int64 // all of Kind
	Kind    indicator.Kind
	Partner string // whose never-with records stay out
	Now     time.Time
	// Keep, if set, reports whether an element that may take part does. It must not keep the slice.
	Keep func(element []byte) bool
}

// Snapshot describes an immutable, ordered set of elements. It stays as it is
// whatever happens to the lists.
type Snapshot struct {
	ID       int64 // 0 if it was only planned
	Kind     indicator.Kind
	Items    int64
	Excluded map[string]int // records by reason; each counts under its first reason
}

// SnapshotItem is one element and the record it comes from. It prints nothing of itself.
type SnapshotItem struct {
	Indicator int64 // the oldest record with this element
	Element   []byte
}

// Format prints a placeholder, whatever the verb.
func (i SnapshotItem) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[item]")) }

// PlanSnapshot tells what TakeSnapshot would hold and leave out, and stores nothing.
func (s *Store) PlanSnapshot(ctx context.Context, spec SnapshotSpec) (Snapshot, error) {
	c, err := s.collect(ctx, spec)
	if err != nil {
		return Snapshot{}, fmt.Errorf("plan snapshot: %w", err)
	}
	return Snapshot{Kind: spec.Kind, Items: int64(len(c.items)), Excluded: c.excluded}, nil
}

// TakeSnapshot joins lists into one ordered set without duplicates, and stores it
// in sealed segments. What is in no condition to be matched in bulk stays out and
// is counted by reason.
func (s *Store) TakeSnapshot(ctx context.Context, spec SnapshotSpec) (Snapshot, error) {
	c, err := s.collect(ctx, spec)
	if err != nil {
		return Snapshot{}, fmt.Errorf("take snapshot: %w", err)
	}
	out := Snapshot{Kind: spec.Kind, Items: int64(len(c.items)), Excluded: c.excluded}
	err = s.Update(ctx, func(tx *Tx) error {
		if out.ID, err = tx.putSnapshot(spec, out.Items); err != nil {
			return err
		}
		key, err := tx.snapshotKey(out.ID)
		if err != nil {
			return err
		}
		number := int64(0)
		for part := range slices.Chunk(c.items, segmentItems) {
			sealed := key.Seal(c.encode(part), place("segments", "sealed", segmentRow(out.ID, number)))
			_, err := tx.exec("INSERT INTO segments (snapshot, number, sealed) VALUES (?, ?, ?)", out.ID, number, sealed)
			if err != nil {
				return err
			}
			number++
		}
		return nil
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("take snapshot: %w", err)
	}
	return out, nil
}

// collection is a snapshot in the making. Elements lie in one piece of memory, since
// a slice for each would take twice the space.
type collection struct {
	bytes    []byte
	items    []place32
	excluded map[string]int
}

// place32 is where one element lies, and the record it comes from.
type place32 struct {
	at        uint64
	length    uint16
	indicator int64
}

func (c *collection) element(p place32) []byte { return c.bytes[p.at : p.at+uint64(p.length)] }

// collect reads the eligible records of one committed state.
func (s *Store) collect(ctx context.Context, spec SnapshotSpec) (*collection, error) {
	c := &collection{excluded: make(map[string]int)}
	lists := slices.Compact(slices.Sorted(slices.Values(spec.Lists)))
	err := s.View(ctx, func(tx *Tx) error {
		never, err := tx.neverWith(ofKind(spec.Kind), spec.Partner)
		if err != nil {
			return err
		}
		for _, id := range lists {
			l, err := tx.List(id)
			if err != nil {
				return err
			}
			if l.Kind != spec.Kind {
				return errors.New("the lists are not all of one kind")
			}
			if err := c.addList(tx, l, spec, never); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.order()
	return c, nil
}

// addList adds one list's eligible records.
func (c *collection) addList(tx *Tx, l List, spec SnapshotSpec, never map[Lookup]bool) error {
	return tx.candidates(inList(l.ID), never, spec.Now, func(r candidate) error {
		if r.excluded == "" && spec.Keep != nil && !spec.Keep(r.element) {
			r.excluded = ExcludedOther
		}
		if r.excluded != "" {
			c.excluded[r.excluded]++
			return nil
		}
		c.items = append(c.items, place32{at: uint64(len(c.bytes)), length: uint16(len(r.element)), indicator: r.id})
		c.bytes = append(c.bytes, r.element...)
		return nil
	})
}

// order sorts by element and keeps the oldest record of each.
func (c *collection) order() {
	slices.SortFunc(c.items, func(a, b place32) int {
		return cmp.Or(bytes.Compare(c.element(a), c.element(b)), cmp.Compare(a.indicator, b.indicator))
	})
	c.items = slices.CompactFunc(c.items, func(a, b place32) bool { return bytes.Equal(c.element(a), c.element(b)) })
}

// encode writes a segment: for each item its record and its length-prefixed element.
func (c *collection) encode(part []place32) []byte {
	var b []byte
	for _, p := range part {
		b = binary.AppendUvarint(b, uint64(p.indicator))
		b = appendText(b, c.element(p))
	}
	return b
}
