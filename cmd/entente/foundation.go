package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"entente/node"
	"entente/protocol/roster"
)

// ledgerRequest is what the flags say of a federation's ledger.
type ledgerRequest struct {
	command    *cobra.Command
	sequencers []string
	blocs      []string
	wanted     uint16
}

func ledgerFlags(c *cobra.Command) *ledgerRequest {
	l := &ledgerRequest{command: c}
	c.Flags().StringSliceVar(&l.sequencers, "sequencers", nil, "keep a common ledger, which these members order: ids, 4 to 7 of them (1 to 3 if there are only 2 or 3 members)")
	c.Flags().StringArrayVar(&l.blocs, "bloc", nil, "members that act alike, as name=ID,ID (repeatable; with --sequencers)")
	c.Flags().Uint16Var(&l.wanted, "blocs-wanted", 0, "of how many blocs those must be who sign the ledger (with --bloc; 0: as many as they like)")
	return l
}

// read checks what the roster cannot say as well: how the flags are written.
func (l *ledgerRequest) read() ([]string, roster.Spread, error) {
	spread := roster.Spread{Wanted: l.wanted}
	if len(l.sequencers) == 0 {
		if l.command.Flags().Changed("sequencers") {
			return nil, spread, errors.New("--sequencers names nobody: write ids with commas between them, as in AU,ID, or leave it out for a federation without a ledger")
		}
		if len(l.blocs) > 0 || l.wanted > 0 {
			return nil, spread, errors.New("blocs say who must sign the common ledger, and without --sequencers there is none: name with --sequencers who orders it")
		}
		return nil, spread, nil
	}
	sequencers, err := memberIDs(l.sequencers)
	if err != nil {
		return nil, spread, fmt.Errorf("--sequencers: %w", err)
	}
	for _, b := range l.blocs {
		name, list, ok := strings.Cut(b, "=")
		if !ok {
			return nil, spread, fmt.Errorf("--bloc %s: write the bloc's name, =, and its members, as in --bloc north=AU,ID", b)
		}
		members, err := memberIDs(strings.Split(list, ","))
		if err != nil {
			return nil, spread, fmt.Errorf("--bloc %s: %w", name, err)
		}
		if err := roster.CheckWord(name); err != nil {
			return nil, spread, fmt.Errorf("--bloc %s: %w", name, err)
		}
		spread.Blocs = append(spread.Blocs, roster.Bloc{Name: name, Members: members})
	}
	if int(l.wanted) > len(spread.Blocs) {
		return nil, spread, fmt.Errorf("--blocs-wanted %d, but there are %d blocs: name more with --bloc, or want fewer", l.wanted, len(spread.Blocs))
	}
	return sequencers, spread, nil
}

// memberIDs reads ids as people write them.
func memberIDs(list []string) (ids []string, err error) {
	for _, id := range list {
		id = strings.ToUpper(strings.TrimSpace(id))
		if err := roster.CheckID(id); err != nil {
			return nil, fmt.Errorf("%q: %w; write ids with commas between them, as in AU,ID", id, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// orderedBy says who orders and signs a ledger, to go on a sentence.
func orderedBy(l *node.Ledger) string {
	text := "ordered by " + and(l.Sequencers)
	if l.BlocsWanted > 0 {
		text += fmt.Sprintf("; those who sign it must be of at least %d different blocs", l.BlocsWanted)
	}
	return text
}

func and(list []string) string {
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

func ledgerRows(w io.Writer, l *node.Ledger) {
	if l == nil {
		return
	}
	row(w, "sequencers", strings.Join(l.Sequencers, ", "))
	for _, b := range l.Blocs {
		row(w, "bloc "+b.Name, strings.Join(b.Members, ", "))
	}
	if len(l.Blocs) > 0 {
		row(w, "blocs wanted", l.BlocsWanted)
	}
}
