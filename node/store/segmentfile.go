package store

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"entente/crypto/seal"
)

// SegmentFolder is where segment files lie, in the node's directory. They are derived from
// the store and from what partners sent, and never in a backup.
const SegmentFolder = "standing"

// A segment file holds sorted entries of one width, and is never changed:
//
//	"entente segment 1\n" | sealed chunk … | sealed footer
//
// A chunk holds 512 entries, the last one those that are left: 5 to 22 KB, so that a look-up
// opens little, and the footer of ten million entries is still below 400 KB. The footer
// holds the number of entries (8, big-endian), width and key length (2 each), and of each
// chunk the key of its first entry. All are sealed under a key that only this file has,
// with the file's name, the kind of piece and its number as associated data. Their lengths
// follow from the SegmentInfo, which its owner keeps in the database: whoever opens the
// file knows what must be in it, and once the info is erased, nobody can.
const (
	segmentHeader = "entente segment 1\n"
	chunkEntries  = 512
	maxWidth      = 256     // bytes of an entry
	maxEntries    = 1 << 32 // of one file
	segmentName   = 16      // random bytes of a name
	segmentTemp   = ".new"  // ends the name of a file that is not finished
)

// SegmentInfo is what is needed to open a segment file. It is kept in the database, for
// instance as a standing record. It prints only its name.
type SegmentInfo struct {
	Name      string // of the file; no name comes twice
	Width     int    // bytes of an entry
	KeyLength int    // bytes of an entry that it is sorted and found by: its first
	Entries   int64
	Digest    [32]byte // of the sealed footer
	Wrapped   [seal.KeySize + seal.Overhead]byte
}

// String returns the name.
func (i SegmentInfo) String() string { return "[segment " + i.Name + "]" }

// Format prints String, whatever the verb.
func (i SegmentInfo) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, i.String()) }

// LogValue logs String.
func (i SegmentInfo) LogValue() slog.Value { return slog.StringValue(i.String()) }

// infoVersion is the first byte of an encoded SegmentInfo.
const infoVersion = 1

// Encode returns the form that DecodeSegmentInfo reads.
func (i SegmentInfo) Encode() []byte {
	b := []byte{infoVersion}
	b = binary.BigEndian.AppendUint16(b, uint16(i.Width))
	b = binary.BigEndian.AppendUint16(b, uint16(i.KeyLength))
	b = binary.BigEndian.AppendUint64(b, uint64(i.Entries))
	b = append(b, i.Digest[:]...)
	b = append(b, i.Wrapped[:]...)
	return append(b, i.Name...)
}

// DecodeSegmentInfo reads what Encode wrote. errors.Is ErrDamaged.
func DecodeSegmentInfo(b []byte) (SegmentInfo, error) {
	var i SegmentInfo
	const fixed = 1 + 2 + 2 + 8
	if len(b) != fixed+len(i.Digest)+len(i.Wrapped)+2*segmentName || b[0] != infoVersion {
		return SegmentInfo{}, fmt.Errorf("%w: a segment's description does not have the expected form", ErrDamaged)
	}
	i.Width = int(binary.BigEndian.Uint16(b[1:]))
	i.KeyLength = int(binary.BigEndian.Uint16(b[3:]))
	i.Entries = int64(binary.BigEndian.Uint64(b[5:]))
	b = b[fixed:]
	b = b[copy(i.Digest[:], b):]
	b = b[copy(i.Wrapped[:], b):]
	i.Name = string(b)
	if err := i.check(); err != nil {
		return SegmentInfo{}, err
	}
	return i, nil
}

// check says whether a file can be like that.
func (i SegmentInfo) check() error {
	if err := checkShape(i.Width, i.KeyLength); err != nil {
		return err
	}
	if i.Entries < 0 || i.Entries > maxEntries || !isSegmentName(i.Name) {
		return fmt.Errorf("%w: a segment's description is out of its range", ErrDamaged)
	}
	return nil
}

func checkShape(width, keyLength int) error {
	if width < 1 || width > maxWidth || keyLength < 1 || keyLength > width {
		return fmt.Errorf("%w: a segment cannot have entries of %d bytes with keys of %d", ErrDamaged, width, keyLength)
	}
	return nil
}

func isSegmentName(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == segmentName && hex.EncodeToString(b) == s
}

// chunks is how many there are.
func (i SegmentInfo) chunks() int { return int((i.Entries + chunkEntries - 1) / chunkEntries) }

