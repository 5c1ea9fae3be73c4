package intake

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"entente/protocol/indicator"
)

const (
	separators   = ",;\t"
	maxHeaderRun = 20 // lines looked at for a header below titles
	shownHeader  = 40 // characters of a header in messages
)

// layout says which column holds what.
type layout struct {
	headers  []string
	least    int             // columns that every row must have
	columns  [fieldCount]int // index of the field's column, -1 if none
	warnings []string
	// keyed says that rows are objects: headers are the keys of fields, and no column has a
	// number.
	keyed bool
	// decode reads the numbers of a value that is no text; nil if values are text.
	decode func(bytes string) []float64
}

// place is where the report says that a field stands: the number of its column, from 1 on, or
// 0 if columns have none, and its header.
func (l *layout) place(f field) (column int, header string) {
	i := l.columns[f]
	if !l.keyed {
		column = i + 1
	}
	return column, printable(l.headers[i], shownHeader)
}

// readLayout finds the separator, reads the header line and maps its columns. blank is
// the number of lines passed over before it.
func readLayout(r *reader, o Options) (l layout, blank int, err error) {
	var w row
	if blank, err = r.startOfHeader(o); err != nil {
		return l, blank, err
	}
	if o.Comma != 0 {
		r.comma = byte(o.Comma)
	} else if err := r.findComma(o); err != nil {
		return l, blank, err
	}
	line := r.line
	switch err := r.next(&w); {
	case errors.Is(err, io.EOF):
		return l, blank, &FileError{Fault: FaultEmpty, Text: "the file has no lines with content", Hint: "check that the right sheet was exported"}
	case err != nil:
		return l, blank, err
	case w.fault != nil:
		return l, blank, &FileError{Fault: FaultHeader, Line: w.fault.line, Character: w.fault.character,
			Text: "the line with the column names cannot be read: " + formText(w.fault), Hint: "correct that line and import the file again"}
	case w.wide:
		return l, blank, &FileError{Fault: FaultHeader, Line: line, Text: fmt.Sprintf("more than %d columns", maxColumns), Hint: "delete the columns that are not needed"}
	}
	headers := make([]string, len(w.cells))
	for i, c := range w.cells {
		headers[i] = strings.TrimSpace(string(c.text))
	}
	if l, err = newLayout(headers, o); err != nil {
		return l, blank, r.explain(err, headers, line, o)
	}
	return l, blank, nil
}

// startOfHeader passes over blank lines and a line "sep=;", with which some programs
// tell spreadsheets the separator.
func (r *reader) startOfHeader(o Options) (blank int, err error) {
	for {
		line, err := r.peekLine()
		if err != nil {
			return blank, err
		}
		text := strings.Trim(string(line), "\" \r")
		sep, marked := strings.CutPrefix(strings.ToLower(text), "sep=")
		switch {
		case marked && r.line == 1 && len(sep) == 1 && strings.Contains(separators, sep):
			r.comma = sep[0]
		case marked && r.line == 1 && sep == "" && strings.ContainsRune(string(line), '\t'):
			r.comma = '\t'
		case len(line) == 0 && r.eof && len(r.window()) == 0, strings.Trim(text, separators+" ") != "":
			return blank, nil
		default:
			blank++
		}
		if err := r.passLine(); err != nil {
			return blank, err
		}
	}
}

// peekLine returns at most the first maxField bytes of the line at the window's start.
func (r *reader) peekLine() ([]byte, error) {
	for {
		b := r.window()
		if i := slices.Index(b[:min(len(b), maxField)], r.end); i >= 0 {
			return b[:i], nil
		}
		if r.eof || len(b) >= maxField {
			return b[:min(len(b), maxField)], nil
		}
		if err := r.more(); err != nil {
			return nil, err
		}
	}
}

// findComma chooses the separator under which the header has the best known names, then
// most cells. Ties keep the comma that the reader has.
func (r *reader) findComma(o Options) error {
	best, bestKnown, bestCells := r.comma, -1, -1
	for _, c := range append([]byte{r.comma}, separators...) {
		r.comma = c
		var w row
		if _, err := r.peek(&w); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		known := 0
		for _, cell := range w.cells {
			known += weigh(string(cell.text), o)
		}
		if w.fault == nil && (known > bestKnown || known == bestKnown && len(w.cells) > bestCells) {
			best, bestKnown, bestCells = c, known, len(w.cells)
		}
	}
	r.comma = best
	return nil
}

// Weights of a header's cell. No number of other names outweighs the one that must be
// there.
const (
	weightValue = maxColumns + 1
	weightName  = 1
)

// weigh tells how surely a cell is the name of a column: of one that must be there, of
// one that can be, or of none that we know.
func weigh(text string, o Options) int {
	name := ""
	if len(text) <= maxField/64 {
		name = fold(text)
	}
	if name == "" {
		return 0
	}
	for _, h := range o.Columns {
		if fold(h) == name {
			return weightValue
		}
	}
	weight := 0
	for _, k := range indicator.Kinds() {
		strong, weak := valueNames(k)
		switch {
		case k == o.Kind && slices.Contains(strong, name):
			return weightValue
		case slices.Contains(strong, name), k == o.Kind && slices.Contains(weak, name):
			weight = weightName
		}
	}
	for _, d := range definitions() {
		if slices.Contains(d.synonyms, name) {
			weight = weightName
		}
	}
	if slices.Contains(commonNames(), name) {
		weight = weightName
	}
	return weight
}

