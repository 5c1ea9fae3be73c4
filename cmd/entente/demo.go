package main

import (
	"errors"

	"github.com/spf13/cobra"

	"entente/simulations/demo"
)

func (a *app) demo() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use: "demo", Short: "Show the main job on this machine with invented data",
		Long: `Show the main job on this machine with invented data: three nodes over real
connections, told step by step and checked against what was planted. It takes some
seconds and, without --dir, leaves nothing behind.`,
		Example: "  entente demo\n  entente demo --dir trial\n  entente demo -o json",
		Args:    exactly(0),
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "keep the nodes in this directory, which must be empty or new")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if a.output != "json" {
			o.Screen = a.out
		}
		document, err := demo.Run(c.Context(), o)
		if errors.Is(err, demo.ErrOccupied) {
			return usage(err)
		}
		if a.output == "json" {
			err = errors.Join(err, a.show(document, nil))
		}
		return err
	}
	return c
}
