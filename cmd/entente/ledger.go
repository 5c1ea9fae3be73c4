package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/node/api"
	"entente/node/ledger"
)

func (a *app) ledger() *cobra.Command {
	c := &cobra.Command{
		Use: "ledger", Short: "See the record that all members keep together",
		Long: `See the record that all members keep together: who is a member with which keys, who
may ask the custodians how much, and that rounds were agreed (sealed: only the parties
can open them). What is final can never change: enough members have cosigned it.`,
	}
	c.AddCommand(a.ledgerStatus(), a.ledgerLog(), a.ledgerProof(), a.ledgerCheckpoint(), a.ledgerRecover())
	return c
}

func (a *app) ledgerStatus() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Who leads, who lags, what is final, and what to do if nothing becomes so", Args: exactly(0),
		Example: "  entente ledger status --dir au",
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var v ledger.Standing
		if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), "/ledger", &v) }); err != nil {
			return err
		}
		err := a.show(v, func(w io.Writer) { writeLedger(w, v) })
		if err == nil && len(v.Remedy)+len(v.Alarms) > 0 {
			return &exit{code: exitFound}
		}
		return err
	}
	return a.forNode(c)
}

func writeLedger(w io.Writer, v ledger.Standing) {
	if v.Term > 1 {
		row(w, "ledger's term", v.Term)
	}
	row(w, "entries held", v.Entries)
	row(w, "of these final", v.Final)
	row(w, "ledger's clock", when(v.Clock))
	leader := v.Leader
	if leader == "" {
		leader = "nobody, as far as this node knows"
	}
	row(w, "leads", leader)
	row(w, "must cosign", fmt.Sprintf("%d of %d members", v.Quorum, len(v.Members)))
	if v.Waiting > 0 {
		row(w, "own entries not final", fmt.Sprintf("%d, the first since %s", v.Waiting, when(v.Oldest)))
	} else {
		row(w, "own entries not final", 0)
	}
	if v.Took != "" {
		row(w, "own entries were final after", v.Took+" (median of the last)")
	}
	fmt.Fprintln(w)
	row(w, "MEMBER", "PART", "COSIGNED THE LAST", "BEHIND", "HEARD OF")
	for _, m := range v.Members {
		part := "cosigner"
		if m.Sequencer {
			part = "sequencer"
		}
		switch {
		case m.Convicted:
			part += ", CONVICTED"
		case !m.Key:
			part += ", no key yet"
		}
		signed := "no"
		if m.Cosigned {
			signed = "yes"
		}
		row(w, m.ID, part, signed, m.Behind, when(m.Heard))
	}
	for _, text := range v.Alarms {
		fmt.Fprintf(w, "\nALARM: %s\n", text)
	}
	for _, text := range v.Remedy {
		fmt.Fprintf(w, "\n→ %s\n", text)
	}
}

func (a *app) ledgerLog() *cobra.Command {
	var from uint64
	var most int
	c := &cobra.Command{
		Use: "log", Short: "Read entries of the ledger in plain words", Args: exactly(0),
		Example: "  entente ledger log --dir au --from 120 --most 50",
	}
	c.Flags().Uint64Var(&from, "from", 0, "number of the first entry (default: the last ones)")
	c.Flags().IntVar(&most, "most", 20, "how many entries at most, up to 1000")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if most < 1 || most > 1000 {
			return usage(fmt.Errorf("--most is 1 to 1000, not %d", most))
		}
		var lines []ledger.Line
		err := a.ask(c.Context(), func(x *api.Client) error {
			if !c.Flags().Changed("from") {
				var v ledger.Standing
				if err := x.Get(c.Context(), "/ledger", &v); err != nil {
					return err
				}
				from = v.Entries - min(v.Entries, uint64(most))
			}
			q := url.Values{"from": {strconv.FormatUint(from, 10)}, "most": {strconv.Itoa(most)}}
			return x.Get(c.Context(), "/ledger/entries?"+q.Encode(), &lines)
		})
		if err != nil {
			return err
		}
		return a.show(lines, func(w io.Writer) {
			row(w, "ENTRY", "TIME", "MEMBER", "WHAT", "")
			for _, l := range lines {
				var marks []string
				if !l.Final {
					marks = append(marks, "not final")
				}
				if l.Void != "" {
					marks = append(marks, "WITHOUT EFFECT: "+l.Void)
				}
				row(w, l.Index, when(l.Time), l.Member, l.Text, strings.Join(marks, "; "))
			}
		})
	}
	return a.forNode(c)
}

func (a *app) ledgerProof() *cobra.Command {
	c := &cobra.Command{
		Use: "proof ENTRY", Short: "Write the proof that an entry is final, for other tools (C2SP tlog-proof)", Args: exactly(1),
		Example: "  entente ledger proof --dir au 42 > 42.tlog-proof",
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		index, err := strconv.ParseUint(args[0], 10, 63)
		if err != nil {
			return usage(fmt.Errorf("an entry is named by its number, as in: entente ledger log"))
		}
		return a.note(c, fmt.Sprintf("/ledger/proof/%d", index))
	}
	return a.forNode(c)
}

func (a *app) ledgerCheckpoint() *cobra.Command {
	c := &cobra.Command{
		Use: "checkpoint", Short: "Write the newest final checkpoint, for other tools (C2SP signed note)", Args: exactly(0),
		Example: "  entente ledger checkpoint --dir au > checkpoint",
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return a.note(c, "/ledger/checkpoint") }
	return a.forNode(c)
}

// note shows a text that is written for other tools, byte for byte.
func (a *app) note(c *cobra.Command, path string) error {
	var v api.Text
	if err := a.ask(c.Context(), func(x *api.Client) error { return x.Get(c.Context(), path, &v) }); err != nil {
		return err
	}
	if a.output == "json" {
		return a.show(v, nil)
	}
	_, err := io.WriteString(a.out, v.Text)
	return err
}
