package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"entente/node/rounds"
	"entente/node/standing"
	"entente/protocol/indicator"
	protocol "entente/protocol/standing"
)

// Entry is a round in a list that also holds standing rounds. What both have stands where
// single rounds have it, so that a reader that knows only those can go on.
type Entry struct {
	rounds.View
	Standing *standing.View `json:"standing,omitempty"` // nil for a single round
}

// Entries puts standing rounds after single ones.
func Entries(single []rounds.View, lasting []standing.View) []Entry {
	out := make([]Entry, 0, len(single)+len(lasting))
	for _, v := range single {
		out = append(out, Entry{View: v})
	}
	for _, v := range lasting {
		hits := int(v.Hits)
		out = append(out, Entry{Standing: &v, View: rounds.View{
			ID: v.ID, Partner: v.Partner, Proposer: v.Proposer, State: v.State, Kind: strings.Join(v.Kinds, ","), Lists: v.Lists,
			Purpose: v.Purpose, Learns: v.Learns, Hits: &hits, Created: v.Created, Updated: v.Updated, Expires: v.Expires,
			Sent: v.Sent, Received: v.Received, Agreement: v.Agreement, Reason: v.Reason, Grounds: v.Grounds, Note: v.Note,
		}})
	}
	return out
}

// inbox is what waits for a person here: decisions, and hits that nobody has looked at.
func (h handlers) inbox(ctx context.Context, _ *none) ([]Entry, error) {
	single, err := h.node.Rounds().Inbox(ctx)
	if err != nil {
		return nil, err
	}
	lasting, err := h.node.Standing().Inbox(ctx)
	if err != nil {
		return nil, err
	}
	return Entries(single, lasting), nil
}

type standingInput struct{ Body standing.Request }

// check finds what makes no sense before a list or a rule is looked at.
func (i *standingInput) check() error {
	r := i.Body
	within := func(d time.Duration, least, most int64) bool {
		return d == 0 || d >= time.Duration(least)*time.Second && d <= time.Duration(most)*time.Second && d%time.Second == 0
	}
	names := slices.Sorted(slices.Values(r.Lists))
	switch {
	case len(r.Lists) == 0:
		return invalid("name at least one own list")
	case len(slices.Compact(names)) < len(r.Lists):
		return invalid("a list is named twice")
	case !within(r.Every, protocol.MinCadence, protocol.MaxCadence):
		return invalid("from run to run it is one minute to 31 days, in whole seconds")
	case !within(r.Period, protocol.MinPeriod, protocol.MaxPeriod):
		return invalid("a tag period is one hour to 92 days, in whole seconds")
	case r.Every > 0 && r.Period > 0 && r.Every > r.Period:
		return invalid("a tag period cannot be shorter than the time from run to run")
	case r.For < 0, r.For > protocol.MaxLife*time.Millisecond:
		return invalid("a standing round lasts at most 366 days")
	case r.Questions < 0, r.Questions > protocol.MaxTags:
		return invalid("the questions of a tag period are at most 16777216")
	case r.Checks > protocol.MaxChecks:
		return invalid("urgent checks are at most 1000 a day")
	}
	switch r.Learn {
	case "us", "them", "both":
		return nil
	}
	return invalid("say who learns: us, them or both")
}

// subscribe refuses a partner that this node has stopped: the offer would wait for ever.
func (h handlers) subscribe(ctx context.Context, in *standingInput) (standing.View, error) {
	if err := in.check(); err != nil {
		return standing.View{}, err
	}
	if err := h.notStopped(ctx, in.Body.Partner); err != nil {
		return standing.View{}, err
	}
	return h.node.Standing().Subscribe(ctx, in.Body)
}

