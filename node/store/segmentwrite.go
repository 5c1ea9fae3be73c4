package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"entente/crypto/seal"
)

// Points of the making and removing of a segment file at which tests look at the files or
// let something fail.
const (
	stepChunk   = "segment chunk"
	stepSync    = "before segment sync"
	stepRename  = "before segment rename"
	stepRenamed = "after segment rename"
	stepRemove  = "before segment removal"
)

// SegmentWriter makes a segment file. It holds one chunk in memory, and the keys of the
// chunks' first entries. It is for one goroutine. The caller must end it with Commit or
// Abort.
type SegmentWriter struct {
	store  *Store
	info   SegmentInfo
	key    seal.Key
	root   *os.Root
	file   *os.File
	chunk  []byte
	index  []byte
	last   []byte // key of the last entry; empty before the first
	done   bool
	failed error
}

// Format prints a placeholder, whatever the verb: a writer holds entries and a key.
func (*SegmentWriter) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[segment writer]")) }

// CreateSegment begins a segment file of entries of width bytes (1 to 256), sorted and found
// by their first keyLength bytes. Until Commit it has a temporary name.
func (s *Store) CreateSegment(width, keyLength int) (*SegmentWriter, error) {
	if err := checkShape(width, keyLength); err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	name := make([]byte, segmentName)
	rand.Read(name) // never fails
	w := &SegmentWriter{
		store: s, key: seal.NewKey(), chunk: make([]byte, 0, chunkEntries*width),
		info: SegmentInfo{Name: hex.EncodeToString(name), Width: width, KeyLength: keyLength},
	}
	wrapped := s.keys.wrap.Seal(w.key.Bytes(), place("segment files", "wrapped", []byte(w.info.Name)))
	copy(w.info.Wrapped[:], wrapped)
	var err error
	if w.root, err = s.segmentRoot(); err != nil {
		return nil, fmt.Errorf("create segment: %w", named(err))
	}
	w.file, err = w.root.OpenFile(w.info.Name+segmentTemp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", errors.Join(named(err), w.root.Close()))
	}
	if _, err = w.file.WriteString(segmentHeader); err != nil {
		return nil, fmt.Errorf("create segment: %w", errors.Join(named(err), w.Abort()))
	}
	return w, nil
}

// Append adds an entry, whose key must be above that of the one before. After a failure the
// segment can only be aborted.
func (w *SegmentWriter) Append(entry []byte) error {
	err := w.usable()
	if err == nil {
		err = w.append(entry)
	}
	if err != nil {
		w.failed = err
		return fmt.Errorf("write segment: %w", err)
	}
	return nil
}

func (w *SegmentWriter) usable() error {
	if w.done {
		return errors.New("it was ended before")
	}
	return w.failed
}

func (w *SegmentWriter) append(entry []byte) error {
	if len(entry) != w.info.Width {
		return fmt.Errorf("an entry has %d bytes instead of %d", len(entry), w.info.Width)
	}
	key := entry[:w.info.KeyLength]
	if len(w.last) > 0 && bytes.Compare(w.last, key) >= 0 {
		return errors.New("the entries do not ascend")
	}
	if w.info.Entries == maxEntries {
		return errors.New("it has too many entries")
	}
	if len(w.chunk) == 0 {
		w.index = append(w.index, key...)
	}
	w.last = append(w.last[:0], key...)
	w.chunk = append(w.chunk, entry...)
	w.info.Entries++
	if len(w.chunk) == cap(w.chunk) {
		return w.flush()
	}
	return nil
}

// flush seals and writes the chunk.
func (w *SegmentWriter) flush() error {
	if len(w.chunk) == 0 {
		return nil
	}
	if err := w.store.step(stepChunk); err != nil {
		return err
	}
	sealed := w.key.Seal(w.chunk, place("segment files", "chunk", w.info.piece(w.info.chunks()-1)))
	clear(w.chunk)
	w.chunk = w.chunk[:0]
	_, err := w.file.Write(sealed)
	return named(err)
}

// Commit makes the file durable under its name. The caller then stores what it returns; a
// file whose SegmentInfo nobody stored is a stray. If it fails, no file is left.
func (w *SegmentWriter) Commit() (SegmentInfo, error) {
	err := w.usable()
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		return SegmentInfo{}, fmt.Errorf("commit segment: %w", errors.Join(err, w.Abort()))
	}
	w.end()
	_ = w.root.Close() // read-only handle of a folder
	return w.info, nil
}

func (w *SegmentWriter) commit() error {
	if err := w.flush(); err != nil {
		return err
	}
	footer := w.key.Seal(w.info.encodeFooter(w.index), place("segment files", "footer", w.info.piece(w.info.chunks())))
	w.info.Digest = sha256.Sum256(footer)
	if _, err := w.file.Write(footer); err != nil {
		return named(err)
	}
	if err := w.store.step(stepSync); err != nil {
		return err
	}
	if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
		return named(err)
	}
	if err := w.store.step(stepRename); err != nil {
		return err
	}
	if err := w.root.Rename(w.info.Name+segmentTemp, w.info.Name); err != nil {
		return err
	}
	if err := w.store.step(stepRenamed); err != nil {
		return err
	}
	return syncFolder(w.root)
}

// Abort removes what was written; after Commit it does nothing.
func (w *SegmentWriter) Abort() error {
	if w.done {
		return nil
	}
	w.end()
	_ = w.file.Close() // it may be closed; nothing of it is kept
	errs := []error{nil}
	for _, n := range []string{w.info.Name + segmentTemp, w.info.Name} {
		if err := w.root.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(append(errs, w.root.Close())...); err != nil {
		return fmt.Errorf("abort segment: %w", err)
	}
	return nil
}

func (w *SegmentWriter) end() {
	w.done = true
	clear(w.chunk)
	w.chunk, w.index, w.last = nil, nil, nil
}
