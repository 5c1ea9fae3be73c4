package indicator

import (
	"fmt"
	"io"
	"log/slog"
)

// form is the first byte of an element. The two forms never share an element.
type form byte

const (
	formCanonical form = 1
	formObserved  form = 2 // a check digit is wrong; kept with what was observed
)

// usualElement bounds an element in bytes; the longest are persons with all their names.
// Faces have a bound of their own.
const usualElement = 512

// content is what a kind's parser returns.
type content struct {
	form form
	text string
}

// Value is one canonical indicator. It prints nothing of itself: not under any fmt verb,
// in slog, JSON or text encodings. The zero Value has no kind and an empty element.
// Compare values with Equal.
type Value struct {
	kind Kind
	// element is form byte and text. fmt reads unexported fields of structs that hold a
	// Value without asking its methods; of a pointer to a string it prints the address
	// under every verb, while it would follow a pointer to a struct under some.
	element *string
}

func newValue(k Kind, c content) Value {
	e := string([]byte{byte(c.form)}) + c.text
	return Value{kind: k, element: &e}
}

// Kind returns the value's kind.
func (v Value) Kind() Kind { return v.kind }

// Element returns the bytes that enter matching: the form byte, then the canonical text.
func (v Value) Element() []byte {
	if v.element == nil {
		return nil
	}
	return []byte(*v.element)
}

// Canonical reveals the canonical text. It is for the eyes of the own side only.
func (v Value) Canonical() string {
	if v.element == nil {
		return ""
	}
	return (*v.element)[1:]
}

// AsObserved reports that a check digit of the value is wrong and that it was kept as
// evidence in its own form.
func (v Value) AsObserved() bool {
	return v.element != nil && form((*v.element)[0]) == formObserved
}

// Equal reports whether both are the same indicator.
func (v Value) Equal(w Value) bool {
	if v.element == nil || w.element == nil {
		return v.element == w.element
	}
	return v.kind == w.kind && *v.element == *w.element
}

// String returns a placeholder that names the kind alone.
func (v Value) String() string {
	if v.element == nil {
		return "[no indicator]"
	}
	return "[" + string(v.kind) + "]"
}

// Format prints the placeholder under every verb and flag.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, v.String()) }

// LogValue logs the placeholder.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText encodes the placeholder; JSON and other text encodings use it.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalBinary encodes the placeholder, so that no binary encoding reveals the value
// either. Store Element instead.
func (v Value) MarshalBinary() ([]byte, error) { return []byte(v.String()), nil }
