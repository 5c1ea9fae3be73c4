package rounds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/protocol/exact"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// drive brings one own proposal to its end: it talks, waits while a person on the
// other side decides, and comes back after every disconnect until time runs out.
func (s *Service) drive(ctx context.Context, id round.ID) {
	pause := pollFirst
	for ctx.Err() == nil {
		before := s.mark(ctx, id)
		over, err := s.attempt(ctx, id)
		if over {
			if err != nil && ctx.Err() == nil {
				s.o.Log.Error("a round stopped", "round", id, "error", err)
			}
			return
		}
		if s.mark(ctx, id) != before {
			pause = pollFirst // it moved: try again soon
		}
		s.o.Log.Info("round goes on later", "round", id, "pause", pause, "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, pollLast)
	}
}

// mark changes whenever a round has come further.
func (s *Service) mark(ctx context.Context, id round.ID) string {
	f, err := s.find(ctx, id)
	if err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(f.machine.State(), f.machine.Finished(), s.progress[id].done)
}

// attempt opens one stream, talks as far as it goes, and stores what that means for
// the round. It reports whether the round is over, and why it did not come further.
func (s *Service) attempt(ctx context.Context, id round.ID) (over bool, err error) {
	claimed, free := s.claim(ctx, id)
	defer free()
	f, err := s.find(claimed, id)
	if err != nil || f.machine.State().Over() {
		return true, err
	}
	err = s.converse(claimed, f)
	if ctx.Err() == nil && claimed.Err() != nil {
		return false, err // somebody else took the round over
	}
	over, stored := s.settle(ctx, id, err)
	if stored != nil {
		return true, stored
	}
	return over, err
}

// converse talks to the responder on a stream of its own.
func (s *Service) converse(ctx context.Context, f *file) (err error) {
	stream, err := s.o.Open(ctx, f.Partner)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, stream.Reset)
	defer stop()
	t := newTalk(s, stream, f)
	defer func() { t.end(err) }()
	if err := t.hello(); err != nil {
		return err
	}
	return t.propose(ctx)
}

// errPending says that a person on the other side has to decide.
var errPending = errors.New("the partner's decision is awaited")

// propose sends what follows from the state until nothing does.
func (t *talk) propose(ctx context.Context) error {
	for {
		m, ok := t.machine.Next()
		if !ok {
			return nil
		}
		if err := round.Write(t.conn, m); err != nil {
			return err
		}
		reply, err := round.Read(t.conn)
		if err != nil {
			return err
		}
		if _, err := t.machine.Step(reply, time.Now().UnixMilli()); err != nil {
			return err
		}
		switch body := reply.Body.(type) {
		case round.Pending:
			return errors.Join(t.save(ctx, nil), errPending)
		case round.Signed:
			err = t.agree(ctx)
		case round.Confirmed:
			err = t.match(ctx, int(body.Finished))
		default:
			err = t.closed(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// match runs what one of the sides has not finished, then exchanges the receipt.
func (t *talk) match(ctx context.Context, peerFinished int) error {
	if err := t.runs(ctx, peerFinished); err != nil {
		return err
	}
	done := t.machine.Done(t.traffic())
	if err := t.save(ctx, nil); err != nil {
		return err
	}
	if err := round.Write(t.conn, done); err != nil {
		return err
	}
	m, err := round.Read(t.conn)
	if err != nil {
		return err
	}
	receipt, ok := m.Body.(round.Signed)
	if !ok || m.Kind != round.KindReceipt {
		return &wire.ProtocolError{Code: wire.Malformed, Err: errors.New("a receipt was expected")}
	}
	members, err := t.members()
	if err != nil {
		return err
	}
	if _, err := t.machine.CheckReceipt(receipt, members); err != nil {
		return err
	}
	return t.save(ctx, nil)
}

// agree stores the agreement, if the own rules still allow the round now that the
// size of the partner's list is known.
func (t *talk) agree(ctx context.Context) error {
	t.s.deciding.Lock()
	defer t.s.deciding.Unlock()
	ok, grounds, err := t.s.stillGranted(ctx, t.file)
	if err != nil {
		return err
	}
	if !ok {
		t.machine.End(round.Cancelled, wire.NotAvailable)
		t.file.Grounds = grounds
		if err := t.save(ctx, t.s.ending(t.file)); err != nil {
			return err
		}
		return &round.OverError{Code: wire.Cancelled}
	}
	return t.agreed(ctx, true)
}

// settle turns the outcome of a conversation into the round's state. It reports
// whether the round is over.
func (s *Service) settle(ctx context.Context, id round.ID, err error) (bool, error) {
	f, ferr := s.find(ctx, id)
	if ferr != nil {
		return true, ferr
	}
	if f.machine.State().Over() {
		return true, nil
	}
	state, reason, over := verdict(err)
	switch {
	case over:
		f.machine.End(state, reason)
	case ctx.Err() != nil:
		return false, nil // the node is stopping: the round stays as it is
	default:
		over = f.machine.Expire(time.Now().UnixMilli())
	}
	f.Note = noteOf(err)
	if over {
		return true, s.put(ctx, f, s.ending(f))
	}
	return false, s.put(ctx, f, nil)
}

// verdict tells whether an error ends a round for good, and how.
func verdict(err error) (round.State, wire.Code, bool) {
	var broke *wire.ProtocolError
	var said *wire.PeerError
	switch {
	case errors.Is(err, exact.ErrChanged):
		return round.Failed, wire.Internal, true
	case errors.As(err, &broke):
		return round.Failed, broke.Code, true
	case !errors.As(err, &said):
		return 0, 0, false
	}
	switch said.Code {
	case wire.Busy, wire.Pending, wire.Internal, wire.Stalled:
		return 0, 0, false
	case wire.NotAvailable:
		return round.Refused, said.Code, true
	case wire.Cancelled:
		return round.Cancelled, said.Code, true
	case wire.Expired:
		return round.Expired, said.Code, true
	}
	return round.Failed, said.Code, true
}
