package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/node/api"
	"entente/node/rounds"
	"entente/node/standing"
	"entente/node/store"
	"entente/protocol/terms"
)

func (a *app) round() *cobra.Command {
	c := &cobra.Command{Use: "round", Short: "Plan, propose, decide and follow match rounds, single and standing"}
	c.AddCommand(a.roundPlan(), a.roundPropose(), a.roundList(), a.roundShow(),
		a.roundDecide("approve", "Let a waiting round through"), a.roundDecide("refuse", "Turn a waiting round down; the partner hears only \"not available\""),
		a.roundDecide("cancel", "Give a single round up"), a.roundSubscribe(), a.roundCheck(),
		a.roundKeep("pause", "Keep a standing round from running, until resume"),
		a.roundKeep("resume", "Let a paused standing round run again, now"),
		a.roundKeep("renew", "Begin a new tag period of a standing round now, with a new key"),
		a.roundKeep("end", "End a standing round for both sides"))
	return c
}

// request adds the flags of a round to a command.
func request(c *cobra.Command) *rounds.Request {
	r := &rounds.Request{}
	f := c.Flags()
	f.StringVar(&r.Partner, "with", "", "partner (required)")
	f.StringVar(&r.List, "list", "", "own list (required)")
	f.StringVar(&r.Kind, "kind", "", "kind of indicator (required)")
	f.StringVar(&r.Purpose, "purpose", "", "purpose of the round (required)")
	f.StringVar(&r.Learn, "learn", "both", "who learns: us, them or both")
	f.StringVar(&r.Result, "result", "which", "what is learnt: which items are shared, or their count")
	f.IntVar(&r.Threshold, "threshold", 0, "score from which persons or faces are alike enough (default: persons what the kind gives; faces 16129 times the cosine, required)")
	f.StringVar(&r.Model, "model", "", "model of the faces to compare, if the list holds several")
	f.DurationVar(&r.Expires, "expires", 24*time.Hour, "how long the offer stands")
	for _, name := range []string{"with", "list", "kind", "purpose"} {
		must(c.MarkFlagRequired(name))
	}
	return r
}

func (a *app) roundPlan() *cobra.Command {
	c := &cobra.Command{
		Use: "plan", Short: "Say what a round would cost and reveal; nothing is sent", Args: exactly(0),
		Long: `Say what a single round would cost and reveal. Nothing is sent and nothing kept.
For a standing round: entente round subscribe --dry-run`,
		Example: "  entente round plan --dir au --with ID --list wanted --kind phone --purpose trafficking \\\n" +
			"    --learn both --result which",
	}
	a.forNode(c)
	r := request(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		r.Partner = strings.ToUpper(r.Partner)
		var p rounds.Plan
		err := a.ask(c.Context(), func(x *api.Client) error { return x.Post(c.Context(), "/rounds/plan", r, &p) })
		if err != nil {
			return err
		}
		if err := a.show(p, func(w io.Writer) { writePlan(w, p) }); err != nil {
			return err
		}
		if !p.Allowed {
			return &exit{exitDenied, errors.New("the own rules do not allow this round")}
		}
		return nil
	}
	return c
}

