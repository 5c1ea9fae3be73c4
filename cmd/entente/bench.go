package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"entente/simulations/bench"
)

// bench has one command for each bench, with a flag for each of its settings.
func (a *app) bench() *cobra.Command {
	c := &cobra.Command{
		Use: "bench", Short: "Measure this machine, and reproduce the published figures",
		Example: "  entente bench intake -o json",
	}
	for _, d := range bench.All() {
		c.AddCommand(a.benchOne(d))
	}
	return c
}

func (a *app) benchOne(d bench.Description) *cobra.Command {
	c := &cobra.Command{Use: d.Name, Short: d.About, Args: exactly(0)}
	settings := map[string]*int64{}
	for name, value := range d.Defaults {
		settings[name] = c.Flags().Int64(name, value, "how many")
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		params := bench.Params{}
		for name, value := range settings {
			params[name] = *value
		}
		r, err := bench.Run(c.Context(), d.Name, params)
		if err != nil {
			return err
		}
		return a.show(r, func(w io.Writer) { writeBench(w, r) })
	}
	return c
}

func writeBench(w io.Writer, r bench.Result) {
	row(w, "bench", r.Name, r.Params)
	row(w, "machine", r.Machine, "kernel "+r.Kernel)
	row(w, "processor time", fmt.Sprintf("%.2f s", r.CPUSeconds))
	row(w, "wall time", fmt.Sprintf("%.2f s", r.WallSeconds))
	row(w, "peak memory", size(r.PeakRSSBytes))
	if r.BytesPerItem > 0 {
		row(w, "sent", fmt.Sprintf("%.1f bytes an item", r.BytesPerItem))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Phases)) {
		row(w, "phase "+name, fmt.Sprintf("%.2f s", r.Phases[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		row(w, name, fmt.Sprintf("%.4g", r.Figures[name]))
	}
}
