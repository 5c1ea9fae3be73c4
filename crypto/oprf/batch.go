package oprf

import (
	"errors"
	"fmt"

	"github.com/cloudflare/circl/group"
	circl "github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
)

// Batch is what a client keeps between its request and the server's answer.
type Batch struct {
	client  circl.VerifiableClient
	data    *circl.FinalizeData
	blinded []byte
}

// Blind blinds each input with the blind at the same place, to be evaluated by the
// holder of this public key. A blind must never serve
// for two different inputs; with the same input it gives the same bytes, so that a
// lost request can be sent again.
func (p *PublicKey) Blind(inputs [][]byte, blinds []Scalar) (*Batch, error) {
	if err := checkInputs(inputs); err != nil {
		return nil, fmt.Errorf("blind: %w", err)
	}
	if len(blinds) != len(inputs) {
		return nil, fmt.Errorf("blind %d inputs with %d blinds: %w", len(inputs), len(blinds), ErrSize)
	}
	scalars := make([]group.Scalar, len(blinds))
	for i, b := range blinds {
		if b.s == nil {
			return nil, fmt.Errorf("blind input %d: %w", i, ErrScalar)
		}
		scalars[i] = b.s
	}
	client := circl.NewVerifiableClient(suite(), p.key)
	data, request, err := client.DeterministicBlind(inputs, scalars)
	if err != nil {
		return nil, fmt.Errorf("blind: %w", err)
	}
	blinded, err := encode(request.Elements)
	if err != nil {
		return nil, fmt.Errorf("blind: %w", err)
	}
	return &Batch{client: client, data: data, blinded: blinded}, nil
}

// Blinded returns the request: one element for each input, in order.
func (b *Batch) Blinded() []byte { return b.blinded }

// Finalize checks the server's answer against the public key and returns the outputs
// in the order of the inputs, OutputSize bytes each. Errors are ErrElement, ErrProof
// and ErrSize; nothing of the answer is used unless all of it is right.
func (b *Batch) Finalize(evaluated, proof []byte) ([][]byte, error) {
	if len(evaluated) != len(b.blinded) {
		return nil, fmt.Errorf("finalize %d bytes for a batch of %d: %w", len(evaluated), len(b.blinded), ErrSize)
	}
	elements, err := decode(evaluated)
	if err != nil {
		return nil, fmt.Errorf("finalize: %w", err)
	}
	p, err := parseProof(proof)
	if err != nil {
		return nil, fmt.Errorf("finalize: %w", err)
	}
	outputs, err := b.client.Finalize(b.data, &circl.Evaluation{Elements: elements, Proof: p})
	switch {
	case errors.Is(err, circl.ErrInvalidProof):
		return nil, fmt.Errorf("finalize: %w", ErrProof)
	case err != nil:
		return nil, fmt.Errorf("finalize: %w", err)
	}
	return outputs, nil
}

// parseProof reads the two scalars of a proof strictly.
func parseProof(b []byte) (*dleq.Proof, error) {
	p := new(dleq.Proof)
	if err := p.UnmarshalBinary(curve(), b); err != nil {
		return nil, fmt.Errorf("parse proof of %d bytes: %w", len(b), ErrProof)
	}
	return p, nil
}
