package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"entente/crypto/sign"
	"entente/protocol/roster"
)

// Quorum is how many of n cosigners make a checkpoint final: q = ⌈(n+f+1)/2⌉, with
// f = roster.Faulty(n). Two quorums share at least 2q − n ≥ f + 1 members, so one who
// keeps the rules: 2, 3, 3 for n = 2, 3, 4, and 30 of 45. From n = 4 on q ≤ n − f, so that
// f members can be away.
func Quorum(n int) int { return (n + roster.Faulty(n) + 2) / 2 }

// SequencerQuorum is how many of s sequencers must sign before cosigners look at a
// checkpoint: s − ⌊(s−1)/3⌋, and all of them if s ≤ 3.
func SequencerQuorum(s int) int {
	if s <= 3 {
		return s
	}
	return s - (s-1)/3
}

// Seat is what is known of a member that cosigns.
type Seat struct {
	Key       *sign.CosigningPublicKey
	Sequencer bool
	Blocs     []string // groups of states that act alike
}

// Committee is who cosigns a ledger by the rules in force.
type Committee struct {
	Seats map[string]Seat // by member
	Blocs int             // of how many blocs, at least, the cosigners of a final checkpoint are; 0 asks for none
}

// QuorumError says what a checkpoint lacks.
type QuorumError struct {
	Role    Role
	Have    int // signatures
	Want    int
	Blocs   int      // that the signers are of
	Spread  int      // blocs wanted
	Missing []string // members that could sign and have not
}

// Error tells numbers and members.
func (e *QuorumError) Error() string {
	s := fmt.Sprintf("checkpoint has the signatures of %d %ss of %d needed", e.Have, e.Role, e.Want)
	if e.Blocs < e.Spread {
		s += fmt.Sprintf(", of %d blocs of %d needed", e.Blocs, e.Spread)
	}
	return s + "; missing: " + strings.Join(e.Missing, ", ")
}

// Sequenced checks that a quorum of sequencers has signed. The error is a *QuorumError if
// only signatures are missing, and otherwise names who signed wrongly.
func (c Committee) Sequenced(s Signed) error { return c.check(s, Sequencer) }

// Final checks that the checkpoint is sequenced and that a quorum has cosigned it. Errors
// are as Sequenced's.
func (c Committee) Final(s Signed) error {
	if err := c.Sequenced(s); err != nil {
		return err
	}
	return c.check(s, Cosigner)
}

func (c Committee) check(s Signed, role Role) error {
	p, err := s.Checkpoint()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	signed := map[string]bool{}
	for _, one := range s.Signatures {
		seat, ok := c.Seats[one.Member]
		if one.Role != role {
			continue
		}
		if !ok || role == Sequencer && !seat.Sequencer {
			return fmt.Errorf("checkpoint: %s signed and is no %s", one.Member, role)
		}
		if signed[one.Member] {
			return fmt.Errorf("checkpoint: %s signed twice", one.Member)
		}
		if err := one.Verify(p, seat.Key); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		signed[one.Member] = true
	}
	return c.quorum(role, signed)
}

// Decided checks that as many members as make a checkpoint final, of as many blocs, are
// among these. The error is a *QuorumError.
func (c Committee) Decided(ids []string) error {
	signed := map[string]bool{}
	for _, id := range ids {
		if _, ok := c.Seats[id]; ok {
			signed[id] = true
		}
	}
	return c.quorum(Cosigner, signed)
}

// quorum checks that those who have signed in a role are enough.
func (c Committee) quorum(role Role, signed map[string]bool) error {
	e := &QuorumError{Role: role, Have: len(signed)}
	able, blocs := 0, map[string]bool{}
	for id, seat := range c.Seats {
		if role == Sequencer && !seat.Sequencer {
			continue
		}
		if able++; !signed[id] {
			e.Missing = append(e.Missing, id)
			continue
		}
		for _, b := range seat.Blocs {
			blocs[b] = true
		}
	}
	e.Want, e.Blocs = Quorum(able), len(blocs)
	if role == Sequencer {
		e.Want = max(1, SequencerQuorum(able))
	} else {
		e.Spread = c.Blocs
	}
	if e.Have >= e.Want && e.Blocs >= e.Spread {
		return nil
	}
	slices.Sort(e.Missing)
	return e
}
