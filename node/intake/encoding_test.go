package intake

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

func TestFirstNotText(t *testing.T) {
	for in, want := range map[string]int{
		"": -1, "plain": -1, "é世😀": -1, "\ufffd": -1, // a replacement character that stands in the text is text
		"\x00": 0, "a\x00b": 1, "\xe9": 0, "ab\xe9c": 2, "é\xe9": 2,
		"a\xc3": 1, "\xf0\x9f\x98": 0, "\xed\xa0\x80": 0, // a surrogate
		"\xc0\x80": 0, // overlong
		"\xe9\x00": 0, "\x00\xe9": 0,
	} {
		if got := firstNotText([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func TestUnfinishedRune(t *testing.T) {
	for in, want := range map[string]int{
		"": 0, "a": 0, "é": 0, "a\xc3": 1, "世": 0, "\xe4\xb8": 2, "a\xe4": 1, "😀": 0, "\xf0\x9f\x98": 3, "\xf0\x9f": 2, "\xf0": 1,
		"\x80\x80\x80\x80": 0, // no start: wrong, but not unfinished
	} {
		if got := unfinishedRune([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func TestLineEnd(t *testing.T) {
	for in, want := range map[string]byte{
		"": '\n', "a": '\n', "a\n": '\n', "a\r\n": '\n', "a\rb": '\r', "a\r": '\r', "a\rb\n": '\n',
		"\"a\nb\"\rc": '\r', "\"a\rb\"\nc": '\n', "\"a\rb": '\n',
	} {
		if got := lineEnd([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// encode16 writes text in UTF-16 without a mark.
func encode16(text string, bigEndian bool) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		if bigEndian {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

func TestLooksUTF16(t *testing.T) {
	long := strings.Repeat("phone,ชื่อ\r\n0491570006,x\r\n", 100)
	for name, c := range map[string]struct {
		head []byte
		want bool
	}{
		"nothing":               {nil, false},
		"UTF-8":                 {[]byte(long), false},
		"little end first":      {encode16(long, false), true},
		"big end first":         {encode16(long, true), true},
		"short":                 {encode16("ab", false), true},
		"too short to say":      {[]byte("a\x00"), false},
		"a NUL here, one there": {[]byte("a\x00bc\x00d\x00\x00ef"), false},
		"one NUL":               {[]byte("phone\n04\x0091570006\n"), false},
	} {
		if got := looksUTF16(c.head); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The place of a bad byte is right in each line, with each line end and in a line that
// is passed over in pieces.
func TestPlaceOfBadText(t *testing.T) {
	for name, c := range map[string]struct {
		in        string
		line, chr int
	}{
		"first byte":              {"\xe9phone\n", 1, 1},
		"after a mark":            {"\ufeffph\xe9ne\n", 1, 3},
		"second line":             {"phone\n04\xe9\n", 2, 3},
		"windows lines":           {"phone\r\n04\r\n05\xe9\r\n", 3, 3},
		"old lines":               {"phone\r04\r05\xe9\r", 3, 3},
		"after wide characters":   {"phone\nเบอร์\xe9\n", 2, 6},
		"in a quoted field":       {"phone\n\"a\nb\xe9\"\n", 3, 2},
		"in a broken row":         {"phone\n\"a\" b \xe9\n", 2, 7},
		"at the end":              {"phone\n04\n\xe9", 3, 1},
		"far in a long line":      {"phone\n" + strings.Repeat("x", 5*maxField) + "\x00", 2, 5*maxField + 1},
		"after a long line":       {"phone\n" + strings.Repeat("x", 5*maxField) + "\n\xe9", 3, 1},
		"after wide, long line":   {"phone\n" + strings.Repeat("世", 2*maxField) + "\xe9", 2, 2*maxField + 1},
		"below titles, in a peek": {"title\nmore\n\xe9\n", 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(strings.NewReader(c.in))
			err := r.open()
			for w := new(row); err == nil; {
				err = r.next(w)
			}
			e, ok := errors.AsType[*FileError](err)
			if !ok || e.Line != c.line || e.Character != c.chr {
				t.Errorf("%v, want line %d, character %d", err, c.line, c.chr)
			}
		})
	}
}
