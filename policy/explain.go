package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

// Opening is one thing that the rules let someone learn.
type Opening struct {
	Partner    string               `json:"partner"`
	Learner    Learner              `json:"learner"`
	Mode       terms.Mode           `json:"mode"` // the highest that is permitted
	Purpose    string               `json:"purpose"`
	Basis      string               `json:"legal_basis"`
	Categories []indicator.Category `json:"categories"`
	Kinds      []indicator.Kind     `json:"kinds"`
	Rounds     Rounds               `json:"rounds"`
	Duties     Duties               `json:"duties"`
	Grounds    []Ground             `json:"grounds"` // the permits that open it
	Sentence   string               `json:"sentence"`
}

// Rounds says in which rounds something is open.
type Rounds string

// Kinds of rounds. A standing round opens which entries match or nothing, so what opens no
// more than their number is open in single rounds.
const (
	AnyRounds      Rounds = "any"
	SingleRounds   Rounds = "single"
	StandingRounds Rounds = "standing"
)

// Counterpart is a member that Explain asks the rules about.
type Counterpart struct{ ID, Role string }

// Explain asks the rules about every partner, direction, purpose, legal basis,
// category and kind, and says what is open. It is what the rules do, not what they
// look like: forbids and baseline are applied. Sizes are the smallest that a rule's
// duties admit, with nothing counted yet today; a rule that needs larger lists by a
// condition of its own is not shown as open.
func (b *Bundle) Explain(self string, partners []Counterpart, now time.Time) []Opening {
	var out []Opening
	for _, partner := range partners {
		for _, learner := range []Learner{Partner, Us} {
			for _, purpose := range b.register.Purposes {
				for _, basis := range slices.Sorted(maps.Keys(b.register.Bases)) {
					out = append(out, b.explain(Request{Self: self, Partner: partner.ID, PartnerRole: partner.Role, ListPurpose: purpose,
						Purpose: purpose, Basis: basis, Learner: learner, Asked: terms.IDs, Now: now})...)
				}
			}
		}
	}
	return out
}

// explain groups categories and kinds that are open in the same way.
func (b *Bundle) explain(r Request) []Opening {
	var out []Opening
	for _, category := range indicator.Categories() {
		for _, kind := range indicator.Kinds() {
			r.Category, r.Kind = category, kind
			for _, o := range b.openings(r) {
				at := slices.IndexFunc(out, func(e Opening) bool { return e.alike(o) && slices.Equal(e.Categories, o.Categories) })
				if at < 0 {
					at = len(out)
					out = append(out, o)
				}
				out[at].Kinds = append(out[at].Kinds, kind)
			}
		}
	}
	out = joinCategories(out)
	for i := range out {
		out[i].Sentence = out[i].sentence()
	}
	return out
}

// openings says what is open of one category and kind, in single and in standing rounds.
func (b *Bundle) openings(r Request) []Opening {
	opening := func(standing bool) Opening {
		r.Standing = standing
		d := b.widest(r)
		d.Grounds = slices.DeleteFunc(d.Grounds, func(g Ground) bool { return g.Forbids })
		return Opening{Partner: r.Partner, Learner: r.Learner, Mode: d.Mode, Purpose: r.Purpose, Basis: r.Basis,
			Categories: []indicator.Category{r.Category}, Duties: d.Duties, Grounds: d.Grounds}
	}
	single, lasting := opening(false), opening(true)
	if lasting.Mode == terms.IDs && single.alike(lasting) {
		single.Rounds = AnyRounds
		return []Opening{single}
	}
	var out []Opening
	if single.Mode != terms.None {
		single.Rounds = SingleRounds
		out = append(out, single)
	}
	if lasting.Mode == terms.IDs {
		lasting.Rounds = StandingRounds
		out = append(out, lasting)
	}
	return out
}

// alike tells whether two openings of one partner differ at most in categories and kinds.
func (o Opening) alike(other Opening) bool {
	return o.Mode == other.Mode && o.Rounds == other.Rounds && o.Duties == other.Duties && slices.Equal(o.Grounds, other.Grounds)
}

// joinCategories puts openings together that differ in nothing but the category.
func joinCategories(in []Opening) []Opening {
	var out []Opening
	for _, o := range in {
		at := slices.IndexFunc(out, func(e Opening) bool {
			return e.alike(o) && slices.Equal(e.Kinds, o.Kinds)
		})
		if at < 0 {
			out = append(out, o)
			continue
		}
		out[at].Categories = append(out[at].Categories, o.Categories...)
	}
	return out
}

// smallestClass is the smallest size class on the wire, in items.
const smallestClass = 64

// widest decides for the list sizes that the rules' duties mention and takes the
// widest outcome.
func (b *Bundle) widest(r Request) Decision {
	sizes := []int64{smallestClass}
	for _, rule := range b.rules {
		if n := int64(rule.duties.MinItems); !rule.forbids && !slices.Contains(sizes, n) && n > 0 {
			sizes = append(sizes, n)
		}
	}
	var best Decision
	for i, size := range sizes {
		r.OwnItems, r.PartnerItems = size, size
		if d := b.Decide(r); i == 0 || d.Mode > best.Mode {
			best = d
		}
		if best.Mode == r.Asked {
			break
		}
	}
	return best
}

func (o Opening) sentence() string {
	subject := o.Partner + " may learn"
	if o.Learner == Us {
		subject = "We may learn, with " + o.Partner + ","
	}
	what := "which entries match"
	if o.Mode == terms.Count {
		what = "how many entries match"
	}
	switch {
	case o.Duties.MinScore > 0:
		what = "which entries are alike from a score of " + number(int64(o.Duties.MinScore))
	case o.Rounds == StandingRounds || o.Rounds == SingleRounds && o.Mode == terms.IDs:
		what += ", in " + string(o.Rounds) + " rounds only,"
	}
	var titles []string
	for _, g := range o.Grounds {
		titles = append(titles, fmt.Sprintf("%q", g.Title))
	}
	approval := "without further approval"
	if o.Duties.Approval {
		approval = "after a person's approval"
	}
	return fmt.Sprintf("%s %s on our lists of category %s and kind %s, for %s, on the legal basis %s, %s: %s.", subject, what,
		list(texts(o.Categories), "or"), list(texts(o.Kinds), "or"), o.Purpose, o.Basis, approval, strings.Join(titles, ", "))
}

func texts[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
