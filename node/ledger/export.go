package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"entente/protocol/checkpoint"
	"entente/protocol/ledgerfile"
	"entente/protocol/recovery"
	"entente/protocol/roster"
)

// ErrNothingFinal says that nothing of the ledger is final yet, as far as this node knows.
var ErrNothingFinal = errors.New("nothing of the ledger is final yet")

// What is read from the mirror at a time for an export.
const (
	exportEntries = 1024
	exportBytes   = 4 << 20
)

// Export writes the copy of the ledger that an auditor checks (SPEC "Export of the
// ledger") into a new folder: all entries up to the newest final checkpoint, whichever the
// period. First is the roster with which the ledger began, with the signatures of all.
// The mirror grows on meanwhile. After an error there is no folder.
func (m *Mirror) Export(ctx context.Context, dir string, first roster.Roster, signatures []roster.Signature, p ledgerfile.Period) error {
	if err := m.export(ctx, dir, first, signatures, p); err != nil {
		return fmt.Errorf("export ledger: %w", err)
	}
	return nil
}

func (m *Mirror) export(ctx context.Context, dir string, first roster.Roster, signatures []roster.Signature, p ledgerfile.Period) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if first.Digest() != m.first.Federation {
		return errors.New("the ledger did not begin with this roster")
	}
	if err := first.Verify(signatures); err != nil {
		return err
	}
	finals, err := m.Final()
	if err != nil {
		return err
	}
	if len(finals) == 0 {
		return ErrNothingFinal
	}
	newest, err := finals[len(finals)-1].Checkpoint()
	if err != nil {
		return err
	}
	if newest.Size == 0 {
		return ErrNothingFinal
	}
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s is there already", dir)
	}
	part := dir + "." + rand.Text()[:8] + ".part"
	x := export{dir: part}
	x.folder("")
	x.folder(ledgerfile.EntriesFolder)
	x.roster(first, signatures)
	x.checkpoints(finals)
	x.terms(m.until(newest.Origin))
	x.entries(ctx, m, newest.Size)
	x.file(ledgerfile.ManifestName, ledgerfile.Manifest{Origin: newest.Origin, Entries: newest.Size, Period: p}.Text())
	if x.err == nil {
		x.err = os.Rename(part, dir)
	}
	if x.err != nil {
		return errors.Join(x.err, os.RemoveAll(part))
	}
	return nil
}

// export writes files until something fails.
type export struct {
	dir string
	err error
}

func (x *export) folder(name string) {
	if x.err == nil {
		x.err = os.Mkdir(filepath.Join(x.dir, name), 0o700)
	}
}

// file writes a file durably: what an auditor takes away is whole, or not there.
func (x *export) file(name string, content []byte) {
	if x.err != nil {
		return
	}
	f, err := os.OpenFile(filepath.Join(x.dir, filepath.FromSlash(name)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		x.err = err
		return
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	x.err = errors.Join(err, f.Close())
}

func (x *export) roster(r roster.Roster, signatures []roster.Signature) {
	b, err := r.JSON()
	x.err = errors.Join(x.err, err)
	x.file(ledgerfile.RosterName, b)
	for _, s := range signatures {
		b, err := s.JSON()
		x.err = errors.Join(x.err, err)
		x.file(roster.SignatureName(ledgerfile.RosterName, s.Member), b)
	}
}

func (x *export) checkpoints(finals []checkpoint.Signed) {
	b := ledgerfile.Checkpoints.Header()
	for _, s := range finals {
		encoded, err := s.Marshal()
		if err == nil && !ledgerfile.Checkpoints.Fits(int64(len(b)), encoded) {
			err = errors.New("more final checkpoints than an export can hold")
		}
		if err == nil {
			b, err = ledgerfile.Checkpoints.AppendFrame(b, encoded)
		}
		if x.err = errors.Join(x.err, err); x.err != nil {
			return
		}
	}
	x.file(ledgerfile.CheckpointsName, b)
}

// until are the openings of the terms up to one.
func (m *Mirror) until(o checkpoint.Origin) []recovery.Opening {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.terms[:max(m.state.Number(o)-1, 0)])
}

func (x *export) terms(openings []recovery.Opening) {
	if len(openings) == 0 {
		return
	}
	b := ledgerfile.Terms.Header()
	for _, o := range openings {
		encoded, err := o.Marshal()
		if err == nil {
			b, err = ledgerfile.Terms.AppendFrame(b, encoded)
		}
		if x.err = errors.Join(x.err, err); x.err != nil {
			return
		}
	}
	x.file(ledgerfile.TermsName, b)
}

// entries writes the first so many, and begins another file where one is full.
func (x *export) entries(ctx context.Context, m *Mirror, size uint64) {
	first, b := uint64(0), ledgerfile.Entries.Header()
	flush := func() { x.file(ledgerfile.EntriesFolder+"/"+ledgerfile.EntriesName(first), b) }
	for next := uint64(0); next < size && x.err == nil; {
		if x.err = ctx.Err(); x.err != nil {
			return
		}
		some, err := m.Entries(next, int(min(exportEntries, size-next)), exportBytes)
		if err == nil && len(some) == 0 {
			err = fmt.Errorf("%w: %d entries of %d", ErrNotHeld, next, size)
		}
		x.err = errors.Join(x.err, err)
		for _, one := range some {
			if !ledgerfile.Entries.Fits(int64(len(b)), one) {
				flush()
				first, b = next, append(b[:0], ledgerfile.Entries.Header()...)
			}
			if b, err = ledgerfile.Entries.AppendFrame(b, one); err != nil {
				x.err = errors.Join(x.err, err)
				return
			}
			next++
		}
	}
	flush()
}
