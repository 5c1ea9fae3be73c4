package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"entente/protocol/indicator"
)

// eligiblePage is about how many records AllEligible opens at once.
const eligiblePage = 4096

// EligibleSpec says whose values are asked for. The rules are those of TakeSnapshot.
type EligibleSpec struct {
	Lists   []int64 // of any kinds; one that was deleted adds nothing
	Partner string  // whose never-with records stay out
	// Now decides what is expired. If the last expiry pass was later, that counts, so that
	// TouchExpired will name everything that was taken for not expired.
	Now time.Time
}

// Eligible is a value that may take part in matching with a partner. It prints nothing of
// itself.
type Eligible struct {
	Lookup    Lookup
	Indicator int64 // the oldest of its records that take part
	Kind      indicator.Kind
	Element   []byte
}

// Format prints a placeholder, whatever the verb.
func (Eligible) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[item]") }

// Eligible returns those of some values that may take part now, each once, by lookup. The
// others may not, or are not on the lists.
func (s *Store) Eligible(ctx context.Context, spec EligibleSpec, lookups []Lookup) ([]Eligible, error) {
	var out []Eligible
	err := s.View(ctx, func(tx *Tx) error {
		var err error
		out, err = tx.Eligible(spec, lookups)
		return err
	})
	return out, err
}

// Eligible is Store.Eligible as part of a transaction.
func (t *Tx) Eligible(spec EligibleSpec, lookups []Lookup) ([]Eligible, error) {
	sorted := slices.SortedFunc(slices.Values(lookups), func(a, b Lookup) int { return bytes.Compare(a[:], b[:]) })
	var out []Eligible
	for part := range slices.Chunk(slices.Compact(sorted), probeRows) {
		some, err := t.eligible(spec, ofLookups(part))
		if err != nil {
			return nil, fmt.Errorf("read eligible values: %w", err)
		}
		out = append(out, some...)
	}
	return out, nil
}

// AllEligible gives all values that may take part, each once, by lookup. It holds a few
// thousand at a time and reads in several transactions, so that a slow consumer holds
// nothing back: each value is as of some time after the call. What changed meanwhile is in
// the log of changes, above the LastTouch that was read before the call. It stops after an
// error.
func (s *Store) AllEligible(ctx context.Context, spec EligibleSpec) iter.Seq2[Eligible, error] {
	return func(yield func(Eligible, error) bool) {
		for above := []byte{0}; above != nil; { // below every lookup
			var page []Eligible
			err := s.View(ctx, func(tx *Tx) error {
				last, err := tx.pageEnd(spec.Lists, above)
				if err != nil {
					return err
				}
				page, err = tx.eligible(spec, between(above, last))
				above = last
				return err
			})
			if err != nil {
				yield(Eligible{}, fmt.Errorf("read eligible values: %w", err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// pageEnd returns the last lookup of a page that begins above another; nil if the page
// reaches the end. All records of one lookup are on one page.
func (t *Tx) pageEnd(lists []int64, above []byte) ([]byte, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	in := between(above, nil).onLists(lists)
	var last []byte
	err := t.row(in.pageEnd(), append(in.args, eligiblePage-1), &last)
	if isNotFound(err) {
		return nil, nil
	}
	return last, err
}

// pageEnd is the query of the lookup of a scope that comes after a number of others.
func (s scope) pageEnd() string {
	return "SELECT r.lookup FROM records r WHERE " + s.where + " ORDER BY r.lookup LIMIT 1 OFFSET ?"
}

// eligible reads the values of a scope that take part, by lookup.
func (t *Tx) eligible(spec EligibleSpec, in scope) ([]Eligible, error) {
	kinds, err := t.kinds()
	if err != nil || len(spec.Lists) == 0 {
		return nil, err
	}
	pass, err := t.expiryPass()
	if err != nil {
		return nil, err
	}
	now := spec.Now
	if at := time.UnixMilli(pass); at.After(now) {
		now = at
	}
	never, err := t.neverWith(in, spec.Partner)
	if err != nil {
		return nil, err
	}
	var out []Eligible
	err = t.candidates(in.onLists(spec.Lists), never, now, func(c candidate) error {
		if c.excluded == "" {
			out = append(out, Eligible{Lookup: c.lookup, Indicator: c.id, Kind: kinds[c.list], Element: bytes.Clone(c.element)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Eligible) int {
		return cmp.Or(bytes.Compare(a.Lookup[:], b.Lookup[:]), cmp.Compare(a.Indicator, b.Indicator))
	})
	return slices.CompactFunc(out, func(a, b Eligible) bool { return a.Lookup == b.Lookup }), nil
}

// kinds returns the kinds of all lists.
func (t *Tx) kinds() (map[int64]indicator.Kind, error) {
	out := make(map[int64]indicator.Kind)
	err := t.rows("SELECT id, kind FROM lists", nil, func(scan func(...any) error) error {
		var id int64
		var kind string
		err := scan(&id, &kind)
		out[id] = indicator.Kind(kind)
		return err
	})
	return out, err
}

// RecordsByLookup returns the records of a value on all lists as their owner may see them,
// oldest first, whether or not they may take part in matching.
func (t *Tx) RecordsByLookup(lookup Lookup) ([]Record, error) {
	kinds, err := t.kinds()
	if err != nil {
		return nil, fmt.Errorf("read records of a value: %w", err)
	}
	keys := t.listKeys()
	var out []Record
	err = t.rows(`SELECT id, list, sealed FROM records WHERE lookup = ? AND import NOT IN `+openImports+` ORDER BY id`,
		[]any{lookup[:]}, func(scan func(...any) error) error {
			var id, list int64
			var sealed []byte
			if err := scan(&id, &list, &sealed); err != nil {
				return err
			}
			key, err := keys(list)
			if err != nil {
				return err
			}
			b, err := unseal(key, sealed, "records", "sealed", number(id))
			if err != nil {
				return err
			}
			r, err := revealed(id, list, string(kinds[list]), b)
			out = append(out, r)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read records of a value: %w", err)
	}
	return out, nil
}

// ElementByLookup returns kind and element of a value that some list holds, whether or not
// it may take part in matching. errors.Is ErrNotFound.
func (t *Tx) ElementByLookup(lookup Lookup) (indicator.Kind, []byte, error) {
	var id, list int64
	var kind string
	var sealed []byte
	err := t.row(`SELECT r.id, r.list, l.kind, r.sealed FROM records r JOIN lists l ON l.id = r.list
		WHERE r.lookup = ? AND r.import NOT IN `+openImports+` ORDER BY r.id LIMIT 1`, []any{lookup[:]}, &id, &list, &kind, &sealed)
	if err != nil {
		return "", nil, fmt.Errorf("read a value: %w", err)
	}
	rec, err := openHead(t.listKey, list, id, sealed)
	if err != nil {
		return "", nil, fmt.Errorf("read a value: %w", err)
	}
	return indicator.Kind(kind), rec.element, nil
}
