package standing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// Serve is the handler of standing.Protocol: it answers one stream of a partner.
func (s *Service) Serve(ctx context.Context, stream rounds.Stream) {
	err := s.serve(ctx, stream)
	if err != nil && ctx.Err() == nil {
		s.o.Log.Info("a partner's stream of a standing round ended", "partner", stream.Member(), "error", err)
	}
}

func (s *Service) serve(ctx context.Context, stream rounds.Stream) error {
	stop := context.AfterFunc(ctx, stream.Reset)
	defer stop()
	t := newTalk(s, stream)
	t.opening = time.AfterFunc(openingTime, stream.Reset)
	defer t.opening.Stop()
	first, err := t.first()
	if err != nil || first == nil {
		t.end(err)
		return err
	}
	f, err := s.subject(ctx, *first, stream.Member())
	if err != nil {
		t.end(err)
		return err
	}
	ctx, free, err := s.claim(ctx, f, answering)
	if err != nil {
		t.end(err)
		return err
	}
	defer free()
	longest := time.AfterFunc(streamTime, stream.Reset)
	defer longest.Stop()
	ended := context.AfterFunc(ctx, stream.Reset)
	defer ended()
	switch known, err := s.find(ctx, f.ID); {
	case err == nil && known.Partner == stream.Member():
		f = known
	case err == nil: // another member has offered under the same identifier meanwhile
		t.end(unknown())
		return unknown()
	case !errors.Is(err, ErrUnknown):
		t.end(err)
		return err
	}
	t.f = f
	t.work.due = f.machine.Stage() == standing.Active && !f.Next.After(now())
	err = t.answer(ctx, *first)
	t.end(err)
	if errors.Is(err, errUnstored) {
		return err
	}
	return s.settle(ctx, t, err)
}

// first reads the greeting and the first message; none if the partner only greets.
func (t *talk) first() (*round.Message, error) {
	if err := t.hello(); err != nil {
		return nil, err
	}
	m, err := t.read()
	if rounds.IsEnd(err) {
		return nil, nil
	}
	return &m, err
}

// errUnstored marks an offer of which nothing was stored.
var errUnstored = errors.New("nothing is stored")

// subject finds the subscription that a message is about, or takes in a new offer.
func (s *Service) subject(ctx context.Context, m round.Message, partner string) (*file, error) {
	id, err := s.about(m)
	if err != nil {
		return nil, err
	}
	f, err := s.find(ctx, id)
	switch {
	case err == nil && f.Partner == partner:
		return f, nil
	case err == nil:
		return nil, unknown() // of somebody else is said what is said of one that does not exist
	case !errors.Is(err, ErrUnknown):
		return nil, err
	case m.Kind != standing.KindOffer:
		return nil, unknown()
	}
	parties, err := s.parties(partner)
	if err != nil {
		return nil, err
	}
	machine, err := standing.Receive(m.Body.(round.Signed), parties, now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if err := fits(machine.Offer()); err != nil {
		return nil, err
	}
	return newFile(id, partner, machine), nil
}

func unknown() error {
	return &wire.ProtocolError{Code: wire.UnknownRound, Err: errors.New("the partner speaks of a subscription that is not known here")}
}

// about reads which subscription a message names, before any signature is checked.
func (s *Service) about(m round.Message) (standing.ID, error) {
	var id []byte
	switch body := m.Body.(type) {
	case round.Signed:
		o := standing.Offer{}
		e := standing.End{}
		if m.Kind == standing.KindOffer {
			if err := wire.Unmarshal(body.Body, &o); err != nil {
				return standing.ID{}, &wire.ProtocolError{Code: wire.Malformed, Err: err}
			}
			id = o.Subscription
		} else {
			if err := wire.Unmarshal(body.Body, &e); err != nil {
				return standing.ID{}, &wire.ProtocolError{Code: wire.Malformed, Err: err}
			}
			id = e.Subscription
		}
	case standing.Confirm:
		id = body.Subscription
	case standing.Sync:
		id = body.Subscription
	}
	return round.ParseID(id)
}

// offersADay bounds how many offers of one partner are looked at in a day: each leaves a
// record that must never be deleted, lest it could be replayed.
const offersADay = 100

// answer replies to one message after the other until the opener has said all.
func (t *talk) answer(ctx context.Context, m round.Message) error {
	for {
		over, err := t.reply(ctx, m)
		if over || err != nil {
			return err
		}
		if m, err = t.read(); err != nil {
			if rounds.IsEnd(err) {
				return nil
			}
			return fmt.Errorf("read from partner: %w", err)
		}
	}
}

// reply handles one message. It reports whether the stream is over.
func (t *talk) reply(ctx context.Context, m round.Message) (over bool, err error) {
	before := t.f.machine.Stage()
	out, err := t.step(m)
	if err != nil {
		return false, err
	}
	after := t.f.machine.Stage()
	switch {
	case m.Kind == standing.KindOffer && before == standing.Offered:
		out, err = t.decide(ctx)
	case m.Kind == standing.KindSync && (t.f.Paused || t.f.Stopped != ""):
		return true, paused()
	case before == standing.Answered && after == standing.Active:
		t.work.due = true
		err = t.agreed(ctx)
	case before != after:
		err = t.save(ctx, nil)
	}
	if err != nil {
		return false, err
	}
	if out != nil {
		if err := t.write(*out); err != nil {
			return false, fmt.Errorf("%w: %w", rounds.ErrLink, err)
		}
	}
	if m.Kind == standing.KindSync {
		t.opening.Stop()
		return true, t.sync(ctx)
	}
	return after.Over(), nil
}

// paused is what a partner is told of a standing round that stands still here, for whatever
// reason.
func paused() error {
	return &wire.ProtocolError{Code: wire.Busy, Err: errors.New("the standing round is paused here")}
}

// count counts a new offer of a partner, in the step that stores it.
func (t *talk) count(tx *store.Tx) error {
	today := "standing offers " + rounds.Day(now())
	n, err := tx.Quota(t.f.Partner, today)
	if err != nil {
		return err
	}
	if n >= offersADay {
		return &wire.ProtocolError{Code: wire.Busy, Err: errors.New("the partner makes too many offers")}
	}
	return tx.AddQuota(t.f.Partner, today, 1)
}
