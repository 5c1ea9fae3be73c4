package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/node/api"
	"entente/node/standing"
)

// standingRequest adds the flags of a standing round to a command.
func standingRequest(c *cobra.Command) *standing.Request {
	const day = 24 * time.Hour
	r := &standing.Request{}
	f := c.Flags()
	f.StringVar(&r.Partner, "with", "", "partner (required)")
	f.StringArrayVar(&r.Lists, "list", nil, "own list (required; repeatable)")
	f.StringVar(&r.Purpose, "purpose", "", "purpose of the round (required)")
	f.StringVar(&r.Learn, "learn", "both", "who learns which items are shared: us, them or both")
	f.DurationVar(&r.Every, "every", day, "from run to run, one minute to 31 days")
	f.DurationVar(&r.Period, "period", 7*day, "tag period, one hour to 92 days: each begins with a new key")
	f.DurationVar(&r.For, "for", 90*day, "how long the standing round lasts, at most 366 days")
	f.Int64Var(&r.Questions, "questions", 0, "how many questions each side may ask in a tag period (0: as the own lists need)")
	f.Uint32Var(&r.Checks, "checks", 0, "how many urgent checks each side may make in a day")
	for _, name := range []string{"with", "list", "purpose"} {
		must(c.MarkFlagRequired(name))
	}
	return r
}

func (a *app) roundSubscribe() *cobra.Command {
	c := &cobra.Command{
		Use: "subscribe", Short: "Propose a standing round, or with --dry-run say what it would cost and reveal", Args: exactly(0),
		Long: `Propose a standing round to a partner. Once both sides' rules or people have agreed,
the nodes publish what the lists hold as tags, ask each other, and then every day only
about what has changed. With --dry-run nothing is sent and nothing kept: it says what
the standing round would cost, who learns what, and what a partner who cheats can test.`,
		Example: "  entente round subscribe --dir au --with ID --list wanted --purpose trafficking --learn both --dry-run\n" +
			"  entente round subscribe --dir au --with ID --list wanted --purpose trafficking --learn both --checks 10 --wait",
	}
	a.forNode(c)
	r := standingRequest(c)
	dry := c.Flags().Bool("dry-run", false, "only say what it would cost and reveal")
	wait := c.Flags().Bool("wait", false, "wait until the first run is over")
	c.RunE = func(c *cobra.Command, _ []string) error {
		r.Partner = strings.ToUpper(r.Partner)
		if *dry {
			return a.planStanding(c.Context(), r)
		}
		return a.ask(c.Context(), func(x *api.Client) error { return a.subscribe(c.Context(), x, r, *wait) })
	}
	return c
}

func (a *app) planStanding(ctx context.Context, r *standing.Request) error {
	var p standing.Plan
	if err := a.ask(ctx, func(x *api.Client) error { return x.Post(ctx, "/standing/plan", r, &p) }); err != nil {
		return err
	}
	if err := a.show(p, func(w io.Writer) { writeStandingPlan(w, p) }); err != nil {
		return err
	}
	if !p.Allowed {
		return &exit{exitDenied, errors.New("the own rules do not allow this standing round")}
	}
	return nil
}

func (a *app) subscribe(ctx context.Context, x *api.Client, r *standing.Request, wait bool) error {
	if wait && !x.Daemon {
		return a.noDaemon()
	}
	var v standing.View
	if err := x.Post(ctx, "/standing", r, &v); err != nil {
		return err
	}
	if !x.Daemon {
		a.say("The offer is signed. It goes out when the daemon runs: entente serve --dir %s", a.dir)
	}
	if wait {
		var err error
		id := v.ID
		if v, err = a.followStanding(ctx, x, id); err != nil {
			a.say("The standing round goes on without this command: entente round show --dir %s %s", a.dir, id)
			return err
		}
	}
	if err := a.show(v, func(w io.Writer) { writeStanding(w, v) }); err != nil || !wait || v.LastRun != nil {
		return err
	}
	if v.State == "refused" {
		return &exit{exitRefused, errors.New("the partner answered: not available")}
	}
	return &exit{exitEnded, fmt.Errorf("the standing round is %s: %s", v.State, v.Reason+v.Note)}
}

func (a *app) noDaemon() error {
	return errors.New("no daemon is running; start it with: entente serve --dir " + a.dir)
}

// followStanding waits for the first run, and says what keeps it.
func (a *app) followStanding(ctx context.Context, x *api.Client, id string) (standing.View, error) {
	said := ""
	for {
		var v standing.View
		if err := x.Get(ctx, "/standing/"+id+"/wait?seconds=1&after=0", &v); err != nil {
			return v, err
		}
		if v.LastRun != nil || !goesOn(v.State) {
			return v, nil
		}
		if v.Note != "" && v.Note != said {
			said = v.Note
			a.say("%s: %s", v.State, v.Note)
		}
	}
}

// goesOn tells whether a first run can still come by itself.
func goesOn(state string) bool {
	switch state {
	case "offered", "waiting", "answered", "active":
		return true
	}
	return false
}

// roundKeep makes the commands with which a person keeps a standing round.
func (a *app) roundKeep(verb, short string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " ROUND", Short: short, Args: exactly(1),
		Example: "  entente round " + verb + " --dir au 3bd827a4f9f22cf04e36eb70446ec299",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := roundID(args[0])
		if err != nil {
			return err
		}
		var v standing.View
		err = a.ask(c.Context(), func(x *api.Client) error {
			if err := x.Post(c.Context(), standingPath(id)+"/"+verb, nil, nil); err != nil {
				return a.noStanding(c.Context(), x, id, err)
			}
			return x.Get(c.Context(), standingPath(id), &v)
		})
		if err != nil {
			return err
		}
		return a.show(v, func(w io.Writer) { writeStanding(w, v) })
	}
	return a.forNode(c)
}

// noStanding says so if somebody named a single round where only a standing one will do.
func (a *app) noStanding(ctx context.Context, x *api.Client, id string, err error) error {
	if missing(err) && x.Get(ctx, singlePath(id), nil) == nil {
		return errors.New("that is a single round, which ends by itself; a person can give it up with: entente round cancel")
	}
	return err
}

// missing tells whether the node knows nothing of that name.
func missing(err error) bool {
	p, ok := errors.AsType[*api.Problem](err)
	return ok && p.Code == api.NotFound
}

func singlePath(id string) string   { return "/rounds/" + id }
func standingPath(id string) string { return "/standing/" + id }

// either calls f with the path of a round, and if there is none of that name, with the path
// of a standing round.
func either(id string, f func(path string, lasting bool) error) error {
	err := f(singlePath(id), false)
	if !missing(err) {
		return err
	}
	if lasting := f(standingPath(id), true); !missing(lasting) {
		return lasting
	}
	return err
}

// showEither reads a round of either kind and shows it.
func (a *app) showEither(ctx context.Context, x *api.Client, id string) error {
	return either(id, func(path string, lasting bool) error {
		if !lasting {
			return a.showSingle(ctx, x, path)
		}
		var v standing.View
		if err := x.Get(ctx, path, &v); err != nil {
			return err
		}
		return a.show(v, func(w io.Writer) { writeStanding(w, v) })
	})
}
