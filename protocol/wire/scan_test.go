package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestScanAccepts(t *testing.T) {
	for _, c := range []string{
		"\x00", "\x17", "\x18\x18", "\x18\xff", "\x19\x01\x00", "\x19\xff\xff", "\x1a\x00\x01\x00\x00",
		"\x1b\x00\x00\x00\x01\x00\x00\x00\x00", "\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x20", "\x38\x18", "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff",
		"\x40", "\x41\xff", "\x60", "\x62\xc3\xa9", "\x80", "\x82\x00\x01", "\xf4", "\xf5",
		"\x81\x81\x81\x81\x81\x81\x81\x80",         // MaxDepth arrays
		"\x83\x81\x80\x82\x80\x00\x81\x81\x41\x00", // arrays that end together
	} {
		if err := Scan([]byte(c)); err != nil {
			t.Errorf("%x: %v", c, err)
		}
		if n := testing.AllocsPerRun(10, func() { _ = Scan([]byte(c)) }); n > 1 { // the conversion
			t.Errorf("%x: %v allocations", c, n)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	for _, c := range []struct{ item, reason string }{
		{"", reasonTruncated}, {"\x18", reasonTruncated}, {"\x19\x01", reasonTruncated},
		{"\x1b\x01\x01\x01\x01\x01\x01\x01", reasonTruncated}, {"\x82\x00", reasonLength}, {"\x82\x81\x00", reasonTruncated},
		{"\x81\x82\x00\x18", reasonTruncated},
		{"\x00\x00", reasonTrailing}, {"\x80\x80", reasonTrailing}, {"\x81\x00\xff", reasonTrailing},
		{"\x18\x17", reasonShortest}, {"\x19\x00\xff", reasonShortest}, {"\x1a\x00\x00\xff\xff", reasonShortest},
		{"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", reasonShortest}, {"\x38\x17", reasonShortest},
		{"\x58\x01\x00", reasonShortest}, {"\x78\x01a", reasonShortest}, {"\x98\x01\x00", reasonShortest},
		{"\x5f\x41\x00\xff", reasonIndefinite}, {"\x7f\xff", reasonIndefinite}, {"\x9f\x00\xff", reasonIndefinite},
		{"\x1f", reasonIndefinite}, {"\x1c", reasonReserved}, {"\x3d", reasonReserved}, {"\x5e", reasonReserved},
		{"\xa0", reasonType}, {"\xa1\x00\x00", reasonType}, {"\xc0\x00", reasonType}, {"\xc2\x41\x01", reasonType},
		{"\xf6", reasonType}, {"\xf7", reasonType}, {"\xf8\xff", reasonType}, {"\xe0", reasonType},
		{"\xf9\x3c\x00", reasonType}, {"\xfa\x00\x00\x00\x00", reasonType}, {"\xfb\x00\x00\x00\x00\x00\x00\x00\x00", reasonType},
		{"\xff", reasonType}, {"\x81\xff", reasonType},
		{"\x81\x81\x81\x81\x81\x81\x81\x81\x80", reasonDepth},
		{"\x41", reasonLength}, {"\x62\xc3", reasonLength}, {"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", reasonLength},
		{"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", reasonLength}, {"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", reasonLength},
		{"\x61\xff", reasonText}, {"\x62\xc0\x80", reasonText}, {"\x63\xed\xa0\x80", reasonText},
		{"\x3b\x80\x00\x00\x00\x00\x00\x00\x00", reasonRange}, {"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", reasonRange},
	} {
		err := Scan([]byte(c.item))
		if f, ok := errors.AsType[fault](err); !ok || f.reason != c.reason || !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: got %v, want %s", c.item, err, c.reason)
		}
	}
}

// TestScanEveryPrefix: no item is the beginning of another.
func TestScanEveryPrefix(t *testing.T) {
	b := []byte("\x85\x19\x01\x00\x43abc\x62\xc3\xa9\x82\xf5\x20\x81\x80")
	if err := Scan(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		if err := Scan(b[:i]); err == nil {
			t.Errorf("the first %d bytes pass as a whole", i)
		}
	}
}

// describe is a second reader of items, recursive and without care for speed: it encodes
// again what it reads. Accepted input must come out as it went in.
func describe(b []byte, depth int) (again, rest []byte, ok bool) {
	if len(b) == 0 || depth > MaxDepth+1 {
		return nil, nil, false
	}
	if b[0] == simpleTrue || b[0] == simpleFalse {
		return b[:1], b[1:], true
	}
	major, info, rest := b[0]>>5, b[0]&31, b[1:]
	n := uint64(info)
	if info >= 24 {
		size := 1 << (info - 24)
		if info > 27 || len(rest) < size {
			return nil, nil, false
		}
		n = 0
		for _, x := range rest[:size] {
			n = n<<8 | uint64(x)
		}
		rest = rest[size:]
	}
	again = number(n, false)
	again[0] |= major << 5
	switch major {
	case majorUnsigned, majorNegative:
		return again, rest, true
	case majorBytes, majorText:
		if n > uint64(len(rest)) {
			return nil, nil, false
		}
		return append(again, rest[:n]...), rest[n:], true
	case majorArray:
		for range n {
			var item []byte
			if item, rest, ok = describe(rest, depth+1); !ok {
				return nil, nil, false
			}
			again = append(again, item...)
		}
		return again, rest, true
	}
	return nil, nil, false
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"\x85\x19\x01\x00\x43abc\x62\xc3\xa9\x82\xf5\x20\x81\x80", "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "\x81\x81\x81\x81\x81\x81\x81\x81\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := Scan(b)
		if err != nil {
			if _, ok := errors.AsType[fault](err); !ok {
				t.Errorf("foreign error: %v", err)
			}
			return
		}
		again, rest, ok := describe(b, 1)
		if !ok || len(rest) > 0 || !bytes.Equal(again, b) {
			t.Errorf("%x is accepted and reads as %x", b, again)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	in := append([]byte{0x83, 0x59, 0x01, 0x00}, make([]byte, 256)...)
	in = append(in, "\x78\x80"...)
	in = append(in, bytes.Repeat([]byte("a"), 128)...)
	in = append(in, "\x84\x00\x01\x02\x03"...)
	for b.Loop() {
		if err := Scan(in); err != nil {
			b.Fatal(err)
		}
	}
}
