package entry

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"entente/crypto/transcript"
	"entente/protocol/wire"
)

// Bodies whose form this package decides. Those of the other kinds belong to the node
// that writes them; here they are one canonical CBOR item.

// RosterState is the body of RosterJoined: from this entry on the chain's Federation is
// the digest.
type RosterState struct {
	_       struct{} `codec:",toarray"`
	Version uint64
	Digest  []byte // of the roster
}

// PolicyState is the body of PolicyActivated.
type PolicyState struct {
	_       struct{} `codec:",toarray"`
	Version uint64
	Digest  []byte // of the bundle of rules
}

// Gap is the body of Restored: the numbers that the node skips because it cannot know
// whether it had used them before its store was lost.
type Gap struct {
	_     struct{} `codec:",toarray"`
	First uint64   // first skipped number: the one after the entry named as previous
	Last  uint64   // last skipped number: the one before the Restored entry's own
	Lost  uint64   // how many of them, from First on, the node knows that it had used
}

// Sealed is the body of SealedDigest and of LocalHead.
type Sealed struct {
	_      struct{} `codec:",toarray"`
	Digest []byte
}

// HeadState is what a LocalHead seals.
type HeadState struct {
	_        struct{} `codec:",toarray"`
	Sequence uint64
	Digest   []byte
}

// HeadLabel is the label under which the head of the local chain is sealed.
const HeadLabel = "entente/local-head/1"

// MaxLabel bounds the label of an opening, in bytes.
const MaxLabel = 64

// Opening is a sealed digest's content with the secret nonce that hides it. Whoever has
// it can recompute the digest; who has only the digest learns nothing, as the nonce has
// 256 random bits. Keep openings where they can be erased: the digest then stays, and
// says nothing for ever.
type Opening struct {
	_     struct{} `codec:",toarray"`
	Label string   // what is sealed, such as HeadLabel; at most MaxLabel bytes of printing ASCII
	Nonce []byte   // 32 random bytes, never used twice
	Body  []byte   // at most MaxBody bytes
}

// Seal draws a nonce for a body. Digest then is what may be published.
func Seal(label string, body []byte) (Opening, error) {
	o := Opening{Label: label, Nonce: make([]byte, nonceSize), Body: bytes.Clone(body)}
	rand.Read(o.Nonce) // never fails: crypto/rand ends the program instead
	if err := o.validate(); err != nil {
		return Opening{}, fmt.Errorf("seal: %w", err)
	}
	return o, nil
}

// SealHead seals the head of a local chain. The opening's Entry goes into the submitted
// chain as LocalHead and the opening itself, marshalled, into the local chain as
// LocalHeadOpening, both in one transaction of the store.
func SealHead(local Head) (Opening, error) {
	if local.Empty() {
		return Opening{}, errors.New("seal head: the chain is empty")
	}
	b, err := wire.Marshal(HeadState{Sequence: local.Sequence, Digest: local.Digest[:]})
	if err != nil {
		return Opening{}, fmt.Errorf("seal head: %w", err)
	}
	return Seal(HeadLabel, b)
}

// Digest is SHA-256 over the length-prefixed label, nonce and body.
func (o Opening) Digest() [32]byte {
	return transcript.Digest(sealLabel, []byte(o.Label), o.Nonce, o.Body)
}

// Entry returns the body of the entry that publishes the digest.
func (o Opening) Entry() ([]byte, error) {
	d := o.Digest()
	return Body(Sealed{Digest: d[:]})
}

// Marshal encodes the opening: the content of a file in openings/, and the body of
// LocalHeadOpening.
func (o Opening) Marshal() ([]byte, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("encode opening: %w", err)
	}
	return Body(o)
}

// UnmarshalOpening decodes an opening strictly.
func UnmarshalOpening(b []byte) (Opening, error) {
	var o Opening
	if len(b) > MaxEntry {
		return Opening{}, fmt.Errorf("decode opening: has %d bytes, at most %d", len(b), MaxEntry)
	}
	if err := wire.Unmarshal(b, &o); err != nil {
		return Opening{}, fmt.Errorf("decode opening: %w", err)
	}
	if err := o.validate(); err != nil {
		return Opening{}, fmt.Errorf("decode opening: %w", err)
	}
	return o, nil
}

