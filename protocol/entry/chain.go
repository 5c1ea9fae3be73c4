package entry

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/crypto/sign"
	"entente/protocol/wire"
)

// emptyBody is an empty CBOR array.
const emptyBody = "\x80"

// Author writes a member's entries. It holds no state: the caller keeps the head and
// must store entry and head in one transaction before showing the entry to anybody,
// because two entries with one number are a fork that proves the member wrong.
type Author struct {
	Member string
	Key    *sign.PrivateKey
	// Heir takes the place of Key in a chain that has handed over to it; nil: there is none.
	Heir *sign.PrivateKey
	// First is the key under which the chains began; nil: Key's.
	First *sign.PublicKey
}

// ErrOtherKey says that a chain goes on under none of the keys that its author holds.
var ErrOtherKey = errors.New("the chain goes on under another key than this node has")

// After is the author of what follows an entry: with the key to which it hands over, or else
// with the one that has signed it. errors.Is ErrOtherKey.
func (a Author) After(newest Signed) (Author, error) {
	e, err := newest.Decode()
	if err != nil {
		return a, fmt.Errorf("find the chain's key: %w", err)
	}
	var named []byte
	if e.Kind == KeyRotated {
		b, _, err := e.Rotation()
		if err != nil {
			return a, fmt.Errorf("find the chain's key: %w", err)
		}
		named = b.Sign
	}
	signed := Decoded{signed: newest}
	for _, k := range []*sign.PrivateKey{a.Key, a.Heir} {
		if k == nil {
			continue
		}
		if named == nil && signed.Verify(k.Public()) == nil || named != nil && bytes.Equal(named, k.Public().Bytes()) {
			a.Key, a.Heir = k, nil
			return a, nil
		}
	}
	return a, ErrOtherKey
}

// Begins is the key under which the chains began.
func (a Author) Begins() *sign.PublicKey {
	if a.First != nil {
		return a.First
	}
	return a.Key.Public()
}

// Next makes the entry that follows prev in a chain. Body is canonical CBOR (see Body);
// an empty one stands for an empty array. The roster that binds the member is carried
// along by the chain itself and changes with a RosterJoined entry. If the clock went
// back, the entry repeats the time before it.
func (a Author) Next(prev Head, chain Chain, kind Kind, body []byte, now time.Time) (Signed, Head, error) {
	if kind == Restored {
		return Signed{}, Head{}, errors.New("next entry: only Restore writes a restored entry")
	}
	return a.sign(prev, prev.Next(), chain, kind, body, max(now.UnixMilli(), prev.Time))
}

// Restore makes the entry with which a chain goes on after its store came back from a
// backup. The node cannot know which numbers it had used after the backup was taken, so
// it leaves out all that it could have used: the new number is the time in milliseconds
// times 1024, and no node makes 1024 entries in a millisecond. Restoring one backup
// twice therefore never uses a number twice either, as long as the clock is later than at
// the last entry before the loss. Prev is the newest entry that is held, newest the
// highest number known to have been used (from a surviving log or a partner), or
// prev.Sequence if nothing is known.
func (a Author) Restore(prev Head, chain Chain, newest uint64, now time.Time) (Signed, Head, error) {
	t := now.UnixMilli()
	if t <= prev.Time || t < minTime {
		return Signed{}, Head{}, errors.New("restore chain: the clock is not later than at the last entry; set the clock first")
	}
	sequence := uint64(t) * perMilli
	if sequence <= prev.Next() || sequence <= newest {
		return Signed{}, Head{}, errors.New("restore chain: the clock is before the last use of the chain; set the clock first")
	}
	g := Gap{First: prev.Next(), Last: sequence - 1}
	if newest >= g.First && !prev.Empty() {
		g.Lost = newest + 1 - g.First
	}
	body, err := Body(g)
	if err != nil {
		return Signed{}, Head{}, fmt.Errorf("restore chain: %w", err)
	}
	return a.sign(prev, sequence, chain, Restored, body, t)
}

