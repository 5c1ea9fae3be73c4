package oprf

import (
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"entente/crypto/ristretto"
)

// A proof shows for a batch of pairs (C_i, D_i) that all D_i are k times C_i, with the k of
// the public key B = k·G: that log_G(B) = log_M(Z) for the composites M = Σ d_i·C_i and
// Z = Σ d_i·D_i (RFC 9497 section 2.2). The two forms differ in the d_i and in labels:
//
//	Standard  d_i is a full scalar, the hash of place, C_i and D_i (RFC 9497 section 2.2.1)
//	Batched   d_i is a number of 128 bits out of one stream, seeded by all C_i and D_i
//
// Soundness of Batched. Let E_i = D_i − k·C_i, and one of them, E_j, not be zero. The group
// has prime order ℓ > 2^252, so E_j generates it, and whatever the other coefficients are,
// Σ d_i·E_i = 0 holds for at most one d_j modulo ℓ, thus for at most one of the 2^128
// values that d_j takes with equal probability. The seed binds the public key and the whole
// batch, so a cheat who wants other coefficients must hash another batch, and each hash
// succeeds with a probability of at most 2^-128: after 2^64 of them 2^-64, after 2^80 of
// them 2^-48. A challenge for composites with log_M(Z) ≠ k succeeds with 1/ℓ each. The
// number of pairs plays no part, nor does the cofactor: ristretto255 has none. A cheat who
// can compute less than 2^100 hashes in the life of a key gains nothing by the shortness of
// the coefficients, and they take half the work.
//
// Standard promises less in large batches, and the RFC leaves no choice: its d_i hashes the
// pair i alone. A cheating server, which knows k, can answer D_i = k·C_i + e_i·G, try many
// e_i for each i apart from the others, and look for Σ d_i·e_i = 0 as in a generalized
// birthday problem (Wagner, 2002). For 2^a pairs that takes some 2^(a + 252/(1+a)) steps:
// 2^127 for 2 pairs, 2^86 for 4, 2^66 for 8, 2^42 for 64, 2^33 for 1024. The honest proof of
// such a batch then verifies, and most or all of its outputs are wrong. That is calculated:
// nobody here has made such a proof. A batch of one or two is sound. Blinded elements still
// hide the inputs, and the proof still hides the key.
const (
	// batchedSeed is the label of what the coefficients derive from.
	batchedSeed = "entente/oprf/batched/1/seed"
	// batchedChallenge is the domain of the challenge: no proof of one form is one of the
	// other.
	batchedChallenge = "entente/oprf/batched/1/challenge"
)

// statement is what a proof is about: a batch and what became of it, in both forms.
type statement struct {
	blinded, evaluated []byte            // encoded
	c, d               *ristretto.Points // the same
}

// prove makes the proof of a statement that is true, with a nonce of one use.
func (k *Key) prove(w *bench, s statement, nonce *ristretto.Scalar) ([]byte, error) {
	m, z := &w.few[0], &w.few[1]
	seed, err := k.public.composite(w, s, m)
	if err != nil {
		return nil, err
	}
	w.Mul(z, m, &k.scalar)
	w.Generator(&w.few[2], 1)
	w.Join(&w.few[3], &w.few[2], m)
	w.Mul(&w.few[3], &w.few[3], nonce) // r·G, r·M
	challenge, err := k.public.challenge(seed, w.write(m), w.write(z), w.write(&w.few[3]))
	if err != nil {
		return nil, err
	}
	var response ristretto.Scalar // r − c·k
	response.Mul(&challenge, &k.scalar)
	response.Sub(nonce, &response)
	return append(challenge.Bytes(), response.Bytes()...), nil
}

// verify checks a proof of the key's form. It fails with ErrProof.
func (p *PublicKey) verify(w *bench, s statement, proof []byte) error {
	if len(proof) != p.form.proofSize() {
		return fmt.Errorf("%v proof of %d bytes: %w", p.form, len(proof), ErrProof)
	}
	if p.form == Unproven {
		return nil
	}
	challenge, err := ristretto.ParseScalar(proof[:ScalarSize])
	if err != nil {
		return fmt.Errorf("challenge: %w: %w", ErrProof, err)
	}
	response, err := ristretto.ParseScalar(proof[ScalarSize:])
	if err != nil {
		return fmt.Errorf("response: %w: %w", ErrProof, err)
	}
	m, z := &w.few[0], &w.few[1]
	seed, err := p.composite(w, s, m, z)
	if err != nil {
		return err
	}
	expected, err := p.challenge(seed, w.write(m), w.write(z), p.commitments(w, m, z, challenge, response))
	if err != nil {
		return err
	}
	if !expected.Equal(&challenge) {
		return ErrProof
	}
	return nil
}

