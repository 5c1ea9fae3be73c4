package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/node/federation"
	"entente/node/ledger"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// Wanted is a change of the federation as a person asks for it. Which fields count says the
// action.
type Wanted struct {
	Action    string   `json:"action"`              // as entry.Action names it
	Member    string   `json:"member,omitempty"`    // leave, suspend, readmit, grant
	Card      string   `json:"card,omitempty"`      // join, restore: file of the member's card
	Members   []string `json:"members,omitempty"`   // sequencers, custodians
	Threshold uint16   `json:"threshold,omitempty"` // custodians
	Blocs     []Bloc   `json:"blocs,omitempty"`     // blocs
	Wanted    uint16   `json:"wanted,omitempty"`    // blocs: of how many the signers must be
	Kind      string   `json:"kind,omitempty"`      // grant: of indicators
	Period    uint64   `json:"period,omitempty"`    // grant: key period
	Items     uint64   `json:"items,omitempty"`     // grant
	Daily     uint64   `json:"daily,omitempty"`     // grant; 0: no bound a day
	Days      int      `json:"days"`                // until it lapses
}

// ErrWanted says that what is asked for makes no sense.
var ErrWanted = errors.New("the change makes no sense")

// change is what is asked for as the ledger has it.
func (w Wanted) change() (a entry.Action, body any, err error) {
	members := slices.Sorted(slices.Values(w.Members))
	for a = entry.Join; a <= entry.Grant && a.String() != w.Action; a++ {
	}
	switch a {
	case entry.Join, entry.Restore:
		c, err := federation.ReadCardFile(w.Card)
		if err != nil {
			return a, nil, err
		}
		if a == entry.Join {
			return a, entry.Joining{Member: c.Member, Signature: c.Signature}, nil
		}
		return a, entry.Renewal{Member: c.Member, Signature: c.Signature}, nil
	case entry.Leave, entry.Suspend, entry.Readmit:
		return a, entry.Concerned{Member: w.Member}, nil
	case entry.Sequencers, entry.Custodians:
		return a, entry.Seats{Members: members, Threshold: w.Threshold}, nil
	case entry.Blocs:
		var blocs []roster.Bloc
		for _, b := range w.Blocs {
			blocs = append(blocs, roster.Bloc{Name: b.Name, Members: slices.Sorted(slices.Values(b.Members))})
		}
		slices.SortFunc(blocs, func(a, b roster.Bloc) int { return strings.Compare(a.Name, b.Name) })
		return a, roster.Spread{Blocs: blocs, Wanted: w.Wanted}, nil
	case entry.Grant:
		return a, entry.Granted{Member: w.Member, Kind: w.Kind, Period: w.Period, Items: w.Items, Daily: w.Daily}, nil
	}
	return 0, nil, fmt.Errorf("%w: there is no such action", ErrWanted)
}

// Proposal is a change that somebody has proposed, as its members see it.
type Proposal struct {
	ID        string    `json:"id"` // digest of its entry, hex
	By        string    `json:"by"`
	Action    string    `json:"action"`
	Text      string    `json:"text"`      // what it would change, in plain words
	Approvals []string  `json:"approvals"` // with the one who proposed it
	Needed    int       `json:"needed"`    // approvals
	Lapses    time.Time `json:"lapses"`
	Due       time.Time `json:"due"`               // when it takes effect, if it is approved and waits; else zero
	Ended     time.Time `json:"ended"`             // by the ledger's clock; zero: it is open
	Outcome   string    `json:"outcome,omitempty"` // of one that has ended
	Final     bool      `json:"final"`             // what is said here can never change
}

// Propose writes a proposal into the own chain; a quorum of the members has to approve it.
// It returns the id by which they do. Whether it is possible says the ledger, later.
func (n *Node) Propose(ctx context.Context, w Wanted) (id string, err error) {
	l, err := n.Ledger()
	if err != nil {
		return "", err
	}
	a, body, err := w.change()
	if err != nil {
		return "", err
	}
	if w.Days < 1 || w.Days > int(replay.MaxDuration/(24*time.Hour/time.Millisecond)) {
		return "", fmt.Errorf("%w: a proposal lapses after 1 to 90 days", ErrWanted)
	}
	b, err := entry.Propose(a, body, time.Now().AddDate(0, 0, w.Days).UnixMilli())
	if err != nil {
		return "", errors.Join(ErrWanted, err)
	}
	if err := l.Possible(a, body); err != nil {
		return "", errors.Join(ErrWanted, err)
	}
	err = n.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Append(entry.Submitted, entry.Proposal, b, time.Now()); err != nil {
			return err
		}
		head, err := tx.Head(entry.Submitted)
		id = hex.EncodeToString(head.Digest[:])
		return err
	})
	return id, err
}

// ErrNoProposal says that there is no such proposal, or that it has ended.
var ErrNoProposal = errors.New("there is no such open proposal in the ledger")

// Answer approves the proposal whose id begins so, or objects to it.
func (n *Node) Answer(ctx context.Context, prefix string, approve bool) (Proposal, error) {
	all, err := n.Proposals()
	if err != nil {
		return Proposal{}, err
	}
	var found []Proposal
	for _, p := range all {
		if p.Ended.IsZero() && strings.HasPrefix(p.ID, strings.ToLower(prefix)) {
			found = append(found, p)
		}
	}
	if len(found) != 1 || len(prefix) < 4 {
		return Proposal{}, fmt.Errorf("%w, or more than one begins so", ErrNoProposal)
	}
	digest, err := hex.DecodeString(found[0].ID)
	if err != nil {
		return Proposal{}, err
	}
	kind := entry.Objection
	if approve {
		kind = entry.Approval
	}
	return found[0], submitted{n.store}.Append(ctx, kind, func(entry.Head) ([]byte, error) {
		return entry.Body(entry.Reference{Proposal: digest})
	})
}

// Proposals lists all proposals, those that have ended first, in the ledger's order.
func (n *Node) Proposals() (out []Proposal, err error) {
	l, err := n.Ledger()
	if err != nil {
		return nil, err
	}
	final, err := l.Mirror().LastFinal()
	if err != nil {
		return nil, err
	}
	err = l.Mirror().State(func(s *replay.State) {
		needed := s.Quorum()
		for _, p := range s.Settled() {
			one := proposal(p.Proposed, needed)
			one.Ended, one.Outcome, one.Final = time.UnixMilli(p.Clock), "in effect", p.Index < final.Size
			if p.Err != nil {
				one.Outcome = p.Err.Error()
			}
			out = append(out, one)
		}
		open := s.Proposals()
		slices.SortFunc(open, func(a, b replay.Proposed) int { return slices.Compare(a.Digest[:], b.Digest[:]) })
		for _, p := range open {
			out = append(out, proposal(p, needed))
		}
	})
	return out, err
}

func proposal(p replay.Proposed, needed int) Proposal {
	out := Proposal{
		ID: hex.EncodeToString(p.Digest[:]), By: p.By, Action: p.Change.Action.String(), Text: ledger.Describe(p.Change),
		Approvals: p.Approvals, Needed: needed, Lapses: time.UnixMilli(p.Change.Expires),
	}
	if p.Due > 0 {
		out.Due = time.UnixMilli(p.Due)
	}
	return out
}
