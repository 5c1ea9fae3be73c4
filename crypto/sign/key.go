package sign

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"log/slog"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
)

// PrivateKey signs. It prints nothing of itself. Safe for several goroutines.
type PrivateKey struct {
	*secret // behind a pointer, so that a copied key shows at most an address
}

type secret struct {
	seed    [SeedSize]byte
	classic ed25519.PrivateKey
	lattice mldsa65.PrivateKey
	public  *PublicKey
}

// NewPrivateKey returns the key of a seed: Ed25519's 32 bytes, then ML-DSA's 32.
func NewPrivateKey(seed []byte) (*PrivateKey, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("signing key from seed: %d bytes instead of %d", len(seed), SeedSize)
	}
	k := &secret{seed: [SeedSize]byte(seed)}
	k.classic = ed25519.NewKeyFromSeed(seed[:ed25519.SeedSize])
	half := [mldsa65.SeedSize]byte(seed[ed25519.SeedSize:])
	public, private := mldsa65.NewKeyFromSeed(&half)
	k.lattice = *private
	k.public = &PublicKey{
		classic: k.classic.Public().(ed25519.PublicKey),
		lattice: *public,
	}
	return &PrivateKey{k}, nil
}

// Seed returns a copy of the secret seed, which is all there is to store.
func (k *PrivateKey) Seed() []byte { return bytes.Clone(k.seed[:]) }

// Public returns the key that verifies.
func (k *PrivateKey) Public() *PublicKey { return k.public }

const redacted = "[secret key]"

// String hides the key.
func (k PrivateKey) String() string { return redacted }

// Format hides the key from every verb of package fmt.
func (k PrivateKey) Format(s fmt.State, _ rune) { fmt.Fprint(s, redacted) }

// LogValue hides the key from logs.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from encoders.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// PublicKey verifies. Parsing computes what each verification needs, so keep it.
type PublicKey struct {
	classic ed25519.PublicKey
	lattice mldsa65.PublicKey
}

// ParsePublicKey returns the key in b. Refused are other lengths than PublicKeySize, and
// Ed25519 halves that no honest key has: not canonical, not on the curve, or of small
// order, under which one signature verifies for many messages. Any 1,952 bytes are an
// ML-DSA-65 key.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	if len(b) != PublicKeySize {
		return nil, fmt.Errorf("parse public key: %d bytes instead of %d", len(b), PublicKeySize)
	}
	classic := b[:ed25519.PublicKeySize]
	if err := checkPoint([ed25519.PublicKeySize]byte(classic)); err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	p := &PublicKey{classic: bytes.Clone(classic)}
	if err := p.lattice.UnmarshalBinary(b[ed25519.PublicKeySize:]); err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	return p, nil
}

// Bytes returns the PublicKeySize bytes of the key.
func (p *PublicKey) Bytes() []byte {
	return append(bytes.Clone(p.classic), p.lattice.Bytes()...)
}

// Equal reports whether both halves are the same.
func (p *PublicKey) Equal(other *PublicKey) bool {
	return other != nil && p.classic.Equal(other.classic) && p.lattice.Equal(&other.lattice)
}