// entriesOf is how many entries a chunk holds.
func (i SegmentInfo) entriesOf(chunk int) int {
	return int(min(i.Entries-int64(chunk)*chunkEntries, chunkEntries))
}

// chunkAt is where a sealed chunk begins in the file.
func (i SegmentInfo) chunkAt(chunk int) int64 {
	return int64(len(segmentHeader)) + int64(chunk)*int64(chunkEntries*i.Width+seal.Overhead)
}

// footerAt is where the footer begins, and footerSize how long it is until the end.
func (i SegmentInfo) footerAt() int64 {
	return int64(len(segmentHeader)) + i.Entries*int64(i.Width) + int64(i.chunks())*seal.Overhead
}

func (i SegmentInfo) footerSize() int64 {
	return footerFixed + int64(i.chunks())*int64(i.KeyLength) + seal.Overhead
}

// piece is the row part of a piece's place: the file's name and its number.
func (i SegmentInfo) piece(n int) []byte {
	return binary.BigEndian.AppendUint64([]byte(i.Name), uint64(n))
}

const footerFixed = 8 + 2 + 2 // bytes of a footer before its index

var errFooter = fmt.Errorf("%w: the footer of a segment does not fit it", ErrAltered)

// encodeFooter writes a footer; index holds the first keys of the chunks.
func (i SegmentInfo) encodeFooter(index []byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(i.Entries))
	b = binary.BigEndian.AppendUint16(b, uint16(i.Width))
	b = binary.BigEndian.AppendUint16(b, uint16(i.KeyLength))
	return append(b, index...)
}

// decodeFooter returns the index of a footer that must be of this segment.
func (i SegmentInfo) decodeFooter(b []byte) ([]byte, error) {
	if int64(len(b)) != i.footerSize()-seal.Overhead || !bytes.HasPrefix(b, i.encodeFooter(nil)) {
		return nil, errFooter
	}
	index := b[footerFixed:]
	for n := i.KeyLength; n < len(index); n += i.KeyLength {
		if bytes.Compare(index[n-i.KeyLength:n], index[n:n+i.KeyLength]) >= 0 {
			return nil, errFooter
		}
	}
	return index, nil
}

// segmentRoot opens the folder of segment files, and makes it durably if it is not there.
func (s *Store) segmentRoot() (*os.Root, error) {
	path := filepath.Join(s.dir, SegmentFolder)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
		parent, err := os.OpenRoot(s.dir)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(syncFolder(parent), parent.Close()); err != nil {
			return nil, err
		}
	}
	return os.OpenRoot(path)
}

// segmentFiles returns the names of all files that are segments or were to become such.
func segmentFiles(root *os.Root) ([]string, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !isSegmentName(strings.TrimSuffix(n, segmentTemp)) })
	slices.Sort(names)
	return names, nil
}

// Segments returns the names of the finished segment files, sorted.
func (s *Store) Segments() ([]string, error) {
	root, err := s.segmentRoot()
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	names, err := segmentFiles(root)
	if err := errors.Join(err, root.Close()); err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, segmentTemp) }), nil
}

// RemoveSegment removes a segment file, durably. One that is not there is no error. Erase
// its SegmentInfo first: without it the content cannot be read any more, whatever the disk
// keeps, and a kill in between leaves a stray.
func (s *Store) RemoveSegment(name string) error {
	if !isSegmentName(name) {
		return fmt.Errorf("remove segment: %w", ErrNotFound)
	}
	_, err := s.removeSegments(func(n string) bool { return n == name })
	if err != nil {
		return fmt.Errorf("remove segment: %w", err)
	}
	return nil
}

// RemoveStraySegments removes all segment files but those of the given names, half written
// ones too, and returns how many there were: a process that died between making one and
// storing its SegmentInfo left it. None may be in the making.
func (s *Store) RemoveStraySegments(keep []string) (int, error) {
	n, err := s.removeSegments(func(name string) bool { return !slices.Contains(keep, name) })
	if err != nil {
		return n, fmt.Errorf("remove stray segments: %w", err)
	}
	return n, nil
}

func (s *Store) removeSegments(which func(name string) bool) (int, error) {
	root, err := s.segmentRoot()
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }() // read-only handle of a folder
	names, err := segmentFiles(root)
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, n := range names {
		if !which(n) {
			continue
		}
		if err := s.step(stepRemove); err != nil {
			return removed, err
		}
		if err := root.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed++
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, syncFolder(root)
}
