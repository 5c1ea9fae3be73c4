// Package federation keeps the roster that binds this node: it writes the node's card,
// draws up, signs and joins rosters, and answers who the partners are.
//
//	DIR/member.json                  own card, to be handed to whoever draws up the roster
//	DIR/member.first.json            the card with whose keys this node began, if it has others now
//	DIR/federation.json              the roster that was joined
//	DIR/federation.json.<ID>.sig     every member's signature over it
//	DIR/rosters/<digest>.json        every roster that was ever joined, named by its digest in
//	DIR/rosters/<digest>.json.….sig  hex, with its signatures; never removed
//	DIR/audit/…                      the same files again, for the auditor
//
// Old rosters stay because receipts do: each was signed under the roster of its day.
//
// A roster is joined, and later loaded, only if every member's signature verifies, none
// is there that should not be, and the own entry names the keys that this node holds: a
// node never speaks under a roster in which somebody else stands in its place. Joining is
// atomic across all files: they are written to a folder of their own first, and a join
// that was interrupted after that is finished by the next load. A node's own chains tell
// which roster it joined last; Check and Join refuse to fall behind them, because a
// backup or a copy by hand can bring an old roster back.
//
// It does not judge whether a name belongs to a key; people do, by comparing the words of
// the roster's digest (SPEC "Membership and keys").
package federation

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"entente/crypto/sign"
	"entente/protocol/roster"
)

// Names of files in a node's directory.
const (
	CardName    = "member.json"
	RosterName  = "federation.json"
	AuditFolder = "audit" // where copies for the auditor go
	// FirstCardName is the card under whose keys the chains begin, once they go on under others.
	FirstCardName = "member.first.json"
	// RostersFolder keeps every roster that was joined. A backup that leaves it out
	// loses what earlier receipts are checked under.
	RostersFolder = "rosters"
)

// ErrNotJoined says that the node has no roster yet.
var ErrNotJoined = errors.New("no federation joined yet")

// Keys are the public halves of the keys that this node holds.
type Keys struct {
	Sign      *sign.PublicKey
	Transport ed25519.PublicKey
}

// OwnEntryError says how the roster's entry for this node differs from what the node is.
type OwnEntryError struct {
	Member string
	Absent bool     // the roster has no such entry
	Fields []string // that differ
}

// Error names the member and the fields, not their values.
func (e *OwnEntryError) Error() string {
	if e.Absent {
		return fmt.Sprintf("the roster has no entry for %s, which is this node", e.Member)
	}
	return fmt.Sprintf("the roster's entry for %s is not this node's own: %s", e.Member, strings.Join(e.Fields, ", "))
}

// Partner is another member as the node needs it: with parsed key and entry digest.
type Partner struct {
	roster.Member
	Key    *sign.PublicKey
	Digest [32]byte // of the roster entry, which receipts bind
}

// Peer is a partner as the channel sees it; it converts to the transport's own type.
type Peer struct {
	ID        string
	Key       ed25519.PublicKey
	Addresses []string
}

// Federation is a roster that verified. It does not change.
type Federation struct {
	roster   roster.Roster
	digest   [32]byte
	own      Partner
	partners []Partner // ascending by ID
	peers    []Peer    // whom the channel may speak with; also members without a part
}

// Roster returns the roster.
func (f *Federation) Roster() roster.Roster { return f.roster }

// Digest identifies the roster.
func (f *Federation) Digest() [32]byte { return f.digest }

// Words returns the roster's digest as words to compare by telephone.
func (f *Federation) Words() string { return roster.Words(f.digest) }

// Own returns this node's entry.
func (f *Federation) Own() Partner { return f.own }

// Partners returns all members but this node, ascending by ID.
func (f *Federation) Partners() []Partner { return slices.Clone(f.partners) }

// Find returns the partner with that ID. This node is not its own partner.
func (f *Federation) Find(id string) (Partner, bool) {
	i, ok := slices.BinarySearchFunc(f.partners, id, func(p Partner, id string) int { return strings.Compare(p.ID, id) })
	if !ok {
		return Partner{}, false
	}
	return f.partners[i], true
}

// Peers returns whom the channel may speak with. A suspended member is among them, since it
// has to learn when it is readmitted; it is no partner.
func (f *Federation) Peers() []Peer { return slices.Clone(f.peers) }

