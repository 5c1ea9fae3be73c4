package roster

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/wire"
)

// Limits of a member's entry. They keep a card readable by a person and a roster of
// MaxMembers small enough to be mailed.
const (
	MinIDLength      = 2   // bytes of an ID
	MaxIDLength      = 16  // bytes of an ID
	MaxNameLength    = 128 // bytes of a name in UTF-8
	MaxAddresses     = 8   // addresses of one member
	MaxAddressLength = 128 // bytes of one address
)

const (
	cardDomain  = sign.Domain("entente/member-card/1")
	memberLabel = "entente/member/1"
)

// Role says what kind of member it is. Rights follow from rules, never from the role alone.
type Role string

// The closed set of roles.
const (
	State        Role = "state"
	Organisation Role = "organisation"
	NGO          Role = "ngo"
	Observer     Role = "observer"
)

// Roles lists the closed set, for messages and for the check.
func Roles() []Role { return []Role{State, Organisation, NGO, Observer} }

// Member is one entry of the roster. Its canonical CBOR is an array of these fields in
// this order.
type Member struct {
	_         struct{} `codec:",toarray"`
	ID        string   // 2 to 16 of A-Z, 0-9 and inner hyphens
	Name      string   // for people; printable, at most MaxNameLength bytes
	Role      Role     // one of Roles
	Sign      []byte   // sign.PublicKeySize bytes: Ed25519 then ML-DSA-65
	Transport []byte   // 32 bytes Ed25519: identity on the channel, nothing else
	Addresses []string // where the node can be dialled; may be empty for one that only dials
}

// Validate checks every limit of one entry. What concerns several entries is checked by
// Roster.Validate.
func (m Member) Validate() error {
	if err := CheckID(m.ID); err != nil {
		return err
	}
	if err := checkName(m.Name); err != nil {
		return fmt.Errorf("member %s: %w", m.ID, err)
	}
	if !slices.Contains(Roles(), m.Role) {
		return fmt.Errorf("member %s: role must be one of %v", m.ID, Roles())
	}
	if _, err := sign.ParsePublicKey(m.Sign); err != nil {
		return fmt.Errorf("member %s: signing key: %w", m.ID, err)
	}
	if len(m.Transport) != ed25519.PublicKeySize {
		return fmt.Errorf("member %s: transport key has %d bytes, not %d", m.ID, len(m.Transport), ed25519.PublicKeySize)
	}
	if allZero(m.Transport) {
		return fmt.Errorf("member %s: transport key is all zeros", m.ID)
	}
	if len(m.Addresses) > MaxAddresses {
		return fmt.Errorf("member %s: %d addresses, at most %d", m.ID, len(m.Addresses), MaxAddresses)
	}
	for i, a := range m.Addresses {
		if err := CheckAddress(a); err != nil {
			return fmt.Errorf("member %s: address %d: %w", m.ID, i+1, err)
		}
		if slices.Contains(m.Addresses[:i], a) {
			return fmt.Errorf("member %s: address %d is there twice", m.ID, i+1)
		}
	}
	return nil
}

// PublicKey parses the member's signing key.
func (m Member) PublicKey() (*sign.PublicKey, error) {
	k, err := sign.ParsePublicKey(m.Sign)
	if err != nil {
		return nil, fmt.Errorf("signing key of member %s: %w", m.ID, err)
	}
	return k, nil
}

// Digest identifies the entry with all its fields.
func (m Member) Digest() ([32]byte, error) {
	b, err := m.canonical()
	if err != nil {
		return [32]byte{}, err
	}
	return transcript.Digest(memberLabel, b), nil
}

// Words returns the entry's digest as words that two people can compare by telephone.
func (m Member) Words() (string, error) {
	d, err := m.Digest()
	if err != nil {
		return "", err
	}
	return sign.Words(d), nil
}

// Equal reports whether both entries have the same canonical bytes.
func (m Member) Equal(o Member) bool { return len(m.Differences(o)) == 0 }

// Differences names the fields in which two entries differ, in words for a message.
func (m Member) Differences(o Member) []string {
	var ds []string
	add := func(differs bool, name string) {
		if differs {
			ds = append(ds, name)
		}
	}
	add(m.ID != o.ID, "id")
	add(m.Name != o.Name, "name")
	add(m.Role != o.Role, "role")
	add(!slices.Equal(m.Sign, o.Sign), "signing key")
	add(!slices.Equal(m.Transport, o.Transport), "transport key")
	add(!slices.Equal(m.Addresses, o.Addresses), "addresses")
	return ds
}

func (m Member) canonical() ([]byte, error) {
	if m.Addresses == nil {
		m.Addresses = []string{} // an absent list and an empty one are the same entry
	}
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode member %s: %w", m.ID, err)
	}
	return b, nil
}

// Card is a member's entry signed with the key that it holds: what member.json contains
// and what a member hands to those who draw up the roster.
type Card struct {
	Member    Member
	Signature []byte
}

// NewCard signs an entry with the key that it names.
func NewCard(m Member, key *sign.PrivateKey) (Card, error) {
	if err := m.Validate(); err != nil {
		return Card{}, err
	}
	if !slices.Equal(m.Sign, key.Public().Bytes()) {
		return Card{}, fmt.Errorf("sign card of member %s: the entry names another key", m.ID)
	}
	b, err := m.canonical()
	if err != nil {
		return Card{}, err
	}
	s, err := key.Sign(cardDomain, b)
	if err != nil {
		return Card{}, fmt.Errorf("sign card of member %s: %w", m.ID, err)
	}
	return Card{Member: m, Signature: s}, nil
}

// Verify checks the limits and that the holder of the named key signed the entry.
func (c Card) Verify() error {
	if err := c.Member.Validate(); err != nil {
		return err
	}
	k, err := c.Member.PublicKey()
	if err != nil {
		return err
	}
	b, err := c.Member.canonical()
	if err != nil {
		return err
	}
	if err := k.Verify(cardDomain, b, c.Signature); err != nil {
		return fmt.Errorf("card of member %s: %w", c.Member.ID, err)
	}
	return nil
}

// CheckID refuses what is not a member's ID: IDs stand in file names, log lines and
// rules, so they hold neither space, dot nor letters that look like others.
func CheckID(id string) error {
	if len(id) < MinIDLength || len(id) > MaxIDLength {
		return fmt.Errorf("member id has %d characters, must have %d to %d", len(id), MinIDLength, MaxIDLength)
	}
	for i := range len(id) {
		c := id[i]
		inner := i > 0 && i < len(id)-1
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && (c != '-' || !inner) {
			return errors.New("member id may hold A-Z, 0-9 and hyphens between them")
		}
	}
	return nil
}

// checkName admits what prints as it reads: no control or direction characters, which
// could show a person another name than the one signed.
func checkName(name string) error {
	if name == "" || len(name) > MaxNameLength {
		return fmt.Errorf("name has %d bytes, must have 1 to %d", len(name), MaxNameLength)
	}
	if !utf8.ValidString(name) {
		return errors.New("name is not UTF-8")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("name holds the character %U, which does not print", r)
		}
	}
	if name[0] == ' ' || name[len(name)-1] == ' ' {
		return errors.New("name begins or ends with a space")
	}
	return nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
