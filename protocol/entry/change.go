package entry

import (
	"errors"
	"fmt"
	"slices"

	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Action says what a proposal would change. The numbers never change their meaning.
type Action uint16

// The closed set of actions.
const (
	Join       Action = 1 // a member comes in: Joining
	Leave      Action = 2 // a member goes, by its own will or not: Concerned
	Suspend    Action = 3 // a member has no part until readmitted: Concerned
	Readmit    Action = 4 // a suspended member has part again: Concerned
	Sequencers Action = 5 // who orders the ledger from now on: Seats
	Custodians Action = 6 // who holds shares of the pseudonym key: Seats
	Blocs      Action = 7 // of how many blocs a quorum must be, and which there are: roster.Spread
	Restore    Action = 8 // a member that lost its key gets another: Renewal
	Grant      Action = 9 // a budget: Granted
)

// String names the action.
func (a Action) String() string {
	names := [...]string{
		Join: "join", Leave: "leave", Suspend: "suspend", Readmit: "readmit", Sequencers: "sequencers",
		Custodians: "custodians", Blocs: "blocs", Restore: "restore", Grant: "grant",
	}
	if a > 0 && int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("action %d", uint16(a))
}

// Change is the body of Proposal.
type Change struct {
	_       struct{} `codec:",toarray"`
	Action  Action
	Body    []byte // canonical CBOR in the action's form
	Expires int64  // Unix milliseconds: without enough approvals by then it comes to nothing
}

// Joining is a Join's body: the card of the new member.
type Joining struct {
	_         struct{} `codec:",toarray"`
	Member    roster.Member
	Signature []byte
}

// Concerned is the body of Leave, Suspend and Readmit.
type Concerned struct {
	_      struct{} `codec:",toarray"`
	Member string
}

// Seats is the body of Sequencers and Custodians.
type Seats struct {
	_         struct{} `codec:",toarray"`
	Members   []string // ascending
	Threshold uint16   // of custodians; 0 for sequencers
}

// Renewal is a Restore's body.
type Renewal struct {
	_         struct{}      `codec:",toarray"`
	Member    roster.Member // with the new keys
	Signature []byte        // the card's, by the new signing key
}

// Granted is a Grant's body: what a member may spend of a kind in a key period.
type Granted struct {
	_      struct{} `codec:",toarray"`
	Member string
	Kind   string // of indicators
	Period uint64
	Items  uint64 // added to what was granted before
	Daily  uint64 // at most so many on one day of the ledger's clock; the last grant counts
}

// MaxGrant bounds the items of one grant.
const MaxGrant = 1 << 40

// Card is the new member's card.
func (j Joining) Card() roster.Card { return roster.Card{Member: j.Member, Signature: j.Signature} }

// Card is the member's card with its new keys.
func (r Renewal) Card() roster.Card { return roster.Card{Member: r.Member, Signature: r.Signature} }

// Propose encodes a change as the body of a Proposal.
func Propose(a Action, body any, expires int64) ([]byte, error) {
	b, err := Body(body)
	if err != nil {
		return nil, fmt.Errorf("propose to %s: %w", a, err)
	}
	c := Change{Action: a, Body: b, Expires: expires}
	if _, err := c.Open(); err != nil {
		return nil, fmt.Errorf("propose to %s: %w", a, err)
	}
	return Body(c)
}

// Change returns the body of a Proposal entry, checked by itself.
func (e Entry) Change() (Change, error) {
	var c Change
	if err := wire.Unmarshal(e.Body, &c); err != nil {
		return Change{}, err
	}
	if c.Expires < minTime || c.Expires >= maxTime {
		return Change{}, errors.New("time of expiry is out of range")
	}
	_, err := c.Open()
	return c, err
}

// Open decodes and checks the body: one of the types named with the actions.
func (c Change) Open() (any, error) {
	switch c.Action {
	case Join:
		return open(c.Body, func(b *Joining) error { return b.Card().Verify() })
	case Leave, Suspend, Readmit:
		return open(c.Body, func(b *Concerned) error { return roster.CheckID(b.Member) })
	case Sequencers, Custodians:
		return open(c.Body, func(b *Seats) error { return b.check(c.Action) })
	case Blocs:
		return open(c.Body, func(b *roster.Spread) error { return b.Validate() })
	case Restore:
		return open(c.Body, func(b *Renewal) error { return b.Card().Verify() })
	case Grant:
		return open(c.Body, (*Granted).check)
	}
	return nil, fmt.Errorf("unknown action %d", uint16(c.Action))
}

func open[T any](b []byte, check func(*T) error) (T, error) {
	var v T
	if err := wire.Unmarshal(b, &v); err != nil {
		return v, err
	}
	return v, check(&v)
}

func (s *Seats) check(a Action) error {
	if err := roster.CheckIDs(s.Members, roster.MaxMembers); err != nil {
		return err
	}
	n := len(s.Members)
	switch {
	case a == Sequencers && (s.Threshold != 0 || n > roster.MaxSequencers):
		return fmt.Errorf("%d sequencers with a threshold of %d: at most %d, and none", n, s.Threshold, roster.MaxSequencers)
	case a == Custodians && (int(s.Threshold) > n || 2*int(s.Threshold) <= n || s.Threshold < 2):
		return fmt.Errorf("threshold %d of %d custodians: must be a majority and at least 2", s.Threshold, n)
	}
	return nil
}

func (g *Granted) check() error {
	if g.Items == 0 || g.Items > MaxGrant || g.Daily > MaxGrant {
		return errors.New("a grant's items are out of range")
	}
	if err := roster.CheckWord(g.Kind); err != nil {
		return err
	}
	return roster.CheckID(g.Member)
}

// Holds reports whether a member is among the seats.
func (s Seats) Holds(member string) bool { return slices.Contains(s.Members, member) }
