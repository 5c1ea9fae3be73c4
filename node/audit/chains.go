package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"entente/crypto/sign"
	"entente/protocol/entry"
)

// walk checks one chain and shows each entry that is right to use. The first fault ends
// it: what follows a break is not tied to what came before.
func (c *check) walk(chain entry.Chain, use func(entry.Frame, entry.Entry)) {
	name := chain.LogName()
	f, err := c.fsys.Open(name)
	if err != nil {
		c.broken[chain] = true
		c.report.Chains = append(c.report.Chains, Chain{Name: chain.String()})
		c.report.fault(name, fileProblem(err))
		return
	}
	defer f.Close()
	checker := entry.NewCheck(c.member, chain, c.begins(chain))
	c.keys[chain] = []*sign.PublicKey{checker.Key()}
	out := Chain{Name: chain.String()}
	for frame, err := range entry.ReadLog(f, chain) {
		if err != nil {
			c.logFault(chain, checker.Head().Next(), err)
			break
		}
		e, err := checker.Add(frame.Signed)
		if err != nil {
			c.broken[chain] = true
			c.report.faultAt(name, checker.Head().Next(), frame.Offset, err)
			break
		}
		if chain == entry.Submitted {
			c.renew(checker)
		}
		if out.Entries == 0 {
			out.First = moment(e.Time)
		}
		out.Last = moment(e.Time)
		out.Entries++
		c.digests[chain] = append(c.digests[chain], numbered{e.Sequence, frame.Signed.Digest(), e.Time})
		if before := c.keys[chain]; before[len(before)-1] != checker.Key() {
			c.keys[chain] = append(before, checker.Key())
		}
		c.noteJoin(chain, frame, e)
		use(frame, e)
	}
	head := checker.Head()
	if !head.Empty() {
		out.Head = fmt.Sprintf("%x", head.Digest[:])
	}
	out.Gaps = gapsOf(checker.Gaps())
	c.restored[chain] = len(out.Gaps) > 0
	c.report.Chains = append(c.report.Chains, out)
	c.summary(chain, out, head)
}

func (c *check) logFault(chain entry.Chain, sequence uint64, err error) {
	c.broken[chain] = true
	var l *entry.LogError
	if errors.As(err, &l) {
		c.report.faultAt(chain.LogName(), sequence, l.Offset, l.Err)
		return
	}
	c.report.fault(chain.LogName(), err)
}

// summary states what concerns a chain as a whole.
func (c *check) summary(chain entry.Chain, out Chain, head entry.Head) {
	for _, g := range out.Gaps {
		known := "none known to be lost"
		if g.Lost > 0 {
			known = fmt.Sprintf("%d known to be lost", g.Lost)
		}
		c.report.note("%s chain: restored from a backup; numbers %d to %d were left out (%s)", chain, g.First, g.Last, known)
	}
	if c.broken[chain] {
		c.report.note("%s chain: what follows the fault was not checked", chain)
		return
	}
	digest := c.roster.Digest()
	if len(head.Federation) == len(digest) {
		if _, ok := c.vouched([32]byte(head.Federation)); ok {
			digest = [32]byte(head.Federation) // the ledger has replaced the one in the file
		}
	}
	switch {
	case out.Entries == 0:
		c.report.fault(chain.LogName(), "has no entry")
	case c.report.Federation != nil && string(head.Federation) != string(digest[:]):
		c.report.fault(chain.LogName(), "the last entry is bound to another roster than "+rosterName)
	case !c.joined && len(head.Federation) > 0:
		c.report.fault(rosterName, "is missing, but the "+chain.String()+" chain says that a roster was joined")
	}
}

// submitted walks the submitted chain and collects what it publishes sealed.
func (c *check) submitted() {
	c.walk(entry.Submitted, func(f entry.Frame, e entry.Entry) {
		if e.Kind != entry.SealedDigest && e.Kind != entry.LocalHead {
			return
		}
		d, err := e.SealedDigest()
		if err != nil {
			return // the entry would not have decoded
		}
		if other, taken := c.published[d]; taken {
			c.report.faultAt(entry.Submitted.LogName(), e.Sequence, f.Offset,
				fmt.Sprintf("publishes the sealed digest of entry %d again: a nonce was used twice", other.sequence))
			return
		}
		c.published[d] = &publication{kind: e.Kind, sequence: e.Sequence, offset: f.Offset, time: e.Time}
		if e.Kind == entry.LocalHead {
			c.report.LocalHeads.Published++
		} else {
			c.report.Sealed.Published++
		}
	})
}

// local walks the local chain and collects digests and the openings of sealed heads.
func (c *check) local() {
	c.walk(entry.Local, func(f entry.Frame, e entry.Entry) {
		if e.Kind != entry.LocalHeadOpening {
			return
		}
		o, h, err := e.HeadOpening()
		if err != nil {
			return // the entry would not have decoded
		}
		c.opened = append(c.opened, openedHead{e.Sequence, f.Offset, o, h})
	})
}

// heads checks each sealed head of the local chain in both directions: what the local
// chain opens must have been published, and what was published must be opened and agree
// with the chain. So neither log can be cut short unseen where the other goes on.
func (c *check) heads() {
	localLog := entry.Local.LogName()
	for _, o := range c.opened {
		p, ok := c.published[o.opening.Digest()]
		if !ok || p.kind != entry.LocalHead {
			if !c.broken[entry.Submitted] {
				c.report.faultAt(localLog, o.sequence, o.offset, "opens a sealed head that the submitted chain does not hold: entries are missing there")
			}
			continue
		}
		p.opening = &o.opening
		digest, found := c.digestOf(entry.Local, o.head.Sequence)
		if !found || o.head.Sequence >= o.sequence || !bytes.Equal(digest[:], o.head.Digest) {
			c.report.faultAt(localLog, o.sequence, o.offset,
				fmt.Sprintf("the head sealed for entry %d is not that entry's digest: the local chain was rewritten", o.head.Sequence))
			continue
		}
		c.report.LocalHeads.Opened++
	}
	if c.broken[entry.Local] {
		return
	}
	lost := 0
	for _, p := range c.sorted() {
		if p.kind == entry.LocalHead && p.opening == nil && c.replaced() && p.sequence <= c.copy.keys.lost {
			lost++
		} else if p.kind == entry.LocalHead && p.opening == nil {
			c.report.faultAt(entry.Submitted.LogName(), p.sequence, p.offset,
				"seals a head that the local chain does not open: entries are missing there")
		}
	}
	if lost > 0 {
		c.report.note("%d heads were sealed by a node that is lost, and its local chain with it", lost)
	}
}

// sorted lists what was published in the order of the chain.
func (c *check) sorted() []*publication {
	var ps []*publication
	for _, p := range c.published {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b *publication) int { return cmp.Compare(a.sequence, b.sequence) })
	return ps
}
