package intake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"entente/crypto/seal"
	"entente/crypto/sign"
	"entente/node/intake"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/indicator"
)

// newStore makes a store with one list of suspects' phones and one of victims'.
func newStore(t *testing.T) (s *store.Store, suspects, victims store.List) {
	t.Helper()
	key, err := sign.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s, err = store.Create(t.Context(), filepath.Join(t.TempDir(), "node"), seal.NewKey(), entry.Author{Member: "AU", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	err = s.Update(t.Context(), func(tx *store.Tx) (err error) {
		if suspects, err = tx.EnsureList(store.List{Name: "wanted", Kind: indicator.Phone, Category: indicator.Suspect, Purpose: "trafficking", Basis: "AU-TIP"}); err != nil {
			return err
		}
		victims, err = tx.EnsureList(store.List{Name: "protected", Kind: indicator.Phone, Category: indicator.Victim, Purpose: "protection", Basis: "AU-TIP"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, suspects, victims
}

// items is what a committed list holds and what it holds back.
func items(t *testing.T, s *store.Store, id int64) (items, held int64) {
	t.Helper()
	err := s.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.List(id)
		items, held = list.Items, list.Held
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return items, held
}

// imports a text into a list: committed if it succeeded and keep is set, else rolled
// back, as callers are to do.
func imports(ctx context.Context, t *testing.T, s *store.Store, l store.List, src io.Reader, keep bool) (intake.Report, error) {
	t.Helper()
	o := intake.Options{Kind: l.Kind, Handling: indicator.Handling{Category: l.Category, Purpose: l.Purpose, Basis: l.Basis},
		Defaults: indicator.Defaults{Country: "AU"}, DryRun: !keep}
	importer, err := s.Importer(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := intake.Import(ctx, "list.csv", src, 0, o, importer)
	if err != nil || !keep {
		if back := importer.Rollback(t.Context()); back != nil {
			t.Fatal(back)
		}
		return r, err
	}
	if err := importer.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return r, nil
}

// rows writes n numbers reserved for fiction from the given one on.
func rows(from, n int) string {
	var b strings.Builder
	b.WriteString("phone\n")
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "(0%d) 5550 %04d\n", []int{2, 3, 7, 8}[i/10_000], i%10_000)
	}
	return b.String()
}

func TestIntoTheStore(t *testing.T) {
	s, suspects, victims := newStore(t)
	if _, err := imports(t.Context(), t, s, victims, strings.NewReader(rows(100, 5)), true); err != nil {
		t.Fatal(err)
	}
	check, err := imports(t.Context(), t, s, suspects, strings.NewReader(rows(0, 200)+rows(0, 10)[len("phone\n"):]), false)
	if err != nil {
		t.Fatal(err)
	}
	if n, held := items(t, s, suspects.ID); n != 0 || held != 0 {
		t.Errorf("a check stored %d rows and held %d", n, held)
	}
	real, err := imports(t.Context(), t, s, suspects, strings.NewReader(rows(0, 200)+rows(0, 10)[len("phone\n"):]), true)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]intake.Report{"check": check, "import": real} {
		if r.Rows != 210 || r.Ready != 195 || r.Duplicates != 10 || r.Held != 5 || r.DuplicatesInFile != 10 {
			t.Errorf("%s: %v", name, r)
		}
	}
	if n, held := items(t, s, suspects.ID); n != 195 || held != 5 {
		t.Errorf("%d rows in the list, %d held", n, held)
	}
	again, err := imports(t.Context(), t, s, suspects, strings.NewReader(rows(0, 200)), true)
	if err != nil || again.Ready != 0 || again.Duplicates != 195 || again.Held != 5 || again.DuplicatesInFile != 0 {
		t.Errorf("the same file again: %v, %v", again, err)
	}
	if n, _ := items(t, s, suspects.ID); n != 195 {
		t.Errorf("%d rows after the second import", n)
	}
}

// endingReader ends the context, or fails, after the text has been read.
type endingReader struct {
	io.Reader
	end func() error
}

func (e endingReader) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		return n, e.end()
	}
	return n, err
}

// However an import ends early, the list is as before, and the next import works.
func TestNothingIsHalfImported(t *testing.T) {
	broken := errors.New("cable pulled")
	for name, c := range map[string]struct {
		tail string
		end  func(cancel func()) error
		want error
	}{
		"source fails":     {"", func(func()) error { return broken }, broken},
		"cancelled":        {"", func(cancel func()) error { cancel(); return io.EOF }, context.Canceled},
		"not text further": {"\xe9", func(func()) error { return io.EOF }, nil},
		"NUL further":      {"\x00", func(func()) error { return io.EOF }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, suspects, _ := newStore(t)
			if _, err := imports(t.Context(), t, s, suspects, strings.NewReader(rows(0, 10)), true); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			src := endingReader{strings.NewReader(rows(10, 5000) + c.tail), func() error { return c.end(cancel) }}
			_, err := imports(ctx, t, s, suspects, src, true)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if n, _ := items(t, s, suspects.ID); n != 10 {
				t.Errorf("%d rows after an import that failed", n)
			}
			if r, err := imports(t.Context(), t, s, suspects, strings.NewReader(rows(10, 5000)), true); err != nil || r.Ready != 5000 {
				t.Errorf("the next import: %v, %v", r, err)
			}
		})
	}
}
