package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
	"entente/policy"
)

func (a *app) policy() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Write, check, explain and activate the rules for sharing"}
	c.AddCommand(a.policyInit(), a.policyCheck(), a.policyExplain(), a.policyActivate())
	return c
}

func (a *app) policyInit() *cobra.Command {
	var template, basisTitle string
	o := policy.PilotOptions{}
	c := &cobra.Command{
		Use: "init", Short: "Write rules from a template into the node's rules folder",
		Example: "  entente policy init --dir au --template pilot --partner ID --basis AU-TIP", Args: exactly(0),
	}
	a.forNode(c)
	f := c.Flags()
	f.StringVar(&template, "template", "pilot", "pilot (suspects, trafficking, both ways) or deny (nothing)")
	f.StringSliceVar(&o.Partners, "partner", nil, "member that the rules are about (repeatable)")
	f.StringVar(&o.Basis, "basis", "", "identifier of the legal basis")
	f.StringVar(&basisTitle, "basis-title", "", "title of the law or agreement")
	f.BoolVar(&o.ExactCount, "exact-count", false, "counts without noise, where the partner's rules allow it too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var active api.Rules
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/rules", &active) }); err != nil {
			return err
		}
		o.Version, o.BasisTitle = active.Version+1, basisTitle
		for i, p := range o.Partners {
			o.Partners[i] = strings.ToUpper(p)
		}
		files, err := rulesFrom(template, o)
		if err != nil {
			return usage(err)
		}
		folder := filepath.Join(a.dir, node.RulesFolder)
		if err := node.WriteRules(folder, files); err != nil {
			return err
		}
		err = a.show(api.File{Path: folder}, func(w io.Writer) { row(w, "rules", folder) })
		a.say("Read the rules, check them with: entente policy check --dir %s %s", a.dir, folder)
		a.say("They hold once they are activated: entente policy activate --dir %s %s", a.dir, folder)
		return err
	}
	return c
}

// folderOf is the full path of a folder that is there.
func folderOf(arg string) (string, error) {
	info, err := os.Stat(arg)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is a file; give the folder that holds the rules", arg)
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(arg)
}

func rulesFrom(template string, o policy.PilotOptions) (map[string][]byte, error) {
	switch template {
	case "pilot":
		return policy.Pilot(o)
	case "deny":
		return policy.DenyAll(o.Version), nil
	}
	return nil, fmt.Errorf("there is no template %q: take pilot or deny", template)
}

func (a *app) policyCheck() *cobra.Command {
	c := &cobra.Command{
		Use: "check FOLDER", Short: "Find what is wrong with the rules in a folder", Args: exactly(1),
		Example: "  entente policy check --dir au au/rules",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		folder, err := folderOf(args[0])
		if err != nil {
			return err
		}
		found := []policy.Finding{}
		err = a.ask(c.Context(), func(x *api.Client) error {
			return x.Post(c.Context(), "/rules/check", api.File{Path: folder}, &found)
		})
		if err != nil {
			return err
		}
		wrong := 0
		for _, f := range found {
			if f.Severity == policy.Error {
				wrong++
			}
		}
		err = a.show(found, func(w io.Writer) {
			for _, f := range found {
				fmt.Fprintln(w, f)
			}
			if len(found) == 0 {
				fmt.Fprintln(w, "nothing is wrong")
			}
		})
		if err == nil && wrong > 0 {
			return &exit{exitFound, fmt.Errorf("the rules cannot be activated; errors: %d", wrong)}
		}
		return err
	}
	return a.forNode(c)
}

func (a *app) policyExplain() *cobra.Command {
	c := &cobra.Command{
		Use: "explain", Short: "Say in plain sentences what the active rules let whom learn", Args: exactly(0),
		Example: "  entente policy explain --dir au",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var v api.Rules
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/rules", &v) }); err != nil {
			return err
		}
		return a.show(v, func(w io.Writer) {
			fmt.Fprintf(w, "Rules version %d, digest %.16s\n\nRule by rule:\n", v.Version, v.Digest)
			for _, r := range v.Rules {
				fmt.Fprintf(w, "  %s  %s\n      %s\n", r.ID, r.Title, r.Sentence)
			}
			fmt.Fprintln(w, "\nIn effect:")
			for _, o := range v.Openings {
				fmt.Fprintln(w, "  "+o.Sentence)
			}
			if len(v.Openings) == 0 {
				fmt.Fprintln(w, "  nobody may learn anything.")
			}
		})
	}
	return a.forNode(c)
}

func (a *app) policyActivate() *cobra.Command {
	c := &cobra.Command{
		Use: "activate FOLDER", Short: "Live by the rules in a folder from now on",
		Example: "  entente policy activate --dir au au/rules", Args: exactly(1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		folder, err := folderOf(args[0])
		if err != nil {
			return err
		}
		var v api.Rules
		err = a.ask(c.Context(), func(x *api.Client) error {
			return x.Post(c.Context(), "/rules/activate", api.File{Path: folder}, &v)
		})
		if err != nil {
			return err
		}
		return a.show(v, func(w io.Writer) {
			row(w, "active rules", fmt.Sprintf("version %d", v.Version))
			row(w, "digest", v.Digest)
			for _, f := range v.Findings {
				fmt.Fprintln(w, f)
			}
		})
	}
	return a.forNode(c)
}
