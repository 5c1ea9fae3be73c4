package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"entente/crypto/sign"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Role says as what a member signs.
type Role uint8

// The two roles. A sequencer states the order, a cosigner that it holds every entry, found
// it valid and has signed nothing that conflicts.
const (
	Sequencer Role = 1
	Cosigner  Role = 2
)

// String names the role.
func (r Role) String() string {
	switch r {
	case Sequencer:
		return "sequencer"
	case Cosigner:
		return "cosigner"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// MaxSignatures is how many signatures one checkpoint may carry: two of each member.
const MaxSignatures = 2 * roster.MaxMembers

// MaxSigned is the longest encoding of a signed checkpoint in bytes.
const MaxSigned = MaxText + MaxSignatures*(sign.Ed25519Size+sign.MLDSA44Size+64) + 64

const maxTime = int64(1) << 33 // Unix seconds, in the year 2242

// Signature is one member's signature over a checkpoint, in one role. As cosigner it is
// C2SP's two cosignatures of one time, of types 0x04 and 0x06. As sequencer the first is
// the plain signature of a note, type 0x01, since a cosignature with Ed25519 does not hold
// the signer's name and could be passed off as one in the other role.
type Signature struct {
	_       struct{} `codec:",toarray"`
	Member  string
	Role    Role
	Time    int64 // Unix seconds by the signer's clock
	Ed25519 []byte
	MLDSA44 []byte
}

// Sign signs a checkpoint. The caller stores that it is signed, durably, before anybody
// sees the signature, and signs nothing that conflicts with what it signed before.
func Sign(c Checkpoint, member string, role Role, key *sign.CosigningKey, now time.Time) Signature {
	s := Signature{Member: member, Role: role, Time: now.Unix()}
	classic, lattice := s.messages(c)
	s.Ed25519, s.MLDSA44 = key.Ed25519(classic), key.MLDSA44(lattice)
	return s
}

// Verify checks both halves. No key verifies nothing.
func (s Signature) Verify(c Checkpoint, key *sign.CosigningPublicKey) error {
	if err := s.validate(); err != nil {
		return err
	}
	classic, lattice := s.messages(c)
	if key == nil || !key.VerifyEd25519(classic, s.Ed25519) || !key.VerifyMLDSA44(lattice, s.MLDSA44) {
		return fmt.Errorf("%s as %s: %w", s.Member, s.Role, sign.ErrSignature)
	}
	return nil
}

func (s Signature) validate() error {
	if err := roster.CheckID(s.Member); err != nil {
		return err
	}
	if s.Role != Sequencer && s.Role != Cosigner {
		return errors.New("signature of an unknown role")
	}
	if s.Time < 0 || s.Time >= maxTime || len(s.Ed25519) != sign.Ed25519Size || len(s.MLDSA44) != sign.MLDSA44Size {
		return errors.New("signature is malformed")
	}
	return nil
}

// name is the signer's name as a note's key has it.
func (s Signature) name(federation [32]byte) string {
	name := fmt.Sprintf("%s%x/%s", originPrefix, federation, s.Member)
	if s.Role == Sequencer {
		name += "/sequencer"
	}
	return name
}

// messages returns what each algorithm signs (C2SP signed-note and tlog-cosignature).
func (s Signature) messages(c Checkpoint) (classic, lattice []byte) {
	classic = c.Text()
	if s.Role == Cosigner {
		classic = fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", s.Time, classic)
	}
	name, origin := s.name(c.Origin.Federation), c.Origin.String()
	lattice = append(lattice, "subtree/v1\n\x00"...)
	lattice = append(append(lattice, byte(len(name))), name...)
	lattice = binary.BigEndian.AppendUint64(lattice, uint64(s.Time))
	lattice = append(append(lattice, byte(len(origin))), origin...)
	lattice = binary.BigEndian.AppendUint64(lattice, 0)
	lattice = binary.BigEndian.AppendUint64(lattice, c.Size)
	return classic, append(lattice, c.Root[:]...)
}

// Signed is a checkpoint's text with signatures over it: what travels and what is kept.
type Signed struct {
	_          struct{} `codec:",toarray"`
	Text       []byte
	Signatures []Signature
}

// Marshal encodes the signed checkpoint.
func (s Signed) Marshal() ([]byte, error) {
	if s.Signatures == nil {
		s.Signatures = []Signature{}
	}
	b, err := wire.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode signed checkpoint: %w", err)
	}
	return b, nil
}

// Unmarshal decodes a signed checkpoint strictly. What the signatures are worth says a
// Committee.
func Unmarshal(b []byte) (Signed, Checkpoint, error) {
	var s Signed
	if len(b) > MaxSigned {
		return Signed{}, Checkpoint{}, fmt.Errorf("decode signed checkpoint: has %d bytes, at most %d", len(b), MaxSigned)
	}
	if err := wire.Unmarshal(b, &s); err != nil {
		return Signed{}, Checkpoint{}, fmt.Errorf("decode signed checkpoint: %w", err)
	}
	c, err := s.Checkpoint()
	if err != nil {
		return Signed{}, Checkpoint{}, fmt.Errorf("decode signed checkpoint: %w", err)
	}
	return s, c, nil
}

// Checkpoint decodes the text and checks the form of the signatures.
func (s Signed) Checkpoint() (Checkpoint, error) {
	if len(s.Signatures) > MaxSignatures {
		return Checkpoint{}, fmt.Errorf("%d signatures, at most %d", len(s.Signatures), MaxSignatures)
	}
	for _, one := range s.Signatures {
		if err := one.validate(); err != nil {
			return Checkpoint{}, err
		}
	}
	return Parse(s.Text)
}
