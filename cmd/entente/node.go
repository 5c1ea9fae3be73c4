package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
	"entente/node/config"
	"entente/node/keys"
	"entente/node/metrics"
	"entente/node/store"
	"entente/protocol/roster"
)

func (a *app) initCommand() *cobra.Command {
	s := node.Setup{Config: config.Default()}
	c := &cobra.Command{
		Use: "init", Short: "Set up a node: keys, settings, a card for the roster, rules that allow nothing",
		Example: "  entente init --dir au --member AU --name Australia --role state --listen /ip4/127.0.0.1/tcp/7101",
		Args:    exactly(0),
	}
	a.forNode(c)
	f := c.Flags()
	m, n := &s.Config.Member, &s.Config.Network
	f.StringVar(&m.ID, "member", "", "identifier in the federation: capital letters, digits, hyphen (required)")
	f.StringVar(&m.Name, "name", "", "name for people (required)")
	f.StringVar(&m.Role, "role", "state", "state, organisation, ngo or observer")
	f.StringSliceVar(&n.Listen, "listen", nil, "multiaddress to listen on, /ip4/…/tcp/… or /ip4/…/udp/…/quic-v1 (repeatable)")
	f.StringSliceVar(&n.Announce, "announce", nil, "multiaddress that partners should dial, if it is another (repeatable)")
	f.StringVar(&s.Config.Keys.Unlock, "unlock", "", "what unlocks the keys: key-file, passphrase-file or credential (default: a key file in the directory)")
	f.StringVar(&s.Config.Keys.UnlockFrom, "unlock-from", "", "path of that file, or name of the credential")
	f.BoolVar(&s.Lost, "lost", false, "this member's node in a federation with a ledger is lost: go on in its place once the others have restored the member")
	must(c.MarkFlagRequired("member"))
	must(c.MarkFlagRequired("name"))
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := roster.CheckID(m.ID); err != nil {
			return usage(fmt.Errorf("--member: %w", err))
		}
		if a.there() == nil {
			return fmt.Errorf("%s holds a node already; choose another directory", a.dir)
		}
		card, err := node.Init(c.Context(), a.dir, s)
		if err != nil {
			return err
		}
		if len(n.Listen) == 0 {
			a.say("The node listens nowhere: it can call partners, and none can call it.")
		}
		return a.showCard(card)
	}
	return c
}

// showCard shows a new node's card and what comes next.
func (a *app) showCard(card roster.Card) error {
	words, err := card.Member.Words()
	if err != nil {
		return err
	}
	file := filepath.Join(a.dir, "member.json")
	v := struct {
		ID    string `json:"id"`
		Card  string `json:"card"`
		Words string `json:"words"`
	}{card.Member.ID, file, words}
	err = a.show(v, func(w io.Writer) {
		row(w, "member", v.ID)
		row(w, "card", v.Card)
		row(w, "words", v.Words)
	})
	a.say("Give %s to whoever draws up the roster, and read the words to them by telephone.", file)
	a.say("The rules of this node allow nothing yet.")
	return err
}

func (a *app) serve() *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Run the node's daemon until it is told to stop", Args: exactly(0),
		Example: "  entente serve --dir au",
		RunE:    func(c *cobra.Command, _ []string) error { return a.daemon(c.Context()) },
	}
	return a.forNode(c)
}

