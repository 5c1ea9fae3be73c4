package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

// gossipTime is how often a member asks others how far they are, one after the other. Final
// checkpoints are announced besides: this is for what was missed, and for finding out who
// was told another history.
const gossipTime = 30 * time.Second

// cosign takes in the entries that a checkpoint holds, if sequencers have signed it, and
// cosigns it.
func (s *Service) cosign(ctx context.Context, member string, o exchange.Offer) (exchange.Vote, error) {
	err := s.take(ctx, member, o.Signed, o.From, o.Entries)
	if errors.Is(err, ErrTooFar) || errors.Is(err, ErrBoundary) {
		if err = s.catchUp(ctx, member); err == nil {
			err = s.take(ctx, member, o.Signed, o.From, o.Entries)
		}
	}
	if err != nil {
		s.suspicious(ctx, member, o.Signed, err)
		return exchange.Vote{}, err
	}
	signature, err := s.signer.Cosign(o.Signed)
	if errors.Is(err, ErrBoundary) {
		if err = s.catchUp(ctx, member); err == nil {
			signature, err = s.signer.Cosign(o.Signed)
		}
	}
	if err != nil {
		return exchange.Vote{}, err
	}
	var size uint64
	if err := s.mirror.State(func(st *replay.State) { size = st.Size() }); err != nil {
		return exchange.Vote{}, err
	}
	return exchange.Vote{Size: size, Checkpoint: o.Signed.Text, Signatures: []checkpoint.Signature{signature}}, nil
}

// take brings the mirror up to a checkpoint that sequencers have signed, with entries from
// one on, or fetched from a member who holds them.
func (s *Service) take(ctx context.Context, member string, signed checkpoint.Signed, from uint64, entries [][]byte) error {
	c, err := signed.Checkpoint()
	if err != nil {
		return err
	}
	var size uint64
	if err := s.mirror.State(func(st *replay.State) { size = st.Size() }); err != nil {
		return err
	}
	if c.Size > size+exchange.MaxStep {
		return fmt.Errorf("%w: by %d entries", ErrTooFar, c.Size-size)
	}
	if c.Size <= size {
		return s.extend(signed, from, nil)
	}
	if q := s.sequencer(); q != nil && q.reaches(ctx, c.Size) { // Raft brings it, and it is checked once
		if err := s.extend(signed, c.Size, nil); !errors.Is(err, ErrNotHeld) {
			return err
		} // Raft has brought something else
	}
	if from <= size && from+uint64(len(entries)) == c.Size {
		return s.extend(signed, from, entries)
	}
	if err := s.mirror.likely(signed, c); err != nil {
		return err
	}
	ctx, free, err := s.fetching(ctx, member)
	if err != nil {
		return err
	}
	defer free()
	if entries, err = s.fetch(ctx, member, size, c.Size); err != nil {
		return err
	}
	return s.extend(signed, size, entries)
}

// stepTime is how long fetching one step from a member may take.
const stepTime = 2 * time.Minute

// fetching bounds what is being fetched: one step from each member at a time, and not for ever.
func (s *Service) fetching(ctx context.Context, member string) (context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taking[member] {
		return nil, nil, errBusy
	}
	s.taking[member] = true
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.taking, member)
	}, nil
}

// extend has the mirror grow, through the tail if there is one.
func (s *Service) extend(signed checkpoint.Signed, from uint64, entries [][]byte) error {
	if q := s.sequencer(); q != nil {
		return q.settle(signed, from, entries)
	}
	var size uint64
	if err := s.mirror.State(func(st *replay.State) { size = st.Size() }); err != nil {
		return err
	}
	if from < size {
		entries = entries[min(size-from, uint64(len(entries))):]
	}
	return s.mirror.Extend(signed, entries)
}

