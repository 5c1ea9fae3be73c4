// Package standing keeps two members matched for as long as they agree to be: one side
// publishes its list as tags once, then only what changes, and the other asks only about
// what is new on its own side.
//
// A *subscription* is the lasting agreement (machine.go). It has a *feed* for each side that
// learns: in feed 0 the proposer is the *asker* and the responder the *holder*, in feed 1 the
// other way round. A feed lives in *tag periods*, each with an OPRF key of its own. This is
// the intersection of Jarecki and Liu (TCC 2009) over the verifiable function of RFC 9497
// (ristretto255-SHA512), in its precomputed, unbalanced form with a cached server set (for
// example Kales, Rechberger, Schneider, Senker and Weinert, USENIX Security 2019), made
// incremental with signed runs of additions and tombstones. One sync of a feed:
//
//	asker                                            holder, key k of the period
//	State {period, blocks, run, digest}  ─────────►
//	                                     ◄─────────  Period, signed, if the asker lacks it
//	                                     ◄─────────  Position {run, questions so far}
//	                                     ◄─────────  Blocks: tags of the publication, sorted
//	                                     ◄─────────  Run, signed; additions; tombstones   (any number)
//	                                     ◄─────────  RunsDone
//	Applied, signed                      ─────────►
//	Questions: r·H(x), padded to a class ─────────►
//	                                     ◄─────────  Answers: k·r·H(x), one proof a chunk
//	Acknowledged                         ─────────►
//	QuestionsDone                        ─────────►
//	                                     ◄─────────  FeedDone
//
// Hits are the items that the asker ever had evaluated in the period and whose tag is in the
// holder's set: when the answer comes, or when a run adds the tag later. They are looked for
// at the asker only, after the stream has ended, and nothing of them is ever sent.
//
// Promises to the holder against an asker who does anything whatever: no evaluation without
// a place charged, durably and before it is made, however often syncs break, repeat or run
// at once; no more places than agreed. Promises to the asker against any holder: it reports
// no item that it did not have evaluated, but with probability evaluated · published / 2^80;
// every answer is under the one signed key of the period; set and history are those that the
// holder signed, once. Against who only follows: what each learns is the table of SPEC
// section "Standing rounds", sizes as classes.
//
// Does not promise: that anything is forgotten. See [Consequence] and [ReceiptMeaning]; nor
// that the holder's list is true, that guesses are kept out, or anything against a later
// quantum computer. The package touches no disk, socket or clock but through its arguments.
package standing

import (
	"context"
	"io"
	"iter"
	"time"

	"entente/crypto/oprf"
	"entente/crypto/sign"
	"entente/protocol/round"
)

// Sizes and spans that a peer must respect.
const (
	MaxTags     = 1 << 24                   // living tags of a feed, places of a period
	MaxRun      = 1 << 16                   // tags in one list of one run
	MaxRuns     = 1 << 18                   // runs in one tag period
	BlockTags   = 4096                      // tags in one block
	MaxPlaces   = 1024                      // places of one chunk of questions
	MinPlaces   = 64                        // places of an urgent check, and the least of any chunk
	MaxChunks   = 1 << 20                   // chunks of questions in one tag period
	Window      = 32                        // chunks that the asker has not acknowledged
	MaxElement  = 4096                      // bytes of an element
	MaxChecks   = 1000                      // urgent checks in a UTC day
	MaxKinds    = 16                        // indicator kinds of a subscription
	MaxIndex    = 1 << 20                   // tag periods are numbered below
	MinDummies  = 64                        // living dummies of a feed after every run
	MaxLife     = 366 * 24 * 60 * 60 * 1000 // milliseconds of a subscription
	MaxOpen     = 30 * 24 * 60 * 60 * 1000  // milliseconds from an offer to its answer and confirmation
	MinCadence  = 60                        // seconds
	MaxCadence  = 31 * 24 * 60 * 60         // seconds
	MinPeriod   = 3600                      // seconds
	MaxPeriod   = 92 * 24 * 60 * 60         // seconds
	digestSize  = 32                        // bytes of every digest
	IDSize      = round.IDSize              // bytes of a subscription's identifier
	ProofSize   = 16                        // bytes of the proof of a hit
	SecretSize  = 32                        // bytes of a holder's secret, and of a seed
	AnswerExtra = oprf.ProofSize            // bytes of an answer besides its elements
)

