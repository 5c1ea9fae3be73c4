package store

import (
	"encoding/binary"
	"fmt"

	"entente/crypto/seal"
)

// lookupSize is the length of a keyed lookup: two values of one kind share one by
// chance with probability below 2^-80 for 2^24 values.
const lookupSize = 16

// ring holds the keys that are derived from the store key, one for each use.
type ring struct {
	wrap   seal.Key // wraps dataset keys
	column seal.Key // seals columns that belong to no list or snapshot
	lookup seal.Key // keys the lookups of values
	backup seal.Key // seals backups
}

func newRing(key seal.Key) ring {
	return ring{
		wrap:   key.Derive("entente/store/wrap/1"),
		column: key.Derive("entente/store/column/1"),
		lookup: key.Derive("entente/store/lookup/1"),
		backup: key.Derive("entente/store/backup/1"),
	}
}

// place is the associated data of a sealed column: it ties the value to where it
// stands, so that it opens nowhere else.
func place(table, column string, row []byte) []byte {
	b := make([]byte, 0, 2+len(table)+len(column)+len(row))
	b = append(b, byte(len(table)))
	b = append(b, table...)
	b = append(b, byte(len(column)))
	b = append(b, column...)
	return append(b, row...)
}

// number is the row part of a place for integer keys.
func number(id int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// unseal opens a column and names what fails.
func unseal(k seal.Key, sealed []byte, table, column string, row []byte) ([]byte, error) {
	b, err := k.Open(sealed, place(table, column, row))
	if err != nil {
		return nil, fmt.Errorf("open %s of %s: %w", column, table, named(err))
	}
	return b, nil
}

// wrapped makes a dataset key and its sealed form for a row.
func (r ring) wrapped(table string, row []byte) (seal.Key, []byte) {
	k := seal.NewKey()
	return k, r.wrap.Seal(k.Bytes(), place(table, "wrapped", row))
}

// unwrap opens a dataset key.
func (r ring) unwrap(sealed []byte, table string, row []byte) (seal.Key, error) {
	b, err := unseal(r.wrap, sealed, table, "wrapped", row)
	if err != nil {
		return seal.Key{}, err
	}
	k, err := seal.ParseKey(b)
	if err != nil {
		return seal.Key{}, fmt.Errorf("open dataset key: %w", err)
	}
	return k, nil
}

// lookupOf is the keyed lookup of a value: equal for equal values in all lists.
func (r ring) lookupOf(kind string, element []byte) [lookupSize]byte {
	m := r.lookup.MAC("indicator", []byte(kind), element)
	return [lookupSize]byte(m[:lookupSize])
}
