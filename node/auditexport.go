package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"entente/node/federation"
	"entente/node/ledger"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
	"entente/protocol/roster"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// ExportAudit writes what an auditor is shown of some days into a new folder: the audit
// folder, of which openings and receipts only as far as they were sealed on those days,
// and this node's copy of the ledger, if there is one. Chains, rosters, agreements and the
// ledger are whole, because none of them can be checked in part. After an error there is
// no folder.
func (n *Node) ExportAudit(ctx context.Context, dir string, p ledgerfile.Period) error {
	if err := n.exportAudit(ctx, dir, p); err != nil {
		return fmt.Errorf("export for an auditor: %w", err)
	}
	return nil
}

func (n *Node) exportAudit(ctx context.Context, dir string, p ledgerfile.Period) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s is there already", dir)
	}
	if err := n.Mirror(ctx); err != nil {
		return err
	}
	part := dir + "." + rand.Text()[:8] + ".part"
	err := n.copyAudit(ctx, part, p)
	if l := n.ledger.Load(); err == nil && l != nil {
		var first roster.Roster
		var signatures []roster.Signature
		first, signatures, err = roster.Load(os.DirFS(n.dir), federation.RosterName)
		if err == nil {
			err = l.Mirror().Export(ctx, filepath.Join(part, ledgerfile.Folder), first, signatures, p)
		}
		if errors.Is(err, ledger.ErrNothingFinal) {
			err = nil // the rest stands by itself
		}
	}
	if err == nil {
		err = os.Rename(part, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	return nil
}

// copyAudit copies the audit folder as far as it is of those days.
func (n *Node) copyAudit(ctx context.Context, to string, p ledgerfile.Period) error {
	n.mirrors.Lock() // nothing is added meanwhile
	defer n.mirrors.Unlock()
	from, err := os.OpenRoot(n.AuditDir())
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // a handle of a folder
	s, err := sealedTimes(from.FS())
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	return fs.WalkDir(from.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case name == ".":
			return nil
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, filepath.FromSlash(name)), 0o700)
		case strings.HasSuffix(name, ".part") || !s.within(from.FS(), name, p):
			return nil
		}
		return copyFile(from, name, filepath.Join(to, filepath.FromSlash(name)))
	})
}

func copyFile(from *os.Root, name, to string) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// sealed says when the submitted chain sealed what openings hold.
type sealed struct {
	digests map[[32]byte]int64 // Unix milliseconds, by sealed digest
	bodies  map[string]int64   // the same by what is sealed
}

func sealedTimes(audit fs.FS) (s sealed, err error) {
	s = sealed{digests: map[[32]byte]int64{}, bodies: map[string]int64{}}
	log, err := audit.Open(entry.Submitted.LogName())
	if err != nil {
		return s, err
	}
	defer func() { _ = log.Close() }() // it was only read
	for f, err := range entry.ReadLog(log, entry.Submitted) {
		if err != nil {
			break // the auditor will be told
		}
		e, err := f.Signed.Decode()
		if err != nil {
			break
		}
		if d, err := e.SealedDigest(); e.Kind == entry.SealedDigest && err == nil {
			s.digests[d] = e.Time
		}
	}
	names, err := fs.Glob(audit, entry.OpeningsFolder+"/*.cbor")
	if err != nil {
		return s, err
	}
	for _, name := range names {
		if o, ok := opening(audit, name); ok {
			if t, ok := s.digests[o.Digest()]; ok {
				s.bodies[string(o.Body)] = t
			}
		}
	}
	return s, nil
}

func opening(audit fs.FS, name string) (entry.Opening, bool) {
	b, err := roster.ReadLimited(audit, name, entry.MaxEntry)
	if err != nil {
		return entry.Opening{}, false
	}
	o, err := entry.UnmarshalOpening(b)
	return o, err == nil
}

// within reports whether a file belongs to an export of those days. What it cannot read or
// place belongs to it, so that the auditor sees that something is wrong.
func (s sealed) within(audit fs.FS, name string, p ledgerfile.Period) bool {
	var t int64
	var known bool
	switch path.Dir(name) {
	case entry.OpeningsFolder:
		o, ok := opening(audit, name)
		if !ok || o.Label == standing.AgreementLabel { // agreements are shown of all days
			return true
		}
		t, known = s.digests[o.Digest()]
	case entry.ReceiptsFolder:
		b, err := roster.ReadLimited(audit, name, entry.MaxEntry)
		if err != nil {
			return true
		}
		d := round.CertificateDigest(b)
		t, known = s.bodies[string(d[:])]
	case standing.ReceiptsFolder:
		b, err := roster.ReadLimited(audit, name, entry.MaxEntry)
		var one round.Signed
		if err != nil || wire.Unmarshal(b, &one) != nil {
			return true
		}
		t, known = s.bodies[string(one.Body)]
	default:
		return true
	}
	return !known || p.Holds(t)
}
