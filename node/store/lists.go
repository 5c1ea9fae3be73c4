package store

import (
	"errors"
	"fmt"
	"time"

	"entente/crypto/seal"
	"entente/protocol/indicator"
)

// List is a set of indicators of one kind and category, held for one purpose on
// one legal basis. Items and Held count rows of committed imports.
type List struct {
	ID       int64
	Name     string
	Kind     indicator.Kind
	Category indicator.Category
	Purpose  string
	Basis    string
	Created  time.Time
	Items    int64
	Held     int64 // rows that wait for the protection desk
}

// same reports whether two descriptions mean the same list.
func (l List) same(o List) bool {
	return l.Name == o.Name && l.Kind == o.Kind && l.Category == o.Category && l.Purpose == o.Purpose && l.Basis == o.Basis
}

const listColumns = "id, name, kind, category, purpose, basis, created, items, held"

// EnsureList returns the list of that name, and makes it if there is none. ID,
// Items and Held of l play no part. errors.Is ErrListDiffers.
func (t *Tx) EnsureList(l List) (List, error) {
	have, err := t.ListByName(l.Name)
	if err == nil {
		if !have.same(l) {
			return List{}, fmt.Errorf("list %q: %w", l.Name, ErrListDiffers)
		}
		return have, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return List{}, err
	}
	var id int64
	err = t.row(`INSERT INTO lists (name, kind, category, purpose, basis, created, wrapped)
		VALUES (?, ?, ?, ?, ?, ?, x'') RETURNING id`,
		[]any{l.Name, string(l.Kind), string(l.Category), l.Purpose, l.Basis, millis(l.Created)}, &id)
	if err != nil {
		return List{}, fmt.Errorf("add list: %w", err)
	}
	_, wrapped := t.store.keys.wrapped("lists", number(id))
	if _, err := t.exec("UPDATE lists SET wrapped = ? WHERE id = ?", wrapped, id); err != nil {
		return List{}, fmt.Errorf("add list: %w", err)
	}
	return t.list("id", id)
}

// Lists returns all lists by name.
func (t *Tx) Lists() ([]List, error) {
	var out []List
	err := t.rows("SELECT "+listColumns+" FROM lists ORDER BY name", nil, func(scan func(...any) error) error {
		l, err := scanList(scan)
		out = append(out, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read lists: %w", err)
	}
	return out, nil
}

// ListByName returns one list. errors.Is ErrNotFound.
func (t *Tx) ListByName(name string) (List, error) { return t.list("name", name) }

// List returns one list. errors.Is ErrNotFound.
func (t *Tx) List(id int64) (List, error) { return t.list("id", id) }

func (t *Tx) list(column string, key any) (List, error) {
	l, err := scanList(func(into ...any) error {
		return t.row("SELECT "+listColumns+" FROM lists WHERE "+column+" = ?", []any{key}, into...)
	})
	if err != nil {
		return List{}, fmt.Errorf("read list: %w", err)
	}
	return l, nil
}

func scanList(scan func(...any) error) (List, error) {
	var l List
	var created int64
	err := scan(&l.ID, &l.Name, &l.Kind, &l.Category, &l.Purpose, &l.Basis, &created, &l.Items, &l.Held)
	l.Created = moment(created)
	return l, err
}

// DeleteList erases a list: its rows, what is held back from it, and its dataset
// key. errors.Is ErrListInUse while a snapshot or an import stands on it.
func (t *Tx) DeleteList(id int64) error {
	if _, err := t.List(id); err != nil {
		return fmt.Errorf("delete list: %w", err)
	}
	var uses int
	err := t.row(`SELECT (SELECT count(*) FROM snapshot_lists WHERE list = ?1)
		+ (SELECT count(*) FROM imports WHERE list = ?1 AND open = 1)`, []any{id}, &uses)
	if err != nil {
		return fmt.Errorf("delete list: %w", err)
	}
	if uses > 0 {
		return fmt.Errorf("delete list: %w", ErrListInUse)
	}
	if err := t.touchList(id); err != nil {
		return fmt.Errorf("delete list: %w", err)
	}
	t.erased = true
	for _, q := range []string{
		"DELETE FROM records WHERE list = ?", "DELETE FROM held WHERE list = ?",
		"DELETE FROM imports WHERE list = ?", "DELETE FROM lists WHERE id = ?",
	} {
		if _, err := t.exec(q, id); err != nil {
			return fmt.Errorf("delete list: %w", err)
		}
	}
	return nil
}

// listKey opens the dataset key of a list.
func (t *Tx) listKey(id int64) (seal.Key, error) {
	var sealed []byte
	if err := t.row("SELECT wrapped FROM lists WHERE id = ?", []any{id}, &sealed); err != nil {
		return seal.Key{}, fmt.Errorf("read dataset key: %w", err)
	}
	return t.store.keys.unwrap(sealed, "lists", number(id))
}

// millis and moment store times as Unix milliseconds; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
