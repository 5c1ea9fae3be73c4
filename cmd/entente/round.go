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
	"entente/node/store"
	"entente/protocol/terms"
)

func (a *app) round() *cobra.Command {
	c := &cobra.Command{Use: "round", Short: "Plan, propose, decide and follow match rounds"}
	c.AddCommand(a.roundPlan(), a.roundPropose(), a.roundList(), a.roundShow(),
		a.roundDecide("approve", "Let a waiting round through"), a.roundDecide("refuse", "Turn a waiting round down; the partner hears only \"not available\""),
		a.roundDecide("cancel", "Give a round up"))
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
	f.DurationVar(&r.Expires, "expires", 24*time.Hour, "how long the offer stands")
	for _, name := range []string{"with", "list", "kind", "purpose"} {
		must(c.MarkFlagRequired(name))
	}
	return r
}

func (a *app) roundPlan() *cobra.Command {
	c := &cobra.Command{
		Use: "plan", Short: "Say what a round would cost and reveal; nothing is sent", Args: exactly(0),
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
				return errors.New("no daemon is running; start it with: entente serve --dir " + a.dir)
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
	c := &cobra.Command{Use: "list", Short: "Show all rounds", Args: exactly(0), Example: "  entente round list --dir au"}
	c.RunE = func(c *cobra.Command, _ []string) error { return a.views(c.Context(), "/rounds") }
	return a.forNode(c)
}

func (a *app) inbox() *cobra.Command {
	c := &cobra.Command{
		Use: "inbox", Short: "Show the rounds that wait for a person here", Args: exactly(0),
		Example: "  entente inbox --dir id",
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return a.views(c.Context(), "/inbox") }
	return a.forNode(c)
}

func (a *app) views(ctx context.Context, path string) error {
	views := []rounds.View{}
	if err := a.ask(ctx, func(x *api.Client) error { return x.Get(ctx, path, &views) }); err != nil {
		return err
	}
	return a.show(views, func(w io.Writer) {
		row(w, "ROUND", "WITH", "ASKED BY", "STATE", "KIND", "PURPOSE", "WE LEARN", "THEY LEARN", "HITS", "UPDATED", "UNTIL")
		for _, v := range views {
			by, hits := "them", "–"
			if v.Proposer {
				by = "us"
			}
			if v.Hits != nil {
				hits = fmt.Sprint(*v.Hits)
			}
			if v.Count != nil {
				hits = *v.Count
			}
			row(w, v.ID, v.Partner, by, v.State, v.Kind, v.Purpose, briefly(v.Learns.Us), briefly(v.Learns.Them), hits,
				when(v.Updated), when(v.Expires))
		}
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
		Use: "show ROUND", Short: "Show one round", Args: exactly(1),
		Example: "  entente round show --dir au 3bd827a4f9f22cf04e36eb70446ec299",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := roundPath(args[0])
		if err != nil {
			return err
		}
		var v rounds.View
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), path, &v) }); err != nil {
			return err
		}
		return a.ended(v, false)
	}
	return a.forNode(c)
}

// roundPath is the API's path of a round, whose identifier needs no escape.
func roundPath(id string) (string, error) {
	id = strings.ToLower(id)
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", usage(errors.New("a round is named by the 32 digits (0-9, a-f) that entente round list shows"))
	}
	return "/rounds/" + id, nil
}

func (a *app) roundDecide(verb, short string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " ROUND", Short: short, Args: exactly(1),
		Example: "  entente round " + verb + " --dir id 3bd827a4f9f22cf04e36eb70446ec299",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := roundPath(args[0])
		if err != nil {
			return err
		}
		var v rounds.View
		err = a.ask(c.Context(), func(x *api.Client) error {
			if err := x.Post(c.Context(), path+"/"+verb, nil, nil); err != nil {
				return err
			}
			return x.Get(c.Context(), path, &v)
		})
		if err != nil {
			return err
		}
		return a.ended(v, false)
	}
	return a.forNode(c)
}

func (a *app) hit() *cobra.Command {
	var id string
	c := &cobra.Command{Use: "hit", Short: "Show hits beside the own records"}
	list := &cobra.Command{
		Use: "list", Short: "Show the hits of a round, each beside the own record only", Args: exactly(0),
		Example: "  entente hit list --dir au --round 3bd827a4f9f22cf04e36eb70446ec299",
	}
	a.forNode(list)
	list.Flags().StringVar(&id, "round", "", "round (required)")
	must(list.MarkFlagRequired("round"))
	list.RunE = func(c *cobra.Command, _ []string) error {
		path, err := roundPath(id)
		if err != nil {
			return err
		}
		hits := []rounds.Hit{}
		err = a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), path+"/hits", &hits) })
		if err != nil {
			return err
		}
		if len(hits) == 0 {
			a.say("This side knows of no hit in this round; how the round ended: entente round show --dir %s %s", a.dir, id)
		}
		return a.show(hits, func(w io.Writer) {
			row(w, "KIND", "OWN RECORD", "AS WRITTEN", "LIST", "CATEGORY", "CASE")
			for _, h := range hits {
				if h.Erased {
					row(w, h.Kind, "(erased since)", "", "", "", "")
					continue
				}
				row(w, h.Kind, h.Value, h.Original, h.List, h.Category, h.CaseReference)
			}
		})
	}
	c.AddCommand(list)
	return c
}
