package wire

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ugorji/go/codec"
)

// Types that must not go on the wire, each for one reason.
type (
	unmarked struct{ A uint64 }
	withMap  struct {
		_ struct{} `codec:",toarray"`
		A map[string]uint64
	}
	withFloat struct {
		_ struct{} `codec:",toarray"`
		A float64
	}
	withTime struct {
		_ struct{} `codec:",toarray"`
		A time.Time
	}
	withInterface struct {
		_ struct{} `codec:",toarray"`
		A any
	}
	withPointer struct {
		_ struct{} `codec:",toarray"`
		A *uint64
	}
	withHidden struct {
		_      struct{} `codec:",toarray"`
		A      uint64
		hidden uint64
	}
	withEmbedded struct {
		_ struct{} `codec:",toarray"`
		leaf
	}
	withEmbeddedExported struct {
		_ struct{} `codec:",toarray"`
		Leaf
	}
	withOptions struct {
		_ struct{} `codec:",toarray"`
		A uint64   `codec:",omitempty"`
	}
	withOmitEmpty struct {
		_ struct{} `codec:",toarray,omitempty"`
		A uint64
	}
	withUnmarkedField struct {
		_ struct{} `codec:",toarray"`
		A []unmarked
	}
	withSelf struct {
		_ struct{} `codec:",toarray"`
		A []withSelf
	}
	withOwnCoding struct {
		_ struct{} `codec:",toarray"`
		A ownCoding
	}
	withOwnCodingArray struct {
		_ struct{} `codec:",toarray"`
		A [2]ownNumber
	}
	withNamedSlice struct {
		_ struct{} `codec:",toarray"`
		A namedBytes
	}
	withNamedBytes struct {
		_ struct{} `codec:",toarray"`
		A []mode
	}
	withRaw struct {
		_ struct{} `codec:",toarray"`
		A codec.Raw
	}
	withChannel struct {
		_ struct{} `codec:",toarray"`
		A chan uint8
	}
	withNothing struct {
		_ struct{} `codec:",toarray"`
	}
	leaf struct {
		_ struct{} `codec:",toarray"`
		A uint64
	}
	// Leaf is embedded above.
	Leaf leaf

	ownCoding  string
	namedBytes []byte
	ownNumber  uint16
)

func (ownCoding) MarshalBinary() ([]byte, error)     { return []byte{1}, nil }
func (*ownNumber) UnmarshalBinary(data []byte) error { return nil }

func TestForbiddenTypesAreRefusedBothWays(t *testing.T) {
	for _, v := range []any{
		unmarked{}, withMap{}, withFloat{}, withTime{}, withInterface{}, withPointer{},
		withHidden{hidden: 1}, withEmbedded{}, withEmbeddedExported{}, withOptions{}, withOmitEmpty{},
		withUnmarkedField{}, withSelf{}, withOwnCoding{}, withOwnCodingArray{}, withNamedBytes{}, withNamedSlice{}, withRaw{},
		withChannel{}, withNothing{}, uint64(1), "text", []leaf{{}}, map[string]string{},
		time.Time{}, nil, (*leaf)(nil),
	} {
		if b, err := Marshal(v); err == nil {
			t.Errorf("Marshal(%T) = %x", v, b)
		}
		if v == nil || v == (*leaf)(nil) {
			continue
		}
		// The second answer comes from memory and must be the same.
		for range 2 {
			if err := Unmarshal([]byte{0x81, 0x00}, reflect.New(reflect.TypeOf(v)).Interface()); err == nil {
				t.Errorf("Unmarshal into %T accepted", v)
			}
		}
	}
	for _, v := range []any{nil, leaf{}, (*leaf)(nil), 1} {
		if err := Unmarshal([]byte{0x81, 0x00}, v); err == nil {
			t.Errorf("Unmarshal into %T accepted", v)
		}
	}
}

func TestErrorsNameTheField(t *testing.T) {
	_, err := Marshal(withFloat{})
	if err == nil || !strings.Contains(err.Error(), "field A of wire.withFloat") {
		t.Errorf("error does not name the field: %v", err)
	}
}

// nested is as deep as a type may be; one level more is refused.
type nested struct {
	_ struct{} `codec:",toarray"`
	A [][][][][][][]uint64
}

type tooDeep struct {
	_ struct{} `codec:",toarray"`
	A [][][][][][][][]uint64
}

