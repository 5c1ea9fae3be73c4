// Package replay is what every member makes of the ledger's entries, one after the other:
// which are admitted, who is a member with which keys, who sequences and cosigns, what is
// proposed and approved, which budgets there are. (SPEC "What the ledger admits".)
//
// It is a pure fold: two nodes that apply the same entries hold the same state, and it
// knows no clock but the ledger's own, the median of what sequencers tick. An entry that
// Apply refuses changes nothing, and no honest sequencer takes it in; a cosigner that finds
// one in a checkpoint does not cosign. One that its author may write, but whose content is
// not possible, is void.
//
// It promises against any member, sequencers included, that nothing is admitted which its
// author did not sign in its place in the author's chain, that nobody changes members,
// keys, seats or budgets without a quorum of those who are members then, and that what a
// member can add in a day is bounded. It does not promise that entries are ordered fairly
// or at all, and whether they are final says protocol/checkpoint.
package replay

import (
	"fmt"
	"maps"
	"slices"

	"entente/crypto/sign"
	"entente/protocol/budget"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// State is the ledger's state after some entries. Not for several goroutines.
type State struct {
	first   [32]byte // digest of the first roster
	size    uint64
	begun   bool             // by a Genesis entry
	ticks   map[string]int64 // time of each sequencer's last tick, Unix milliseconds
	clock   int64            // see tick; 0 before there is a time
	members map[string]*member
	roster  roster.Roster
	rosters map[[32]byte]uint64 // version by digest, of all that were in force

	sequencers []string
	custodians entry.Seats
	spread     roster.Spread
	eras       []era  // of committees that are no more
	terms      []term // ascending; the first is the ledger's first

	proposals map[[32]byte]*Proposed
	budgets   *budget.Book
	settled   []Settled         // proposals that have ended, in order
	convicted map[string]uint64 // entry that holds the first evidence, by member
}

// member is one that is or was in the roster.
type member struct {
	check     *entry.Check
	suspended bool
	cosigning []keyFrom // ascending
	policy    entry.PolicyState
	refused   int64 // end of the last window of refusals
	replaced  int64 // when it last replaced a cosigning key, by the ledger's clock
	day       int64 // of the ledger's clock, to which the counts belong
	entries   int   // on that day
	bulky     int   // on that day, of kinds with large bodies
}

// keyFrom is a cosigning key from a size of the tree on. It is kept as bytes: parsed, one
// takes many times as much, and a member may name many.
type keyFrom struct {
	size uint64 // of the tree that first holds it
	key  string // as published; empty: none until the next
	// It replaces another one, which counts up to the tree that ends with the entry.
	replaces bool
}

// parsed returns the key, or nil if there is none.
func (k keyFrom) parsed() *sign.CosigningPublicKey {
	key, err := sign.ParseCosigningPublicKey([]byte(k.key))
	if err != nil {
		return nil // empty: the others were parsed before they were taken in
	}
	return key
}

// New starts a ledger with a roster that every member has signed, and that names who
// sequences. The rosters that follow from changes do not name that: the state does.
func New(r roster.Roster) (*State, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("start ledger: %w", err)
	}
	s := &State{
		first: r.Digest(), ticks: map[string]int64{}, members: map[string]*member{}, rosters: map[[32]byte]uint64{},
		proposals: map[[32]byte]*Proposed{}, budgets: budget.New(), convicted: map[string]uint64{},
	}
	s.setRoster(r)
	for _, m := range r.Members {
		if err := s.seat(m); err != nil {
			return nil, fmt.Errorf("start ledger: %w", err)
		}
	}
	if err := s.sequenceable(r.Sequencers); err != nil {
		return nil, fmt.Errorf("start ledger: %w", err)
	}
	if err := s.spreadable(r.Spread); err != nil {
		return nil, fmt.Errorf("start ledger: %w", err)
	}
	s.sequencers, s.spread = slices.Clone(r.Sequencers), r.Spread
	s.terms = []term{{origin: checkpoint.Origin{Federation: s.first, Term: 1}}}
	return s, nil
}

// cosigningKey is the last that the member named, or empty.
func (m *member) cosigningKey() string {
	if len(m.cosigning) == 0 {
		return ""
	}
	return m.cosigning[len(m.cosigning)-1].key
}

func (s *State) setRoster(r roster.Roster) {
	s.roster = r
	s.rosters[r.Digest()] = r.Version
}

// seat begins, or goes on with, a member's chain.
func (s *State) seat(m roster.Member) error {
	key, err := m.PublicKey()
	if err != nil {
		return err
	}
	if old, ok := s.members[m.ID]; ok {
		old.check.Renew(key)
		old.cosigning = append(old.cosigning, keyFrom{size: s.size + 1}) // who lost a key may have lost that too
		return nil
	}
	s.members[m.ID] = &member{check: entry.NewCheck(m.ID, entry.Submitted, key)}
	return nil
}

// seatable checks that all of these are members with a part, and ascend.
func (s *State) seatable(ids []string, most int) error {
	if len(ids) == 0 || len(ids) > most {
		return fmt.Errorf("%d members, must be 1 to %d", len(ids), most)
	}
	for i, id := range ids {
		if !s.active(id) {
			return fmt.Errorf("%s is no member, or suspended", id)
		}
		if i > 0 && id <= ids[i-1] {
			return fmt.Errorf("%s is out of order", id)
		}
	}
	return nil
}

// active reports whether a member has part.
func (s *State) active(id string) bool {
	_, listed := s.roster.Find(id)
	return listed && !s.members[id].suspended
}

// activeIDs are the members that have part, ascending.
func (s *State) activeIDs() []string {
	var ids []string
	for _, m := range s.roster.Members {
		if s.active(m.ID) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// Size is the number of entries applied.
func (s *State) Size() uint64 { return s.size }

// Clock is the ledger's time in Unix milliseconds; 0 before it has one.
func (s *State) Clock() int64 { return s.clock }

// Roster is the roster in force. Its members must not be changed.
func (s *State) Roster() roster.Roster { return s.roster }

// Federation is the digest of the first roster, after which the ledger is named.
func (s *State) Federation() [32]byte { return s.first }

// Sequencers are who orders entries now, ascending.
func (s *State) Sequencers() []string { return slices.Clone(s.sequencers) }

// Custodians are who holds shares of the pseudonym key now.
func (s *State) Custodians() entry.Seats { return s.custodians }

// Suspended lists the members that have no part, ascending.
func (s *State) Suspended() []string {
	var ids []string
	for _, m := range s.roster.Members {
		if s.members[m.ID].suspended {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// Head is the head of a member's submitted chain as far as it was applied.
func (s *State) Head(id string) entry.Head {
	if m, ok := s.members[id]; ok {
		return m.check.Head()
	}
	return entry.Head{}
}

// Policy is the bundle of rules that a member last said is active; zeros if none.
func (s *State) Policy(id string) entry.PolicyState {
	if m, ok := s.members[id]; ok {
		return m.policy
	}
	return entry.PolicyState{}
}

// Balance returns a budget's state.
func (s *State) Balance(a budget.Account) budget.Balance { return s.budgets.Balance(a) }

// Convicted maps members against whom there is evidence to the entry that holds it.
func (s *State) Convicted() map[string]uint64 { return maps.Clone(s.convicted) }

const millisecondsADay = 24 * 60 * 60 * 1000

func (s *State) day() int64 { return s.clock / millisecondsADay }