// fetch gets the entries from one place up to another from a member.
func (s *Service) fetch(ctx context.Context, member string, from, until uint64) (entries [][]byte, err error) {
	bytes := 0
	for at := from; at < until; {
		var some exchange.Entries
		if err := s.ask(ctx, member, exchange.KindFetch, &exchange.Range{From: at, Until: until}, &some); err != nil {
			return nil, err
		}
		if n := uint64(len(some.Entries)); n == 0 || n > until-at {
			return nil, fmt.Errorf("%s was asked for %d entries and sent %d", member, until-at, n)
		}
		for _, b := range some.Entries {
			if bytes > exchange.MaxStepBytes {
				return nil, fmt.Errorf("%w: by more than %d bytes", ErrTooFar, exchange.MaxStepBytes)
			}
			bytes += len(b)
		}
		entries = append(entries, some.Entries...)
		at += uint64(len(some.Entries))
	}
	return entries, nil
}

// catchUp takes in what a member knows to be final beyond what is final here, step by step.
func (s *Service) catchUp(ctx context.Context, member string) error {
	for ctx.Err() == nil {
		final, err := s.mirror.LastFinal()
		if err != nil {
			return err
		}
		var b []byte
		if err := s.ask(ctx, member, exchange.KindNext, &exchange.Position{Size: final.Size}, &b); err != nil {
			return err
		}
		if len(b) == 0 {
			return nil
		}
		next, c, err := checkpoint.Unmarshal(b)
		if err == nil && c.Size <= final.Size {
			err = errors.New("it is not above what was asked for")
		}
		if err != nil {
			return fmt.Errorf("catch up with %s: %w", member, err)
		}
		if err := s.adopt(ctx, member, next); err != nil {
			return fmt.Errorf("catch up with %s: %w", member, err)
		}
	}
	return ctx.Err()
}

// adopt takes in a checkpoint that a member says is final.
func (s *Service) adopt(ctx context.Context, member string, final checkpoint.Signed) error {
	err := s.take(ctx, member, final, 0, nil)
	if err == nil {
		err = s.mirror.Finalise(final)
	}
	if err != nil {
		s.suspicious(ctx, member, final, err)
	}
	return err
}

// finalise notes a checkpoint that a member says is final, and fetches what lies before it.
func (s *Service) finalise(ctx context.Context, member string, final checkpoint.Signed) error {
	err := s.adopt(ctx, member, final)
	if errors.Is(err, ErrTooFar) || errors.Is(err, ErrBoundary) {
		if err = s.catchUp(ctx, member); err == nil {
			err = s.adopt(ctx, member, final)
		}
	}
	return err
}

// gossip asks others how far they are, now and then, and catches up with who is ahead.
func (s *Service) gossip(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-timer.C:
		case <-s.soon:
			turn = 0
		case <-ctx.Done():
			return
		}
		timer.Reset(gossipTime)
		s.reconsider(ctx)
		ids := s.others()
		if len(ids) == 0 {
			continue
		}
		// Sequencers first, who know best; later everybody in turn, who may know otherwise.
		if q := slices.DeleteFunc(s.sequencers(), func(id string) bool { return id == s.o.Self }); turn < len(q) {
			ids = q
			timer.Reset(gossipTime / 10)
		}
		member := ids[turn%len(ids)]
		own, err := s.status()
		if err != nil {
			s.alarm("the mirror cannot be read: " + err.Error())
			return
		}
		var theirs exchange.Status
		if err := s.ask(ctx, member, exchange.KindStatus, &own, &theirs); err != nil {
			s.o.Log.Debug("ledger: no status", slog.String("member", member), slog.Any("reason", err))
			continue
		}
		s.observe(ctx, member, theirs)
		s.follow(ctx, member, theirs)
	}
}

// follow catches up with a member that knows more to be final.
func (s *Service) follow(ctx context.Context, member string, theirs exchange.Status) {
	final, err := s.mirror.LastFinal()
	c, bad := checkpoint.Parse(theirs.Final)
	if err != nil || bad != nil || c.Size <= final.Size {
		return
	}
	if err := s.catchUp(ctx, member); err != nil {
		s.o.Log.Info("ledger: could not catch up", slog.String("member", member), slog.Any("reason", err))
	}
}
