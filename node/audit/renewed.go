package audit

import (
	"bytes"

	"entente/crypto/sign"
	"entente/protocol/entry"
	"entente/protocol/replay"
)

// keysInForce is under which keys the ledger took in the member's entries, as far as the chain
// itself does not say: others may have restored the member with new keys.
type keysInForce struct {
	first, now []byte
	renewed    map[[32]byte][]byte // key of what follows an entry
	lost       uint64              // number of the last entry before the last renewal
}

func (k *keysInForce) begin(key []byte) { k.first, k.now = key, key }

// noteKey takes down whether an entry of the ledger gave the member another key.
func (l *ledgerCopy) noteKey(a replay.Applied) {
	if a.Roster == nil {
		return
	}
	m, listed := a.Roster.Find(l.member)
	k := &l.keys
	switch {
	case !listed || bytes.Equal(m.Sign, k.now):
		return
	case len(l.own) == 0:
		k.begin(m.Sign)
		return
	case a.Entry.Kind != entry.KeyRotated || a.Entry.Member != l.member:
		last := l.own[len(l.own)-1]
		if k.renewed == nil {
			k.renewed = map[[32]byte][]byte{}
		}
		k.renewed[last.digest], k.lost = m.Sign, last.sequence
	}
	k.now = m.Sign
}

// replaced reports whether this is the folder of a node that came in place of one that was
// lost: then the chain that the ledger holds began before it, under another key.
func (c *check) replaced() bool {
	return c.copy != nil && len(c.copy.keys.renewed) > 0 && !bytes.Equal(c.copy.keys.first, c.first.Member.Sign)
}

// begins is the key under which a chain begins.
func (c *check) begins(chain entry.Chain) *sign.PublicKey {
	if chain == entry.Submitted && c.replaced() {
		if key, err := sign.ParsePublicKey(c.copy.keys.first); err == nil { // it was in a valid roster
			return key
		}
	}
	return c.key
}

// renew has a check go on under the key that others gave the member after an entry.
func (c *check) renew(checker *entry.Check) {
	if c.copy == nil {
		return
	}
	if b, ok := c.copy.keys.renewed[checker.Head().Digest]; ok {
		if key, err := sign.ParsePublicKey(b); err == nil { // it was in a valid roster
			checker.Renew(key)
		}
	}
}
