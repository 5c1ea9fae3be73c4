// Package transcript turns a labelled list of byte strings into one digest.
//
// The digest is SHA-256 (FIPS 180-4) over the label and the parts in order, each preceded
// by its length as eight bytes, big endian:
//
//	SHA-256( len(label) | label | len(part 1) | part 1 | … )
//
// Since lengths come first, two different lists never give the same input: moving a byte
// from one part to the next, or splitting a part, changes the digest. The label says what
// the digest is for and keeps digests of different purposes apart; every label begins
// with "entente/" and ends with a version. What it promises is SHA-256's collision
// resistance. It hides nothing: a part that can be guessed can be tested, so whoever must
// not be able to test gets a secret nonce as a part.
package transcript

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Size is the length of a digest in bytes.
const Size = sha256.Size

// Digest returns the digest of a whole list under a label.
func Digest(label string, parts ...[]byte) [Size]byte {
	h := sha256.New()
	add(h, []byte(label))
	for _, p := range parts {
		add(h, p)
	}
	return sum(h)
}

// Transcript is a digest that grows. Not for several goroutines at once.
type Transcript struct{ h hash.Hash }

// New returns a transcript that so far holds only its own label.
func New(label string) *Transcript {
	t := &Transcript{h: sha256.New()}
	add(t.h, []byte(label))
	return t
}

// Append adds a part under a label of its own: two parts, as far as the digest goes, so
// that New(l).Append(a, x).Sum() is Digest(l, a, x). It returns t.
func (t *Transcript) Append(label string, b []byte) *Transcript {
	add(t.h, []byte(label))
	add(t.h, b)
	return t
}

// Sum returns the digest of all so far; more may be appended after it.
func (t *Transcript) Sum() [Size]byte { return sum(t.h) }

func add(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:]) // a hash never returns an error
	h.Write(b)
}

func sum(h hash.Hash) (d [Size]byte) {
	h.Sum(d[:0])
	return d
}
