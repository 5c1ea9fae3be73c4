package wire

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/ugorji/go/codec"
)

// shape is what the encoding of a Go type looks like. The decoder alone takes shorter
// arrays, null and numbers of other widths; the shape takes only what the encoder writes.
type shape struct {
	kind   shapeKind
	bits   int     // integers: width
	fixed  int     // bytes and lists of Go array type: exact length; otherwise −1
	cost   uint64  // memory of one value in bytes, without what it points to
	elem   *shape  // lists
	fields []shape // records
}

type shapeKind uint8

const (
	shapeBool shapeKind = iota
	shapeUnsigned
	shapeSigned
	shapeText
	shapeBytes
	shapeList
	shapeRecord
)

// What a decoded value costs, in bytes of memory. These are part of the protocol, since a
// sender must know what will be refused, so they are not the sizes of one compiler; they
// are at least Go's on 64-bit machines.
const (
	costScalar = 8  // boolean or integer, whatever its width
	costText   = 16 // besides its bytes
	costSlice  = 24 // byte string or list of open length, besides its content
	costRecord = 8  // besides its fields
)

// memoryFactor and memoryFree bound what decoding may take: factor × length + free bytes.
// So a list of one-byte integers always passes, and with the copy for the comparison the
// total stays below 16 × length + 64 KiB.
const (
	memoryFactor = 8
	memoryFree   = 32 << 10
)

// shapeOf returns the shape of a message type, or why the type must not go on the wire.
func shapeOf(t reflect.Type) (shape, error) {
	if t.Kind() != reflect.Struct {
		return shape{}, fmt.Errorf("%v is not a struct", t)
	}
	return shapeOfValue(t, 0)
}

func shapeOfValue(t reflect.Type, depth int) (shape, error) {
	if err := refuseOwnCoding(t); err != nil {
		return shape{}, err
	}
	s := shape{cost: costScalar, fixed: -1}
	switch t.Kind() {
	case reflect.Bool:
		s.kind = shapeBool
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.kind, s.bits = shapeUnsigned, t.Bits()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind, s.bits = shapeSigned, t.Bits()
	case reflect.String:
		s.kind, s.cost = shapeText, costText
	case reflect.Slice, reflect.Array:
		return shapeOfSequence(t, s, depth)
	case reflect.Struct:
		return shapeOfRecord(t, s, depth)
	default:
		return shape{}, fmt.Errorf("%v has no place in a message (%v)", t, t.Kind())
	}
	return s, nil
}

func shapeOfSequence(t reflect.Type, s shape, depth int) (shape, error) {
	s.cost = costSlice
	if t.Kind() == reflect.Array {
		s.fixed = t.Len()
	}
	if t.Elem().Kind() == reflect.Uint8 {
		if t != reflect.TypeFor[[]byte]() && (s.fixed < 0 || t.Elem() != reflect.TypeFor[byte]()) {
			// The codec writes such a type as bytes, but as an array when it is nil.
			return shape{}, fmt.Errorf("%v: bytes are []byte or an array of byte", t)
		}
		if s.kind = shapeBytes; s.fixed >= 0 {
			s.cost = uint64(s.fixed+7) / 8 * 8
		}
		return s, nil
	}
	if depth == MaxDepth {
		return shape{}, errDeep
	}
	elem, err := shapeOfValue(t.Elem(), depth+1)
	if err != nil {
		return shape{}, err
	}
	if s.kind, s.elem = shapeList, &elem; s.fixed >= 0 {
		s.cost = uint64(s.fixed) * elem.cost
	}
	return s, nil
}

func shapeOfRecord(t reflect.Type, s shape, depth int) (shape, error) {
	if depth == MaxDepth {
		return shape{}, errDeep
	}
	s.kind, s.cost = shapeRecord, costRecord
	marked := false
	for i := range t.NumField() {
		f := t.Field(i)
		if isMark(f) {
			marked = true
			continue
		}
		if err := refuseField(f); err != nil {
			return shape{}, fmt.Errorf("field %s of %v: %w", f.Name, t, err)
		}
		field, err := shapeOfValue(f.Type, depth+1)
		if err != nil {
			return shape{}, fmt.Errorf("field %s of %v: %w", f.Name, t, err)
		}
		s.fields = append(s.fields, field)
		s.cost += field.cost
	}
	if !marked || len(s.fields) == 0 {
		return shape{}, fmt.Errorf("%v is not marked toarray, or empty", t)
	}
	return s, nil
}

