package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// With a crash before or after each change of a file, either the old keys are there or the new
// ones, never one of each.
func TestPromote(t *testing.T) {
	dir := t.TempDir()
	old, err := Create(dir, Unlock{})
	if err != nil {
		t.Fatal(err)
	}
	if _, there, err := OpenNext(dir, Unlock{}, old); there || err != nil {
		t.Fatalf("next keys before they are made: %v %v", there, err)
	}
	if err := Promote(dir); err != nil {
		t.Fatal(err)
	}
	next, err := MakeNext(dir, Unlock{}, old)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(next.Identity().Seed(), old.Identity().Seed()) || next.Transport().Private().Equal(old.Transport().Private()) || !next.Store().Equal(old.Store()) {
		t.Fatal("a new key is the old one, or the store has another")
	}
	if again, err := MakeNext(dir, Unlock{}, old); err != nil || !equal(again, next) {
		t.Fatalf("made again: others (%v)", err)
	}
	file := func(name string) string { return filepath.Join(dir, Folder, name) }
	opens := func(want Keys, pending bool) {
		t.Helper()
		got, err := Open(dir, Unlock{})
		if err != nil || !equal(got, want) {
			t.Fatalf("other keys: %v", err)
		}
		n, there, err := OpenNext(dir, Unlock{}, got)
		if err != nil || there != pending || there && !equal(n, next) {
			t.Fatalf("next keys: %v %v", there, err)
		}
	}
	opens(old, true)

	// Making them is interrupted after the first file.
	whole, err := os.ReadFile(file(nextIdentity))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file(nextIdentity)); err != nil {
		t.Fatal(err)
	}
	opens(old, false)
	if err := os.WriteFile(file(nextIdentity), whole, 0o600); err != nil {
		t.Fatal(err)
	}

	// Promoting them is interrupted after the first file.
	if err := os.Rename(file(nextTransport), file(string(roleTransport))); err != nil {
		t.Fatal(err)
	}
	opens(next, false)
	for range 2 {
		if err := Promote(dir); err != nil {
			t.Fatal(err)
		}
		opens(next, false)
	}
}

func TestNextRefuses(t *testing.T) {
	dir := t.TempDir()
	old, err := Create(dir, Unlock{})
	if err == nil {
		_, err = MakeNext(dir, Unlock{}, old)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := flip(60)(filepath.Join(dir, Folder, nextTransport), content(t, filepath.Join(dir, Folder, nextTransport))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenNext(dir, Unlock{}, old); !errors.Is(err, ErrUnlock) {
		t.Errorf("an altered key: %v", err)
	}
	if _, err := MakeNext(dir, Unlock{}, old); !errors.Is(err, ErrUnlock) {
		t.Errorf("made in place of an altered key: %v", err)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
