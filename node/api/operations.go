package api

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"entente/node"
	"entente/node/intake"
	"entente/node/rounds"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/indicator"
	"entente/protocol/ledgerfile"
	"entente/protocol/person"
	"entente/protocol/roster"
)

// Status says what a node is doing.
type Status struct {
	ID      string   `json:"id"`
	Serving []string `json:"serving"` // addresses; empty without a daemon
	Rules   uint64   `json:"rules"`   // version of the active rules
}

// File names a file or folder on the node's machine. The path is absolute.
type File struct {
	Path string `json:"path" minLength:"1"`
}

type fileInput struct{ Body File }

// Export says which days an auditor is shown, and where that is written.
type Export struct {
	Path  string `json:"path"`  // of the new folder
	First string `json:"first"` // day, as 2026-01-31
	Last  string `json:"last"`
}

type exportInput struct{ Body Export }

// Signed is a signature over a roster.
type Signed struct {
	Name   string       `json:"name"`
	File   string       `json:"file"`             // of the signature
	Words  string       `json:"words"`            // of the roster, to compare by telephone
	Ledger *node.Ledger `json:"ledger,omitempty"` // absent if the federation keeps none in common
}

// Addresses are where partners are to dial this member.
type Addresses struct {
	Addresses []string `json:"addresses"`
}

type addressesInput struct{ Body Addresses }

type memberInput struct {
	Member string `path:"member"`
}

func (h handlers) federation(a huma.API) {
	operation(a, http.MethodGet, "/status", "What the node is doing", func(context.Context, *none) (Status, error) {
		return Status{ID: h.node.ID(), Serving: h.node.Serving(), Rules: h.node.Rules().Version()}, nil
	})
	operation(a, http.MethodGet, "/federation", "The roster and its members", func(ctx context.Context, _ *none) (node.Federation, error) {
		return h.node.Federation(ctx)
	})
	operation(a, http.MethodPost, "/federation/sign", "Sign a roster for this member", func(_ context.Context, in *fileInput) (Signed, error) {
		r, file, err := h.node.SignRoster(in.Body.Path)
		if err != nil {
			return Signed{}, err
		}
		return Signed{Name: r.Name, File: file, Words: roster.Words(r.Digest()), Ledger: node.LedgerOf(r)}, nil
	})
	operation(a, http.MethodPost, "/federation/join", "Live by a roster that every member has signed", func(ctx context.Context, in *fileInput) (node.Federation, error) {
		return h.node.JoinFederation(ctx, in.Body.Path)
	})
	operation(a, http.MethodPost, "/federation/keys", "Replace the own signing and transport key", func(ctx context.Context, _ *none) (node.Rotation, error) {
		return h.node.RotateKeys(ctx)
	})
	operation(a, http.MethodPost, "/federation/addresses", "Be reached at other addresses", done(func(ctx context.Context, in *addressesInput) error {
		return h.node.ChangeAddresses(ctx, in.Body.Addresses)
	}))
	operation(a, http.MethodPost, "/partners/{member}/stop", "Cut a partner off at once", done(func(ctx context.Context, in *memberInput) error {
		return h.node.StopPartner(ctx, in.Member, true)
	}))
	operation(a, http.MethodPost, "/partners/{member}/allow", "Let a stopped partner in again", done(func(ctx context.Context, in *memberInput) error {
		return h.node.StopPartner(ctx, in.Member, false)
	}))
}

// Rules is what is known of the active or a checked bundle.
type Rules struct {
	Version  uint64           `json:"version"`
	Digest   string           `json:"digest"`
	Active   bool             `json:"active"`
	Findings []policy.Finding `json:"findings"`
	Openings []policy.Opening `json:"openings,omitempty"`
	Rules    []policy.Rule    `json:"rules,omitempty"`
}

func (h handlers) rules(a huma.API) {
	operation(a, http.MethodPost, "/rules/check", "Find what is wrong with the rules in a folder", func(_ context.Context, in *fileInput) ([]policy.Finding, error) {
		found, err := h.node.CheckRules(in.Body.Path)
		return append([]policy.Finding{}, found...), err
	})
	operation(a, http.MethodPost, "/rules/activate", "Live by the rules in a folder", func(ctx context.Context, in *fileInput) (Rules, error) {
		b, err := h.node.ActivateRules(ctx, in.Body.Path)
		if err != nil {
			return Rules{}, err
		}
		return describe(b), nil
	})
	operation(a, http.MethodGet, "/rules", "What the active rules open, rule by rule and in effect", func(context.Context, *none) (Rules, error) {
		b := h.node.Rules()
		r := describe(b)
		r.Rules, r.Openings = b.Rules(), h.node.ExplainRules(b)
		return r, nil
	})
}

