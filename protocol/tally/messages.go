// Package tally is what members must agree on bit for bit to count together: how many cases
// each of them has of a kind, added up so that nobody sees a member's own numbers.
//
//	collector                               each member
//	    ── Proposal, signed ─────────────────►   its rules decide
//	    ◄──────── Acceptance, signed ─────────   commitments to parts of the key, and to seeds
//	    ── KeyCall, signed; Acceptances ─────►   who deals, and who may contribute
//	    ◄──────── Part, signed; shares sealed    dealers
//	    ── all Parts, the member's shares ───►
//	    ◄──────── Ready ──────────────────────
//	    ── Wanted ───────────────────────────►   contributors, each when it is ready
//	    ◄──────── Contribution, signed ───────
//	    ── Request, signed; masks ───────────►   t holders: which sum, by whom
//	    ◄──────── Share, signed ──────────────   once
//	    ── Release, signed ──────────────────►
//
// It promises that what is decrypted is one sum, of at least the agreed number of
// contributions, each signed by its member; that the collector with up to f holders that do anything,
// or up to t − 1 that follow the protocol, learns no more than that sum; and that all holders
// together learn no more than what is released, if the collector is not with them
// (crypto/he/collective says under which assumptions). Each contributor's noise follows from a
// seed that it committed to before anybody knew the key, so that an auditor draws it again.
// Members follow the protocol and are audited: there is no proof that a contribution is an
// encryption, or true; and who compares two tallies with and without a member sees that
// member's. SPEC section "Tallies" holds the byte formats and what each side learns.
//
// This package has messages, their rules, digests and signatures; protocol/tally/machine has
// the two sides. It links no arithmetic, so that a verifier of signatures need not either.
package tally

import (
	"fmt"

	"entente/crypto/sign"
	"entente/protocol/wire"
)

// Protocol is the stream protocol of tallies. A changed message means a new number.
const Protocol = "/entente/tally/1"

// Version is the version that proposals carry.
const Version = 1

// Domains of the signatures.
const (
	DomainProposal     sign.Domain = "entente/tally/proposal/1"
	DomainAcceptance   sign.Domain = "entente/tally/acceptance/1"
	DomainKeyCall      sign.Domain = "entente/tally/key-call/1"
	DomainPart         sign.Domain = "entente/tally/part/1"
	DomainContribution sign.Domain = "entente/tally/contribution/1"
	DomainRequest      sign.Domain = "entente/tally/request/1"
	DomainShare        sign.Domain = "entente/tally/share/1"
	DomainRelease      sign.Domain = "entente/tally/release/1"
)

// Sizes that members must respect. Those of cells, polynomials and seeds are
// crypto/he/collective's, which protocol/tally/machine compares.
const (
	IDSize         = 16      // bytes of a tally's identifier, drawn at random by the collector
	MaxMembers     = 64      // contributors, and holders
	CellsPerBlock  = 24_576  // cells in one ciphertext
	MaxCells       = 196_608 // cells of a question
	MaxLabels      = 4_096   // labels of all dimensions
	MaxCount       = 131_071 // of a contributor in one cell
	MaxNoise       = 131_072 // of a contributor in one cell, in either sign
	MaxCap         = 30      // counts that one case may add
	MinLimit       = 11      // numbers below are not shown
	MinContributor = 3       // with two, each would know the other's
	SeedSize       = 32      // bytes of a seed
	SealingKeySize = 1_216   // bytes of a public key to seal to: ML-KEM-768 with X25519
	PolynomialSize = 166_912 // bytes of a polynomial
	SealOverhead   = 4_096   // bytes by which sealing may make a share longer

	digestSize = 32
	maxSpan    = 90 * 24 * 60 * 60 * 1000 // milliseconds between creation and deadline
	maxSkew    = 5 * 60 * 1000            // milliseconds that two clocks may differ
	maxOffer   = 384 << 10                // bytes of a signed proposal on the wire
	maxSigned  = 16 << 10                 // bytes of other signed messages, a release aside
	maxSmall   = 8 << 10                  // bytes of messages that are not signed
)

// Kinds of frames.
const (
	KindHello wire.Kind = iota + 1
	KindProposal
	KindAcceptance
	KindKeyCall
	KindPart
	KindPublic // chunk: a dealer's public polynomial
	KindSealed // chunk: what a dealer sealed for one holder
	KindReady
	KindWanted
	KindContribution
	KindMask // chunk: the mask of a block
	KindBody // chunk: the body of a block
	KindRequest
	KindShare
	KindShareBlock // chunk: the decryption share of a block
	KindRelease
	KindReleased
)

// Limit gives the cap of each frame kind.
func Limit(k wire.Kind) (uint32, bool) {
	switch k {
	case KindProposal:
		return maxOffer, true
	case KindAcceptance, KindKeyCall, KindPart, KindContribution, KindRequest, KindShare:
		return maxSigned, true
	case KindHello, KindReady, KindWanted, KindReleased:
		return maxSmall, true
	case KindPublic, KindMask, KindBody, KindShareBlock:
		return chunkHead + PolynomialSize, true
	case KindSealed:
		return chunkHead + PolynomialSize + SealOverhead, true
	case KindRelease:
		return wire.MaxChunk, true
	}
	return 0, false
}

