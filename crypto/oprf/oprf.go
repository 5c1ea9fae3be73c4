// Package oprf computes oblivious pseudorandom functions on batches of bytes.
//
// It is the suite ristretto255-SHA512 of RFC 9497 in the modes OPRF and VOPRF (sections
// 3.3.1, 3.3.2 and 4.1) on the batches of crypto/ristretto, and adds the masked points of a
// plain Diffie-Hellman intersection, in which the server may shuffle what it returns:
//
//	client                                    server
//	public.Blind(inputs, blinds)
//	          ── Batch.Blinded() ──────────►  Key.Evaluate
//	          ◄── evaluated, proof ─────────
//	Batch.Finalize(…) = outputs               Key.Outputs(inputs) = the same outputs
//
//	a.MaskInputs(inputs)
//	          ── a·H(x) ───────────────────►  k.Mask, then shuffle
//	a.Unmask  ◄── k·a·H(x) ────────────────
//	          = k·H(x)                        k.MaskInputs(inputs) = the same point
//
// A proof comes in one of two forms (see Form): the RFC's own, for whoever speaks only the
// RFC, and one whose batch costs a fraction, for two nodes of ours.
//
// Promises, in the random oracle model and under the one-more gap Diffie-Hellman
// assumption: the server learns nothing of the inputs; the client learns one output
// for each blinded element and nothing of the key; with a proof the client knows that
// each output comes from the one public key. Of proofs of form Standard that holds for
// batches of one or two only (see proof.go). Adaptive batches cost the key a few
// bits (RFC 9497 section 7.2.3): q batches that build on each other lose log2(q)/2.
//
// Does not promise: anything against a quantum computer; correct masking by either
// side, since masked points carry no proof; that inputs are what they should be. Nor
// does it bound how many elements a client has evaluated: the caller counts.
//
// Scalar multiplication, hashing to the group, encoding and inversion take the same
// time for all secrets of one length. Decoding of the peer's bytes and checking of proofs
// do not need to, and errors name the place. Every element from outside is decoded
// strictly: canonical (RFC 9496 section 4.3.1) and not the identity.
package oprf

import (
	"errors"
	"fmt"
	"sync"

	"entente/crypto/ristretto"
)

const (
	// ElementSize is the length of an encoded group element in bytes.
	ElementSize = ristretto.Size
	// ScalarSize is the length of an encoded scalar in bytes.
	ScalarSize = ristretto.ScalarSize
	// PublicKeySize is the length of an encoded public key in bytes.
	PublicKeySize = ElementSize
	// ProofSize is the length of a proof for one batch in bytes, in either form: two scalars.
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

// Form says how a key's evaluations are proved. It belongs to the key: both sides must
// agree on it, as on the key.
type Form uint8

const (
	// Unproven is mode OPRF of RFC 9497 (0x00): proofs are empty, and the client takes what
	// it gets. Its outputs differ from those of the other forms.
	Unproven Form = iota
	// Standard is mode VOPRF (0x01) with the RFC's own proof. A server with much computing
	// power can forge it for a large batch: proof.go.
	Standard
	// Batched is mode VOPRF with the proof of this package, which costs less: proof.go.
	Batched
)

// String returns the form in one word.
func (f Form) String() string {
	switch f {
	case Unproven:
		return "unproven"
	case Standard:
		return "standard"
	case Batched:
		return "batched"
	}
	return fmt.Sprintf("form %d", uint8(f))
}

func (f Form) check() error {
	if f > Batched {
		return fmt.Errorf("form %d of proofs: %w", uint8(f), ErrSize)
	}
	return nil
}

// proofSize is the length of a form's proofs in bytes.
func (f Form) proofSize() int {
	if f == Unproven {
		return 0
	}
	return ProofSize
}

// context is the context string of RFC 9497 section 3.1.
func (f Form) context() string {
	if f == Unproven {
		return "OPRFV1-\x00-ristretto255-SHA512"
	}
	return "OPRFV1-\x01-ristretto255-SHA512"
}

// bench is what one call works with. Nothing of it is used after the call.
type bench struct {
	*ristretto.Worker
	a, b ristretto.Points
	few  [4]ristretto.Points // single elements of proofs
}

// benches keeps the memory of calls that are over, one kernel's.
type benches struct {
	kernel ristretto.Kernel
	idle   sync.Pool
}

func (p *benches) take() (*bench, error) {
	if b, ok := p.idle.Get().(*bench); ok {
		return b, nil
	}
	w, err := ristretto.NewWorker(p.kernel)
	if err != nil {
		return nil, fmt.Errorf("choose arithmetic: %w", err)
	}
	return &bench{Worker: w}, nil
}

func (p *benches) put(b *bench) { p.idle.Put(b) }

// read decodes a batch of elements strictly.
func (w *bench) read(dst *ristretto.Points, b []byte) error {
	n := len(b) / ElementSize
	if n == 0 || len(b)%ElementSize != 0 || n > MaxBatch {
		return fmt.Errorf("batch of %d bytes: %w", len(b), ErrSize)
	}
	if err := w.Decode(dst, b); err != nil {
		return fmt.Errorf("%w: %w", ErrElement, err)
	}
	if i := w.FirstIdentity(dst); i >= 0 {
		return fmt.Errorf("element %d of %d is the identity: %w", i, n, ErrElement)
	}
	return nil
}

// write encodes elements into new memory.
func (w *bench) write(p *ristretto.Points) []byte {
	b := make([]byte, p.Len()*ElementSize)
	w.Encode(b, p)
	return b
}

// hash hashes inputs to the group under a domain. That one of them gives the identity has
// a probability of 2^-252; the RFC wants it refused.
func (w *bench) hash(dst *ristretto.Points, inputs [][]byte, domain string) error {
	if err := checkInputs(inputs); err != nil {
		return err
	}
	if err := w.HashToGroup(dst, inputs, []byte(domain)); err != nil {
		return err
	}
	if i := w.FirstIdentity(dst); i >= 0 {
		return fmt.Errorf("input %d of %d hashes to the identity: %w", i, len(inputs), ErrElement)
	}
	return nil
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
