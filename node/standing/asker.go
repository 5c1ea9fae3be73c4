package standing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/standing"
)

// askerState is what an asker keeps of a feed, besides runs, blocks, questions and entries.
type askerState struct {
	_      struct{}     `codec:",toarray"`
	Signed round.Signed // the tag period; empty: none
	Index  uint32
	Blocks uint32
	Last   standing.Tag
	Mark   standing.Mark
	Known  standing.Mark
	Base   []byte // segment: the publication, once it is whole
	Folded uint32 // runs up to this one are in Base too

	Next, Oldest uint32   // numbers of the next chunk, and of the oldest without its answer
	Made         int64    // the due time whose questions were all made, in Unix milliseconds
	Prepared     bool     // Wanted and Seen are those of this tag period
	Wanted       []byte   // segment: lookups to ask about
	WantedAt     int64    // those before are asked
	Todo         []byte   // more lookups to ask about
	Asked        [][]byte // segments: tag, proof, lookup of what was asked
	Had          [][]byte // segments: lookup and tag of the same
	Kept         uint32   // entries of chunks below are in these segments
	MatchedChunk uint32   // chunks below were compared with the set
	MatchedRun   uint32   // runs up to this one were compared with what was asked
	Unsure       bool     // values of entries that were not compared yet may be on no list

	// How far the log of changes was followed: for questions, for hits of values that take
	// part again, and for entries of values that take part no longer.
	Seen, Rematched, Swept int64
	SweptAt                int64 // Unix milliseconds
}

// files names all segment files of the state.
func (s *askerState) files() []string {
	return slices.Concat(nameOf(s.Base, s.Wanted), nameOf(s.Asked...), nameOf(s.Had...))
}

// forgetSet leaves nothing of the partner's set.
func (s *askerState) forgetSet() {
	s.Blocks, s.Last, s.Mark, s.Base, s.Folded = 0, standing.Tag{}, standing.Mark{}, nil, 0
}

// blockRecord is a block of a publication under way.
type blockRecord struct {
	_    struct{} `codec:",toarray"`
	Tags []byte
}

// asker is an asker's feed. It implements standing.Cache and standing.Asking; mu guards
// what questions and answers, which overlap, both change.
type asker struct {
	*feed
	due     bool // a cadence's questions are asked, unless they were made for a sync that broke
	checks  []check
	left    int64  // places of the quota that are not used
	charged uint32 // chunks that the holder has charged

	checksLeft int // urgent checks of the day

	mu    sync.Mutex
	state askerState
	set   *tagSet // of the partner; nil until it is needed
}

func (x *feed) asker() *asker { return &asker{feed: x} }

func (a *asker) get(ctx context.Context) error {
	_, err := a.load(ctx, recordAsker, 0, &a.state)
	return err
}

// save stores the state in one transaction with something else.
func (a *asker) save(ctx context.Context, also func(*store.Tx) error) error {
	return a.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return a.write(tx, recordAsker, 0, a.state)
	})
}

// State returns what is cached. A file that is missing, cut off or altered is not trusted:
// the publication is taken again.
func (a *asker) State(ctx context.Context) (standing.State, error) {
	if err := a.get(ctx); err != nil {
		return standing.State{}, err
	}
	out := standing.State{Signed: a.state.Signed, Known: a.state.Known}
	if a.state.Index == 0 {
		return out, nil
	}
	period, err := standing.OpenPeriod(a.session, a.session.PeerKey, a.state.Signed)
	if err != nil {
		return standing.State{}, nil // of a partner's earlier key: it begins anew
	}
	out.Period = period
	if a.state.Blocks == blocks(period) && len(a.state.Base) == 0 { // the process died before the segment
		if err := a.whole(ctx); err != nil {
			return standing.State{}, err
		}
	}
	if err := a.sound(); err != nil {
		a.s.o.Log.Warn("what was kept of a partner's tags is damaged; they are taken again", "subscription", a.f.ID, "error", err)
		return out, a.again(ctx)
	}
	out.Blocks, out.Last, out.Mark = a.state.Blocks, a.state.Last, a.state.Mark
	return out, nil
}

// blocks is how many blocks the publication of a tag period has.
func blocks(p standing.Period) uint32 {
	return (p.Class + standing.BlockTags - 1) / standing.BlockTags
}