func (o Opening) validate() error {
	if o.Label == "" || len(o.Label) > MaxLabel {
		return fmt.Errorf("label has %d bytes, must have 1 to %d", len(o.Label), MaxLabel)
	}
	for i := range len(o.Label) {
		if o.Label[i] <= ' ' || o.Label[i] > '~' {
			return errors.New("label may hold printing ASCII only")
		}
	}
	if len(o.Nonce) != nonceSize {
		return fmt.Errorf("nonce has %d bytes, not %d", len(o.Nonce), nonceSize)
	}
	if len(o.Body) > MaxBody-256 {
		return fmt.Errorf("sealed body has %d bytes, at most %d", len(o.Body), MaxBody-256)
	}
	return nil
}

const redacted = "[sealed]"

// Format hides the opening from every verb of package fmt: with its nonce the digest
// would say what it seals.
func (Opening) Format(s fmt.State, _ rune) { fmt.Fprint(s, redacted) }

// LogValue hides the opening from logs.
func (Opening) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the opening from encoders.
func (Opening) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Body encodes a value as the body of an entry: canonical CBOR.
func Body(v any) ([]byte, error) {
	b, err := wire.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode body: %w", err)
	}
	return b, nil
}

// validateBody decodes the bodies whose form this package decides.
func (e Entry) validateBody() (err error) {
	var digest []byte
	switch e.Kind {
	case RosterJoined:
		var b RosterState
		err, digest = wire.Unmarshal(e.Body, &b), b.Digest
		if err == nil && !bytes.Equal(b.Digest, e.Federation) {
			return errors.New("roster joined: the entry's federation is another roster")
		}
	case Genesis:
		var b RosterState
		err, digest = wire.Unmarshal(e.Body, &b), b.Digest
	case PolicyActivated:
		var b PolicyState
		err, digest = wire.Unmarshal(e.Body, &b), b.Digest
	case Approval, Objection:
		var b Reference
		err, digest = wire.Unmarshal(e.Body, &b), b.Proposal
	case SealedDigest, LocalHead:
		var b Sealed
		err, digest = wire.Unmarshal(e.Body, &b), b.Digest
	case Restored:
		return e.validateGap()
	case LocalHeadOpening:
		_, _, err := e.HeadOpening()
		return err
	default:
		return e.validateLedgerBody()
	}
	if err != nil {
		return fmt.Errorf("body of %s: %w", e.Kind, err)
	}
	if len(digest) != DigestSize {
		return fmt.Errorf("body of %s: digest has %d bytes, not %d", e.Kind, len(digest), DigestSize)
	}
	return nil
}

func (e Entry) validateGap() error {
	g, err := e.Gap()
	if err != nil {
		return err
	}
	if e.Sequence == 0 || g.Last != e.Sequence-1 || g.First > g.Last {
		return errors.New("restored: the skipped numbers do not end before the entry's own")
	}
	if g.Lost > g.Last-g.First+1 {
		return errors.New("restored: more entries are lost than the gap has numbers")
	}
	return nil
}

// Gap returns the body of a Restored entry.
func (e Entry) Gap() (Gap, error) {
	var g Gap
	if err := wire.Unmarshal(e.Body, &g); err != nil {
		return Gap{}, fmt.Errorf("body of %s: %w", Restored, err)
	}
	return g, nil
}

// SealedDigest returns the digest that a SealedDigest or LocalHead entry publishes.
func (e Entry) SealedDigest() ([32]byte, error) {
	var b Sealed
	if err := wire.Unmarshal(e.Body, &b); err != nil || len(b.Digest) != DigestSize {
		return [32]byte{}, fmt.Errorf("body of %s: no digest: %w", e.Kind, err)
	}
	return [32]byte(b.Digest), nil
}

// HeadOpening returns the body of a LocalHeadOpening entry and the head in it.
func (e Entry) HeadOpening() (Opening, HeadState, error) {
	o, err := UnmarshalOpening(e.Body)
	if err != nil {
		return Opening{}, HeadState{}, fmt.Errorf("body of %s: %w", LocalHeadOpening, err)
	}
	var h HeadState
	if o.Label != HeadLabel {
		return Opening{}, HeadState{}, fmt.Errorf("body of %s: it opens something else", LocalHeadOpening)
	}
	if err := wire.Unmarshal(o.Body, &h); err != nil {
		return Opening{}, HeadState{}, fmt.Errorf("body of %s: %w", LocalHeadOpening, err)
	}
	if len(h.Digest) != DigestSize {
		return Opening{}, HeadState{}, fmt.Errorf("body of %s: digest has %d bytes, not %d", LocalHeadOpening, len(h.Digest), DigestSize)
	}
	return o, h, nil
}
