package oprf

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"entente/crypto/ristretto"
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
type Scalar struct{ s ristretto.Scalar }

// usable tells whether it is not the zero value.
func (s *Scalar) usable() bool { return !s.s.IsZero() }

// DeriveScalar returns the scalar number index of a seed of SeedSize bytes.
func DeriveScalar(seed []byte, index uint64) (Scalar, error) {
	if len(seed) != SeedSize {
		return Scalar{}, fmt.Errorf("derive scalar from a seed of %d bytes: %w", len(seed), ErrSize)
	}
	message := binary.BigEndian.AppendUint64(append(make([]byte, 0, SeedSize+8), seed...), index)
	s, err := ristretto.HashToScalar(message, []byte(scalarLabel))
	if err != nil {
		return Scalar{}, fmt.Errorf("derive scalar: %w", err)
	}
	if s.IsZero() { // probability 2^-252
		return Scalar{}, fmt.Errorf("derive scalar: %w", ErrScalar)
	}
	return Scalar{s}, nil
}

// ParseScalar reads a scalar in the encoding of RFC 9496: ScalarSize bytes, little
// endian, reduced, not zero.
func ParseScalar(b []byte) (Scalar, error) {
	s, err := ristretto.ParseScalar(b)
	if err != nil || s.IsZero() {
		return Scalar{}, fmt.Errorf("parse scalar of %d bytes: %w", len(b), ErrScalar)
	}
	return Scalar{s}, nil
}

// MaskInputs hashes each input to the group and multiplies it by the scalar.
func (s Scalar) MaskInputs(inputs [][]byte) ([]byte, error) {
	return s.mask(ristretto.Auto, "mask inputs", &s.s, hashed(inputs))
}

// Mask multiplies each of a batch of encoded elements by the scalar.
func (s Scalar) Mask(points []byte) ([]byte, error) {
	return s.mask(ristretto.Auto, "mask", &s.s, decoded(points))
}

// Unmask undoes Mask with the same scalar.
func (s Scalar) Unmask(points []byte) ([]byte, error) {
	return s.unmask(ristretto.Auto, points)
}

func (s Scalar) unmask(kernel ristretto.Kernel, points []byte) ([]byte, error) {
	var inverse ristretto.Scalar
	if err := inverse.Invert(&s.s); err != nil {
		return nil, fmt.Errorf("unmask: %w", ErrScalar)
	}
	return s.mask(kernel, "unmask", &inverse, decoded(points))
}

// hashed loads a bench with the points of inputs.
func hashed(inputs [][]byte) func(*bench) error {
	return func(w *bench) error { return w.hash(&w.a, inputs, pointLabel) }
}

// decoded loads a bench with points from outside.
func decoded(points []byte) func(*bench) error {
	return func(w *bench) error { return w.read(&w.a, points) }
}

// mask multiplies what load puts into w.a. Its bench serves one call: a scalar is a value
// and owns no pool.
func (s Scalar) mask(kernel ristretto.Kernel, what string, by *ristretto.Scalar, load func(*bench) error) ([]byte, error) {
	if !s.usable() {
		return nil, fmt.Errorf("%s: %w", what, ErrScalar)
	}
	w, err := (&benches{kernel: kernel}).take()
	if err != nil {
		return nil, err
	}
	if err := load(w); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	w.Mul(&w.a, &w.a, by)
	return w.write(&w.a), nil
}

// Format prints a fixed text for every verb.
func (Scalar) Format(f fmt.State, _ rune) { io.WriteString(f, secretText) }

// LogValue logs a fixed text.
func (Scalar) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText writes a fixed text, so that encoders cannot leak the scalar.
func (Scalar) MarshalText() ([]byte, error) { return []byte(secretText), nil }
