package standing

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/node/federation"
	"entente/node/rounds"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/entry"
	"entente/protocol/indicator"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// Request is what a focal point asks for.
type Request struct {
	Partner   string        `json:"partner"`
	Lists     []string      `json:"lists"`
	Purpose   string        `json:"purpose"`
	Learn     string        `json:"learn"`     // us, them or both
	Every     time.Duration `json:"every"`     // from run to run; 0: a day
	Period    time.Duration `json:"period"`    // a tag period; 0: a week
	For       time.Duration `json:"for"`       // how long the standing round lasts; 0: 90 days
	Questions int64         `json:"questions"` // each side may ask in a tag period; 0: as the own lists need
	Checks    uint32        `json:"checks"`    // urgent checks a day
}

// Defaults of a request.
const (
	defaultEvery  = 24 * time.Hour
	defaultPeriod = 7 * 24 * time.Hour
	defaultFor    = 90 * 24 * time.Hour
	// roomForNew is how many questions about new items the default quota leaves, besides
	// those about the whole list and the padding of each run.
	roomForNew = 1024
)

// ask is what the own rules are asked about one subscription.
type ask struct {
	partner  federation.Partner
	proposer bool
	purpose  string
	us, them terms.Mode
	ours     int64 // size class of the own lists
	theirs   int64 // values that the partner can have evaluated in a tag period
	used     int64 // of the day's quota; when a sync asks again it is the agreement that counts
}

// grant is what the own rules permit for all kinds together.
type grant struct {
	terms    terms.Terms
	approval bool
	grounds  []string
}

func (g grant) open() bool { return g.terms.Open() }

// granted asks the rules about lists of any kinds: the strictest of all grants holds, and
// what is less than "which items" opens nothing, since a standing count would average its
// noise away.
func (s *Service) granted(a ask, lists []store.List) grant {
	out := grant{terms: terms.Widest(a.us, a.them)}
	kinds := map[indicator.Kind][]policy.List{}
	for _, l := range lists {
		kinds[l.Kind] = append(kinds[l.Kind], policy.List{Category: l.Category, Purpose: l.Purpose, Basis: l.Basis})
	}
	if !a.proposer {
		out.terms = terms.Widest(a.them, a.us)
	}
	if len(kinds) == 0 {
		out.terms.Proposer, out.terms.Responder = terms.None, terms.None
	}
	for kind, lists := range kinds {
		g := s.o.Rules().Grant(policy.Proposal{
			Self: s.o.Self, Partner: a.partner.ID, PartnerRole: string(a.partner.Role), Proposer: a.proposer,
			Kind: kind, Purpose: a.purpose, Lists: lists, AskedUs: a.us, AskedPartner: a.them,
			OwnItems: a.ours, PartnerItems: a.theirs, ItemsToday: a.used, Standing: true, Now: now(),
		})
		out.terms = terms.Merge(out.terms, g.Terms)
		out.approval = out.approval || g.Approval
		for _, sentence := range rounds.Sentences(g) {
			if !slices.Contains(out.grounds, sentence) {
				out.grounds = append(out.grounds, sentence)
			}
		}
	}
	for _, mode := range []*terms.Mode{&out.terms.Proposer, &out.terms.Responder} {
		if *mode != terms.IDs {
			*mode = terms.None
		}
	}
	return out
}

// prepared is a request that was checked against lists and rules.
type prepared struct {
	ask    ask
	lists  []store.List
	kinds  []standing.Kind
	limit  standing.Bounds
	until  time.Time
	grant  grant
	digest [32]byte
}

func (s *Service) prepare(ctx context.Context, r Request) (prepared, error) {
	var p prepared
	_, partner, digest, err := s.partner(r.Partner)
	if err != nil {
		return p, err
	}
	us, them, err := learns(r.Learn)
	if err != nil {
		return p, err
	}
	if p.lists, err = s.lists(ctx, r.Lists); err != nil {
		return p, err
	}
	if err := p.bounds(r); err != nil {
		return p, err
	}
	p.digest = digest
	p.ask = ask{partner: partner, proposer: true, purpose: r.Purpose, us: us, them: them, ours: classOf(p.lists), theirs: guesses(p.limit)}
	if p.ask.used, err = s.usedToday(ctx, partner.ID, standing.ID{}); err != nil {
		return p, err
	}
	p.grant = s.granted(p.ask, p.lists)
	return p, nil
}

// usedToday is what counts against the rules' quota with a partner: what the day's rounds
// have used, and what other standing rounds with it entitle it to, else many small ones would
// add up to more than the rules allow.
func (s *Service) usedToday(ctx context.Context, partner string, but standing.ID) (used int64, err error) {
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		used, err = tx.Quota(partner, rounds.Day(now()))
		return err
	})
	if err != nil {
		return 0, err
	}
	all, err := s.load(ctx)
	for _, f := range all {
		if f.Partner != partner || f.ID == but || f.machine.Stage().Over() {
			continue
		}
		limit := f.machine.Offer().Limit
		if a := f.machine.Answer(); a.Created > 0 {
			limit = a.Limit
		}
		used += guesses(limit)
	}
	return used, err
}

// guesses is how many values a partner who cheats can have evaluated in a tag period.
func guesses(b standing.Bounds) int64 {
	return int64(standing.Evaluations(b.Queries, b.Checks, b.Period))
}

