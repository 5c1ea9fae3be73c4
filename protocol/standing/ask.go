package standing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"entente/crypto/oprf"
	"entente/protocol/round"
	"entente/protocol/tags"
	"entente/protocol/wire"
)

// asker is the asker's side of one sync.
type asker struct {
	*Session
	cache  Cache
	queue  Asking
	state  State
	mark   Mark // of the cache
	public *oprf.PublicKey
	sum    Summary
}

func ask(ctx context.Context, rw io.ReadWriter, s Session, c Cache, q Asking) (Summary, error) {
	if err := s.check(true); err != nil {
		wire.Reset(rw)
		return Summary{}, err
	}
	a := &asker{Session: &s, cache: c, queue: q}
	l, err := converse(ctx, rw, holderLimit, kindFeedDone, a.run)
	a.sum.Mark, a.sum.Sent, a.sum.Got = a.mark, l.conn.Sent(), l.conn.Received()
	return a.sum, in(&s, "asker", err)
}

// check refuses a session that no agreement can have led to.
func (s *Session) check(asker bool) error {
	switch {
	case s.Feed > 1, s.Asker != asker:
		return fmt.Errorf("session: feed %d from the wrong side", s.Feed)
	case s.Key == nil, s.PeerKey == nil, s.Now == nil:
		return errors.New("session: a key or the clock is missing")
	case s.PeriodSeconds == 0, s.Cadence == 0, s.Tags > MaxTags, s.Queries > MaxTags, s.Checks > MaxChecks:
		return errors.New("session: bounds that nobody can have agreed on")
	}
	return nil
}

// run is one sync, in the order of the frames.
func (a *asker) run(ctx context.Context, l *line) error {
	if err := a.open(ctx, l); err != nil {
		return err
	}
	position, err := a.begin(ctx, l)
	if err != nil {
		return err
	}
	if err := a.publication(ctx, l); err != nil {
		return err
	}
	if err := a.runs(ctx, l, position.Last); err != nil {
		return err
	}
	receipt, err := signApplied(a.Session, a.state.Period.Index, a.mark)
	if err != nil {
		return err
	}
	if err := l.send(kindApplied, receipt); err != nil {
		return err
	}
	if err := a.questions(ctx, l, position.Account); err != nil {
		return err
	}
	if err := l.sendLast(kindQuestionsDone); err != nil {
		return err
	}
	_, err = l.next(ctx, kindFeedDone)
	return err
}

// open states what the cache holds.
func (a *asker) open(ctx context.Context, l *line) (err error) {
	if a.state, err = a.cache.State(ctx); err != nil {
		return fmt.Errorf("read cache: %w", err)
	}
	m := stateMessage{Agreement: a.Agreement, Feed: a.Feed}
	if p := &a.state.Period; p.Index > 0 {
		m.Index, m.Body, m.Blocks = p.Index, bodyDigest(a.state.Signed.Body), a.state.Blocks
		if a.mark = Publishing(a.Agreement, a.Feed, p.Index, p.Class); m.Blocks > 0 {
			a.mark, m.Mark = a.state.Mark, a.state.Mark
		}
	}
	return l.send(kindState, m)
}

// begin takes the period, if one comes, and the holder's position.
func (a *asker) begin(ctx context.Context, l *line) (positionMessage, error) {
	f, err := l.next(ctx, kindPeriod, kindPosition)
	if err == nil && f.kind == kindPeriod {
		if err = a.takePeriod(ctx, f.body); err == nil {
			f, err = l.next(ctx, kindPosition)
		}
	}
	if err != nil {
		return positionMessage{}, err
	}
	p := &a.state.Period
	if p.Index == 0 {
		return positionMessage{}, fault(wire.Unexpected, "a position came before any tag period")
	}
	if a.public, err = oprf.ParsePublicKey(oprf.Batched, p.Public[:]); err != nil {
		return positionMessage{}, fmt.Errorf("read cache: %w", err)
	}
	a.sum.Index = p.Index
	m, err := decode[positionMessage](f.body)
	switch {
	case err != nil:
		return m, err
	case m.Last > MaxRuns:
		return m, fault(wire.TooLarge, "%d runs", m.Last)
	case m.Last < a.mark.Run, m.Last < a.state.Known.Run:
		return m, fault(wire.Replayed, "the partner is at run %d, and was at %d", m.Last, max(a.mark.Run, a.state.Known.Run))
	case m.Account.Next > MaxChunks:
		return m, fault(wire.TooLarge, "%d chunks of questions", m.Account.Next)
	case m.Account.Acknowledged > m.Account.Next:
		return m, fault(wire.Malformed, "the account of questions contradicts itself")
	}
	return m, nil
}

