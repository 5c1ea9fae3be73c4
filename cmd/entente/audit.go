package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"entente/node/api"
	"entente/node/audit"
	"entente/node/rounds"
)

// firstDay is before any entry: clocks of working nodes are later.
const firstDay = "2020-01-01"

func (a *app) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Check the node's account of what it did"}
	verify := &cobra.Command{
		Use: "verify", Short: "Check both chains, receipts and roster in the audit folder",
		Long: `Check both chains, receipts and roster in the audit folder. An auditor who does not
trust this machine takes the folder away and runs entente-verify on another.`,
		Example: "  entente audit verify --dir au", Args: exactly(0),
	}
	verify.RunE = func(c *cobra.Command, _ []string) error {
		folder, done, err := a.auditFolder(c)
		if err != nil {
			return err
		}
		defer func() { _ = done() }() // a copy among temporary files
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
	c.AddCommand(a.forNode(verify), a.auditExport(), a.auditOpen(), a.auditCompare())
	return c
}

func (a *app) auditOpen() *cobra.Command {
	x := api.OpeningFile{}
	c := &cobra.Command{
		Use: "open ROUND FILE", Short: "Write what an auditor needs to recompute this side of a round by similarity",
		Long: `Write what an auditor needs to recompute all that this side sent in a round that compared
names or faces: the round's secret, and the vectors of the records that took part. From them
persons may be recognised: the file is for the auditor's eyes alone, and is as secret as the
list. With --witness it holds only what this side noted of both, against the other side's
opening. Nothing is left to be opened once the round's hits are erased.`,
		Example: "  entente audit open --dir au 0c1d… au.opening", Args: exactly(2),
	}
	c.Flags().BoolVar(&x.Witness, "witness", false, "leave out the own secret and vectors")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if x.Path, err = filepath.Abs(args[1]); err != nil {
			return err
		}
		if err := a.ask(c.Context(), func(client *api.Client) error { return client.Post(c.Context(), "/rounds/"+args[0]+"/opening", x, nil) }); err != nil {
			return err
		}
		return a.show(api.File{Path: x.Path}, func(w io.Writer) { row(w, "opening", x.Path) })
	}
	return a.forNode(c)
}

func (a *app) auditCompare() *cobra.Command {
	c := &cobra.Command{
		Use: "compare FILE FILE", Short: "Recompute what both sides of a round sent, from their openings",
		Long: `Recompute what both sides of a round by similarity sent, from what each opened, and hold it
against what the other side noted. The asking side's opening must hold its secret; the other
may be a witness's. The roster of this node's federation says whose signatures are under the
agreement. Notes are not signed: where they differ, one of the two sides is wrong, and the
files do not say which.`,
		Example: "  entente audit compare --dir au au.opening id.opening", Args: exactly(2),
	}
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		var x api.OpeningFiles
		if x.First, err = filepath.Abs(args[0]); err != nil {
			return err
		}
		if x.Second, err = filepath.Abs(args[1]); err != nil {
			return err
		}
		var found []rounds.Recomputed
		if err := a.ask(c.Context(), func(client *api.Client) error { return client.Post(c.Context(), "/audit/compare", x, &found) }); err != nil {
			return err
		}
		agrees := true
		err = a.show(found, func(w io.Writer) {
			for _, f := range found {
				row(w, f.Member, f.Message)
			}
		})
		for _, f := range found {
			agrees = agrees && f.Agrees
		}
		if err == nil && !agrees {
			return &exit{exitFound, errors.New("the two sides' accounts of the round differ")}
		}
		return err
	}
	return a.forNode(c)
}

// auditFolder is what there is to check. With a ledger that is a fresh export, since the
// ledger's copy is part of it; done removes that.
func (a *app) auditFolder(c *cobra.Command) (folder api.File, done func() error, err error) {
	done = func() error { return nil }
	err = a.ask(c.Context(), func(x *api.Client) error {
		err := x.Get(c.Context(), "/ledger", nil)
		if p, ok := errors.AsType[*api.Problem](err); ok && p.Code == api.NoLedger {
			return x.Post(c.Context(), "/audit", nil, &folder)
		}
		if err != nil {
			return err
		}
		parent, err := os.MkdirTemp("", "entente-audit-")
		if err != nil {
			return err
		}
		done = func() error { return os.RemoveAll(parent) }
		folder.Path = filepath.Join(parent, "audit")
		today := time.Now().UTC().Format(time.DateOnly)
		return x.Post(c.Context(), "/audit/export", api.Export{Path: folder.Path, First: firstDay, Last: today}, nil)
	})
	if err != nil {
		err = errors.Join(err, done())
	}
	return folder, done, err
}

func (a *app) auditExport() *cobra.Command {
	x := api.Export{First: firstDay}
	c := &cobra.Command{
		Use: "export DIR", Short: "Write what an auditor is shown of some days to a new folder",
		Long: `Write what an auditor is shown of some days to a new folder: openings and receipts that
were sealed on those days, and both chains, rosters, agreements and the copy of the
ledger as a whole, since none of them can be checked in part. The auditor runs
entente-verify on the folder.`,
		Example: "  entente audit export --dir au --from 2026-01-01 --to 2026-03-31 au-audit", Args: exactly(1),
	}
	c.Flags().StringVar(&x.First, "from", x.First, "first day, in UTC")
	c.Flags().StringVar(&x.Last, "to", "", "last day, in UTC (default today)")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if x.Path, err = filepath.Abs(args[0]); err != nil {
			return err
		}
		if x.Last == "" {
			x.Last = time.Now().UTC().Format(time.DateOnly)
		}
		if err := a.ask(c.Context(), func(client *api.Client) error { return client.Post(c.Context(), "/audit/export", x, nil) }); err != nil {
			return err
		}
		return a.show(api.File{Path: x.Path}, func(w io.Writer) { row(w, "export", x.Path) })
	}
	return a.forNode(c)
}
