package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"entente/node/api"
	"entente/node/standing"
)

func (a *app) roundCheck() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Ask partners now about one value, which is read from standard input", Args: exactly(0),
		Long: `Ask partners now whether their lists hold one value, within the urgent checks that a
standing round allows. The value is one line of standard input, so that it stands in no
history of commands and no list of processes. Partners learn that something was asked,
neither the value nor the answer. Exit code 0 says that a partner answered, whatever the
answer; 5 that none did.`,
		Example: "  entente round check --dir au --kind phone --country AU < number.txt\n" +
			"  entente round check --dir au --kind document --issuer ID --with ID,SG",
	}
	a.forNode(c)
	q := &api.Question{}
	f := c.Flags()
	f.StringVar(&q.Kind, "kind", "", "kind of indicator (required)")
	f.StringSliceVar(&q.Partners, "with", nil, "partners, separated by commas (without: all who let this side ask)")
	f.StringVar(&q.Country, "country", "", "two letters; for a number written without a country")
	f.StringVar(&q.Platform, "platform", "", "for a handle without one")
	f.StringVar(&q.Issuer, "issuer", "", "for a document without one")
	f.StringVar(&q.Scheme, "scheme", "", "for an account without one")
	must(c.MarkFlagRequired("kind"))
	c.RunE = func(c *cobra.Command, _ []string) error {
		for i, p := range q.Partners {
			q.Partners[i] = strings.ToUpper(strings.TrimSpace(p))
		}
		var err error
		if q.Value, err = a.oneLine(); err != nil {
			return err
		}
		return a.check(c.Context(), q)
	}
	return c
}

func (a *app) check(ctx context.Context, q *api.Question) error {
	var answers []standing.Checked
	err := a.ask(ctx, func(x *api.Client) error {
		if !x.Daemon {
			return a.noDaemon()
		}
		return x.Post(ctx, "/standing/check", q, &answers)
	})
	if err != nil {
		return err
	}
	err = a.show(answers, func(w io.Writer) {
		row(w, "PARTNER", "ANSWER", "STANDING ROUND")
		for _, c := range answers {
			row(w, c.Partner, c.Result, c.ID)
		}
	})
	if err != nil {
		return err
	}
	said := map[string]bool{}
	for _, c := range answers {
		said[c.Result] = true
	}
	if said["hit"] {
		a.say("A hit is a lead, not evidence.")
	}
	if said["no hit"] {
		a.say("\"No hit\" speaks of what a partner had published with its last run.")
	}
	if !said["hit"] && !said["no hit"] {
		return &exit{exitEnded, errors.New("no partner answered")}
	}
	return nil
}

// maxLine bounds what is read of standard input, in bytes: no value is as long.
const maxLine = 4096

// oneLine reads the only line of standard input. No error repeats it.
func (a *app) oneLine() (string, error) {
	if f, ok := a.in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			a.say("Write the value as one line, then end the input (Ctrl-D).")
		}
	}
	b, err := io.ReadAll(io.LimitReader(a.in, maxLine+1))
	if err != nil {
		return "", fmt.Errorf("read the value: %w", err)
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return "", usage(errors.New("standard input is empty; it must hold one value in one line"))
	case bytes.ContainsAny(b, "\r\n"):
		return "", usage(errors.New("standard input has more than one line; it must hold one value in one line"))
	case len(b) > maxLine, !utf8.Valid(b):
		return "", usage(errors.New("standard input is too long or no UTF-8 text; it must hold one value in one line"))
	}
	return string(b), nil
}
