package similar

import (
	"encoding/binary"
	"errors"
	"fmt"

	"entente/crypto/he"
	"entente/crypto/transcript"
	"entente/protocol/wire"
)

// Labels of digests.
const (
	sessionLabel    = "entente/similar/session/1"
	commitmentLabel = "entente/similar/commitment/1"
	publicLabel     = "entente/similar/public/1"  // of a batch's public seed
	secretLabel     = "entente/similar/secret/1"  // of a batch's secret seed
	replyLabel      = "entente/similar/reply/1"   // of a block's reply
	orderLabel      = "entente/similar/order/1"   // of the order of templates
	compareLabel    = "entente/similar/compare/1" // of an attempt's comparison
)

// Session is what both sides agreed on before the run, and the own secret.
type Session struct {
	Agreement  [32]byte // digest of offer and answer
	Run        int      // index of the run inside the round, from 0
	Model      string   // what the vectors are of; those of two models cannot be compared
	Dimension  int      // coordinates of a vector, a multiple of Split
	Threshold  int      // least score that is a hit, 1 to MaxThreshold
	Probes     int      // places for probes: a power of two up to 4,096, or a multiple of 4,096
	Templates  int      // places for templates: a size class
	Split      int      // coordinates in a ciphertext; see he.Layout
	Learns     Learns
	Commitment [32]byte         // the asker's, to its secret
	Secret     [SecretSize]byte // own; that of an asker is the one committed to
}

// Commit is the commitment to an asker's secret. The secret is uniform, so the digest hides it.
func Commit(secret [SecretSize]byte) [32]byte { return transcript.Digest(commitmentLabel, secret[:]) }

// role is a side of a run; its number stands in Start.
type role uint8

const (
	asker    role = 1
	answerer role = 2
)

// Pairs is how many pairs of places a run compares, which a quota counts.
func (s *Session) Pairs() int64 { return int64(s.Probes) * int64(s.replies()*s.layout().Templates()) }

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
	return transcript.Digest(sessionLabel, s.Agreement[:], []byte(s.Model), b, s.Commitment[:])
}

// seeds are those of a batch's query, both from the asker's secret.
func (s *Session) seeds(batch int) (he.Seeds, error) {
	digest, index := s.digest(), binary.BigEndian.AppendUint32(nil, uint32(batch))
	return he.NewSeeds(
		transcript.Digest(publicLabel, s.Secret[:], digest[:], index),
		transcript.Digest(secretLabel, s.Secret[:], digest[:], index))
}

// replySeed is that of a block's reply, from the answerer's secret: a block that is sent again
// for the same query is the same bytes, and one for any other query shares nothing with it.
// (Two replies with one seed to two queries would show a template by their difference.)
func (s *Session) replySeed(query [32]byte, block int) [32]byte {
	digest := s.digest()
	return transcript.Digest(replyLabel, s.Secret[:], digest[:], query[:], binary.BigEndian.AppendUint32(nil, uint32(block)))
}

// comparison names an attempt's comparison.
func (s *Session) comparison(nonces [2][nonceSize]byte) [32]byte {
	digest := s.digest()
	return transcript.Digest(compareLabel, digest[:], nonces[0][:], nonces[1][:])
}
