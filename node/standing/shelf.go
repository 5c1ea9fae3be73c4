package standing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"time"

	"entente/crypto/oprf"
	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// shelfState is what a holder keeps of a feed, besides its runs. The key derives from the
// subscription's secret and the nonce: without the nonce nobody can derive it again.
type shelfState struct {
	_         struct{}     `codec:",toarray"`
	Signed    round.Signed // the tag period; empty: none yet
	Nonce     [32]byte
	Dummies   [32]byte // seed of the dummies' inputs
	Next      uint32   // place of the next dummy
	Gone      []uint32 // places of dummies that runs have removed, ascending
	Tags      []byte   // segment: the publication, sorted
	Published []byte   // segment: lookup, tag and whether it is published, by lookup
	Last      standing.Mark
	Seen      int64  // of the log of changes
	Made      int64  // the due time that has its run, in Unix milliseconds
	Changed   uint32 // items in delta records
	Renew     bool   // a person, or an event, wants a new tag period
	LastIndex uint32
	SentDay   int64  // Sent counts on this day since 1970
	Sent      uint64 // tags of the publication that went out
}

// publicationsADay bounds how often the whole publication goes out to one partner: one that
// begins anew again and again would have this side read and send it without end.
const publicationsADay = 8

// dummies is how many dummies are in the partner's hands.
func (s *shelfState) dummies() int { return int(s.Next) - len(s.Gone) }

// retire takes so many dummies off, each of those in the partner's hands as likely as any
// other: if dummies went by age, a tombstone of a young tag would be a real one.
func (s *shelfState) retire(n int) ([]uint32, error) {
	living := make([]uint32, 0, s.dummies())
	gone := s.Gone
	for place := range s.Next {
		if len(gone) > 0 && gone[0] == place {
			gone = gone[1:]
			continue
		}
		living = append(living, place)
	}
	for i := range n {
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(living)-i)))
		if err != nil {
			return nil, fmt.Errorf("draw dummies: %w", err)
		}
		j := i + int(k.Int64())
		living[i], living[j] = living[j], living[i]
	}
	out := living[:n]
	s.Gone = append(slices.Clone(s.Gone), out...)
	slices.Sort(s.Gone)
	return out, nil
}

// shelf is a holder's feed. It implements standing.Shelf.
type shelf struct {
	*feed
	state  shelfState
	loaded bool
	// opening, if set, is used while a tag period is opened: it outlives the stream in which the
	// partner asks for it, so that a broken link does not lose the work.
	opening context.Context
}

func (x *feed) shelf() *shelf { return &shelf{feed: x} }

func (h *shelf) get(ctx context.Context) error {
	if h.loaded {
		return nil
	}
	_, err := h.load(ctx, recordShelf, 0, &h.state)
	h.loaded = err == nil
	return err
}

// current tells whether there is a tag period in force.
func (h *shelf) current() (standing.Period, bool) {
	if len(h.state.Signed.Body) == 0 || h.state.Renew {
		return standing.Period{}, false
	}
	var p standing.Period
	if wire.Unmarshal(h.state.Signed.Body, &p) != nil {
		return p, false
	}
	return p, now().UnixMilli() < p.Ends
}

// key derives the holder's key of the tag period.
func (h *shelf) key(index uint32) (*oprf.Key, error) {
	if h.state.Nonce == [32]byte{} {
		return nil, standing.ErrOver
	}
	return standing.HolderKey(h.f.Secret, h.session.Agreement, h.session.Feed, index, h.state.Nonce)
}

// Period returns the tag period in force, and opens a new one when none is.
func (h *shelf) Period(ctx context.Context) (standing.Open, error) {
	if err := h.get(ctx); err != nil {
		return standing.Open{}, err
	}
	p, ok := h.current()
	if !ok {
		if h.opening != nil {
			ctx = h.opening
		}
		free := h.s.firmly(h.f.ID)
		err := h.begin(ctx)
		free()
		if err != nil {
			return standing.Open{}, fmt.Errorf("open a tag period: %w", err)
		}
		if p, ok = h.current(); !ok {
			return standing.Open{}, standing.ErrOver
		}
	}
	key, err := h.key(p.Index)
	return standing.Open{Period: p, Signed: h.state.Signed, Key: key}, err
}