func describe(b *policy.Bundle) Rules {
	return Rules{Version: b.Version(), Digest: hexDigest(b.Digest()), Active: true, Findings: append([]policy.Finding{}, b.Warnings()...)}
}

// List is a list in numbers.
type List struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	Category string    `json:"category"`
	Purpose  string    `json:"purpose"`
	Basis    string    `json:"basis"`
	Items    int64     `json:"items"`
	Held     int64     `json:"held"` // waiting for the protection desk
	Created  time.Time `json:"created"`
}

type listInput struct {
	Name string `path:"name" maxLength:"64"`
}

// importInput carries the file itself as the request's body, read as it arrives.
type importInput struct {
	Name     string   `path:"name" maxLength:"64"`
	File     string   `query:"file"`
	Kind     string   `query:"kind"`
	Category string   `query:"category"`
	Purpose  string   `query:"purpose"`
	Basis    string   `query:"basis"`
	Country  string   `query:"country"`
	Platform string   `query:"platform"`
	Issuer   string   `query:"issuer"`
	Scheme   string   `query:"scheme"`
	Calendar string   `query:"calendar" doc:"of dates of birth: buddhist, persian or hijri"`
	Order    string   `query:"date_order" doc:"of day and month in dates of birth: day_first or month_first"`
	Model    string   `query:"model" doc:"embedding model of faces"`
	Column   []string `query:"column,explode" doc:"field=header"`
	DryRun   bool     `query:"dry_run"`
	Size     int64    `query:"size"`

	body io.Reader
}

// Resolve takes the body, which the framework would otherwise read into memory.
func (i *importInput) Resolve(c huma.Context) []error {
	i.body = c.BodyReader()
	return nil
}

func (h handlers) lists(a huma.API) {
	operation(a, http.MethodGet, "/lists", "All lists in numbers", func(ctx context.Context, _ *none) ([]List, error) {
		lists, err := h.node.Lists(ctx)
		out := make([]List, 0, len(lists))
		for _, l := range lists {
			out = append(out, listView(l))
		}
		return out, err
	})
	operation(a, http.MethodDelete, "/lists/{name}", "Erase a list", done(func(ctx context.Context, in *listInput) error {
		return h.node.DeleteList(ctx, in.Name)
	}))
	operation(a, http.MethodGet, "/lists/{name}/held", "Rows kept back for the protection desk", func(ctx context.Context, in *listInput) ([]node.Held, error) {
		return h.node.HeldRows(ctx, in.Name)
	})
	operation(a, http.MethodPost, "/lists/{name}/import", "Read a file into a list, or check it", h.importList)
}

func listView(l store.List) List {
	return List{
		Name: l.Name, Kind: string(l.Kind), Category: string(l.Category), Purpose: l.Purpose, Basis: l.Basis,
		Items: l.Items, Held: l.Held, Created: l.Created,
	}
}

func (h handlers) importList(ctx context.Context, in *importInput) (intake.Report, error) {
	kind, err := indicator.ParseKind(in.Kind)
	if err != nil {
		return intake.Report{}, unknown("kind", indicator.Kinds())
	}
	category, err := indicator.ParseCategory(in.Category)
	if err != nil {
		return intake.Report{}, unknown("category", indicator.Categories())
	}
	columns, err := columnMap(in.Column)
	if err != nil {
		return intake.Report{}, invalid(err.Error())
	}
	i := node.Import{List: in.Name, File: in.File, Size: in.Size}
	i.Kind, i.Columns, i.DryRun = kind, columns, in.DryRun
	i.Handling = indicator.Handling{Category: category, Purpose: in.Purpose, Basis: in.Basis}
	i.Defaults = indicator.Defaults{
		Country: in.Country, Platform: in.Platform, Issuer: in.Issuer, Scheme: in.Scheme,
		Calendar: person.Calendar(in.Calendar), Order: person.Order(in.Order), Model: in.Model,
	}
	return h.node.ImportList(ctx, i, in.body)
}

type roundInput struct {
	ID string `path:"id" maxLength:"32"`
}

type waitInput struct {
	ID      string `path:"id" maxLength:"32"`
	Seconds int    `query:"seconds" minimum:"0" maximum:"60" default:"20"`
}

type requestInput struct{ Body rounds.Request }

// check finds what makes no sense before a list or a rule is looked at.
func (i *requestInput) check() error {
	if _, err := indicator.ParseKind(i.Body.Kind); err != nil {
		return unknown("kind", indicator.Kinds())
	}
	switch i.Body.Learn {
	case "us", "them", "both":
	default:
		return invalid("say who learns: us, them or both")
	}
	switch i.Body.Result {
	case "which", "count":
	default:
		return invalid("say what is learnt: which items are shared, or their count")
	}
	if i.Body.Expires < 0 {
		return invalid("an offer cannot expire before it is made")
	}
	return nil
}

