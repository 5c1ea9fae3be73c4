// Package similar tells which vectors of two nodes reach an agreed inner product, and neither
// side a score or a vector of the other's.
//
// The asker's vectors are probes, the answerer's templates: embeddings of faces under one
// model, or features of names. Scores come about encrypted and end as additive shares
// (crypto/he); a two-party comparison with the threshold turns each pair of shares into one
// bit (crypto/compare):
//
//	asker                                             answerer
//	Start {session, blocks durable}   ◄──────────►    Start {session, blocks durable}
//	                                  ◄───────────    Request   base transfers
//	Base                               ──────────►
//	for each batch of up to 4,096 probes:
//	PublicKey, Ciphertexts             ──────────►
//	for each window of up to 8 blocks:
//	                                  ◄───────────    Replies   shares, under encryption
//	Columns                            ──────────►
//	                                  ◄───────────    Challenges
//	Choices                            ──────────►
//	                                  ◄───────────    Tables
//	Combining                          ──────────►
//	                                  ◄───────────    Last
//	Shares (if the answerer learns)    ──────────►
//	Done                              ◄──────────►    Done
//
// A block is one reply of crypto/he: up to 4,096 pairs. Where both sides know which pairs are
// worth it, they compare these candidates alone (Session.Candidates; protocol/names), and a block
// is up to 64 replies, each of one template against those of a batch that it is to be compared
// with. Both lists take part in a secret order
// of their side's, so that a side learns how many of the other's vectors each of its own
// reaches, and which of its own reach the same one, but not where that stands in a list.
//
// Both sides follow the protocol, or this is worth nothing: it is semi-honest, and the
// agreement must say so. An asker with malformed ciphertexts opens templates; one with
// invented probes learns of templates by many yes and no; one that moves its shares asks with
// another threshold. An answerer can do the last two likewise and, if it learns outcomes,
// decrypt the probes with malformed replies. Against that stand the quota on pairs, the bound on
// repeats, and both sides' commitments to the secrets that all they send under encryption comes
// from: opened with the vectors, they let an auditor recompute every byte (Queries, Replies).
// What a run promises against a side that follows the protocol, and who only reads the bytes,
// stands in SPEC.md, with frames and leakage.
package similar

import (
	"context"
	"errors"
	"io"
	"iter"

	"entente/crypto/he"
)

const (
	// Name is the suite's name in an agreement.
	Name = "similar"
	// MaxDimension is the most coordinates of a vector.
	MaxDimension = he.MaxDimension
	// MaxThreshold is the largest threshold, and 1 the least: pairs with a vector that only
	// fills a list up have score 0, and are never hits.
	MaxThreshold = 1<<14 - 1
	// MaxPairs is how many pairs one run has at most, places that fill up counted; see he.MaxPairs.
	MaxPairs = he.MaxPairs
	// SecretSize is the length of a run's secret in bytes.
	SecretSize = 32

	// window is how many blocks are under way at once: 32,768 pairs, some 4 MB of messages.
	window = 8
	// maxBegun is how often a block may begin to be compared. Whoever breaks a run on purpose has
	// a window's pairs compared again, perhaps with other shares: a score would take fifteen.
	maxBegun = 4
	maxModel = 64 // bytes
)

// Errors on which a caller branches.
var (
	// ErrChanged says that a journal belongs to another run than the one given.
	ErrChanged = errors.New("the list or the agreement is not the one that the run began with")
	// ErrRepeated says that a run has broken too often to go on.
	ErrRepeated = errors.New("the run has broken too often")
)

// Learns says which sides learn the bits.
type Learns uint8

// Sides that learn.
const (
	AskerLearns Learns = 1 + iota
	AnswererLearns
	BothLearn
)

func (l Learns) asker() bool    { return l&AskerLearns != 0 }
func (l Learns) answerer() bool { return l&AnswererLearns != 0 }

// Vectors are a side's list. They are read out of order, an answerer's again for each batch of
// probes, and never all held in memory; of the list are held 8 bytes for each place.
type Vectors interface {
	Len() int
	// Vectors returns those at the given positions, in that order.
	Vectors(ctx context.Context, positions []int) ([][]int8, error)
}

// Journal is what a run keeps to go on after a disconnect. It belongs to one run, and lives as
// long as the run's secret; neither may come back from a backup.
type Journal interface {
	// Put stores a record of a flow and returns when it is durable. Sequence numbers of a
	// flow run from 0 without gaps; calls do not overlap.
	Put(ctx context.Context, flow string, sequence int, data []byte) error
	// Chunks returns the records of a flow in sequence order. The caller does not keep the
	// slices and puts nothing into the flow meanwhile.
	Chunks(ctx context.Context, flow string) iter.Seq2[[]byte, error]
}

// Result is what one side learned.
type Result struct {
	// Positions are the own ones that reach the threshold with some vector of the other's,
	// ascending.
	Positions []int
	// Hits are the pairs that reach the threshold, in a run with candidates: ascending.
	Hits []Hit
	// Queries are the digests of the queries, one for each batch, and Replies those of the
	// replies, one for each block: the same on both sides. What package functions of those
	// names give for opened secrets and vectors must be the same too.
	Queries, Replies [][32]byte
	// BytesSent and BytesReceived are those of the last attempt, frames included.
	BytesSent, BytesReceived uint64
}

// Hit is an own vector and one of the other's, of which this side knows only its place in the
// other's order of this run.
type Hit struct {
	Position int
	Place    uint32
}

// Progress is told how many pairs are compared, of how many. It must return quickly.
type Progress func(done, total int64)

// Ask runs the asker's side until both are done. When it fails the stream is reset and of no
// more use; called again over a new one with the same session, probes and journal it goes on
// where it stopped. A peer's fault is a *wire.ProtocolError, what the peer says a
// *wire.PeerError; errors.Is ErrChanged or ErrRepeated if it can never go on.
func Ask(ctx context.Context, rw io.ReadWriter, s Session, probes Vectors, j Journal, p Progress) (Result, error) {
	r, err := newRun(ctx, rw, s, asker, probes, j, p)
	if err != nil {
		return Result{}, err
	}
	return r.finish(r.ask)
}

// Answer is Ask for the answerer.
func Answer(ctx context.Context, rw io.ReadWriter, s Session, templates Vectors, j Journal, p Progress) (Result, error) {
	r, err := newRun(ctx, rw, s, answerer, templates, j, p)
	if err != nil {
		return Result{}, err
	}
	return r.finish(r.answer)
}