// Publication yields the tags of the period's publication from the first of a block on.
func (h *shelf) Publication(ctx context.Context, index, block uint32) iter.Seq2[standing.Tag, error] {
	return func(yield func(standing.Tag, error) bool) {
		if err := h.in(index); err != nil {
			yield(standing.Tag{}, err)
			return
		}
		g, err := h.s.segment(h.state.Tags)
		if err == nil {
			err = h.maySend(g.Len())
		}
		if err != nil {
			closing(g)
			yield(standing.Tag{}, err)
			return
		}
		defer closing(g)
		sent := uint64(0)
		defer func() { h.noteSent(ctx, sent) }()
		for entry, err := range g.From(int64(block) * standing.BlockTags) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(standing.Tag{}, err)
				return
			}
			sent++
			if !yield(standing.Tag(entry), nil) {
				return
			}
		}
	}
}

// maySend turns a partner away that has begun a publication of so many tags too often today.
func (h *shelf) maySend(tags int64) error {
	if today := epochDay(now()); h.state.SentDay != today {
		h.state.SentDay, h.state.Sent = today, 0
	}
	if h.state.Sent >= publicationsADay*uint64(tags) {
		return &wire.ProtocolError{Code: wire.Busy, Err: errors.New("the partner takes the publication too often")}
	}
	return nil
}

// noteSent counts tags that went out, also when the stream broke.
func (h *shelf) noteSent(ctx context.Context, n uint64) {
	h.state.Sent += n
	err := h.s.o.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return h.write(tx, recordShelf, 0, h.state) })
	if err != nil {
		h.s.o.Log.Error("count what was published", "subscription", h.f.ID, "error", err)
	}
}

