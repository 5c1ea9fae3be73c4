package ordering

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// written returns the file of a store with the samples, a term and a vote.
func written(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "raft")
	s := openStore(t, path)
	storeAll(t, s, samples())
	if err := s.SetUint64([]byte("CurrentTerm"), 9); err != nil {
		t.Fatal(err)
	}
	if err := s.Set([]byte("LastVoteCand"), []byte("BR")); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reading opens a damaged file and reports whether the damage was named. What is read
// without that must be what was stored.
func reading(t *testing.T, path string, file []byte) (named bool) {
	t.Helper()
	// A new file: one that the database failed on stays locked.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenStore(path)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("damage is called %v", err)
		}
		return true
	}
	defer closeStore(t, s)
	for _, want := range samples() {
		var got raft.Log
		if err := s.GetLog(want.Index, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("entry %d: %+v, %v", want.Index, got, err)
		}
	}
	if n, err := s.GetUint64([]byte("CurrentTerm")); n != 9 || err != nil {
		t.Errorf("term %d, %v", n, err)
	}
	if v, err := s.Get([]byte("LastVoteCand")); string(v) != "BR" || err != nil {
		t.Errorf("vote %q, %v", v, err)
	}
	return false
}

// TestOpeningWritesNothing: what is damaged must not spread before it is found.
func TestOpeningWritesNothing(t *testing.T) {
	file := written(t)
	path := filepath.Join(t.TempDir(), "raft")
	if reading(t, path, file) {
		t.Fatal("a sound store is called damaged")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, file) {
		t.Errorf("the file changed, %v", err)
	}
}

// TestEveryContentByte: wherever the file holds what was stored, a flip is noticed.
func TestEveryContentByte(t *testing.T) {
	file := written(t)
	path := filepath.Join(t.TempDir(), "raft")
	for _, l := range samples() {
		record, err := encodeLog(&l)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.LastIndex(file, record)
		if at < 0 {
			t.Fatalf("entry %d is not in the file", l.Index)
		}
		pages := 0
		for at := 0; ; pages++ { // old pages hold copies
			next := bytes.Index(file[at:], record)
			if next < 0 {
				break
			}
			at += next + 1
		}
		for i := range record {
			damaged := bytes.ReplaceAll(file, record, flipped(record, i))
			if !reading(t, path, damaged) {
				t.Errorf("byte %d of entry %d in %d pages: not noticed", i, l.Index, pages)
			}
		}
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// TestDecayWhileOpen: what is read is checked again, also after a sound start.
func TestDecayWhileOpen(t *testing.T) {
	s := newStore(t)
	storeAll(t, s, samples())
	if err := s.Set([]byte("LastVoteCand"), []byte("BR")); err != nil {
		t.Fatal(err)
	}
	spoil := func(name string, key []byte, record func([]byte) []byte) {
		t.Helper()
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := bucket(tx, name)
			r := record(bytes.Clone(b.Get(key)))
			if r == nil {
				return b.Delete(key)
			}
			return b.Put(key, r)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	third, err := encodeLog(&samples()[2])
	if err != nil {
		t.Fatal(err)
	}
	for what, record := range map[string]func([]byte) []byte{
		"flip":             func(r []byte) []byte { return flipped(r, 2) },
		"cut":              func(r []byte) []byte { return r[:len(r)-1] },
		"empty":            func([]byte) []byte { return []byte{} },
		"gone":             func([]byte) []byte { return nil },
		"another's":        func([]byte) []byte { return third },
		"another bucket's": func(r []byte) []byte { return seal(bucketStable, indexKey(2), r[checksumSize:]) },
		"no entry":         func([]byte) []byte { return seal(bucketLog, indexKey(2), []byte{0x80}) },
		"wrong number":     func([]byte) []byte { return seal(bucketLog, indexKey(2), third[checksumSize:]) },
	} {
		sound := samples()[1]
		spoil(bucketLog, indexKey(2), record)
		got := raft.Log{}
		if err := s.GetLog(2, &got); !errors.Is(err, ErrDamaged) || !reflect.DeepEqual(got, raft.Log{}) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		spoil(bucketLog, indexKey(2), func([]byte) []byte {
			r, err := encodeLog(&sound)
			if err != nil {
				t.Fatal(err)
			}
			return r
		})
	}
	spoil(bucketStable, []byte("LastVoteCand"), func(r []byte) []byte { return flipped(r, len(r)-1) })
	if v, err := s.Get([]byte("LastVoteCand")); !errors.Is(err, ErrDamaged) || len(v) > 0 {
		t.Errorf("%q, %v", v, err)
	}
	spoil(bucketExtent, []byte(keyExtent), func(r []byte) []byte { return flipped(r, checksumSize) })
	if _, err := s.LastIndex(); !errors.Is(err, ErrDamaged) {
		t.Errorf("extent: %v", err)
	}
	if err := s.Set([]byte("a"), nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("write over a damaged extent: %v", err)
	}
}

// TestMissingIsNoticed: a record that is gone has no checksum to fail, so a store is held to
// what must be in it.
func TestMissingIsNoticed(t *testing.T) {
	for what, change := range map[string]func(tx *bbolt.Tx) error{
		"last entry":  func(tx *bbolt.Tx) error { return bucket(tx, bucketLog).Delete(indexKey(4)) },
		"first entry": func(tx *bbolt.Tx) error { return bucket(tx, bucketLog).Delete(indexKey(1)) },
		"inner entry": func(tx *bbolt.Tx) error { return bucket(tx, bucketLog).Delete(indexKey(2)) },
		"vote":        func(tx *bbolt.Tx) error { return bucket(tx, bucketStable).Delete([]byte("LastVoteCand")) },
		"extent":      func(tx *bbolt.Tx) error { return bucket(tx, bucketExtent).Delete([]byte(keyExtent)) },
		"bucket":      func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucketStable)) },
		"everything": func(tx *bbolt.Tx) error {
			return errors.Join(tx.DeleteBucket([]byte(bucketExtent)), tx.DeleteBucket([]byte(bucketLog)), tx.DeleteBucket([]byte(bucketStable)))
		},
		"one too many": func(tx *bbolt.Tx) error {
			return bucket(tx, bucketStable).Put([]byte("x"), seal(bucketStable, []byte("x"), nil))
		},
		"strange key":   func(tx *bbolt.Tx) error { return bucket(tx, bucketLog).Put([]byte("x"), nil) },
		"strange store": func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err },
		"bad extent":    func(tx *bbolt.Tx) error { return writeExtent(tx, extent{first: 5, last: 4, keys: 2}) },
	} {
		path := filepath.Join(t.TempDir(), "raft")
		if err := os.WriteFile(path, written(t), 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err == nil {
			err = errors.Join(db.Update(change), db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, err := OpenStore(path); !errors.Is(err, ErrDamaged) || s != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestBrokenDatabase: after the database failed on its own pages nothing is written, and
// Close does not wait for its locks.
func TestBrokenDatabase(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "raft"))
	storeAll(t, s, samples())
	if err := s.write(func(*bbolt.Tx) error { panic("page 7 is of another kind") }); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"write": s.StoreLog(&raft.Log{Index: 5}),
		"read":  s.GetLog(1, new(raft.Log)),
	} {
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	file, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "raft")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	again := openStore(t, path)
	holds(t, again, samples())
	closeStore(t, again)
}
