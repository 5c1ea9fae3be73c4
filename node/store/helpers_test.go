package store

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entente/crypto/seal"
	"entente/crypto/sign"
	"entente/node/intake"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// moment0 is the time at which tests begin.
var moment0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// desk is a store with what opened it.
type desk struct {
	*Store
	dir    string
	key    seal.Key
	author entry.Author
}

func newAuthor(t testing.TB) entry.Author {
	t.Helper()
	k, err := sign.NewPrivateKey(make([]byte, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return entry.Author{Member: "AU", Key: k}
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{dir: t.TempDir(), key: seal.NewKey(), author: newAuthor(t)}
	s, err := Create(t.Context(), d.dir, d.key, d.author)
	if err != nil {
		t.Fatal(err)
	}
	d.Store = s
	t.Cleanup(func() { _ = d.Store.Close() }) // a test may have closed it
	return d
}

// reopen closes the store and opens it again.
func (d *desk) reopen(t testing.TB) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), d.dir, d.key, d.author)
	if err != nil {
		t.Fatal(err)
	}
	d.Store = s
}

func (d *desk) update(t testing.TB, f func(*Tx) error) {
	t.Helper()
	if err := d.Update(context.WithoutCancel(t.Context()), f); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) view(t testing.TB, f func(*Tx) error) {
	t.Helper()
	if err := d.View(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// list makes a list of phone numbers.
func (d *desk) list(t testing.TB, name string, c indicator.Category) List {
	t.Helper()
	var l List
	d.update(t, func(tx *Tx) (err error) {
		l, err = tx.EnsureList(phoneList(name, c))
		return err
	})
	return l
}

func phoneList(name string, c indicator.Category) List {
	return List{Name: name, Kind: "phone", Category: c, Purpose: "trafficking", Basis: "AU-TIP", Created: moment0}
}

// phone is the n-th of a range of numbers without a holder.
func phone(t testing.TB, n int) indicator.Value {
	t.Helper()
	v, err := indicator.Restore("phone", fmt.Appendf([]byte{1}, "+6149%07d", 1570000+n))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func row(t testing.TB, n int, change ...func(*indicator.Handling)) intake.Record {
	t.Helper()
	h := indicator.Handling{Category: indicator.Suspect, Purpose: "trafficking", Basis: "AU-TIP"}
	for _, c := range change {
		c(&h)
	}
	return intake.Record{Value: phone(t, n), Original: fmt.Sprint("row ", n), Handling: h, Line: n}
}

func rowsOf(t testing.TB, from, to int) []intake.Record {
	t.Helper()
	var out []intake.Record
	for n := from; n < to; n++ {
		out = append(out, row(t, n))
	}
	return out
}

func minor(h *indicator.Handling)     { h.Minor = true }
func protected(h *indicator.Handling) { h.Protected = true }
func victim(h *indicator.Handling)    { h.Category = indicator.Victim }
func never(members ...string) func(*indicator.Handling) {
	return func(h *indicator.Handling) { h.NeverWith = members }
}
func expires(at time.Time) func(*indicator.Handling) {
	return func(h *indicator.Handling) { h.Expires = at }
}

// load imports rows and commits.
func (d *desk) load(t testing.TB, l List, batches ...[]intake.Record) intake.Added {
	t.Helper()
	i, err := d.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	var sum intake.Added
	for _, b := range batches {
		a, err := i.Add(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		sum.New += a.New
		sum.Duplicate += a.Duplicate
		sum.Held += a.Held
		sum.HeldLines = append(sum.HeldLines, a.HeldLines...)
		sum.DuplicateLines = append(sum.DuplicateLines, a.DuplicateLines...)
	}
	if err := i.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return sum
}

func (d *desk) take(t testing.TB, partner string, lists ...List) Snapshot {
	t.Helper()
	s, err := d.TakeSnapshot(t.Context(), spec(partner, lists...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func spec(partner string, lists ...List) SnapshotSpec {
	out := SnapshotSpec{Kind: "phone", Partner: partner, Now: moment0}
	for _, l := range lists {
		out.Lists = append(out.Lists, l.ID)
	}
	return out
}

// elements reads a whole snapshot.
func (d *desk) elements(t testing.TB, id int64) []string {
	t.Helper()
	var out []string
	for item, err := range d.SnapshotItems(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(item.Element))
	}
	return out
}

// expect is what a snapshot of these numbers holds.
func expect(t testing.TB, numbers ...int) []string {
	t.Helper()
	var out []string
	for _, n := range numbers {
		out = append(out, string(phone(t, n).Element()))
	}
	slices.Sort(out)
	return out
}

// copyDir copies a directory as a kill would leave it.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// grep reports whether a file of the directory holds the bytes.
func grep(t testing.TB, dir string, want []byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(f)
		for i := 0; i+len(want) <= len(b) && !found; i++ {
			found = string(b[i:i+len(want)]) == string(want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