// Suspended lists the members that have no part in rounds now, ascending.
func (f *Federation) Suspended() (ids []string) {
	for _, p := range f.peers {
		if _, ok := f.Find(p.ID); !ok {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// newFederation verifies a roster with its signatures for the holder of these keys. With a
// ledger it is what the ledger begins with, of which this member need not have been part:
// who is a member now the ledger says.
func newFederation(r roster.Roster, signatures []roster.Signature, id string, keys Keys) (*Federation, error) {
	if err := r.Verify(signatures); err != nil {
		return nil, err
	}
	f, err := build(r, nil, id)
	if err == nil && !r.HasLedger() {
		err = checkKeys(f.own.Member, id, keys)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Vouched is the federation under a roster for which somebody else vouches: the ledger, in
// which a quorum of its members agreed to it. The suspended have no part in rounds. The error
// is an *OwnEntryError if this member is not in it, or with other keys.
func Vouched(r roster.Roster, suspended []string, id string, keys Keys) (*Federation, error) {
	f, err := build(r, suspended, id)
	if err == nil {
		err = checkKeys(f.own.Member, id, keys)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func build(r roster.Roster, suspended []string, id string) (*Federation, error) {
	f := &Federation{roster: r, digest: r.Digest()}
	for _, m := range r.Members {
		key, err := m.PublicKey()
		if err != nil {
			return nil, err
		}
		digest, err := m.Digest()
		if err != nil {
			return nil, err
		}
		p := Partner{Member: m, Key: key, Digest: digest}
		if m.ID == id {
			f.own = p
			continue
		}
		f.peers = append(f.peers, Peer{ID: p.ID, Key: p.Transport, Addresses: slices.Clone(p.Addresses)})
		if !slices.Contains(suspended, m.ID) {
			f.partners = append(f.partners, p)
		}
	}
	return f, nil
}

// checkKeys compares an own entry with the keys that are held.
func checkKeys(own roster.Member, id string, keys Keys) error {
	if own.ID != id {
		return &OwnEntryError{Member: id, Absent: true}
	}
	e := &OwnEntryError{Member: id}
	if !bytes.Equal(own.Sign, keys.Sign.Bytes()) {
		e.Fields = append(e.Fields, "signing key")
	}
	if !bytes.Equal(own.Transport, keys.Transport) {
		e.Fields = append(e.Fields, "transport key")
	}
	if len(e.Fields) > 0 {
		return e
	}
	return nil
}

// Load returns the federation that the node in dir has joined, or ErrNotJoined. It
// verifies everything again: files may have been changed since. Copies that the auditor's
// folder lacks are put there.
func Load(dir string, id string, keys Keys) (*Federation, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("load federation: %w", err)
	}
	defer root.Close()
	if err := finishJoin(root); err != nil {
		return nil, fmt.Errorf("load federation: %w", err)
	}
	for _, card := range []string{FirstCardName, CardName} {
		if err := keepFor(root, card, auditName(card)); err != nil {
			return nil, fmt.Errorf("load federation: %w", err)
		}
	}
	if _, err := root.Stat(RosterName); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotJoined
	}
	r, signatures, err := roster.Load(root.FS(), RosterName)
	if err != nil {
		return nil, fmt.Errorf("load federation: %w", err)
	}
	f, err := newFederation(r, signatures, id, keys)
	if err == nil {
		err = keep(root, f.digest)
	}
	if err != nil {
		return nil, fmt.Errorf("load federation: %w", err)
	}
	return f, nil
}

// WriteCard writes the node's card to DIR/member.json, and a copy for the auditor.
func WriteCard(dir string, card roster.Card) error {
	if err := card.Verify(); err != nil {
		return fmt.Errorf("write card: %w", err)
	}
	b, err := card.JSON()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write card: %w", err)
	}
	defer root.Close()
	if err := root.MkdirAll(AuditFolder, folderMode); err != nil {
		return fmt.Errorf("write card: %w", err)
	}
	if err := replaceFile(root, AuditFolder+"/"+CardName, b); err != nil {
		return err
	}
	return replaceFile(root, CardName, b)
}

// ReplaceCard is WriteCard for a card with other keys: the first one stays for whoever checks
// the chains.
func ReplaceCard(dir string, card roster.Card) error {
	old, err := ReadCard(dir)
	if err != nil {
		return fmt.Errorf("replace card: %w", err)
	}
	_, kept, err := FirstCard(dir)
	if err != nil {
		return fmt.Errorf("replace card: %w", err)
	}
	if !kept && !bytes.Equal(old.Member.Sign, card.Member.Sign) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fmt.Errorf("replace card: %w", err)
		}
		defer root.Close()
		for _, to := range []string{auditName(FirstCardName), FirstCardName} {
			if err := keepFor(root, CardName, to); err != nil {
				return fmt.Errorf("replace card: %w", err)
			}
		}
	}
	return WriteCard(dir, card)
}

// FirstCard reads the card with whose keys the node in dir began; false if it still has them.
func FirstCard(dir string) (c roster.Card, kept bool, err error) {
	if _, err := os.Lstat(filepath.Join(dir, FirstCardName)); errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	c, err = ReadCardFile(filepath.Join(dir, FirstCardName))
	return c, err == nil, err
}

// ReadCard reads and verifies the card of the node in dir.
func ReadCard(dir string) (roster.Card, error) { return ReadCardFile(filepath.Join(dir, CardName)) }

// ReadCardFile reads and verifies a card from any place.
func ReadCardFile(file string) (roster.Card, error) {
	b, err := roster.ReadLimited(os.DirFS(filepath.Dir(file)), filepath.Base(file), roster.MaxCardSize)
	if err != nil {
		return roster.Card{}, fmt.Errorf("read member card: %w", err)
	}
	c, err := roster.ParseCard(b)
	if err != nil {
		return roster.Card{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}