// commitments returns s·G + c·B and s·M + c·Z, encoded one after the other.
func (p *PublicKey) commitments(w *bench, m, z *ristretto.Points, c, s ristretto.Scalar) []byte {
	left, right := &w.few[2], &w.few[3]
	w.Generator(left, 1)
	w.Join(right, left, m)
	w.Mul(left, right, &s)
	var pair ristretto.Points
	w.Join(&pair, &p.point, z)
	w.Mul(right, &pair, &c)
	w.Add(left, left, right)
	return w.write(left)
}

// composite returns the seed of the coefficients, and in m, and in z if it is given, the
// sums of the batch with them.
func (p *PublicKey) composite(w *bench, s statement, m *ristretto.Points, z ...*ristretto.Points) (seed []byte, err error) {
	if p.form == Batched {
		seed = p.batchedSeed(s)
		d := shortCoefficients(seed, s.c.Len())
		w.MultiScalar(m, s.c, d)
		for _, z := range z {
			w.MultiScalar(z, s.d, d)
		}
		return seed, nil
	}
	d, err := p.fullCoefficients(s)
	if err != nil {
		return nil, err
	}
	w.MultiScalarFull(m, s.c, d)
	for _, z := range z {
		w.MultiScalarFull(z, s.d, d)
	}
	return nil, nil // the RFC's challenge does not hash it again
}

// batchedSeed hashes key and batch. Elements have one length, so their number and order
// follow from the bytes.
func (p *PublicKey) batchedSeed(s statement) []byte {
	h := sha512.New()
	h.Write(appendField(nil, []byte(batchedSeed)))
	h.Write(p.encoded[:])
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(s.c.Len())))
	h.Write(s.blinded)
	h.Write(s.evaluated)
	return h.Sum(nil)
}

// shortCoefficients are SHAKE256 of the seed, 16 bytes each, little endian.
func shortCoefficients(seed []byte, n int) [][ristretto.CoefficientSize]byte {
	stream := sha3.NewSHAKE256()
	stream.Write(seed)
	d := make([][ristretto.CoefficientSize]byte, n)
	for i := range d {
		stream.Read(d[i][:])
	}
	return d
}

// fullCoefficients are those of ComputeComposites in RFC 9497 section 2.2.1.
func (p *PublicKey) fullCoefficients(s statement) ([]ristretto.Scalar, error) {
	context := p.form.context()
	first := appendField(nil, p.encoded[:])
	first = appendField(first, []byte("Seed-"+context))
	seed := sha512.Sum512(first)
	d := make([]ristretto.Scalar, s.c.Len())
	var message []byte
	for i := range d {
		message = appendField(message[:0], seed[:])
		message = binary.BigEndian.AppendUint16(message, uint16(i))
		message = appendField(message, s.blinded[i*ElementSize:(i+1)*ElementSize])
		message = appendField(message, s.evaluated[i*ElementSize:(i+1)*ElementSize])
		message = append(message, "Composite"...)
		var err error
		if d[i], err = ristretto.HashToScalar(message, []byte(hashToScalar+context)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// challenge hashes what the prover has committed to: RFC 9497 section 2.2.1, and for Batched
// under a domain of its own with the seed in front. commitments are two elements.
func (p *PublicKey) challenge(seed, m, z, commitments []byte) (ristretto.Scalar, error) {
	domain := hashToScalar + p.form.context()
	var message []byte
	if p.form == Batched {
		domain = batchedChallenge
		message = appendField(message, seed)
	}
	for _, element := range [][]byte{p.encoded[:], m, z, commitments[:ElementSize], commitments[ElementSize:]} {
		message = appendField(message, element)
	}
	message = append(message, "Challenge"...)
	return ristretto.HashToScalar(message, []byte(domain))
}
