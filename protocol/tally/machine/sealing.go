package machine

import (
	"crypto/hpke"
	"fmt"

	"entente/protocol/tally"
)

// What a dealer deals to another holder is sealed to the key in that holder's acceptance, which
// is drawn for this tally and erased when the collective key is made: HPKE (RFC 9180) in base
// mode with ML-KEM-768 and X25519, HKDF-SHA256 and AES-256-GCM. Who later gets hold of a member
// and of what the collector kept cannot open it any more.

// sealingSeed is the length in bytes of a private key.
const sealingSeed = 32

// sealingKey is the public key of a private one.
func sealingKey(private []byte) ([]byte, error) {
	k, err := hpke.MLKEM768X25519().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make sealing key: %w", err)
	}
	return k.PublicKey().Bytes(), nil
}

// checkSealing refuses keys to which nothing can be sealed. It seals once: a point of low order
// is noticed only then, and one such key would keep every other dealer from dealing.
func checkSealing(public []byte) error {
	_, err := seal(public, nil, nil)
	if err != nil {
		return malformed(err)
	}
	return nil
}

func seal(public, info, plaintext []byte) ([]byte, error) {
	k, err := hpke.MLKEM768X25519().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	sealed, err := hpke.Seal(k, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plaintext)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if len(sealed) > len(plaintext)+tally.SealOverhead {
		return nil, fmt.Errorf("seal: %d bytes became %d", len(plaintext), len(sealed))
	}
	return sealed, nil
}

func unseal(private, info, sealed []byte) ([]byte, error) {
	k, err := hpke.MLKEM768X25519().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return hpke.Open(k, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
}
