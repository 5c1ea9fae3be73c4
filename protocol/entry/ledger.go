package entry

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Bodies of the kinds that only the federation's ledger orders. What they may say there,
// and what follows, is decided by whoever replays the ledger; here is their form.

// KeyState is the body of CosigningKey.
type KeyState struct {
	_       struct{} `codec:",toarray"`
	Key     []byte   // sign.CosigningPublicKeySize bytes
	Ed25519 []byte   // proofs of the key's halves that their holder wants to be this member's
	MLDSA44 []byte   // cosigner, here
}

// Reference is the body of Approval and Objection.
type Reference struct {
	_        struct{} `codec:",toarray"`
	Proposal []byte   // digest of the proposal's entry
}

// Spend is the body of BudgetSpent: the whole size class is deducted, whatever part of it
// is then asked.
type Spend struct {
	_      struct{} `codec:",toarray"`
	Kind   string   // of indicators
	Period uint64   // key period of the custodians
	Class  uint64   // size class, see wire.SizeClass
}

// Refused is the body of Refusals: one number for all grounds and partners, since a ground
// or a pair of members would tell of a person or an operation.
type Refused struct {
	_     struct{} `codec:",toarray"`
	From  int64    // Unix milliseconds, when the window began
	Until int64    // and ended
	Count uint64
}

// Conflict is the body of Evidence.
type Conflict struct {
	_        struct{} `codec:",toarray"`
	Evidence []byte   // as protocol/checkpoint encodes it
}

// Rotation is the body of KeyRotated.
type Rotation struct {
	_         struct{} `codec:",toarray"`
	Sign      []byte   // new signing key
	Transport []byte   // transport key from then on; the same or another
	Proof     []byte   // by the new signing key: that its holder wants to be this member, here
	Channel   []byte   // the same by the transport key, Ed25519
}

// AddressState is the body of AddressesChanged.
type AddressState struct {
	_         struct{} `codec:",toarray"`
	Addresses []string // as in a roster
}

const rotationDomain = sign.Domain("entente/key-rotation/1")

// rotationClaim is what the new keys sign. Without the transport key's proof a member could
// name another's, and so keep it from joining or from being restored with it.
type rotationClaim struct {
	_         struct{} `codec:",toarray"`
	Member    string
	Chain     Chain
	Previous  []byte // digest of the entry before the rotation
	Sign      []byte
	Transport []byte
}

func (e Entry) validateLedgerBody() error {
	var err error
	switch e.Kind {
	case CosigningKey:
		_, err = e.CosigningKey()
	case Proposal:
		_, err = e.Change()
	case Created, Tick:
		// A node's own words on its set-up are for the local chain.
		if e.Chain == Submitted && (string(e.Body) != emptyBody || e.Kind == Created && e.Sequence != 0) {
			err = errors.New("is not empty, or not where it belongs")
		}
	case BudgetSpent:
		_, err = e.Spend()
	case Refusals:
		_, err = e.Refused()
	case Evidence:
		_, err = e.Evidence()
	case KeyRotated:
		_, _, err = e.Rotation()
	case AddressesChanged:
		_, err = e.Addresses()
	}
	if err != nil {
		return fmt.Errorf("body of %s: %w", e.Kind, err)
	}
	return nil
}

// Spend returns the body of a BudgetSpent entry.
func (e Entry) Spend() (Spend, error) {
	var b Spend
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return Spend{}, err
	}
	if b.Class > MaxClass || !wire.IsSizeClass(int(b.Class)) {
		return Spend{}, errors.New("not a size class")
	}
	return b, roster.CheckWord(b.Kind)
}

// Reference returns the body of an Approval or Objection entry.
func (e Entry) Reference() (Reference, error) {
	var b Reference
	if err := wire.Unmarshal(e.Body, &b); err != nil || len(b.Proposal) != DigestSize {
		return Reference{}, fmt.Errorf("body of %s: no digest: %w", e.Kind, err)
	}
	return b, nil
}

// Evidence returns the body of an Evidence entry.
func (e Entry) Evidence() (checkpoint.Evidence, error) {
	var b Conflict
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return checkpoint.Evidence{}, err
	}
	return checkpoint.UnmarshalEvidence(b.Evidence)
}

// MaxClass is the largest size class that an entry may name.
const MaxClass = 1 << 32

// Refused returns the body of a Refusals entry.
func (e Entry) Refused() (Refused, error) {
	var b Refused
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return Refused{}, err
	}
	if b.From < minTime || b.Until <= b.From || b.Until > e.Time {
		return Refused{}, errors.New("the window does not end before the entry")
	}
	return b, nil
}

