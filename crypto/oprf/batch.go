package oprf

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"entente/crypto/ristretto"
)

// Batch is what a client keeps between its request and the server's answer.
type Batch struct {
	public  *PublicKey
	inputs  [][]byte
	blinds  []ristretto.Scalar
	points  ristretto.Points // the request, for the proof
	blinded []byte
}

// Blind blinds each input with the blind at the same place, to be evaluated by the
// holder of this public key. A blind must never serve for two different inputs; with the
// same input it gives the same bytes, so that a lost request can be sent again. The batch
// keeps the inputs.
func (p *PublicKey) Blind(inputs [][]byte, blinds []Scalar) (*Batch, error) {
	if len(blinds) != len(inputs) {
		return nil, fmt.Errorf("blind %d inputs with %d blinds: %w", len(inputs), len(blinds), ErrSize)
	}
	b := &Batch{public: p, inputs: inputs, blinds: make([]ristretto.Scalar, len(blinds))}
	for i := range blinds {
		if !blinds[i].usable() {
			return nil, fmt.Errorf("blind input %d: %w", i, ErrScalar)
		}
		b.blinds[i] = blinds[i].s
	}
	w, err := p.benches.take()
	if err != nil {
		return nil, err
	}
	defer p.benches.put(w)
	if err := w.hash(&b.points, inputs, hashToGroup+p.form.context()); err != nil {
		return nil, fmt.Errorf("blind: %w", err)
	}
	w.MulEach(&b.points, &b.points, b.blinds)
	b.blinded = w.write(&b.points)
	return b, nil
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
	w, err := b.public.benches.take()
	if err != nil {
		return nil, err
	}
	defer b.public.benches.put(w)
	if err := w.read(&w.a, evaluated); err != nil {
		return nil, fmt.Errorf("finalize: %w", err)
	}
	if err := b.public.verify(w, statement{b.blinded, evaluated, &b.points, &w.a}, proof); err != nil {
		return nil, fmt.Errorf("finalize: %w", err)
	}
	inverses := make([]ristretto.Scalar, len(b.blinds))
	copy(inverses, b.blinds)
	if err := ristretto.InvertAll(inverses); err != nil {
		return nil, fmt.Errorf("finalize: %w: %w", ErrScalar, err)
	}
	w.MulEach(&w.a, &w.a, inverses)
	clear(inverses)
	return outputs(b.inputs, w.write(&w.a)), nil
}

// outputs hashes inputs with their elements, as Finalize of RFC 9497 section 3.3.1 does.
func outputs(inputs [][]byte, elements []byte) [][]byte {
	all := make([]byte, 0, len(inputs)*OutputSize)
	out := make([][]byte, len(inputs))
	var message []byte
	for i, in := range inputs {
		message = appendField(message[:0], in)
		message = appendField(message, elements[i*ElementSize:(i+1)*ElementSize])
		message = append(message, "Finalize"...)
		sum := sha512.Sum512(message)
		all = append(all, sum[:]...)
		out[i] = all[i*OutputSize : (i+1)*OutputSize : (i+1)*OutputSize]
	}
	return out
}

// appendField appends a content of at most MaxInput bytes after its length as two bytes.
func appendField(b, content []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(content))), content...)
}
