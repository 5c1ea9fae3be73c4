package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
	"entente/node/ledger"
)

func (a *app) ledgerRecover() *cobra.Command {
	c := &cobra.Command{
		Use: "recover", Short: "Have a ledger that stands still go on, in a new term", Args: exactly(0),
		Long: `Have a ledger that stands still go on, in a new term. A ledger stands still for good
only if sequencers were shown different orders of entries, or if one of two or three
members is gone. One member calls for a new term and says who orders entries in it; as
many as make a checkpoint final have to agree, after they have spoken to one another.
Nothing that is final is lost, and what was not final is handed in again by itself.

Whoever calls or agrees signs nothing more in the present term. So do neither while the
ledger still works: without arguments this lists who has called, and who has agreed.`,
		Example: "  entente ledger recover --dir au\n  entente ledger recover call --dir au ID,MY,TH,VN\n  entente ledger recover agree --dir id 1f3a9c04",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var all []ledger.Called
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/ledger/calls", &all) }); err != nil {
			return err
		}
		return a.show(all, func(w io.Writer) {
			if len(all) == 0 {
				fmt.Fprintln(w, "nobody has called for a new term")
			}
			for _, one := range all {
				writeCall(w, one)
			}
		})
	}
	c.AddCommand(a.recoverCall(), a.recoverAgree())
	return a.forNode(c)
}

func writeCall(w io.Writer, c ledger.Called) {
	row(w, "call", c.ID)
	row(w, "by", c.By)
	row(w, "term", fmt.Sprintf("%d, after the present one, %d", c.Term, c.Now))
	row(w, "ordered by", strings.Join(c.Sequencers, ", "))
	if c.Without != "" {
		row(w, "without", c.Without+", which has no part until it is readmitted")
	}
	agreed := "this node has not agreed"
	if c.Pledged {
		agreed = "this node has agreed, and signs nothing more before the term begins"
	}
	row(w, "needs", fmt.Sprintf("%d members; %s", c.Needed, agreed))
	if len(c.Pledges) > 0 {
		row(w, "others agreed", strings.Join(c.Pledges, ", "))
	}
	if !c.Pledged {
		fmt.Fprintf(w, "Agree to it with: entente ledger recover agree %s\n", c.ID[:8])
	}
}

func (a *app) recoverCall() *cobra.Command {
	var w node.WantedTerm
	c := &cobra.Command{
		Use: "call SEQUENCERS", Short: "Call for a new term, and say who orders entries in it", Args: exactly(1),
		Long: `Call for a new term, and say who orders entries in it: at least four members, or one
to three where fewer than four have part. Leave out whoever brought the ledger to a stand.`,
		Example: "  entente ledger recover call --dir au ID,MY,TH,VN\n  entente ledger recover call --dir au --without ID AU,MY",
	}
	c.Flags().StringVar(&w.Without, "without", "", "of three members the one that is gone, and has no part from then on")
	c.RunE = func(c *cobra.Command, args []string) error {
		w.Sequencers = strings.Split(args[0], ",")
		var v ledger.Called
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Post(c.Context(), "/ledger/calls", w, &v) }); err != nil {
			return err
		}
		return a.show(v, func(w io.Writer) {
			writeCall(w, v)
			fmt.Fprintf(w, "The others agree with: entente ledger recover agree %s\n", v.ID[:8])
		})
	}
	return a.forNode(c)
}

func (a *app) recoverAgree() *cobra.Command {
	c := &cobra.Command{
		Use: "agree CALL", Short: "Agree to a new term for which another member calls", Args: exactly(1),
		Example: "  entente ledger recover agree --dir id 1f3a9c04",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		var v ledger.Called
		err := a.ask(c.Context(), func(x *api.Client) error {
			return x.Post(c.Context(), "/ledger/calls/"+url.PathEscape(args[0])+"/agree", nil, &v)
		})
		if err != nil {
			return err
		}
		return a.show(v, func(w io.Writer) { writeCall(w, v) })
	}
	return a.forNode(c)
}
