package rounds

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"entente/node/store"
	"entente/protocol/round"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// List returns all rounds, oldest first.
func (s *Service) List(ctx context.Context) ([]View, error) {
	all, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]View, 0, len(all))
	for _, f := range all {
		views = append(views, s.view(f))
	}
	return views, nil
}

// Show returns one round.
func (s *Service) Show(ctx context.Context, id string) (View, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return View{}, err
	}
	return s.view(f), nil
}

// Inbox returns the rounds that wait for a person on this side.
func (s *Service) Inbox(ctx context.Context) ([]View, error) {
	all, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	views := []View{}
	for _, f := range all {
		if f.machine.State() == round.Waiting && !f.machine.Proposer() {
			views = append(views, s.view(f))
		}
	}
	return views, nil
}

// Wait returns when a round is over or the context ends.
func (s *Service) Wait(ctx context.Context, id string) (View, error) {
	for {
		changed := s.waiting()
		f, err := s.named(ctx, id)
		if err != nil {
			return View{}, err
		}
		if f.concluded() {
			return s.view(f), nil
		}
		select {
		case <-ctx.Done():
			return s.view(f), ctx.Err()
		case <-changed:
		}
	}
}

// Hits returns the shared indicators of a round beside the own records. A record
// that was erased since leaves a hit without its values.
func (s *Service) Hits(ctx context.Context, id string) ([]Hit, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return nil, err
	}
	out := []Hit{}
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		hits, err := tx.Hits(f.ID)
		if err != nil {
			return err
		}
		for _, h := range hits {
			hit, err := Describe(tx, h)
			if err != nil {
				return err
			}
			hit.Round, hit.Partner, hit.Kind = f.id.String(), f.Partner, f.machine.Offer().Kind
			out = append(out, hit)
		}
		return nil
	})
	return out, err
}

// Refuse turns a waiting offer down. The partner hears only "not available".
func (s *Service) Refuse(ctx context.Context, id string) error {
	ctx, f, free, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	defer free()
	if f.machine.Proposer() || f.machine.State() != round.Waiting {
		return fmt.Errorf("refuse a round that is %s: %w", f.machine.State(), ErrState)
	}
	f.machine.End(round.Refused, wire.NotAvailable)
	f.Grounds = append(f.Grounds, "a person refused it")
	return s.put(ctx, f, s.ending(f))
}

// Cancel ends a round that is not over, on this side at once and on the partner's
// as soon as it can be reached. Once this side has signed the receipt it is too late:
// the partner may hold it already.
func (s *Service) Cancel(ctx context.Context, id string) error {
	ctx, f, free, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	defer s.conclude(ctx, f.id) // once the round is free
	defer free()
	ran := f.machine.Proposer() && f.machine.State() >= round.Matched // only the receipt is missing
	if f.machine.State().Over() || f.machine.Accounted() || ran {
		return fmt.Errorf("cancel a round that is %s: %w", f.machine.State(), ErrState)
	}
	f.machine.End(round.Cancelled, wire.Cancelled)
	if err := s.put(ctx, f, s.ending(f)); err != nil {
		return err
	}
	if f.machine.Proposer() {
		s.tellCancelled(ctx, f)
	}
	return nil
}

// tellCancelled tells the partner, so that it need not wait for the expiry. If it
// cannot be reached, the expiry ends the round there.
func (s *Service) tellCancelled(ctx context.Context, f *file) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stream, err := s.o.Open(ctx, f.Partner)
	if err != nil {
		return
	}
	t := newTalk(s, stream, f)
	err = t.hello()
	if err == nil {
		err = round.Write(t.conn, round.Message{Kind: round.KindCancel, Body: round.Cancel{Round: f.id[:]}})
	}
	if err == nil {
		_, err = round.Read(t.conn)
	}
	t.end(err)
}

// expire ends the rounds whose time has run out.
func (s *Service) expire(ctx context.Context) error {
	all, err := s.load(ctx)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	for _, f := range all {
		if f.machine.State().Over() && !f.concluded() {
			s.conclude(ctx, f.id)
		}
		if err := s.forget(ctx, f); err != nil {
			return err
		}
		if !f.machine.Expire(now) {
			continue
		}
		ctx, f, free, err := s.take(ctx, f.id.String())
		if err != nil {
			return err
		}
		if f.machine.Expire(now) {
			err = s.lapsed(ctx, f)
		}
		free()
		if err != nil {
			return err
		}
		s.conclude(ctx, f.id)
	}
	return nil
}