// Signed carries the bytes that a signature covers, as they were signed.
type Signed struct {
	_         struct{} `codec:",toarray"`
	Body      []byte
	Signature []byte
}

// Proposal is what is to be counted, by whom and under which rules. Whoever accepts it
// accepts every field.
type Proposal struct {
	_            struct{} `codec:",toarray"`
	Version      uint16
	Tally        []byte // IDSize random bytes
	Roster       []byte // digest of the roster
	Collector    string // the member that proposes, collects and releases
	Created      int64  // Unix milliseconds
	Deadline     int64  // after it nobody contributes or shares
	Purpose      string
	Basis        string // the collector's legal basis
	Rules        []byte // digest of the collector's rules
	Question     Question
	Contributors []string // who may contribute, ascending
	Holders      []string // who may hold the key, ascending; the n-th has point n
	Threshold    uint8    // holders that decrypt, at least Quorum of all
	Minimum      uint8    // contributors that a sum needs
	Cap          uint16   // counts that one case may add to a contribution, in all cells together
	EpsilonMilli uint32   // ε in thousandths, 0 for no noise
	NoiseOf      uint8    // contributors whose shares together are the noise for ε
	Limit        uint32   // numbers below are not shown
}

// Acceptance is a member's word that it takes part.
type Acceptance struct {
	_          struct{} `codec:",toarray"`
	Proposal   []byte   // digest
	Member     string
	Basis      string // the member's legal basis
	Rules      []byte // digest of the member's rules
	Commitment []byte // to the public polynomial that it will deal; empty if it holds no key
	Sealing    []byte // public key of this tally alone, to which it is dealt shares; likewise
	Seed       []byte // commitment to the seed of its contribution; empty if it contributes none
}

// Accepted is the member with this place in one of the proposal's lists.
type Accepted struct {
	_      struct{} `codec:",toarray"`
	Place  uint8
	Digest []byte // of its acceptance
}

// KeyCall says who deals the key and who may contribute under it, with the acceptance of each.
// Those of the dealers follow it.
type KeyCall struct {
	_            struct{} `codec:",toarray"`
	Proposal     []byte   // digest
	Dealers      []Accepted
	Contributors []Accepted
}

// Part heads what a dealer deals: its public polynomial, which its commitment fixes, and a
// sealed share for each other dealer.
type Part struct {
	_      struct{} `codec:",toarray"`
	Call   []byte   // digest of the key call
	Place  uint8    // of the dealer
	Shares [][]byte // digests of what is sealed, in the order of the call; empty for itself
}

// Ready says that a member has the key, and its share if it holds it.
type Ready struct {
	_   struct{} `codec:",toarray"`
	Key []byte
}

// Wanted says that the contribution of a member has not come yet.
type Wanted struct {
	_   struct{} `codec:",toarray"`
	Key []byte
}

// Contribution heads a contributor's masks, and its bodies, which the collector alone gets.
type Contribution struct {
	_      struct{} `codec:",toarray"`
	Key    []byte
	Place  uint8  // of the contributor
	Masks  []byte // digest of its masks
	Bodies []byte // digest of its bodies
}

// Request asks holders to open a sum.
type Request struct {
	_        struct{} `codec:",toarray"`
	Key      []byte
	Included []byte // places of the contributors, ascending
	Active   []byte // places of the holders, ascending
	Sum      []byte // digest of the masks' sum
}

// Share heads a holder's decryption share.
type Share struct {
	_       struct{} `codec:",toarray"`
	Request []byte   // digest of the request
	Place   uint8    // of the holder
	Digest  []byte   // of the polynomials
}

// Release is the result.
type Release struct {
	_            struct{} `codec:",toarray"`
	Proposal     []byte   // digest
	Call         []byte   // digest of the key call
	Key          []byte   // digest of the key
	Request      []byte   // digest of the request
	Included     []byte   // places of the contributors
	Cap          uint16   // noise and suppression as agreed, so that the numbers are not read without them
	EpsilonMilli uint32
	NoiseOf      uint8
	Limit        uint32
	Cells        []uint32 // 0 for what is not shown
}

// Released confirms a release.
type Released struct {
	_       struct{} `codec:",toarray"`
	Release []byte   // digest
}

// Opening is what a contributor shows to an auditor and to nobody else: all of its
// contribution can be computed again from it. It prints nothing of itself.
type Opening struct {
	_        struct{} `codec:",toarray"`
	Proposal []byte   // digest
	Key      []byte
	Place    uint8
	Seed     []byte
	Counts   []uint32
}

// fault reports that the peer broke the protocol, with the number it will be told.
func fault(c wire.Code, format string, args ...any) error {
	return &wire.ProtocolError{Code: c, Err: fmt.Errorf(format, args...)}
}