// again forgets the partner's set, which is to be taken once more from its publication on.
func (a *asker) again(ctx context.Context) error {
	before := a.state
	a.close()
	a.state.forgetSet()
	if err := a.save(ctx, func(tx *store.Tx) error { return a.drop(tx, recordBlock, recordTheirs) }); err != nil {
		a.state = before
		return err
	}
	return a.s.remove(nameOf(before.Base))
}

// sound tells whether the cached publication is the file that was written; its parts are
// checked when they are read.
func (a *asker) sound() error {
	g, err := a.s.segment(a.state.Base)
	closing(g)
	return err
}

// damaged tells whether an error means that a file is not what was written.
func damaged(err error) bool {
	return errors.Is(err, store.ErrAltered) || errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound)
}

// recover forgets what was kept in files, one of which turned out to be damaged: the
// publication is taken again, and everything asked again within the quota.
func (a *asker) recover(ctx context.Context, cause error) error {
	a.close()
	a.s.o.Log.Warn("what was kept of a standing round is damaged; it is taken again", "subscription", a.f.ID, "error", cause)
	before := a.state
	a.state.forgetSet()
	a.state.Prepared, a.state.Wanted, a.state.Asked, a.state.Had, a.state.Kept = false, nil, nil, nil, a.state.Oldest
	a.state.MatchedChunk, a.state.Made = a.state.Oldest, 0
	if err := a.save(ctx, func(tx *store.Tx) error { return a.drop(tx, recordBlock, recordTheirs, recordAsked) }); err != nil {
		a.state = before
		return err
	}
	return a.s.remove(before.files())
}

// Begin forgets the set; with another tag period also all that was asked, which was asked
// under another key.
func (a *asker) Begin(ctx context.Context, p standing.Period, s round.Signed) error {
	if bytes.Equal(s.Body, a.state.Signed.Body) {
		return a.again(ctx)
	}
	old := a.state
	a.close()
	a.state = askerState{Signed: s, Index: p.Index}
	err := a.save(ctx, func(tx *store.Tx) error {
		return a.drop(tx, recordBlock, recordTheirs, recordQuestion, recordAsked)
	})
	if err != nil {
		a.state = old
		return err
	}
	return a.s.remove(old.files())
}

// Block appends a block; the last one makes the publication a segment.
func (a *asker) Block(ctx context.Context, b standing.Block) error {
	before := a.state
	a.state.Blocks, a.state.Mark, a.state.Last = b.Index+1, b.Mark, b.Tags[len(b.Tags)-1]
	if b.Last && a.state.Known == (standing.Mark{}) {
		a.state.Known = b.Mark
	}
	err := a.save(ctx, func(tx *store.Tx) error {
		return a.write(tx, recordBlock, int64(b.Index), blockRecord{Tags: joinTags(b.Tags)})
	})
	if err == nil && b.Last {
		err = a.whole(ctx)
	}
	if err != nil {
		a.state = before
	}
	return err
}

