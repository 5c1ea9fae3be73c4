package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Key seals and derives. Its zero value is no key: using it panics, since bytes sealed
// with it would be open to all. Keys cannot be compared with ==, and print nothing.
type Key struct {
	_ [0]func()
	b [KeySize]byte
}

// NewKey returns a random key.
func NewKey() Key {
	var k Key
	rand.Read(k.b[:]) // never fails
	return k
}

// ParseKey returns the key in b, which must be KeySize bytes and not all zero: a file
// that a crash left full of zeros is no key.
func ParseKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("parse key: %d bytes instead of %d", len(b), KeySize)
	}
	k := Key{b: [KeySize]byte(b)}
	if k.isZero() {
		return Key{}, fmt.Errorf("parse key: all bytes are zero")
	}
	return k, nil
}

// Bytes returns a copy of the secret.
func (k Key) Bytes() []byte { return k.secret() }

// Equal compares in constant time.
func (k Key) Equal(other Key) bool { return subtle.ConstantTimeCompare(k.b[:], other.b[:]) == 1 }

func (k Key) isZero() bool {
	var zero [KeySize]byte
	return subtle.ConstantTimeCompare(k.b[:], zero[:]) == 1
}

// secret returns the bytes of a key that is one.
func (k Key) secret() []byte {
	if k.isZero() {
		panic("seal: use of a key that was never made")
	}
	return k.b[:]
}

const redacted = "[secret key]"

// String hides the key.
func (k Key) String() string { return redacted }

// Format hides the key from every verb of package fmt.
func (k Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, redacted) }

// LogValue hides the key from logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from encoders.
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
