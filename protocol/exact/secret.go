package exact

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"entente/crypto/oprf"
)

// Labels of all that derives from a run's secret. The sender's key must be known before
// there is an agreement, so it derives from the secret alone; all else derives from the
// root, which also binds session, role and list: another list gives other secrets.
const (
	keyLabel     = "entente/exact/key/1/" // followed by the suite's name
	setLabel     = "entente/exact/set/1"
	rootLabel    = "entente/exact/root/1/" // followed by role and digest of the list
	blindLabel   = "blind"                 // oprf receiver: one scalar a slot, with the inputs
	maskLabel    = "mask"                  // count receiver: the one scalar
	slotLabel    = "slots"                 // receiver: order of questions, or which slots are taken
	padLabel     = "padding"               // inputs that fill the class
	shuffleLabel = "answers"               // count sender: order of answers
	returnLabel  = "returns"               // oprf receiver: filling and places of returns, with the tags' digest
)

// newSecret draws the secret of one node for one round and derives its public key.
func newSecret(suite string) (secret, public []byte, err error) {
	secret = make([]byte, SecretSize)
	rand.Read(secret)
	key, err := senderKey(suite, secret)
	if err != nil {
		return nil, nil, err
	}
	return secret, key.Public().Bytes(), nil
}

// formOf is the form in which a suite's evaluations are proved. Those of "count" are not;
// its keys are the same as those of a proved suite.
func formOf(suite string) oprf.Form {
	if suite == nameOPRF {
		return oprf.Batched
	}
	return oprf.Standard
}

// senderKey derives the key under which a sender evaluates.
func senderKey(suite string, secret []byte) (*oprf.Key, error) {
	label := keyLabel + suite
	seed, err := hkdf.Key(sha256.New, secret, nil, label, oprf.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	key, err := oprf.DeriveKey(formOf(suite), seed, []byte(label))
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}

// setHash returns a keyed hash for the list: a digest of it alone could be tested against
// guessed lists by whoever gets hold of a journal.
func setHash(secret []byte) (hash.Hash, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, setLabel, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive key of the list's digest: %w", err)
	}
	return hmac.New(sha256.New, key), nil
}

// root is the key from which everything but the sender's key derives. It prints nothing.
type root struct{ key []byte }

func newRoot(secret []byte, session [32]byte, r role, set []byte) (root, error) {
	key, err := hkdf.Key(sha256.New, secret, session[:], rootLabel+r.String()+"/"+string(set), sha256.Size)
	if err != nil {
		return root{}, fmt.Errorf("derive root key: %w", err)
	}
	return root{key}, nil
}

// Format prints a fixed text for every verb.
func (root) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// seed returns the 32-byte key for one purpose.
func (r root) seed(label string) ([]byte, error) {
	seed, err := hkdf.Expand(sha256.New, r.key, label, oprf.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive seed of %s: %w", label, err)
	}
	return seed, nil
}

// blindsOf derives the blinds of a chunk of questions, of which the first has a slot. Through
// the root they depend on the list, and here on the chunk's inputs as well: a list is read
// anew in each attempt, and should it break its promise to stay as it is, no blind meets a
// second item all the same.
func blindsOf(seed []byte, slot int, inputs [][]byte) ([]oprf.Scalar, error) {
	m := hmac.New(sha256.New, seed)
	for _, input := range inputs {
		m.Write(input) // its fields say how long they are
	}
	bound := m.Sum(nil)
	blinds := make([]oprf.Scalar, len(inputs))
	for i := range blinds {
		var err error
		if blinds[i], err = oprf.DeriveScalar(bound, uint64(slot+i)); err != nil {
			return nil, err
		}
	}
	return blinds, nil
}

// stream returns an endless stream of pseudorandom bytes for one purpose: SHAKE256 of
// its seed.
func (r root) stream(label string) (io.Reader, error) {
	seed, err := r.seed(label)
	if err != nil {
		return nil, err
	}
	return seedStream(seed), nil
}

func seedStream(seed []byte) io.Reader {
	s := sha3.NewSHAKE256()
	s.Write(seed)
	return s
}

// order returns a secret permutation of 0..n-1 (Fisher and Yates, from the end).
func (r root) order(label string, n int) ([]uint32, error) {
	stream, err := r.stream(label)
	if err != nil {
		return nil, err
	}
	return permutation(stream, n)
}

func permutation(stream io.Reader, n int) ([]uint32, error) {
	order := make([]uint32, n)
	for i := range order {
		order[i] = uint32(i)
	}
	for i := n - 1; i > 0; i-- {
		j, err := below(stream, uint64(i)+1)
		if err != nil {
			return nil, fmt.Errorf("draw permutation: %w", err)
		}
		order[i], order[j] = order[j], order[i]
	}
	return order, nil
}

// below draws a number below n without bias: draws of the last, incomplete run of n below
// 2^64 are thrown away.
func below(stream io.Reader, n uint64) (uint64, error) {
	incomplete := -n % n // 2^64 mod n
	for {
		var b [8]byte
		if _, err := io.ReadFull(stream, b[:]); err != nil {
			return 0, err
		}
		if x := binary.BigEndian.Uint64(b[:]); x >= incomplete {
			return x % n, nil
		}
	}
}
