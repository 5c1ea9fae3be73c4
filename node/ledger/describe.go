package ledger

import (
	"fmt"
	"strings"
	"time"

	"entente/protocol/entry"
	"entente/protocol/replay"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// Line is an entry of the ledger as a person reads it.
type Line struct {
	Index  uint64    `json:"index"`
	Time   time.Time `json:"time"` // by its author's clock
	Member string    `json:"member"`
	Kind   string    `json:"kind"`
	Text   string    `json:"text"`           // what it says, in plain words
	Void   string    `json:"void,omitempty"` // why it has no effect
	Final  bool      `json:"final"`
}

// Possible says why a change is not possible by what this node holds; nil if it is.
func (s *Service) Possible(a entry.Action, body any) (err error) {
	if bad := s.mirror.State(func(st *replay.State) { err = st.Possible(a, body) }); bad != nil {
		return bad
	}
	return err
}

// mostLines is how many entries are told at a time.
const mostLines = 1000

// Lines tells entries from one place on, at most so many.
func (s *Service) Lines(from uint64, most int) ([]Line, error) {
	final, err := s.mirror.LastFinal()
	if err != nil {
		return nil, err
	}
	list, err := s.mirror.Entries(from, min(max(most, 1), mostLines), 64<<20)
	if err != nil {
		return nil, err
	}
	out := []Line{}
	for i, b := range list {
		one, err := entry.Unmarshal(b)
		if err != nil {
			return nil, fmt.Errorf("tell entry %d: %w", from+uint64(i), err)
		}
		e, err := one.Decode()
		if err != nil {
			return nil, fmt.Errorf("tell entry %d: %w", from+uint64(i), err)
		}
		l := Line{Index: from + uint64(i), Time: time.UnixMilli(e.Time), Member: e.Member, Kind: e.Kind.String(), Text: text(e)}
		l.Final = l.Index < final.Size
		if l.Void, err = s.mirror.Void(l.Index); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// text says in plain words what an entry says. What is sealed stays so.
func text(e entry.Entry) string {
	switch e.Kind {
	case entry.Created:
		return "its node was set up"
	case entry.Genesis:
		return "the ledger begins"
	case entry.CosigningKey:
		return "names the key with which it cosigns"
	case entry.Tick:
		return "tells the time"
	case entry.SealedDigest:
		return "something between it and another member, which only they can open"
	case entry.LocalHead:
		return "its own log so far, sealed"
	case entry.Evidence:
		return "evidence that somebody signed what cannot both be true"
	case entry.KeyRotated:
		return "goes on with another key"
	case entry.AddressesChanged:
		return "can be reached elsewhere"
	case entry.Proposal:
		if c, err := e.Change(); err == nil {
			return "proposes: " + Describe(c)
		}
	case entry.Approval, entry.Objection:
		if r, err := e.Reference(); err == nil {
			verb := "approves"
			if e.Kind == entry.Objection {
				verb = "objects to"
			}
			return fmt.Sprintf("%s proposal %x", verb, r.Proposal[:4])
		}
	case entry.BudgetSpent:
		if b, err := e.Spend(); err == nil {
			return fmt.Sprintf("spends %d of its budget for %s in key period %d", b.Class, b.Kind, b.Period)
		}
	case entry.Refusals:
		if b, err := e.Refused(); err == nil {
			return fmt.Sprintf("refused %d requests from %s to %s", b.Count, moment(b.From), moment(b.Until))
		}
	}
	return state(e)
}

// state tells entries that name a state by version.
func state(e entry.Entry) string {
	switch e.Kind {
	case entry.RosterJoined:
		var b entry.RosterState
		if wire.Unmarshal(e.Body, &b) == nil {
			return fmt.Sprintf("lives by version %d of the roster", b.Version)
		}
	case entry.PolicyActivated:
		var b entry.PolicyState
		if wire.Unmarshal(e.Body, &b) == nil {
			return fmt.Sprintf("version %d of its rules is in force", b.Version)
		}
	case entry.Restored:
		return "its node came back from a backup"
	}
	return e.Kind.String()
}

func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }

// Describe says in plain words what a change would do.
func Describe(c entry.Change) string {
	body, err := c.Open()
	if err != nil {
		return c.Action.String() + ", in a form that this program does not know"
	}
	switch b := body.(type) {
	case entry.Joining:
		return fmt.Sprintf("%s (%s) becomes a member", b.Member.ID, b.Member.Name)
	case entry.Renewal:
		return fmt.Sprintf("%s, which lost its keys, gets new ones", b.Member.ID)
	case entry.Concerned:
		switch c.Action {
		case entry.Leave:
			return b.Member + " is a member no more"
		case entry.Suspend:
			return b.Member + " has no part until it is readmitted"
		}
		return b.Member + " has part again"
	case entry.Seats:
		if c.Action == entry.Sequencers {
			return "the ledger is ordered by " + strings.Join(b.Members, ", ")
		}
		return fmt.Sprintf("%s hold the pseudonym key, %d of them together", strings.Join(b.Members, ", "), b.Threshold)
	case roster.Spread:
		var names []string
		for _, one := range b.Blocs {
			names = append(names, one.Name+" ("+strings.Join(one.Members, ", ")+")")
		}
		return fmt.Sprintf("what is decided needs members of %d of these blocs: %s", b.Wanted, strings.Join(names, "; "))
	case entry.Granted:
		daily := ""
		if b.Daily > 0 {
			daily = fmt.Sprintf(", at most %d a day", b.Daily)
		}
		return fmt.Sprintf("%s may ask the custodians %d times more about %s in key period %d%s", b.Member, b.Items, b.Kind, b.Period, daily)
	}
	return c.Action.String()
}
