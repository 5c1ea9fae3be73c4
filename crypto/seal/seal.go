// Package seal encrypts what a node keeps, under keys that come from other keys.
//
// Sealing is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random nonce of 24
// bytes in front:
//
//	nonce (24) | ciphertext (as long as the plaintext) | tag (16)
//
// The associated data are authenticated, not stored: they say where the sealed bytes
// belong (table, row, column), so that bytes copied to another place do not open there.
// Keys derive by HKDF-SHA256 (RFC 5869), or from a passphrase by Argon2id (RFC 9106).
//
// Against whoever holds the disk it promises secrecy and integrity of each sealed value,
// up to 2⁴⁸ values under one key (nonces collide with less than 2⁻⁹⁶ then). It does not
// hide lengths or which value changed when, does not notice when an old sealed value is
// put back in its own place, and is not key-committing: never let a partner choose what
// is opened under which key.
package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// KeySize is the length of a key in bytes.
	KeySize = chacha20poly1305.KeySize

	// Overhead is how much longer sealed bytes are than the plaintext: nonce and tag.
	Overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// Argon2id parameters: the second recommended option of RFC 9106 section 4, for machines
// that cannot give 2 GiB. About a tenth of a second on a current core.
const (
	argonPasses  = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
)

// ErrOpen says that sealed bytes were altered, belong elsewhere or to another key.
var ErrOpen = errors.New("sealed data do not open")

// Seal returns plaintext sealed to this key and to the associated data.
func (k Key) Seal(plaintext, associated []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, Overhead+len(plaintext))
	rand.Read(nonce) // never fails
	return k.aead().Seal(nonce, nonce, plaintext, associated)
}

// Open returns the plaintext of sealed, or ErrOpen.
func (k Key) Open(sealed, associated []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, fmt.Errorf("open %d bytes: %w", len(sealed), ErrOpen)
	}
	nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plaintext, err := k.aead().Open(nil, nonce, box, associated)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// Derive returns the key for one purpose, HKDF-SHA256 without salt. From a derived key
// neither this key nor its siblings can be computed.
func (k Key) Derive(label string) Key {
	b, err := hkdf.Key(sha256.New, k.secret(), nil, label, KeySize)
	if err != nil { // only for outputs over 255 hashes, or in a mode that we do not build
		panic("seal: " + err.Error())
	}
	return Key{b: [KeySize]byte(b)}
}

// FromPassphrase returns the key that a passphrase and a salt give, by Argon2id with 3
// passes over 64 MiB in 4 lanes. The salt is random, at least 16 bytes, and stored beside
// what the key seals.
func FromPassphrase(passphrase, salt []byte) Key {
	return Key{b: [KeySize]byte(argon2.IDKey(passphrase, salt, argonPasses, argonMemory, argonThreads, KeySize))}
}

// MAC returns a keyed digest to look a value up without storing it readable: HMAC-SHA256
// (RFC 2104) over label and parts, each preceded by its length as eight bytes, big
// endian. Equal values show as equal digests. Take a derived key for it.
func (k Key) MAC(label string, parts ...[]byte) [sha256.Size]byte {
	m := hmac.New(sha256.New, k.secret())
	for _, p := range slices.Concat([][]byte{[]byte(label)}, parts) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		m.Write(n[:])
		m.Write(p)
	}
	return [sha256.Size]byte(m.Sum(nil))
}

func (k Key) aead() cipher.AEAD {
	a, err := chacha20poly1305.NewX(k.secret())
	if err != nil { // only for another key length
		panic("seal: " + err.Error())
	}
	return a
}