// takePeriod begins a publication: that of a new period, or the same once more.
func (a *asker) takePeriod(ctx context.Context, body []byte) error {
	s, err := decode[round.Signed](body)
	if err != nil {
		return err
	}
	p, err := OpenPeriod(*a.Session, a.PeerKey, s)
	if err != nil {
		return err
	}
	known := a.state.Known
	switch before := a.state.Period.Index; {
	case p.Index < before:
		return fault(wire.Replayed, "tag period %d came after %d", p.Index, before)
	case p.Index > before:
		known = Mark{}
	case !bytes.Equal(s.Body, a.state.Signed.Body):
		return &Equivocation{Index: p.Index, Signed: s, cause: fault(wire.Replayed, "tag period %d came in two forms", p.Index)}
	}
	if err := p.current(a.Now().UnixMilli()); err != nil {
		return err
	}
	if err := a.cache.Begin(ctx, p, s); err != nil {
		return fmt.Errorf("begin cache: %w", err)
	}
	a.state = State{Signed: s, Period: p, Known: known}
	a.mark = Publishing(a.Agreement, a.Feed, p.Index, p.Class)
	a.sum.Begun = true
	return nil
}

// publication takes the blocks that the cache lacks.
func (a *asker) publication(ctx context.Context, l *line) error {
	p := &a.state.Period
	code, err := tags.NewCode(int(p.Class))
	if err != nil {
		return err
	}
	var last *Tag
	if a.state.Blocks > 0 {
		last = &a.state.Last
	}
	for i, total := a.state.Blocks, blocksOf(p.Class); i < total; i++ {
		f, err := l.next(ctx, kindBlock)
		if err != nil {
			return err
		}
		b := Block{Index: i, Last: i == total-1}
		if b.Tags, err = decodeBlock(code, f.body, i, last, tagsIn(p.Class, i)); err != nil {
			return err
		}
		last = &b.Tags[len(b.Tags)-1]
		b.Mark = a.mark.AfterBlock(b.Tags)
		if b.Last && b.Mark.Digest != p.Digest {
			return a.wrongPublication(ctx)
		}
		if err := a.cache.Block(ctx, b); err != nil {
			return fmt.Errorf("write cache: %w", err)
		}
		a.mark = b.Mark
		a.sum.Blocks++
	}
	return nil
}

// wrongPublication drops a publication that is not the signed one, so that the next sync
// begins it anew.
func (a *asker) wrongPublication(ctx context.Context) error {
	if err := a.cache.Begin(ctx, a.state.Period, a.state.Signed); err != nil {
		return fmt.Errorf("begin cache: %w", err)
	}
	return fault(wire.Altered, "the publication is not the one that was signed")
}

// runs takes the runs up to the last one that the holder has stated.
func (a *asker) runs(ctx context.Context, l *line, last uint32) error {
	for a.mark.Run < last {
		f, err := l.next(ctx, kindRun)
		if err != nil {
			return err
		}
		r, after, err := a.takeRun(ctx, l, f.body)
		if err != nil {
			return err
		}
		if err := a.cache.Apply(ctx, r, after); err != nil {
			return fmt.Errorf("apply run %d: %w", after.Run, err)
		}
		a.mark = after
		a.sum.Runs++
	}
	f, err := l.next(ctx, kindRunsDone)
	if err != nil {
		return err
	}
	m, err := decode[runsDoneMessage](f.body)
	if err == nil && m.Last != last {
		err = fault(wire.Malformed, "runs end with %d, stated was %d", m.Last, last)
	}
	return err
}

// takeRun reads one run and checks it against the mark before.
func (a *asker) takeRun(ctx context.Context, l *line, body []byte) (r Run, after Mark, err error) {
	if r.Signed, err = decode[round.Signed](body); err != nil {
		return r, after, err
	}
	if r.Header, err = OpenRun(a.PeerKey, r); err != nil {
		return r, after, err
	}
	h := &r.Header
	if err = h.check(a.Session, a.state.Period.Index, a.mark); err != nil {
		return r, after, err
	}
	if known := a.state.Known; h.Number == known.Run && h.Digest != known.Digest {
		cause := fault(wire.Replayed, "run %d came in two forms", h.Number)
		return r, after, &Equivocation{Index: h.Index, Run: h.Number, Signed: r.Signed, cause: cause}
	}
	if r.Additions, err = takeTags(ctx, l, h.Additions); err != nil {
		return r, after, err
	}
	if r.Tombstones, err = takeTags(ctx, l, h.Tombstones); err != nil {
		return r, after, err
	}
	after, err = r.apply(a.mark)
	return r, after, err
}

// takeTags reads one list of a run.
func takeTags(ctx context.Context, l *line, n uint32) ([]Tag, error) {
	list := make([]Tag, 0, min(n, BlockTags)) // no more on the holder's word
	for i := range blocksOf(n) {
		f, err := l.next(ctx, kindTags)
		if err != nil {
			return nil, err
		}
		var last *Tag
		if i > 0 {
			last = &list[len(list)-1]
		}
		part, err := decodeTags(f.body, i, last, tagsIn(n, i))
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	return list, nil
}
