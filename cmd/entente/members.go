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
)

func (a *app) federation() *cobra.Command {
	c := &cobra.Command{Use: "federation", Short: "Draw up, sign, join and show the roster of members"}
	c.AddCommand(a.federationCreate(), a.federationSign(), a.federationJoin(), a.federationShow())
	return c
}

func (a *app) federationCreate() *cobra.Command {
	var name, out string
	c := &cobra.Command{
		Use: "create CARD...", Short: "Draw up a roster from the members' cards",
		Example: "  entente federation create --name bali --out fed.json au/member.json id/member.json",
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
	c.RunE = func(_ *cobra.Command, args []string) error {
		r, err := federation.Create(name, out, args)
		if err != nil {
			return err
		}
		v := api.Signed{Name: r.Name, File: out, Words: r.Words()}
		err = a.show(v, func(w io.Writer) {
			row(w, "roster", v.File)
			row(w, "words", v.Words)
		})
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
		Use: "show", Short: "Show the roster and its members", Args: exactly(0),
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
		fmt.Fprintf(w, "Federation %s, version %d\nwords: %s\n\n", v.Name, v.Version, v.Words)
		row(w, "MEMBER", "NAME", "ROLE", "STATE", "WORDS")
		row(w, v.Own, "(this node)", "", "", v.OwnWords)
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
