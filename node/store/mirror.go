package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"entente/protocol/entry"
)

// Mirror brings the logs of both chains in dir/audit up to the database, durably: a
// missing or torn end is completed from the database. dir is the node's directory. An
// altered log is reported and left as it is, for the auditor to see.
func (s *Store) Mirror(ctx context.Context, dir string) error {
	s.audit.Lock()
	defer s.audit.Unlock()
	if s.audit.behind != nil {
		if s.audit.behind = s.writeMarks(ctx); s.audit.behind != nil {
			return fmt.Errorf("mirror the chains: %w", s.audit.behind)
		}
	}
	folder := filepath.Join(dir, AuditFolder)
	if s.audit.folder != folder {
		s.audit.folder, s.audit.ends = folder, make(map[string]logEnd)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("mirror the chains: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("mirror the chains: %w", err)
	}
	defer func() { _ = root.Close() }() // read-only handle of a folder
	for _, c := range chains() {
		if err := s.mirror(ctx, root, c); err != nil {
			return fmt.Errorf("mirror the %s chain: %w", c, err)
		}
	}
	return nil
}

// logEnd is how far a log is good.
type logEnd struct {
	size int64 // bytes up to the end of the last whole entry; 0: not even the header
	head entry.Head
}

// mirror appends to one log what it lacks.
func (s *Store) mirror(ctx context.Context, root *os.Root, c entry.Chain) error {
	_, err := root.Lstat(c.LogName())
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := root.OpenFile(c.LogName(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = s.catchUp(ctx, f, c)
	if err := errors.Join(err, f.Close()); err != nil {
		delete(s.audit.ends, c.LogName())
		return err
	}
	if fresh {
		return syncFolder(root)
	}
	return nil
}

func (s *Store) catchUp(ctx context.Context, f *os.File, c entry.Chain) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end, known := s.audit.ends[c.LogName()]
	if !known || info.Size() != end.size {
		if end, err = readEnd(f, c); err != nil {
			return err
		}
	}
	before := end.size
	if info.Size() > before {
		if err := f.Truncate(before); err != nil {
			return fmt.Errorf("cut off a torn end: %w", err)
		}
	}
	w := bufio.NewWriter(io.NewOffsetWriter(f, before))
	err = s.View(ctx, func(tx *Tx) error { return tx.writeLog(w, c, &end) })
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if end.size != info.Size() {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	s.audit.ends[c.LogName()] = end
	return nil
}

// writeLog writes what follows end, and moves end along.
func (t *Tx) writeLog(w io.Writer, c entry.Chain, end *logEnd) error {
	first, err := t.after(c, end.head)
	if err != nil {
		return err
	}
	if end.size == 0 {
		n, err := w.Write(entry.LogHeader(c))
		if err != nil {
			return err
		}
		end.size = int64(n)
	}
	var frame []byte
	for signed, err := range t.Entries(c, first) {
		if err != nil {
			return err
		}
		if frame, err = entry.AppendFrame(frame[:0], signed); err != nil {
			return err
		}
		if _, err := w.Write(frame); err != nil {
			return err
		}
		end.size += int64(len(frame))
		if end.head, err = entry.HeadOf(signed); err != nil {
			return err
		}
	}
	return nil
}

// after checks that the database holds the entry at which a log ends, and returns the
// number from which the log is to go on.
func (t *Tx) after(c entry.Chain, logged entry.Head) (uint64, error) {
	if logged.Empty() {
		return 0, nil
	}
	for signed, err := range t.Entries(c, logged.Sequence) {
		if err != nil {
			return 0, err
		}
		if signed.Digest() == logged.Digest {
			return logged.Sequence + 1, nil
		}
		break
	}
	return 0, ErrLogDiffers
}

// readEnd finds where a log's whole entries end.
func readEnd(f *os.File, c entry.Chain) (logEnd, error) {
	var end logEnd
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return logEnd{}, err
	}
	var last *entry.Frame
	for frame, err := range entry.ReadLog(f, c) {
		if err != nil {
			broken, ok := errors.AsType[*entry.LogError](err)
			if !ok || !broken.Torn {
				return logEnd{}, err
			}
			end.size = broken.Offset
			break
		}
		last, end.size = &frame, frame.End
	}
	if last == nil {
		if end.size == 0 {
			info, err := f.Stat()
			if err == nil && info.Size() >= int64(len(entry.LogHeader(c))) {
				end.size = int64(len(entry.LogHeader(c)))
			}
			return end, err
		}
		return end, nil
	}
	var err error
	end.head, err = entry.HeadOf(last.Signed)
	return end, err
}

// recoverLog takes into the database what the log of a chain holds beyond it. Every
// entry of the log is verified first; a torn end is left out. A log that ends with
// what the database does not hold is a fork, and refused.
func (t *Tx) recoverLog(c entry.Chain, folder string) error {
	f, err := os.Open(filepath.Join(folder, c.LogName()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recover the %s chain: %w", c, err)
	}
	defer func() { _ = f.Close() }() // read only
	head, err := t.Head(c)
	if err != nil {
		return err
	}
	author := t.store.author.Load()
	check := entry.NewCheck(author.Member, c, author.Begins())
	joined := head.Empty()
	var foreign []byte // the last entry that was taken from others, who had checked it
	if c == entry.Submitted {
		if foreign, err = t.Get(adopted); err != nil && !isNotFound(err) {
			return err
		}
	}
	for frame, err := range entry.ReadLog(f, c) {
		if broken, ok := errors.AsType[*entry.LogError](err); ok && broken.Torn {
			break
		}
		if err == nil && len(foreign) > 0 {
			if digest := frame.Signed.Digest(); string(foreign) == string(digest[:]) {
				foreign = nil
				check, err = check.From(frame.Signed)
			}
			if err == nil {
				joined = joined || check.Head().Digest == head.Digest
				continue
			}
		}
		if err == nil {
			_, err = check.Add(frame.Signed)
		}
		if err != nil {
			return fmt.Errorf("recover the %s chain from its log (move %s aside to go on without it): %w", c, AuditFolder, err)
		}
		if joined {
			if err := t.putEntry(c, frame.Signed); err != nil {
				return err
			}
		}
		joined = joined || check.Head().Digest == head.Digest
	}
	if _, err := t.after(c, check.Head()); err != nil {
		return fmt.Errorf("recover the %s chain from its log: %w", c, err)
	}
	return nil
}
