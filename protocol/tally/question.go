package tally

import (
	"slices"

	"entente/protocol/round"
	"entente/protocol/wire"
)

// Kinds of questions.
const (
	Corridors uint8 = 1 // cases by origin, transit, destination, form of exploitation and quarter
	Counters  uint8 = 2 // named counters, such as how often each rule hit
)

// Question is a table of counts: a cell for each combination of labels.
type Question struct {
	_          struct{} `codec:",toarray"`
	Kind       uint8
	Dimensions []Dimension
}

// Dimension is one direction of the table.
type Dimension struct {
	_      struct{} `codec:",toarray"`
	Name   string
	Labels []string // distinct
}

// counter is the one dimension of counters.
const counter = "counter"

// corridor are the dimensions that a question of corridors has some of, in this order.
func corridor() []string { return []string{"origin", "transit", "destination", "form", "quarter"} }

// Cells is the number of cells: the product of the dimensions' lengths. It is 0 if a
// dimension is empty or the number is above MaxCells.
func (q Question) Cells() int {
	n := 1
	for _, d := range q.Dimensions {
		if n *= len(d.Labels); n > MaxCells {
			return 0
		}
	}
	return n
}

// Blocks is how many ciphertexts a contribution has.
func (q Question) Blocks() int { return (q.Cells() + CellsPerBlock - 1) / CellsPerBlock }

// Cell returns the place of a cell: one label of each dimension, in their order, the last
// dimension running fastest. It reports false for a label that is not there.
func (q Question) Cell(labels ...string) (int, bool) {
	if len(labels) != len(q.Dimensions) {
		return 0, false
	}
	place := 0
	for i, d := range q.Dimensions {
		at := slices.Index(d.Labels, labels[i])
		if at < 0 {
			return 0, false
		}
		place = place*len(d.Labels) + at
	}
	return place, true
}

// Labels returns the labels of a cell, the inverse of Cell; nil for a place that is none.
func (q Question) Labels(place int) []string {
	if place < 0 || place >= q.Cells() {
		return nil
	}
	out := make([]string, len(q.Dimensions))
	for i, d := range slices.Backward(q.Dimensions) {
		out[i] = d.Labels[place%len(d.Labels)]
		place /= len(d.Labels)
	}
	return out
}

func (q Question) validate() error {
	names := corridor()
	switch q.Kind {
	case Corridors:
	case Counters:
		names = []string{counter}
	default:
		return fault(wire.UnsupportedVersion, "question of kind %d", q.Kind)
	}
	if len(q.Dimensions) == 0 {
		return fault(wire.Malformed, "the question has no dimension")
	}
	labels := 0
	for _, d := range q.Dimensions {
		at := slices.Index(names, d.Name)
		if at < 0 {
			return fault(wire.Malformed, "a dimension has no known name, comes twice, or stands in another order")
		}
		names = names[at+1:]
		if labels += len(d.Labels); labels > MaxLabels {
			return fault(wire.TooLarge, "the question has more than %d labels", MaxLabels)
		}
		if len(d.Labels) == 0 {
			return fault(wire.Malformed, "a dimension has no labels")
		}
		seen := make(map[string]bool, len(d.Labels))
		for _, l := range d.Labels {
			if seen[l] || !round.PlainText(l) {
				return fault(wire.Malformed, "a label comes twice, is empty, too long or not plain text")
			}
			seen[l] = true
		}
	}
	if q.Cells() == 0 {
		return fault(wire.TooLarge, "the question has more than %d cells", MaxCells)
	}
	return nil
}
