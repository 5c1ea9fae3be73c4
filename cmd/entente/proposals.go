package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
	"entente/protocol/roster"
)

// answerTime is how many days a proposal stays open if nothing else is said.
const answerTime = 14

func (a *app) federationPropose() *cobra.Command {
	c := &cobra.Command{
		Use: "propose", Short: "Propose a change of the federation, which enough members have to approve",
		Long: `Propose a change of the federation. It goes into the ledger; the others see it with
"entente federation proposals" and approve it with "entente federation approve". It takes
effect when enough members have approved it and that is final.`,
	}
	member := func(use, short string) *cobra.Command {
		return a.proposing(use+" MEMBER", short, 1, func(w *node.Wanted, args []string) error {
			w.Member = strings.ToUpper(args[0])
			return nil
		})
	}
	card := func(use, short string) *cobra.Command {
		return a.proposing(use+" CARD", short, 1, func(w *node.Wanted, args []string) (err error) {
			w.Card, err = filepath.Abs(args[0])
			return err
		})
	}
	c.AddCommand(
		card("join", "A new member comes in, with the card from its node"),
		member("leave", "A member goes; it can propose that for itself, and needs nobody's approval then"),
		member("suspend", "A member has no part until it is readmitted"),
		member("readmit", "A suspended member has part again"),
		card("restore", "A member that lost its keys goes on with new ones, three days after the approval"),
		a.proposing("sequencers MEMBER,MEMBER,…", "Others order the ledger from then on", 1, func(w *node.Wanted, args []string) error {
			w.Members = list(args[0])
			return nil
		}),
		a.proposeBlocs(), a.proposeGrant(),
	)
	return c
}

// federationSuspend is the change that may have to be quick to find.
func (a *app) federationSuspend() *cobra.Command {
	c := a.proposing("suspend MEMBER", "Propose that a member has no part until it is readmitted", 1, func(w *node.Wanted, args []string) error {
		w.Member = strings.ToUpper(args[0])
		return nil
	})
	c.Example = "  entente federation suspend --dir au VN"
	return c
}

// proposing makes a command that proposes one change.
func (a *app) proposing(use, short string, takes int, fill func(w *node.Wanted, args []string) error) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	w := node.Wanted{Action: verb}
	c := &cobra.Command{
		Use: use, Short: short, Args: exactly(takes),
		Example: "  entente federation propose " + strings.ReplaceAll(use, "MEMBER,MEMBER,…", "AU,ID,MY,TH") + " --dir au",
	}
	c.Flags().IntVar(&w.Days, "days", answerTime, "days until the proposal lapses, 1 to 90")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := fill(&w, args); err != nil {
			return err
		}
		return a.propose(c, w)
	}
	return a.forNode(c)
}

func (a *app) propose(c *cobra.Command, w node.Wanted) error {
	var v api.Proposed
	if err := a.ask(c.Context(), func(x *api.Client) error { return x.Post(c.Context(), "/proposals", w, &v) }); err != nil {
		return err
	}
	err := a.show(v, func(out io.Writer) { row(out, "proposal", v.ID) })
	a.say("The others approve it with: entente federation approve %s", v.ID[:8])
	return err
}

func (a *app) proposeBlocs() *cobra.Command {
	var wanted uint16
	c := a.proposing("blocs NAME=MEMBER,…;NAME=MEMBER,…", "What is decided needs members of several groups of states", 1,
		func(w *node.Wanted, args []string) error {
			spread, err := spreadOf(args[0], wanted)
			w.Wanted = spread.Wanted
			for _, b := range spread.Blocs {
				w.Blocs = append(w.Blocs, node.Bloc{Name: b.Name, Members: b.Members})
			}
			return err
		})
	c.Example = `  entente federation propose blocs --dir au --wanted 2 "north=TH,MY;south=AU,ID"`
	c.Flags().Uint16Var(&wanted, "wanted", 2, "of how many blocs those who approve and cosign must be")
	return c
}