// take claims a round and then loads it, so that nothing changes it meanwhile.
func (s *Service) take(ctx context.Context, name string) (context.Context, *file, func(), error) {
	f, err := s.named(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, free, err := s.claim(ctx, f.id, somebody, "")
	if err != nil {
		return nil, nil, nil, err
	}
	if f, err = s.find(ctx, f.id); err != nil {
		free()
		return nil, nil, nil, err
	}
	return ctx, f, free, nil
}

// named finds a round by its identifier as people write it.
func (s *Service) named(ctx context.Context, name string) (*file, error) {
	id, err := readID(name)
	if err != nil {
		return nil, ErrUnknownRound
	}
	return s.find(ctx, id)
}

// view shows a round from this side: nothing of the partner but what the partner said.
func (s *Service) view(f *file) View {
	o, a := f.machine.Offer(), f.machine.Answer()
	v := View{
		ID: f.id.String(), Partner: f.Partner, Proposer: f.machine.Proposer(), State: f.machine.State().String(),
		Kind: o.Kind, Lists: f.Lists, Purpose: o.Purpose, Items: f.Items, Created: f.Created, Updated: f.Updated,
		Expires: f.Expires, Sent: f.Sent, Received: f.Received, Grounds: f.Grounds, Note: f.Note,
	}
	if f.machine.State() == round.Closed && !f.concluded() {
		v.State = round.Countersigned.String() // the hits are being looked up
	}
	t := o.Asked
	if a.Created > 0 {
		t = a.Terms
		agreement := f.machine.Agreement()
		v.Agreement = fmt.Sprintf("%x", agreement)
	}
	v.Threshold = threshold(o, a)
	v.Learns = Learns{Us: t.Responder, Them: t.Proposer}
	v.Basis, v.OwnClass, v.PartnerClass = a.Basis, int(a.Class), int(o.Class)
	if f.machine.Proposer() {
		v.Learns = Learns{Us: t.Proposer, Them: t.Responder}
		v.Basis, v.OwnClass, v.PartnerClass = o.Basis, int(o.Class), int(a.Class)
	}
	s.mu.Lock()
	p := s.progress[f.id]
	s.mu.Unlock()
	v.Done, v.Total = p.done, p.total
	if f.machine.State().Over() && f.machine.State() != round.Closed {
		v.Reason = f.machine.Reason().String()
	}
	outcome(&v, f, t.MinCount)
	return v
}

// outcome fills in what this side has learnt.
func outcome(v *View, f *file, least uint32) {
	if f.machine.State() < round.Matched {
		return
	}
	if v.Learns.Us == terms.IDs && f.machine.Finished() > 0 && f.concluded() {
		hits := int(f.Hits)
		v.Hits = &hits
	}
	if f.Counted {
		text := fmt.Sprint(f.Count)
		if floor := int64(max(least, smallest(f))); f.Count < floor {
			text = fmt.Sprintf("under %d", floor)
		}
		v.Count = &text
	}
}

// smallest is the count below which a noisy count says nothing.
func smallest(f *file) uint32 {
	if f.machine.Answer().Terms.EpsilonMilli == 0 {
		return 0
	}
	return 11
}

func readID(name string) (round.ID, error) {
	b, err := hex.DecodeString(name)
	if err != nil {
		return round.ID{}, err
	}
	return round.ParseID(b)
}

// Greet opens a stream to a partner, exchanges greetings and closes it: it tells
// whether the partner is there, lives by the same roster and agrees on the time.
func (s *Service) Greet(ctx context.Context, partner string) error {
	if _, _, err := s.partner(partner); err != nil {
		return err
	}
	stream, err := s.o.Open(ctx, partner)
	if err != nil {
		return err
	}
	t := newTalk(s, stream, nil)
	err = t.hello()
	t.end(err)
	return err
}
