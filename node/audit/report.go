package audit

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"entente/protocol/entry"
)

// Report is what a check found. OK is true only if there is no fault; notes never change
// it. Its JSON form is stable.
type Report struct {
	OK         bool           `json:"ok"`
	Member     string         `json:"member"`
	Federation *Federation    `json:"federation,omitempty"` // the roster in force; absent before one was joined
	Rosters    []Roster       `json:"rosters"`              // all that are right, by version
	Chains     []Chain        `json:"chains"`
	LocalHeads Counts         `json:"local_heads"`    // heads of the local chain in the submitted one
	Sealed     Counts         `json:"sealed_digests"` // other sealed digests in the submitted chain
	Labels     map[string]int `json:"labels"`         // opened ones of these by what they seal
	Receipts   int            `json:"receipts"`       // receipts that are right
	Standing   Standing       `json:"standing"`
	Ledger     *Ledger        `json:"ledger,omitempty"` // the copy of the ledger; absent without one
	Faults     []Fault        `json:"faults"`
	Notes      []string       `json:"notes"` // what an auditor should know or ask about
}

// Roster is one that was joined, with the number of receipts that are right under it.
type Roster struct {
	Federation
	Receipts int `json:"receipts"`
}

// Standing counts what is right of standing rounds.
type Standing struct {
	Agreements int `json:"agreements"`
	Receipts   int `json:"receipts"` // of partners, for sets without what was removed
}

// Federation is a roster that was checked.
type Federation struct {
	Name       string   `json:"name"`
	Version    uint64   `json:"version"`
	Members    []string `json:"members"`
	Sequencers []string `json:"sequencers,omitempty"` // of the common ledger when it begins; absent if there is none
	Digest     string   `json:"digest"`               // hex
	Words      string   `json:"words"`                // the same, to compare by telephone
}

// Chain is one chain as far as it is right.
type Chain struct {
	Name    string `json:"name"`
	Entries int    `json:"entries"`
	First   string `json:"first,omitempty"` // time of the first entry, RFC 3339 in UTC
	Last    string `json:"last,omitempty"`
	Head    string `json:"head,omitempty"` // hex digest of the last entry
	Gaps    []Gap  `json:"gaps,omitempty"`
}

// Gap is a range of numbers that a restored entry says were skipped.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	Lost  uint64 `json:"lost"` // entries known to be missing; there may be more
}

// Counts says how many sealed digests were published, and how many of them are open.
type Counts struct {
	Published int `json:"published"`
	Opened    int `json:"opened"`
}

// Fault is one thing that is wrong and where.
type Fault struct {
	File     string  `json:"file"`
	Sequence *uint64 `json:"sequence,omitempty"` // number of the entry, where it is one
	Offset   *int64  `json:"offset,omitempty"`   // of its first byte in the file
	Problem  string  `json:"problem"`
}

// String is one line: file, place, problem.
func (f Fault) String() string {
	s := f.File
	if f.Sequence != nil {
		s += fmt.Sprintf(", entry %d", *f.Sequence)
	}
	if f.Offset != nil {
		s += fmt.Sprintf(", offset %d", *f.Offset)
	}
	return s + ": " + f.Problem
}

// maxFaults bounds the list: after so many, more say nothing new.
const maxFaults = 100

func (r *Report) fault(file string, problem any) {
	r.add(Fault{File: file, Problem: fmt.Sprint(problem)})
}

func (r *Report) faultAt(file string, sequence uint64, offset int64, problem any) {
	r.add(Fault{File: file, Sequence: &sequence, Offset: &offset, Problem: fmt.Sprint(problem)})
}

func (r *Report) add(f Fault) {
	if len(r.Faults) == maxFaults {
		r.note("there are more faults than are listed")
	}
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, f)
	}
}

func (r *Report) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if len(r.Notes) == 0 || r.Notes[len(r.Notes)-1] != n {
		r.Notes = append(r.Notes, n)
	}
}

// Write prints the report for a person.
func (r Report) Write(w io.Writer) error {
	p := printer{w: w}
	p.line("member      %s", r.Member)
	if f := r.Federation; f != nil {
		p.line("federation  %s, version %d, %d members, signed by all", f.Name, f.Version, len(f.Members))
		p.line("  words     %s", f.Words)
		if len(f.Sequencers) > 0 {
			p.line("  ledger    ordered by %s when it begins", strings.Join(f.Sequencers, ", "))
		}
	} else {
		p.line("federation  none joined, or not readable")
	}
	for _, x := range r.Rosters {
		p.line("  roster    version %d of %s, %d members, %d receipts", x.Version, x.Name, len(x.Members), x.Receipts)
	}
	for _, c := range r.Chains {
		if c.Entries == 0 {
			p.line("%-11s no entry that is right", c.Name)
			continue
		}
		p.line("%-11s %d entries, %s to %s", c.Name, c.Entries, c.First, c.Last)
	}
	p.line("heads       %d sealed, %d opened and right", r.LocalHeads.Published, r.LocalHeads.Opened)
	p.line("digests     %d sealed, %d opened and right", r.Sealed.Published, r.Sealed.Opened)
	for _, label := range slices.Sorted(maps.Keys(r.Labels)) {
		use := ""
		if !knownLabel(label) {
			use = ", whose use this program does not know"
		}
		p.line("  label     %s: %d%s", label, r.Labels[label], use)
	}
	p.line("receipts    %d right", r.Receipts)
	if s := r.Standing; s != (Standing{}) {
		p.line("standing    %d agreements and %d receipts of partners right", s.Agreements, s.Receipts)
	}
	if r.Ledger != nil {
		r.Ledger.write(&p, r.Member)
	}
	for _, n := range r.Notes {
		p.line("note        %s", n)
	}
	for _, f := range r.Faults {
		p.line("WRONG       %s", f)
	}
	if r.OK {
		p.line("everything that is here is right")
	} else {
		p.line("%d faults", len(r.Faults))
	}
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.Map(printing, fmt.Sprintf(format, args...)))
	}
}

// printing keeps what a file name may hold from steering the reader's terminal.
func printing(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

func moment(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format(time.RFC3339)
}

func gapsOf(gs []entry.Gap) []Gap {
	var out []Gap
	for _, g := range gs {
		out = append(out, Gap{g.First, g.Last, g.Lost})
	}
	return out
}
