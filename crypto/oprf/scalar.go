package oprf

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
)

const (
	// scalarLabel separates derived scalars from keys and proof nonces.
	scalarLabel = "entente/oprf/scalar/1"
	// pointLabel is the domain of the hash to the group for masked points, so that they
	// never meet the elements of the VOPRF.
	pointLabel = "entente/oprf/point/1-ristretto255_XMD:SHA-512_R255MAP_RO_"
)

// Scalar is a secret number: a blind for one input, or a mask for a whole list. It is
// never zero and prints nothing of itself. The zero value is not usable.
type Scalar struct{ s group.Scalar }

// DeriveScalar returns the scalar number index of a seed of SeedSize bytes.
func DeriveScalar(seed []byte, index uint64) (Scalar, error) {
	if len(seed) != SeedSize {
		return Scalar{}, fmt.Errorf("derive scalar from a seed of %d bytes: %w", len(seed), ErrSize)
	}
	message := binary.BigEndian.AppendUint64(append(make([]byte, 0, SeedSize+8), seed...), index)
	s := curve().HashToScalar(message, []byte(scalarLabel))
	if s.IsZero() { // probability 2^-252
		return Scalar{}, fmt.Errorf("derive scalar: %w", ErrScalar)
	}
	return Scalar{s}, nil
}

// ParseScalar reads a scalar in the encoding of RFC 9496: ScalarSize bytes, little
// endian, reduced, not zero.
func ParseScalar(b []byte) (Scalar, error) {
	s := curve().NewScalar()
	if err := s.UnmarshalBinary(b); err != nil || s.IsZero() {
		return Scalar{}, fmt.Errorf("parse scalar of %d bytes: %w", len(b), ErrScalar)
	}
	return Scalar{s}, nil
}

// MaskInputs hashes each input to the group and multiplies it by the scalar.
func (s Scalar) MaskInputs(inputs [][]byte) ([]byte, error) {
	if err := checkInputs(inputs); err != nil {
		return nil, fmt.Errorf("mask inputs: %w", err)
	}
	points := make([]group.Element, len(inputs))
	for i, in := range inputs {
		points[i] = curve().HashToElement(in, []byte(pointLabel))
	}
	return s.multiply(points, s.s)
}

// Mask multiplies each of a batch of encoded elements by the scalar.
func (s Scalar) Mask(points []byte) ([]byte, error) {
	elements, err := decode(points)
	if err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	return s.multiply(elements, s.s)
}

// Unmask undoes Mask with the same scalar.
func (s Scalar) Unmask(points []byte) ([]byte, error) {
	elements, err := decode(points)
	if err != nil {
		return nil, fmt.Errorf("unmask: %w", err)
	}
	return s.multiply(elements, curve().NewScalar().Inv(s.s))
}

func (Scalar) multiply(elements []group.Element, by group.Scalar) ([]byte, error) {
	for _, e := range elements {
		e.Mul(e, by)
	}
	return encode(elements)
}

// Format prints a fixed text for every verb.
func (Scalar) Format(f fmt.State, _ rune) { io.WriteString(f, secretText) }

// LogValue logs a fixed text.
func (Scalar) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText writes a fixed text, so that encoders cannot leak the scalar.
func (Scalar) MarshalText() ([]byte, error) { return []byte(secretText), nil }
