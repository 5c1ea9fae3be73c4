package oprf

import (
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"entente/crypto/ristretto"
)

const (
	// nonceLabel separates the scalars that blind proofs from all other scalars.
	nonceLabel = "entente/oprf/nonce/1"
	// secretText is what secrets print in place of themselves.
	secretText = "[secret]"

	// Prefixes of domain separation tags, before the context string: RFC 9497 sections
	// 3.2.1 and 4.1.
	hashToGroup   = "HashToGroup-"
	hashToScalar  = "HashToScalar-"
	deriveKeyPair = "DeriveKeyPair"
)

// Key is a server's private key. It prints nothing of itself and may be used by
// several goroutines at once.
type Key struct {
	scalar ristretto.Scalar
	public *PublicKey
}

// DeriveKey derives the key pair of RFC 9497 section 3.2.1 from a seed of SeedSize
// bytes and an info of at most MaxInput bytes. The forms Standard and Batched have the
// same keys: whoever uses both derives them from different seeds or infos.
func DeriveKey(form Form, seed, info []byte) (*Key, error) {
	return deriveKey(ristretto.Auto, form, seed, info)
}

func deriveKey(kernel ristretto.Kernel, form Form, seed, info []byte) (*Key, error) {
	if err := form.check(); err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	if len(seed) != SeedSize || len(info) > MaxInput {
		return nil, fmt.Errorf("derive key from a seed of %d and an info of %d bytes: %w", len(seed), len(info), ErrSize)
	}
	message := append(appendField(append([]byte(nil), seed...), info), 0)
	for counter := range 256 { // the first is zero with a probability of 2^-252
		message[len(message)-1] = byte(counter)
		s, err := ristretto.HashToScalar(message, []byte(deriveKeyPair+form.context()))
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		if !s.IsZero() {
			return keyOf(kernel, form, s)
		}
	}
	return nil, fmt.Errorf("derive key: %w", ErrScalar)
}

func keyOf(kernel ristretto.Kernel, form Form, s ristretto.Scalar) (*Key, error) {
	pool := &benches{kernel: kernel}
	w, err := pool.take()
	if err != nil {
		return nil, err
	}
	defer pool.put(w)
	w.Generator(&w.a, 1)
	w.Mul(&w.a, &w.a, &s)
	public, err := parsePublicKey(kernel, form, w.write(&w.a))
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return &Key{scalar: s, public: public}, nil
}

// Public returns the key against which clients check proofs.
func (k *Key) Public() *PublicKey { return k.public }

// Evaluate multiplies a batch of blinded elements by the key and proves it in the key's
// form, for all of them together. Both slices hold whole elements; the proof has ProofSize
// bytes, or none if the form is Unproven. It fails with ErrElement or ErrSize on a batch
// that no honest client sends.
func (k *Key) Evaluate(blinded []byte) (evaluated, proof []byte, err error) {
	var fresh [32]byte
	rand.Read(fresh[:])
	return k.evaluate(blinded, func(evaluated []byte) (ristretto.Scalar, error) {
		return k.nonce(fresh[:], blinded, evaluated)
	})
}

// evaluate takes the proof's nonce from the caller so that published vectors can fix it.
func (k *Key) evaluate(blinded []byte, nonce func(evaluated []byte) (ristretto.Scalar, error)) (evaluated, proof []byte, err error) {
	w, err := k.public.benches.take()
	if err != nil {
		return nil, nil, err
	}
	defer k.public.benches.put(w)
	if err := w.read(&w.a, blinded); err != nil {
		return nil, nil, fmt.Errorf("evaluate: %w", err)
	}
	w.Mul(&w.b, &w.a, &k.scalar)
	evaluated = w.write(&w.b)
	if k.public.form == Unproven {
		return evaluated, nil, nil
	}
	r, err := nonce(evaluated)
	if err != nil {
		return nil, nil, fmt.Errorf("prove evaluation: %w", err)
	}
	proof, err = k.prove(w, statement{blinded, evaluated, &w.a, &w.b}, &r)
	if err != nil {
		return nil, nil, fmt.Errorf("prove evaluation: %w", err)
	}
	return evaluated, proof, nil
}

// nonce is hedged: it is secret as long as either the key or the fresh bytes are, and a
// repeated generator output cannot repeat it for another batch, which would give the
// key away.
func (k *Key) nonce(fresh, blinded, evaluated []byte) (ristretto.Scalar, error) {
	h := sha512.New()
	h.Write(fresh)
	h.Write(k.scalar.Bytes())
	h.Write([]byte{byte(k.public.form)})
	h.Write(blinded)
	h.Write(evaluated)
	return ristretto.HashToScalar(h.Sum(nil), []byte(nonceLabel))
}

// Outputs returns the function's values for inputs of the server's own, without a
// client: what Batch.Finalize gives for the same inputs, OutputSize bytes each.
func (k *Key) Outputs(inputs [][]byte) ([][]byte, error) {
	w, err := k.public.benches.take()
	if err != nil {
		return nil, err
	}
	defer k.public.benches.put(w)
	if err := w.hash(&w.a, inputs, hashToGroup+k.public.form.context()); err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	w.Mul(&w.a, &w.a, &k.scalar)
	return outputs(inputs, w.write(&w.a)), nil
}

// Scalar returns the key as a mask, for protocols without proofs.
func (k *Key) Scalar() Scalar { return Scalar{k.scalar} }

// Format prints a fixed text for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, secretText) }

// LogValue logs a fixed text.
func (Key) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText writes a fixed text, so that encoders cannot leak the key.
func (Key) MarshalText() ([]byte, error) { return []byte(secretText), nil }

// PublicKey is a server's public key, parsed and checked, with the form of its proofs. It
// may be used by several goroutines at once.
type PublicKey struct {
	form    Form
	encoded [PublicKeySize]byte
	point   ristretto.Points // one element
	benches *benches
}

// ParsePublicKey reads a public key strictly: ErrElement if it is not canonical or is
// the identity, with which every output could be computed by anyone.
func ParsePublicKey(form Form, b []byte) (*PublicKey, error) {
	return parsePublicKey(ristretto.Auto, form, b)
}

func parsePublicKey(kernel ristretto.Kernel, form Form, b []byte) (*PublicKey, error) {
	if err := form.check(); err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	if len(b) != PublicKeySize {
		return nil, fmt.Errorf("public key of %d bytes: %w", len(b), ErrSize)
	}
	p := &PublicKey{form: form, encoded: [PublicKeySize]byte(b), benches: &benches{kernel: kernel}}
	w, err := p.benches.take()
	if err != nil {
		return nil, err
	}
	defer p.benches.put(w)
	if err := w.read(&p.point, b); err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	return p, nil
}

// Form returns the form of the key's proofs.
func (p *PublicKey) Form() Form { return p.form }

// Bytes returns the canonical form, PublicKeySize bytes.
func (p *PublicKey) Bytes() []byte { return append([]byte(nil), p.encoded[:]...) }

// Equal tells whether both are the same key, whatever their forms.
func (p *PublicKey) Equal(o *PublicKey) bool {
	return subtle.ConstantTimeCompare(p.encoded[:], o.encoded[:]) == 1
}
