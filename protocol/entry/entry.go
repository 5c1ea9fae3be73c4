// Package entry defines the signed, chained statements by which a member accounts for
// what it does, and the files that hold them. (SPEC "Entries and chains".)
//
// A member keeps two chains from its first day on. The local chain is for its own
// auditor and holds imports, decisions with their grounds and reviews. The submitted
// chain is what others may see: membership, digests of active rules, and otherwise only
// sealed digests. Each entry names the digest of the one before, so that nothing can be
// taken out, changed or put in later without a mark.
//
//	local:      e0 ── e1 ── e2 ── … ── opening of L1 ── …
//	                        │              │
//	submitted:  e0 ── … ── L1: SHA-256(label ‖ nonce ‖ head e2)
//
// Once a day the head of the local chain is sealed into the submitted one: whoever has
// seen the submitted chain can later check that the local one was not rewritten, and
// learns nothing from it before the opening is shown.
//
// Signatures are Ed25519 and ML-DSA-65 over the entry's bytes under one domain; both
// must verify. What the package promises, against the member itself as well: no entry
// that somebody has seen can be altered or dropped from between others, and no number is
// used for two entries, also after the restore of an old backup (see Author.Restore).
// What it does not: that everything that happened was entered, or that the end of a
// chain which nobody else has seen was not cut off.
package entry

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Version is the version of the entry's form.
const Version = 1

// Limits of an entry, in bytes.
const (
	MaxBody     = 64 << 10        // of a body
	MaxEntry    = MaxBody + 256   // of an encoded entry without signature
	MaxSigned   = MaxEntry + 4096 // of an encoded entry with its signature
	DigestSize  = sha256.Size     // of every digest here
	perMilli    = 1024            // numbers available per millisecond, see Author.Restore
	maxTime     = int64(1) << 43  // unix milliseconds, far in the future; numbers stay below 2^53
	entryDomain = sign.Domain("entente/entry/1")
	entryLabel  = "entente/entry-digest/1"
	sealLabel   = "entente/sealed-digest/1"
	minTime     = int64(1_577_836_800_000) // 1 January 2020: no clock of a working node is before it
	nonceSize   = DigestSize
)

// Chain says to which of a member's chains an entry belongs.
type Chain uint8

// The two chains of a member.
const (
	Local     Chain = 1 // for the member's own auditor
	Submitted Chain = 2 // for the federation
)

// String names the chain as its log file is named.
func (c Chain) String() string {
	switch c {
	case Local:
		return "local"
	case Submitted:
		return "submitted"
	}
	return fmt.Sprintf("chain %d", uint8(c))
}

// Kind says what an entry states. The numbers never change their meaning.
type Kind uint16

// The closed set of kinds.
const (
	Created          Kind = 1  // the node was set up
	Imported         Kind = 2  // records came into a list, in counts
	PolicyActivated  Kind = 3  // a bundle of rules came into force: PolicyState
	Decision         Kind = 4  // what was asked, what the rules said, on which grounds
	RoundState       Kind = 5  // a round went from one state to another
	HitReviewed      Kind = 6  // a person confirmed or dismissed a hit
	BackedUp         Kind = 7  // a backup was written
	Restored         Kind = 8  // the node came back from a backup: Gap
	RosterJoined     Kind = 9  // the member is bound by a roster from here on: RosterState
	SealedDigest     Kind = 10 // something that is shown only to parties and auditors: Sealed
	LocalHead        Kind = 11 // head of the local chain: Sealed
	LocalHeadOpening Kind = 12 // what a LocalHead sealed: Opening of a HeadState
	PartnerStopped   Kind = 13 // a partner was cut off or let in again
	Erased           Kind = 14 // records were removed, in counts
	ListChanged      Kind = 15 // a list was set up or its handling changed
	NodeStarted      Kind = 16 // the daemon started, with its program version
	SettingsChanged  Kind = 17 // the node's own settings changed
	Genesis          Kind = 18 // the ledger begins under a roster: RosterState
	CosigningKey     Kind = 19 // with which the member signs checkpoints: KeyState
	Proposal         Kind = 20 // a change of the federation that others may approve: Change
	Approval         Kind = 21 // consent to a proposal: Reference
	Objection        Kind = 22 // against a proposal that concerns the member itself: Reference
	Tick             Kind = 23 // the ledger's clock, which is the entry's time
	BudgetSpent      Kind = 24 // questions that the member may put to custodians: Spend
	Refusals         Kind = 25 // how many requests the member refused in a window: Refused
	Evidence         Kind = 26 // two signed checkpoints that conflict: Conflict
	KeyRotated       Kind = 27 // the member signs with another key from the next entry on: Rotation
	AddressesChanged Kind = 28 // where the member's node can be dialled: AddressState
	kindAfterLast    Kind = 29
)

var kindNames = [...]string{
	Created: "created", Imported: "imported", PolicyActivated: "policy activated", Decision: "decision",
	RoundState: "round state", HitReviewed: "hit reviewed", BackedUp: "backed up", Restored: "restored",
	RosterJoined: "roster joined", SealedDigest: "sealed digest", LocalHead: "local head",
	LocalHeadOpening: "local head opening", PartnerStopped: "partner stopped", Erased: "erased",
	ListChanged: "list changed", NodeStarted: "node started", SettingsChanged: "settings changed",
	Genesis: "genesis", CosigningKey: "cosigning key", Proposal: "proposal", Approval: "approval", Objection: "objection",
	Tick: "tick", BudgetSpent: "budget spent", Refusals: "refusals", Evidence: "evidence", KeyRotated: "key rotated",
	AddressesChanged: "addresses changed",
}

