package rounds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/protocol/round"
	"entente/protocol/wire"
)

// Serve is the handler of round.Protocol: it answers one stream of a partner. It
// returns when the stream is done.
func (s *Service) Serve(ctx context.Context, stream Stream) {
	t := newTalk(s, stream, nil)
	err := t.serve(ctx)
	t.end(err)
	if err == nil || t.file == nil {
		if err != nil {
			s.o.Log.Warn("a partner's stream ended", "partner", stream.Member(), "error", err)
		}
		return
	}
	if _, err := s.settleAnswered(ctx, t.file.id, err); err != nil {
		s.o.Log.Error("store round", "round", t.file.id, "error", err)
	}
}

func (t *talk) serve(ctx context.Context) error {
	if err := t.hello(); err != nil {
		return err
	}
	first, err := round.Read(t.conn)
	if err != nil {
		return ignoreEnd(err) // a partner may only want to greet
	}
	id, err := roundOf(first)
	if err != nil {
		return err
	}
	if t.s.busy() {
		return &wire.ProtocolError{Code: wire.Busy, Err: errors.New("too many rounds at once")}
	}
	ctx, free := t.s.claim(ctx, id)
	defer free()
	stop := context.AfterFunc(ctx, t.stream.Reset)
	defer stop()
	for m := first; ; {
		if err := t.reply(ctx, id, m); err != nil {
			return err
		}
		if m, err = round.Read(t.conn); err != nil {
			return ignoreEnd(err)
		}
	}
}

// roundOf reads which round the first message of a stream is about.
func roundOf(m round.Message) (round.ID, error) {
	var b []byte
	switch body := m.Body.(type) {
	case round.Signed:
		offer, err := round.Peek(body)
		if err != nil {
			return round.ID{}, err
		}
		b = offer.Round
	case round.Confirm:
		b = body.Round
	case round.CountersignedNote:
		b = body.Round
	case round.Cancel:
		b = body.Round
	}
	return round.ParseID(b)
}

// reply handles one message of the proposer.
func (t *talk) reply(ctx context.Context, id round.ID, m round.Message) error {
	if t.file == nil {
		if err := t.open(ctx, id, m); err != nil {
			return err
		}
	}
	switch body := m.Body.(type) {
	case round.Cancel:
		return t.cancelled(ctx, body)
	case round.Done:
		return t.receipt(ctx, body)
	}
	if m.Kind == round.KindOffer && t.machine.State() == round.Offered {
		return t.decide(ctx)
	}
	before := t.machine.State()
	out, err := t.machine.Step(m, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	switch {
	case before == round.Answered && t.machine.State() == round.Agreed:
		err = t.agreed(ctx)
	case before == round.Matched && t.machine.State() == round.Closed:
		err = t.closed(ctx)
	}
	if err != nil {
		return err
	}
	if out != nil {
		if err := round.Write(t.conn, *out); err != nil {
			return err
		}
	}
	if c, ok := m.Body.(round.Confirm); ok {
		return t.runs(ctx, int(c.Finished))
	}
	return nil
}

// open finds the round that a stream is about, or takes in a new offer.
func (t *talk) open(ctx context.Context, id round.ID, m round.Message) error {
	f, err := t.s.find(ctx, id)
	switch {
	case err == nil && (f.Partner != t.stream.Member() || f.machine.Proposer()):
		return &wire.ProtocolError{Code: wire.UnknownRound, Err: errors.New("the round belongs to someone else")}
	case err == nil:
		t.use(f)
		return nil
	case !errors.Is(err, ErrUnknownRound):
		return err
	case m.Kind != round.KindOffer:
		return &wire.ProtocolError{Code: wire.UnknownRound, Err: errors.New("the partner speaks of a round that is not known here")}
	}
	parties, err := t.s.parties(t.stream.Member())
	if err != nil {
		return err
	}
	machine, err := round.Receive(m.Body.(round.Signed), parties, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	t.use(newFile(id, t.stream.Member(), machine))
	return t.save(ctx, nil)
}

// receipt signs what the round cost and when it ended.
func (t *talk) receipt(ctx context.Context, d round.Done) error {
	members, err := t.members()
	if err != nil {
		return err
	}
	out, err := t.machine.SignReceipt(d, t.traffic(), members)
	if err != nil {
		return err
	}
	if err := t.save(ctx, nil); err != nil {
		return err
	}
	return round.Write(t.conn, out)
}

// cancelled ends the round by the proposer's wish.
func (t *talk) cancelled(ctx context.Context, c round.Cancel) error {
	t.machine.End(round.Cancelled, wire.Cancelled)
	if err := t.save(ctx, t.s.ending(t.file)); err != nil {
		return err
	}
	return round.Write(t.conn, round.Message{Kind: round.KindCancelled, Body: round.CancelledNote{Round: c.Round}})
}

// settleAnswered notes what a broken conversation means for a round that a partner
// proposed. A lost link means nothing: the partner comes back.
func (s *Service) settleAnswered(ctx context.Context, id round.ID, err error) (bool, error) {
	var broke *wire.ProtocolError
	if !errors.As(err, &broke) || broke.Code == wire.Busy {
		return false, nil
	}
	f, ferr := s.find(ctx, id)
	if ferr != nil || f.machine.State().Over() {
		return true, ferr
	}
	f.machine.End(round.Failed, broke.Code)
	f.Note = noteOf(err)
	return true, s.put(ctx, f, s.ending(f))
}

// ignoreNothing turns "nothing may take part" into a refusal.
func ignoreNothing(err error) error {
	if errors.Is(err, ErrNothing) {
		return nil
	}
	return err
}

// ignoreEnd treats the orderly end of a stream as success.
func ignoreEnd(err error) error {
	if isEnd(err) {
		return nil
	}
	return fmt.Errorf("read from partner: %w", err)
}
