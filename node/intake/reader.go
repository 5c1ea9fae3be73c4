package intake

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// Limits of the text form. They bound memory against a file with one endless line or
// a quote that is never closed, and are far above what a list needs.
const (
	maxField     = 64 << 10 // bytes of a field as written
	maxRow       = 1 << 20  // bytes of a row as written, the field that exceeds it included
	maxColumns   = 1024
	usualColumns = 64
	readSize     = 16 << 10 // least number of bytes asked of the source at once
)

// Reasons of rows whose text form is broken.
const (
	reasonQuoteOpen    = "quote_not_closed"
	reasonStrayQuote   = "stray_quote"
	reasonFieldTooLong = "field_too_long"
	reasonRowTooLong   = "row_too_long"
)

// cell is one field of a row. Its text is valid until the reader's next row.
type cell struct {
	text []byte
	line int // where it begins
}

// formFault says where the text form of a row is broken.
type formFault struct {
	reason          string
	line, character int
	column          int // 1 is the first
}

// row is one record of the file: cells, or what is wrong with its form.
type row struct {
	line  int // where it begins
	cells []cell
	wide  bool // more than maxColumns, the rest is not in cells
	fault *formFault
}

// blank tells whether the row has no content at all.
func (r *row) blank() bool {
	if r.fault != nil || r.wide {
		return false
	}
	for _, c := range r.cells {
		if len(bytes.TrimSpace(c.text)) > 0 {
			return false
		}
	}
	return true
}

// reader splits a stream into rows within bounded memory. It is for one goroutine.
type reader struct {
	src      io.Reader
	comma    byte
	end      byte   // last byte of a line: '\n', or '\r' in files of old systems
	buf      []byte // unread bytes are buf[at:]
	at       int
	eof      bool
	line     int   // of buf[at]
	consumed int64 // bytes before buf[at]
	midLine  int   // characters of the line before buf[at]; only while a long line is passed over
}

func newReader(src io.Reader) *reader { return &reader{src: src, comma: ',', end: '\n', line: 1} }

// window is what has been read and not consumed.
func (r *reader) window() []byte { return r.buf[r.at:] }

// more reads at least as much again as the window holds, so that scanning a long row
// anew after each call costs linear time. It moves the window.
func (r *reader) more() error {
	have := len(r.buf) - r.at
	want := max(readSize, have)
	if cap(r.buf) < have+want {
		grown := make([]byte, have, have+want)
		copy(grown, r.window())
		r.buf = grown
	} else {
		copy(r.buf[:have], r.window())
		r.buf = r.buf[:have]
	}
	r.at = 0
	for idle := 0; len(r.buf) < have+want; {
		n, err := r.src.Read(r.buf[len(r.buf) : have+want])
		r.buf = r.buf[:len(r.buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			r.eof = true
			return nil
		case err != nil:
			return &FileError{Fault: FaultUnreadable, Line: r.line, Text: "the file could not be read to its end",
				Hint: "check the disk or the connection it comes from, then import it again", Err: err}
		case n > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return &FileError{Fault: FaultUnreadable, Text: "the file gives no data", Err: io.ErrNoProgress}
			}
		}
	}
	return nil
}

// fill reads until the window holds n bytes, or the file ends.
func (r *reader) fill(n int) error {
	for len(r.window()) < n && !r.eof {
		if err := r.more(); err != nil {
			return err
		}
	}
	return nil
}

// next reads one row into w, whose cells it reuses. At the end it returns io.EOF; a
// *FileError means that the file is refused.
func (r *reader) next(w *row) error {
	n, err := r.peek(w)
	if err != nil {
		return err
	}
	if w.fault == nil {
		return r.consume(n)
	}
	return r.passLine()
}

// peek scans the row at the window's start without consuming it and returns its length.
func (r *reader) peek(w *row) (int, error) {
	for {
		if len(r.window()) == 0 && r.eof {
			return 0, io.EOF
		}
		if n, complete := r.scan(w); complete {
			return n, nil
		}
		if err := r.more(); err != nil {
			return 0, err
		}
	}
}

// passLine consumes the physical line at the window's start, however long it is.
func (r *reader) passLine() error {
	for {
		if i := bytes.IndexByte(r.window(), r.end); i >= 0 {
			return r.consume(i + 1)
		}
		n := len(r.window())
		if !r.eof {
			n -= unfinishedRune(r.window())
		}
		if err := r.consume(n); err != nil || r.eof {
			return err
		}
		if err := r.more(); err != nil {
			return err
		}
	}
}

// consume moves the window on by n bytes after checking that they are text.
func (r *reader) consume(n int) error {
	b := r.window()[:n]
	if i := firstNotText(b); i >= 0 {
		return r.notText(b, i)
	}
	lines := bytes.Count(b, []byte{r.end})
	r.line += lines
	switch {
	case n > 0 && b[n-1] == r.end:
		r.midLine = 0
	case n > 0 && lines == 0:
		r.midLine += utf8.RuneCount(b)
	}
	r.at += n
	r.consumed += int64(n)
	return nil
}
