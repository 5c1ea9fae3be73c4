package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/ugorji/go/codec"
)

// Marshal returns the canonical encoding of v, a struct or pointer to one that is marked
// toarray by a field `_ struct{}` (or `_struct bool`) with the tag `codec:",toarray"`. The
// other fields are booleans, integers, valid UTF-8 strings, []byte and [n]byte, and slices
// and arrays of these and of further such structs. Any other type, and any value that
// Unmarshal would refuse, is an error. A nil slice encodes like an empty one.
func Marshal(v any) ([]byte, error) {
	t := reflect.TypeOf(v)
	if t != nil && t.Kind() == reflect.Pointer {
		if reflect.ValueOf(v).IsNil() {
			return nil, fmt.Errorf("encode %v: nil", t)
		}
		t = t.Elem()
	}
	s, err := shared.shape(t)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	var out []byte
	err = shared.encode(v, func(b []byte) error {
		if err := Scan(b); err != nil {
			return err
		}
		if err := s.check(b); err != nil {
			return err
		}
		out = bytes.Clone(b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("encode %v: %w", t, err)
	}
	return out, nil
}

// Unmarshal decodes b into v, a pointer to a struct as Marshal takes it. It accepts only
// the one encoding that Marshal gives; all else is ErrMalformed and leaves v as it was.
// What v points to is replaced, not merged, and keeps no reference to b.
func Unmarshal(b []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return errors.New("decode: no pointer to decode into")
	}
	t := p.Type().Elem()
	s, err := shared.shape(t)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := Scan(b); err != nil {
		return fmt.Errorf("decode %v: %w", t, err)
	}
	if err := s.check(b); err != nil {
		return fmt.Errorf("decode %v: %w", t, err)
	}
	fresh := reflect.New(t)
	if err := shared.decode(b, fresh.Interface()); err != nil {
		// The codec's text may quote the input, so it stays here.
		return fmt.Errorf("decode %v: %w", t, fault{reasonCodec, 0})
	}
	err = shared.encode(fresh.Interface(), func(again []byte) error {
		if !bytes.Equal(again, b) {
			return fault{reasonCanonical, 0}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("decode %v: %w", t, err)
	}
	p.Elem().Set(fresh.Elem())
	return nil
}

// shared holds what every call may reuse. It is a memory of what follows from types alone
// and of idle buffers: no call can tell whether another came before.
var shared = newCoder()

type coder struct {
	handle   *codec.CborHandle // never changed once built
	shapes   sync.Map          // reflect.Type → known
	encoders sync.Pool         // *encoder
	decoders sync.Pool         // *codec.Decoder
}

type known struct {
	shape shape
	err   error
}

type encoder struct {
	codec *codec.Encoder
	buf   []byte
}

// keepBuffer is the largest buffer, in bytes, that goes back into the pool.
const keepBuffer = 64 << 10

func newCoder() *coder {
	h := &codec.CborHandle{}
	h.StructToArray = true
	h.Canonical = true
	h.NilCollectionToZeroLength = true // null is forbidden
	h.ErrorIfNoField = true
	h.ErrorIfNoArrayExpand = true
	h.SliceElementReset = true
	h.ValidateUnicode = true
	h.MaxDepth = MaxDepth + 1 // the codec counts the value itself too
	// Lengths are true by the time the codec sees them, so exact allocation is both
	// the cheapest and the smallest; above this it grows step by step.
	h.MaxInitLen = MaxChunk
	h.MaxBytesLen = MaxChunk
	return &coder{handle: h}
}

func (c *coder) shape(t reflect.Type) (*shape, error) {
	if t == nil {
		return nil, errors.New("nil is no message")
	}
	if k, ok := c.shapes.Load(t); ok {
		k := k.(*known)
		return &k.shape, k.err
	}
	s, err := shapeOf(t)
	k, _ := c.shapes.LoadOrStore(t, &known{s, err})
	found := k.(*known)
	return &found.shape, found.err
}

// encode gives use the encoding of v; the bytes are valid only until use returns.
func (c *coder) encode(v any, use func([]byte) error) error {
	e, ok := c.encoders.Get().(*encoder)
	if !ok {
		e = &encoder{codec: codec.NewEncoderBytes(new([]byte), c.handle)}
	}
	e.buf = e.buf[:0]
	e.codec.ResetBytes(&e.buf)
	if err := e.codec.Encode(v); err != nil {
		return err // the encoder is dropped: its state is unknown
	}
	err := use(e.buf)
	if cap(e.buf) > keepBuffer {
		e.buf = nil
	}
	c.encoders.Put(e)
	return err
}

func (c *coder) decode(b []byte, v any) error {
	d, ok := c.decoders.Get().(*codec.Decoder)
	if !ok {
		d = codec.NewDecoderBytes(nil, c.handle)
	}
	d.ResetBytes(b)
	if err := d.Decode(v); err != nil {
		return err
	}
	d.ResetBytes(nil) // keeps no reference to the caller's bytes
	c.decoders.Put(d)
	return nil
}