// daemon serves partners, the control socket and the metrics until the context ends.
func (a *app) daemon(ctx context.Context) error {
	if err := a.there(); err != nil {
		return err
	}
	settings, err := config.Load(a.dir)
	if err != nil {
		return err
	}
	log := a.logger(settings.LogLevel())
	n, err := node.Open(ctx, a.dir, node.Options{Version: version, Log: log})
	if err != nil {
		return a.explained(err)
	}
	l, err := api.Listen(ctx, n)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	endMetrics, err := a.metrics(ctx, n, log)
	if err != nil {
		return errors.Join(err, l.Close(), n.Close())
	}
	server := &http.Server{Handler: api.Handler(n), ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := context.WithCancelCause(ctx)
	served := make(chan error, 1)
	go func() {
		err := server.Serve(l)
		stop(err) // a daemon that cannot be commanded must not go on
		served <- err
	}()
	err = n.Run(ctx, func() {
		on := strings.Join(n.Serving(), ", ")
		if on == "" {
			on = "no address: it calls partners, and none can call it"
		}
		a.say("%s serves on %s", n.ID(), on)
	})
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(deadline) != nil {
		err = errors.Join(err, server.Close()) // somebody still waits for a round
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	endMetrics()
	err = errors.Join(err, n.Close())
	if err == nil {
		a.say("stopped")
	}
	return err
}

// metrics lets Prometheus ask how the node does, if the settings say where, until end is
// called.
func (a *app) metrics(ctx context.Context, n *node.Node, log *slog.Logger) (end func(), err error) {
	address := n.Config().Metrics.Listen
	if address == "" {
		return func() {}, nil
	}
	l, err := metrics.Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() {
		if err := metrics.Serve(ctx, l, metrics.Handler(n, log), log); err != nil {
			log.Error("nobody can read the metrics any more", "error", err) // no reason to leave the partners
		}
	})
	a.say("metrics at http://%s%s", l.Addr(), metrics.Path)
	return func() { stop(); work.Wait() }, nil
}

func (a *app) doctor() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Find what keeps the node from working, and what to do", Args: exactly(0),
		Example: "  entente doctor --dir au",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var found []node.Symptom
		err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/doctor", &found) })
		if err != nil {
			return err
		}
		wrong := 0
		err = a.show(found, func(w io.Writer) {
			for _, f := range found {
				mark := "ok"
				if !f.OK {
					mark = "WRONG"
				}
				row(w, mark, f.Subject, f.Text)
				if f.Remedy != "" {
					row(w, "", "", "→ "+f.Remedy)
				}
			}
		})
		for _, f := range found {
			if !f.OK {
				wrong++
			}
		}
		if err == nil && wrong > 0 {
			return &exit{exitFound, fmt.Errorf("%d of %d checks found something wrong", wrong, len(found))}
		}
		return err
	}
	return a.forNode(c)
}

func (a *app) backup() *cobra.Command {
	c := &cobra.Command{
		Use: "backup FILE", Short: "Write everything that brings the node back to a new file",
		Long: `Write everything that brings the node back to a new file: store, settings, roster,
rules, and the keys in their sealed form. What unlocks the keys is not in it: keep
that apart. Secrets of rounds that are under way are left out, since they must never
be used twice; such rounds fail after a restore.`,
		Example: "  entente backup --dir au au.backup", Args: exactly(1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		file, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		err = a.ask(c.Context(), func(x *api.Client) error { return x.Post(c.Context(), "/backup", api.File{Path: file}, nil) })
		if err != nil {
			return err
		}
		return a.show(api.File{Path: file}, func(w io.Writer) { row(w, "backup", file) })
	}
	return a.forNode(c)
}

// notRestored says what to do about a restore that failed.
func (a *app) notRestored(err error) error {
	switch {
	case errors.Is(err, keys.ErrMissing):
		return fmt.Errorf("the backup holds the keys in sealed form; say with --unlock-key which file opens them: %w", err)
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("%s has a store; a restore replaces none: choose another directory, or move store.db away", a.dir)
	}
	return a.explained(err)
}

func (a *app) restore() *cobra.Command {
	var unlock string
	c := &cobra.Command{
		Use: "restore FILE", Short: "Bring a node back from a backup",
		Long: `Bring a node back from a backup, into an empty directory or into one whose store is
gone. If the old audit folder survives, leave it in place: it tells how far the
chains had come. Without it the chains go on after a stated gap, so that no number
is ever used twice.`,
		Example: "  entente restore --dir au2 --unlock-key safe/unlock au.backup", Args: exactly(1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := node.Restore(c.Context(), a.dir, args[0], unlock); err != nil {
			return a.notRestored(err)
		}
		return a.show(api.File{Path: a.dir}, func(w io.Writer) { row(w, "restored", a.dir) })
	}
	a.forNode(c)
	c.Flags().StringVar(&unlock, "unlock-key", "", "key file that the keys were sealed under, if the node used the default one")
	return c
}
