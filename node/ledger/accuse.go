package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

// observe compares what a member says is final with what is held here. One of the two was
// shown another history if they differ: then who signed both is looked for.
func (s *Service) observe(ctx context.Context, member string, theirs exchange.Status) {
	s.hear(member, theirs)
	s.advance(ctx, member, theirs)
	c, err := checkpoint.Parse(theirs.Final)
	if err != nil || c.Origin.Federation != s.mirror.first.Federation || !errors.Is(s.mirror.Is(c), ErrConflict) {
		return // nothing is final there, it is another ledger or term, not held that far, or the same
	}
	if !s.doubt(member) {
		return // it was asked before, and could not show it
	}
	s.alarm(member + " says that another tree is final than this node holds")
	var b []byte
	if err := s.ask(ctx, member, exchange.KindNext, &exchange.Position{Size: c.Size - 1}, &b); err != nil || len(b) == 0 {
		s.o.Log.Warn("ledger: a member cannot show what it says is final", slog.String("member", member), slog.Any("reason", err))
		return
	}
	if signed, _, err := checkpoint.Unmarshal(b); err == nil {
		s.accuse(ctx, member, signed)
	}
}

// doubt reports whether a member that claims another history is to be asked for it: once an
// hour.
func (s *Service) doubt(member string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	if last, ok := s.doubted[member]; ok && now.Sub(last) < time.Hour {
		return false
	}
	s.doubted[member] = now
	return true
}

// suspicious looks at a signed checkpoint that was not taken, if that is because of its tree.
func (s *Service) suspicious(ctx context.Context, member string, signed checkpoint.Signed, why error) {
	if !errors.Is(why, ErrConflict) {
		return
	}
	s.alarm(fmt.Sprintf("%s has shown a signed checkpoint of another tree than this node holds", member))
	s.accuse(ctx, member, signed)
}

// reconsider tries again to prove what could not be proved yet: few final checkpoints are
// kept, so whoever signed another tree may have signed none of them, but sign the next.
func (s *Service) reconsider(ctx context.Context) {
	s.mu.Lock()
	shown := maps.Clone(s.shown)
	s.mu.Unlock()
	for member, theirs := range shown {
		s.accuse(ctx, member, theirs)
	}
}

// accuse writes evidence, if somebody signed both this checkpoint, which a member has shown,
// and a final one that is kept here. Otherwise it remembers the checkpoint: one of each
// member.
func (s *Service) accuse(ctx context.Context, member string, theirs checkpoint.Signed) {
	if theirs = s.sifted(theirs); len(theirs.Signatures) == 0 {
		return
	}
	proved := s.prove(ctx, theirs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if proved {
		delete(s.shown, member)
	} else {
		s.shown[member] = theirs
	}
}

// prove reports whether somebody is convicted by a checkpoint and a final one that is kept,
// and writes the evidence if nobody else has.
func (s *Service) prove(ctx context.Context, theirs checkpoint.Signed) bool {
	kept, err := s.mirror.Final()
	if err != nil {
		return false
	}
	for _, own := range kept {
		e, err := s.mirror.evidence(own, theirs)
		if err != nil {
			continue
		}
		var convicted []string
		var known map[string]uint64
		if bad := s.mirror.State(func(st *replay.State) { convicted, err = e.Convicts(st.CosigningKeys); known = st.Convicted() }); bad != nil || err != nil {
			continue
		}
		if !s.anew(convicted, known) {
			return true
		}
		s.alarm(fmt.Sprintf("%v signed two trees that cannot both be", convicted))
		err = s.o.Chain.Append(ctx, entry.Evidence, func(entry.Head) ([]byte, error) {
			b, err := e.Marshal()
			if err != nil {
				return nil, err
			}
			return entry.Body(entry.Conflict{Evidence: b})
		})
		if err != nil {
			s.o.Log.Error("ledger: evidence was not written", slog.Any("reason", err))
			s.pardon(convicted)
		}
		return err == nil
	}
	return false
}

// genuine reports whether a signature verifies under one of its signer's keys.
func (s *Service) genuine(c checkpoint.Checkpoint, one checkpoint.Signature) (ok bool) {
	err := s.mirror.State(func(st *replay.State) {
		for _, key := range st.CosigningKeys(one.Member) {
			ok = ok || one.Verify(c, key) == nil
		}
	})
	return ok && err == nil
}

// sifted leaves of a checkpoint the signatures that are genuine: anybody can add others.
func (s *Service) sifted(signed checkpoint.Signed) checkpoint.Signed {
	c, err := signed.Checkpoint()
	if err != nil || c.Origin.Federation != s.mirror.first.Federation {
		return checkpoint.Signed{}
	}
	out := checkpoint.Signed{Text: signed.Text}
	for _, one := range signed.Signatures {
		if s.genuine(c, one) {
			out.Signatures = append(out.Signatures, one)
		}
	}
	return out
}

// anew reports whether one of these was not accused by this node before, nor convicted by
// anybody, and notes that it is now.
func (s *Service) anew(ids []string, known map[string]uint64) (found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		_, convicted := known[id]
		found = found || !convicted && !s.accused[id]
		s.accused[id] = true
	}
	return found
}

// pardon has these be accused again.
func (s *Service) pardon(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.accused, id)
	}
}

// evidence is that a checkpoint of the tree that is held and another one conflict, with the
// signatures that both have in common: else it would be too long.
func (m *Mirror) evidence(own, theirs checkpoint.Signed) (checkpoint.Evidence, error) {
	mine, err := own.Checkpoint()
	if err != nil {
		return checkpoint.Evidence{}, err
	}
	other, err := theirs.Checkpoint()
	if err != nil {
		return checkpoint.Evidence{}, err
	}
	if other.Origin != mine.Origin || other.Size > mine.Size {
		return checkpoint.Evidence{}, errors.New("the other is of another ledger, or larger: its owner can prove more")
	}
	at, err := m.Checkpoint(other.Size)
	if err != nil {
		return checkpoint.Evidence{}, err
	}
	if at.Root == other.Root {
		return checkpoint.Evidence{}, errors.New("there is no conflict")
	}
	proof, err := m.Consistency(other.Size, mine.Size)
	if err != nil {
		return checkpoint.Evidence{}, err
	}
	e := checkpoint.Evidence{Root: at.Root[:]}
	e.First, e.Second = common(theirs, own, other.Size == mine.Size)
	for _, h := range proof {
		e.Proof = append(e.Proof, h[:])
	}
	return e, nil
}

// mostAccused is how many signers evidence names at most, so that it fits an entry.
const mostAccused = 8

// common leaves of two checkpoints the signatures of those who must not have signed both.
func common(a, b checkpoint.Signed, sequencers bool) (x, y checkpoint.Signed) {
	x.Text, y.Text = a.Text, b.Text
	for _, one := range a.Signatures {
		for _, two := range b.Signatures {
			same := one.Member == two.Member && one.Role == two.Role
			if same && (sequencers || one.Role == checkpoint.Cosigner) && len(x.Signatures) < mostAccused {
				x.Signatures, y.Signatures = append(x.Signatures, one), append(y.Signatures, two)
			}
		}
	}
	return x, y
}
