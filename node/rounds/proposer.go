package rounds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/protocol/round"
	"entente/protocol/wire"
)

// drive brings one own proposal to its end: it talks, waits while a person on the
// other side decides, and comes back after every disconnect until time runs out.
func (s *Service) drive(ctx context.Context, id round.ID) {
	pause := pollFirst
	for ctx.Err() == nil {
		before := s.mark(ctx, id)
		err := s.attempt(ctx, id)
		over, failed := s.settle(ctx, id, err)
		if over || failed != nil {
			if failed != nil {
				s.o.Log.Error("store round", "round", id, "error", failed)
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

// attempt opens one stream and talks as far as it goes.
func (s *Service) attempt(ctx context.Context, id round.ID) (err error) {
	ctx, free := s.claim(ctx, id)
	defer free()
	f, err := s.find(ctx, id)
	if err != nil || f.machine.State().Over() {
		return err
	}
	stream, err := s.o.Open(ctx, f.Partner)
	if err != nil {
		return err
	}
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
			err = t.agreed(ctx)
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

// settle turns the outcome of a conversation into the round's state. It reports
// whether the round is over.
func (s *Service) settle(ctx context.Context, id round.ID, err error) (bool, error) {
	f, ferr := s.find(ctx, id)
	if ferr != nil {
		if ctx.Err() != nil {
			return true, nil
		}
		return true, ferr
	}
	if f.machine.State().Over() {
		return true, nil
	}
	state, reason, over := verdict(err)
	switch {
	case over:
		f.machine.End(state, reason)
	case f.machine.Expire(time.Now().UnixMilli()):
		over = true
	}
	f.Note = noteOf(err)
	if ctx.Err() != nil && !over {
		return true, nil // the node is stopping: the round stays as it is
	}
	return over, s.put(ctx, f, nil)
}

// verdict tells whether an error ends a round for good, and how.
func verdict(err error) (round.State, wire.Code, bool) {
	var broke *wire.ProtocolError
	var said *wire.PeerError
	switch {
	case errors.As(err, &broke):
		return round.Failed, broke.Code, true
	case !errors.As(err, &said):
		return 0, 0, false
	}
	switch said.Code {
	case wire.Busy, wire.Pending, wire.Internal:
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
