package standing

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"entente/crypto/oprf"
	"entente/crypto/transcript"
	"entente/protocol/tags"
	"entente/protocol/wire"
)

// Labels of what enters the function, what becomes of its outputs, and what derives from
// secrets.
const (
	labelElement   = "entente/standing/input/1/element"
	labelPadding   = "entente/standing/input/1/padding"
	labelTag       = "entente/standing/tag/1"
	labelProof     = "entente/standing/proof/1"
	labelKey       = "entente/standing/key/1/"
	labelBlinds    = "entente/standing/blinds/1"
	labelPlaces    = "entente/standing/places/1"
	labelQuestions = "entente/standing/questions/1"
)

// Inputs encodes what enters the function in one tag period of one feed: label, agreement,
// feed, period, kind, version and content, each after its length as two bytes. So an output
// means nothing outside its period, and no two different lists encode alike.
type Inputs struct{ place []byte }

// NewInputs returns the encoding for a tag period.
func NewInputs(agreement [32]byte, feed uint8, index uint32) Inputs {
	b := field(nil, agreement[:])
	b = field(b, []byte{feed})
	return Inputs{field(b, binary.BigEndian.AppendUint32(nil, index))}
}

// Element returns the input of an item.
func (in Inputs) Element(i Item) ([]byte, error) {
	switch {
	case len(i.Element) == 0, len(i.Element) > MaxElement:
		return nil, fmt.Errorf("an element of %d bytes", len(i.Element))
	case !kindName(i.Kind):
		return nil, fmt.Errorf("a kind of %d bytes", len(i.Kind))
	}
	return in.input(labelElement, i.Kind, i.Version, i.Element), nil
}

// Padding returns an input that fills a place: nobody without the seed can compute it. A
// seed of SecretSize bytes serves one purpose: one chunk of questions, or the dummies of one
// tag period.
func (in Inputs) Padding(seed []byte, place uint32) []byte {
	m := hmac.New(sha256.New, seed)
	m.Write(binary.BigEndian.AppendUint32(nil, place))
	return in.input(labelPadding, "", 0, m.Sum(nil))
}

func (in Inputs) input(label, kind string, version uint16, content []byte) []byte {
	b := field(nil, []byte(label))
	b = append(b, in.place...)
	b = field(b, []byte(kind))
	b = field(b, binary.BigEndian.AppendUint16(nil, version))
	return field(b, content)
}

func field(b, content []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(content))), content...)
}

// kindName accepts what a kind's name may be.
func kindName(kind string) bool { return len(kind) >= 1 && len(kind) <= 64 }

// EntryOf returns tag and proof of an output of the function.
func EntryOf(output []byte) Entry {
	tag, proof := tags.Labels{Tag: labelTag, Proof: labelProof}.Of(output)
	return Entry{Tag: tag, Proof: proof}
}

// HolderKey derives the key of a tag period from the holder's secret of the subscription
// (SecretSize bytes, drawn at the agreement, in no backup) and the period's nonce, drawn
// anew for each period: so one number never has one key twice.
func HolderKey(secret []byte, agreement [32]byte, feed uint8, index uint32, nonce [32]byte) (*oprf.Key, error) {
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("derive key: secret of %d bytes", len(secret))
	}
	info := append([]byte(labelKey), feed)
	info = binary.BigEndian.AppendUint32(info, index)
	info = append(info, nonce[:]...)
	seed, err := hkdf.Key(sha256.New, secret, agreement[:], string(info), oprf.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	key, err := oprf.DeriveKey(oprf.Batched, seed, []byte(labelKey))
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}

// check refuses a chunk of questions that this side must not send.
func (q *Question) check(kinds []Kind) error {
	switch {
	case q.Class > MaxPlaces, !wire.IsSizeClass(q.Class):
		return fmt.Errorf("question %d: %d places", q.Number, q.Class)
	case q.Urgent && q.Class != MinPlaces:
		return fmt.Errorf("question %d: an urgent check of %d places", q.Number, q.Class)
	case len(q.Items) > q.Class:
		return fmt.Errorf("question %d: %d items in %d places", q.Number, len(q.Items), q.Class)
	}
	for i, item := range q.Items {
		if !slices.Contains(kinds, Kind{Name: item.Kind, Version: item.Version}) {
			return fmt.Errorf("question %d, item %d: a kind that was not agreed", q.Number, i)
		}
	}
	return nil
}

// inputs returns the inputs of all places of a chunk: items first, then padding. All of the
// padding is derived, so that the time does not tell how much of it is used.
func (q *Question) inputs(in Inputs) ([][]byte, error) {
	all := make([][]byte, q.Class)
	for i := range all {
		all[i] = in.Padding(q.purpose(labelPlaces), uint32(i))
	}
	for i, item := range q.Items {
		var err error
		if all[i], err = in.Element(item); err != nil {
			return nil, fmt.Errorf("question %d, item %d: %w", q.Number, i, err)
		}
	}
	return all, nil
}

// purpose is the chunk's seed for one use.
func (q *Question) purpose(label string) []byte {
	m := hmac.New(sha256.New, q.Seed[:])
	m.Write([]byte(label))
	return m.Sum(nil)
}

// blinds derives a blind for each place. The seed is bound to key and inputs besides: should
// a seed ever serve for other items, no blind meets a second item all the same.
func (q *Question) blinds(public *oprf.PublicKey, inputs [][]byte) ([]oprf.Scalar, error) {
	digest := transcript.Digest(labelBlinds, slices.Concat([][]byte{public.Bytes()}, inputs)...)
	m := hmac.New(sha256.New, q.purpose(labelBlinds))
	m.Write(digest[:])
	seed := m.Sum(nil)
	all := make([]oprf.Scalar, len(inputs))
	for i := range all {
		var err error
		if all[i], err = oprf.DeriveScalar(seed, uint64(i)); err != nil {
			return nil, fmt.Errorf("question %d: %w", q.Number, err)
		}
	}
	return all, nil
}

// questionsDigest names all that an asker asks in one chunk.
func questionsDigest(s *Session, index, number uint32, urgent bool, blinded []byte) [32]byte {
	be := binary.BigEndian
	flag := byte(0)
	if urgent {
		flag = 1
	}
	return transcript.Digest(labelQuestions, s.Agreement[:], []byte{s.Feed},
		be.AppendUint32(nil, index), be.AppendUint32(nil, number), []byte{flag}, blinded)
}
