package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"entente/protocol/indicator"
)

// Reasons of rows that are no object as they should be.
const (
	reasonObject     = "not_an_object"
	reasonKeyTwice   = "repeated_key"
	reasonObjectForm = "wrong_type"
)

// startsJSON reports a text that begins with an object, or with a list of objects.
func startsJSON(head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	if rest, ok := bytes.CutPrefix(head, []byte("[")); ok {
		head = bytes.TrimLeft(rest, " \t\r\n")
	}
	return bytes.HasPrefix(head, []byte("{"))
}

// jsonRows are the rows of a text with one JSON object a line. Its keys are the names of
// fields, or what the options map to them.
type jsonRows struct {
	*reader
	kind   indicator.Kind
	keys   map[string]field
	stated map[field]string // keys that the options give
}

func openJSON(r *reader, o Options) (rows, *layout, int, error) {
	if err := r.open(); err != nil {
		return nil, nil, 0, err
	}
	r.end = '\n'
	if bytes.HasPrefix(bytes.TrimLeft(r.window(), " \t\r\n"), []byte("[")) {
		return nil, nil, 0, &FileError{Fault: FaultHeader, Line: 1, Text: "this is one JSON list, not one object on each line",
			Hint: "write each object on a line of its own, without the brackets around the list and the commas between the objects"}
	}
	in := &jsonRows{reader: r, kind: o.Kind, keys: map[string]field{}, stated: map[field]string{}}
	l, err := in.layout(o)
	return in, l, 0, err
}

// layout gives every field of the kind its key.
func (r *jsonRows) layout(o Options) (*layout, error) {
	for _, name := range slices.Sorted(maps.Keys(o.Columns)) {
		f, ok := fieldNamed(name, o.Kind)
		if !ok {
			return nil, &FileError{Fault: FaultOptions, Text: fmt.Sprintf("there is no field %q to map a key to", printable(name, shownHeader)),
				Hint: "fields are " + fieldNames(o.Kind)}
		}
		r.stated[f] = o.Columns[name]
	}
	l := &layout{keyed: true}
	for f, d := range definitions() {
		l.columns[f] = -1
		if d.kinds != nil && !slices.Contains(d.kinds, o.Kind) {
			continue
		}
		key, ok := r.stated[field(f)]
		if !ok {
			key = strings.ReplaceAll(d.called(field(f), o.Kind), " ", "_")
		}
		if _, twice := r.keys[key]; twice {
			return nil, &FileError{Fault: FaultOptions, Text: fmt.Sprintf("key %q is given for two fields", printable(key, shownHeader))}
		}
		r.keys[key] = field(f)
		l.columns[f] = len(l.headers)
		l.headers = append(l.headers, key)
	}
	return l, nil
}

func (r *jsonRows) passed() int64 { return r.consumed }

func (r *jsonRows) next(w *rawRow) (blank bool, err error) {
	w.line = r.line
	line, err := r.whole()
	switch {
	case err != nil:
		return false, err
	case line == nil:
		w.problem = &Row{Outcome: Rejected, Line: w.line, Reason: reasonRowTooLong, Text: formText(&formFault{reason: reasonRowTooLong})}
		return false, r.passLine()
	case len(bytes.TrimSpace(line)) == 0:
		return true, nil
	}
	w.problem = r.object(line, w)
	return false, nil
}

// whole consumes a line and returns it, valid until more is read; nil if it is too long, which
// then is not consumed.
func (r *jsonRows) whole() ([]byte, error) {
	for {
		b := r.window()
		i := bytes.IndexByte(b, r.end)
		switch {
		case i > maxRow || i < 0 && len(b) > maxRow:
			return nil, nil
		case i >= 0:
			return b[:i:i], r.consume(i + 1)
		case r.eof && len(b) == 0:
			return nil, io.EOF
		case r.eof:
			return b, r.consume(len(b))
		}
		if err := r.more(); err != nil {
			return nil, err
		}
	}
}

// object reads the object of one line into the cells, or says what is wrong with it.
func (r *jsonRows) object(line []byte, w *rawRow) *Row {
	refuse := func(reason, key string) *Row {
		return &Row{Outcome: Rejected, Line: w.line, Header: printable(key, shownHeader), Reason: reason, Text: reasonText(reason)}
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return refuse(reasonObject, "")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return refuse(reasonObject, "")
		}
		if seen[key] {
			return refuse(reasonKeyTwice, key)
		}
		seen[key] = true
		f, known := r.field(key)
		if !known {
			w.unknown = append(w.unknown, key)
			continue
		}
		if w.keys>>f&1 == 1 {
			return refuse(reasonKeyTwice, key)
		}
		w.keys |= 1 << f
		if w.cells[f], ok = cellText(r.kind, f, value); !ok {
			return refuse(reasonObjectForm, key)
		}
	}
	if _, err := d.Token(); err != nil {
		return refuse(reasonObject, "")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(reasonObject, "")
	}
	return nil
}

// field returns the field that a key stands for.
func (r *jsonRows) field(key string) (field, bool) {
	if f, ok := r.keys[key]; ok {
		return f, true
	}
	f, ok := fieldNamed(key, r.kind)
	_, other := r.stated[f]
	return f, ok && !other
}

// cellText is what a value would be as a cell: of a list of names or codes with semicolons
// between them, of a list of numbers as it stands.
func cellText(k indicator.Kind, f field, value json.RawMessage) (string, bool) {
	switch value[0] {
	case '"':
		return stringText(value)
	case '{':
		return "", false
	case 'n':
		return "", true
	case '[':
		var items []json.RawMessage
		if f == fieldValue && k == indicator.Face {
			return string(value), true
		}
		if f != fieldVariants && f != fieldNeverWith && f != fieldCodes || json.Unmarshal(value, &items) != nil {
			return "", false
		}
		texts := make([]string, len(items))
		for i, item := range items {
			var ok bool
			if texts[i], ok = stringText(item); !ok {
				return "", false
			}
		}
		return strings.Join(texts, "; "), true
	}
	return string(value), true
}

// stringText returns a JSON string. A character that is not there, written as half of a pair,
// is no text, and neither is NUL, as in the other forms of files.
func stringText(value json.RawMessage) (string, bool) {
	var s string
	if value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return "", false
	}
	replaced := strings.ContainsRune(s, utf8.RuneError) && !bytes.ContainsRune(value, utf8.RuneError)
	return s, !replaced && !strings.ContainsRune(s, 0)
}
