package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/node/api"
)

func (a *app) federationRotateKey() *cobra.Command {
	c := &cobra.Command{
		Use: "rotate-key", Short: "Replace this member's signing and transport key", Args: exactly(0),
		Long: `Replace the keys with which this member signs and with which its node proves on the
channel who it is. The present keys hand over to new ones in the ledger; nobody has to
approve that. What this node enters from now on is signed by the new key. The others
know it by its present keys until that is final: then the daemon goes over to the new
keys by itself, the present ones are destroyed, and what they signed stays valid.

Rounds that are under way then expire; standing rounds begin a new tag period. Back up
the node afterwards: an older backup has the old keys, and a node that came back from
it would have to be restored by the other members.`,
		Example: "  entente federation rotate-key --dir au",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var v node.Rotation
		serving := false
		err := a.ask(c.Context(), func(x *api.Client) error {
			serving = x.Daemon
			return x.Post(c.Context(), "/federation/keys", nil, &v)
		})
		if err != nil {
			return err
		}
		err = a.show(v, func(w io.Writer) { row(w, "words", v.Words) })
		a.say("These are this member's words under its new keys. They are in force when that is final: entente federation show")
		a.whenServing(serving)
		return err
	}
	return a.forNode(c)
}

func (a *app) federationAddresses() *cobra.Command {
	var none bool
	c := &cobra.Command{
		Use: "addresses ADDRESS...", Short: "Tell the others where they can reach this member from now on",
		Long: `Tell the others where they can reach this member from now on, in place of the addresses
that the roster names. They dial the new ones as soon as that is final in the ledger;
nobody has to approve it. Where this node listens is set in entente.toml, which this
command leaves as it is.`,
		Example: "  entente federation addresses --dir au /ip4/192.0.2.9/tcp/7101",
		Args: func(_ *cobra.Command, args []string) error {
			if none == (len(args) > 0) {
				return usage(errors.New("give the addresses, or --none if this member only calls others"))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&none, "none", false, "nobody can call this member; it calls the others")
	c.RunE = func(c *cobra.Command, args []string) error {
		in := api.Addresses{Addresses: append([]string{}, args...)}
		serving := false
		err := a.ask(c.Context(), func(x *api.Client) error {
			serving = x.Daemon
			return x.Post(c.Context(), "/federation/addresses", in, nil)
		})
		if err != nil {
			return err
		}
		err = a.show(in, func(w io.Writer) {
			for _, one := range in.Addresses {
				row(w, "address", one)
			}
		})
		a.say("The others dial these once that is final: entente ledger status")
		a.whenServing(serving)
		return err
	}
	return a.forNode(c)
}

// whenServing says what the ledger needs to take in what this node has written.
func (a *app) whenServing(serving bool) {
	if !serving {
		a.say("The daemon is not running. It has to serve until then: entente serve --dir %s", a.dir)
	}
}
