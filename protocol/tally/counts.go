package tally

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Errors of counting.
var (
	ErrCap   = errors.New("a case adds more than agreed")
	ErrCount = errors.New("a count or cell out of range")
)

// Counts is a contributor's table, to which cases are added. It prints nothing of itself. Not
// safe for concurrent use; copies are one table. The zero value fits no proposal.
//
// The unit that noise protects is a case as one contributor records it: it adds at most Cap
// to the table, in all cells together, so that ε bounds what is learned of it. A case that
// several members report counts, and weighs, as several: k members show it with k·ε.
type Counts struct{ *counts }

type counts struct {
	limit uint16
	cells []uint32
}

// NewCounts begins a table for a proposal that was checked.
func NewCounts(p Proposal) Counts {
	return Counts{&counts{limit: p.Cap, cells: make([]uint32, p.Question.Cells())}}
}

// ParseCounts takes a table that was counted elsewhere. That no case added more to it than the
// proposal's cap is the caller's word: a table does not show it. ErrCount for another number of
// cells, or a count above MaxCount.
func ParseCounts(p Proposal, cells []uint32) (Counts, error) {
	if len(cells) != p.Question.Cells() || len(cells) == 0 {
		return Counts{}, fmt.Errorf("read counts: %w: %d cells, not %d", ErrCount, len(cells), p.Question.Cells())
	}
	for i, n := range cells {
		if n > MaxCount {
			return Counts{}, fmt.Errorf("read counts: %w: cell %d is above %d", ErrCount, i, MaxCount)
		}
	}
	return Counts{&counts{limit: p.Cap, cells: slices.Clone(cells)}}, nil
}

// Add adds one case, which counts once for each of these cells. Errors change nothing: ErrCap
// if there are more than Cap (which of them count is the contributor's to choose), ErrCount
// for a cell that is none, or full.
func (c Counts) Add(cells ...int) error {
	switch {
	case c.counts == nil:
		return fmt.Errorf("add case: %w: there are no cells", ErrCount)
	case len(cells) > int(c.limit):
		return fmt.Errorf("add case: %w: %d counts, at most %d", ErrCap, len(cells), c.limit)
	}
	for _, cell := range cells {
		if cell < 0 || cell >= len(c.cells) {
			return fmt.Errorf("add case: %w: there is no cell %d", ErrCount, cell)
		}
	}
	for i, cell := range cells {
		if c.cells[cell]++; c.cells[cell] > MaxCount {
			for _, added := range cells[:i+1] {
				c.cells[added]--
			}
			return fmt.Errorf("add case: %w: cell %d is full", ErrCount, cell)
		}
	}
	return nil
}

// Fits reports whether the table is for this proposal: its number of cells, and its cap.
func (c Counts) Fits(p Proposal) bool {
	return c.counts != nil && c.limit == p.Cap && len(c.cells) == p.Question.Cells()
}

// Values returns a copy of the table, which is a secret: it must not be logged.
func (c Counts) Values() []uint32 {
	if c.counts == nil {
		return nil
	}
	return slices.Clone(c.cells)
}

const redacted = "[counts]"

// Format hides the counts from every verb of package fmt.
func (c Counts) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue hides the counts from logs.
func (c Counts) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the counts from encoders.
func (c Counts) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format hides what was opened, counts and seed, from every verb of package fmt.
func (o Opening) Format(s fmt.State, _ rune) { io.WriteString(s, "[opening]") }

// LogValue hides what was opened from logs.
func (o Opening) LogValue() slog.Value { return slog.StringValue("[opening]") }

// MarshalText hides what was opened from encoders of text; the wire has its own.
func (o Opening) MarshalText() ([]byte, error) { return []byte("[opening]"), nil }
