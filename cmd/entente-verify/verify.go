package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"entente/node/audit"
)

// Exit codes.
const (
	exitRight = 0 // everything in the folder is right
	exitWrong = 1 // something is wrong; the report names it
	exitUsage = 2 // wrong arguments, or the folder cannot be read
)

var errWrong = errors.New("something in the audit folder is wrong")

// run checks the folder named by the arguments and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	c := command()
	c.SetArgs(args)
	c.SetOut(stdout)
	c.SetErr(stderr)
	switch err := c.Execute(); {
	case err == nil:
		return exitRight
	case errors.Is(err, errWrong):
		return exitWrong
	default:
		fmt.Fprintf(stderr, "entente-verify: %v\n", err)
		return exitUsage
	}
}

func command() *cobra.Command {
	output := "table"
	c := &cobra.Command{
		Use:   "entente-verify DIR",
		Short: "Check the audit folder of a node offline",
		Long: `Check the audit folder of a node offline: the roster and its signatures, both signed
chains, what was sealed and opened, and the receipts of rounds.

Compare the words of the federation with those that another member reads to you.

Exit codes: 0 everything is right, 1 something is wrong and named, 2 wrong arguments or
a folder that cannot be read.`,
		Example:       "  entente-verify au/audit\n  entente-verify -o json au/audit",
		Args:          cobra.ExactArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, args []string) error {
			return verify(c.OutOrStdout(), args[0], output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", output, "table or json")
	c.CompletionOptions.DisableDefaultCmd = true
	return c
}

func verify(w io.Writer, dir, output string) error {
	if output != "table" && output != "json" {
		return fmt.Errorf("--output must be table or json, not %q", output)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open audit folder: %w", err)
	}
	defer root.Close()
	report, err := audit.Check(root.FS(), audit.Certificate)
	if err != nil {
		return err
	}
	if err := write(w, report, output); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if !report.OK {
		return errWrong
	}
	return nil
}

func write(w io.Writer, r audit.Report, output string) error {
	if output == "table" {
		return r.Write(w)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
