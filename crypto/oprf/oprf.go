// Package oprf computes oblivious pseudorandom functions on batches of bytes.
//
// It wraps the ristretto255-SHA512 suite of RFC 9497 in verifiable mode (VOPRF,
// sections 3.3.2 and 4.1) and adds the masked points of a plain Diffie-Hellman
// intersection, in which the server may shuffle what it returns:
//
//	client                                    server
//	public.Blind(inputs, blinds)
//	          ── Batch.Blinded() ──────────►  Key.Evaluate
//	          ◄── evaluated, proof ─────────
//	Batch.Finalize(…) = outputs               Key.Output(input) = the same output
//
//	a.MaskInputs(inputs)
//	          ── a·H(x) ───────────────────►  k.Mask, then shuffle
//	a.Unmask  ◄── k·a·H(x) ────────────────
//	          = k·H(x)                        k.MaskInputs(inputs) = the same point
//
// Promises, in the random oracle model and under the one-more gap Diffie-Hellman
// assumption: the server learns nothing of the inputs; the client learns one output
// for each blinded element and nothing of the key; with VOPRF the client knows that
// each output comes from the one public key. Adaptive batches cost the key a few
// bits (RFC 9497 section 7.2.3): q batches that build on each other lose log2(q)/2.
//
// Does not promise: anything against a quantum computer; correct masking by either
// side, since masked points carry no proof; that inputs are what they should be. Nor
// does it bound how many elements a client has evaluated: the caller counts.
//
// Scalar multiplication, hashing to the group, encoding and inversion take the same
// time for all secrets of one length. Decoding of the peer's bytes does not need to
// and its errors name the place. Every element from outside is decoded strictly:
// canonical (RFC 9496 section 4.3.1) and not the identity.
package oprf

import (
	"errors"
	"fmt"

	"github.com/cloudflare/circl/group"
	circl "github.com/cloudflare/circl/oprf"
)

const (
	// ElementSize is the length of an encoded group element in bytes.
	ElementSize = 32
	// ScalarSize is the length of an encoded scalar in bytes.
	ScalarSize = 32
	// PublicKeySize is the length of an encoded public key in bytes.
	PublicKeySize = ElementSize
	// ProofSize is the length of a proof for one batch in bytes: two scalars.
	ProofSize = 2 * ScalarSize
	// OutputSize is the length of one output in bytes: a whole SHA-512.
	OutputSize = 64
	// SeedSize is the length of the seeds from which keys and scalars derive.
	SeedSize = 32
	// MaxBatch is how many elements one call takes. RFC 9497 counts a batch with two
	// bytes; this is far below, so that the index cannot wrap.
	MaxBatch = 4096
	// MaxInput is the longest input in bytes, from the two-byte length of RFC 9497.
	MaxInput = 1<<16 - 1
)

var (
	// ErrElement says that bytes are not the canonical form of an element other than
	// the identity.
	ErrElement = errors.New("not a canonical group element")
	// ErrProof says that a batch was not evaluated with the key expected.
	ErrProof = errors.New("the proof does not fit the batch and the public key")
	// ErrScalar says that a scalar is zero, not reduced or missing.
	ErrScalar = errors.New("not a reduced scalar other than zero")
	// ErrSize says that a batch, an input or a seed has a length that is not allowed.
	ErrSize = errors.New("length not allowed")
)

// suite is the one suite of RFC 9497 that this package speaks.
func suite() circl.Suite { return circl.SuiteRistretto255 }

func curve() group.Group { return group.Ristretto255 }

// decode reads a batch of encoded elements strictly.
func decode(b []byte) ([]group.Element, error) {
	if len(b) == 0 || len(b)%ElementSize != 0 || len(b)/ElementSize > MaxBatch {
		return nil, fmt.Errorf("batch of %d bytes: %w", len(b), ErrSize)
	}
	elements := make([]group.Element, len(b)/ElementSize)
	for i := range elements {
		e := curve().NewElement()
		if err := e.UnmarshalBinary(b[i*ElementSize : (i+1)*ElementSize]); err != nil || e.IsIdentity() {
			return nil, fmt.Errorf("element %d of %d: %w", i, len(elements), ErrElement)
		}
		elements[i] = e
	}
	return elements, nil
}

// encode writes a batch of elements. None of them may be the identity.
func encode(elements []group.Element) ([]byte, error) {
	b := make([]byte, 0, len(elements)*ElementSize)
	for i, e := range elements {
		if e.IsIdentity() {
			return nil, fmt.Errorf("element %d of %d: %w", i, len(elements), ErrElement)
		}
		one, err := e.MarshalBinaryCompress()
		if err != nil {
			return nil, fmt.Errorf("encode element %d: %w", i, err)
		}
		b = append(b, one...)
	}
	return b, nil
}

// checkInputs refuses batches and inputs that the encodings of RFC 9497 cannot carry.
func checkInputs(inputs [][]byte) error {
	if len(inputs) == 0 || len(inputs) > MaxBatch {
		return fmt.Errorf("batch of %d inputs: %w", len(inputs), ErrSize)
	}
	for i, in := range inputs {
		if len(in) > MaxInput {
			return fmt.Errorf("input %d of %d bytes: %w", i, len(in), ErrSize)
		}
	}
	return nil
}