// newLayout maps headers to fields: first as the options say, then by usual names.
func newLayout(headers []string, o Options) (layout, error) {
	l := layout{headers: headers}
	for i := range l.columns {
		l.columns[i] = -1
	}
	for i, h := range headers {
		if h != "" {
			l.least = i + 1
		}
	}
	if err := l.mapStated(o); err != nil {
		return l, err
	}
	for f, d := range definitions() {
		if l.columns[f] >= 0 || d.kinds != nil && !slices.Contains(d.kinds, o.Kind) {
			continue
		}
		if err := l.mapUsual(field(f), d, o); err != nil {
			return l, err
		}
	}
	if l.columns[fieldValue] < 0 {
		return l, &FileError{Fault: FaultMissingColumn, Text: fmt.Sprintf("no column for the %s", valueName(o.Kind))}
	}
	l.warnIgnored()
	return l, nil
}

// mapStated takes the mapping of the options.
func (l *layout) mapStated(o Options) error {
	keys := make([]string, 0, len(o.Columns))
	for k := range o.Columns {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, key := range keys {
		f, ok := fieldNamed(key, o.Kind)
		if !ok {
			return &FileError{Fault: FaultOptions, Text: fmt.Sprintf("there is no field %q to map a column to", printable(key, shownHeader)),
				Hint: "fields are " + fieldNames(o.Kind)}
		}
		wanted := o.Columns[key]
		at := l.find(func(h string) bool { return h == strings.TrimSpace(wanted) })
		if len(at) == 0 {
			at = l.find(func(h string) bool { return fold(h) == fold(wanted) && fold(h) != "" })
		}
		name := printable(wanted, shownHeader)
		switch {
		case len(at) == 0:
			return &FileError{Fault: FaultMissingColumn, Text: fmt.Sprintf("no column is called %q", name)}
		case len(at) > 1:
			return &FileError{Fault: FaultAmbiguousColumn, Text: fmt.Sprintf("%d columns are called %q", len(at), name),
				Hint: "give them different names in the first line"}
		case l.taken(at[0]):
			return &FileError{Fault: FaultOptions, Text: fmt.Sprintf("column %q is given for two fields", name)}
		}
		l.columns[f] = at[0]
	}
	return nil
}

// mapUsual looks for a field's column by the usual names, best names first.
func (l *layout) mapUsual(f field, d definition, o Options) error {
	ranks := [][]string{{fold(d.name)}, d.synonyms}
	if f == fieldValue {
		strong, weak := valueNames(o.Kind)
		ranks = [][]string{strong[:1], strong[1:], weak}
	}
	for i, names := range ranks {
		at := l.find(func(h string) bool { return slices.Contains(names, fold(h)) })
		at = slices.DeleteFunc(at, l.taken)
		switch {
		case len(at) > 1:
			return &FileError{Fault: FaultAmbiguousColumn, Text: fmt.Sprintf("columns %s could all be the %s", columnNumbers(at), d.called(f, o.Kind)),
				Hint: fmt.Sprintf("say which with --column %s=HEADER", d.name)}
		case len(at) == 1:
			l.columns[f] = at[0]
			if f == fieldValue && i < 2 {
				l.warnOtherValues(ranks[:2], o)
			}
			return nil
		}
	}
	return nil
}

func (d definition) called(f field, k indicator.Kind) string {
	if f == fieldValue {
		return valueName(k)
	}
	return strings.ReplaceAll(d.name, "_", " ")
}

// warnOtherValues says which further columns seem to hold values of the kind.
func (l *layout) warnOtherValues(ranks [][]string, o Options) {
	for i, h := range l.headers {
		if i != l.columns[fieldValue] && !l.taken(i) && (slices.Contains(ranks[0], fold(h)) || slices.Contains(ranks[1], fold(h))) {
			l.warnings = append(l.warnings, fmt.Sprintf("column %d (%s) also seems to hold values of kind %s and was not read; import the file again with --column value=%q for it",
				i+1, printable(h, shownHeader), o.Kind, printable(h, shownHeader)))
		}
	}
}

// warnIgnored says which columns that are not read seem to hold handling data: not
// reading those could let a protected value into a list.
func (l *layout) warnIgnored() {
	for i, h := range l.headers {
		if handlingName(h) && !l.taken(i) {
			l.warnings = append(l.warnings, fmt.Sprintf("column %d (%s) was not read, although its name suggests handling data; map it with --column FIELD=%q if it holds any",
				i+1, printable(h, shownHeader), printable(h, shownHeader)))
		}
	}
}

// handlingName reports a header that suggests handling data.
func handlingName(header string) bool {
	marks := []string{"victim", "witness", "minor", "child", "juvenile", "protect", "asylum", "refugee", "tlp", "pap", "handling", "expir", "retention", "never", "korban", "saksi"}
	return slices.ContainsFunc(strings.Fields(fold(header)), func(w string) bool {
		return slices.ContainsFunc(marks, func(m string) bool { return strings.HasPrefix(w, m) && (len(m) > 3 || w == m) })
	})
}

func (l *layout) find(match func(string) bool) []int {
	var at []int
	for i, h := range l.headers {
		if match(h) {
			at = append(at, i)
		}
	}
	return at
}

func (l *layout) taken(i int) bool { return slices.Contains(l.columns[:], i) }

func columnNumbers(at []int) string {
	parts := make([]string, len(at))
	for i, n := range at {
		parts[i] = fmt.Sprint(n + 1)
	}
	return strings.Join(parts, ", ")
}

// manyDigits tells whether a cell is more likely a value than a name.
func manyDigits(s string) bool {
	n := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n >= 4 || strings.ContainsRune(s, '@')
}
