package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/crypto/seal"
	"entente/protocol/indicator"
)

// openImports are the imports whose rows nobody may see yet.
const openImports = "(SELECT id FROM imports WHERE open = 1)"

// scope is a part of the table records r: a condition and its arguments.
type scope struct {
	where string
	args  []any
}

// inList is all of one list.
func inList(id int64) scope { return scope{"r.list = ?", []any{id}} }

// ofKind is what is on the lists of one kind.
func ofKind(k indicator.Kind) scope {
	return scope{"r.list IN (SELECT id FROM lists WHERE kind = ?)", []any{string(k)}}
}

// ofLookups is what has one of the lookups, at most probeRows of them.
func ofLookups(lookups []Lookup) scope {
	args := make([]any, 0, len(lookups))
	for i := range lookups {
		args = append(args, lookups[i][:])
	}
	return scope{"r.lookup IN " + groups(len(lookups), 1), args}
}

// between is what has a lookup above the one and up to the other; without the other there
// is no end.
func between(above, last []byte) scope {
	if last == nil {
		return scope{"r.lookup > ?", []any{above}}
	}
	return scope{"r.lookup > ? AND r.lookup <= ?", []any{above, last}}
}

// onLists narrows a scope to some lists, at least one. The + keeps SQLite from reading
// whole lists where the lookups are few.
func (s scope) onLists(lists []int64) scope {
	out := scope{s.where + " AND +r.list IN " + groups(len(lists), 1), slices.Clone(s.args)}
	for _, id := range lists {
		out.args = append(out.args, id)
	}
	return out
}

// candidate is a record that may take part in matching.
type candidate struct {
	id, list int64
	lookup   Lookup
	element  []byte // valid until the next one comes
	excluded string // the first reason that keeps it out; empty if it takes part
}

// candidates is the query of the records of a scope, each with whether its value is shielded
// or held on any list.
func (s scope) candidates() string {
	return `SELECT r.id, r.list, r.lookup, r.sealed,
		EXISTS (SELECT 1 FROM records o WHERE o.lookup = r.lookup AND o.shielded = 1
			AND o.import NOT IN ` + openImports + `),
		EXISTS (SELECT 1 FROM held h WHERE h.lookup = r.lookup AND h.import NOT IN ` + openImports + `)
		FROM records r WHERE ` + s.where + ` AND r.import NOT IN ` + openImports
}

// neverWith is the query of the records of a scope that must not be matched with some member.
func (s scope) neverWith() string {
	return `SELECT r.id, r.list, r.lookup, r.sealed FROM records r
		WHERE r.never_with = 1 AND ` + s.where + ` AND r.import NOT IN ` + openImports
}

// candidates calls f for each committed record of a scope, in no particular order. Never
// holds the values of the scope that must not be matched with the partner.
func (t *Tx) candidates(in scope, never map[Lookup]bool, now time.Time, f func(candidate) error) error {
	keys := t.listKeys()
	return t.rows(in.candidates(), in.args, func(scan func(...any) error) error {
		var c candidate
		var lookup, sealed rawBytes
		var shielded, held bool
		if err := scan(&c.id, &c.list, &lookup, &sealed, &shielded, &held); err != nil {
			return err
		}
		rec, err := openHead(keys, c.list, c.id, sealed)
		if err != nil {
			return err
		}
		c.lookup, c.element = Lookup(lookup), rec.element
		switch e := rec.handling.Expires; {
		case shielded:
			c.excluded = ExcludedShielded
		case held:
			c.excluded = ExcludedHeld
		case never[c.lookup]:
			c.excluded = ExcludedNeverWith
		case !e.IsZero() && !now.Before(e):
			c.excluded = ExcludedExpired
		}
		return f(c)
	})
}

// neverWith finds the values of a scope that some list, in the scope or not, says must
// never be matched with a partner.
func (t *Tx) neverWith(in scope, partner string) (map[Lookup]bool, error) {
	out := make(map[Lookup]bool)
	keys := t.listKeys()
	err := t.rows(in.neverWith(), in.args, func(scan func(...any) error) error {
		var id, list int64
		var lookup, sealed rawBytes
		if err := scan(&id, &list, &lookup, &sealed); err != nil {
			return err
		}
		rec, err := openHead(keys, list, id, sealed)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(rec.handling.NeverWith, func(m string) bool { return strings.EqualFold(m, partner) }) {
			out[Lookup(lookup)] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for never-with records: %w", err)
	}
	return out, nil
}

// listKeys returns a function that opens the dataset keys of lists, each once.
func (t *Tx) listKeys() func(list int64) (seal.Key, error) {
	keys := make(map[int64]seal.Key)
	return func(list int64) (seal.Key, error) {
		key, ok := keys[list]
		if !ok {
			var err error
			if key, err = t.listKey(list); err != nil {
				return seal.Key{}, err
			}
			keys[list] = key
		}
		return key, nil
	}
}

// openHead opens what a snapshot needs of a record.
func openHead(keys func(int64) (seal.Key, error), list, id int64, sealed []byte) (stored, error) {
	key, err := keys(list)
	if err != nil {
		return stored{}, err
	}
	b, err := unseal(key, sealed, "records", "sealed", number(id))
	if err != nil {
		return stored{}, err
	}
	return decodeHead(b)
}
