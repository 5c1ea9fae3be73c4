// Package ledgerfile is the form of the folder in which a member hands its copy of the
// federation's ledger to an auditor. (SPEC "Export of the ledger".)
//
//	manifest                        which ledger, how many entries, and for which days
//	roster.json, roster.json.*.sig  the first roster and its signatures (protocol/roster)
//	entries/00000000000000, …       signed entries, named by the place of the first
//	checkpoints                     final checkpoints, the smaller ones first
//	terms                           openings of later ledger terms, if there were any
//
// It promises against whoever wrote the folder that reading takes no more memory than one
// entry or checkpoint may have, and that every byte of a file is read as one thing only or
// refused. What the entries are worth it does not say: they have to be replayed
// (protocol/replay), and checkpoints to be checked (protocol/checkpoint).
package ledgerfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/recovery"
)

// Names within the folder, and the folder's own in an audit folder.
const (
	Folder          = "ledger"
	ManifestName    = "manifest"
	RosterName      = "roster.json"
	EntriesFolder   = "entries"
	CheckpointsName = "checkpoints"
	TermsName       = "terms"
)

// Sizes of files in bytes.
const (
	MaxEntries     = 8 << 20 // of one file of entries
	MaxCheckpoints = 1 << 30
	MaxTerms       = 64 << 20 // some hundred terms of a large federation
)

const nameDigits = 14 // enough for checkpoint.MaxSize

// EntriesName is the name, within its folder, of the file that begins with an entry.
func EntriesName(first uint64) string { return fmt.Sprintf("%0*d", nameDigits, first) }

// ParseEntriesName reads what EntriesName writes.
func ParseEntriesName(name string) (first uint64, ok bool) {
	first, err := strconv.ParseUint(name, 10, 64)
	return first, err == nil && EntriesName(first) == name
}

// Kind says what a file of frames holds.
type Kind uint8

// The kinds of files of frames.
const (
	Entries     Kind = 1 // signed entries
	Checkpoints Kind = 2 // signed checkpoints
	Terms       Kind = 3 // openings of ledger terms
)

var kinds = map[Kind]struct {
	frame, article, header string
	most                   uint32 // bytes of a frame's content
	file                   int64  // bytes
}{
	Entries:     {"entry", "an", "entente ledger entries 1\n", entry.MaxSigned, MaxEntries},
	Checkpoints: {"checkpoint", "a", "entente ledger checkpoints 1\n", checkpoint.MaxSigned, MaxCheckpoints},
	Terms:       {"opening of a term", "an", "entente ledger terms 1\n", recovery.MaxOpening, MaxTerms},
}

// String names what one frame holds.
func (k Kind) String() string { return kinds[k].frame }

// Header is how a file begins: one line of text, so that a person sees what it is.
func (k Kind) Header() []byte { return []byte(kinds[k].header) }

// limits are those of a frame's content and of the file.
func (k Kind) limits() (frame uint32, file int64) { return kinds[k].most, kinds[k].file }

const frameHeader = 4 // bytes of a frame's length, big-endian

// AppendFrame appends one entry, checkpoint or opening as a file holds it.
func (k Kind) AppendFrame(b, content []byte) ([]byte, error) {
	if most, _ := k.limits(); len(content) == 0 || len(content) > int(most) {
		return nil, fmt.Errorf("append frame: the %s has %d bytes, must have 1 to %d", k, len(content), most)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(content)))
	return append(b, content...), nil
}

// Fits reports whether a file of that length can take in one more.
func (k Kind) Fits(file int64, content []byte) bool {
	_, most := k.limits()
	return file+frameHeader+int64(len(content)) <= most
}

// Frame is one entry, checkpoint or opening, encoded, and where it stands in its file.
type Frame struct {
	Offset  int64 // of the frame's first byte
	Content []byte
}

// Error says where a file cannot be read on.
type Error struct {
	Offset int64
	Err    error
}

// Error says what is wrong and where.
func (e *Error) Error() string { return fmt.Sprintf("at offset %d: %v", e.Offset, e.Err) }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// Read reads a file frame by frame. The last pair may hold an error, after which nothing
// follows: an *Error, or the reader's own, wrapped. It does not look into the frames.
func (k Kind) Read(r io.Reader) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		header := k.Header()
		got := make([]byte, len(header))
		if n, err := io.ReadFull(in, got); err != nil && !ended(err) {
			yield(Frame{}, fmt.Errorf("read %s file: %w", k, err))
			return
		} else if string(got[:n]) != string(header) {
			yield(Frame{}, &Error{Err: fmt.Errorf("does not begin with %q", header)})
			return
		}
		for offset := int64(len(header)); ; {
			content, err := k.frame(in, offset)
			if err == io.EOF {
				return
			}
			if !yield(Frame{Offset: offset, Content: content}, err) || err != nil {
				return
			}
			offset += frameHeader + int64(len(content))
		}
	}
}

// frame reads the next frame's content. It returns io.EOF at the end of the last one.
func (k Kind) frame(in io.Reader, offset int64) ([]byte, error) {
	var head [frameHeader]byte
	switch _, err := io.ReadFull(in, head[:]); {
	case err == io.EOF:
		return nil, err
	case err != nil:
		return nil, k.torn(err, offset)
	}
	n := binary.BigEndian.Uint32(head[:])
	most, file := k.limits()
	if n == 0 || n > most {
		return nil, &Error{Offset: offset, Err: fmt.Errorf("%s %s of %d bytes cannot be: at most %d", kinds[k].article, k, n, most)}
	}
	if offset+frameHeader+int64(n) > file {
		return nil, &Error{Offset: offset, Err: fmt.Errorf("the file is longer than the %d bytes that it may have", file)}
	}
	content := make([]byte, n)
	if _, err := io.ReadFull(in, content); err != nil {
		return nil, k.torn(err, offset)
	}
	return content, nil
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

func (k Kind) torn(err error, offset int64) error {
	if ended(err) {
		return &Error{Offset: offset, Err: errors.New("the file ends in the middle of what begins here")}
	}
	return fmt.Errorf("read %s file: %w", k, err)
}
