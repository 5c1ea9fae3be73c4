// Package audit checks the audit folder of a node without trusting the node: who signed
// the roster, whether both chains hold together, whether what was sealed is what was
// opened, and whether the receipts are signed by both sides. (SPEC "What a verifier
// reports".)
//
//	member.json                     the node's card
//	federation.json, ….<ID>.sig     the roster and its signatures; absent before joining
//	local.log, submitted.log        the two chains
//	head                            newest number of each chain, kept apart from the database
//	openings/*.cbor                 what sealed digests of the submitted chain hide
//	receipts/*.cbor                 receipts of rounds
//
// It reads an fs.FS and nothing else: no clock, network or database, so that a verifier
// links little that its user would have to trust.
//
// A folder in which everything is right proves that the key holders of the roster signed
// what is in it and that nothing was changed, dropped from between or inserted since. It
// does not prove that the node entered all that it did, nor that the newest entries of
// the submitted chain are here: a copy that a partner holds shows that.
package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"entente/crypto/sign"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// Names of files in an audit folder that no other package names.
const (
	cardName   = "member.json"
	rosterName = "federation.json"
)

// maxReceipt bounds a file in receipts/ in bytes.
const maxReceipt = 64 << 10

// ReceiptCheck verifies the bytes of a receipt file under the roster's keys, and that
// own is one of its two sides. It returns the body that the node must have sealed into
// its submitted chain for this receipt; nil asks for none.
type ReceiptCheck func(file []byte, r roster.Roster, own string) (sealed []byte, err error)

// Check checks an audit folder. What is wrong with its content stands in the report; the
// error is for a folder that cannot be read at all. Without a receipts check, a folder
// that holds receipts is faulty, since nothing may count as right unseen.
func Check(fsys fs.FS, receipts ReceiptCheck) (Report, error) {
	if _, err := fs.ReadDir(fsys, "."); err != nil {
		return Report{}, fmt.Errorf("read audit folder: %w", err)
	}
	c := &check{fsys: fsys, published: map[[32]byte]*publication{}, broken: map[entry.Chain]bool{}, digests: map[entry.Chain][]numbered{}}
	c.report.Chains, c.report.Faults, c.report.Notes = []Chain{}, []Fault{}, []string{}
	c.membership()
	if c.key != nil {
		c.submitted()
		c.local()
		c.heads()
		c.highWater()
		c.openings()
		c.receipts(receipts)
	}
	c.strangers()
	c.report.OK = len(c.report.Faults) == 0
	return c.report, nil
}

// publication is a sealed digest in the submitted chain.
type publication struct {
	kind     entry.Kind
	sequence uint64
	offset   int64
	opening  *entry.Opening
}

type check struct {
	fsys      fs.FS
	report    Report
	member    string
	key       *sign.PublicKey
	roster    roster.Roster
	joined    bool
	published map[[32]byte]*publication
	broken    map[entry.Chain]bool       // chains with a fault
	digests   map[entry.Chain][]numbered // of the entries that are right, ascending
	opened    []openedHead
}

type numbered struct {
	sequence uint64
	digest   [32]byte
}

// digestOf finds the digest of an entry of a chain by its number.
func (c *check) digestOf(chain entry.Chain, sequence uint64) ([32]byte, bool) {
	ns := c.digests[chain]
	i, found := slices.BinarySearchFunc(ns, sequence, func(n numbered, s uint64) int { return cmp.Compare(n.sequence, s) })
	if !found {
		return [32]byte{}, false
	}
	return ns[i].digest, true
}

// openedHead is an opening that stands in the local chain.
type openedHead struct {
	sequence uint64 // of the local entry that holds it
	offset   int64
	opening  entry.Opening
	head     entry.HeadState
}

// membership reads the card and the roster and decides under which key the chains stand.
func (c *check) membership() {
	b, err := roster.ReadLimited(c.fsys, cardName, roster.MaxCardSize)
	if err != nil {
		c.report.fault(cardName, fileProblem(err))
		return
	}
	card, err := roster.ParseCard(b)
	if err != nil {
		c.report.fault(cardName, err)
		return
	}
	key, err := card.Member.PublicKey()
	if err != nil {
		c.report.fault(cardName, err)
		return
	}
	c.member, c.key = card.Member.ID, key
	c.report.Member = c.member
	c.membersOf(card)
}

func (c *check) membersOf(card roster.Card) {
	r, signatures, err := roster.Load(c.fsys, rosterName)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	c.joined = true
	if err != nil {
		c.report.fault(rosterName, err)
		return
	}
	if err := r.Verify(signatures); err != nil {
		var v *roster.VerifyError
		if !errors.As(err, &v) {
			c.report.fault(rosterName, err)
			return
		}
		c.blame(v)
		return
	}
	own, ok := r.Find(c.member)
	switch {
	case !ok:
		c.report.fault(rosterName, "has no entry for "+c.member+", whose folder this is")
		return
	case !slices.Equal(own.Sign, card.Member.Sign) || !slices.Equal(own.Transport, card.Member.Transport):
		c.report.fault(rosterName, "the entry for "+c.member+" names other keys than the card")
		return
	}
	c.roster = r
	d := r.Digest()
	f := &Federation{Name: r.Name, Version: r.Version, Digest: fmt.Sprintf("%x", d[:]), Words: r.Words()}
	for _, m := range r.Members {
		f.Members = append(f.Members, m.ID)
	}
	c.report.Federation = f
}

// blame names the file of each signature that keeps the roster from being accepted.
func (c *check) blame(v *roster.VerifyError) {
	for _, p := range []struct {
		ids     []string
		problem string
	}{
		{v.Missing, "is missing"},
		{v.Wrong, "the signature is wrong"},
		{v.Other, "the signature is for another roster"},
		{v.Foreign, "is by somebody who is not a member"},
	} {
		for _, id := range p.ids {
			c.report.fault(roster.SignatureName(rosterName, id), p.problem)
		}
	}
}

// strangers notes what lies in the folder and was not looked at, so that nobody takes it
// for checked.
func (c *check) strangers() {
	entries, err := fs.ReadDir(c.fsys, ".")
	if err != nil {
		return // reported by Check
	}
	known := []string{
		cardName, rosterName, headName, entry.Local.LogName(), entry.Submitted.LogName(),
		entry.OpeningsFolder, entry.ReceiptsFolder,
	}
	var names []string
	for _, e := range entries {
		n := e.Name()
		if !slices.Contains(known, n) && (!strings.HasPrefix(n, rosterName+".") || !strings.HasSuffix(n, ".sig")) {
			names = append(names, n)
		}
	}
	if len(names) > 0 {
		c.report.note("not part of the check: %s", strings.Join(names, ", "))
	}
}

func fileProblem(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "is missing"
	}
	return err.Error()
}