// ID names a subscription. The proposer draws it at random.
type ID = round.ID

// Session is one feed of an active subscription, as one side sees it.
type Session struct {
	Agreement     [32]byte
	Feed          uint8  // 0: the proposer asks; 1: the responder asks
	Asker         bool   // this side is the feed's asker
	Kinds         []Kind // what both agreed; the versions are those of the offer and enter the inputs
	Created       int64  // of the answer, Unix milliseconds
	Expires       int64  // of the subscription, Unix milliseconds
	Cadence       uint32 // seconds from sync to sync
	PeriodSeconds uint32 // longest tag period
	Tags          uint32 // most living tags
	Queries       uint32 // most places in one tag period, urgent checks not counted
	Checks        uint32 // most urgent checks in one UTC day
	Key           *sign.PrivateKey
	PeerKey       *sign.PublicKey
	Now           func() time.Time // the caller's clock
}

// Mark is a state of a feed's set inside a tag period: after the publication (run 0) or
// after a run. Equal digests mean equal sets with equal histories.
type Mark struct {
	_       struct{} `codec:",toarray"`
	Run     uint32   // last run
	Digest  [32]byte // chain digest; while the publication is under way, up to its last block
	Living  uint32   // tags in the set, dummies included
	Removed uint32   // tombstones of all runs so far, dummies included
}

// State is what an asker's cache holds.
type State struct {
	Signed round.Signed // body and signature of the tag period; empty: none
	Period Period       // its decoded body
	Blocks uint32       // whole blocks of the publication
	Last   Tag          // last tag of these blocks, if there are any
	Mark   Mark
	// Known is the furthest mark that was ever reached in this tag period; it survives
	// Begin with the same period, because a holder must not tell its history twice.
	Known Mark
}

// Block is one part of a publication, at its place.
type Block struct {
	Index uint32
	Tags  []Tag // strictly ascending, also from block to block
	Mark  Mark  // after this block
	Last  bool
}

// Run is a change of the set, with the holder's signature.
type Run struct {
	Header     RunHeader
	Signed     round.Signed // the header's bytes
	Additions  []Tag        // strictly ascending
	Tombstones []Tag        // strictly ascending
}

// Open is the tag period in force at a holder.
type Open struct {
	Period Period
	Signed round.Signed
	Key    *oprf.Key
}

// Shelf is what a holder publishes in one feed. Slices that it yields are not changed
// later, and not kept by the caller.
type Shelf interface {
	// Period returns the tag period in force and opens a new one, durably, when none is or
	// a new one is due. A shelf that has lost its records (after a restore) opens a new one
	// too, under a new secret: see NextIndex.
	Period(ctx context.Context) (Open, error)
	// Publication yields the tags of the period's publication from the first tag of a block on.
	Publication(ctx context.Context, index uint32, block uint32) iter.Seq2[Tag, error]
	// Runs yields the runs of the period with numbers above after, in order, without gaps.
	Runs(ctx context.Context, index, after uint32) iter.Seq2[Run, error]
	// Mark returns the mark after a run of the period, 0 for the publication; false if there
	// is no such run. Latest asks for the newest one.
	Mark(ctx context.Context, index, run uint32) (Mark, bool, error)
}

// Latest as the number of a run asks a Shelf for its newest mark.
const Latest = ^uint32(0)

// Meter is a holder's account of one feed's questions. All calls of all syncs of the feed
// go to one account, one after the other, and are durable when they return: see Account,
// which decides.
type Meter interface {
	// Position returns what the account says about the period.
	Position(ctx context.Context, index uint32) (Position, error)
	// Take charges a chunk before it is evaluated. It returns the stored answer of a
	// repetition, nil if there is none yet, and a *wire.ProtocolError with code Quota,
	// Replayed, UnknownRound or Malformed when Account refuses.
	Take(ctx context.Context, c Chunk) (answer []byte, err error)
	// Keep stores the answer of a taken chunk before it is sent. Another one may be there
	// already; either may stay.
	Keep(ctx context.Context, index, number uint32, answer []byte) error
	// Acknowledged drops the answers of all chunks below next.
	Acknowledged(ctx context.Context, index, next uint32) error
}

