package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
)

// Lengths in bytes of a cosigning key and of its signatures; Ed25519's part comes first.
const (
	CosigningSeedSize      = ed25519.SeedSize + mldsa44.SeedSize
	CosigningPublicKeySize = ed25519.PublicKeySize + mldsa44.PublicKeySize
	Ed25519Size            = ed25519.SignatureSize // of a signature
	MLDSA44Size            = mldsa44.SignatureSize // of a signature
)

// CosigningKey signs what C2SP tlog-cosignature defines, which gives each algorithm bytes
// of its own: so, unlike a PrivateKey's, the two halves sign apart, and it is for the
// caller to ask for both. It has no domain: those bytes begin with one. It prints nothing
// of itself. Safe for several goroutines.
type CosigningKey struct {
	*cosigning // behind a pointer, so that a copied key shows at most an address
}

type cosigning struct {
	seed    [CosigningSeedSize]byte
	classic ed25519.PrivateKey
	lattice mldsa44.PrivateKey
	public  *CosigningPublicKey
}

// GenerateCosigning returns a new random key.
func GenerateCosigning() (*CosigningKey, error) {
	seed := make([]byte, CosigningSeedSize)
	if _, err := rand.Read(seed); err != nil {
		return nil, fmt.Errorf("generate cosigning key: %w", err)
	}
	return NewCosigningKey(seed)
}

// NewCosigningKey returns the key of a seed: Ed25519's 32 bytes, then ML-DSA's 32.
func NewCosigningKey(seed []byte) (*CosigningKey, error) {
	if len(seed) != CosigningSeedSize {
		return nil, fmt.Errorf("cosigning key from seed: %d bytes instead of %d", len(seed), CosigningSeedSize)
	}
	k := &cosigning{seed: [CosigningSeedSize]byte(seed)}
	k.classic = ed25519.NewKeyFromSeed(seed[:ed25519.SeedSize])
	half := [mldsa44.SeedSize]byte(seed[ed25519.SeedSize:])
	public, private := mldsa44.NewKeyFromSeed(&half)
	k.lattice = *private
	k.public = &CosigningPublicKey{classic: k.classic.Public().(ed25519.PublicKey), lattice: *public}
	return &CosigningKey{k}, nil
}

// Seed returns a copy of the secret seed, which is all there is to store.
func (k *CosigningKey) Seed() []byte { return bytes.Clone(k.seed[:]) }

// Public returns the key that verifies.
func (k *CosigningKey) Public() *CosigningPublicKey { return k.public }

// Ed25519 returns a signature of Ed25519Size bytes.
func (k *CosigningKey) Ed25519(message []byte) []byte { return ed25519.Sign(k.classic, message) }

// MLDSA44 returns a hedged signature of MLDSA44Size bytes with an empty context.
func (k *CosigningKey) MLDSA44(message []byte) []byte {
	signature := make([]byte, MLDSA44Size)
	if err := mldsa44.SignTo(&k.lattice, message, nil, true, signature); err != nil {
		panic("sign: " + err.Error()) // only a context that is too long fails
	}
	return signature
}

// String hides the key.
func (k CosigningKey) String() string { return redacted }

// Format hides the key from every verb of package fmt.
func (k CosigningKey) Format(s fmt.State, _ rune) { fmt.Fprint(s, redacted) }

// LogValue hides the key from logs.
func (k CosigningKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from encoders.
func (k CosigningKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// CosigningPublicKey verifies. Parsing computes what each verification needs, so keep it.
type CosigningPublicKey struct {
	classic ed25519.PublicKey
	lattice mldsa44.PublicKey
}

// ParseCosigningPublicKey returns the key in b. It refuses what ParsePublicKey does.
func ParseCosigningPublicKey(b []byte) (*CosigningPublicKey, error) {
	if len(b) != CosigningPublicKeySize {
		return nil, fmt.Errorf("parse cosigning key: %d bytes instead of %d", len(b), CosigningPublicKeySize)
	}
	classic := b[:ed25519.PublicKeySize]
	if err := checkPoint([ed25519.PublicKeySize]byte(classic)); err != nil {
		return nil, fmt.Errorf("parse cosigning key: %w", err)
	}
	p := &CosigningPublicKey{classic: bytes.Clone(classic)}
	if err := p.lattice.UnmarshalBinary(b[ed25519.PublicKeySize:]); err != nil {
		return nil, fmt.Errorf("parse cosigning key: %w", err)
	}
	return p, nil
}

// Bytes returns the CosigningPublicKeySize bytes of the key.
func (p *CosigningPublicKey) Bytes() []byte { return append(p.Ed25519(), p.MLDSA44()...) }

// Ed25519 returns the bytes of that half.
func (p *CosigningPublicKey) Ed25519() []byte { return bytes.Clone(p.classic) }

// MLDSA44 returns the bytes of that half.
func (p *CosigningPublicKey) MLDSA44() []byte { return p.lattice.Bytes() }

// VerifyEd25519 reports whether a signature is that half's.
func (p *CosigningPublicKey) VerifyEd25519(message, signature []byte) bool {
	return len(signature) == Ed25519Size && ed25519.Verify(p.classic, message, signature)
}

// VerifyMLDSA44 reports whether a signature is that half's, with an empty context.
func (p *CosigningPublicKey) VerifyMLDSA44(message, signature []byte) bool {
	return len(signature) == MLDSA44Size && mldsa44.Verify(&p.lattice, message, nil, signature)
}
