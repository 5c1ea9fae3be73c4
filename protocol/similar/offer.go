package similar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"entente/crypto/he"
	"entente/crypto/transcript"
)

// modelLabel is that of the digest under which a model is named in an agreement.
const modelLabel = "entente/similar/model/1"

// Terms are what one side says of a run in an offer or an answer: the suite's public value.
type Terms struct {
	Commitment [32]byte // to its secret
	Model      [16]byte // digest of the model's name, as NameModel gives it
	Dimension  int
	Threshold  int
}

// TermsSize is the length of encoded terms in bytes.
const TermsSize = 32 + 16 + 2 + 2

// ErrTerms says that a public value is malformed or out of bounds.
var ErrTerms = errors.New("malformed terms of similar vectors")

// NameModel is the digest that stands for a model's name.
func NameModel(name string) [16]byte {
	digest := transcript.Digest(modelLabel, []byte(name))
	return [16]byte(digest[:16])
}

// Marshal encodes terms: commitment, model, dimension and threshold, integers of two bytes.
func (t Terms) Marshal() []byte {
	b := append(make([]byte, 0, TermsSize), t.Commitment[:]...)
	b = append(b, t.Model[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(t.Dimension))
	return binary.BigEndian.AppendUint16(b, uint16(t.Threshold))
}

// ParseTerms is the inverse of Marshal. The error is ErrTerms.
func ParseTerms(b []byte) (Terms, error) {
	if len(b) != TermsSize {
		return Terms{}, fmt.Errorf("%w: %d bytes", ErrTerms, len(b))
	}
	t := Terms{
		Commitment: [32]byte(b), Model: [16]byte(b[32:]),
		Dimension: int(binary.BigEndian.Uint16(b[48:])), Threshold: int(binary.BigEndian.Uint16(b[50:])),
	}
	if t.Dimension < 1 || t.Dimension > MaxDimension || t.Threshold < 1 || t.Threshold > MaxThreshold {
		return Terms{}, fmt.Errorf("%w: dimension %d, threshold %d", ErrTerms, t.Dimension, t.Threshold)
	}
	return t, nil
}

// Places is how many places for probes a list of this size class takes: the next power of two,
// and above 4,096 the next multiple of that.
func Places(class int) int {
	if class <= he.Degree {
		return 1 << bits.Len(uint(max(class, 1)-1))
	}
	return (class + he.Degree - 1) / he.Degree * he.Degree
}

// Fit fills in what follows from both size classes: the places, and the split with the fewest
// bytes of queries and replies, the smallest of those that have as few.
func (s *Session) Fit(probes, templates int) {
	s.Probes, s.Templates, s.Split = Places(probes), templates, 1
	best := s.encrypted()
	for split := 2; s.Dimension%split == 0 && min(s.Probes, he.Degree)*split <= he.Degree; split *= 2 {
		trial := *s
		trial.Split = split
		if n := trial.encrypted(); n < best {
			best, s.Split = n, split
		}
	}
}

// encrypted is how many bytes the queries and replies of a run have.
func (s *Session) encrypted() int64 {
	l := s.allLayout()
	query := int64(1+l.Ciphertexts()) * he.CiphertextSize
	return int64(s.allBatches()) * (query + int64(s.allReplies())*int64(l.ReplySize()))
}

// Estimated costs of a pair, from "entente bench faces" on one core with AVX2.
const (
	comparedBytes   = 98     // of the comparison, both directions
	comparedSeconds = 2.2e-6 // and shares' part, both sides
	scoredSeconds   = 1.9e-9 // for each coordinate
	baseBytes       = 24 << 10
)

// Bytes estimates what a run sends in both directions.
func (s *Session) Bytes() int64 { return s.encrypted() + comparedBytes*s.Pairs() + baseBytes }

// Seconds estimates the processor time of both sides together.
func (s *Session) Seconds() float64 {
	return float64(s.Pairs()) * (comparedSeconds + scoredSeconds*float64(s.Dimension))
}
