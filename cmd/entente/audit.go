package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"entente/node/api"
	"entente/node/audit"
)

func (a *app) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Check the node's account of what it did"}
	verify := &cobra.Command{
		Use: "verify", Short: "Check both chains, receipts and roster in the audit folder",
		Long: `Check both chains, receipts and roster in the audit folder. An auditor who does not
trust this machine takes the folder away and runs entente-verify on another.`,
		Example: "  entente audit verify --dir au", Args: exactly(0),
	}
	verify.RunE = func(c *cobra.Command, _ []string) error {
		var folder api.File
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Post(c.Context(), "/audit", nil, &folder) }); err != nil {
			return err
		}
		report, err := audit.Check(os.DirFS(folder.Path), audit.Certificate)
		if err != nil {
			return err
		}
		if err := a.show(report, func(w io.Writer) { err = report.Write(w) }); err != nil {
			return err
		}
		if err == nil && !report.OK {
			return &exit{exitFound, errors.New("something in the audit folder is wrong")}
		}
		return err
	}
	c.AddCommand(a.forNode(verify))
	return c
}
