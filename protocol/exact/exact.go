// Package exact computes which items two nodes have in common, or how many.
//
// Suite "oprf" is private set intersection from a verifiable oblivious pseudorandom
// function (RFC 9497, ristretto255-SHA512; the construction of Jarecki and Liu, TCC 2009):
//
//	receiver                                        sender, holds key k
//	Start {session, durable}          ◄─────────►   Start {session, durable}
//	Questions: r·H(x) in chunks        ─────────►
//	                                  ◄─────────    Answers: k·r·H(x), one proof a chunk
//	                                  ◄─────────    Tags: 10 bytes of F(y), sorted and coded
//	hits = own tags among them
//	Returns: 16 other bytes of F(x)
//	  for hits, random otherwise       ─────────►   hits = own proofs among them
//	Done                              ◄─────────►   Done
//
// Suite "oprf-rfc9497" is the same with the RFC's own proofs, which cost more.
//
// Lists longer than memory take part in both: the own list is read as a stream, tags and
// proofs live in the journal, and what has to be sorted is sorted in parts. In memory are two
// bits for each place of the own class, a part of some 2^20 entries (64 MiB while it is
// sorted), 24 bytes for each hit, and about 400 KiB for each chunk under way, of which there
// are no more than twice the cores and eight.
//
// Suite "count" is the semi-honest protocol with doubly masked points (Meadows, S&P 1986;
// De Cristofaro, Gasti and Tsudik, CANS 2012) with noise in what is counted: questions are
// a·H(x), answers k·a·H(x) in the sender's own shuffled order, and both lists hold public
// dummies, the sender's a number of them drawn by crypto/dp.
//
// Promises of both suites "oprf" against a peer who does anything whatever: the receiver tests at most
// as many values as its size class, however often the run breaks and resumes; the sender
// tests at most as many as its own class, and only if the run is mutual; neither can make
// the other report an item that it did not itself put in, but with probability
// class · class/2^80 at the receiver and class · class/2^128 at the sender. Promise of all
// suites against a peer who follows the protocol: it learns the result that it is due and
// the size classes. Who only reads the bytes learns the size classes.
//
// Does not promise: that a peer's list is true; that guesses are kept out (whoever lists
// guesses learns which of them hit); fairness (a receiver may keep what it owes); anything
// against a later quantum computer; for "count" anything against a peer who departs from
// the protocol. The run's order of memory accesses depends on secrets, its timing across
// the network does not, apart from how fast a list is read and how long its elements are:
// which can say how many items a class holds, not which places.
//
// SPEC.md holds frames, derivations, limits and the leakage table.
package exact

import (
	"context"
	"fmt"
	"io"
	"iter"

	"entente/protocol/tags"
)

const (
	// TagSize is the length of a tag in bytes: 80 bits, see SPEC for the false hits.
	TagSize = tags.Size
	// ProofSize is the length of the proof of a hit in bytes.
	ProofSize = tags.ProofSize
	// SecretSize is the length of a run's secret in bytes.
	SecretSize = 32
	// MaxItems is the largest size class of one side.
	MaxItems = tags.MaxList
	// MaxCountItems is that of a count, whose lists are in memory.
	MaxCountItems = 1 << 22
	// MaxElement is the longest element in bytes.
	MaxElement = 4096
)

// Session is what both sides agreed before the run, and the own secret.
type Session struct {
	Agreement    [32]byte // digest of offer and answer; bound into every input
	Kind         string   // indicator kind, 1 to 64 bytes
	Version      uint16   // version of the kind's canonical form
	Run          int      // index of the run inside the round, from 0
	Receiver     int      // the receiver's size class
	Sender       int      // the sender's size class
	Mutual       bool     // oprf: the sender learns its hits too
	EpsilonMilli uint32   // count: noise of ε = EpsilonMilli/1000; 0 is none
	PeerPublic   []byte   // receiver: the sender's public key from the agreement
	Secret       []byte   // own secret from Suite.NewSecret
}

// Set is a list of canonical elements. Len is exact, elements are unique and 1 to
// MaxElement bytes long, and their order is the same in every iteration: an element's
// place in it is its position in a Result. For a suite other than "count" the order is
// strictly ascending; such a list is read several times, and never held in memory.
type Set interface {
	Len() int
	All() iter.Seq2[[]byte, error]
}

// Journal is what a run keeps to go on after a disconnect. It belongs to one run, and
// must live exactly as long as the run's secret: whoever loses it must drop the secret,
// and neither may come back from a backup, else a peer could be answered twice.
type Journal interface {
	// Put stores a record of a flow and returns when it is durable. Sequence numbers of a
	// flow run from 0 without gaps, each is put once; calls do not overlap.
	Put(ctx context.Context, flow string, sequence int, data []byte) error
	// Chunks returns the records of a flow in sequence order. The caller does not keep the
	// slices and puts nothing into the flow meanwhile.
	Chunks(ctx context.Context, flow string) iter.Seq2[[]byte, error]
}

// Result is what one side learned.
type Result struct {
	Positions []int             // own positions that hit, ascending; suite oprf
	Proofs    [][ProofSize]byte // proof of each hit, same order; both sides hold the same
	Count     int               // suite count, receiver: noise shift taken off, at least 0
	// Bytes on the stream, frames included, summed over the attempts whose end was recorded.
	BytesSent, BytesReceived uint64
}

// Progress is told how many bytes of the run's chunks are safely at their destination,
// of how many. It never goes back, also not after a resume. It must return quickly.
type Progress func(done, total int64)

// Suite is one protocol. Receive and Send run until both sides have all that they are
// due. When they fail, the stream is reset (or closed) and of no more use; calling them
// again over a new stream with the same session, set and journal goes on where they
// stopped. A peer's fault is a *wire.ProtocolError, what the peer says is a
// *wire.PeerError; ErrChanged says that the run can never go on.
type Suite interface {
	Name() string
	// NewSecret returns the secret of one node for one round, and the public key that goes
	// into the agreement. All that is random in a run derives from the secret, so that a
	// resumed run sends the same bytes.
	NewSecret() (secret, public []byte, err error)
	Receive(ctx context.Context, rw io.ReadWriter, s Session, set Set, j Journal, p Progress) (Result, error)
	Send(ctx context.Context, rw io.ReadWriter, s Session, set Set, j Journal, p Progress) (Result, error)
}

// Lookup returns the suite with the name that stands in the agreement.
func Lookup(name string) (Suite, error) {
	switch name {
	case nameOPRF, nameRFC:
		return oprfSuite{suite{name: name, divide: 1}}, nil
	case nameCount:
		return countSuite{suite{name: nameCount, divide: 1}}, nil
	}
	return nil, fmt.Errorf("look up suite: %.32q is none", name)
}
