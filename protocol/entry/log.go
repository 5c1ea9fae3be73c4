package entry

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Names of what an audit folder holds. The log of a chain is Chain.LogName.
const (
	OpeningsFolder = "openings" // files with one marshalled Opening each, named OpeningName
	ReceiptsFolder = "receipts" // files with one receipt each, ending in .cbor
)

// LogName is the file name of a chain's log in an audit folder.
func (c Chain) LogName() string { return c.String() + ".log" }

// OpeningName is the path of an opening's file in an audit folder. Readers go by the
// content; the name only keeps two openings apart.
func OpeningName(o Opening) string {
	d := o.Digest()
	return fmt.Sprintf("%s/%x.cbor", OpeningsFolder, d[:])
}

// LogHeader is how the log of a chain begins: one line of text, so that a person sees
// what the file is.
func LogHeader(c Chain) []byte { return []byte("entente audit log 1 " + c.String() + "\n") }

const frameHeader = 4 // bytes of a frame's length, big-endian

// AppendFrame appends an entry as a log holds it: length in 4 bytes, big-endian, then
// the marshalled entry. Logs only ever grow.
func AppendFrame(b []byte, s Signed) ([]byte, error) {
	body, err := s.Marshal()
	if err != nil {
		return nil, err
	}
	if len(body) > MaxSigned {
		return nil, fmt.Errorf("append frame: entry has %d bytes, at most %d", len(body), MaxSigned)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...), nil
}

// Frame is one entry of a log and where it stands in the file.
type Frame struct {
	Offset int64 // of the frame's first byte
	End    int64 // of the first byte after it
	Signed Signed
}

// LogError says where a log cannot be read on.
type LogError struct {
	Offset int64 // of the frame that is wrong, or 0 for the header
	Torn   bool  // the file ends before the frame does, as after a crash while writing
	Err    error
}

// Error says what is wrong and where.
func (e *LogError) Error() string { return fmt.Sprintf("at offset %d: %v", e.Offset, e.Err) }

// Unwrap returns what is wrong.
func (e *LogError) Unwrap() error { return e.Err }

var errTorn = errors.New("the file ends in the middle of an entry, as after a crash while it was written")

// ReadLog reads the log of a chain, frame by frame and strictly. The last pair may hold a
// *LogError, after which nothing follows; a failing reader's own error comes wrapped as
// it is. It checks form only: see Check for signatures and links.
//
// A writer that finds a torn end cuts the file at the error's offset and appends the
// entries that are missing there from its store.
func ReadLog(r io.Reader, c Chain) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		br := bufio.NewReaderSize(r, 16<<10)
		offset, err := readHeader(br, c)
		for err == nil {
			var f Frame
			if f, err = readFrame(br, offset); err != nil {
				break
			}
			if !yield(f, nil) {
				return
			}
			offset = f.End
		}
		if err != io.EOF {
			yield(Frame{}, err)
		}
	}
}

func readHeader(r io.Reader, c Chain) (int64, error) {
	want := LogHeader(c)
	got := make([]byte, len(want))
	n, err := io.ReadFull(r, got)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		if string(got[:n]) == string(want[:n]) {
			return 0, &LogError{Torn: true, Err: errTorn}
		}
	case err != nil:
		return 0, fmt.Errorf("read log: %w", err)
	}
	if string(got) != string(want) {
		return 0, &LogError{Err: fmt.Errorf("the file is no log of the %s chain", c)}
	}
	return int64(len(want)), nil
}

// readFrame returns io.EOF at the end of the last frame.
func readFrame(r *bufio.Reader, offset int64) (Frame, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, torn(err, offset)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 && onlyZeros(r) {
		return Frame{}, &LogError{Offset: offset, Torn: true, Err: errTorn}
	}
	if n == 0 || n > MaxSigned {
		return Frame{}, &LogError{Offset: offset, Err: fmt.Errorf("an entry of %d bytes cannot be", n)}
	}
	// A length alone, of a torn end, sets no memory aside.
	body, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(body) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Frame{}, torn(err, offset)
	}
	s, err := Unmarshal(body)
	if err != nil {
		return Frame{}, &LogError{Offset: offset, Err: err}
	}
	return Frame{Offset: offset, End: offset + frameHeader + int64(n), Signed: s}, nil
}

func torn(err error, offset int64) error {
	switch err {
	case io.EOF:
		return io.EOF
	case io.ErrUnexpectedEOF:
		return &LogError{Offset: offset, Torn: true, Err: errTorn}
	}
	return fmt.Errorf("read log: %w", err)
}

// onlyZeros reports whether nothing but zero bytes follows: some file systems leave
// them after a crash where the file had grown and the data had not arrived.
func onlyZeros(r *bufio.Reader) bool {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err == io.EOF
		}
		if b != 0 {
			return false
		}
	}
}
