package standing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"entente/protocol/round"
	"entente/protocol/tags"
	"entente/protocol/wire"
)

// holder is the holder's side of one sync.
type holder struct {
	*Session
	shelf    Shelf
	meter    Meter
	receipts Receipts
	open     Open
	first    uint32 // block from which the publication goes out
	mark     Mark   // of the asker's cache
	last     Mark   // newest one of the shelf
	sum      Summary
}

func hold(ctx context.Context, rw io.ReadWriter, s Session, shelf Shelf, m Meter, r Receipts) (Summary, error) {
	if err := s.check(false); err != nil {
		wire.Reset(rw)
		return Summary{}, err
	}
	h := &holder{Session: &s, shelf: shelf, meter: m, receipts: r}
	l, err := converse(ctx, rw, askerLimit, kindQuestionsDone, h.run)
	h.sum.Mark, h.sum.Sent, h.sum.Got = h.mark, l.conn.Sent(), l.conn.Received()
	return h.sum, in(&s, "holder", err)
}

// run is one sync, in the order of the frames.
func (h *holder) run(ctx context.Context, l *line) error {
	f, err := l.next(ctx, kindState)
	if err != nil {
		return err
	}
	state, err := decode[stateMessage](f.body)
	if err != nil {
		return err
	}
	if err := h.current(ctx); err != nil {
		return err
	}
	if err := h.meet(ctx, l, state); err != nil {
		return err
	}
	position, err := h.meter.Position(ctx, h.open.Period.Index)
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	if err := l.send(kindPosition, positionMessage{Last: h.last.Run, Account: position}); err != nil {
		return err
	}
	if err := h.publication(ctx, l); err != nil {
		return err
	}
	if err := h.runs(ctx, l); err != nil {
		return err
	}
	if err := h.receipt(ctx, l); err != nil {
		return err
	}
	if err := h.answers(ctx, l, position); err != nil {
		return err
	}
	return l.sendLast(kindFeedDone)
}

// current takes the period in force from the shelf.
func (h *holder) current(ctx context.Context) (err error) {
	if h.open, err = h.shelf.Period(ctx); err != nil {
		return fmt.Errorf("read shelf: %w", err)
	}
	p := &h.open.Period
	if err := p.check(h.Session); err != nil {
		return fmt.Errorf("read shelf: %v", err) // own fault, so the peer is told "internal"
	}
	if h.open.Key == nil || !bytes.Equal(h.open.Key.Public().Bytes(), p.Public[:]) {
		return errors.New("read shelf: the key is not that of the tag period")
	}
	found := false
	if h.last, found, err = h.shelf.Mark(ctx, p.Index, Latest); err == nil && !found {
		err = errors.New("there is no newest mark")
	}
	if err != nil {
		return fmt.Errorf("read shelf: %w", err)
	}
	h.sum.Index = p.Index
	return nil
}

// meet finds out from where on the asker needs what is published, and sends the period if
// it has to begin anew.
func (h *holder) meet(ctx context.Context, l *line, s stateMessage) error {
	p := &h.open.Period
	switch {
	case s.Agreement != h.Agreement, s.Feed != h.Feed:
		return fault(wire.Altered, "the asker means another feed")
	case s.Index > p.Index:
		return fault(wire.UnknownRound, "the asker is in tag period %d, here %d is in force", s.Index, p.Index)
	case s.Index == 0 && s != stateMessage{Agreement: s.Agreement, Feed: s.Feed}:
		return fault(wire.Malformed, "a state without a tag period")
	}
	if s.Index == p.Index && s.Body == bodyDigest(h.open.Signed.Body) {
		known, err := h.known(ctx, s)
		if known || err != nil {
			return err
		}
	}
	h.first, h.mark = 0, Publishing(h.Agreement, h.Feed, p.Index, p.Class)
	h.sum.Begun = true
	return l.send(kindPeriod, h.open.Signed)
}

