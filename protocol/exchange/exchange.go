// Package exchange holds the messages by which members exchange the ledger's entries,
// checkpoints and signatures (SPEC "Exchange of the ledger"). A stream carries requests
// of the member that opened it, one after the other, each answered by one frame or an
// Error frame.
//
// It promises that a frame which decodes is within its bounds, and that checkpoints in it
// are well formed. What entries and signatures are worth say protocol/replay and
// protocol/checkpoint; who asks, the channel.
package exchange

import (
	"errors"
	"fmt"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/recovery"
	"entente/protocol/wire"
)

// Protocol is spoken on streams of its own.
const Protocol = "/entente/ledger/1"

// Kinds of frames; the even ones answer the odd ones before them.
const (
	KindStatus     wire.Kind = 1  // Status, asked of whoever is asked
	KindStanding   wire.Kind = 2  // Status of who answers
	KindFetch      wire.Kind = 3  // Range
	KindEntries    wire.Kind = 4  // Entries
	KindNext       wire.Kind = 5  // Position
	KindCheckpoint wire.Kind = 6  // checkpoint.Signed as bytes, or none
	KindSubmit     wire.Kind = 7  // Entries, all of the asking member unless it is a sequencer
	KindTaken      wire.Kind = 8  // Taken
	KindSequence   wire.Kind = 9  // Position
	KindSequenced  wire.Kind = 10 // Vote
	KindOffer      wire.Kind = 11 // Offer
	KindCosigned   wire.Kind = 12 // Vote
	KindFinal      wire.Kind = 13 // checkpoint.Signed as bytes
	KindNoted      wire.Kind = 14 // Status of who answers
	KindCall       wire.Kind = 15 // recovery.Call of the asking member
	KindStance     wire.Kind = 16 // recovery.Stance
	KindTerm       wire.Kind = 17 // Position: how manyth term after the first
	KindOpening    wire.Kind = 18 // recovery.Opening as bytes, or none
)

// Bounds.
const (
	// MaxStep is how many entries follow between two checkpoints that are offered, and
	// MaxStepBytes how many bytes, the last entry not counted: what a member takes in at
	// one time.
	MaxStep      = 4096
	MaxStepBytes = 16 << 20
	// MaxEntries is how many entries one frame holds.
	MaxEntries = 512
	// MaxBatch is how many bytes of entries one frame holds.
	MaxBatch = wire.MaxChunk - 16<<10 - checkpoint.MaxSigned
	small    = 512
	// maxPledge is how long a member's pledge for a term is at most.
	maxPledge = sign.Ed25519Size + sign.MLDSA44Size + checkpoint.MaxText + 128
)

// Status says how far a member is. Every member asks others for theirs now and then and
// tells its own by that: what C2SP calls gossip of checkpoints.
type Status struct {
	_     struct{} `codec:",toarray"`
	Size  uint64   // entries that it holds
	Final []byte   // text of the newest checkpoint that it knows to be final; empty if none
	Term  string   // origin of the term that it is in
}

// Range asks for entries From up to, but without, Until.
type Range struct {
	_           struct{} `codec:",toarray"`
	From, Until uint64
}

// Entries are signed entries as they are in the tree: in answer to a Range from its
// beginning on, as many as fit.
type Entries struct {
	_       struct{} `codec:",toarray"`
	Entries [][]byte
}

// Position is a size of the tree. A Next asks for the smallest final checkpoint above it
// that is kept, a Sequence for the sequencer's signature of the tree of this size.
type Position struct {
	_    struct{} `codec:",toarray"`
	Size uint64
}

// Taken says how many of the submitted entries, from the first on, will be ordered if
// nothing fails, and who leads.
type Taken struct {
	_      struct{} `codec:",toarray"`
	Count  uint64
	Leader string // empty if nobody does, as far as is known
}

// Vote is a signature over a checkpoint, or how far a member is that cannot sign yet.
type Vote struct {
	_          struct{} `codec:",toarray"`
	Size       uint64   // entries that the member holds
	Checkpoint []byte   // text of what was signed; empty if nothing was
	Signatures []checkpoint.Signature
}

// Offer is a checkpoint with the signatures of sequencers, and the entries before it from
// one on, or none if they are too many for a frame: then the cosigner fetches what it
// lacks from who offers.
type Offer struct {
	_       struct{} `codec:",toarray"`
	Signed  checkpoint.Signed
	From    uint64
	Entries [][]byte
}

// Limit states which kinds open a request, and their sizes.
func Limit(k wire.Kind) (uint32, bool) {
	switch k {
	case KindStatus, KindFetch, KindNext, KindSequence, KindCall, KindTerm:
		return small, true
	case KindSubmit, KindOffer:
		return wire.MaxChunk, true
	case KindFinal:
		return checkpoint.MaxSigned, true
	}
	return 0, false
}

// Answer is the kind and size of the answer to a request.
func Answer(k wire.Kind) (wire.Kind, uint32) {
	switch k {
	case KindFetch:
		return KindEntries, wire.MaxChunk
	case KindNext:
		return KindCheckpoint, checkpoint.MaxSigned
	case KindSequence, KindOffer:
		return k + 1, checkpoint.MaxSigned
	case KindCall:
		return KindStance, checkpoint.MaxSigned + small + maxPledge
	case KindTerm:
		return KindOpening, recovery.MaxOpening
	}
	return k + 1, small
}

var errRange = errors.New("the range is empty or turned round")

// Validate checks the text of the checkpoint.
func (s Status) Validate() error {
	if _, err := checkpoint.ParseOrigin(s.Term); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if len(s.Final) == 0 {
		return nil
	}
	c, err := checkpoint.Parse(s.Final)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if c.Size > s.Size {
		return errors.New("status: more is final than is held")
	}
	return nil
}

// Validate checks that something is asked for.
func (r Range) Validate() error {
	if r.From >= r.Until {
		return errRange
	}
	return nil
}

// Validate checks the number of entries, and that none is empty.
func (e Entries) Validate() error { return checkEntries(e.Entries) }

func checkEntries(entries [][]byte) error {
	if len(entries) > MaxEntries {
		return fmt.Errorf("%d entries in a frame, at most %d", len(entries), MaxEntries)
	}
	for i, b := range entries {
		if len(b) == 0 {
			return fmt.Errorf("entry %d of a frame is empty", i+1)
		}
	}
	return nil
}

// Validate checks that what is signed is there exactly if a signature is.
func (v Vote) Validate() error {
	if (len(v.Checkpoint) == 0) != (len(v.Signatures) == 0) || len(v.Signatures) > 1 {
		return errors.New("vote: a checkpoint without its signature, or the reverse")
	}
	if len(v.Signatures) == 0 {
		return nil
	}
	_, err := v.Signed().Checkpoint()
	return err
}

// Signed is the vote as a checkpoint with one signature.
func (v Vote) Signed() checkpoint.Signed {
	return checkpoint.Signed{Text: v.Checkpoint, Signatures: v.Signatures}
}

// Validate checks that the entries end where the checkpoint does, if there are any.
func (o Offer) Validate() error {
	c, err := o.Signed.Checkpoint()
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	if n := uint64(len(o.Entries)); n > 0 && (n > c.Size || o.From != c.Size-n) {
		return errors.New("offer: its entries do not end where the checkpoint does")
	}
	return checkEntries(o.Entries)
}

// Fit returns how many of the entries, from the first on, go into one frame; at least one.
func Fit(entries [][]byte) int {
	size := 0
	for i, b := range entries {
		if size += len(b) + 8; i == MaxEntries || i > 0 && size > MaxBatch {
			return i
		}
	}
	return len(entries)
}
