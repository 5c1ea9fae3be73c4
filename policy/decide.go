package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

// Learner says whose knowledge a decision is about.
type Learner uint8

// Learners. The zero value is neither and is refused.
const (
	Us      Learner = iota + 1 // we learn which of our items the partner has too
	Partner                    // the partner learns which of its items we have too
)

// String returns the name that rules use.
func (l Learner) String() string {
	switch l {
	case Us:
		return "us"
	case Partner:
		return "partner"
	}
	return "nobody"
}

// MarshalText writes the name that rules use.
func (l Learner) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (l *Learner) UnmarshalText(b []byte) error {
	for _, known := range []Learner{Us, Partner} {
		if string(b) == known.String() {
			*l = known
			return nil
		}
	}
	return errors.New("unknown learner")
}

// Request is one question: may this learner learn that much about one own list?
// All facts are the node's own knowledge. Sizes are size classes, never counts.
type Request struct {
	Self, Partner string
	PartnerRole   string // from the roster: state, organisation, ngo, observer
	Kind          indicator.Kind
	Category      indicator.Category
	ListPurpose   string // that the list was made for
	Purpose       string // of the round
	Basis         string // legal basis of the list
	Minors        bool   // the list as a whole is about minors
	Learner       Learner
	Asked         terms.Mode
	OwnItems      int64     // size class of our list
	PartnerItems  int64     // size class of the partner's; 0 while it is not known
	ItemsToday    int64     // counted with this partner today, this round not included
	Standing      bool      // the round goes on; then PartnerItems are the questions of a tag period
	Pairs         int64     // of records that are compared; 0 if they are matched by equality
	PairsToday    int64     // compared with this partner today, this round not included
	Now           time.Time // day boundaries of ItemsToday are the node's matter
}

// Ground is one rule that made a decision, or one that stood in its way.
type Ground struct {
	Rule    string     `json:"rule"` // such as "partners#3"; "baseline#1" for the embedded rules
	Title   string     `json:"title"`
	Mode    terms.Mode `json:"mode"` // the mode that was asked of the rule
	Forbids bool       `json:"forbids"`
	Basis   string     `json:"legal_basis,omitempty"`
	Remedy  string     `json:"remedy,omitempty"`
}

// Decision is the answer to a request. Mode None means refused; what a partner may
// hear of that is the neutral answer only.
type Decision struct {
	Request Request    `json:"-"`
	Mode    terms.Mode `json:"mode"`   // the highest permitted one not above Asked
	Duties  Duties     `json:"duties"` // the strictest of all deciding permits; neutral if refused
	Grounds []Ground   `json:"grounds"`
	Errors  []string   `json:"errors,omitempty"` // any of them denies
}

// defaultRule is the ground when no rule matches at all.
const defaultRule = "default"

// maxItems bounds sizes so that sums in rules stay far from overflow.
const maxItems = 1 << 40

// Counted is the number of items that a round counts for against a daily limit:
// the larger of both size classes, so that both sides count the same.
func Counted(own, partner int64) int64 { return max(own, partner) }

func (r Request) validate() error {
	var errs []error
	if r.Partner == "" || r.Partner == r.Self {
		errs = append(errs, errors.New("the partner is missing or is this member itself"))
	}
	if !slices.Contains([]string{"state", "organisation", "ngo", "observer"}, r.PartnerRole) {
		errs = append(errs, errors.New("the partner's role is unknown"))
	}
	if _, err := indicator.ParseKind(string(r.Kind)); err != nil {
		errs = append(errs, err)
	}
	if _, err := indicator.ParseCategory(string(r.Category)); err != nil {
		errs = append(errs, err)
	}
	if r.Learner != Us && r.Learner != Partner {
		errs = append(errs, errors.New("nobody is named as the one who learns"))
	}
	if r.Asked > terms.IDs {
		errs = append(errs, terms.ErrMode)
	}
	for _, n := range []int64{r.OwnItems, r.PartnerItems, r.ItemsToday, r.Pairs, r.PairsToday} {
		if n < 0 || n > maxItems {
			errs = append(errs, errors.New("a number of items is out of range"))
			break
		}
	}
	if r.OwnItems == 0 {
		errs = append(errs, errors.New("the size of the own list is missing"))
	}
	if r.Now.IsZero() {
		errs = append(errs, errors.New("the time is missing"))
	}
	return errors.Join(errs...)
}

// cedar translates the request. Values never become rule text.
func (r Request) cedar() (*entities, cedar.Request) {
	id := func(t types.EntityType, s string) types.EntityUID { return types.NewEntityUID(t, types.String(s)) }
	e := &entities{
		member: types.Entity{
			UID:        id(typeMember, r.Partner),
			Attributes: types.NewRecord(types.RecordMap{"role": id(typeRole, r.PartnerRole)}),
		},
		list: types.Entity{
			UID: id(typeList, "own"),
			Attributes: types.NewRecord(types.RecordMap{
				"kind":     id(typeKind, string(r.Kind)),
				"category": id(typeCategory, string(r.Category)),
				"purpose":  id(typePurpose, r.ListPurpose),
				"basis":    id(typeBasis, r.Basis),
				"minors":   types.Boolean(r.Minors),
			}),
		},
	}
	return e, cedar.Request{
		Principal: e.member.UID,
		Resource:  e.list.UID,
		Context: types.NewRecord(types.RecordMap{
			"purpose":       id(typePurpose, r.Purpose),
			"learner":       id(typeLearner, r.Learner.String()),
			"items":         types.Long(Counted(r.OwnItems, r.PartnerItems)),
			"own_items":     types.Long(r.OwnItems),
			"partner_items": types.Long(r.PartnerItems),
			"items_today":   types.Long(r.ItemsToday),
			"standing":      types.Boolean(r.Standing),
			"pairs":         types.Long(r.Pairs),
			"pairs_today":   types.Long(r.PairsToday),
			"now":           types.NewDatetime(r.Now),
		}),
	}
}

