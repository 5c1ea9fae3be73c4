package standing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// rosterSetting holds the digest of the roster that the subscriptions were last looked
// through under, and the members that were suspended then, each after a space.
const rosterSetting = "standing rounds' roster"

// Roster takes notice of the roster in force, if it is another one than before, and of who is
// suspended. A standing round with whoever is no longer a member ends here: nobody is left to
// be told. All others begin a new tag period, because keys may have changed and somebody may
// have been expelled; with whoever is suspended or readmitted also under the same roster.
func (s *Service) Roster(ctx context.Context) error {
	fed := s.o.Federation()
	if fed == nil {
		return nil
	}
	digest, suspended := fed.Digest(), fed.Suspended()
	state := strings.Join(append([]string{string(digest[:])}, suspended...), " ")
	var last []byte
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		last, err = tx.Get(rosterSetting)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil || string(last) == state {
		return err
	}
	other, before := true, []string(nil)
	if rest, same := strings.CutPrefix(string(last), string(digest[:])); same {
		other, before = false, strings.Fields(rest)
	}
	all, err := s.load(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		if !other && slices.Contains(before, f.Partner) == slices.Contains(suspended, f.Partner) {
			continue
		}
		if err := s.underRoster(ctx, f, slices.Contains(suspended, f.Partner)); err != nil {
			return fmt.Errorf("bring a standing round under the new roster: %w", err)
		}
	}
	return s.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.Put(rosterSetting, []byte(state)) })
}

func (s *Service) underRoster(ctx context.Context, f *file, suspended bool) error {
	if f.machine.Stage().Over() {
		return nil
	}
	ctx, f, free, err := s.take(ctx, standing.ID(f.ID).String())
	if err != nil {
		return err
	}
	defer free()
	_, _, _, err = s.partner(f.Partner)
	switch {
	case errors.Is(err, rounds.ErrUnknownPartner) && !suspended:
		f.machine.Finish(standing.Ended, wire.OtherRoster)
		f.Note = "the partner is no longer a member of the federation"
		return s.put(ctx, f, nil)
	case err != nil && !suspended:
		return err
	case f.machine.Stage() != standing.Active:
		return nil
	}
	f.Next = now()
	s.reached(f.ID)
	defer s.Changed()
	return s.put(ctx, f, s.renewing(f))
}