// spreadOf reads blocs as people write them: north=TH,MY;south=AU,ID.
func spreadOf(text string, wanted uint16) (roster.Spread, error) {
	out := roster.Spread{Wanted: wanted}
	for _, one := range strings.Split(text, ";") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		name, members, ok := strings.Cut(one, "=")
		if !ok {
			return out, usage(fmt.Errorf("%q is not NAME=MEMBER,MEMBER", one))
		}
		out.Blocs = append(out.Blocs, roster.Bloc{Name: strings.TrimSpace(name), Members: slices.Sorted(slices.Values(list(members)))})
	}
	slices.SortFunc(out.Blocs, func(a, b roster.Bloc) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (a *app) proposeGrant() *cobra.Command {
	var kind string
	var period, daily uint64
	c := a.proposing("grant MEMBER ITEMS", "A member may ask the custodians of the pseudonym key so many times more", 2,
		func(w *node.Wanted, args []string) (err error) {
			w.Member, w.Kind, w.Period, w.Daily = strings.ToUpper(args[0]), kind, period, daily
			if w.Items, err = strconv.ParseUint(args[1], 10, 40); err != nil {
				return usage(errors.New("the second argument is how many items are granted"))
			}
			return nil
		})
	c.Example = "  entente federation propose grant --dir au --kind phone --period 1 --daily 2000 ID 100000"
	c.Flags().StringVar(&kind, "kind", "", "kind of indicator (required)")
	c.Flags().Uint64Var(&period, "period", 1, "key period")
	c.Flags().Uint64Var(&daily, "daily", 0, "at most so many on one day; 0 is no bound")
	must(c.MarkFlagRequired("kind"))
	return c
}

// list splits a list of member ids.
func list(s string) (ids []string) {
	for _, id := range strings.Split(s, ",") {
		if id = strings.ToUpper(strings.TrimSpace(id)); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func (a *app) federationProposals() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "proposals", Short: "List the changes that wait for approval", Args: exactly(0),
		Example: "  entente federation proposals --dir au",
	}
	c.Flags().BoolVar(&all, "all", false, "also those that have ended")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.listProposals(c, all, true) }
	return a.forNode(c)
}

func (a *app) federationHistory() *cobra.Command {
	c := &cobra.Command{
		Use: "history", Short: "List how the federation has changed, and what was proposed in vain", Args: exactly(0),
		Example: "  entente federation history --dir au",
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return a.listProposals(c, true, false) }
	return a.forNode(c)
}

func (a *app) listProposals(c *cobra.Command, ended, open bool) error {
	var all []node.Proposal
	if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/proposals", &all) }); err != nil {
		return err
	}
	show := []node.Proposal{}
	for _, p := range all {
		if p.Ended.IsZero() && open || !p.Ended.IsZero() && ended {
			show = append(show, p)
		}
	}
	return a.show(show, func(w io.Writer) {
		row(w, "PROPOSAL", "BY", "WHAT", "APPROVED BY", "STATE")
		for _, p := range show {
			row(w, p.ID[:8], p.By, p.Text, strings.Join(p.Approvals, ", "), stateOf(p))
		}
	})
}

// stateOf says where a proposal stands.
func stateOf(p node.Proposal) string {
	switch {
	case !p.Ended.IsZero() && !p.Final:
		return p.Outcome + ", not final yet"
	case !p.Ended.IsZero() && p.Outcome == "in effect":
		return "in effect since " + when(p.Ended)
	case !p.Ended.IsZero():
		return p.Outcome + " (" + when(p.Ended) + ")"
	case !p.Due.IsZero():
		return "approved; takes effect on " + when(p.Due) + " unless the member objects"
	}
	return fmt.Sprintf("%d of %d; lapses on %s", len(p.Approvals), p.Needed, when(p.Lapses))
}

func (a *app) federationAnswer(verb, short, done string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " PROPOSAL", Short: short, Args: exactly(1),
		Example: "  entente federation " + verb + " --dir id 1f3a9c04",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		var v node.Proposal
		err := a.ask(c.Context(), func(x *api.Client) error {
			return x.Post(c.Context(), "/proposals/"+url.PathEscape(args[0])+"/"+verb, nil, &v)
		})
		if err != nil {
			return err
		}
		return a.show(v, func(w io.Writer) {
			row(w, v.ID[:8], done)
			row(w, "", v.Text)
		})
	}
	return a.forNode(c)
}
