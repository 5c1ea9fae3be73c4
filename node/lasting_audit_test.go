package node_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"entente/node/audit"
	"entente/node/standing"
	"entente/protocol/entry"
	protocol "entente/protocol/standing"
)

// folder reads a member's audit folder.
func (m *member) folder(t *testing.T) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	root := os.DirFS(m.AuditDir())
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		out[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// under lists the names of a folder's files.
func under(files fstest.MapFS, folder string) []string {
	var names []string
	for name := range files {
		if strings.HasPrefix(name, folder+"/") {
			names = append(names, name)
		}
	}
	return names
}

// The audit folder has the agreement of a standing round and the partner's receipts, each
// sealed in the submitted chain; whoever alters, doubles or exchanges one is found out, and
// they outlive the standing round.
func TestStandingEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id, round := running(t, nil)
		if err := au.DeleteList(t.Context(), "wanted"); err != nil {
			t.Fatal(err)
		}
		until(t, au, round, "the receipt of the removal", 2*time.Minute, func(v standing.View) bool { return v.Removed != nil && v.Removed.Run == 1 })
		if err := au.Standing().End(t.Context(), round); err != nil {
			t.Fatal(err)
		}
		until(t, id, round, "the end", time.Hour, func(v standing.View) bool { return v.State == "ended" })
		time.Sleep(2 * time.Minute) // the folder follows
		right, theirs := au.folder(t), id.folder(t)
		for _, files := range []fstest.MapFS{right, theirs} {
			r, err := audit.Check(files, audit.Certificate)
			if err != nil || !r.OK || r.Standing.Agreements != 1 || r.Standing.Receipts == 0 || r.Sealed.Opened != r.Sealed.Published {
				t.Fatalf("%+v: %v", r, err)
			}
		}
		receipts, agreement := under(right, protocol.ReceiptsFolder), under(right, protocol.AgreementsFolder)[0]
		if len(receipts) != 2 {
			t.Fatalf("%d receipts for the publication and one run", len(receipts))
		}
		for _, c := range []struct {
			do  func(fstest.MapFS)
			say string
		}{
			{func(f fstest.MapFS) { f[receipts[0]].Data[20] ^= 1 }, "agreement that is not here"},
			{func(f fstest.MapFS) { b := f[receipts[0]].Data; b[len(b)-1] ^= 1 }, "is not signed by ID"},
			{func(f fstest.MapFS) { f[receipts[0]].Data = f[receipts[0]].Data[1:] }, "read receipt"},
			{func(f fstest.MapFS) { f[protocol.ReceiptsFolder+"/x.cbor"] = f[receipts[0]] }, "is the same receipt as"},
			{func(f fstest.MapFS) { f[receipts[0]] = theirs[under(theirs, protocol.ReceiptsFolder)[0]] }, "is not of the partner"},
			{func(f fstest.MapFS) { delete(f, agreement) }, "agreement that is not here"},
			{func(f fstest.MapFS) { b := f[agreement].Data; b[len(b)-1] ^= 1 }, "signature under the agreement"},
			{func(f fstest.MapFS) { f[protocol.AgreementsFolder+"/x.cbor"] = f[agreement] }, "same agreement"},
			{func(f fstest.MapFS) { maps.DeleteFunc(f, isOpening) }, "no opened digest"},
		} {
			files := fstest.MapFS{}
			for name, f := range right {
				files[name] = &fstest.MapFile{Data: bytes.Clone(f.Data)}
			}
			c.do(files)
			r, err := audit.Check(files, audit.Certificate)
			if err != nil || r.OK {
				t.Fatalf("%s: not found out: %v", c.say, err)
			}
			var said []string
			for _, f := range r.Faults {
				said = append(said, f.String())
			}
			if !strings.Contains(strings.Join(said, "\n"), c.say) {
				t.Errorf("no fault says %q: %v", c.say, said)
			}
		}
	})
}

func isOpening(name string, _ *fstest.MapFile) bool {
	return strings.HasPrefix(name, entry.OpeningsFolder+"/")
}
