package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"entente/node/audit"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
)

// alteredFolder is the copy of Australia's audit folder in which one byte is altered.
const alteredFolder = "au-altered"

// audit checks what the nodes have signed, first as it is, then with one byte altered.
func (s *story) audit(ctx context.Context) error {
	if err := s.stage.stop(); err != nil {
		return err
	}
	s.screen.say("The nodes are switched off. The auditor has their audit folders and nothing else, and trusts only the members' " +
		"signatures: is the roster signed by all, does every entry follow the one before, is every receipt signed by both sides?")
	for _, id := range ids() {
		m := s.stage.members[id]
		folder := filepath.Join(s.base, id+"-audit")
		days := ledgerfile.Period{First: ledgerfile.DayOf(s.began.UnixMilli()), Last: ledgerfile.DayOf(time.Now().UnixMilli())}
		if err := m.ExportAudit(ctx, folder, days); err != nil {
			return err
		}
		report, err := audit.Check(os.DirFS(folder), audit.Certificate)
		if err != nil {
			return err
		}
		s.check(id+": the audit folder is right", true, report.OK)
		s.check(id+": receipts", s.truth.receipts[id], report.Receipts)
		s.screen.item(nameOf(id), "%s: %d entries in two chains, %s", verdict(report), entries(report), receipts(report.Receipts))
	}
	s.screen.gap()
	return s.tamper()
}

// tamper alters one byte in a copy and lets the same check find it.
func (s *story) tamper() error {
	folder := filepath.Join(s.base, alteredFolder)
	if err := os.CopyFS(folder, os.DirFS(s.stage.members[au].AuditDir())); err != nil {
		return fmt.Errorf("copy the audit folder: %w", err)
	}
	at, frame, sequence, err := alter(filepath.Join(folder, entry.Local.LogName()))
	if err != nil {
		return err
	}
	report, err := audit.Check(os.DirFS(folder), audit.Certificate)
	if err != nil {
		return err
	}
	s.check("the altered folder is right", false, report.OK)
	named := fmt.Sprintf("%s, entry %d, offset %d", entry.Local.LogName(), sequence, frame)
	got := "nothing"
	if len(report.Faults) > 0 {
		f := report.Faults[0]
		got = f.File
		if f.Sequence != nil && f.Offset != nil {
			got = fmt.Sprintf("%s, entry %d, offset %d", f.File, *f.Sequence, *f.Offset)
		}
		s.screen.say("Now one byte of Australia's log is altered, in a copy: the one at place %d, within entry %d. The same check says:", at, sequence)
		s.screen.item("WRONG", "%s", f)
	}
	s.check("file and place that the check names", named, got)
	s.screen.say("The check names the file, the entry and the place where it begins. An entry that was altered later cannot pass for the one that was signed.")
	return nil
}

// alter flips a bit in the middle of an entry in the middle of a log. It returns the
// place of the byte, and the entry's.
func alter(log string) (at, frame int64, sequence uint64, err error) {
	b, err := os.ReadFile(log)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("alter a byte: %w", err)
	}
	f, err := os.Open(log)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("alter a byte: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n := uint64(0)
	for x, err := range entry.ReadLog(f, entry.Local) {
		if err != nil {
			return 0, 0, 0, fmt.Errorf("alter a byte: %w", err)
		}
		if frame, at, sequence = x.Offset, (x.Offset+x.End)/2, n; x.End > int64(len(b))/2 {
			break
		}
		n++
	}
	b[at] ^= 1
	if err := os.WriteFile(log, b, 0o600); err != nil {
		return 0, 0, 0, fmt.Errorf("alter a byte: %w", err)
	}
	return at, frame, sequence, nil
}

func verdict(r audit.Report) string {
	if r.OK {
		return "everything is right"
	}
	return fmt.Sprintf("%d faults", len(r.Faults))
}

func entries(r audit.Report) int {
	n := 0
	for _, c := range r.Chains {
		n += c.Entries
	}
	return n
}

func receipts(n int) string {
	switch n {
	case 0:
		return "no receipt, since no round took place"
	case 1:
		return "one receipt, signed by both sides"
	}
	return few(n) + " receipts, each signed by both sides"
}
