package ristretto

import (
	"fmt"
	"io"
	"log/slog"

	"filippo.io/edwards25519"
)

// secretText is what scalars print in place of themselves.
const secretText = "[secret]"

// Scalar is a number modulo the order of the group,
// 2²⁵² + 27742317777372353535851937790883648493. It counts as secret: it prints nothing
// of itself and its arithmetic takes the same time for all values. The zero value is
// zero.
type Scalar struct {
	_ [0]func() // == on secrets takes a time that depends on them
	s edwards25519.Scalar
}

// ParseScalar reads ScalarSize bytes, little endian. It fails with ErrSize on another
// length and with ErrScalar if the number is not reduced. Zero is accepted.
func ParseScalar(b []byte) (Scalar, error) {
	var s Scalar
	if len(b) != ScalarSize {
		return s, fmt.Errorf("parse scalar of %d bytes: %w", len(b), ErrSize)
	}
	if _, err := s.s.SetCanonicalBytes(b); err != nil {
		return Scalar{}, fmt.Errorf("parse scalar: %w", ErrScalar)
	}
	return s, nil
}

// ScalarFromUniform reduces UniformSize bytes, little endian. It fails with ErrSize on
// another length.
func ScalarFromUniform(b []byte) (Scalar, error) {
	var s Scalar
	if _, err := s.s.SetUniformBytes(b); err != nil {
		return Scalar{}, fmt.Errorf("reduce scalar of %d bytes: %w", len(b), ErrSize)
	}
	return s, nil
}

// HashToScalar hashes a message to a scalar under a domain, which is the whole domain
// separation tag: HashToScalar of RFC 9497 section 4.1. It fails with ErrSize on an empty
// domain only.
func HashToScalar(message, domain []byte) (Scalar, error) {
	var e expander
	if err := e.setDomain(domain); err != nil {
		return Scalar{}, fmt.Errorf("hash to scalar: %w", err)
	}
	var uniform [UniformSize]byte
	e.expand(&uniform, message)
	return ScalarFromUniform(uniform[:])
}

// Bytes returns the canonical form, ScalarSize bytes, little endian.
func (s *Scalar) Bytes() []byte { return s.s.Bytes() }

// IsZero tells whether the scalar is zero.
func (s *Scalar) IsZero() bool { return s.s.Equal(edwards25519.NewScalar()) == 1 }

// Equal tells whether both are the same number.
func (s *Scalar) Equal(t *Scalar) bool { return s.s.Equal(&t.s) == 1 }

// Add sets s to x + y.
func (s *Scalar) Add(x, y *Scalar) { s.s.Add(&x.s, &y.s) }

// Sub sets s to x − y.
func (s *Scalar) Sub(x, y *Scalar) { s.s.Subtract(&x.s, &y.s) }

// Mul sets s to x·y.
func (s *Scalar) Mul(x, y *Scalar) { s.s.Multiply(&x.s, &y.s) }

// Neg sets s to −x.
func (s *Scalar) Neg(x *Scalar) { s.s.Negate(&x.s) }

// Invert sets s to 1/x. It fails with ErrScalar if x is zero.
func (s *Scalar) Invert(x *Scalar) error {
	if x.IsZero() {
		return fmt.Errorf("invert zero: %w", ErrScalar)
	}
	s.s.Invert(&x.s)
	return nil
}

// InvertAll replaces each scalar by its inverse, with one inversion and three products
// for each (Montgomery, "Speeding the Pollard and elliptic curve methods of
// factorization", 1987, section 10.3.1). It fails with ErrScalar, and changes nothing, if
// one of them is zero.
func InvertAll(s []Scalar) error {
	for i := range s {
		if s[i].IsZero() {
			return fmt.Errorf("invert scalar %d of %d, which is zero: %w", i, len(s), ErrScalar)
		}
	}
	if len(s) == 0 {
		return nil
	}
	before := make([]Scalar, len(s)) // before[i] is the product of s[:i+1]
	before[0] = s[0]
	for i := 1; i < len(s); i++ {
		before[i].Mul(&before[i-1], &s[i])
	}
	var rest Scalar // the inverse of the product of s[:i+1]
	if err := rest.Invert(&before[len(s)-1]); err != nil {
		return err
	}
	for i := len(s) - 1; i > 0; i-- {
		before[i].Mul(&rest, &before[i-1])
		rest.Mul(&rest, &s[i])
		s[i] = before[i]
	}
	s[0] = rest
	clear(before)
	return nil
}

// Format prints a fixed text for every verb.
func (Scalar) Format(f fmt.State, _ rune) { io.WriteString(f, secretText) }

// LogValue logs a fixed text.
func (Scalar) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText writes a fixed text, so that encoders cannot leak the scalar.
func (Scalar) MarshalText() ([]byte, error) { return []byte(secretText), nil }
