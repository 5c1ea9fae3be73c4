package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
	"entente/node/federation"
	"entente/protocol/roster"
)

func (a *app) federation() *cobra.Command {
	c := &cobra.Command{Use: "federation", Short: "Draw up, sign, join and show the roster of members"}
	c.AddCommand(a.federationCreate(), a.federationSign(), a.federationJoin(), a.federationShow(), a.federationPropose(), a.federationSuspend(),
		a.federationProposals(), a.federationHistory(), a.federationRotateKey(), a.federationAddresses(),
		a.federationAnswer("approve", "Agree to a proposed change", "approved"),
		a.federationAnswer("object", "Object to new keys for this member, because the old ones are not lost", "objected"))
	return c
}

func (a *app) federationCreate() *cobra.Command {
	var name, out string
	c := &cobra.Command{
		Use: "create CARD...", Short: "Draw up a roster from the members' cards",
		Long: `Draw up a roster from the members' cards, for all of them to sign.

With --sequencers the federation also keeps one common ledger: a list of signed entries
that every member holds and checks, of who is a member, which budgets were granted and
spent, and that rounds were held (not what was found). The sequencers are the members
whose nodes put the entries in order and are always on. Name 4 to 7 of them: with 4 one
may fail, with 7 two. A federation of 2 or 3 members may name 1 to 3, but then all
members must be reachable for anything to become final. Others can take their place
later, if a quorum of the members approves.

A bloc is a group of members that act alike. With --blocs-wanted those who sign the
ledger, or approve a change, must be of at least so many different blocs.

Without --sequencers there is no ledger: members keep account with each other in pairs.`,
		Example: "  entente federation create --name bali --out fed.json au/member.json id/member.json\n" +
			"  entente federation create --name bali --out fed.json --sequencers AU,ID,SG,TH \\\n" +
			"      --bloc north=SG,TH --bloc south=AU,ID --blocs-wanted 2 */member.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage(errors.New("give the card of every member, at least two: each member's member.json"))
			}
			return nil
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the federation (required)")
	c.Flags().StringVar(&out, "out", "", "file to write (required)")
	must(c.MarkFlagRequired("name"))
	must(c.MarkFlagRequired("out"))
	l := ledgerFlags(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		sequencers, spread, err := l.read()
		if err != nil {
			return usage(err)
		}
		r, err := federation.CreateWithLedger(name, out, args, sequencers, spread)
		if err != nil {
			return err
		}
		v := api.Signed{Name: r.Name, File: out, Words: r.Words(), Ledger: node.LedgerOf(r)}
		err = a.show(v, func(w io.Writer) {
			row(w, "roster", v.File)
			row(w, "words", v.Words)
			ledgerRows(w, v.Ledger)
		})
		if v.Ledger != nil {
			a.say("This federation keeps a common ledger, %s.", orderedBy(v.Ledger))
			if len(r.Members) < roster.MinSequencers {
				a.say("With so few members all of them must be reachable for anything to become final.")
			}
		}
		a.say("Send %s to every member. Each compares the words by telephone and signs it.", out)
		return err
	}
	return c
}

func (a *app) federationSign() *cobra.Command {
	c := &cobra.Command{
		Use: "sign FILE", Short: "Sign a roster for this member", Args: exactly(1),
		Example: "  entente federation sign --dir au fed.json",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		file, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		var v api.Signed
		err = a.ask(c.Context(), func(x *api.Client) error {
			return x.Post(c.Context(), "/federation/sign", api.File{Path: file}, &v)
		})
		if err != nil {
			return err
		}
		err = a.show(v, func(w io.Writer) {
			row(w, "federation", v.Name)
			row(w, "words", v.Words)
			ledgerRows(w, v.Ledger)
			row(w, "signature", v.File)
		})
		a.say("Send the signature file to every member. Put all of them beside the roster, then: entente federation join")
		return err
	}
	return a.forNode(c)
}

func (a *app) federationJoin() *cobra.Command {
	c := &cobra.Command{
		Use: "join FILE", Short: "Live by a roster that every member has signed", Args: exactly(1),
		Example: "  entente federation join --dir au fed.json",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		file, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		var v node.Federation
		err = a.ask(c.Context(), func(x *api.Client) error {
			return x.Post(c.Context(), "/federation/join", api.File{Path: file}, &v)
		})
		if err != nil {
			return err
		}
		return a.showFederation(v)
	}
	return a.forNode(c)
}

func (a *app) federationShow() *cobra.Command {
	c := &cobra.Command{
		Use: "show", Aliases: []string{"members"}, Short: "Show the roster and its members", Args: exactly(0),
		Example: "  entente federation show --dir au",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var v node.Federation
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/federation", &v) }); err != nil {
			return err
		}
		return a.showFederation(v)
	}
	return a.forNode(c)
}

func (a *app) showFederation(v node.Federation) error {
	return a.show(v, func(w io.Writer) {
		fmt.Fprintf(w, "Federation %s, version %d\nwords: %s\n", v.Name, v.Version, v.Words)
		if v.Ledger != nil {
			fmt.Fprintf(w, "common ledger: %s\n", orderedBy(v.Ledger))
			for _, b := range v.Ledger.Blocs {
				fmt.Fprintf(w, "bloc %s: %s\n", b.Name, strings.Join(b.Members, ", "))
			}
		}
		fmt.Fprintln(w)
		if v.Pending != "" {
			fmt.Fprintf(w, "%s has no part: %s\n", v.Own, v.Pending)
			return
		}
		row(w, "MEMBER", "NAME", "ROLE", "STATE", "WORDS")
		row(w, v.Own, "(this node)", "", "", v.OwnWords)
		if v.NewWords != "" {
			row(w, "", "(its new keys)", "", "not final yet", v.NewWords)
		}
		for _, p := range v.Partners {
			state := "not connected"
			switch {
			case p.Stopped:
				state = "stopped"
			case p.Connected:
				state = "connected"
			case p.Problem != "":
				state = p.Problem
			}
			row(w, p.ID, p.Name, p.Role, state, p.Words)
		}
	})
}

func (a *app) partner() *cobra.Command {
	c := &cobra.Command{Use: "partner", Short: "Cut a partner off at once, or let it in again"}
	for _, verb := range []struct{ name, short, done string }{
		{"stop", "Cut a partner off at once; needs nobody's consent", "stopped"},
		{"allow", "Let a stopped partner in again", "allowed"},
	} {
		one := &cobra.Command{
			Use: verb.name + " MEMBER", Short: verb.short, Args: exactly(1),
			Example: "  entente partner " + verb.name + " --dir au ID",
		}
		one.RunE = func(c *cobra.Command, args []string) error {
			path := "/partners/" + url.PathEscape(strings.ToUpper(args[0])) + "/" + verb.name
			var v api.Done
			if err := a.ask(c.Context(), func(x *api.Client) error { return x.Post(c.Context(), path, nil, &v) }); err != nil {
				return err
			}
			return a.show(v, func(w io.Writer) { row(w, strings.ToUpper(args[0]), verb.done) })
		}
		c.AddCommand(a.forNode(one))
	}
	return c
}
