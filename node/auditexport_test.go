package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/audit"
	"entente/node/standing"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
	protocol "entente/protocol/standing"
)

// An export is right by itself, and shows what was sealed on the days asked for only.
func TestExportForAnAuditor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, _, round := running(t, nil)
		if err := au.DeleteList(t.Context(), "wanted"); err != nil {
			t.Fatal(err)
		}
		until(t, au, round, "the receipt of the removal", 2*time.Minute, func(v standing.View) bool { return v.Removed != nil && v.Removed.Run == 1 })
		today := ledgerfile.DayOf(time.Now().UnixMilli())
		whole, none := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "none")
		for dir, p := range map[string]ledgerfile.Period{whole: {First: 0, Last: today}, none: {First: today + 1, Last: today + 2}} {
			if err := au.ExportAudit(t.Context(), dir, p); err != nil {
				t.Fatal(err)
			}
			r, err := audit.Check(os.DirFS(dir), audit.Certificate)
			if err != nil || !r.OK || r.Standing.Agreements != 1 || (r.Standing.Receipts > 0) != (dir == whole) {
				t.Errorf("%s: %v, %v, %+v", filepath.Base(dir), err, r.Faults, r.Standing)
			}
		}
		all := au.folder(t)
		count := func(dir, folder string) int {
			names, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(folder), "*"))
			if err != nil {
				t.Fatal(err)
			}
			return len(names)
		}
		for _, folder := range []string{entry.OpeningsFolder, entry.ReceiptsFolder, protocol.ReceiptsFolder} {
			if n := count(whole, folder); n != len(under(all, folder)) {
				t.Errorf("%s: %d of %d are shown", folder, n, len(under(all, folder)))
			}
		}
		if n := count(none, entry.OpeningsFolder); n != 1 || count(none, protocol.ReceiptsFolder) != 0 {
			t.Errorf("%d openings of other days are shown", n) // but that of the agreement
		}
		for name, err := range map[string]error{
			"there already": au.ExportAudit(t.Context(), whole, ledgerfile.Period{First: 0, Last: today}),
			"no day":        au.ExportAudit(t.Context(), whole+"2", ledgerfile.Period{First: 2, Last: 1}),
			"no place":      au.ExportAudit(t.Context(), filepath.Join(whole, "a", "b"), ledgerfile.Period{First: 0, Last: today}),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "export for an auditor: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Members of a federation with a ledger export copies of it that agree.
func TestExportWithTheLedger(t *testing.T) {
	ids := []string{"AU", "ID", "NZ", "TH"}
	members := foundWith(t, ids, pilot, ids...)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for _, id := range ids[:2] {
		l, err := members[id].Ledger()
		if err != nil {
			t.Fatal(err)
		}
		for { // until its chain is final as far as it goes
			n, _, err := l.Waiting(t.Context())
			s, bad := l.Standing(t.Context())
			if err != nil || bad != nil {
				t.Fatal(err, bad)
			}
			if n == 0 && s.Final > 10 {
				break
			}
			select {
			case <-tick.C:
			case <-t.Context().Done():
				t.Fatalf("%s: %d entries wait, %d are final", id, n, s.Final)
			}
		}
	}
	today := ledgerfile.DayOf(time.Now().UnixMilli())
	base := t.TempDir()
	for _, id := range ids[:2] {
		if err := members[id].ExportAudit(t.Context(), filepath.Join(base, id), ledgerfile.Period{First: today, Last: today + 1}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := audit.Compare(os.DirFS(filepath.Join(base, "AU")), os.DirFS(filepath.Join(base, "ID")), audit.Certificate)
	if err != nil || !c.OK || c.Common == 0 {
		t.Errorf("%v, %v, %v, %v", err, c.Faults, c.Reports[0].Faults, c.Reports[1].Faults)
	}
	if l := c.Reports[0].Ledger; l == nil || l.Own == 0 || len(l.Sequencers) != 4 || l.Final != l.Entries {
		t.Errorf("%+v", l)
	}
}
