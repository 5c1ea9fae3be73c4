package oprf

import (
	"crypto"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
	circl "github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
)

const (
	// proofContext is the context string of RFC 9497 section 3.1 for mode VOPRF, under
	// which proofs hash.
	proofContext = "OPRFV1-\x01-ristretto255-SHA512"
	// nonceLabel separates the scalars that blind proofs from all other scalars.
	nonceLabel = "entente/oprf/nonce/1"
	// secretText is what secrets print in place of themselves.
	secretText = "[secret]"
)

// Key is a server's private key. It prints nothing of itself and may be used by
// several goroutines at once.
type Key struct {
	scalar group.Scalar
	server circl.VerifiableServer
	public *PublicKey
}

// DeriveKey derives the key pair of RFC 9497 section 3.2.1 from a seed of SeedSize
// bytes and an info of at most MaxInput bytes.
func DeriveKey(seed, info []byte) (*Key, error) {
	if len(seed) != SeedSize || len(info) > MaxInput {
		return nil, fmt.Errorf("derive key from a seed of %d and an info of %d bytes: %w", len(seed), len(info), ErrSize)
	}
	private, err := circl.DeriveKey(suite(), circl.VerifiableMode, seed, info)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	encoded, err := private.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	scalar := curve().NewScalar()
	if err := scalar.UnmarshalBinary(encoded); err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	b, err := private.Public().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	public, err := ParsePublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return &Key{scalar: scalar, server: circl.NewVerifiableServer(suite(), private), public: public}, nil
}

// Public returns the key against which clients check proofs.
func (k *Key) Public() *PublicKey { return k.public }

// Evaluate multiplies a batch of blinded elements by the key and proves it, for all of
// them together. Both slices hold whole elements; the proof has ProofSize bytes.
// It fails with ErrElement or ErrSize on a batch that no honest client sends.
func (k *Key) Evaluate(blinded []byte) (evaluated, proof []byte, err error) {
	var fresh [32]byte
	rand.Read(fresh[:])
	return k.evaluate(blinded, func(evaluated []byte) group.Scalar {
		return k.nonce(fresh[:], blinded, evaluated)
	})
}

// evaluate takes the proof's nonce from the caller so that published vectors can fix it.
func (k *Key) evaluate(blinded []byte, nonce func(evaluated []byte) group.Scalar) (evaluated, proof []byte, err error) {
	in, err := decode(blinded)
	if err != nil {
		return nil, nil, fmt.Errorf("evaluate: %w", err)
	}
	out := make([]group.Element, len(in))
	for i := range in {
		out[i] = curve().NewElement().Mul(in[i], k.scalar)
	}
	if evaluated, err = encode(out); err != nil {
		return nil, nil, fmt.Errorf("evaluate: %w", err)
	}
	p, err := dleq.Prover{Params: proofParams()}.
		ProveBatchWithRandomnessRFC9497(k.scalar, k.public.element, in, out, nonce(evaluated))
	if err != nil {
		return nil, nil, fmt.Errorf("prove evaluation: %w", err)
	}
	if proof, err = p.MarshalBinary(); err != nil {
		return nil, nil, fmt.Errorf("prove evaluation: %w", err)
	}
	return evaluated, proof, nil
}

// nonce is hedged: it is secret as long as either the key or the fresh bytes are, and a
// repeated generator output cannot repeat it for another batch, which would give the
// key away.
func (k *Key) nonce(fresh, blinded, evaluated []byte) group.Scalar {
	h := sha512.New()
	h.Write(fresh)
	key, err := k.scalar.MarshalBinary()
	if err == nil { // a ristretto scalar always encodes; the fresh bytes suffice anyway
		h.Write(key)
	}
	h.Write(blinded)
	h.Write(evaluated)
	return curve().HashToScalar(h.Sum(nil), []byte(nonceLabel))
}

// Output returns the function's value for an input of the server's own, without a
// client: what Batch.Finalize gives for the same input.
func (k *Key) Output(input []byte) ([]byte, error) {
	if len(input) > MaxInput {
		return nil, fmt.Errorf("output for an input of %d bytes: %w", len(input), ErrSize)
	}
	out, err := k.server.FullEvaluate(input)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return out, nil
}

// Scalar returns the key as a mask, for protocols without proofs.
func (k *Key) Scalar() Scalar { return Scalar{k.scalar.Copy()} }

// Format prints a fixed text for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, secretText) }

// LogValue logs a fixed text.
func (Key) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalText writes a fixed text, so that encoders cannot leak the key.
func (Key) MarshalText() ([]byte, error) { return []byte(secretText), nil }

// PublicKey is a server's public key, parsed and checked.
type PublicKey struct {
	key     *circl.PublicKey
	element group.Element
	encoded [PublicKeySize]byte
}

// ParsePublicKey reads a public key strictly: ErrElement if it is not canonical or is
// the identity, with which every output could be computed by anyone.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	if len(b) != PublicKeySize {
		return nil, fmt.Errorf("public key of %d bytes: %w", len(b), ErrSize)
	}
	elements, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	p := &PublicKey{key: new(circl.PublicKey), element: elements[0], encoded: [PublicKeySize]byte(b)}
	if err := p.key.UnmarshalBinary(suite(), b); err != nil {
		return nil, fmt.Errorf("parse public key: %w", ErrElement)
	}
	return p, nil
}

// Bytes returns the canonical form, PublicKeySize bytes.
func (p *PublicKey) Bytes() []byte { return append([]byte(nil), p.encoded[:]...) }

// Equal tells whether both are the same key.
func (p *PublicKey) Equal(o *PublicKey) bool {
	return subtle.ConstantTimeCompare(p.encoded[:], o.encoded[:]) == 1
}

func proofParams() dleq.Params {
	return dleq.Params{G: curve(), H: crypto.SHA512, DST: []byte(proofContext)}
}
