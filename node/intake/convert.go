package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"entente/protocol/indicator"
)

// Reasons of rows that are text but no record. Values have indicator's reasons.
const (
	reasonRagged       = "ragged"
	reasonCategory     = "bad_category"
	reasonBadFlag      = "bad_yes_or_no"
	reasonBadDate      = "bad_date"
	reasonBadHandling  = "bad_handling"
	reasonNotARejected = "unreadable_value" // a parser's error that names no reason
)

// change is one alteration of a row: of its value, or of a handling field.
type change struct {
	f             field
	what          []indicator.Change
	before, after string
}

// outcome is what a worker makes of one row. Either problem is set or record is.
type outcome struct {
	problem  *Row
	record   Record
	changes  []change
	national bool   // the value may have been completed from the default country
	sum      uint64 // of the element, to find duplicates in the file
}

// converter turns rows into records. It is safe for concurrent use.
type converter struct {
	o Options
	l *layout
}

// rawRow is a row copied out of the reader: cells holds the mapped columns only.
type rawRow struct {
	line     int
	problem  *Row // found by the reader
	cells    [fieldCount]string
	cellLine [fieldCount]int32 // line of the cell less that of the row
	keys     uint32            // of an object: a bit for each field that it has
	unknown  []string          // of an object: keys that are no field's
}

func (c *converter) convert(r *rawRow) outcome {
	if r.problem != nil {
		return outcome{problem: r.problem}
	}
	national := c.o.Kind == indicator.Phone && strings.TrimSpace(r.cells[fieldCountry]) == ""
	v, changed, blamed, err := c.value(r)
	if err != nil {
		out := outcome{problem: c.problem(r, blamed, reasonNotARejected, err.Error()), national: national}
		if rejection, ok := errors.AsType[*indicator.Rejection](err); ok {
			out.problem.Reason = string(rejection.Reason)
		}
		return out
	}
	out := outcome{national: national, sum: sum(v.Element())}
	if len(changed) > 0 {
		out.changes = append(out.changes, change{f: fieldValue, what: changed, before: c.before(r), after: v.Canonical()})
	}
	h, more, problem := c.handling(r)
	if problem != nil {
		return outcome{problem: problem, national: national}
	}
	out.changes = append(out.changes, more...)
	out.record = Record{Value: v, Original: c.original(r), Handling: h, Line: r.line}
	return out
}

func override(s *string, cell string) {
	if t := strings.TrimSpace(cell); t != "" {
		*s = t
	}
}

// sum is enough to count duplicates: among a million rows two different values share
// it with a probability of 3e-8.
func sum(element []byte) uint64 {
	s := sha256.Sum256(element)
	return binary.BigEndian.Uint64(s[:])
}

// problem is the report's row for a cell that cannot be read.
func (c *converter) problem(r *rawRow, f field, reason, text string) *Row {
	if c.l.columns[f] < 0 {
		f = fieldValue // which lacks what a column of that name would give
	}
	before := r.cells[f]
	if f == fieldValue {
		before = c.before(r)
	}
	column, header := c.l.place(f)
	return &Row{
		Outcome: Rejected, Line: r.line + int(r.cellLine[f]), Column: column, Header: header,
		Reason: reason, Text: text, Before: shown(before),
	}
}

// shown cuts a cell to what the report keeps.
func shown(s string) string {
	n := 0
	for i := range s {
		if n == maxShown {
			return s[:i] + "…"
		}
		n++
	}
	return strings.Clone(s) // the report must not keep a whole batch of rows alive
}

// copyRow takes a row out of the reader. The strings share one allocation.
func (c *converter) copyRow(w *row) rawRow {
	out := rawRow{line: w.line}
	if out.problem = c.formProblem(w); out.problem != nil {
		return out
	}
	var b strings.Builder
	size := 0
	for _, i := range c.l.columns {
		if i >= 0 {
			size += len(w.cells[i].text)
		}
	}
	b.Grow(size)
	for _, i := range c.l.columns {
		if i >= 0 {
			b.Write(w.cells[i].text)
		}
	}
	all, at := b.String(), 0
	for f, i := range c.l.columns {
		if i >= 0 {
			n := len(w.cells[i].text)
			out.cells[f] = all[at : at+n]
			out.cellLine[f] = int32(w.cells[i].line - w.line)
			at += n
		}
	}
	return out
}

// formProblem is set for a row whose quotes, lengths or number of columns are wrong.
func (c *converter) formProblem(w *row) *Row {
	if w.fault != nil {
		return &Row{Outcome: Rejected, Line: w.fault.line, Column: w.fault.column, Character: w.fault.character,
			Reason: w.fault.reason, Text: formText(w.fault)}
	}
	p := &Row{Outcome: Rejected, Line: w.line, Reason: reasonRagged}
	switch n := len(w.cells); {
	case w.wide:
		p.Text = fmt.Sprintf("the row has more than %d columns", maxColumns)
	case n < c.l.least:
		p.Text = fmt.Sprintf("the row has %d columns, the first line names %d", n, c.l.least)
	case n > len(c.l.headers) && !(&row{cells: w.cells[len(c.l.headers):]}).blank():
		p.Text = fmt.Sprintf("the row has %d columns, the first line only %d", n, len(c.l.headers))
	default:
		return nil
	}
	return p
}

// reasonText is the sentence of this package's own reasons, for headings; a row's text
// can say more.
func reasonText(reason string) string {
	switch reason {
	case reasonRagged:
		return "the number of columns is not that of the first line"
	case reasonCategory:
		return "the category is not known"
	case reasonBadFlag:
		return "neither yes nor no"
	case reasonBadDate:
		return "not a date that can be read without doubt"
	case reasonBadHandling:
		return "the handling data are not valid"
	case reasonObject:
		return "the line is not one JSON object"
	case reasonKeyTwice:
		return "two keys of the object stand for the same field"
	case reasonObjectForm:
		return "the key has a value of a type that its field cannot have, or text with characters that are none"
	}
	return ""
}

func formText(f *formFault) string {
	switch f.reason {
	case reasonQuoteOpen:
		return "the quotation mark here is not closed, or is closed in the middle of a later line"
	case reasonStrayQuote:
		return "a quotation mark in the middle of a cell: one is missing or too many"
	case reasonFieldTooLong:
		return "the cell is longer than 64 KiB"
	default:
		return "the row is longer than 1 MiB"
	}
}
