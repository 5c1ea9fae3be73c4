package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"entente/protocol/entry"
)

// readLog checks a log as an auditor does.
func readLog(t testing.TB, dir string, c entry.Chain) (*entry.Check, int) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, AuditFolder, c.LogName()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	check := entry.NewCheck("AU", c, newAuthor(t).Key.Public())
	n := 0
	for frame, err := range entry.ReadLog(f, c) {
		if err == nil {
			_, err = check.Add(frame.Signed)
		}
		if err != nil {
			t.Fatalf("%s log: %v", c, err)
		}
		n++
	}
	return check, n
}

func (d *desk) append(t testing.TB, c entry.Chain, n int) {
	t.Helper()
	d.update(t, func(tx *Tx) error {
		for range n {
			if err := tx.Append(c, entry.PolicyActivated, policyBody(t), moment0); err != nil {
				return err
			}
		}
		return nil
	})
}

func policyBody(t testing.TB) []byte {
	t.Helper()
	b, err := entry.Body(entry.PolicyState{Version: 1, Digest: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (d *desk) mirror(t testing.TB) {
	t.Helper()
	if err := d.Mirror(t.Context(), d.dir); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) logPath(c entry.Chain) string { return filepath.Join(d.dir, AuditFolder, c.LogName()) }

func TestMirror(t *testing.T) {
	d := newDesk(t)
	d.mirror(t)
	for n := range 3 {
		d.append(t, entry.Local, 2)
		d.mirror(t)
		d.mirror(t)
		if _, got := readLog(t, d.dir, entry.Local); got != 2*n+2 {
			t.Errorf("%d entries, not %d", got, 2*n+2)
		}
	}
	if _, got := readLog(t, d.dir, entry.Submitted); got != 0 {
		t.Errorf("%d entries in the other log", got)
	}
	d.append(t, entry.Submitted, 1)
	d.reopen(t)
	d.append(t, entry.Local, 1)
	d.mirror(t)
	whole, err := os.ReadFile(d.logPath(entry.Local))
	if err != nil {
		t.Fatal(err)
	}
	// Torn at every length that a crash could leave near entries' ends, and missing.
	header := len(entry.LogHeader(entry.Local))
	for _, size := range []int{0, 1, header - 1, header, header + 1, header + 4, len(whole) / 2, len(whole) - 1} {
		for _, again := range []bool{false, true} {
			if err := os.WriteFile(d.logPath(entry.Local), whole[:size], 0o600); err != nil {
				t.Fatal(err)
			}
			if again {
				d.reopen(t)
			}
			d.mirror(t)
			if b, err := os.ReadFile(d.logPath(entry.Local)); err != nil || !bytes.Equal(b, whole) {
				t.Errorf("cut to %d bytes: not repaired, %v", size, err)
			}
		}
	}
	// Grown by a crash before its data arrived.
	if err := os.WriteFile(d.logPath(entry.Local), append(bytes.Clone(whole), make([]byte, 100)...), 0o600); err != nil {
		t.Fatal(err)
	}
	d.mirror(t)
	if b, err := os.ReadFile(d.logPath(entry.Local)); err != nil || !bytes.Equal(b, whole) {
		t.Errorf("zeros at the end: not repaired, %v", err)
	}
	if err := os.RemoveAll(filepath.Join(d.dir, AuditFolder)); err != nil {
		t.Fatal(err)
	}
	d.mirror(t)
	if b, err := os.ReadFile(d.logPath(entry.Local)); err != nil || !bytes.Equal(b, whole) {
		t.Errorf("missing: not repaired, %v", err)
	}
}

func TestMirrorRefuses(t *testing.T) {
	d := newDesk(t)
	d.append(t, entry.Local, 3)
	d.mirror(t)
	whole, err := os.ReadFile(d.logPath(entry.Local))
	if err != nil {
		t.Fatal(err)
	}
	other := newDesk(t)
	other.append(t, entry.Local, 4)
	other.mirror(t)
	foreign, err := os.ReadFile(other.logPath(entry.Local))
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Clone(whole)
	altered[len(entry.LogHeader(entry.Local))+6] ^= 1
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"an altered log":           {altered, nil},
		"no log":                   {[]byte("something else, but long enough"), nil},
		"entries not in the store": {foreign, ErrLogDiffers},
	} {
		if err := os.WriteFile(d.logPath(entry.Local), c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		d.reopen(t)
		err := d.Mirror(t.Context(), d.dir)
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(d.logPath(entry.Local)); err != nil || !bytes.Equal(b, c.content) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}

func TestHeadFile(t *testing.T) {
	d := newDesk(t)
	path := filepath.Join(d.dir, AuditFolder, headFile)
	d.append(t, entry.Local, 2)
	m, err := d.readMarks()
	if err != nil || m[0].sequence != 1 || !m[0].used || m[1].used {
		t.Fatalf("marks %+v: %v", m, err)
	}
	d.append(t, entry.Submitted, 1)
	if m, err = d.readMarks(); err != nil || !m[1].used {
		t.Fatalf("marks %+v: %v", m, err)
	}
	// A file that cannot be written does not lose the entry; Mirror says so, and catches up.
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.append(t, entry.Local, 1)
	if err := d.Mirror(t.Context(), d.dir); err == nil {
		t.Error("the failure was not reported")
	}
	if err := os.Remove(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	d.mirror(t)
	if m, err = d.readMarks(); err != nil || m[0].sequence != 2 {
		t.Fatalf("marks %+v: %v", m, err)
	}
	// A damaged file is a named error, not a guess.
	if err := os.WriteFile(path, []byte("entente audit head 1\nlocal x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), d.dir, d.key, d.author); !errors.Is(err, errMarks) {
		t.Errorf("damaged: %v", err)
	}
}

// TestOldCopy puts an old copy of the database in place by hand.
func TestOldCopy(t *testing.T) {
	for name, c := range map[string]struct {
		remove []string // of the audit folder
		local  int      // entries afterwards
	}{
		"with its log":    {nil, 6},
		"without its log": {[]string{"local.log"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			fill(t, d)
			d.append(t, entry.Local, 1)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			old, err := os.ReadFile(filepath.Join(d.dir, File))
			if err != nil {
				t.Fatal(err)
			}
			if d.Store, err = Open(t.Context(), d.dir, d.key, d.author); err != nil {
				t.Fatal(err)
			}
			d.append(t, entry.Local, 3)
			d.mirror(t)
			if err := errors.Join(d.Close(), os.WriteFile(filepath.Join(d.dir, File), old, 0o600)); err != nil {
				t.Fatal(err)
			}
			for _, n := range c.remove {
				if err := os.Remove(filepath.Join(d.dir, AuditFolder, n)); err != nil {
					t.Fatal(err)
				}
			}
			if d.Store, err = Open(t.Context(), d.dir, d.key, d.author); err != nil {
				t.Fatal(err)
			}
			check, n := d.verify(t, entry.Local, 1)
			if n != c.local {
				t.Errorf("%d entries, not %d", n, c.local)
			}
			if g := check.Gaps()[0]; (g.Lost > 0) != (c.remove != nil) {
				t.Errorf("gap %+v", g)
			}
			d.view(t, func(tx *Tx) error {
				r, err := tx.Round([16]byte{1})
				if !r.Restored || r.Secret != nil {
					t.Error("a round's secret came back")
				}
				return err
			})
			for range d.Journal([16]byte{1}, 0).Chunks(t.Context(), "tags") {
				t.Error("a journal came back")
			}
			d.append(t, entry.Local, 1)
			d.mirror(t)
			if _, n := readLog(t, d.dir, entry.Local); n != c.local+1 {
				t.Errorf("%d entries in the log", n)
			}
			d.reopen(t)
			d.verify(t, entry.Local, 1)
		})
	}
}

func FuzzMarks(f *testing.F) {
	f.Add(encodeMarks(marks{}))
	f.Add(encodeMarks(marks{{true, 5, [32]byte{1}}, {true, 1 << 60, [32]byte{2}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMarks(b)
		if err == nil && !bytes.Equal(encodeMarks(m), b) {
			t.Error("not the bytes that were read")
		}
	})
}
