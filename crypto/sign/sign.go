// Package sign signs with two algorithms at once, so that a signature holds as long as
// either of them does.
//
// A key is a pair: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204). Both sign the same bytes,
//
//	length of the domain (1 byte) | domain | message
//
// and ML-DSA takes the domain as its context string besides. A signature is the two
// signatures one after the other, Ed25519's first, and verifies only if both do. Keys and
// signatures have no shorter form, so neither half can be stripped.
//
// Against an attacker with a quantum computer it promises unforgeability by ML-DSA,
// against one who breaks lattices by Ed25519. The domain keeps signatures of one purpose
// from serving another. Not promised: uniqueness (there are many valid signatures on one
// message: never use one as an identifier), constant time of signing (ML-DSA's rejection
// loop depends on its fresh randomness, not on the key), and protection of keys in memory.
//
// Cosigning keys are another pair, Ed25519 and ML-DSA-44, whose messages C2SP defines: see
// CosigningKey.
package sign

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
)

// Lengths in bytes; Ed25519's part comes first in each.
const (
	SeedSize      = ed25519.SeedSize + mldsa65.SeedSize
	PublicKeySize = ed25519.PublicKeySize + mldsa65.PublicKeySize
	SignatureSize = ed25519.SignatureSize + mldsa65.SignatureSize
)

// MaxDomain is the longest domain in bytes, the limit of ML-DSA's context.
const MaxDomain = 255

// ErrSignature says that a signature does not belong to key, domain and message.
var ErrSignature = errors.New("signature does not verify")

// Domain says what a signature is for, with a version, such as "entente/offer/1".
type Domain string

// frame returns the bytes that both algorithms sign.
func (d Domain) frame(message []byte) ([]byte, error) {
	if len(d) == 0 || len(d) > MaxDomain {
		return nil, fmt.Errorf("domain of %d bytes, allowed are 1 to %d", len(d), MaxDomain)
	}
	b := make([]byte, 0, 1+len(d)+len(message))
	b = append(b, byte(len(d)))
	b = append(b, d...)
	return append(b, message...), nil
}

// Generate returns a new random key.
func Generate() (*PrivateKey, error) {
	seed := make([]byte, SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	return NewPrivateKey(seed)
}

// Sign returns a signature of SignatureSize bytes. ML-DSA is hedged: fresh randomness and
// the key both enter it, so that a faulty random source does not reveal the key.
func (k *PrivateKey) Sign(d Domain, message []byte) ([]byte, error) {
	return k.sign(d, message, true)
}

// sign signs; vectors are made without randomness.
func (k *PrivateKey) sign(d Domain, message []byte, hedged bool) ([]byte, error) {
	framed, err := d.frame(message)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	signature := make([]byte, SignatureSize)
	copy(signature, ed25519.Sign(k.classic, framed))
	if err := mldsa65.SignTo(&k.lattice, framed, []byte(d), hedged, signature[ed25519.SignatureSize:]); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature, nil
}

// Verify returns nil if both halves of signature are valid for domain and message, and an
// error that is ErrSignature if not. Safe for several goroutines.
func (p *PublicKey) Verify(d Domain, message, signature []byte) error {
	framed, err := d.frame(message)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(signature) != SignatureSize {
		return fmt.Errorf("verify: %d bytes instead of %d: %w", len(signature), SignatureSize, ErrSignature)
	}
	if !ed25519.Verify(p.classic, framed, signature[:ed25519.SignatureSize]) ||
		!mldsa65.Verify(&p.lattice, framed, []byte(d), signature[ed25519.SignatureSize:]) {
		return ErrSignature
	}
	return nil
}