// Decide returns the highest mode not above the one asked for that the rules
// permit, with the strictest duties of the permits that allowed it. It is a pure
// function: the same request always gets the same decision from one bundle.
func (b *Bundle) Decide(r Request) Decision {
	d := Decision{Request: r, Duties: noDuties()}
	if err := r.validate(); err != nil {
		d.Errors = messages(err)
		return d
	}
	if d.Grounds = b.unregistered(r); len(d.Grounds) > 0 {
		return d
	}
	if r.Kind.Similar() && r.Standing {
		d.Grounds = []Ground{{Rule: defaultRule, Title: "What is matched by similarity takes part in single rounds only", Mode: r.Asked, Forbids: true}}
		return d
	}
	world, question := r.cedar()
	lowest := terms.Count
	if r.Kind.Similar() {
		lowest = terms.IDs // nobody counts them
	}
	for mode := r.Asked; mode >= lowest; mode-- {
		question.Action = action(mode)
		if err := b.conforms(world, question); err != nil {
			d.Errors = append(d.Errors, err.Error())
			return d
		}
		v := b.judge(r, world, question, mode)
		d.Grounds = append(d.Grounds, v.grounds...)
		if len(v.errors) > 0 {
			d.Errors = v.errors
			return d
		}
		if v.allowed {
			d.Mode, d.Duties = mode, v.duties
			return d
		}
	}
	return d
}

// unregistered refuses purposes and bases that bundle.toml does not list, so that
// a rule without a condition on them opens no more than was registered.
func (b *Bundle) unregistered(r Request) []Ground {
	var out []Ground
	if !slices.Contains(b.register.Purposes, r.Purpose) {
		out = append(out, Ground{Rule: registerFile, Title: "The purpose is not registered in the rules", Mode: r.Asked, Forbids: true,
			Remedy: "Add the purpose to bundle.toml, if the law knows it."})
	}
	if _, ok := b.register.Bases[r.Basis]; !ok {
		out = append(out, Ground{Rule: registerFile, Title: "The legal basis of the list is not registered in the rules", Mode: r.Asked, Forbids: true,
			Remedy: "Add the legal basis to bundle.toml, if it covers this sharing."})
	}
	return out
}

// conforms checks the question against the schema. A missing or mistyped fact would
// make conditions fail, and Cedar skips a forbid that fails.
func (b *Bundle) conforms(e *entities, q cedar.Request) error {
	if err := b.engine.validator.Request(q); err != nil {
		return fmt.Errorf("check request: %w", err)
	}
	for _, entity := range []types.Entity{e.member, e.list} {
		if err := b.engine.validator.Entity(entity); err != nil {
			return fmt.Errorf("check facts: %w", err)
		}
	}
	return nil
}

// verdict is the outcome for one mode.
type verdict struct {
	allowed bool
	duties  Duties
	grounds []Ground
	errors  []string
}

// judge asks Cedar about one mode and applies what Cedar leaves open: an error
// denies, duties merge, and a list below the required size is refused.
func (b *Bundle) judge(r Request, e types.EntityGetter, q cedar.Request, mode terms.Mode) verdict {
	decision, diagnostic := cedar.Authorize(b.index.rules(mode, r.Partner), e, q)
	v := verdict{duties: noDuties()}
	for _, failure := range diagnostic.Errors {
		if rule := b.byID[string(failure.PolicyID)]; rule != nil {
			v.errors = append(v.errors, fmt.Sprintf("the rule %q cannot be evaluated: %s", rule.title, failure.Message))
		}
	}
	for _, reason := range diagnostic.Reasons {
		rule := b.byID[string(reason.PolicyID)]
		if rule == nil || r.Kind.Similar() && !rule.forbids && rule.duties.MinScore == 0 {
			continue // a permit that says nothing of similarity does not open it
		}
		v.grounds = append(v.grounds, rule.ground(mode))
		v.duties = v.duties.stricter(rule.duties)
	}
	if !r.Kind.Similar() {
		v.duties.MinScore = 0
	}
	switch {
	case len(diagnostic.Errors) > 0:
		return verdict{duties: noDuties(), grounds: v.grounds, errors: v.errors}
	case decision != cedar.Allow || len(v.grounds) == 0:
		v.duties = noDuties()
		if len(v.grounds) == 0 {
			v.grounds = []Ground{{Rule: defaultRule, Title: "No rule allows it", Mode: mode, Forbids: true}}
		}
		return v
	case !enough(r, v.duties.MinItems):
		return verdict{duties: noDuties(), grounds: tooSmall(v.grounds, v.duties.MinItems)}
	}
	v.allowed = true
	return v
}

// enough reports whether both lists, as far as known, have the required size class.
func enough(r Request, least uint32) bool {
	return r.OwnItems >= int64(least) && (r.PartnerItems == 0 || r.PartnerItems >= int64(least))
}

// tooSmall turns permits into grounds of refusal.
func tooSmall(permits []Ground, least uint32) []Ground {
	out := slices.Clone(permits)
	for i := range out {
		out[i].Forbids = true
		out[i].Remedy = fmt.Sprintf("Both lists need at least %s items.", number(int64(least)))
	}
	return out
}

func (r *rule) ground(mode terms.Mode) Ground {
	return Ground{Rule: r.id, Title: r.title, Mode: mode, Forbids: r.forbids, Basis: r.basis, Remedy: r.remedy}
}