// known tells whether the asker's cache is a state that this side has published.
func (h *holder) known(ctx context.Context, s stateMessage) (bool, error) {
	p := &h.open.Period
	total := blocksOf(p.Class)
	h.first, h.mark = s.Blocks, s.Mark
	switch {
	case s.Blocks > total:
		return false, fault(wire.Malformed, "the asker has %d blocks of %d", s.Blocks, total)
	case s.Blocks == 0 && s.Mark != Mark{}:
		return false, fault(wire.Malformed, "a mark without a block")
	case s.Blocks == 0:
		h.mark = Publishing(h.Agreement, h.Feed, p.Index, p.Class)
		return true, nil
	case s.Blocks < total:
		if s.Mark.Run != 0 || s.Mark.Removed != 0 || s.Mark.Living != s.Blocks*BlockTags {
			return false, fault(wire.Malformed, "a mark that does not fit %d blocks", s.Blocks)
		}
		return true, nil
	}
	own, found, err := h.shelf.Mark(ctx, p.Index, s.Mark.Run)
	if err != nil {
		return false, fmt.Errorf("read shelf: %w", err)
	}
	return found && own == s.Mark && s.Mark.Run <= h.last.Run, nil
}

// publication sends the blocks that the asker lacks.
func (h *holder) publication(ctx context.Context, l *line) error {
	p := &h.open.Period
	if h.first == blocksOf(p.Class) {
		return nil
	}
	code, err := tags.NewCode(int(p.Class))
	if err != nil {
		return err
	}
	// A block is coded from the tag before it on, so reading begins a block earlier. Digests
	// of blocks sent before are the asker's to check.
	from := h.first - min(h.first, 1)
	var last *Tag
	for b, err := range blocks(h.shelf.Publication(ctx, p.Index, from), p.Class, Mark{Living: from * BlockTags}, from) {
		if err != nil {
			return fmt.Errorf("read shelf: %w", err)
		}
		before := last
		if last = &b.Tags[len(b.Tags)-1]; b.Index < h.first {
			continue
		}
		body, err := encodeBlock(code, b.Index, before, b.Tags)
		if err != nil {
			return fmt.Errorf("read shelf: %w", err)
		}
		if err := l.sendBytes(kindBlock, body); err != nil {
			return err
		}
		h.sum.Blocks++
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	if h.mark, _, err = h.shelf.Mark(ctx, p.Index, 0); err != nil {
		return fmt.Errorf("read shelf: %w", err)
	}
	return nil
}

// runs sends the runs that the asker lacks, up to the one that was stated.
func (h *holder) runs(ctx context.Context, l *line) error {
	if h.mark.Run < h.last.Run {
		for r, err := range h.shelf.Runs(ctx, h.open.Period.Index, h.mark.Run) {
			if err == nil && (r.Header.Number != h.mark.Run+1 || len(r.Additions) != int(r.Header.Additions) ||
				len(r.Tombstones) != int(r.Header.Tombstones)) {
				err = fmt.Errorf("run %d after %d is not what it says", r.Header.Number, h.mark.Run)
			}
			if err != nil {
				return fmt.Errorf("read shelf: %w", err)
			}
			if err := sendRun(l, r); err != nil {
				return err
			}
			h.mark.Run++
			h.sum.Runs++
			if h.mark.Run == h.last.Run {
				break
			}
		}
	}
	if h.mark.Run != h.last.Run {
		return fmt.Errorf("read shelf: run %d is missing", h.mark.Run+1)
	}
	h.mark = h.last
	return l.send(kindRunsDone, runsDoneMessage{Last: h.last.Run})
}

func sendRun(l *line, r Run) error {
	if err := l.send(kindRun, r.Signed); err != nil {
		return err
	}
	for _, list := range [][]Tag{r.Additions, r.Tombstones} {
		for i := range blocksOf(uint32(len(list))) {
			from := int(i) * BlockTags
			if err := l.sendBytes(kindTags, encodeTags(i, list[from:min(from+BlockTags, len(list))])); err != nil {
				return err
			}
		}
	}
	return nil
}

// receipt takes the asker's signature under what it now holds.
func (h *holder) receipt(ctx context.Context, l *line) error {
	f, err := l.next(ctx, kindApplied)
	if err != nil {
		return err
	}
	s, err := decode[round.Signed](f.body)
	if err != nil {
		return err
	}
	a, err := OpenApplied(h.PeerKey, s)
	if err != nil {
		return err
	}
	if err := a.fits(h.Session, h.open.Period.Index, h.mark, h.Now().UnixMilli()); err != nil {
		return err
	}
	if err := h.receipts.Applied(ctx, a, s); err != nil {
		return fmt.Errorf("store receipt: %w", err)
	}
	return nil
}
