package policy

import (
	"slices"
	"time"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

// List is what the rules need to know of one own list.
type List struct {
	Category indicator.Category
	Purpose  string // that the list was made for
	Basis    string // its legal basis
	Minors   bool   // the list as a whole is about minors
}

// Proposal is one round as this member sees it, before or after the partner has
// answered.
type Proposal struct {
	Self, Partner string
	PartnerRole   string // from the roster
	Proposer      bool   // this member made the offer
	Kind          indicator.Kind
	Purpose       string // of the round
	Lists         []List // own lists that take part; every one must be permitted
	AskedUs       terms.Mode
	AskedPartner  terms.Mode
	OwnItems      int64     // size class of the own snapshot
	PartnerItems  int64     // size class that the partner stated; 0 while it is not known
	ItemsToday    int64     // counted with this partner today, this round not included
	Pairs         int64     // of records that are compared by similarity; 0 while that is not known, or if none are
	PairsToday    int64     // compared with this partner today, this round not included
	Standing      bool      // it goes on; then PartnerItems are the questions of a tag period
	Now           time.Time // the decision's own clock reading
}

// Grant is what the own rules permit of a proposal, in both directions.
type Grant struct {
	Terms     terms.Terms `json:"terms"`               // send in an offer, or merge with the offer's
	Approval  bool        `json:"approval"`            // a person on this side has to approve
	MinScore  uint32      `json:"min_score,omitempty"` // least threshold, where records are matched by similarity
	Decisions []Decision  `json:"decisions"`
}

// Grant decides every list in both directions and merges the outcome. A direction
// opens only as far as the rules permit for all lists; duties of a direction that
// stays closed do not count. If nothing is asked or no list is named, nothing opens.
func (b *Bundle) Grant(p Proposal) Grant {
	g := Grant{}
	us, usDuties := b.direction(p, Us, p.AskedUs, &g)
	partner, partnerDuties := b.direction(p, Partner, p.AskedPartner, &g)
	duties := usDuties.stricter(partnerDuties)
	g.Terms = duties.terms()
	g.Terms.Proposer, g.Terms.Responder = us, partner
	if !p.Proposer {
		g.Terms.Proposer, g.Terms.Responder = partner, us
	}
	g.Approval, g.MinScore = duties.Approval, duties.MinScore
	return g
}

// direction decides all lists for one learner. The mode falls to the lowest that is
// permitted for a list, and lists that permit more are asked again for that mode,
// since their duties may differ.
func (b *Bundle) direction(p Proposal, l Learner, asked terms.Mode, g *Grant) (terms.Mode, Duties) {
	if asked == terms.None {
		return terms.None, noDuties()
	}
	mode := asked
	for {
		decisions := make([]Decision, len(p.Lists))
		lowest, duties := mode, noDuties()
		for i, list := range p.Lists {
			decisions[i] = b.Decide(p.request(list, l, mode))
			lowest = min(lowest, decisions[i].Mode)
			duties = duties.stricter(decisions[i].Duties)
		}
		if len(p.Lists) == 0 {
			return terms.None, noDuties()
		}
		if lowest == mode || lowest == terms.None || len(p.Lists) == 1 {
			g.Decisions = append(g.Decisions, decisions...)
			if lowest == terms.None {
				duties = noDuties()
			}
			return lowest, duties
		}
		mode = lowest
	}
}

func (p Proposal) request(list List, l Learner, asked terms.Mode) Request {
	return Request{
		Self: p.Self, Partner: p.Partner, PartnerRole: p.PartnerRole,
		Kind: p.Kind, Category: list.Category, ListPurpose: list.Purpose, Purpose: p.Purpose,
		Basis: list.Basis, Minors: list.Minors, Learner: l, Asked: asked,
		OwnItems: p.OwnItems, PartnerItems: p.PartnerItems, ItemsToday: p.ItemsToday, Standing: p.Standing,
		Pairs: p.Pairs, PairsToday: p.PairsToday, Now: p.Now,
	}
}

// Open reports whether anyone may learn anything.
func (g Grant) Open() bool { return g.Terms.Open() }

// Grounds are those of all decisions, each once.
func (g Grant) Grounds() []Ground {
	var out []Ground
	for _, d := range g.Decisions {
		for _, ground := range d.Grounds {
			if !slices.Contains(out, ground) {
				out = append(out, ground)
			}
		}
	}
	return out
}

// Errors are those of all decisions, each once.
func (g Grant) Errors() []string {
	var out []string
	for _, d := range g.Decisions {
		for _, e := range d.Errors {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}
