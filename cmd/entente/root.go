package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
	"entente/node/config"
	"entente/node/store"
	"entente/simulations/bench"
)

// Exit codes, as the help says.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitDenied  = 3 // the own rules do not allow it
	exitRefused = 4 // the partner answered "not available"
	exitEnded   = 5 // a round ended without a result, or time ran out
	exitFound   = 6 // a check found something wrong
)

const about = `Entente finds what the lists of two or more countries have in common, and shows
nothing else. Each member runs one node, which keeps its own data.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 the own rules do not allow it,
4 the partner refused, 5 the round ended without a result, 6 a check found
something wrong. Results go to standard output, everything else to standard error.`

// exit is an error with an exit code of its own. A nil Err has been reported already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage marks an error of the arguments.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exit{exitUsage, err}
}

// app is what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	output   string // table or json
	dir      string // of the node
	began    bool   // the arguments were right and the command runs
}

// run executes one command line and returns the exit code.
func run(args []string, in io.Reader, out, stderr io.Writer) int {
	bench.Virtual()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: out, err: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if !a.began {
		err = usage(err)
	}
	var told *exit
	if err != nil && ctx.Err() != nil && !errors.As(err, &told) {
		err = errors.New("stopped before it was done")
	}
	return a.code(err)
}

// code reports an error to the person and finds the exit code.
func (a *app) code(err error) int {
	var e *exit
	var p *api.Problem
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &e):
		if e.err != nil {
			fmt.Fprintln(a.err, "entente:", e.err)
		}
		return e.code
	case errors.As(err, &p):
		return a.problem(p)
	}
	fmt.Fprintln(a.err, "entente:", err)
	return exitFailed
}

// problem tells what the node said is wrong, and what to do where that is known.
func (a *app) problem(p *api.Problem) int {
	fmt.Fprintln(a.err, "entente:", p.Message)
	for _, g := range p.Grounds {
		fmt.Fprintln(a.err, "  ", g)
	}
	for _, f := range p.Findings {
		fmt.Fprintln(a.err, "  ", f)
	}
	switch p.Code {
	case api.Denied:
		a.say("See what the rules open: entente policy explain --dir %s", a.dir)
		return exitDenied
	case api.Invalid:
		return exitUsage
	case api.BadRules:
		return exitFound
	case api.NotJoined:
		a.say("Sign the roster (entente federation sign), put the signature files of all members beside it,\n" +
			"then: entente federation join")
	case api.BadRoster:
		a.say("Every member signs the same file; the signature files (FILE.MEMBER.sig) of all lie beside it.\n" +
			"If one is for another roster, somebody has another file: compare its words by telephone.")
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "entente", Short: "Find what several countries' lists have in common, and nothing else", Long: about,
		Version: version, SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if a.output != "table" && a.output != "json" {
				return usage(fmt.Errorf("--output is table or json, not %q", a.output))
			}
			if err := complete(c); err != nil {
				return usage(err)
			}
			a.began = true
			return nil
		},
		Args: cobra.ArbitraryArgs,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "table or json")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(a.initCommand(), a.serve(), a.federation(), a.partner(), a.policy(), a.list(), a.round(), a.inbox(),
		a.hit(), a.ledger(), a.audit(), a.doctor(), a.backup(), a.restore(), a.demo(), a.bench())
	for _, c := range root.Commands() {
		needsCommand(c)
	}
	root.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noCommand(c, args[0])
		}
		return c.Help()
	}
	return root
}

// needsCommand makes a group without a command an error of the arguments.
func needsCommand(c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noCommand(c, args[0])
		}
		return usage(fmt.Errorf("say what to do; see: %s --help", c.CommandPath()))
	}
}

// noCommand says which command was probably meant.
func noCommand(c *cobra.Command, name string) error {
	meant := ""
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if s := c.SuggestionsFor(name); len(s) > 0 {
		meant = fmt.Sprintf(" (%s?)", strings.Join(s, " or "))
	}
	return usage(fmt.Errorf("%q is no command of %q%s; see: %s --help", name, c.CommandPath(), meant, c.CommandPath()))
}

// complete finds the required flags that were left out.
func complete(c *cobra.Command) error {
	var missing []string
	if err := c.ValidateRequiredFlags(); err != nil {
		for i, part := range strings.Split(err.Error(), `"`) { // the names are quoted
			if i%2 == 1 {
				missing = append(missing, "--"+part)
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing: %s; see: %s --help", strings.Join(missing, ", "), c.CommandPath())
	}
	return nil
}

// forNode adds the flag that says which node a command is for.
func (a *app) forNode(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&a.dir, "dir", "", "the node's directory (required)")
	must(c.MarkFlagRequired("dir"))
	return c
}

// must is for mistakes in this program that no input can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// exactly wraps cobra's count of arguments as an error of usage.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		_, takes, _ := strings.Cut(c.Use, " ")
		if takes == "" {
			return usage(fmt.Errorf("%q takes nothing but flags; see: %s --help", c.CommandPath(), c.CommandPath()))
		}
		return usage(fmt.Errorf("%q takes one %s, not %d; see: %s --help", c.CommandPath(), takes, len(args), c.CommandPath()))
	}
}

// there refuses a directory without a node.
func (a *app) there() error {
	if a.dir == "" {
		return usage(errors.New("--dir is empty; it names the node's directory"))
	}
	_, err := os.Stat(filepath.Join(a.dir, config.File))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no node in %s; set one up with: entente init", a.dir)
	}
	return nil // whatever else is wrong is said by whoever opens it
}

// explained says what to do about an error of opening a node.
func (a *app) explained(err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("the node in %s is in use: its daemon or another command is at work on it", a.dir)
	}
	return err
}

// ask runs f with a client of the node, through its daemon or in this process.
func (a *app) ask(ctx context.Context, f func(*api.Client) error) error {
	if err := a.there(); err != nil {
		return err
	}
	c, err := api.Dial(ctx, a.dir, node.Options{Version: version, Log: a.logger(slog.LevelWarn)})
	if err != nil {
		return a.explained(err)
	}
	return errors.Join(f(c), c.Close())
}

func (a *app) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}