// epochDay numbers the UTC days since 1970.
func epochDay(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

func (h *shelf) in(index uint32) error {
	if p, ok := h.current(); !ok || p.Index != index {
		return standing.ErrOver
	}
	return nil
}

// Runs yields the runs above a number.
func (h *shelf) Runs(ctx context.Context, index, after uint32) iter.Seq2[standing.Run, error] {
	return func(yield func(standing.Run, error) bool) {
		err := h.in(index)
		for number := after + 1; err == nil && number <= h.state.Last.Run; number++ {
			var rec runRecord
			var found bool
			if found, err = h.load(ctx, recordRun, int64(number), &rec); err == nil && !found {
				err = fmt.Errorf("run %d is missing", number)
			}
			r := standing.Run{Signed: rec.Signed, Additions: splitTags(rec.Additions), Tombstones: splitTags(rec.Tombstones)}
			if err == nil {
				r.Header, err = standing.OpenRun(h.s.o.Key().Public(), r)
			}
			if err == nil && !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(standing.Run{}, err)
		}
	}
}

// Mark returns the mark after a run.
func (h *shelf) Mark(ctx context.Context, index, run uint32) (m standing.Mark, found bool, err error) {
	if err := h.get(ctx); err != nil {
		return m, false, err
	}
	if err := h.in(index); err != nil {
		return m, false, err
	}
	if run == standing.Latest {
		return h.state.Last, true, nil
	}
	found, err = h.load(ctx, recordMark, int64(run), &m)
	return m, found, err
}

// published answers which items are in the partner's hands: the segment of the publication
// and what runs have changed since.
type published struct {
	base  *store.Segment
	delta map[store.Lookup]item
}

type item struct {
	tag standing.Tag
	in  bool
}

func (h *shelf) published(ctx context.Context) (*published, error) {
	p := &published{delta: make(map[store.Lookup]item, h.state.Changed)}
	err := h.s.o.Store.View(ctx, func(tx *store.Tx) error {
		for rec, err := range tx.StandingRange(h.f.ID, h.number(), recordDelta, 0) {
			if err != nil {
				return err
			}
			for e := range slices.Chunk(rec.Value, itemSize) {
				p.delta[store.Lookup(e)] = itemOf(e)
			}
		}
		return nil
	})
	if err == nil {
		p.base, err = h.s.segment(h.state.Published)
	}
	return p, err
}

func itemOf(entry []byte) item {
	return item{standing.Tag(entry[lookupSize:]), entry[itemSize-1] == 1}
}

func appendItem(b []byte, l store.Lookup, i item) []byte {
	b = append(append(b, l[:]...), i.tag[:]...)
	if i.in {
		return append(b, 1)
	}
	return append(b, 0)
}

func (p *published) find(l store.Lookup) (item, error) {
	if i, ok := p.delta[l]; ok {
		return i, nil
	}
	if p.base == nil {
		return item{}, nil
	}
	entry, found, err := p.base.Find(l[:])
	if !found || err != nil {
		return item{}, err
	}
	return itemOf(entry), nil
}

// difference compares changed values with what is published: what is to be added, and the
// tags that are to go. Removed are looked for alone if that is all that is asked.
type difference struct {
	adds    []store.Eligible
	removes []store.Lookup
	tags    []standing.Tag // of removes
	upTo    int64
}

func (h *shelf) difference(ctx context.Context, c changes, removalsOnly bool) (difference, error) {
	d := difference{upTo: c.upTo}
	p, err := h.published(ctx)
	if err != nil {
		return d, err
	}
	defer closing(p.base)
	items := make([]item, len(c.lookups))
	ask := c.sorted()
	if removalsOnly {
		ask = nil
	}
	for i, l := range c.lookups {
		if items[i], err = p.find(l); err != nil {
			return d, err
		}
		if removalsOnly && items[i].in {
			ask = append(ask, l)
		}
	}
	eligible, err := h.s.eligible(ctx, h.f, ask)
	if err != nil {
		return d, err
	}
	for i, l := range c.lookups {
		e, takesPart := eligible[l]
		switch {
		case items[i].in && !takesPart:
			d.removes, d.tags = append(d.removes, l), append(d.tags, items[i].tag)
		case !items[i].in && takesPart:
			d.adds = append(d.adds, e)
		}
	}
	return d, nil
}

// mustGo tells whether the partner is to be told something at once: that a value which is
// published no longer takes part, or that its tags are worth nothing any more. A tag period
// whose time is over does not hide the former: the partner still has its tags.
func (h *shelf) mustGo(ctx context.Context) (bool, error) {
	if err := h.get(ctx); err != nil || len(h.state.Signed.Body) == 0 {
		return false, err
	}
	if h.state.Renew {
		return true, nil
	}
	id := feedID{h.f.ID, h.session.Feed}
	peeked := peek{index: h.state.LastIndex, run: h.state.Last.Run, upTo: h.state.Seen}
	h.s.mu.Lock()
	if p := h.s.peeked[id]; p.index == peeked.index && p.run == peeked.run {
		peeked.upTo = max(peeked.upTo, p.upTo)
	}
	h.s.mu.Unlock()
	c, err := h.s.changes(ctx, peeked.upTo)
	if err != nil || c.all {
		return c.all, err
	}
	d, err := h.difference(ctx, c, true)
	if damaged(err) { // the sync notices too, and publishes anew
		return true, nil
	}
	if err != nil || len(d.removes) > 0 {
		return len(d.removes) > 0, err
	}
	peeked.upTo = c.upTo
	h.s.mu.Lock()
	h.s.peeked[id] = peeked
	h.s.mu.Unlock()
	return false, nil
}

// renew makes the next sync open a new tag period, and destroys the key of the old one.
func (h *shelf) renew(tx *store.Tx) error {
	found, err := h.read(tx, recordShelf, 0, &h.state)
	if err != nil || !found {
		return err
	}
	h.state.Renew, h.state.Nonce = true, [32]byte{}
	return h.write(tx, recordShelf, 0, h.state)
}

var errGrown = errors.New("with its dummies the list is longer than the agreed number of tags: end the standing round and make a new one")
