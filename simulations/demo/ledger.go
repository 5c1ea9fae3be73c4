package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entente/node/ledger"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
)

// ledgerPatience is how long the story waits until everything is final: the first election
// takes some seconds on a busy machine.
const ledgerPatience = 2 * time.Minute

// ledger shows the record that the three members keep together.
func (s *story) ledger(ctx context.Context) error {
	var first ledger.Standing
	sealed := 0
	for i, id := range ids() {
		v, err := s.settled(ctx, id)
		if err != nil {
			return err
		}
		if i == 0 {
			first = v
		}
		l, err := s.stage.members[id].Ledger()
		if err != nil {
			return err
		}
		root, err := l.Mirror().Checkpoint(first.Final)
		if err != nil {
			return err
		}
		own, err := s.stage.members[au].Ledger()
		if err != nil {
			return err
		}
		want, err := own.Mirror().Checkpoint(first.Final)
		if err != nil {
			return err
		}
		s.check(id+": holds the same entries in the same order", true, root == want && root.Size > 0)
	}
	pieces, err := s.entries(first.Final, &sealed)
	if err != nil {
		return err
	}
	found, err := s.search(pieces)
	if err != nil {
		return err
	}
	s.check("listed values in the ledger", 0, found.listed)
	s.check("something was sealed into it", true, sealed > 0)
	s.screen.say("Each node also signs what it did into a ledger that all three keep: who is a member, whose rules changed, that " +
		"rounds were agreed. Nobody can rewrite it alone, not even who puts the entries in order.")
	s.screen.item("final", "%d entries, cosigned by %d of %d members; all three hold the same ones", first.Final, checkpoint.Quorum(len(ids())), len(ids()))
	s.screen.item("sealed", "%d of them: only the parties of a round can open what they are about", sealed)
	s.screen.item("listed values", "%s of them stand in it", few(found.listed))
	return nil
}

// settled waits until all that a member wrote is final, by its own copy of the ledger.
func (s *story) settled(ctx context.Context, id string) (v ledger.Standing, err error) {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	l, err := s.stage.members[id].Ledger()
	if err != nil {
		return v, err
	}
	for {
		if v, err = l.Standing(ctx); err != nil || v.Waiting == 0 && v.Final > 0 && v.Final == v.Entries {
			return v, err
		}
		l.Wait(ctx, time.Second)
		if ctx.Err() != nil {
			return v, fmt.Errorf("the ledger of %s stands still: %w", id, errors.Join(ctx.Err(), err))
		}
	}
}

// entries are those of the ledger, as they are in it. It counts the sealed ones.
func (s *story) entries(final uint64, sealed *int) ([][]byte, error) {
	l, err := s.stage.members[au].Ledger()
	if err != nil {
		return nil, err
	}
	list, err := l.Mirror().Entries(0, int(final), 64<<20)
	if err != nil {
		return nil, err
	}
	for _, b := range list {
		one, err := entry.Unmarshal(b)
		if err != nil {
			return nil, err
		}
		e, err := one.Decode()
		if err != nil {
			return nil, err
		}
		if e.Kind == entry.SealedDigest {
			*sealed++
		}
	}
	return list, nil
}
