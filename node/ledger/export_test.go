package ledger

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/protocol/checkpoint"
	"entente/protocol/ledgerfile"
	"entente/protocol/roster"
)

// agreed are the signatures of all under the first roster.
func (w *writers) agreed() (out []roster.Signature) {
	w.t.Helper()
	for i, a := range w.authors {
		s, err := w.first().Sign(name(i), a.Key)
		must(w.t, err)
		out = append(out, s)
	}
	return out
}

func (w *writers) first() roster.Roster { return w.genesis }

var january = ledgerfile.Period{First: 20454, Last: 20484}

// exported are the files of an export by name.
func exported(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	must(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		must(t, err)
		out[filepath.ToSlash(rel)], err = os.ReadFile(name)
		return err
	}))
	return out
}

func TestExport(t *testing.T) {
	w := federation(t, 4, 4)
	entries := w.begin()
	for len(entries) < 2500 { // more than a file holds
		entries = append(entries, w.sealed(len(entries)%4, byte(len(entries))))
	}
	m := w.mirror(entries[:2400]...)
	must(t, m.Finalise(w.signed(m, 2400, []int{0, 1, 2, 3}, []int{0, 1, 2})))
	_, err := m.Append(entries[2400:]...) // not final
	must(t, err)
	dir := filepath.Join(t.TempDir(), "ledger")
	must(t, m.Export(t.Context(), dir, w.first(), w.agreed(), january))
	files := exported(t, dir)
	manifest, err := ledgerfile.ParseManifest(files[ledgerfile.ManifestName])
	if err != nil || manifest.Entries != 2400 || manifest.Period != january || manifest.Origin.Federation != w.first().Digest() {
		t.Errorf("%+v, %v", manifest, err)
	}
	next := 0
	for range 2 {
		name := ledgerfile.EntriesFolder + "/" + ledgerfile.EntriesName(uint64(next))
		if n := len(files[name]); n > ledgerfile.MaxEntries || next == 0 && n < ledgerfile.MaxEntries-8192 {
			t.Errorf("%s has %d bytes", name, n)
		}
		for f, err := range ledgerfile.Entries.Read(bytes.NewReader(files[name])) {
			if err != nil || !bytes.Equal(f.Content, entries[next]) {
				t.Fatalf("entry %d is another one, or %v", next, err)
			}
			next++
		}
	}
	if next != 2400 {
		t.Errorf("%d entries", next)
	}
	for f, err := range ledgerfile.Checkpoints.Read(bytes.NewReader(files[ledgerfile.CheckpointsName])) {
		must(t, err)
		if _, c, err := checkpoint.Unmarshal(f.Content); err != nil || c.Size != 2400 {
			t.Errorf("checkpoint of %d entries, %v", c.Size, err)
		}
	}
	r, signatures, err := roster.Load(os.DirFS(dir), ledgerfile.RosterName)
	if err != nil || r.Verify(signatures) != nil || len(files) != 2+1+1+5 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestExportFails(t *testing.T) {
	w := federation(t, 4, 4)
	entries := w.begin()
	m := w.mirror(entries...)
	parent := t.TempDir()
	dir := filepath.Join(parent, "ledger")
	if err := m.Export(t.Context(), dir, w.first(), w.agreed(), january); !errors.Is(err, ErrNothingFinal) {
		t.Errorf("nothing final: %v", err)
	}
	must(t, m.Finalise(w.signed(m, uint64(len(entries)), []int{0, 1, 2, 3}, []int{0, 1, 2})))
	other := w.first()
	other.Name = "another"
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"another roster": m.Export(t.Context(), dir, other, w.agreed(), january),
		"a signature":    m.Export(t.Context(), dir, w.first(), w.agreed()[1:], january),
		"no days":        m.Export(t.Context(), dir, w.first(), w.agreed(), ledgerfile.Period{First: 2, Last: 1}),
		"cancelled":      m.Export(done, dir, w.first(), w.agreed(), january),
		"no place":       m.Export(t.Context(), filepath.Join(parent, "none", "ledger"), w.first(), w.agreed(), january),
		"there already":  m.Export(t.Context(), parent, w.first(), w.agreed(), january),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "export ledger: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
