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
	output, against := "table", ""
	c := &cobra.Command{
		Use:   "entente-verify DIR",
		Short: "Check the audit folder of a node offline",
		Long: `Check the audit folder of a node offline: the roster and its signatures, both signed
chains, what was sealed and opened, and the receipts of rounds; and the copy of the
ledger, if the folder was exported with one: every entry is replayed, and every
checkpoint checked.

With --against, check another member's folder too and compare the two: whether both hold
the same ledger, and whether a round that one has a receipt of is sealed by the other.

Compare the words of the federation with those that another member reads to you.

Exit codes: 0 everything is right, 1 something is wrong and named, 2 wrong arguments or
a folder that cannot be read.`,
		Example:       "  entente-verify au/audit\n  entente-verify -o json au/audit\n  entente-verify --against id/audit au/audit",
		Args:          cobra.ExactArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, args []string) error {
			return verify(c.OutOrStdout(), args[0], against, output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", output, "table or json")
	c.Flags().StringVar(&against, "against", "", "folder of another member to compare with")
	c.CompletionOptions.DisableDefaultCmd = true
	return c
}

func verify(w io.Writer, dir, against, output string) error {
	if output != "table" && output != "json" {
		return fmt.Errorf("--output must be table or json, not %q", output)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open audit folder: %w", err)
	}
	defer root.Close()
	if against != "" {
		return compare(w, root, against, output)
	}
	report, err := audit.Check(root.FS(), audit.Certificate)
	if err != nil {
		return err
	}
	return write(w, report, report.OK, output)
}

func compare(w io.Writer, root *os.Root, against, output string) error {
	other, err := os.OpenRoot(against)
	if err != nil {
		return fmt.Errorf("open audit folder: %w", err)
	}
	defer other.Close()
	c, err := audit.Compare(root.FS(), other.FS(), audit.Certificate)
	if err != nil {
		return err
	}
	return write(w, c, c.OK, output)
}

// write prints what was found; it is an error if that is not right.
func write(w io.Writer, found interface{ Write(io.Writer) error }, right bool, output string) error {
	var err error
	if output == "table" {
		err = found.Write(w)
	} else {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(found)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if !right {
		return errWrong
	}
	return nil
}