func writePlan(w io.Writer, p rounds.Plan) {
	row(w, "with", p.Partner+" ("+p.PartnerName+")")
	row(w, "own list", fmt.Sprintf("%s: %d items of kind %s would take part", p.List, p.Items, p.Kind))
	for _, reason := range slices.Sorted(maps.Keys(p.Excluded)) {
		row(w, "", fmt.Sprintf("left out: %d, %s", p.Excluded[reason], excluded(reason)))
	}
	row(w, "own rules", allowed(p.Allowed))
	for _, g := range p.Grounds {
		row(w, "", g)
	}
	if !p.Allowed {
		return // what it would cost and reveal does not matter
	}
	row(w, "partner sees", fmt.Sprintf("the size class %d, never the list", p.Class))
	row(w, "we learn", learnt(p.Learns.Us))
	row(w, "they learn", learnt(p.Learns.Them))
	if p.Threshold > 0 {
		row(w, "alike", fmt.Sprintf("from a score of %d on, the same for the rest of the month with this partner", p.Threshold))
		row(w, "compared", fmt.Sprintf("%d pairs if the partner's list is as long; %d are left this month", p.Pairs, p.PairsLeft))
	}
	row(w, "partner's rules", p.PartnerRules)
	row(w, "to send", fmt.Sprintf("about %s in all, if the partner's list is as long", size(p.Bytes)))
	row(w, "computing", computing(p.Seconds)+" of processor time for both sides together")
	row(w, "wrong hits", wrongHits(p.WrongHits)+"; every hit still needs a person's review")
	row(w, "used today", fmt.Sprintf("%d items with this partner", p.Used))
	row(w, "hits are kept", fmt.Sprintf("%d days", p.Retention))
	for _, warning := range p.Warnings {
		row(w, "NOTE", warning)
	}
}

// excluded says in plain words why records take no part.
func excluded(reason string) string {
	switch reason {
	case store.ExcludedExpired:
		return "past the date until which they may be used"
	case store.ExcludedShielded:
		return "of victims, witnesses, minors or protected persons"
	case store.ExcludedNeverWith:
		return "marked as never to be shared with this partner"
	case store.ExcludedHeld:
		return "waiting for the protection desk"
	case store.ExcludedOther:
		return "faces of another model"
	}
	return reason
}

func computing(seconds float64) string {
	if seconds < 1 {
		return "under a second"
	}
	return fmt.Sprintf("about %.0f s", seconds)
}

func wrongHits(expected float64) string {
	if expected < 1e-3 {
		return fmt.Sprintf("practically none (%.1g expected)", expected)
	}
	if expected >= 10 {
		return fmt.Sprintf("about %.0f expected", expected)
	}
	return fmt.Sprintf("%.1g expected", expected)
}

func allowed(yes bool) string {
	if yes {
		return "allow it"
	}
	return "do not allow it"
}

func learnt(m terms.Mode) string {
	switch m {
	case terms.IDs:
		return "which of the own items the other side has too"
	case terms.Count:
		return "how many items are shared, not which"
	}
	return "nothing"
}

func (a *app) roundPropose() *cobra.Command {
	c := &cobra.Command{
		Use: "propose", Short: "Propose a round to a partner",
		Example: "  entente round propose --dir au --with ID --list wanted --kind phone --purpose trafficking \\\n" +
			"    --learn both --result which --wait",
		Args: exactly(0),
	}
	a.forNode(c)
	r := request(c)
	wait := c.Flags().Bool("wait", false, "wait until the round is over")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r.Partner = strings.ToUpper(r.Partner)
		return a.ask(c.Context(), func(x *api.Client) error {
			if *wait && !x.Daemon {
				return a.noDaemon()
			}
			var v rounds.View
			if err := x.Post(c.Context(), "/rounds", r, &v); err != nil {
				return err
			}
			if !x.Daemon {
				a.say("The offer is signed. It goes out when the daemon runs: entente serve --dir %s", a.dir)
			}
			if *wait {
				var err error
				id := v.ID
				if v, err = a.follow(c.Context(), x, id); err != nil {
					a.say("The round goes on without this command: entente round show --dir %s %s", a.dir, id)
					return err
				}
			}
			return a.ended(v, *wait)
		})
	}
	return c
}

// follow shows a round's progress until it is over.
func (a *app) follow(ctx context.Context, x *api.Client, id string) (rounds.View, error) {
	m := a.meter("round")
	defer m.end()
	said := ""
	for {
		var v rounds.View
		if err := x.Get(ctx, "/rounds/"+id+"/wait?seconds=1", &v); err != nil {
			return v, err
		}
		switch v.State {
		case "offered", "waiting", "answered", "running", "matched", "countersigned":
		default:
			return v, nil
		}
		if v.Note != "" && v.Note != said {
			said = v.Note
			a.say("%s: %s", v.State, v.Note)
		}
		m.set(v.Done, v.Total)
	}
}

