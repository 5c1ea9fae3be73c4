// Package names tells which records of two lists are probably of one person, and neither side
// a score, a name or a date of the other's.
//
// A record has keys, under which candidates meet, and a vector of features (protocol/person).
// All pairs of two lists of 20,000 would be 4·10⁸ comparisons; keys leave some 60,000:
//
//	asker                                               answerer
//	exact run of suite "oprf", mutual  ◄──────────►     common keys, known to both by proofs
//	Open {session, labels}             ◄──────────►     Open {session, labels}
//	Handles: for each common key                        (in the order of proofs)
//	  the places of its records         ──────────►
//	                                   ◄───────────     Handles
//	similar run, candidates alone      ◄──────────►     a bit for each pair
//
// A place is where a record stands in its side's secret order of one run (protocol/similar). A
// candidate is a pair of places that are under one common key.
//
// Both sides follow the protocol, or this is worth what package similar says, and less: a side
// that places a record under keys that are not its own has it compared with what the other
// has under them. Digests of all handles are kept by both; who has keys, lists and secrets
// opened computes them (AskerHandles, AnswererHandles).
//
// It promises that a side that follows the protocol learns, beside who reaches the threshold:
// for each common key, of which it knows what it is, how many of the other's records are under
// it, and which of them are the same record under several keys. It does not learn keys that the
// other has alone, nor how many keys or records there are within the size classes. Against who
// reads the bytes it hides nothing but contents: classes and numbers of common keys and
// candidates show. SPEC.md has frames, leakage and what was rejected.
package names

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"entente/protocol/exact"
	"entente/protocol/similar"
)

const (
	// KeysPerRecord is how many keys a record has at most.
	KeysPerRecord = 16
	// keyShare is for how many different keys a list has room, for each record of its class. What
	// a list lacks is filled up; of one that has more, each record leaves out its last ones.
	keyShare = 12
	// BucketCap is how many records of a side one key has at most: a key that more of the own
	// records share is left out.
	BucketCap = 50
	// MaxRecords is the largest size class of one side.
	MaxRecords = 1 << 20

	keySuite = "oprf"
)

// Errors on which a caller branches.
var (
	// ErrChanged says that a journal belongs to another run than the one given.
	ErrChanged = similar.ErrChanged
	// ErrTooMany says that there are more candidates than the agreement allows.
	ErrTooMany = errors.New("more candidates than agreed")
)

// Records are a side's list. Keys are read once, and held in memory; vectors as package
// similar says.
type Records interface {
	similar.Vectors
	// Keys returns the keys of the record at a position, each once, up to KeysPerRecord, the most
	// useful first.
	Keys(ctx context.Context, position int) ([][]byte, error)
}

// Journal is what a run keeps to go on after a disconnect; see similar.Journal.
type Journal interface {
	Put(ctx context.Context, flow string, sequence int, data []byte) error
	Chunks(ctx context.Context, flow string) iter.Seq2[[]byte, error]
}

// Result is what one side learned.
type Result struct {
	similar.Result     // own positions that reach the threshold with some candidate; bytes of all parts
	Labels         int // keys that both have
	Candidates     int // pairs that were compared
	// Handles are the digests of the asker's and the answerer's handles.
	Handles [2][32]byte
}

// Ask runs the asker's side until both are done: it learns common keys from the answerer's
// tags, and has the probes. When it fails the stream is reset and of no more use; called again
// over a new one with the same session, records and journal it goes on where it stopped. Errors
// are those of exact and similar, and ErrTooMany.
func Ask(ctx context.Context, rw io.ReadWriter, s Session, records Records, j Journal, p similar.Progress) (Result, error) {
	return run(ctx, rw, s, asker, records, j, p)
}

// Answer is Ask for the answerer, who has the templates.
func Answer(ctx context.Context, rw io.ReadWriter, s Session, records Records, j Journal, p similar.Progress) (Result, error) {
	return run(ctx, rw, s, answerer, records, j, p)
}

// role is a side of a run; its number stands in Open.
type role uint8

const (
	asker    role = 1
	answerer role = 2
)

func run(ctx context.Context, rw io.ReadWriter, s Session, as role, records Records, j Journal, p similar.Progress) (Result, error) {
	if err := s.Check(); err != nil {
		return Result{}, err
	}
	own, err := readKeys(ctx, records, s.class(as))
	if err != nil {
		return Result{}, fmt.Errorf("names: %w", err)
	}
	common, err := s.meetKeys(ctx, rw, as, own, j)
	if err != nil {
		return Result{}, fmt.Errorf("names: keys: %w", err)
	}
	x := &exchange{session: &s, role: as, stream: rw, journal: j}
	if err := x.begin(own, common, records.Len()); err != nil {
		return Result{}, fmt.Errorf("names: %w", err)
	}
	if err := x.run(ctx); err != nil {
		return Result{}, fmt.Errorf("names: handles: %w", err)
	}
	compared := s.Similar()
	compared.Candidates = x.pairs
	out := Result{Labels: len(x.own), Candidates: len(x.pairs), Handles: x.digests}
	side := similar.Ask
	if as == answerer {
		side = similar.Answer
	}
	if out.Result, err = side(ctx, rw, compared, records, j, p); err != nil {
		return Result{}, fmt.Errorf("names: %w", err)
	}
	out.BytesSent += common.BytesSent + x.sent
	out.BytesReceived += common.BytesReceived + x.received
	return out, nil
}

// meetKeys finds the keys that both sides have.
func (s *Session) meetKeys(ctx context.Context, rw io.ReadWriter, as role, own *buckets, j Journal) (exact.Result, error) {
	suite, err := exact.Lookup(keySuite)
	if err != nil {
		return exact.Result{}, err
	}
	side := suite.Receive
	if as == answerer {
		side = suite.Send
	}
	return side(ctx, rw, s.exact(), own, j, nil)
}
