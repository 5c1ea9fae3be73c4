package rounds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Serve is the handler of round.Protocol: it answers one stream of a partner. It
// returns when the stream is done.
func (s *Service) Serve(ctx context.Context, stream Stream) {
	t := newTalk(s, stream, nil)
	err := t.serve(ctx)
	t.end(err)
	if t.file != nil {
		s.conclude(ctx, t.file.id)
	}
	if err != nil && ctx.Err() == nil {
		s.o.Log.Info("a partner's stream ended", "partner", stream.Member(), "error", err)
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
	if err := t.s.owned(ctx, id, t.stream.Member()); err != nil {
		return err
	}
	ctx, free, err := t.s.claim(ctx, id, answering, t.stream.Member())
	if err != nil {
		return err
	}
	defer free()
	stop := context.AfterFunc(ctx, t.stream.Reset)
	defer stop()
	err = t.answer(ctx, id, first)
	if err != nil && t.file != nil && ctx.Err() == nil {
		err = errors.Join(err, t.s.settleAnswered(ctx, t, err))
	}
	return err
}

// answer replies to one message after the other until the proposer has said all.
func (t *talk) answer(ctx context.Context, id round.ID, m round.Message) error {
	for {
		if err := t.reply(ctx, id, m); err != nil {
			return err
		}
		var err error
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
	if t.machine.Expire(time.Now().UnixMilli()) {
		if err := t.save(ctx, t.s.ending(t.file)); err != nil {
			return err
		}
		return &round.OverError{Code: wire.Expired}
	}
	switch body := m.Body.(type) {
	case round.Cancel:
		return t.cancelled(ctx, body)
	case round.Done:
		return t.receipt(ctx, body)
	}
	before := t.machine.State()
	out, err := t.machine.Step(m, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	switch {
	case m.Kind == round.KindOffer && before == round.Offered:
		out, err = t.decide(ctx)
	case before == round.Answered && t.machine.State() == round.Agreed:
		err = t.agreed(ctx, false)
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
	if c, ok := m.Body.(round.Confirm); ok && !t.machine.State().Over() { // what is closed does not run again
		return t.runs(ctx, int(c.Finished))
	}
	return nil
}

// owned refuses a stream about a round of somebody else, before it can disturb that
// round. An unknown round is nobody's.
func (s *Service) owned(ctx context.Context, id round.ID, partner string) error {
	f, err := s.find(ctx, id)
	if errors.Is(err, ErrUnknownRound) {
		return nil
	}
	if err == nil && !f.answers(partner) {
		return errNotYours
	}
	return err
}

// errNotYours says of somebody else's round what is said of one that does not exist.
var errNotYours error = &wire.ProtocolError{Code: wire.UnknownRound, Err: errors.New("the round belongs to someone else")}

// answers tells whether the round was proposed by this partner.
func (f *file) answers(partner string) bool { return f.Partner == partner && !f.machine.Proposer() }

// offersADay bounds how many offers of one partner are looked at in a day: each
// leaves a record that must never be deleted, lest it could be replayed.
const offersADay = 1000

// open finds the round that a stream is about, or takes in a new offer.
func (t *talk) open(ctx context.Context, id round.ID, m round.Message) error {
	f, err := t.s.find(ctx, id)
	switch {
	case err == nil && !f.answers(t.stream.Member()): // it came into being after owned had looked
		return errNotYours
	case err == nil:
		t.use(f)
		return t.s.current(f)
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
	if err := fits(machine.Offer()); err != nil {
		return err
	}
	t.use(newFile(id, t.stream.Member(), machine))
	return t.save(ctx, func(tx *store.Tx) error {
		today := "offers " + day(time.Now())
		n, err := tx.Quota(t.stream.Member(), today)
		if err != nil {
			return err
		}
		if n >= offersADay {
			return &wire.ProtocolError{Code: wire.Busy, Err: errors.New("the partner makes too many offers")}
		}
		return tx.AddQuota(t.stream.Member(), today, 1)
	})
}

// receipt signs what the round cost and when it ended.
func (t *talk) receipt(ctx context.Context, d round.Done) error {
	members, err := t.members()
	if err != nil {
		return err
	}
	again := t.machine.Accounted()
	out, err := t.machine.SignReceipt(d, t.traffic(), members)
	if err != nil {
		return err
	}
	if !again { // asking for it again prolongs nothing
		if err := t.save(ctx, nil); err != nil {
			return err
		}
	}
	return round.Write(t.conn, out)
}

// cancelled ends the round by the proposer's wish.
func (t *talk) cancelled(ctx context.Context, c round.Cancel) error {
	if t.machine.Accounted() { // it has this side's signed receipt, and owes its own
		return &wire.ProtocolError{Code: wire.Unexpected, Err: errors.New("the round has run and cannot be cancelled")}
	}
	t.machine.End(round.Cancelled, wire.Cancelled)
	if err := t.save(ctx, t.s.ending(t.file)); err != nil {
		return err
	}
	return round.Write(t.conn, round.Message{Kind: round.KindCancelled, Body: round.CancelledNote{Round: c.Round}})
}

// settleAnswered notes what a broken conversation means for a round that a partner
// proposed. A lost link means nothing but its cost: the partner comes back.
func (s *Service) settleAnswered(ctx context.Context, t *talk, err error) error {
	state, code, over := verdict(err)
	f, ferr := s.find(ctx, t.file.id)
	if errors.Is(ferr, ErrUnknownRound) || ferr == nil && f.machine.State().Over() {
		return nil
	}
	if ferr != nil {
		return ferr
	}
	var broke *wire.ProtocolError
	sum := t.traffic()
	running := f.machine.State() == round.Agreed || f.machine.State() == round.Matched
	f.Sent, f.Received = sum.Sent, sum.Received
	switch {
	case over && errors.As(err, &broke) && f.machine.Accounted():
		return s.put(ctx, f, nil) // only the proposer's signature is missing: it may still come whole
	case over:
		f.machine.End(state, code)
		f.Note = noteOf(err)
		return s.put(ctx, f, s.ending(f))
	case running:
		return s.put(ctx, f, nil)
	}
	return nil
}

// ignoreNothing turns "nothing may take part", or too much, into a refusal.
func ignoreNothing(err error) error {
	if errors.Is(err, ErrNothing) || errors.Is(err, errTooLong) {
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
