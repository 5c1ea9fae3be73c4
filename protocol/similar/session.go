package similar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"entente/crypto/he"
	"entente/crypto/transcript"
	"entente/protocol/wire"
)

// Labels of digests.
const (
	sessionLabel    = "entente/similar/session/1"
	commitmentLabel = "entente/similar/commitment/1"
	inputLabel      = "entente/similar/input/1"   // of vectors in the own journal
	publicLabel     = "entente/similar/public/1"  // of a batch's public seed
	secretLabel     = "entente/similar/secret/1"  // of a batch's secret seed
	replyLabel      = "entente/similar/reply/1"   // of a block's reply
	orderLabel      = "entente/similar/order/1"   // of the order of a list
	compareLabel    = "entente/similar/compare/1" // of an attempt's comparison
)

// Session is what both sides agreed on before the run, and the own secret.
type Session struct {
	Agreement [32]byte // digest of offer and answer
	Run       int      // index of the run inside the round, from 0
	Model     string   // what the vectors are of; those of two models cannot be compared
	Dimension int      // coordinates of a vector, a multiple of Split
	Threshold int      // least score that is a hit, 1 to MaxThreshold
	Probes    int      // places for probes: a power of two up to 4,096, or a multiple of 4,096
	Templates int      // places for templates: a size class
	Split     int      // coordinates in a ciphertext; see he.Layout
	Learns    Learns

	AskerCommitment, AnswererCommitment [32]byte // to their secrets
	Secret                              Secret   // own, the one committed to
}

// Secret is what all that a side sends under encryption comes from: uniform, for one run. It
// prints nothing of itself.
type Secret [SecretSize]byte

// Format hides the secret from every verb of package fmt.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// Commit is the commitment to the secret, which is uniform, so that the digest hides it.
func (s Secret) Commit() [32]byte { return transcript.Digest(commitmentLabel, s[:]) }

// role is a side of a run; its number stands in Start.
type role uint8

const (
	asker    role = 1
	answerer role = 2
)

// Pairs is how many pairs of places a run compares, which a quota counts.
func (s *Session) Pairs() int64 { return int64(s.Probes) * int64(s.replies()*s.layout().Templates()) }

// MaxSquare is the largest squared norm of a vector: scores lie within it on either side of
// zero, so that none is 2¹⁵ or more away from the threshold, where a comparison would be wrong.
func (s *Session) MaxSquare() int { return 1<<15 - 1 - s.Threshold }

// layout is that of each batch of probes.
func (s *Session) layout() he.Layout {
	return he.Layout{Dimension: s.Dimension, Slots: min(s.Probes, he.Degree), Split: s.Split}
}

func (s *Session) batches() int { return max(1, s.Probes/he.Degree) }

// replies is how many a batch has.
func (s *Session) replies() int {
	each := s.layout().Templates()
	return (s.Templates + each - 1) / each
}

func (s *Session) blocks() int { return s.batches() * s.replies() }

// Check refuses sessions that no agreement should have led to.
func (s *Session) Check() error {
	switch {
	case s.Run < 0 || s.Run >= 1<<16:
		return fmt.Errorf("session: run %d", s.Run)
	case s.Model == "" || len(s.Model) > maxModel:
		return fmt.Errorf("session: model of %d bytes", len(s.Model))
	case s.Threshold < 1 || s.Threshold > MaxThreshold:
		return fmt.Errorf("session: threshold %d", s.Threshold)
	case s.Learns < AskerLearns || s.Learns > BothLearn:
		return fmt.Errorf("session: %d learns", s.Learns)
	case s.Probes < 1 || s.Probes > MaxPairs || s.Probes > he.Degree && s.Probes%he.Degree != 0:
		return fmt.Errorf("session: %d places for probes", s.Probes)
	case !wire.IsSizeClass(s.Templates) || s.Templates > MaxPairs:
		return fmt.Errorf("session: %d is no size class of templates", s.Templates)
	}
	if err := s.layout().Check(); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if s.Pairs() > MaxPairs {
		return errors.New("session: there are too many pairs")
	}
	return nil
}

// digest names the run. It covers all that both sides must see alike.
func (s *Session) digest() [32]byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(s.Run))
	for _, n := range []int{s.Dimension, s.Threshold, s.Probes, s.Templates, s.Split, int(s.Learns)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return transcript.Digest(sessionLabel, s.Agreement[:], []byte(s.Model), b, s.AskerCommitment[:], s.AnswererCommitment[:])
}

// opened checks that the secret is the one that a role has committed to.
func (s *Session) opened(r role) error {
	commitment := s.AskerCommitment
	if r == answerer {
		commitment = s.AnswererCommitment
	}
	if s.Secret == (Secret{}) || s.Secret.Commit() != commitment {
		return fmt.Errorf("%w: the secret is not the one committed to", ErrChanged)
	}
	return nil
}

// derive gives a value of the own secret for a place of the run and what it is used with:
// whatever changes in that, nothing of the value is the same.
func (s *Session) derive(label string, index int, inputs ...[32]byte) [32]byte {
	digest := s.digest()
	parts := [][]byte{s.Secret[:], digest[:], binary.BigEndian.AppendUint32(nil, uint32(index))}
	for i := range inputs {
		parts = append(parts, inputs[i][:])
	}
	return transcript.Digest(label, parts...)
}

// seeds are those of the query of a batch with these vectors. (Two queries with one seed would
// show their difference.)
func (s *Session) seeds(batch int, vectors [32]byte) (he.Seeds, error) {
	return he.NewSeeds(s.derive(publicLabel, batch, vectors), s.derive(secretLabel, batch, vectors))
}

// replySeed is that of a block's reply to a query with these vectors: a block that is sent
// again is the same bytes. (Two replies with one seed would show a template by their difference.)
func (s *Session) replySeed(block int, query, vectors [32]byte) [32]byte {
	return s.derive(replyLabel, block, query, vectors)
}

// comparison names an attempt's comparison.
func (s *Session) comparison(nonces [2][nonceSize]byte) [32]byte {
	digest := s.digest()
	return transcript.Digest(compareLabel, digest[:], nonces[0][:], nonces[1][:])
}