// isMark reports whether a field marks its struct as a message: it says that the order of
// the fields is the encoding, so that nobody sorts them.
func isMark(f reflect.StructField) bool {
	return (f.Name == "_" || f.Name == "_struct") && f.Tag.Get("codec") == ",toarray"
}

// errDeep also stops types that hold themselves.
var errDeep = errors.New("arrays nest too deep")

// refuseField refuses fields that the codec would leave out, flatten or write as null.
func refuseField(f reflect.StructField) error {
	switch {
	case !f.IsExported():
		return errors.New("is not exported and would be lost")
	case f.Anonymous:
		return errors.New("is embedded: give it a name")
	case f.Tag.Get("codec") != "":
		return errors.New("has codec options")
	}
	return nil
}

// refuseOwnCoding refuses types that would write themselves and so escape the shape.
// Text and JSON methods are not used for binary formats.
func refuseOwnCoding(t reflect.Type) error {
	for _, i := range []reflect.Type{
		reflect.TypeFor[codec.Selfer](),
		reflect.TypeFor[encoding.BinaryMarshaler](),
		reflect.TypeFor[encoding.BinaryUnmarshaler](),
	} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return fmt.Errorf("%v encodes itself", t)
		}
	}
	if p := t.PkgPath(); strings.HasPrefix(p, reflect.TypeFor[codec.Raw]().PkgPath()) {
		return fmt.Errorf("%v is the codec's own type", t)
	}
	return nil
}

// check says whether b, which Scan has accepted, is a value of this shape and takes
// memory in proportion to its length.
func (s *shape) check(b []byte) error {
	w := walk{b: b, left: memoryFactor*uint64(len(b)) + memoryFree}
	_, err := w.value(s, 0)
	return err
}

// walk is one pass over scanned bytes: left is the memory that decoding may still take.
type walk struct {
	b    []byte
	left uint64
}

func (w *walk) value(s *shape, pos int) (next int, err error) {
	h, err := readHead(w.b, pos)
	if err != nil {
		return 0, err
	}
	switch s.kind {
	case shapeBool:
		if w.b[pos] != simpleFalse && w.b[pos] != simpleTrue {
			return 0, fault{reasonShape, pos}
		}
		return h.next, nil
	case shapeUnsigned, shapeSigned:
		return h.next, s.integer(h, pos)
	case shapeText, shapeBytes:
		return w.content(s, h, pos)
	case shapeList:
		return w.list(s, h, pos)
	default:
		return w.record(s, h, pos)
	}
}

func (s *shape) integer(h head, pos int) error {
	limit := uint64(math.MaxUint64) >> (64 - s.bits)
	if s.kind == shapeSigned {
		limit >>= 1 // the same for −1−n
	}
	if h.major != majorUnsigned && (h.major != majorNegative || s.kind != shapeSigned) {
		return fault{reasonShape, pos}
	}
	if h.value > limit {
		return fault{reasonRange, pos}
	}
	return nil
}

func (w *walk) content(s *shape, h head, pos int) (int, error) {
	want := byte(majorText)
	if s.kind == shapeBytes {
		want = majorBytes
	}
	if h.major != want || (s.fixed >= 0 && h.value != uint64(s.fixed)) {
		return 0, fault{reasonShape, pos}
	}
	if s.fixed < 0 {
		if err := w.take(h.value, pos); err != nil {
			return 0, err
		}
	}
	return h.next + int(h.value), nil
}

func (w *walk) list(s *shape, h head, pos int) (int, error) {
	if h.major != majorArray || (s.fixed >= 0 && h.value != uint64(s.fixed)) {
		return 0, fault{reasonShape, pos}
	}
	if s.fixed < 0 {
		// No overflow: the scan has bounded the count by the input's length.
		if err := w.take(h.value*s.elem.cost, pos); err != nil {
			return 0, err
		}
	}
	pos = h.next
	for range h.value {
		var err error
		if pos, err = w.value(s.elem, pos); err != nil {
			return 0, err
		}
	}
	return pos, nil
}

func (w *walk) record(s *shape, h head, pos int) (int, error) {
	if h.major != majorArray || h.value != uint64(len(s.fields)) {
		return 0, fault{reasonShape, pos}
	}
	pos = h.next
	for i := range s.fields {
		var err error
		if pos, err = w.value(&s.fields[i], pos); err != nil {
			return 0, err
		}
	}
	return pos, nil
}

func (w *walk) take(n uint64, pos int) error {
	if n > w.left {
		return fault{reasonMemory, pos}
	}
	w.left -= n
	return nil
}
