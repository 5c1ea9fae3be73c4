package standing

import (
	"context"
	"errors"
	"fmt"

	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// Names of the standing records of a feed. Runs and marks are numbered as the protocol
// numbers them, blocks and chunks too.
const (
	recordShelf    = "shelf"    // holder: shelfState
	recordMark     = "mark"     // holder: mark after a run, 0 for the publication
	recordRun      = "run"      // holder: runRecord
	recordDelta    = "delta"    // holder: what a run changed of the own items
	recordAccount  = "account"  // holder: standing.Account
	recordAnswer   = "answer"   // holder: answers that are not acknowledged
	recordReceipt  = "receipt"  // holder: the newest receipt of the partner
	recordAsker    = "asker"    // asker: askerState
	recordBlock    = "block"    // asker: blocks of a publication under way
	recordTheirs   = "theirs"   // asker: runs that were applied, as runRecord
	recordQuestion = "question" // asker: chunks that lack their answer
	recordAsked    = "asked"    // asker: entries of chunks that no segment holds yet
	recordSeen     = "seen"     // hits below this position were shown to a person
	recordFound    = "found"    // when the hits from this position on were found
	recordFiled    = "filed"    // holder: the partner's receipts for an auditor
)

// ofRuns are the records that are worth nothing once a subscription is over.
var ofRuns = []string{
	recordShelf, recordMark, recordRun, recordDelta, recordAccount, recordAnswer, recordReceipt,
	recordAsker, recordBlock, recordTheirs, recordQuestion, recordAsked,
}

// feed is one feed of one subscription as this side works on it. It is for whoever has
// claimed the subscription.
type feed struct {
	s       *Service
	f       *file
	session standing.Session
}

func (s *Service) feed(f *file, number uint8) (*feed, error) {
	session, err := f.machine.Session(number, now)
	if err != nil {
		return nil, err
	}
	return &feed{s: s, f: f, session: session}, nil
}

// number is the feed's number as the store has it.
func (x *feed) number() int { return int(x.session.Feed) }

// read decodes a record; false if there is none.
func (x *feed) read(tx *store.Tx, name string, number int64, into any) (bool, error) {
	b, err := tx.Standing(x.f.ID, x.number(), name, number)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := wire.Unmarshal(b, into); err != nil {
		return false, fmt.Errorf("read %s %d of a standing round: %w", name, number, err)
	}
	return true, nil
}

// write stores a record.
func (x *feed) write(tx *store.Tx, name string, number int64, value any) error {
	b, err := wire.Marshal(value)
	if err != nil {
		return err
	}
	return tx.PutStanding(x.f.ID, x.number(), name, number, b)
}

// drop destroys all records of some names.
func (x *feed) drop(tx *store.Tx, names ...string) error {
	for _, name := range names {
		if err := tx.DropStanding(x.f.ID, x.number(), name, 1<<62); err != nil {
			return err
		}
	}
	return nil
}

// load reads one record by itself.
func (x *feed) load(ctx context.Context, name string, number int64, into any) (found bool, err error) {
	err = x.s.o.Store.View(ctx, func(tx *store.Tx) error {
		found, err = x.read(tx, name, number, into)
		return err
	})
	return found, err
}

// runRecord is a run with its lists, tag after tag.
type runRecord struct {
	_                     struct{} `codec:",toarray"`
	Signed                round.Signed
	Additions, Tombstones []byte
}

func recordOf(r standing.Run) runRecord {
	return runRecord{Signed: r.Signed, Additions: joinTags(r.Additions), Tombstones: joinTags(r.Tombstones)}
}

func joinTags(list []standing.Tag) []byte {
	b := make([]byte, 0, len(list)*standing.TagSize)
	for _, t := range list {
		b = append(b, t[:]...)
	}
	return b
}

func splitTags(b []byte) []standing.Tag {
	list := make([]standing.Tag, len(b)/standing.TagSize)
	for i := range list {
		list[i] = standing.Tag(b[i*standing.TagSize:])
	}
	return list
}

// runsAfter calls visit with the run records above a number, in order, as long as it wants
// more.
func (x *feed) runsAfter(ctx context.Context, name string, after uint32, visit func(number uint32, r runRecord) (more bool)) error {
	return x.s.o.Store.View(ctx, func(tx *store.Tx) error {
		for rec, err := range tx.StandingRange(x.f.ID, x.number(), name, int64(after)+1) {
			if err != nil {
				return err
			}
			var r runRecord
			if err := wire.Unmarshal(rec.Value, &r); err != nil {
				return fmt.Errorf("read run %d of a standing round: %w", rec.Number, err)
			}
			if !visit(uint32(rec.Number), r) {
				break
			}
		}
		return nil
	})
}

// segment opens a segment file from its encoded description; nil for none.
func (s *Service) segment(info []byte) (*store.Segment, error) {
	if len(info) == 0 {
		return nil, nil
	}
	i, err := store.DecodeSegmentInfo(info)
	if err != nil {
		return nil, err
	}
	return s.o.Store.OpenSegment(i)
}

// closing closes a segment, which was only read.
func closing(g *store.Segment) {
	if g != nil {
		_ = g.Close()
	}
}

// build makes a segment file of what fill appends, and returns its encoded description.
func (s *Service) build(width, key int, fill func(*store.SegmentWriter) error) ([]byte, error) {
	w, err := s.o.Store.CreateSegment(width, key)
	if err != nil {
		return nil, err
	}
	if err := fill(w); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	info, err := w.Commit()
	if err != nil {
		return nil, err
	}
	return info.Encode(), nil
}

// nameOf is the file of an encoded description; none if it is empty or not one.
func nameOf(infos ...[]byte) []string {
	var names []string
	for _, info := range infos {
		if i, err := store.DecodeSegmentInfo(info); err == nil {
			names = append(names, i.Name)
		}
	}
	return names
}

// segmentsOf names the segment files of a subscription.
func (s *Service) segmentsOf(ctx context.Context, f *file) ([]string, error) {
	var names []string
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		for number := range uint8(2) {
			x := &feed{s: s, f: f, session: standing.Session{Feed: number}}
			var shelf shelfState
			if _, err := x.read(tx, recordShelf, 0, &shelf); err != nil {
				return err
			}
			var asker askerState
			if _, err := x.read(tx, recordAsker, 0, &asker); err != nil {
				return err
			}
			names = append(append(names, nameOf(shelf.Tags, shelf.Published)...), asker.files()...)
		}
		return nil
	})
	return names, err
}

// lookupsOf splits lookups that lie one after the other.
func lookupsOf(b []byte) []store.Lookup {
	out := make([]store.Lookup, len(b)/lookupSize)
	for i := range out {
		out[i] = store.Lookup(b[i*lookupSize:])
	}
	return out
}

// Sizes of entries in bytes.
const (
	lookupSize = len(store.Lookup{})
	itemSize   = lookupSize + standing.TagSize + 1                  // lookup, tag, whether it is published
	entrySize  = standing.TagSize + standing.ProofSize + lookupSize // tag, proof, lookup
	hadSize    = lookupSize + standing.TagSize                      // lookup, tag
)