// unknown says what a name can be, and not what it was.
func unknown[T ~string](what string, known []T) error {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	return invalid("there is no such " + what + "; it is one of: " + strings.Join(names, ", "))
}

// propose refuses a partner that this node has stopped: the offer would wait for ever.
func (h handlers) propose(ctx context.Context, in *requestInput) (rounds.View, error) {
	if err := in.check(); err != nil {
		return rounds.View{}, err
	}
	if err := h.notStopped(ctx, in.Body.Partner); err != nil {
		return rounds.View{}, err
	}
	return h.node.Rounds().Propose(ctx, in.Body)
}

func (h handlers) notStopped(ctx context.Context, partner string) error {
	f, err := h.node.Federation(ctx)
	if err != nil {
		return err
	}
	for _, p := range f.Partners {
		if p.ID == partner && p.Stopped {
			return errStopped
		}
	}
	return nil
}

func (h handlers) rounds(a huma.API) {
	r := h.node.Rounds()
	operation(a, http.MethodPost, "/rounds/plan", "What a round would cost and reveal", func(ctx context.Context, in *requestInput) (rounds.Plan, error) {
		if err := in.check(); err != nil {
			return rounds.Plan{}, err
		}
		return r.Plan(ctx, in.Body)
	})
	operation(a, http.MethodPost, "/rounds", "Propose a round", h.propose)
	operation(a, http.MethodGet, "/rounds", "All rounds", func(ctx context.Context, _ *none) ([]rounds.View, error) { return r.List(ctx) })
	operation(a, http.MethodGet, "/inbox", "Rounds that wait for a person here, and standing rounds with new hits", h.inbox)
	operation(a, http.MethodGet, "/rounds/{id}", "One round", func(ctx context.Context, in *roundInput) (rounds.View, error) {
		return r.Show(ctx, in.ID)
	})
	operation(a, http.MethodGet, "/rounds/{id}/wait", "One round, as soon as it is over or the seconds are", func(ctx context.Context, in *waitInput) (rounds.View, error) {
		until, cancel := context.WithTimeout(ctx, time.Duration(in.Seconds)*time.Second)
		defer cancel()
		v, err := r.Wait(until, in.ID)
		if until.Err() != nil && ctx.Err() == nil {
			return r.Show(ctx, in.ID) // how far it is
		}
		return v, err
	})
	operation(a, http.MethodGet, "/rounds/{id}/hits", "Shared indicators beside the own records", func(ctx context.Context, in *roundInput) ([]rounds.Hit, error) {
		return r.Hits(ctx, in.ID)
	})
	operation(a, http.MethodPost, "/rounds/{id}/opening", "Write what an auditor may see of a round by similarity to a new file", done(h.opening))
	operation(a, http.MethodPost, "/audit/compare", "Recompute what both sides of a round by similarity sent, from their openings", h.compare)
	operation(a, http.MethodPost, "/rounds/{id}/approve", "Let a waiting round through", func(ctx context.Context, in *roundInput) (rounds.View, error) {
		return r.Approve(ctx, in.ID)
	})
	operation(a, http.MethodPost, "/rounds/{id}/refuse", "Turn a waiting round down", done(func(ctx context.Context, in *roundInput) error {
		return r.Refuse(ctx, in.ID)
	}))
	operation(a, http.MethodPost, "/rounds/{id}/cancel", "Give a round up", done(func(ctx context.Context, in *roundInput) error {
		return r.Cancel(ctx, in.ID)
	}))
}

// care are the operations that keep a node well.
func (h handlers) care(a huma.API) {
	operation(a, http.MethodGet, "/doctor", "What keeps the node from working, and what to do", func(ctx context.Context, _ *none) ([]node.Symptom, error) {
		return h.node.Doctor(ctx), nil
	})
	operation(a, http.MethodPost, "/backup", "Write a backup to a new file", done(func(ctx context.Context, in *fileInput) error {
		return h.node.Backup(ctx, in.Body.Path)
	}))
	operation(a, http.MethodPost, "/audit", "Bring the audit folder up to date", func(ctx context.Context, _ *none) (File, error) {
		dir, err := filepath.Abs(h.node.AuditDir())
		if err != nil {
			return File{}, err
		}
		return File{Path: dir}, h.node.Mirror(ctx)
	})
	operation(a, http.MethodPost, "/audit/export", "Write what an auditor is shown of some days to a new folder", done(func(ctx context.Context, in *exportInput) error {
		first, err := ledgerfile.ParseDay(in.Body.First)
		if err != nil {
			return err
		}
		last, err := ledgerfile.ParseDay(in.Body.Last)
		if err != nil {
			return err
		}
		return h.node.ExportAudit(ctx, in.Body.Path, ledgerfile.Period{First: first, Last: last})
	}))
}
