package intake

import (
	"bytes"
	"unicode/utf8"
)

// scan splits the row at the window's start. complete is false if the window must
// grow first; what is decided does not depend on how much has been read.
func (r *reader) scan(w *row) (n int, complete bool) {
	b := r.window()
	*w = row{line: r.line, cells: w.cells[:0]}
	i := bytes.IndexByte(b, r.end)
	if i < 0 && !r.eof && len(b) <= maxField {
		return 0, false
	}
	line, n := b, len(b)
	if i >= 0 {
		line, n = b[:i], i+1
	}
	if len(line) > maxField || bytes.IndexByte(line, '"') >= 0 {
		s := scanner{r: r, b: b, w: w, line: r.line}
		return s.row()
	}
	r.split(w, trimReturn(line))
	return n, true
}

// split cuts a line without quotes at its separators.
func (r *reader) split(w *row, line []byte) {
	for {
		i := bytes.IndexByte(line, r.comma)
		if i < 0 {
			w.add(cell{line, w.line})
			return
		}
		w.add(cell{line[:i], w.line})
		line = line[i+1:]
	}
}

func (w *row) add(c cell) {
	if len(w.cells) == maxColumns {
		w.wide = true
		return
	}
	switch cap(w.cells) { // two sizes: few lists have more columns than the first
	case 0:
		w.cells = make([]cell, 0, usualColumns)
	case usualColumns:
		if len(w.cells) == usualColumns {
			w.cells = append(make([]cell, 0, maxColumns), w.cells...)
		}
	}
	w.cells = append(w.cells, c)
}

// trimReturn takes off the carriage returns before a line feed; a file that was
// converted twice has two.
func trimReturn(line []byte) []byte { return bytes.TrimRight(line, "\r") }

// scanner is one pass over a row that has quotes or is long.
type scanner struct {
	r         *reader
	b         []byte
	w         *row
	at        int // next byte
	line      int // of b[at]
	lineStart int // index of the line's first byte
	column    int // of the field, 1 is the first
}

// stop is how a field ended.
type stop uint8

const (
	stopComma stop = iota
	stopEnd        // of the row
	stopShort      // the window ends first
	stopFault      // w.fault says why
)

func (s *scanner) row() (n int, complete bool) {
	for {
		s.column++
		switch st := s.field(); {
		case st == stopShort:
			return 0, false
		case st == stopFault:
			return 0, true
		case s.at > maxRow:
			s.fault(reasonRowTooLong, s.w.line, 0)
			return 0, true
		case st == stopEnd:
			return s.at, true
		}
	}
}

// fault marks the row as broken; index < 0 or on another line gives no character.
func (s *scanner) fault(reason string, line, index int) stop {
	f := &formFault{reason: reason, line: line, column: s.column}
	if line == s.line && index >= s.lineStart {
		f.character = utf8.RuneCount(s.b[s.lineStart:index]) + 1
	}
	s.w.fault = f
	return stopFault
}

func (s *scanner) field() stop {
	i := s.spaces(s.at)
	if i < len(s.b) && s.b[i] == '"' {
		return s.quoted(i)
	}
	for i = s.at; ; i++ {
		switch {
		case i-s.at > maxField:
			return s.fault(reasonFieldTooLong, s.line, s.at)
		case i == len(s.b) && !s.r.eof:
			return stopShort
		case i == len(s.b):
			return s.unquoted(i, i, stopEnd)
		case s.b[i] == s.r.end:
			return s.unquoted(i, i+1, stopEnd)
		case s.b[i] == s.r.comma:
			return s.unquoted(i, i+1, stopComma)
		}
	}
}

// unquoted takes the field up to i. Quotes are allowed in it only as ="…", with which
// programs make spreadsheets keep leading zeros; the value's parser undoes that.
func (s *scanner) unquoted(i, next int, st stop) stop {
	text := s.b[s.at:i]
	if st == stopEnd {
		text = trimReturn(text)
	}
	if q := bytes.IndexByte(text, '"'); q >= 0 {
		mark := bytes.TrimSpace(text)
		if !bytes.HasPrefix(mark, []byte(`="`)) || bytes.Count(mark, []byte{'"'}) != 2 || mark[len(mark)-1] != '"' {
			return s.fault(reasonStrayQuote, s.line, s.at+q)
		}
	}
	s.w.add(cell{text, s.line})
	s.at = next
	return st
}

// spaces returns the index of the first byte from i on that is neither a space nor a
// tab that separates nothing; a field's worth at most.
func (s *scanner) spaces(i int) int {
	for limit := i + maxField; i < len(s.b) && i < limit; i++ {
		if s.b[i] != ' ' && (s.b[i] != '\t' || s.r.comma == '\t') {
			break
		}
	}
	return i
}

// quoted reads the field whose opening quote is at open.
func (s *scanner) quoted(open int) stop {
	body, doubled := open+1, false
	for i := body; ; {
		j := bytes.IndexByte(s.b[i:], '"')
		if j < 0 {
			j = len(s.b) - i
		}
		i += j
		switch {
		case i-s.at > maxField:
			return s.fault(reasonQuoteOpen, s.line, open)
		case i == len(s.b) && s.r.eof:
			return s.fault(reasonQuoteOpen, s.line, open)
		case i == len(s.b), i+1 == len(s.b) && !s.r.eof:
			return stopShort
		case i+1 < len(s.b) && s.b[i+1] == '"':
			doubled = true
			i += 2
			continue
		}
		text := s.b[body:i]
		if doubled {
			text = bytes.ReplaceAll(text, []byte(`""`), []byte(`"`))
		}
		return s.close(open, i, text)
	}
}

// close takes what follows the closing quote at shut: spaces, then a separator or the
// end of the row. Anything else means that a quote is missing or too many: on one line
// the place after the closing quote is named, else the opening quote.
func (s *scanner) close(open, shut int, text []byte) stop {
	i := s.spaces(shut + 1)
	after := i
	for i < len(s.b) && s.b[i] == '\r' && s.r.end == '\n' && i-shut <= maxField {
		i++
	}
	inside := s.b[open+1 : shut]
	lines := bytes.Count(inside, []byte{s.r.end})
	st := stopFault
	switch {
	case i-shut > maxField:
	case i == len(s.b) && !s.r.eof:
		return stopShort
	case i == len(s.b):
		st = stopEnd
	case s.b[i] == s.r.end:
		st, i = stopEnd, i+1
	case s.b[i] == s.r.comma && i == after:
		st, i = stopComma, i+1
	}
	if st == stopFault && lines > 0 {
		return s.fault(reasonQuoteOpen, s.line, open)
	}
	if st == stopFault {
		return s.fault(reasonStrayQuote, s.line, after)
	}
	s.w.add(cell{text, s.line})
	s.at = i
	if lines > 0 {
		s.line += lines
		s.lineStart = open + 1 + bytes.LastIndexByte(inside, s.r.end) + 1
	}
	return st
}
