package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// MaxDepth is how deep arrays may nest, the message itself included.
const MaxDepth = 8

// ErrMalformed says that bytes are not the canonical encoding of the expected message.
var ErrMalformed = errors.New("malformed message")

// fault is why an item is refused. It is one of the reasons below, at a byte offset, so
// that it never repeats what the peer sent.
type fault struct {
	reason string
	offset int
}

// The reasons are the fault classes of protocol/vectors/wire.json.
const (
	reasonTruncated  = "truncated"         // ends before the item does
	reasonTrailing   = "trailing bytes"    // goes on after the item
	reasonShortest   = "not shortest form" // a longer head than the number needs
	reasonIndefinite = "indefinite length" // length byte 31
	reasonReserved   = "reserved head"     // length bytes 28 to 30
	reasonType       = "forbidden type"    // map, tag, float, null, undefined, simple value
	reasonDepth      = "too deep"          // more than MaxDepth arrays inside each other
	reasonLength     = "length over input" // claims more than the bytes that are left
	reasonText       = "not UTF-8"         // text string
	reasonRange      = "integer range"     // does not fit the field, or below −2⁶³
	reasonShape      = "wrong shape"       // another type or number of fields than the message has
	reasonMemory     = "out of proportion" // would take far more memory than its length
	reasonCanonical  = "not canonical"     // encodes to other bytes than came
	reasonCodec      = "codec refuses"     // the decoder's own objection
)

func (f fault) Error() string { return fmt.Sprintf("%s at byte %d", f.reason, f.offset) }

// Is makes every fault an ErrMalformed.
func (f fault) Is(target error) bool { return target == ErrMalformed }

// CBOR major types (RFC 8949 section 3.1) and the two simple values we admit.
const (
	majorUnsigned = 0
	majorNegative = 1
	majorBytes    = 2
	majorText     = 3
	majorArray    = 4

	simpleFalse = 0xf4
	simpleTrue  = 0xf5
)

// Scan reports whether b is exactly one item that we admit: integers from −2⁶³ to 2⁶⁴−1,
// byte strings, UTF-8 text strings, arrays and booleans, each in its shortest form and
// of definite length, at most MaxDepth arrays deep. It allocates nothing on success.
func Scan(b []byte) error {
	var open [MaxDepth]uint64 // items still to come in each array around the next item
	depth, pos := 0, 0
	for {
		h, err := readHead(b, pos)
		if err != nil {
			return err
		}
		pos = h.next
		switch h.major {
		case majorText:
			if !utf8.Valid(b[pos : pos+int(h.value)]) {
				return fault{reasonText, pos}
			}
			pos += int(h.value)
		case majorBytes:
			pos += int(h.value)
		case majorArray:
			if depth == MaxDepth {
				return fault{reasonDepth, pos}
			}
			open[depth] = h.value + 1 // counts itself; taken off just below
			depth++
		}
		for depth > 0 {
			open[depth-1]--
			if open[depth-1] > 0 {
				break
			}
			depth--
		}
		if depth == 0 {
			break
		}
	}
	if pos != len(b) {
		return fault{reasonTrailing, pos}
	}
	return nil
}

// head is the first bytes of an item: its type and a number, which is its value or length.
type head struct {
	major byte
	value uint64
	next  int // where the content begins
}

// readHead reads the head at pos and checks all that one head alone can tell.
func readHead(b []byte, pos int) (head, error) {
	if pos >= len(b) {
		return head{}, fault{reasonTruncated, pos}
	}
	first := b[pos]
	if first == simpleFalse || first == simpleTrue {
		return head{major: first >> 5, value: uint64(first & 1), next: pos + 1}, nil
	}
	h := head{major: first >> 5}
	if h.major > majorArray {
		return head{}, fault{reasonType, pos}
	}
	var err error
	if h.value, h.next, err = readNumber(b, pos); err != nil {
		return head{}, err
	}
	switch h.major {
	case majorNegative:
		if h.value > math.MaxInt64 {
			return head{}, fault{reasonRange, pos}
		}
	case majorBytes, majorText, majorArray:
		// An element takes at least one byte, so this holds for arrays too.
		if h.value > uint64(len(b)-h.next) {
			return head{}, fault{reasonLength, pos}
		}
	}
	return h, nil
}

// readNumber reads the number of the head at pos and where the head ends.
func readNumber(b []byte, pos int) (value uint64, next int, err error) {
	info := b[pos] & 31
	if info < 24 {
		return uint64(info), pos + 1, nil
	}
	switch {
	case info == 31:
		return 0, 0, fault{reasonIndefinite, pos}
	case info > 27:
		return 0, 0, fault{reasonReserved, pos}
	}
	size := 1 << (info - 24)
	if len(b)-pos-1 < size {
		return 0, 0, fault{reasonTruncated, pos}
	}
	n, least := b[pos+1:], uint64(0)
	switch size {
	case 1:
		value, least = uint64(n[0]), 24
	case 2:
		value, least = uint64(binary.BigEndian.Uint16(n)), 1<<8
	case 4:
		value, least = uint64(binary.BigEndian.Uint32(n)), 1<<16
	default:
		value, least = binary.BigEndian.Uint64(n), 1<<32
	}
	if value < least {
		return 0, 0, fault{reasonShortest, pos}
	}
	return value, pos + 1 + size, nil
}
