package standing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"entente/node/store"
	"entente/protocol/indicator"
	"entente/protocol/standing"
	"entente/protocol/terms"
)

// Pause keeps a standing round from running, on this side, until Resume. A sync that is
// under way ends at once.
func (s *Service) Pause(ctx context.Context, id string) error {
	return s.change(ctx, id, func(f *file) {
		f.Paused, f.Note = true, "a person paused it; if something that was published is deleted meanwhile, the key of its tags is destroyed"
	}, nil)
}

// Resume lets a paused standing round go on, also one whose partner broke the protocol.
func (s *Service) Resume(ctx context.Context, id string) error {
	err := s.change(ctx, id, func(f *file) {
		f.Paused, f.Stopped, f.Note, f.Next = false, "", "", now()
	}, nil)
	s.Changed()
	return err
}

// Renew begins a new tag period with a new key: when a partner may have learnt more than
// it should.
func (s *Service) Renew(ctx context.Context, id string) error {
	err := s.change(ctx, id, func(f *file) { f.Next, f.Note = now(), "a new tag period begins with the next run" }, s.renewing)
	s.Changed()
	return err
}

// renewing destroys the keys of a subscription's own tag periods.
func (s *Service) renewing(f *file) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for _, number := range f.machine.Feeds() {
			x := &feed{s: s, f: f, session: standing.Session{Feed: number}}
			if err := x.shelf().renew(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// change alters an active subscription by a person's wish.
func (s *Service) change(ctx context.Context, id string, set func(*file), also func(*file) func(*store.Tx) error) error {
	ctx, f, free, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	defer free()
	if f.machine.Stage() != standing.Active {
		return fmt.Errorf("change a standing round that is %s: %w", f.machine.Stage(), ErrState)
	}
	set(f)
	s.reached(f.ID)
	if also == nil {
		return s.put(ctx, f, nil)
	}
	return s.put(ctx, f, also(f))
}

// End ends a standing round, on this side at once and on the partner's as soon as it can
// be reached: its tags, keys and questions are erased here.
func (s *Service) End(ctx context.Context, id string) error {
	ctx, f, free, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	if _, err = f.machine.Quit(now().UnixMilli()); err == nil {
		err = s.put(ctx, f, nil)
	} else {
		err = fmt.Errorf("end a standing round that is %s: %w", f.machine.Stage(), ErrState)
	}
	free()
	s.reached(f.ID)
	s.Changed()
	return err
}

// Cut destroys the keys of all tag periods shared with a partner, which was stopped or let
// in again: what it holds is worth nothing more, and a new tag period begins when it is
// let in.
func (s *Service) Cut(ctx context.Context, partner string) error {
	all, err := s.load(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.Partner != partner || f.machine.Stage() != standing.Active {
			continue
		}
		if err := s.change(ctx, standing.ID(f.ID).String(), func(f *file) { f.Next = now() }, s.renewing); err != nil && !errors.Is(err, ErrState) {
			return err
		}
	}
	return nil
}

// Checked is what one partner answered to an urgent check.
type Checked struct {
	Partner string `json:"partner"`
	Result  string `json:"result"` // hit, no hit, not available, quota used up, busy, not reached
	ID      string `json:"id"`     // of the standing round
}

// Check asks partners now whether they hold one value, within the checks that were agreed.
// No partner named means all that let this side learn.
func (s *Service) Check(ctx context.Context, v indicator.Value, partners []string) ([]Checked, error) {
	all, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var out []*Checked
	var work sync.WaitGroup
	for _, f := range all {
		if !s.answers(f, v.Kind(), partners) {
			continue
		}
		one := &Checked{Partner: f.Partner, ID: standing.ID(f.ID).String()}
		out = append(out, one)
		work.Go(func() { one.Result = s.checkOne(ctx, f, v) })
	}
	work.Wait()
	result := make([]Checked, 0, len(out))
	for _, c := range out {
		result = append(result, *c)
	}
	if len(result) == 0 {
		return nil, errors.New("no standing round lets us ask about this kind; make one with: entente round subscribe")
	}
	return result, nil
}

// answers tells whether a subscription lets this side ask about a kind.
func (s *Service) answers(f *file, kind indicator.Kind, partners []string) bool {
	a := f.machine.Answer()
	us := a.Terms.Responder
	if f.Proposer {
		us = a.Terms.Proposer
	}
	named := len(partners) == 0
	for _, p := range partners {
		named = named || strings.EqualFold(p, f.Partner)
	}
	if f.machine.Stage() != standing.Active || us != terms.IDs || !named {
		return false
	}
	for _, k := range a.Kinds {
		if k.Name == string(kind) {
			return true
		}
	}
	return false
}

func (s *Service) checkOne(ctx context.Context, f *file, v indicator.Value) string {
	if f.Paused || f.Stopped != "" {
		return "not available"
	}
	c := &check{lookup: s.o.Store.Lookup(v)}
	for _, number := range f.machine.Feeds() {
		x, err := s.feed(f, number)
		if err != nil || !x.session.Asker {
			continue
		}
		if c.item, err = x.item(store.Eligible{Kind: v.Kind(), Element: v.Element()}); err != nil {
			return "not available"
		}
	}
	var err error
	turned := 0
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		if err = s.drive(ctx, f.ID, []*check{c}); saidBusy(err) {
			turned++
		}
		if turned == checkTries || c.done || c.over || ctx.Err() != nil || quotaUsed(err) || !transient(err) {
			break
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	switch {
	case c.hit:
		return "hit"
	case c.done:
		return "no hit"
	case c.over || quotaUsed(err):
		return "quota used up"
	case turned == checkTries:
		return "busy"
	case transient(err):
		return "not reached"
	}
	return "not available"
}