// String names the kind in plain words.
func (k Kind) String() string {
	if k > 0 && k < kindAfterLast {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint16(k))
}

// Allowed reports whether a kind may stand in a chain. The submitted chain admits few,
// so that a slip of the program cannot publish what is for the own auditor only.
func (k Kind) Allowed(c Chain) bool {
	switch k {
	case Created, PolicyActivated, Restored, RosterJoined, KeyRotated:
		return c == Local || c == Submitted
	case SealedDigest, LocalHead, Genesis, CosigningKey, Proposal, Approval, Objection, Tick, BudgetSpent, Refusals, Evidence, AddressesChanged:
		return c == Submitted
	}
	return c == Local && k > 0 && k < kindAfterLast
}

// Entry is one statement of one member. Its canonical CBOR is an array of these fields
// in this order, and the signature is over those bytes.
type Entry struct {
	_          struct{} `codec:",toarray"`
	Version    uint16   // of this form
	Federation []byte   // digest of the roster that binds the member; empty before the first
	Chain      Chain
	Member     string // who states it
	Sequence   uint64 // 0 for the first; grows by one, but at a Restored entry
	Previous   []byte // digest of the entry before; zeros for the first
	Time       int64  // unix milliseconds by the member's clock; never goes back
	Kind       Kind
	Body       []byte // canonical CBOR of one item, whose form the kind decides
}

// Signed is an entry's canonical bytes with the member's signature over them: what logs
// hold and what travels.
type Signed struct {
	_         struct{} `codec:",toarray"`
	Entry     []byte
	Signature []byte
}

// Digest identifies the entry. It leaves the signature out, which is randomised and of
// which its signer could make a second one.
func (s Signed) Digest() [32]byte { return transcript.Digest(entryLabel, s.Entry) }

// Decode reads the entry strictly. It does not verify the signature: see Check.
func (s Signed) Decode() (Entry, error) {
	var e Entry
	if len(s.Entry) > MaxEntry {
		return Entry{}, fmt.Errorf("decode entry: has %d bytes, at most %d", len(s.Entry), MaxEntry)
	}
	if err := wire.Unmarshal(s.Entry, &e); err != nil {
		return Entry{}, fmt.Errorf("decode entry: %w", err)
	}
	if err := e.validate(); err != nil {
		return Entry{}, fmt.Errorf("decode entry: %w", err)
	}
	return e, nil
}

// Marshal encodes the signed entry.
func (s Signed) Marshal() ([]byte, error) {
	b, err := wire.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode signed entry: %w", err)
	}
	return b, nil
}

// Unmarshal decodes a signed entry strictly, the entry inside included.
func Unmarshal(b []byte) (Signed, error) {
	d, err := Decode(b)
	return d.signed, err
}

// validate checks what can be said of an entry alone.
func (e Entry) validate() error {
	if e.Version != Version {
		return fmt.Errorf("form version %d is not %d", e.Version, Version)
	}
	if len(e.Federation) != 0 && len(e.Federation) != DigestSize {
		return fmt.Errorf("federation has %d bytes, must have 0 or %d", len(e.Federation), DigestSize)
	}
	if e.Chain != Local && e.Chain != Submitted {
		return errors.New("unknown chain")
	}
	if err := roster.CheckID(e.Member); err != nil {
		return err
	}
	if len(e.Previous) != DigestSize {
		return fmt.Errorf("previous digest has %d bytes, not %d", len(e.Previous), DigestSize)
	}
	if e.Time < minTime || e.Time >= maxTime {
		return errors.New("time is not between the years 2020 and 2248")
	}
	if e.Sequence >= (uint64(e.Time)+1)*perMilli {
		return errors.New("number is higher than its time allows")
	}
	if !e.Kind.Allowed(e.Chain) {
		return fmt.Errorf("%s does not belong into the %s chain", e.Kind, e.Chain)
	}
	if len(e.Body) > MaxBody {
		return fmt.Errorf("body has %d bytes, at most %d", len(e.Body), MaxBody)
	}
	if err := wire.Scan(e.Body); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return e.validateBody()
}

// Head is the state of one chain after its newest entry. The zero value is the state of
// an empty chain. It is all that is needed to continue the chain.
type Head struct {
	Sequence   uint64
	Digest     [32]byte
	Time       int64
	Federation []byte
}

// Empty reports whether the chain has no entry.
func (h Head) Empty() bool { return h.Digest == [32]byte{} }

// Next is the number that follows without a gap.
func (h Head) Next() uint64 {
	if h.Empty() {
		return 0
	}
	return h.Sequence + 1
}

// HeadOf returns the state of a chain whose newest entry is s.
func HeadOf(s Signed) (Head, error) {
	e, err := s.Decode()
	if err != nil {
		return Head{}, err
	}
	return Head{Sequence: e.Sequence, Digest: s.Digest(), Time: e.Time, Federation: bytes.Clone(e.Federation)}, nil
}
