package intake

import (
	"bytes"
	"unicode/utf8"
)

const (
	saveAs = `open it in the program it comes from and save it as "CSV UTF-8" ` +
		`(in LibreOffice: Text CSV, character set Unicode UTF-8), then import that file`
	sniffed = 512 // bytes looked at for UTF-16 without a mark
)

// byteOrderMark is U+FEFF in UTF-8; spreadsheets write it before CSV UTF-8.
const byteOrderMark = "\ufeff"

// open refuses by the first bytes what is not a UTF-8 text file, passes over the byte order
// mark and finds out how lines end.
func (r *reader) open() error {
	if err := r.fill(1); err != nil {
		return err
	}
	head := r.window()
	if len(head) == 0 {
		return &FileError{Fault: FaultEmpty, Text: "the file is empty", Hint: "check that the right file was chosen and that it was saved"}
	}
	if err := refuseSignature(head); err != nil {
		return err
	}
	if bytes.HasPrefix(head, []byte(byteOrderMark)) {
		r.at, r.consumed = len(byteOrderMark), int64(len(byteOrderMark))
	}
	r.end = lineEnd(r.window())
	return nil
}

// refuseSignature knows the formats that are often given instead of CSV.
func refuseSignature(head []byte) error {
	binary := func(what string) error {
		return &FileError{Fault: FaultBinary, Text: "this is " + what + ", not CSV text", Hint: saveAs}
	}
	for _, f := range []struct{ start, what string }{
		{"PK\x03\x04", "a spreadsheet file such as XLSX or ODS (or another archive)"},
		{"PK\x05\x06", "an empty archive"},
		{"\xd0\xcf\x11\xe0", "an old spreadsheet or document file such as XLS"},
		{"%PDF", "a PDF document"},
		{"{\\rtf", "an RTF document"},
		{"\x1f\x8b", "a compressed file"},
		{"SQLite format 3\x00", "a database file"},
	} {
		if bytes.HasPrefix(head, []byte(f.start)) {
			return binary(f.what)
		}
	}
	start := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head[:min(len(head), sniffed)], []byte(byteOrderMark))))
	for _, tag := range []string{"<!doctype", "<html", "<?xml", "<table"} {
		if bytes.HasPrefix(start, []byte(tag)) {
			return binary("a web page or XML file (some programs give it the ending .xls or .csv)")
		}
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) || looksUTF16(head) {
		return &FileError{Fault: FaultEncoding,
			Text: `the text is in UTF-16 (often called "Unicode text"), not in UTF-8`, Hint: saveAs}
	}
	return nil
}

// looksUTF16 tells whether every other byte at the start is mostly zero, as Latin
// letters and digits are in UTF-16.
func looksUTF16(head []byte) bool {
	head = head[:min(len(head), sniffed)]
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	half := len(head) / 2
	return half >= 2 && (zeros[0] > half/2 && zeros[1] == 0 || zeros[1] > half/2 && zeros[0] == 0)
}

// lineEnd tells the last byte of a line: a line feed if there is one outside quotes,
// else a carriage return if there is one, as old systems wrote it.
func lineEnd(head []byte) byte {
	quoted, end := false, byte('\n')
	for _, b := range head {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '\n':
			return '\n'
		case b == '\r':
			end = '\r'
		}
	}
	return end
}

// firstNotText returns the index of the first byte that is no UTF-8 or is NUL, or -1.
func firstNotText(b []byte) int {
	zero := bytes.IndexByte(b, 0)
	if zero < 0 && utf8.Valid(b) {
		return -1
	}
	if zero >= 0 {
		b = b[:zero]
	}
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return zero
}

// unfinishedRune returns how many bytes at the end of b begin a character that b does
// not hold in full.
func unfinishedRune(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// notText is the refusal for byte i of the window's first part b.
func (r *reader) notText(b []byte, i int) error {
	start := bytes.LastIndexByte(b[:i], r.end) + 1
	e := &FileError{
		Line:      r.line + bytes.Count(b[:i], []byte{r.end}),
		Character: utf8.RuneCount(b[start:i]) + 1,
	}
	if start == 0 {
		e.Character += r.midLine
	}
	if b[i] == 0 {
		e.Fault, e.Text = FaultBinary, "there is a NUL character, which no text has: the file is damaged or not text"
		e.Hint = "export the list anew; " + saveAs
		return e
	}
	e.Fault = FaultEncoding
	e.Text = "the text is not in UTF-8 from here on (probably in an older character set such as Windows-1252, Latin-1, Windows-874 or GBK)"
	e.Hint = saveAs
	return e
}