// learns reads who is to learn.
func learns(who string) (us, them terms.Mode, err error) {
	switch who {
	case "us":
		return terms.IDs, terms.None, nil
	case "them":
		return terms.None, terms.IDs, nil
	case "both":
		return terms.IDs, terms.IDs, nil
	}
	return 0, 0, errors.New("say who learns: us, them or both")
}

func (s *Service) lists(ctx context.Context, names []string) ([]store.List, error) {
	var out []store.List
	err := s.o.Store.View(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			l, err := tx.ListByName(name)
			if err != nil {
				return fmt.Errorf("find list: %w", err)
			}
			out = append(out, l)
		}
		return nil
	})
	if err == nil && len(out) == 0 {
		err = errors.New("name at least one own list")
	}
	return out, err
}

// classOf is the size class of lists together.
func classOf(lists []store.List) int64 {
	n := int64(0)
	for _, l := range lists {
		n += l.Items
	}
	return int64(wire.SizeClass(int(n)))
}

// bounds fills in what the request leaves open.
func (p *prepared) bounds(r Request) error {
	pick := func(given, usual time.Duration) time.Duration {
		if given == 0 {
			return usual
		}
		return given
	}
	every, period := pick(r.Every, defaultEvery), pick(r.Period, defaultPeriod)
	p.until = now().Add(pick(r.For, defaultFor))
	if r.Questions < 0 || r.Questions > standing.MaxTags {
		return fmt.Errorf("the questions of a tag period are 1 to %d", standing.MaxTags)
	}
	questions := r.Questions
	if questions == 0 {
		questions = classOf(p.lists) + int64(period/max(every, 1)+1)*standing.MinPlaces + roomForNew
	}
	p.limit = standing.Bounds{
		Cadence: uint32(every / time.Second), Period: uint32(period / time.Second), Tags: standing.MaxTags,
		Queries: uint32(wire.SizeClass(int(questions))), Checks: r.Checks,
	}
	for _, l := range p.lists {
		k := standing.Kind{Name: string(l.Kind), Version: l.Kind.Version()}
		if !slices.Contains(p.kinds, k) {
			p.kinds = append(p.kinds, k)
		}
	}
	slices.SortFunc(p.kinds, func(a, b standing.Kind) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// Subscribe signs an offer and sends it as soon as the partner can be reached. It returns
// the new standing round at once.
func (s *Service) Subscribe(ctx context.Context, r Request) (View, error) {
	p, err := s.prepare(ctx, r)
	if err != nil {
		return View{}, err
	}
	s.deciding.Lock()
	defer s.deciding.Unlock()
	if !p.grant.open() {
		err := s.o.Store.Update(ctx, func(tx *store.Tx) error { return noteDecision(tx, standing.ID{}, p.ask, p.kinds, p.grant) })
		return View{}, errors.Join(err, &rounds.DeniedError{Grounds: p.grant.grounds})
	}
	if err := s.o.Accounted(ctx); err != nil {
		return View{}, err
	}
	parties, err := s.parties(r.Partner)
	if err != nil {
		return View{}, err
	}
	id, rules := round.NewID(), s.o.Rules().Digest()
	machine, err := standing.Propose(standing.Offer{
		Version: standing.Version, Subscription: id[:], Roster: p.digest[:], From: s.o.Self, To: r.Partner,
		Created: now().UnixMilli(), Expires: p.until.UnixMilli(), Kinds: p.kinds, Purpose: r.Purpose, Basis: p.lists[0].Basis,
		Asked: terms.Widest(p.ask.us, p.ask.them), Granted: p.grant.terms, Rules: rules[:],
		Limit: p.limit, Class: uint32(p.ask.ours), Consequence: standing.ConsequenceVersion,
	}, parties)
	if err != nil {
		return View{}, plain(err)
	}
	f := newFile(id, r.Partner, machine)
	f.Lists, f.Grounds, f.Secret = r.Lists, p.grant.grounds, newSecret()
	err = s.put(ctx, f, func(tx *store.Tx) error { return noteDecision(tx, id, p.ask, p.kinds, p.grant) })
	if err != nil {
		return View{}, err
	}
	s.start(id)
	return s.view(ctx, f)
}

// plain takes the partner out of an error about the own request.
func plain(err error) error {
	var broke *wire.ProtocolError
	if errors.As(err, &broke) {
		return fmt.Errorf("the standing round cannot be like that: %w", broke.Err)
	}
	return err
}

// decision is the body of a Decision entry in the local chain.
type decision struct {
	_        struct{} `codec:",toarray"`
	Round    []byte
	Partner  string
	Proposer bool
	Kind     string // kinds of a standing round, joined by commas
	Purpose  string
	Asked    terms.Terms
	Granted  terms.Terms
	Grounds  []string
}

func noteDecision(tx *store.Tx, id standing.ID, a ask, kinds []standing.Kind, g grant) error {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	d := decision{
		Partner: a.partner.ID, Proposer: a.proposer, Kind: strings.Join(names, ","), Purpose: a.purpose,
		Asked: terms.Widest(a.us, a.them), Granted: g.terms, Grounds: g.grounds,
	}
	if id != (standing.ID{}) {
		d.Round = id[:]
	}
	body, err := entry.Body(d)
	if err != nil {
		return err
	}
	return tx.Append(entry.Local, entry.Decision, body, now())
}

func readID(name string) (standing.ID, error) {
	b, err := hex.DecodeString(name)
	if err != nil {
		return standing.ID{}, err
	}
	return round.ParseID(b)
}
