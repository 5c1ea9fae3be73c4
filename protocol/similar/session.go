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

	candidatesLabel = "entente/similar/candidates/1" // of a session with candidates
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

	// Candidates are the pairs of places to compare, if not all of them are: ascending by both
	// places, each once, known to both sides, who gave each other the places of their vectors
	// (AskerPlaces, AnswererPlaces). Then Probes is a size class, and Split 0. Nil means all pairs.
	Candidates []Pair

	AskerCommitment, AnswererCommitment [32]byte // to their secrets
	Secret                              Secret   // own, the one committed to
}

// Pair is a place for probes and one for templates.
type Pair struct{ Probe, Template uint32 }

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
func (s *Session) Pairs() int64 {
	if s.Candidates != nil {
		return int64(len(s.Candidates))
	}
	return int64(s.Probes) * int64(s.allReplies()*s.allLayout().Templates())
}

// MaxSquare is the largest squared norm of a vector: scores lie within it on either side of
// zero, so that none is 2¹⁵ or more away from the threshold, where a comparison would be wrong.
func (s *Session) MaxSquare() int { return 1<<15 - 1 - s.Threshold }

// allLayout is that of each batch of probes, if all pairs are compared.
func (s *Session) allLayout() he.Layout {
	return he.Layout{Dimension: s.Dimension, Slots: min(s.Probes, he.Degree), Split: s.Split}
}

func (s *Session) allBatches() int { return max(1, s.Probes/he.Degree) }

// allReplies is how many a batch then has.
func (s *Session) allReplies() int {
	each := s.allLayout().Templates()
	return (s.Templates + each - 1) / each
}

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
	case s.Candidates != nil:
		return s.checkListed()
	case s.Probes < 1 || s.Probes > MaxPairs || s.Probes > he.Degree && s.Probes%he.Degree != 0:
		return fmt.Errorf("session: %d places for probes", s.Probes)
	case !wire.IsSizeClass(s.Templates) || s.Templates > MaxPairs:
		return fmt.Errorf("session: %d is no size class of templates", s.Templates)
	}
	if err := s.allLayout().Check(); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	if s.Pairs() > MaxPairs {
		return errors.New("session: there are too many pairs")
	}
	return nil
}

// base names the run but for its candidates.
func (s *Session) base() [32]byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(s.Run))
	for _, n := range []int{s.Dimension, s.Threshold, s.Probes, s.Templates, s.Split, int(s.Learns)} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return transcript.Digest(sessionLabel, s.Agreement[:], []byte(s.Model), b, s.AskerCommitment[:], s.AnswererCommitment[:])
}

// digest names the run. It covers all that both sides must see alike.
func (s *Session) digest() [32]byte {
	base := s.base()
	if s.Candidates == nil {
		return base
	}
	b := make([]byte, 0, 8*len(s.Candidates))
	for _, p := range s.Candidates {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, p.Probe), p.Template)
	}
	return transcript.Digest(candidatesLabel, base[:], b)
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

// derive gives a value of the own secret for a place of the run that a digest names and what
// it is used with: whatever changes in that, nothing of the value is the same.
func (s Secret) derive(label string, run [32]byte, index int, inputs ...[32]byte) [32]byte {
	parts := [][]byte{s[:], run[:], binary.BigEndian.AppendUint32(nil, uint32(index))}
	for i := range inputs {
		parts = append(parts, inputs[i][:])
	}
	return transcript.Digest(label, parts...)
}

// seeds are those of the query of a batch with these vectors. (Two queries with one seed would
// show their difference.)
func (s *agreed) seeds(batch int, vectors [32]byte) (he.Seeds, error) {
	return he.NewSeeds(s.Secret.derive(publicLabel, s.id, batch, vectors), s.Secret.derive(secretLabel, s.id, batch, vectors))
}

// replySeed is that of a reply to a query with these vectors, counted through the run: a reply
// that is sent again is the same bytes. (Two replies with one seed would show a template by
// their difference.)
func (s *agreed) replySeed(reply int, query, vectors [32]byte) [32]byte {
	return s.Secret.derive(replyLabel, s.id, reply, query, vectors)
}

// comparison names an attempt's comparison.
func (s *agreed) comparison(nonces [2][nonceSize]byte) [32]byte {
	return transcript.Digest(compareLabel, s.id[:], nonces[0][:], nonces[1][:])
}

// errorf is an error of a session.
func errorf(format string, args ...any) error { return fmt.Errorf("session: "+format, args...) }