// Receipts stores what an asker signed. The same receipt may come again, also for a run
// for which there is one.
type Receipts interface {
	Applied(ctx context.Context, a Applied, s round.Signed) error
}

// Cache is an asker's copy of one feed's set. Apply and Block must not look for hits, nor
// set anything off that takes longer when there are some: the holder would see the time.
// Hits are looked for when Ask has returned and the stream has ended.
type Cache interface {
	// State returns what is there. A cache that is truncated or altered says so by stating
	// no blocks and no run, with the period and Known as they were.
	State(ctx context.Context) (State, error)
	// Begin forgets tags and runs and begins the publication of a period anew. With another
	// period than before it also forgets Known, and all entries and open questions of the
	// period before.
	Begin(ctx context.Context, p Period, s round.Signed) error
	// Block appends a block. After a crash the state must be that after some whole block.
	Block(ctx context.Context, b Block) error
	// Apply takes a run as one durable step, unless an addition is already in the set or a
	// tombstone is not: that is a *wire.ProtocolError with code Malformed (see CheckMember).
	// The set after it has mark m, which becomes Known.
	Apply(ctx context.Context, r Run, m Mark) error
}

// Asking is an asker's queue of questions of one feed. The warning of Cache holds for
// Answered too.
type Asking interface {
	// Resume is told where the holder is, before anything is asked, and returns the number
	// of the oldest chunk that still lacks its answer (or of the next one to be made). An
	// asker that has lost chunks goes on with p.Next and makes new ones.
	Resume(ctx context.Context, index uint32, p Position) (next uint32, err error)
	// Questions yields the chunks from that number on, numbers without gaps, each durable
	// before it is yielded and the same whenever it is yielded again; new ones as long as
	// there is something to ask within the agreement. It may go on while Answered is called.
	Questions(ctx context.Context, index uint32) iter.Seq2[Question, error]
	// Answered makes the entries of a chunk's items durable, in the order of the items.
	// Calls come in order of the numbers.
	Answered(ctx context.Context, index, number uint32, entries []Entry) error
}

// Item is one own element to ask about.
type Item struct {
	Kind    string
	Version uint16 // of the canonical form, as in Session.Kinds
	Element []byte // 1 to MaxElement bytes
}

// Question is one chunk of questions. Places that no item takes are padding.
type Question struct {
	Number uint32
	Urgent bool // a check of the day's quota; Class is then MinPlaces
	Class  int  // places, a size class of MinPlaces to MaxPlaces
	Items  []Item
	Seed   [SecretSize]byte // drawn at random for this chunk, never used for another
}

// Entry is what the asker keeps of an evaluated item.
type Entry struct {
	Tag   Tag
	Proof [ProofSize]byte // shows later that the asker had the item evaluated; not sent here
}

// Summary is what one sync of one feed did, also when it failed.
type Summary struct {
	Index     uint32 // of the tag period
	Begun     bool   // asker: the period or its cache began anew
	Blocks    int    // blocks of the publication moved
	Runs      int    // runs moved
	Chunks    int    // chunks answered
	Over      bool   // asker: the period's end has passed, so nothing was asked
	Mark      Mark   // of the set at the asker
	Sent, Got uint64 // bytes, frames included
}

// Ask is the asker's side of one sync of a feed. It returns when the holder has nothing
// more to send and everything asked is answered. On failure the peer is told why, the
// stream is reset and everything durable stays: the next sync goes on from there. A peer's
// fault is a *wire.ProtocolError, what the peer says is a *wire.PeerError, and a history
// told twice is an *Equivocation besides. No goroutine outlives the call.
func Ask(ctx context.Context, rw io.ReadWriter, s Session, c Cache, q Asking) (Summary, error) {
	return ask(ctx, rw, s, c, q)
}

// Hold is the holder's side of one sync of a feed; see Ask.
func Hold(ctx context.Context, rw io.ReadWriter, s Session, shelf Shelf, m Meter, r Receipts) (Summary, error) {
	return hold(ctx, rw, s, shelf, m, r)
}
