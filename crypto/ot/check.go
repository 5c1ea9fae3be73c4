package ot

import (
	"crypto/cipher"
	"fmt"

	"entente/crypto/transcript"
)

const (
	checkKeyLabel = "entente/ot/extension/check/1"
	hashKeyLabel  = "entente/ot/extension/hash/1"
)

// derive turns a challenge into keys that nobody could foresee when the columns were sent.
func derive(label string, session *[SessionSize]byte, extension uint64, challenge []byte) Block {
	var number [8]byte
	for i := range number {
		number[i] = byte(extension >> (56 - 8*i))
	}
	d := transcript.Digest(label, session[:], number[:], challenge)
	return Block(d[:BlockSize])
}

// tagger computes the tags by which columns are compared: those of AES-128-GCM (NIST SP
// 800-38D) for a nonce of zeros, an empty text and the column as additional data. The tag of
// a is GHASH(a) and a constant. GHASH is linear over bits, apart from the length, which is
// the same for all columns; so tag(a) + tag(b) + tag(c) = tag(a + b + c), and two columns of
// m blocks that differ have one tag for at most m + 1 of the 2^128 values of the hash key,
// which the key of AES gives. The last block of a column, which is random and never used
// for transfers, hides what the tags would tell of the others.
type tagger struct{ mode cipher.AEAD }

func newTagger(key Block) (tagger, error) {
	mode, err := cipher.NewGCM(newAES(&key))
	if err != nil {
		return tagger{}, fmt.Errorf("choose tags: %w", err)
	}
	return tagger{mode}, nil
}

// tag returns the tag of a column of whole blocks.
func (t tagger) tag(column []byte) Block {
	var nonce [12]byte
	var b Block
	t.mode.Seal(b[:0], nonce[:], nil, column)
	return b
}
