package entry

import (
	"fmt"

	"entente/crypto/sign"
	"entente/protocol/wire"
)

// Decoded is a signed entry with what it says, decoded and checked by itself once for all
// who look at it. Only Decode makes one, so that the two always belong together.
type Decoded struct {
	signed Signed
	entry  Entry
	digest [32]byte
	under  *sign.PublicKey // under which the signature was found right; nil if under none yet
}

// Decode decodes a signed entry strictly, the entry inside included. It does not verify
// the signature.
func Decode(b []byte) (Decoded, error) {
	var s Signed
	if len(b) > MaxSigned {
		return Decoded{}, fmt.Errorf("decode signed entry: has %d bytes, at most %d", len(b), MaxSigned)
	}
	if err := wire.Unmarshal(b, &s); err != nil {
		return Decoded{}, fmt.Errorf("decode signed entry: %w", err)
	}
	if len(s.Signature) != sign.SignatureSize {
		return Decoded{}, fmt.Errorf("decode signed entry: signature has %d bytes, not %d", len(s.Signature), sign.SignatureSize)
	}
	e, err := s.Decode()
	if err != nil {
		return Decoded{}, err
	}
	return Decoded{signed: s, entry: e, digest: s.Digest()}, nil
}

// Signed is the entry's bytes with the signature.
func (d Decoded) Signed() Signed { return d.signed }

// Entry is what it says. Its byte strings must not be changed.
func (d Decoded) Entry() Entry { return d.entry }

// Digest identifies the entry, as Signed.Digest does.
func (d Decoded) Digest() [32]byte { return d.digest }

// Verify checks the signature under a key, and remembers the key if it is right: checking
// is by far what costs most of an entry, and can be done ahead by somebody who guesses the
// key.
func (d *Decoded) Verify(key *sign.PublicKey) error {
	if d.under != nil && d.under == key {
		return nil
	}
	if err := key.Verify(entryDomain, d.signed.Entry, d.signed.Signature); err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	d.under = key
	return nil
}