func TestDepthOfTypes(t *testing.T) {
	v := nested{A: [][][][][][][]uint64{{{{{{{7}}}}}}}}
	b, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back nested
	if err := Unmarshal(b, &back); err != nil || !reflect.DeepEqual(v, back) {
		t.Errorf("got %v, %v", back, err)
	}
	if _, err := Marshal(tooDeep{}); err == nil {
		t.Error("a type of nine levels is accepted")
	}
}

// named has the mark in its other form.
type named struct {
	_struct bool `codec:",toarray"` //lint:ignore U1000 read by reflection
	A       uint64
}

func TestBothMarksMeanTheSame(t *testing.T) {
	a, errA := Marshal(leaf{A: 300})
	b, errB := Marshal(named{A: 300})
	if errA != nil || errB != nil || !bytes.Equal(a, b) || !bytes.Equal(a, []byte{0x81, 0x19, 0x01, 0x2c}) {
		t.Errorf("%x, %v and %x, %v", a, errA, b, errB)
	}
}

// widths has every width of integer.
type widths struct {
	_   struct{} `codec:",toarray"`
	U8  uint8
	U16 uint16
	U32 uint32
	U64 uint64
	I8  int8
	I16 int16
	I32 int32
	I64 int64
}

func TestIntegersAtTheirLimits(t *testing.T) {
	for _, v := range []widths{
		{},
		{U8: 1<<8 - 1, U16: 1<<16 - 1, U32: 1<<32 - 1, U64: 1<<64 - 1, I8: 1<<7 - 1, I16: 1<<15 - 1, I32: 1<<31 - 1, I64: 1<<63 - 1},
		{U8: 24, U16: 256, U32: 65536, U64: 1 << 32, I8: -1 << 7, I16: -1 << 15, I32: -1 << 31, I64: -1 << 63},
		{U8: 23, U16: 255, U32: 65535, U64: 1<<32 - 1, I8: -1, I16: -257, I32: -65537, I64: -1<<32 - 1},
	} {
		b, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back widths
		if err := Unmarshal(b, &back); err != nil || back != v {
			t.Errorf("%+v came back as %+v, %v", v, back, err)
		}
	}
}

func TestIntegersOutOfRange(t *testing.T) {
	for i, bits := range []int{8, 16, 32, 64, 8, 16, 32, 64} {
		signed := i >= 4
		for _, negative := range []bool{false, true} {
			limit := uint64(1) << (bits - 1) // first value that a signed field does not hold
			if !signed {
				if bits == 64 && !negative {
					continue // every number fits
				}
				if limit = 1 << bits; negative {
					limit = 0
				}
			}
			b := []byte{0x88}
			for j := range 8 {
				if j == i {
					b = append(b, number(limit, negative)...)
				} else {
					b = append(b, 0)
				}
			}
			if err := Unmarshal(b, &widths{}); err == nil {
				t.Errorf("field %d accepts %x", i, b)
			}
		}
	}
}

// number is the shortest encoding of n, or of −1−n.
func number(n uint64, negative bool) []byte {
	major := byte(0)
	if negative {
		major = 0x20
	}
	switch {
	case n < 24:
		return []byte{major | byte(n)}
	case n < 1<<8:
		return []byte{major | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major | 25}, uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major | 26}, uint32(n))
	default:
		return binary.BigEndian.AppendUint64([]byte{major | 27}, n)
	}
}

// TestCostIsAtLeastTheMemory: else the bound on allocations would not hold.
func TestCostIsAtLeastTheMemory(t *testing.T) {
	for _, v := range []any{leaf{}, pair{}, four{}, errorFlag{}, widths{}, example{}, lists{}, sample{}, nested{}, errorBody{}} {
		rt := reflect.TypeOf(v)
		s, err := shapeOf(rt)
		if err != nil {
			t.Fatal(err)
		}
		if s.cost < uint64(rt.Size()) {
			t.Errorf("%v costs %d and takes %d", rt, s.cost, rt.Size())
		}
	}
}

func TestProportion(t *testing.T) {
	// A list of n empty texts costs 16·n, and the input has n+9 bytes; 32,768 are free.
	for n, want := range map[int]bool{4096: true, 4105: true, 4106: false, 5000: false} {
		b := append([]byte{0x86, 0, 0, 0xf4, 0x60, 0x40, 0x99, byte(n >> 8), byte(n)}, bytes.Repeat([]byte{0x60}, n)...)
		if err := Unmarshal(b, &sample{}); (err == nil) != want {
			t.Errorf("%d empty texts: %v", n, err)
		}
	}
}