func (a Author) sign(prev Head, sequence uint64, chain Chain, kind Kind, body []byte, t int64) (Signed, Head, error) {
	if len(body) == 0 {
		body = []byte(emptyBody)
	}
	e := Entry{
		Version: Version, Federation: append([]byte{}, prev.Federation...), Chain: chain, Member: a.Member,
		Sequence: sequence, Previous: prev.Digest[:], Time: t, Kind: kind, Body: body,
	}
	if kind == RosterJoined {
		var r RosterState
		if err := wire.Unmarshal(body, &r); err != nil {
			return Signed{}, Head{}, fmt.Errorf("body of %s: %w", kind, err)
		}
		e.Federation = r.Digest
	}
	if err := e.validate(); err != nil {
		return Signed{}, Head{}, fmt.Errorf("make %s entry: %w", kind, err)
	}
	b, err := wire.Marshal(e)
	if err != nil {
		return Signed{}, Head{}, fmt.Errorf("make %s entry: %w", kind, err)
	}
	signature, err := a.Key.Sign(entryDomain, b)
	if err != nil {
		return Signed{}, Head{}, fmt.Errorf("make %s entry: %w", kind, err)
	}
	s := Signed{Entry: b, Signature: signature}
	return s, Head{Sequence: sequence, Digest: s.Digest(), Time: t, Federation: e.Federation}, nil
}

// Check verifies one member's chain entry by entry, from the first on.
type Check struct {
	member string
	chain  Chain
	key    *sign.PublicKey
	head   Head
	gaps   []Gap
}

// NewCheck starts the check of a member's chain under its signing key.
func NewCheck(member string, chain Chain, key *sign.PublicKey) *Check {
	return &Check{member: member, chain: chain, key: key}
}

// Add verifies the next entry: its form, signature, author, link and number. After an
// error the check stays where it was.
func (c *Check) Add(s Signed) (Entry, error) {
	e, err := s.Decode()
	if err != nil {
		return Entry{}, err
	}
	return e, c.AddDecoded(Decoded{signed: s, entry: e, digest: s.Digest()})
}

// AddDecoded is Add for an entry that is decoded. Its signature is not checked again if it
// was found right under the very key that the check has now.
func (c *Check) AddDecoded(d Decoded) error {
	e := d.entry
	if e.Member != c.member {
		return fmt.Errorf("entry is by %s, not by %s", e.Member, c.member)
	}
	if e.Chain != c.chain {
		return fmt.Errorf("entry belongs to the %s chain", e.Chain)
	}
	if err := d.Verify(c.key); err != nil {
		return err
	}
	gap, err := e.follows(c.head)
	if err != nil {
		return err
	}
	key := c.key
	if e.Kind == KeyRotated {
		if _, key, err = e.Rotation(); err != nil {
			return err
		}
	}
	if gap != nil {
		c.gaps = append(c.gaps, *gap)
	}
	c.key = key
	c.head = Head{Sequence: e.Sequence, Digest: d.digest, Time: e.Time, Federation: bytes.Clone(e.Federation)}
	return nil
}

// Clone returns a check that goes on from here by itself.
func (c *Check) Clone() *Check {
	own := *c
	own.gaps = slices.Clone(c.gaps)
	return &own
}

// From returns a check by the same key of what follows an entry that others have checked.
func (c *Check) From(s Signed) (*Check, error) {
	head, err := HeadOf(s)
	return &Check{member: c.member, chain: c.chain, key: c.key, head: head}, err
}

// Renew sets the key for the entries to come, where others have vouched for it in place
// of a key that was lost.
func (c *Check) Renew(key *sign.PublicKey) { c.key = key }

// Key is the key for the next entry: the one from the start, or that of the last rotation.
func (c *Check) Key() *sign.PublicKey { return c.key }

// Head is the state after the last entry that was added.
func (c *Check) Head() Head { return c.head }

// Gaps lists the gaps that restored entries stated so far. They are no fault, but an
// auditor should ask about each.
func (c *Check) Gaps() []Gap { return c.gaps }

// follows checks the link to the entry before; a gap is allowed only where a Restored
// entry states exactly that gap.
func (e Entry) follows(prev Head) (*Gap, error) {
	if !bytes.Equal(e.Previous, prev.Digest[:]) {
		return nil, errors.New("entry does not name the digest of the one before: something between was changed, taken out or put in")
	}
	if e.Time < prev.Time {
		return nil, errors.New("entry is earlier than the one before")
	}
	if e.Kind != RosterJoined && !bytes.Equal(e.Federation, prev.Federation) {
		return nil, errors.New("entry is bound to another roster than the one joined before")
	}
	if e.Kind != Restored {
		if e.Sequence != prev.Next() {
			return nil, fmt.Errorf("entry has number %d where %d follows", e.Sequence, prev.Next())
		}
		return nil, nil
	}
	g, err := e.Gap()
	if err != nil {
		return nil, err
	}
	if g.First != prev.Next() {
		return nil, fmt.Errorf("restored entry states a gap from %d where %d follows", g.First, prev.Next())
	}
	if e.Time <= prev.Time || e.Sequence != uint64(e.Time)*perMilli {
		return nil, errors.New("restored entry does not take its number from its time")
	}
	return &g, nil
}
