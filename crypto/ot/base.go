package ot

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"

	"entente/crypto/ristretto"
	"entente/crypto/transcript"
)

const (
	// pointDomain is the domain of the hash to the group.
	pointDomain = "entente/ot/base/point/1-ristretto255_XMD:SHA-512_R255MAP_RO_"
	// transcriptLabel is that of the digest of a whole batch of base transfers.
	transcriptLabel = "entente/ot/base/transcript/1"
	// keyLabel is that of the keys which base transfers give.
	keyLabel = "entente/ot/base/key/1"
)

// Choices are the choice bits of the base transfers. They are secret, print nothing, and
// serve one session: whoever runs a second base protocol beside this one, for instance over
// lattices, runs both with the same choices and combines the keys.
type Choices struct {
	secret
	bits Block // bit i is bit i mod 8 of byte i/8
}

// DrawChoices draws choices from a source of secret random bytes: 16 of them.
func DrawChoices(random io.Reader) (Choices, error) {
	var c Choices
	if err := draw(random, c.bits[:]); err != nil {
		return Choices{}, fmt.Errorf("draw choices: %w", err)
	}
	return c, nil
}

// bit returns one choice, 0 or 1.
func (c *Choices) bit(i int) byte { return c.bits[i/8] >> (i % 8) & 1 }

// MaliciousChosen is what a chooser has after base transfers that are secure against a
// malicious peer: the choices and one key of each pair.
type MaliciousChosen struct {
	secret
	session [SessionSize]byte
	choices Choices
	keys    [security]Block
}

// MaliciousPairs is what its peer has: both keys of each pair.
type MaliciousPairs struct {
	secret
	session [SessionSize]byte
	keys    [security][2]Block
}

// BaseChooser is the side of the base transfers that chooses, which in the extension is the
// sender.
type BaseChooser struct {
	secret
	session [SessionSize]byte
	choices Choices
	scalars [security]ristretto.Scalar
	request [RequestSize]byte
	used    bool
}

// NewBaseChooser makes the request for a session. It reads 64 bytes for the scalar of each
// transfer from the source, then 64 bytes for the element of each.
//
// For choice c, with secret scalar a and R an element whose logarithm nobody knows, the pair
// (r₀, r₁) has r₁₋c = R and r_c = a·G − H(c, R), so that both are uniform whatever c is. The
// peer computes r_x + H(x, r₁₋ₓ) for both x: for x = c it is a·G; the other was fixed by the
// hash before the chooser could know its logarithm.
func NewBaseChooser(session [SessionSize]byte, choices Choices, random io.Reader) (*BaseChooser, error) {
	c := &BaseChooser{session: session, choices: choices}
	var uniform [security * ristretto.UniformSize]byte
	if err := draw(random, uniform[:]); err != nil {
		return nil, fmt.Errorf("request base transfers: %w", err)
	}
	for i := range c.scalars {
		s, err := ristretto.ScalarFromUniform(uniform[i*ristretto.UniformSize:][:ristretto.UniformSize])
		if err != nil {
			return nil, fmt.Errorf("request base transfers: %w", err)
		}
		if s.IsZero() { // probability 2^-252
			return nil, fmt.Errorf("request base transfers: zero scalar: %w", ErrRandom)
		}
		c.scalars[i] = s
	}
	if err := draw(random, uniform[:]); err != nil {
		return nil, fmt.Errorf("request base transfers: %w", err)
	}
	if err := c.fill(uniform[:]); err != nil {
		return nil, fmt.Errorf("request base transfers: %w", err)
	}
	return c, nil
}

// fill computes the request from uniform bytes for the elements without known logarithm.
func (c *BaseChooser) fill(uniform []byte) error {
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		return fmt.Errorf("choose arithmetic: %w", err)
	}
	var free, bound, hashed ristretto.Points
	if err := w.FromUniform(&free, uniform); err != nil {
		return err
	}
	var other [security * ristretto.Size]byte
	w.Encode(other[:], &free)
	inputs := make([][]byte, security)
	for i := range inputs {
		inputs[i] = hashInput(&c.session, i, c.choices.bit(i), other[i*ristretto.Size:][:ristretto.Size])
	}
	if err := w.HashToGroup(&hashed, inputs, []byte(pointDomain)); err != nil {
		return err
	}
	minusOne, err := ristretto.ParseScalar(append([]byte{1}, make([]byte, ristretto.ScalarSize-1)...))
	if err != nil {
		return err
	}
	minusOne.Neg(&minusOne)
	w.Mul(&hashed, &hashed, &minusOne)
	w.Generator(&bound, security)
	w.MulEach(&bound, &bound, c.scalars[:])
	w.Add(&bound, &bound, &hashed)
	var own [security * ristretto.Size]byte
	w.Encode(own[:], &bound)
	for i := range security {
		pair := c.request[i*2*ristretto.Size:]
		low, high := pair[:ristretto.Size], pair[ristretto.Size:2*ristretto.Size]
		mine, free := own[i*ristretto.Size:][:ristretto.Size], other[i*ristretto.Size:][:ristretto.Size]
		copy(low, mine)
		copy(high, free)
		subtle.ConstantTimeCopy(int(c.choices.bit(i)), low, free)
		subtle.ConstantTimeCopy(int(c.choices.bit(i)), high, mine)
	}
	return nil
}

