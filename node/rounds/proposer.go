package rounds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/indicator"
	"entente/protocol/round"
	"entente/protocol/similar"
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
			s.conclude(ctx, id)
		}
		if over {
			if err != nil && ctx.Err() == nil {
				s.o.Log.Info("a round ended without a result", "round", id, "error", err)
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
	claimed, free, err := s.claim(ctx, id, asking, "")
	if err != nil {
		return false, err
	}
	defer free()
	f, err := s.find(claimed, id)
	switch {
	case errors.Is(err, ErrUnknownRound):
		return true, err
	case err != nil:
		return false, err
	case f.machine.State().Over():
		return true, nil
	case f.machine.Expire(time.Now().UnixMilli()):
		err = s.lapsed(ctx, f)
		return err == nil, err
	}
	sum, err := s.converse(claimed, f)
	if ctx.Err() == nil && claimed.Err() != nil {
		return false, err // somebody else took the round over
	}
	over, stored := s.settle(ctx, id, sum, err)
	return over && stored == nil, errors.Join(err, stored)
}

// converse talks to the responder on a stream of its own, and returns what the round
// has cost since it began.
func (s *Service) converse(ctx context.Context, f *file) (sum round.Traffic, err error) {
	if err := s.current(f); err != nil {
		return round.Traffic{Sent: f.Sent, Received: f.Received}, err
	}
	stream, err := s.o.Open(ctx, f.Partner)
	if err != nil {
		return round.Traffic{Sent: f.Sent, Received: f.Received}, err
	}
	stop := context.AfterFunc(ctx, stream.Reset)
	defer stop()
	t := newTalk(s, stream, f)
	defer func() {
		t.end(err)
		sum = t.traffic()
	}()
	if err := t.hello(); err != nil {
		return sum, err
	}
	return sum, t.propose(ctx)
}

// current ends a round that was offered under a roster that is no longer in force: its
// receipt would name members as they were. One whose receipt is signed is closed.
func (s *Service) current(f *file) error {
	fed := s.o.Federation()
	if fed == nil || f.machine.Accounted() {
		return nil
	}
	digest := fed.Digest()
	if string(f.machine.Offer().Roster) == string(digest[:]) {
		return nil
	}
	return &wire.ProtocolError{Code: wire.Expired, Err: errors.New("the roster has changed since the offer; propose the round again")}
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
	grant, err := t.s.stillGranted(ctx, t.file)
	if err != nil {
		return err
	}
	ok := t.machine.Answer().Terms.Within(grant.Terms)
	if ok && indicator.Kind(t.machine.Offer().Kind).Similar() {
		if ok, err = t.s.affords(ctx, t.file, t.machine.Answer(), grant.MinScore); err != nil {
			return err
		}
	}
	if ok {
		return t.agreed(ctx, true)
	}
	t.machine.End(round.Cancelled, wire.NotAvailable)
	t.file.Grounds = sentences(grant)
	decided, ending := t.s.decided(t.file, grant), t.s.ending(t.file)
	err = t.save(ctx, func(tx *store.Tx) error {
		if err := decided(tx); err != nil {
			return err
		}
		return ending(tx)
	})
	if err != nil {
		return err
	}
	return &round.OverError{Code: wire.Cancelled}
}

// settle turns the outcome of a conversation into the round's state. It reports
// whether the round is over.
func (s *Service) settle(ctx context.Context, id round.ID, sum round.Traffic, err error) (bool, error) {
	f, ferr := s.find(ctx, id)
	if ferr != nil {
		return false, ferr
	}
	if f.machine.State().Over() {
		return true, nil
	}
	state, reason, over := verdict(err)
	news := f.Note != noteOf(err) || f.Sent != sum.Sent || f.Received != sum.Received
	f.Note, f.Sent, f.Received = noteOf(err), sum.Sent, sum.Received
	switch {
	case over && f.machine.State() != round.Countersigned: // there it is complete, whatever the partner says
		f.machine.End(state, reason)
		return true, s.put(ctx, f, s.ending(f))
	case ctx.Err() != nil:
		return false, nil // the node is stopping: the round stays as it is
	case f.machine.Expire(time.Now().UnixMilli()):
		return true, s.lapsed(ctx, f)
	case !news:
		return false, nil // a partner that is away for days wears out no disk
	}
	return false, s.put(ctx, f, nil)
}

// verdict tells whether an error ends a round for good, and how.
func verdict(err error) (round.State, wire.Code, bool) {
	var broke *wire.ProtocolError
	var said *wire.PeerError
	switch {
	case errors.Is(err, exact.ErrChanged), errors.Is(err, similar.ErrChanged), errors.Is(err, similar.ErrRepeated):
		return round.Failed, wire.Internal, true
	case errors.As(err, &broke):
		return verdictOn(broke.Code)
	case !errors.As(err, &said):
		return 0, 0, false
	}
	switch said.Code {
	case wire.Busy, wire.Pending, wire.Internal, wire.Stalled, wire.Clock:
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

// verdictOn judges what this side found wrong with the partner. Clocks and rosters come
// into step again: then the round goes on, if its time has not run out.
func verdictOn(c wire.Code) (round.State, wire.Code, bool) {
	switch c {
	case wire.Busy, wire.Clock, wire.OtherRoster:
		return 0, 0, false
	case wire.Expired:
		return round.Expired, c, true
	}
	return round.Failed, c, true
}
