package tally

import (
	"errors"
	"fmt"
	"slices"
)

// Errors of counting.
var (
	ErrCap   = errors.New("a case adds more than agreed")
	ErrCount = errors.New("a count or cell out of range")
)

// Counts is a contributor's table while cases are added to it.
//
// The unit that noise protects is a case as one contributor records it: it adds at most Cap
// to the table, in all cells together, so that ε bounds what is learned of it. A case that
// several members report counts, and weighs, as several: k members show it with k·ε.
type Counts struct {
	limit int
	cells []uint32
}

// NewCounts begins a table for a proposal that was checked.
func NewCounts(p Proposal) *Counts {
	return &Counts{limit: int(p.Cap), cells: make([]uint32, p.Question.Cells())}
}

// Add adds one case, which counts once in each of these cells. Errors change nothing: ErrCap
// if there are more than Cap (which of them count is the contributor's to choose), ErrCount
// for a cell that is none, or full.
func (c *Counts) Add(cells ...int) error {
	if len(cells) > c.limit {
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
			return fmt.Errorf("add case: %w: cell %d holds %d", ErrCount, cell, MaxCount)
		}
	}
	return nil
}

// Values returns the table.
func (c *Counts) Values() []uint32 { return slices.Clone(c.cells) }