// whole turns the blocks into a segment.
func (a *asker) whole(ctx context.Context) error {
	base, err := a.s.build(standing.TagSize, standing.TagSize, func(w *store.SegmentWriter) error {
		for i := range int64(a.state.Blocks) {
			var b blockRecord
			found, err := a.load(ctx, recordBlock, i, &b)
			if err == nil && !found {
				err = fmt.Errorf("block %d is missing", i)
			}
			if err != nil {
				return err
			}
			for tag := range slices.Chunk(b.Tags, standing.TagSize) {
				if err := w.Append(tag); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.state.Base = base
	err = a.save(ctx, func(tx *store.Tx) error { return a.drop(tx, recordBlock) })
	if err != nil {
		return errors.Join(err, a.s.remove(nameOf(base)))
	}
	return nil
}

// Apply takes a run.
func (a *asker) Apply(ctx context.Context, r standing.Run, m standing.Mark) error {
	set, err := a.tags(ctx)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		tags []standing.Tag
		add  bool
	}{{r.Additions, true}, {r.Tombstones, false}} {
		for _, t := range part.tags {
			in, err := set.has(t)
			if err == nil {
				err = standing.CheckMember(m.Run, part.add, in)
			}
			if err != nil {
				return err
			}
		}
	}
	before := a.state
	a.state.Mark = m
	if m.Run >= a.state.Known.Run {
		a.state.Known = m
	}
	if err := a.save(ctx, func(tx *store.Tx) error { return a.write(tx, recordTheirs, int64(m.Run), recordOf(r)) }); err != nil {
		a.state = before
		return err
	}
	set.apply(r.Additions, r.Tombstones)
	if len(set.delta) >= a.s.held {
		return a.fold(ctx)
	}
	return nil
}

// fold writes the partner's set, as the runs have left it, to the file of its publication.
func (a *asker) fold(ctx context.Context) error {
	set := a.set
	base, err := a.s.build(standing.TagSize, standing.TagSize, func(w *store.SegmentWriter) error {
		for t, err := range set.all() {
			if err == nil {
				err = w.Append(t[:])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	before := a.state
	a.state.Base, a.state.Folded = base, a.state.Mark.Run
	if err := a.save(ctx, a.dropFolded); err != nil {
		a.state = before
		return errors.Join(err, a.s.remove(nameOf(base)))
	}
	a.close()
	return a.s.remove(nameOf(before.Base))
}

// dropFolded erases runs that are in Base and whose additions were compared.
func (a *asker) dropFolded(tx *store.Tx) error {
	done := min(a.state.Folded, a.state.MatchedRun)
	if done == 0 {
		return nil
	}
	return tx.DropStanding(a.f.ID, a.number(), recordTheirs, int64(done)+1)
}

// tagSet is a partner's set: its publication and what runs have changed since.
type tagSet struct {
	base  *store.Segment
	delta map[standing.Tag]bool
}

// tags opens the set; it is closed by close.
func (a *asker) tags(ctx context.Context) (*tagSet, error) {
	if a.set != nil {
		return a.set, nil
	}
	set := &tagSet{delta: map[standing.Tag]bool{}}
	err := a.runsAfter(ctx, recordTheirs, a.state.Folded, func(_ uint32, r runRecord) bool {
		set.apply(splitTags(r.Additions), splitTags(r.Tombstones))
		return true
	})
	if err == nil {
		set.base, err = a.s.segment(a.state.Base)
	}
	if err != nil {
		return nil, err
	}
	a.set = set
	return set, nil
}

// close gives the set's file back.
func (a *asker) close() {
	if a.set != nil {
		closing(a.set.base)
		a.set = nil
	}
}

func (s *tagSet) apply(additions, tombstones []standing.Tag) {
	for _, t := range additions {
		s.delta[t] = true
	}
	for _, t := range tombstones {
		s.delta[t] = false
	}
}

// all yields the set in order.
func (s *tagSet) all() iter.Seq2[standing.Tag, error] {
	return func(yield func(standing.Tag, error) bool) {
		changed := slices.SortedFunc(maps.Keys(s.delta), compareTags)
		// upTo yields what was added and is below a tag, or all of it.
		upTo := func(limit *standing.Tag) bool {
			for len(changed) > 0 && (limit == nil || compareTags(changed[0], *limit) < 0) {
				if t := changed[0]; s.delta[t] && !yield(t, nil) {
					return false
				}
				changed = changed[1:]
			}
			return true
		}
		for b, err := range s.base.From(0) {
			if err != nil {
				yield(standing.Tag{}, err)
				return
			}
			t := standing.Tag(b)
			if !upTo(&t) {
				return
			}
			if in, ok := s.delta[t]; ok {
				changed = changed[1:]
				if !in {
					continue
				}
			}
			if !yield(t, nil) {
				return
			}
		}
		upTo(nil)
	}
}

// has tells whether a tag is in the set. Asked in order, each chunk of the file is opened
// once.
func (s *tagSet) has(t standing.Tag) (bool, error) {
	if in, ok := s.delta[t]; ok {
		return in, nil
	}
	if s.base == nil {
		return false, nil
	}
	_, found, err := s.base.Find(t[:])
	return found, err
}

// evaluated is one item with what its evaluation gave.
type evaluated struct {
	standing.Entry
	lookup store.Lookup
}

func appendEntry(b []byte, e evaluated) []byte {
	b = append(append(b, e.Tag[:]...), e.Proof[:]...)
	return append(b, e.lookup[:]...)
}

func evaluatedOf(b []byte) evaluated {
	var e evaluated
	n := copy(e.Tag[:], b)
	n += copy(e.Proof[:], b[n:])
	copy(e.lookup[:], b[n:])
	return e
}

func compareTags(a, b standing.Tag) int { return bytes.Compare(a[:], b[:]) }

func compareLookups(a, b store.Lookup) int { return bytes.Compare(a[:], b[:]) }
