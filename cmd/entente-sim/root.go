package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, as the help says; where entente has them too they are the same.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 6 // the results contradict what the design claims
)

const about = `Simulations of a federation, and attacks on it, with the protocol code of nodes
and invented data.

Exit codes: 0 done, 1 failed or stopped, 2 wrong arguments, 6 the results
contradict what the design claims. Results go to standard output, everything
else to standard error.`

// errContradicted says that an attack did not end as the design claims.
var errContradicted = errors.New("the results contradict what the design claims; do not use this build")

// usageError marks an error of the arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// app is what all commands share.
type app struct {
	out, err io.Writer
	output   string // table or json
	began    bool   // the arguments were right and the command runs
}

// run executes one command line and returns the exit code.
func run(args []string, out, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{out: out, err: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && errors.Is(err, context.Canceled) {
		err = errors.New("stopped before it was done")
	}
	if err != nil {
		fmt.Fprintln(stderr, "entente-sim:", err)
	}
	wrong := usageError{}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errContradicted):
		return exitFound
	case !a.began, errors.As(err, &wrong):
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "entente-sim", Short: "Simulate a federation and attack it", Long: about,
		Version: version, SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.output != "table" && a.output != "json" {
				return fmt.Errorf("--output is table or json, not %q", a.output)
			}
			a.began = true
			return nil
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "table or json")
	attack := &cobra.Command{Use: "attack", Short: "Attack what members publish, and measure what that gives up"}
	attack.AddCommand(a.filterSweep())
	root.AddCommand(attack)
	for _, group := range []*cobra.Command{root, attack} {
		group.Args = cobra.ArbitraryArgs
		group.RunE = needsCommand
	}
	return root
}

// needsCommand is what a group does without a command that it knows.
func needsCommand(c *cobra.Command, args []string) error {
	switch {
	case len(args) > 0:
		return usageError{fmt.Errorf("%q is no command of %q; see: %s --help", args[0], c.CommandPath(), c.CommandPath())}
	case c.HasParent():
		return usageError{fmt.Errorf("say what to do; see: %s --help", c.CommandPath())}
	}
	return c.Help()
}