// ended shows a round and finds the exit code that says how it ended.
func (a *app) ended(v rounds.View, over bool) error {
	if err := a.show(v, func(w io.Writer) { writeRound(w, v) }); err != nil || !over {
		return err
	}
	switch v.State {
	case "done":
		return nil
	case "refused":
		return &exit{exitRefused, errors.New("the partner answered: not available")}
	}
	return &exit{exitEnded, fmt.Errorf("the round is %s: %s", v.State, v.Reason)}
}

func writeRound(w io.Writer, v rounds.View) {
	row(w, "round", v.ID)
	row(w, "with", v.Partner)
	row(w, "state", v.State)
	if v.Reason != "" {
		row(w, "reason", v.Reason)
	}
	if v.Note != "" {
		row(w, "note", v.Note)
	}
	row(w, "kind", v.Kind)
	if len(v.Lists) > 0 {
		row(w, "own list", strings.Join(v.Lists, ", "))
	}
	row(w, "we learn", learnt(v.Learns.Us))
	row(w, "they learn", learnt(v.Learns.Them))
	if v.Hits != nil {
		row(w, "hits", *v.Hits)
	}
	if v.Count != nil {
		row(w, "count", *v.Count)
	}
	if v.Items > 0 {
		row(w, "own size", fmt.Sprintf("%d items, shown as %d", v.Items, v.OwnClass))
	}
	if v.PartnerClass > 0 {
		row(w, "their size", fmt.Sprintf("shown as %d", v.PartnerClass))
	}
	row(w, "bytes", fmt.Sprintf("%s sent, %s received", size(int64(v.Sent)), size(int64(v.Received))))
	for _, g := range v.Grounds {
		row(w, "own rules", g)
	}
	switch {
	case v.Hits != nil && *v.Hits > 0:
		row(w, "next", "A hit is a lead, not evidence: review each with entente hit list --round "+v.ID)
	case v.State == "waiting" && !v.Proposer:
		row(w, "next", "A person here decides: entente round approve or entente round refuse")
	}
}

func (a *app) roundList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "Show all rounds, single ones first", Args: exactly(0), Example: "  entente round list --dir au"}
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.entries(c.Context(), func(x *api.Client) ([]api.Entry, error) {
			var single []rounds.View
			var lasting []standing.View
			if err := x.Get(c.Context(), "/rounds", &single); err != nil {
				return nil, err
			}
			err := x.Get(c.Context(), "/standing", &lasting)
			return api.Entries(single, lasting), err
		})
	}
	return a.forNode(c)
}

func (a *app) inbox() *cobra.Command {
	c := &cobra.Command{
		Use: "inbox", Short: "Show the rounds that wait for a person here, and standing rounds with new hits", Args: exactly(0),
		Example: "  entente inbox --dir id",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.entries(c.Context(), func(x *api.Client) (entries []api.Entry, err error) {
			return entries, x.Get(c.Context(), "/inbox", &entries)
		})
	}
	return a.forNode(c)
}