// Question is one value about which partners are asked at once. It is read as a row of an
// import is.
type Question struct {
	Kind     string   `json:"kind"`
	Value    string   `json:"value"`
	Partners []string `json:"partners,omitempty"` // none: all who let this side ask
	Country  string   `json:"country,omitempty"`
	Platform string   `json:"platform,omitempty"`
	Issuer   string   `json:"issuer,omitempty"`
	Scheme   string   `json:"scheme,omitempty"`
}

type questionInput struct{ Body Question }

func (h handlers) question(ctx context.Context, in *questionInput) ([]standing.Checked, error) {
	q := in.Body
	kind, err := indicator.ParseKind(q.Kind)
	if err != nil {
		return nil, unknown("kind", indicator.Kinds())
	}
	d := indicator.Defaults{Country: q.Country, Platform: q.Platform, Issuer: q.Issuer, Scheme: q.Scheme}
	v, _, err := indicator.Parse(kind, q.Value, d)
	if err != nil {
		return nil, invalid("the value cannot be read: " + err.Error()) // the reason does not repeat it
	}
	return h.node.Standing().Check(ctx, v, q.Partners)
}

type ranInput struct {
	ID      string `path:"id" maxLength:"32"`
	Seconds int    `query:"seconds" minimum:"0" maximum:"60" default:"20"`
	After   int64  `query:"after" minimum:"0" doc:"Unix milliseconds; only a later run counts"`
}

// ran waits for a run, and otherwise tells how far it is.
func (h handlers) ran(ctx context.Context, in *ranInput) (standing.View, error) {
	until, cancel := context.WithTimeout(ctx, time.Duration(in.Seconds)*time.Second)
	defer cancel()
	v, err := h.node.Standing().Wait(until, in.ID, time.UnixMilli(in.After))
	if until.Err() != nil && ctx.Err() == nil {
		return h.node.Standing().Show(ctx, in.ID)
	}
	return v, err
}

func (h handlers) standing(a huma.API) {
	s := h.node.Standing()
	operation(a, http.MethodPost, "/standing/plan", "What a standing round would cost and reveal", func(ctx context.Context, in *standingInput) (standing.Plan, error) {
		if err := in.check(); err != nil {
			return standing.Plan{}, err
		}
		return s.Plan(ctx, in.Body)
	})
	operation(a, http.MethodPost, "/standing", "Propose a standing round", h.subscribe)
	operation(a, http.MethodGet, "/standing", "All standing rounds", func(ctx context.Context, _ *none) ([]standing.View, error) { return s.List(ctx) })
	operation(a, http.MethodPost, "/standing/check", "Ask partners about one value now", h.question)
	operation(a, http.MethodGet, "/standing/{id}", "One standing round", func(ctx context.Context, in *roundInput) (standing.View, error) {
		return s.Show(ctx, in.ID)
	})
	operation(a, http.MethodGet, "/standing/{id}/wait", "One standing round, as soon as it has run, stands still or the seconds are over", h.ran)
	operation(a, http.MethodGet, "/standing/{id}/hits", "Shared indicators beside the own records, which are then no longer new", func(ctx context.Context, in *roundInput) ([]rounds.Hit, error) {
		return s.Hits(ctx, in.ID)
	})
	operation(a, http.MethodPost, "/standing/{id}/approve", "Let a waiting standing round through", func(ctx context.Context, in *roundInput) (standing.View, error) {
		return s.Approve(ctx, in.ID)
	})
	for _, x := range []struct {
		verb, summary string
		do            func(context.Context, string) error
	}{
		{"refuse", "Turn a waiting standing round down", s.Refuse},
		{"pause", "Keep a standing round from running", s.Pause},
		{"resume", "Let a standing round run again, now", s.Resume},
		{"renew", "Begin a new tag period with the next run, now", s.Renew},
		{"end", "End a standing round for both sides", s.End},
	} {
		operation(a, http.MethodPost, "/standing/{id}/"+x.verb, x.summary, done(func(ctx context.Context, in *roundInput) error { return x.do(ctx, in.ID) }))
	}
}