// Addresses returns the body of an AddressesChanged entry.
func (e Entry) Addresses() ([]string, error) {
	var b AddressState
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return nil, err
	}
	if len(b.Addresses) > roster.MaxAddresses {
		return nil, fmt.Errorf("%d addresses, at most %d", len(b.Addresses), roster.MaxAddresses)
	}
	for _, a := range b.Addresses {
		if err := roster.CheckAddress(a); err != nil {
			return nil, err
		}
	}
	return b.Addresses, nil
}

// Rotation returns the body of a KeyRotated entry and the new key, after the proof of its
// holder.
func (e Entry) Rotation() (Rotation, *sign.PublicKey, error) {
	var b Rotation
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return Rotation{}, nil, err
	}
	key, err := sign.ParsePublicKey(b.Sign)
	if err != nil {
		return Rotation{}, nil, err
	}
	if len(b.Transport) != ed25519.PublicKeySize {
		return Rotation{}, nil, fmt.Errorf("transport key has %d bytes, not %d", len(b.Transport), ed25519.PublicKeySize)
	}
	claim, err := Body(rotationClaim{Member: e.Member, Chain: e.Chain, Previous: e.Previous, Sign: b.Sign, Transport: b.Transport})
	if err != nil {
		return Rotation{}, nil, err
	}
	if err := key.Verify(rotationDomain, claim, b.Proof); err != nil {
		return Rotation{}, nil, fmt.Errorf("the new key's proof: %w", err)
	}
	if !ed25519.Verify(b.Transport, channelClaim(claim), b.Channel) {
		return Rotation{}, nil, fmt.Errorf("the transport key's proof: %w", sign.ErrSignature)
	}
	return b, key, nil
}

// channelClaim is a rotation's claim as the transport key signs it, which has no domains.
func channelClaim(claim []byte) []byte { return append([]byte(rotationDomain+"\n"), claim...) }

const cosigningDomain = sign.Domain("entente/cosigning-key/1")

// keyClaim is what a cosigning key signs, behind its domain: no checkpoint begins so.
type keyClaim struct {
	_        struct{} `codec:",toarray"`
	Member   string
	Previous []byte // digest of the entry before
	Key      []byte
}

func (c keyClaim) message() ([]byte, error) {
	b, err := Body(c)
	return append([]byte(cosigningDomain+"\n"), b...), err
}

// NewKeyState is the body with which a member names its cosigning key after prev: with
// proofs, since otherwise another could name the key first.
func NewKeyState(prev Head, member string, key *sign.CosigningKey) (KeyState, error) {
	b := KeyState{Key: key.Public().Bytes()}
	m, err := keyClaim{Member: member, Previous: prev.Digest[:], Key: b.Key}.message()
	if err != nil {
		return KeyState{}, fmt.Errorf("name cosigning key: %w", err)
	}
	b.Ed25519, b.MLDSA44 = key.Ed25519(m), key.MLDSA44(m)
	return b, nil
}

// CosigningKey returns the key that a CosigningKey entry names, after the proofs of its
// holder.
func (e Entry) CosigningKey() (*sign.CosigningPublicKey, error) {
	var b KeyState
	if err := wire.Unmarshal(e.Body, &b); err != nil {
		return nil, err
	}
	key, err := sign.ParseCosigningPublicKey(b.Key)
	if err != nil {
		return nil, err
	}
	m, err := keyClaim{Member: e.Member, Previous: e.Previous, Key: b.Key}.message()
	if err != nil {
		return nil, err
	}
	if !key.VerifyEd25519(m, b.Ed25519) || !key.VerifyMLDSA44(m, b.MLDSA44) {
		return nil, fmt.Errorf("the key's proofs: %w", sign.ErrSignature)
	}
	return key, nil
}

// Rotate makes the entry with which a member's old key hands over to a new one: the next
// entry is the new key's. The old key signs the entry, the new ones the proofs in it.
func (a Author) Rotate(prev Head, chain Chain, key *sign.PrivateKey, transport ed25519.PrivateKey, now time.Time) (Signed, Head, error) {
	b := Rotation{Sign: key.Public().Bytes(), Transport: transport.Public().(ed25519.PublicKey)}
	claim, err := Body(rotationClaim{Member: a.Member, Chain: chain, Previous: prev.Digest[:], Sign: b.Sign, Transport: b.Transport})
	if err != nil {
		return Signed{}, Head{}, fmt.Errorf("rotate key: %w", err)
	}
	if b.Proof, err = key.Sign(rotationDomain, claim); err != nil {
		return Signed{}, Head{}, fmt.Errorf("rotate key: %w", err)
	}
	b.Channel = ed25519.Sign(transport, channelClaim(claim))
	body, err := Body(b)
	if err != nil {
		return Signed{}, Head{}, fmt.Errorf("rotate key: %w", err)
	}
	return a.Next(prev, chain, KeyRotated, body, now)
}
