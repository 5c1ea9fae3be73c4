package he

import (
	"fmt"

	"github.com/tuneinsight/lattigo/v5/ring"
)

// Gallery is a few templates, laid out for one or more replies to any query of a layout.
// Immutable.
type Gallery struct {
	layout  Layout
	replies int
	words   []int16  // where templates multiply as scalars
	values  []uint32 // where they multiply as polynomials, transformed
	sparse  bool     // each reply is for some of the probes only; then
	choices []choice // those, and the coordinates that are not 0
}

// scalarSlots is from how many probes on templates multiply as scalars: below it, most of
// what each multiplies would be empty slots.
const scalarSlots = 64

// byScalars says which of both ways a layout takes; replies are the same.
func (l Layout) byScalars() bool { return l.Split == 1 && l.Slots >= scalarSlots }

// Step is how many templates a Gallery holds at most.
func (l Layout) Step() int {
	if l.byScalars() {
		return max(l.Templates(), scalarStep)
	}
	return l.Templates()
}

// Gallery lays templates out, layout.Templates() for each reply, up to layout.Step(). The last
// reply is filled up with zeros, so that all are equally long. Errors: ErrLayout, ErrVector.
func (p *Parameters) Gallery(layout Layout, templates [][]int8) (*Gallery, error) {
	if err := layout.Check(); err != nil {
		return nil, fmt.Errorf("lay out templates: %w", err)
	}
	if len(templates) == 0 || len(templates) > layout.Step() {
		return nil, fmt.Errorf("lay out templates: %w: %d of them, not up to %d", ErrLayout, len(templates), layout.Step())
	}
	for i, v := range templates {
		if err := layout.CheckVector(v); err != nil {
			return nil, fmt.Errorf("lay out templates: template %d: %w", i, err)
		}
	}
	each := layout.Templates()
	g := &Gallery{layout: layout, replies: (len(templates) + each - 1) / each}
	if layout.byScalars() {
		g.words = scalarWords(layout, templates)
	} else {
		g.values = p.polynomialValues(layout, templates)
	}
	return g, nil
}

// Replies is how many replies the gallery's templates take.
func (g *Gallery) Replies() int { return g.replies }

func newProduct(p *Parameters, l Layout) product {
	if l.byScalars() {
		return newScalars(p, l)
	}
	return newPolynomials(p, l)
}

func newSums(r *ring.Ring) [2]ring.Poly { return [2]ring.Poly{r.NewPoly(), r.NewPoly()} }
