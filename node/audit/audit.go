// Package audit checks the audit folder of a node without trusting the node: who signed
// the roster, whether both chains hold together, whether what was sealed is what was
// opened, and whether the receipts are signed by both sides. (SPEC "What a verifier
// reports".)
//
//	member.json                     the node's card
//	member.first.json               the card under whose key the chains begin, if it is another
//	federation.json, ….<ID>.sig     the roster in force and its signatures; absent before joining
//	rosters/<digest>.json, ….sig    every roster that was joined, for receipts of its time
//	local.log, submitted.log        the two chains
//	head                            newest number of each chain, kept apart from the database
//	openings/*.cbor                 what sealed digests of the submitted chain hide
//	receipts/*.cbor                 receipts of rounds
//	standing/agreements/*.cbor      agreements of standing rounds
//	standing/receipts/*.cbor        what partners signed when items were removed
//	ledger/                         the member's copy of the ledger (protocol/ledgerfile)
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
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"entente/crypto/sign"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
	"entente/protocol/roster"
)

// Names of files in an audit folder that no other package names.
const (
	cardName    = "member.json"
	firstName   = "member.first.json"
	rosterName  = "federation.json"
	rostersName = "rosters"
)

// maxReceipt bounds a file in receipts/ in bytes.
const maxReceipt = 64 << 10

// ReceiptCheck verifies the bytes of a receipt file under the roster that it names, which
// it finds among those that were joined, and that own is one of its two sides.
type ReceiptCheck func(file []byte, rosters Rosters, own string) (Receipt, error)

// Rosters finds a roster that was joined and verified by its digest.
type Rosters func(digest [32]byte) (roster.Roster, bool)

// Receipt is what the check of a receipt hands on to be compared with the chains.
type Receipt struct {
	Roster    [32]byte // under which it was agreed
	Partner   string   // the other side; empty if the check does not say
	Offered   int64    // when, by the proposer's clock, in Unix milliseconds
	Agreement []byte   // body of the digest sealed when the round was agreed; nil asks for none
	Sealed    []byte   // body of the digest sealed for the receipt; nil asks for none
}

// Check checks an audit folder. What is wrong with its content stands in the report; the
// error is for a folder that cannot be read at all. Without a receipts check, a folder
// that holds receipts is faulty, since nothing may count as right unseen.
func Check(fsys fs.FS, receipts ReceiptCheck) (Report, error) {
	c, err := run(fsys, receipts, 0)
	if err != nil {
		return Report{}, err
	}
	return c.report, nil
}

// run is Check. It keeps the root of the ledger's tree at a size, unless that is 0.
func run(fsys fs.FS, receipts ReceiptCheck, compareAt uint64) (*check, error) {
	if _, err := fs.ReadDir(fsys, "."); err != nil {
		return nil, fmt.Errorf("read audit folder: %w", err)
	}
	c := newCheck(fsys)
	c.compareAt = compareAt
	c.membership()
	if c.key != nil {
		c.submitted()
		c.local()
		c.successor()
		c.history()
		c.heads()
		c.highWater()
		c.openings()
		c.receipts(receipts)
		c.standing()
		c.accounted()
		c.omitted()
	}
	c.strangers()
	c.report.OK = len(c.report.Faults) == 0
	return c, nil
}

func newCheck(fsys fs.FS) *check {
	c := &check{
		fsys: fsys, published: map[[32]byte]*publication{}, bodies: map[string][]*publication{}, broken: map[entry.Chain]bool{},
		keys:    map[entry.Chain][]*sign.PublicKey{},
		digests: map[entry.Chain][]numbered{}, joins: map[entry.Chain][]join{}, restored: map[entry.Chain]bool{},
		rosters: map[[32]byte]*joinedRoster{}, refused: map[[32]byte]bool{},
	}
	c.report.Rosters, c.report.Labels = []Roster{}, map[string]int{}
	c.report.Chains, c.report.Faults, c.report.Notes = []Chain{}, []Fault{}, []string{}
	return c
}

// publication is a sealed digest in the submitted chain.
type publication struct {
	kind     entry.Kind
	sequence uint64
	offset   int64
	time     int64 // Unix milliseconds
	opening  *entry.Opening
}

type check struct {
	fsys      fs.FS
	report    Report
	card      roster.Card
	first     roster.Card // under whose key the chains begin
	member    string
	key       *sign.PublicKey                   // of first
	keys      map[entry.Chain][]*sign.PublicKey // under which a chain has been
	roster    roster.Roster                     // in force
	joined    bool
	rosters   map[[32]byte]*joinedRoster // that are right, by digest
	refused   map[[32]byte]bool          // rosters whose file has been blamed
	joins     map[entry.Chain][]join     // ascending
	published map[[32]byte]*publication
	bodies    map[string][]*publication  // opened ones, by what they seal
	broken    map[entry.Chain]bool       // chains with a fault
	restored  map[entry.Chain]bool       // chains with a gap
	digests   map[entry.Chain][]numbered // of the entries that are right, ascending
	opened    []openedHead
	right     []rightReceipt
	copy      *ledgerCopy // of the ledger, if there is one that begins rightly
	compareAt uint64
}

type numbered struct {
	sequence uint64
	digest   [32]byte
	time     int64 // Unix milliseconds
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
	card, ok := c.readCard(cardName)
	if !ok {
		return
	}
	c.card, c.first, c.member = card, card, card.Member.ID
	if _, err := fs.Stat(c.fsys, firstName); err == nil {
		if c.first, ok = c.readCard(firstName); !ok {
			return
		}
	}
	key, err := c.first.Member.PublicKey()
	if err != nil {
		c.report.fault(cardName, err)
		return
	}
	if c.first.Member.ID != c.member {
		c.report.fault(firstName, "is the card of another member than "+cardName)
		return
	}
	c.key = key
	c.report.Member = c.member
	c.ledger()
	c.rosterInForce()
	c.archive()
}

func (c *check) readCard(name string) (roster.Card, bool) {
	b, err := roster.ReadLimited(c.fsys, name, roster.MaxCardSize)
	if err != nil {
		c.report.fault(name, fileProblem(err))
		return roster.Card{}, false
	}
	card, err := roster.ParseCard(b)
	if err != nil {
		c.report.fault(name, err)
		return roster.Card{}, false
	}
	return card, true
}

// successor checks that the card names a key that both chains begin with or have gone over to.
// It need not be the last one: until that is final, the others know the member by another.
func (c *check) successor() {
	for _, chain := range []entry.Chain{entry.Submitted, entry.Local} {
		named := func(k *sign.PublicKey) bool { return bytes.Equal(k.Bytes(), c.card.Member.Sign) }
		if !c.broken[chain] && !slices.ContainsFunc(c.keys[chain], named) {
			c.report.fault(cardName, "names a key that the "+chain.String()+" chain has never gone over to")
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
		cardName, firstName, rosterName, headName, entry.Local.LogName(), entry.Submitted.LogName(),
		entry.OpeningsFolder, entry.ReceiptsFolder, rostersName, standingFolder, ledgerfile.Folder,
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
