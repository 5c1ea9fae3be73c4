package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"entente/simulations/adversary"
)

func (a *app) filterSweep() *cobra.Command {
	s := adversary.Defaults()
	c := &cobra.Command{
		Use: "filter-sweep", Short: "Guess every number of a plan against three publications of one list",
		Long: `Guess every number of a plan against three publications of one list: a Bloom
filter of it, the tags of a standing round, and the counted questions of the
same round. The table says what each gave up, what that cost and who noticed.

The same settings give the same "results"; what a run measured is apart.`,
		Example: "  entente-sim attack filter-sweep\n  entente-sim attack filter-sweep --held 100 --seed 2 -o json",
		Args:    noArguments,
	}
	c.Flags().IntVar(&s.Guesses, "guesses", s.Guesses, "numbers of the plan; A tries all of them")
	c.Flags().IntVar(&s.Held, "held", s.Held, "numbers of the plan that are on B's list")
	c.Flags().IntVar(&s.Quota, "quota", s.Quota, "guesses that B answers in a tag period; a size class")
	c.Flags().Uint64Var(&s.Seed, "seed", s.Seed, "of everything that is drawn by chance")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.Check(); err != nil {
			return usageError{fmt.Errorf("--%w", err)} // it begins with the flag's name
		}
		m := newMeter(a.err)
		r, err := adversary.Sweep(c.Context(), s, version, m.set)
		m.end()
		if err != nil {
			return err
		}
		if err := a.show(r); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		contradictions := r.Contradictions()
		for _, found := range contradictions {
			fmt.Fprintln(a.err, "CONTRADICTION:", found)
		}
		if len(contradictions) > 0 {
			return errContradicted
		}
		return nil
	}
	return c
}

// show writes the report as a table or as JSON.
func (a *app) show(r adversary.Report) error {
	if a.output == "table" {
		return r.Write(a.out)
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// noArguments refuses what is no flag.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q takes nothing but flags; see: %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}
