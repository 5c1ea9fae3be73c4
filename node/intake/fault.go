package intake

import (
	"fmt"
	"strconv"
	"strings"
)

// Fault is the stable name of what is wrong with a file as a whole.
type Fault string

// The faults of a file. With any but FaultAllRejected nothing was read to the end, and
// what the sink has taken must be rolled back.
const (
	FaultUnreadable      Fault = "unreadable"       // the reader failed
	FaultEncoding        Fault = "encoding"         // text, but not UTF-8
	FaultBinary          Fault = "binary"           // a spreadsheet, archive, picture …
	FaultEmpty           Fault = "empty"            // no content, or a header without rows
	FaultHeader          Fault = "header"           // the header cannot be read
	FaultMissingColumn   Fault = "missing_column"   // no column for the value
	FaultAmbiguousColumn Fault = "ambiguous_column" // several columns for one field
	FaultOptions         Fault = "options"          // the mapping or defaults are wrong
	FaultAllRejected     Fault = "all_rejected"     // rows, but not one to import
)

// FileError says why a file was refused. Error holds no cell of a row; the first line
// is quoted only where it is sure to be a header.
type FileError struct {
	File      string
	Fault     Fault
	Line      int    // 0 if the whole file is meant
	Character int    // in the line, 1 is the first; 0 if the whole line is meant
	Text      string // what is wrong
	Hint      string // what to do
	// Found are the cells of the line that should be the header, for the importing
	// side's eyes alone: in a file without a header they are data.
	Found []string
	Err   error // of the reader or the options, if that is the cause
}

// Error gives the place, what is wrong and what to do.
func (e *FileError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "read %s: ", e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d", e.Line)
		if e.Character > 0 {
			fmt.Fprintf(&b, ", character %d", e.Character)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Text)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause, if there is one.
func (e *FileError) Unwrap() error { return e.Err }

// Format prints Error, whatever the verb, so that Found never reaches a log.
func (e *FileError) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(e.Error())) }

// printable makes text of a file safe for a terminal: control, direction and invisible
// characters are written as escapes, and what is longer than limit is cut.
func printable(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == limit {
			b.WriteRune('…')
			break
		}
		n++
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
