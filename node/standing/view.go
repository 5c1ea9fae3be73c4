package standing

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/standing"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// View is a standing round as its own side may see it.
type View struct {
	ID        string        `json:"id"`
	Partner   string        `json:"partner"`
	Proposer  bool          `json:"proposer"`
	State     string        `json:"state"`
	Kinds     []string      `json:"kinds"`
	Lists     []string      `json:"lists,omitempty"`
	Purpose   string        `json:"purpose"`
	Learns    rounds.Learns `json:"learns"`
	Every     time.Duration `json:"every"`
	Period    time.Duration `json:"period"` // longest tag period
	Questions uint32        `json:"questions"`
	Checks    uint32        `json:"checks"`
	Created   time.Time     `json:"created"`
	Updated   time.Time     `json:"updated"`
	Expires   time.Time     `json:"expires"`
	Next      *time.Time    `json:"next,omitempty"`     // when the next run is due
	LastRun   *time.Time    `json:"last_run,omitempty"` // that went through
	NewHits   int64         `json:"new_hits"`           // that nobody has looked at
	Hits      int64         `json:"hits"`
	Waiting   int64         `json:"waiting_questions"`  // for the next run, or the next tag period if the quota is used up
	Asked     uint32        `json:"questions_answered"` // places of this tag period that we have answered for the partner
	Refused   uint32        `json:"questions_refused"`  // chunks of the partner over its quota
	TagEnds   *time.Time    `json:"tag_period_ends,omitempty"`
	Removed   *Removal      `json:"removal,omitempty"` // the partner's newest receipt
	Sent      uint64        `json:"bytes_sent"`
	Received  uint64        `json:"bytes_received"`
	Agreement string        `json:"agreement,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	Grounds   []string      `json:"grounds,omitempty"`
	Note      string        `json:"note,omitempty"`
	Broke     bool          `json:"partner_broke_protocol,omitempty"` // Note says how
}

// Removal is what the partner's newest receipt says, and what that means.
type Removal struct {
	Run     uint32    `json:"run"`
	Time    time.Time `json:"time"`
	Meaning string    `json:"meaning"`
}

// view shows a standing round from this side.
func (s *Service) view(ctx context.Context, f *file) (View, error) {
	o, a := f.machine.Offer(), f.machine.Answer()
	t, limit, kinds := o.Asked, o.Limit, o.Kinds
	v := View{
		ID: standing.ID(f.ID).String(), Partner: f.Partner, Proposer: f.Proposer, State: f.State, Lists: f.Lists, Purpose: o.Purpose,
		Created: f.Created, Updated: f.Updated, Expires: f.Expires, Sent: f.Sent, Received: f.Received, Grounds: f.Grounds, Note: f.Note,
	}
	if f.Stopped != "" {
		v.Note, v.Broke = f.Stopped, true
	}
	if a.Created > 0 {
		t, limit, kinds = a.Terms, a.Limit, a.Kinds
		v.Agreement = fmt.Sprintf("%x", f.machine.Agreement())
	}
	for _, k := range kinds {
		v.Kinds = append(v.Kinds, k.Name)
	}
	v.Every, v.Period = time.Duration(limit.Cadence)*time.Second, time.Duration(limit.Period)*time.Second
	v.Questions, v.Checks = limit.Queries, limit.Checks
	v.Learns = rounds.Learns{Us: t.Responder, Them: t.Proposer}
	if f.Proposer {
		v.Learns = rounds.Learns{Us: t.Proposer, Them: t.Responder}
	}
	if f.machine.Stage() == standing.Active && f.State == "active" {
		v.Next = &f.Next
	}
	if f.LastRun > 0 {
		at := time.UnixMilli(f.LastRun)
		v.LastRun = &at
	}
	if f.machine.Stage() == standing.Refused || f.machine.Stage() == standing.Failed {
		v.Reason = f.machine.Reason().String()
	}
	return v, s.feeds(ctx, f, &v)
}

// feeds fills in what the feeds' records say.
func (s *Service) feeds(ctx context.Context, f *file, v *View) error {
	return s.o.Store.View(ctx, func(tx *store.Tx) error {
		counts, err := tx.HitCounts(f.ID)
		if err != nil {
			return err
		}
		for _, n := range counts {
			v.Hits += n
		}
		seen, err := seenHits(tx, f.ID)
		if err != nil {
			return err
		}
		fresh, err := tx.HitsFrom(f.ID, seen)
		if err != nil {
			return err
		}
		v.NewHits = int64(len(fresh))
		for number := range uint8(2) {
			x := &feed{s: s, f: f, session: standing.Session{Feed: number}}
			if err := x.show(tx, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (x *feed) show(tx *store.Tx, v *View) error {
	var account standing.Account
	if _, err := x.read(tx, recordAccount, 0, &account); err != nil {
		return err
	}
	v.Asked, v.Refused = v.Asked+account.Used, v.Refused+account.Refused
	var receipt receiptRecord
	found, err := x.read(tx, recordReceipt, 0, &receipt)
	if err != nil {
		return err
	}
	if found {
		v.Removed = &Removal{Run: receipt.Run, Time: time.UnixMilli(receipt.Time), Meaning: standing.ReceiptMeaning}
	}
	var asker askerState
	if found, err = x.read(tx, recordAsker, 0, &asker); err != nil || !found || asker.Index == 0 {
		return err
	}
	var p standing.Period
	if err := wire.Unmarshal(asker.Signed.Body, &p); err != nil {
		return err
	}
	ends := time.UnixMilli(p.Ends)
	v.TagEnds = &ends
	v.Waiting += int64(len(asker.Todo) / lookupSize)
	if i, err := store.DecodeSegmentInfo(asker.Wanted); err == nil {
		v.Waiting += i.Entries - asker.WantedAt
	}
	return nil
}

// seenHits is the position below which hits were shown to a person.
func seenHits(tx *store.Tx, id standing.ID) (int64, error) {
	b, err := tx.Standing(id, 0, recordSeen, 0)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

func putSeenHits(tx *store.Tx, id standing.ID, below int64) error {
	return tx.PutStanding(id, 0, recordSeen, 0, binary.BigEndian.AppendUint64(nil, uint64(below)))
}

// List returns all standing rounds, oldest first.
func (s *Service) List(ctx context.Context) ([]View, error) { return s.views(ctx, nil) }

// Inbox returns the standing rounds that wait for a person, and those with hits that
// nobody has looked at.
func (s *Service) Inbox(ctx context.Context) ([]View, error) {
	return s.views(ctx, func(v View) bool {
		return v.NewHits > 0 || !v.Proposer && v.State == standing.Waiting.String()
	})
}

func (s *Service) views(ctx context.Context, which func(View) bool) ([]View, error) {
	all, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	views := []View{}
	for _, f := range all {
		v, err := s.view(ctx, f)
		if err != nil {
			return nil, err
		}
		if which == nil || which(v) {
			views = append(views, v)
		}
	}
	return views, nil
}

// Show returns one standing round.
func (s *Service) Show(ctx context.Context, id string) (View, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, f)
}

// Hits returns the shared indicators of a standing round beside the own records, and notes
// that a person has seen them.
func (s *Service) Hits(ctx context.Context, id string) ([]rounds.Hit, error) {
	f, err := s.named(ctx, id)
	if err != nil {
		return nil, err
	}
	out := []rounds.Hit{}
	last := int64(-1)
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		seen, err := seenHits(tx, f.ID)
		if err != nil {
			return err
		}
		hits, err := tx.HitsFrom(f.ID, 0)
		if err != nil {
			return err
		}
		for _, h := range hits {
			last = h.Position
			hit, err := rounds.Describe(tx, h)
			if err != nil {
				return err
			}
			hit.Round, hit.Partner, hit.New = standing.ID(f.ID).String(), f.Partner, h.Position >= seen
			out = append(out, hit)
		}
		return nil
	})
	if err != nil || last < 0 {
		return out, err
	}
	return out, s.o.Store.Update(ctx, func(tx *store.Tx) error {
		return putSeenHits(tx, f.ID, last+1)
	})
}

// Plan says what a standing round would cost and reveal. Nothing is sent and nothing kept.
type Plan struct {
	Partner      string        `json:"partner"`
	PartnerName  string        `json:"partner_name"`
	Lists        []string      `json:"lists"`
	Kinds        []string      `json:"kinds"`
	Class        int64         `json:"size_class"`
	Learns       rounds.Learns `json:"learns"`
	Allowed      bool          `json:"allowed"` // by the own rules
	Approval     bool          `json:"approval"`
	Grounds      []string      `json:"grounds"`
	Every        time.Duration `json:"every"`
	Period       time.Duration `json:"period"`
	Until        time.Time     `json:"until"`
	Questions    uint32        `json:"questions"`
	Checks       uint32        `json:"checks"`
	Guesses      uint64        `json:"guesses"`             // that a partner who cheats can test in a tag period
	FirstBytes   int64         `json:"first_bytes"`         // of a tag period's publication and first questions
	DailyBytes   int64         `json:"run_bytes"`           // of a run without changes
	FirstSeconds float64       `json:"first_seconds"`       // computing time of the own side
	WrongHits    float64       `json:"expected_wrong_hits"` // in a tag period
	Retention    uint32        `json:"retention_days"`
	Warnings     []string      `json:"warnings"`
}

// Costs of one item, measured with the fast kernel on a 3.6 GHz core; the generic one takes
// about nine times as long.
const (
	publishSeconds = 9e-6
	askSeconds     = 18e-6
	tagBytes       = 10
	questionBytes  = 2 * 32
	signedBytes    = 6 << 10 // signatures and receipts of a feed in a sync
	agreedBytes    = 6 << 10 // of a feed's share of the agreement
	runBytes       = 2*standing.MinPlaces*tagBytes + standing.MinPlaces*questionBytes + signedBytes
)

// Plan checks a request against lists and rules.
func (s *Service) Plan(ctx context.Context, r Request) (Plan, error) {
	p, err := s.prepare(ctx, r)
	if err != nil {
		return Plan{}, err
	}
	session := standing.Session{PeriodSeconds: p.limit.Period, Cadence: p.limit.Cadence}
	tags := float64(session.PublicationClass(int(p.ask.ours)))
	out := Plan{
		Partner: p.ask.partner.ID, PartnerName: p.ask.partner.Name, Lists: r.Lists, Class: p.ask.ours,
		Learns: rounds.Learns{Us: p.grant.terms.Proposer, Them: p.grant.terms.Responder}, Allowed: p.grant.open(),
		Approval: p.grant.approval, Grounds: p.grant.grounds, Until: p.until, Questions: p.limit.Queries, Checks: p.limit.Checks,
		Every: time.Duration(p.limit.Cadence) * time.Second, Period: time.Duration(p.limit.Period) * time.Second,
		Guesses:   standing.Evaluations(p.limit.Queries, p.limit.Checks, p.limit.Period),
		Retention: p.grant.terms.RetentionDays,
		Warnings: []string{standing.Consequence, standing.ReceiptMeaning, standing.TimeMeaning, standing.PeriodMeaning,
			"For trial data only: a partner who lists guesses can test them against your list, up to these questions."},
	}
	if p.limit.Checks > 0 {
		out.Warnings = append(out.Warnings, standing.CheckMeaning)
	}
	for _, k := range p.kinds {
		out.Kinds = append(out.Kinds, k.Name)
	}
	if p.limit.Queries < uint32(p.ask.ours) && out.Learns.Us == terms.IDs {
		out.Warnings = append(out.Warnings, "The questions of a tag period are fewer than your list has items: the rest is not looked for.")
	}
	feeds := 0.0
	for _, m := range []terms.Mode{out.Learns.Us, out.Learns.Them} {
		if m == terms.IDs {
			feeds++
		}
	}
	// The partner's list is taken to be as long as the own ones.
	out.FirstBytes = int64(feeds * (tags*tagBytes + float64(p.ask.ours)*questionBytes + signedBytes + agreedBytes))
	out.DailyBytes = int64(feeds * runBytes)
	out.FirstSeconds = tags*publishSeconds + float64(p.ask.ours)*askSeconds
	out.WrongHits = tags * float64(p.limit.Queries) * math.Exp2(-80)
	return out, nil
}