// Request returns the message to the peer, RequestSize bytes.
func (c *BaseChooser) Request() []byte { return append([]byte(nil), c.request[:]...) }

// Finish reads the peer's answer, AnswerSize bytes, and returns the keys chosen. Errors are
// ErrSize, ErrElement and, since an answer is read once, ErrUsed.
func (c *BaseChooser) Finish(answer []byte) (*MaliciousChosen, error) {
	if c.used {
		return nil, fmt.Errorf("finish base transfers: %w", ErrUsed)
	}
	c.used = true
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		return nil, fmt.Errorf("choose arithmetic: %w", err)
	}
	var theirs, shared ristretto.Points
	if err := decode(w, &theirs, answer, 1); err != nil {
		return nil, fmt.Errorf("finish base transfers: %w", err)
	}
	parts := make([]*ristretto.Points, security)
	for i := range parts {
		parts[i] = &theirs
	}
	w.Join(&shared, parts...)
	w.MulEach(&shared, &shared, c.scalars[:])
	var points [security * ristretto.Size]byte
	w.Encode(points[:], &shared)

	chosen := &MaliciousChosen{session: c.session, choices: c.choices}
	digest := transcript.Digest(transcriptLabel, c.session[:], c.request[:], answer)
	for i := range chosen.keys {
		chosen.keys[i] = baseKey(&digest, i, c.choices.bit(i), points[i*ristretto.Size:][:ristretto.Size])
	}
	return chosen, nil
}

// AnswerBase answers a request of RequestSize bytes and returns both keys of each transfer.
// It reads 64 bytes for a scalar from the source. Errors are ErrSize, ErrElement and
// ErrRandom.
func AnswerBase(session [SessionSize]byte, request []byte, random io.Reader) (*MaliciousPairs, []byte, error) {
	w, err := ristretto.NewWorker(ristretto.Auto)
	if err != nil {
		return nil, nil, fmt.Errorf("choose arithmetic: %w", err)
	}
	var theirs, keys, own ristretto.Points
	if err := decode(w, &theirs, request, 2*security); err != nil {
		return nil, nil, fmt.Errorf("answer base transfers: %w", err)
	}
	inputs := make([][]byte, 2*security)
	for i := range inputs {
		other := request[(i^1)*ristretto.Size:][:ristretto.Size]
		inputs[i] = hashInput(&session, i/2, byte(i%2), other)
	}
	if err := w.HashToGroup(&keys, inputs, []byte(pointDomain)); err != nil {
		return nil, nil, fmt.Errorf("answer base transfers: %w", err)
	}
	w.Add(&keys, &keys, &theirs)
	if i := w.FirstIdentity(&keys); i >= 0 { // the key would not depend on the secret
		return nil, nil, fmt.Errorf("answer base transfers: pair %d hides nothing: %w", i/2, ErrElement)
	}
	var uniform [ristretto.UniformSize]byte
	if err := draw(random, uniform[:]); err != nil {
		return nil, nil, fmt.Errorf("answer base transfers: %w", err)
	}
	secret, err := ristretto.ScalarFromUniform(uniform[:])
	if err != nil {
		return nil, nil, fmt.Errorf("answer base transfers: %w", err)
	}
	if secret.IsZero() { // probability 2^-252
		return nil, nil, fmt.Errorf("answer base transfers: zero scalar: %w", ErrRandom)
	}
	w.Generator(&own, 1)
	w.Mul(&own, &own, &secret)
	w.Mul(&keys, &keys, &secret)
	answer := make([]byte, AnswerSize)
	w.Encode(answer, &own)
	points := make([]byte, 2*security*ristretto.Size)
	w.Encode(points, &keys)

	pairs := &MaliciousPairs{session: session}
	digest := transcript.Digest(transcriptLabel, session[:], request, answer)
	for i := range 2 * security {
		pairs.keys[i/2][i%2] = baseKey(&digest, i/2, byte(i%2), points[i*ristretto.Size:][:ristretto.Size])
	}
	return pairs, answer, nil
}

// decode reads exactly n elements, none of them the identity.
func decode(w *ristretto.Worker, dst *ristretto.Points, b []byte, n int) error {
	if len(b) != n*ristretto.Size {
		return fmt.Errorf("%d bytes for %d elements: %w", len(b), n, ErrSize)
	}
	if err := w.Decode(dst, b); err != nil {
		return fmt.Errorf("%w: %w", ErrElement, err)
	}
	if i := w.FirstIdentity(dst); i >= 0 {
		return fmt.Errorf("element %d of %d is the identity: %w", i, n, ErrElement)
	}
	return nil
}

// hashInput is what is hashed to the group for place x of transfer i: session, i in two
// bytes, x, and the element at the other place.
func hashInput(session *[SessionSize]byte, i int, x byte, other []byte) []byte {
	b := make([]byte, 0, SessionSize+3+ristretto.Size)
	b = append(b, session[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(i))
	b = append(b, x)
	return append(b, other...)
}

// baseKey derives key x of transfer i from the digest of all messages and the shared element.
func baseKey(digest *[transcript.Size]byte, i int, x byte, element []byte) Block {
	place := [3]byte{byte(i >> 8), byte(i), x}
	d := transcript.Digest(keyLabel, digest[:], place[:], element)
	return Block(d[:BlockSize])
}
