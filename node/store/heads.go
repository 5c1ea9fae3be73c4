package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"entente/protocol/entry"
)

// AuditFolder is where the mirror of the chains and the high-water file lie, in the
// node's directory.
const AuditFolder = "audit"

// headFile holds the newest number of each chain. It lies outside the database and
// outside backups: if it is ahead of the database, the database is an old copy.
const headFile = "head"

const headHeader = "entente audit head 1\n"

// mark is one line of the high-water file. Used is false if the chain was empty.
type mark struct {
	used     bool
	sequence uint64
	digest   [32]byte
}

// marks are the lines of the high-water file, one a chain.
type marks [2]mark

// ahead reports whether m holds a number that h has not reached.
func (m mark) ahead(h entry.Head) bool {
	return m.used && (h.Empty() || m.sequence > h.Sequence)
}

// encodeMarks writes one line for each chain that has entries: name, number, digest.
func encodeMarks(m marks) []byte {
	b := []byte(headHeader)
	for i, c := range chains() {
		if m[i].used {
			b = fmt.Appendf(b, "%s %d %x\n", c, m[i].sequence, m[i].digest)
		}
	}
	return b
}

var errMarks = errors.New("the file does not have the expected form")

// decodeMarks reads the file strictly.
func decodeMarks(b []byte) (marks, error) {
	var m marks
	rest, ok := bytes.CutPrefix(b, []byte(headHeader))
	if !ok {
		return marks{}, errMarks
	}
	for line := range strings.Lines(string(rest)) {
		for i, c := range chains() {
			text, ok := strings.CutPrefix(line, c.String()+" ")
			if !ok {
				continue
			}
			sequence, digest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
			n, err := strconv.ParseUint(sequence, 10, 63)
			d, bad := hex.DecodeString(digest)
			if err != nil || bad != nil || len(d) != 32 {
				return marks{}, errMarks
			}
			m[i] = mark{used: true, sequence: n, digest: [32]byte(d)}
		}
	}
	if !bytes.Equal(encodeMarks(m), b) {
		return marks{}, errMarks
	}
	return m, nil
}

// readMarks reads the high-water file; without one it knows of nothing.
func (s *Store) readMarks() (marks, error) {
	b, err := os.ReadFile(filepath.Join(s.dir, AuditFolder, headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return marks{}, nil
	}
	if err != nil {
		return marks{}, fmt.Errorf("read high-water file: %w", err)
	}
	m, err := decodeMarks(b)
	if err != nil {
		return marks{}, fmt.Errorf("read high-water file %s/%s: %w", AuditFolder, headFile, err)
	}
	return m, nil
}

// advanceHeads brings the high-water file up to the database. The commit has happened,
// so a failure is kept for Mirror to report, and the next append tries again.
func (s *Store) advanceHeads(ctx context.Context) {
	s.audit.Lock()
	defer s.audit.Unlock()
	s.audit.behind = s.writeMarks(ctx)
}

func (s *Store) writeMarks(ctx context.Context) error {
	var m marks
	err := s.View(ctx, func(tx *Tx) error {
		for i, c := range chains() {
			h, err := tx.Head(c)
			if err != nil {
				return err
			}
			m[i] = mark{used: !h.Empty(), sequence: h.Sequence, digest: h.Digest}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write high-water file: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, AuditFolder), 0o700); err != nil {
		return fmt.Errorf("write high-water file: %w", err)
	}
	root, err := os.OpenRoot(filepath.Join(s.dir, AuditFolder))
	if err != nil {
		return fmt.Errorf("write high-water file: %w", err)
	}
	defer func() { _ = root.Close() }() // read-only handle of a folder
	if err := replaceFile(root, headFile, encodeMarks(m)); err != nil {
		return fmt.Errorf("write high-water file: %w", err)
	}
	return nil
}

// replaceFile puts content in place of a file so that after a crash one of the two is there whole.
func replaceFile(root *os.Root, name string, content []byte) error {
	f, err := root.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := root.Rename(name+".new", name); err != nil {
		return err
	}
	return syncFolder(root)
}

// continueChains compares the database with the high-water file. If the file is ahead,
// an old copy was put in place by hand: then what must not be used twice is erased,
// and the chains go on after a stated gap, as after Restore.
func (s *Store) continueChains(ctx context.Context) error {
	known, err := s.readMarks()
	if err != nil {
		return err
	}
	old := false
	err = s.View(ctx, func(tx *Tx) error {
		for i, c := range chains() {
			h, err := tx.Head(c)
			if err != nil {
				return err
			}
			old = old || known[i].ahead(h)
		}
		return nil
	})
	if err != nil || !old {
		return err
	}
	if err := s.renew(ctx, known, time.Now()); err != nil {
		return fmt.Errorf("the database is older than its audit folder: %w", err)
	}
	return nil
}

// renew makes an old copy safe to go on with: secrets, journals and standing records are
// erased, rounds and subscriptions are marked, and each chain takes in what its log still holds and then
// continues at a number that cannot have been used.
func (s *Store) renew(ctx context.Context, known marks, now time.Time) error {
	return s.Update(ctx, func(tx *Tx) error {
		tx.erased = true
		for _, q := range []string{
			"DELETE FROM round_secrets", "DELETE FROM journal", "UPDATE rounds SET restored = 1",
			"DELETE FROM subscription_secrets", "DELETE FROM standing", "DELETE FROM touched", "UPDATE subscriptions SET restored = 1",
		} {
			if _, err := tx.exec(q); err != nil {
				return err
			}
		}
		for i, c := range chains() {
			if err := tx.recoverLog(c, filepath.Join(s.dir, AuditFolder)); err != nil {
				return err
			}
			author, prev, err := tx.writer(c)
			if err != nil {
				return err
			}
			if c == entry.Submitted {
				if waits, err := tx.Awaits(); err != nil {
					return err
				} else if waits {
					continue
				}
			}
			newest := prev.Sequence
			if known[i].ahead(prev) {
				newest = known[i].sequence
			}
			signed, _, err := author.Restore(prev, c, newest, now)
			if err != nil {
				return err
			}
			if err := tx.putEntry(c, signed); err != nil {
				return err
			}
		}
		return nil
	})
}