// entries shows rounds of both kinds, and tells of hits that nobody has looked at.
func (a *app) entries(ctx context.Context, read func(*api.Client) ([]api.Entry, error)) error {
	var entries []api.Entry
	err := a.ask(ctx, func(x *api.Client) (err error) {
		entries, err = read(x)
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Standing != nil {
			a.alert(*e.Standing)
		}
	}
	return a.show(entries, func(w io.Writer) {
		row(w, "ROUND", "WITH", "ASKED BY", "STATE", "KIND", "PURPOSE", "WE LEARN", "THEY LEARN", "HITS", "UPDATED", "UNTIL")
		for _, v := range entries {
			if v.Standing != nil {
				continue
			}
			hits := "–"
			if v.Hits != nil {
				hits = fmt.Sprint(*v.Hits)
			}
			if v.Count != nil {
				hits = *v.Count
			}
			row(w, v.ID, v.Partner, by(v.Proposer), v.State, v.Kind, v.Purpose, briefly(v.Learns.Us), briefly(v.Learns.Them), hits,
				when(v.Updated), when(v.Expires))
		}
		writeStandingTable(w, entries)
	})
}

// briefly is what is learnt, in a column's width.
func briefly(m terms.Mode) string {
	switch m {
	case terms.IDs:
		return "which"
	case terms.Count:
		return "how many"
	}
	return "nothing"
}

func (a *app) roundShow() *cobra.Command {
	c := &cobra.Command{
		Use: "show ROUND", Short: "Show one round, single or standing", Args: exactly(1),
		Example: "  entente round show --dir au 3bd827a4f9f22cf04e36eb70446ec299",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := roundID(args[0])
		if err != nil {
			return err
		}
		return a.ask(c.Context(), func(x *api.Client) error { return a.showEither(c.Context(), x, id) })
	}
	return a.forNode(c)
}

func (a *app) showSingle(ctx context.Context, x *api.Client, path string) error {
	var v rounds.View
	if err := x.Get(ctx, path, &v); err != nil {
		return err
	}
	return a.ended(v, false)
}

// roundID checks a round's identifier, which then needs no escape in a path.
func roundID(id string) (string, error) {
	id = strings.ToLower(id)
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", usage(errors.New("a round is named by the 32 digits (0-9, a-f) that entente round list shows"))
	}
	return id, nil
}

func (a *app) roundDecide(verb, short string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " ROUND", Short: short, Args: exactly(1),
		Example: "  entente round " + verb + " --dir id 3bd827a4f9f22cf04e36eb70446ec299",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := roundID(args[0])
		if err != nil {
			return err
		}
		return a.ask(c.Context(), func(x *api.Client) error { return a.decide(c.Context(), x, id, verb) })
	}
	return a.forNode(c)
}

// decide does what a person has decided about a round of either kind. Only single rounds
// are cancelled: a standing one ends in both sides' knowledge.
func (a *app) decide(ctx context.Context, x *api.Client, id, verb string) error {
	err := either(id, func(path string, lasting bool) error {
		if lasting && verb == "cancel" {
			if err := x.Get(ctx, path, nil); err != nil {
				return err
			}
			return errors.New("that is a standing round; end it with: entente round end")
		}
		return x.Post(ctx, path+"/"+verb, nil, nil)
	})
	if err != nil {
		return err
	}
	return a.showEither(ctx, x, id)
}

func (a *app) hit() *cobra.Command {
	var id string
	c := &cobra.Command{Use: "hit", Short: "Show hits beside the own records"}
	list := &cobra.Command{
		Use: "list", Short: "Show the hits of a round, each beside the own record only; those of a standing round are then no longer new", Args: exactly(0),
		Example: "  entente hit list --dir au --round 3bd827a4f9f22cf04e36eb70446ec299",
	}
	a.forNode(list)
	list.Flags().StringVar(&id, "round", "", "round (required)")
	must(list.MarkFlagRequired("round"))
	list.RunE = func(c *cobra.Command, _ []string) error {
		var err error
		if id, err = roundID(id); err != nil {
			return err
		}
		hits := []rounds.Hit{}
		err = a.ask(c.Context(), func(x *api.Client) error {
			return either(id, func(path string, _ bool) error { return x.Get(c.Context(), path+"/hits", &hits) })
		})
		if err != nil {
			return err
		}
		if len(hits) == 0 {
			a.say("This side knows of no hit in this round; how it stands: entente round show --dir %s %s", a.dir, id)
		}
		return a.show(hits, func(w io.Writer) {
			row(w, "KIND", "OWN RECORD", "AS WRITTEN", "LIST", "CATEGORY", "CASE", "")
			for _, h := range hits {
				fresh := ""
				if h.New {
					fresh = "NEW"
				}
				if h.Erased {
					row(w, h.Kind, "(erased since)", "", "", "", "", fresh)
					continue
				}
				row(w, h.Kind, h.Value, h.Original, h.List, h.Category, h.CaseReference, fresh)
			}
		})
	}
	c.AddCommand(list)
	return c
}
