package main

import (
	"slices"
	"strings"
)

// instruction is one line: sources first, the destination last.
type instruction struct {
	name     string
	operands []string
	// updates says that the destination is read too.
	updates bool
	// start is an instruction that sets the destination right before; it is part of this
	// one so that sums do not occupy a register before they begin.
	start   string
	unit    unit
	latency int
}

func (in instruction) String() string {
	start := strings.ReplaceAll(in.start, "DESTINATION", in.destination())
	return start + "\t" + in.name + " " + strings.Join(in.operands, ", ") + "\n"
}

// destination is the last operand.
func (in instruction) destination() string { return in.operands[len(in.operands)-1] }

// reads lists what an instruction depends on.
func (in instruction) reads() []string {
	if in.updates && in.start == "" {
		return in.operands
	}
	return in.operands[:len(in.operands)-1]
}

// unit is what an instruction occupies; a vector of 512 bits takes it for a cycle.
type unit int

const (
	multiplier unit = iota
	shifter
	simple
	loader
	storer
)

// timing gives unit and latency of instructions, roughly those of Zen 4. They decide the
// order of instructions and so the speed, never the result.
func timing(name string, store bool) (unit, int) {
	switch {
	case store:
		return storer, 1
	case strings.HasPrefix(name, "VPMADD52"):
		return multiplier, 4
	case strings.HasPrefix(name, "VPMULLQ"):
		return multiplier, 3
	case strings.HasPrefix(name, "VPSRL"), strings.HasPrefix(name, "VPSLL"):
		return shifter, 1
	case strings.HasPrefix(name, "VMOVDQU64"), strings.HasPrefix(name, "VPBROADCASTQ"):
		return loader, 8
	}
	return simple, 1
}

// meet tells whether two lists name the same register or memory. Memory behind different
// pointers may be the same, but for the table at SI while results go to R8.
func meet(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
			if bx, by := base(x), base(y); bx != by && bx != "" && by != "" && bx+by != "R8SI" && bx+by != "SIR8" {
				return true
			}
		}
	}
	return false
}

// base is the pointer of an operand in memory that is not a constant, or empty.
func base(s string) string {
	i := strings.IndexByte(s, '(')
	if i < 0 || strings.HasSuffix(s, "(SB)") {
		return ""
	}
	return strings.TrimSuffix(s[i+1:], ")")
}

// plan is a block with what its order must keep.
type plan struct {
	block  []instruction
	after  [][]edge // for each instruction those that must follow
	before []int    // how many must come before
	// urgency decides between instructions that are ready.
	urgency []int
}

// edge says that an instruction must come later, by so many cycles.
type edge struct{ to, latency int }

// newPlan finds the dependencies of a block. What has the longest way to its end is most
// urgent.
func newPlan(block []instruction) *plan {
	n := len(block)
	p := &plan{block: block, after: make([][]edge, n), before: make([]int, n), urgency: make([]int, n)}
	for i := n - 1; i >= 0; i-- {
		a := block[i]
		for j := i + 1; j < n; j++ {
			b := block[j]
			latency := 0
			switch {
			case meet(a.operands[len(a.operands)-1:], b.reads()):
				latency = a.latency
			case !meet(a.operands, b.operands[len(b.operands)-1:]):
				continue
			}
			p.after[i] = append(p.after[i], edge{j, latency})
			p.before[j]++
			p.urgency[i] = max(p.urgency[i], p.urgency[j]+latency)
		}
	}
	return p
}

// schedule orders a block without branches so that the units are busy: processors reorder
// too, but look ahead less far than a few multiplications. Blocks of points are freed of
// their registers first and get new ones after; of a few ways to order them the best is
// taken.
func schedule(block []instruction, constants []string) []instruction {
	const long = 300 // instructions; shorter blocks pass values on in registers
	if len(block) < long {
		order, _ := newPlan(block).arrange(limits{len(block), len(block)})
		return pick(block, order)
	}
	block = rename(block, constants)
	p := newPlan(block)
	way := p.urgency
	var best []int
	least := 0
	for weight := range 4 { // how much the order in which they were written counts
		p.urgency = make([]int, len(block))
		for i := range p.urgency {
			p.urgency[i] = 4*way[i] - weight*i
		}
		for ahead := 100; ahead <= 220; ahead += 20 {
			for most := 30; most <= registers; most++ {
				order, cycles := p.arrange(limits{ahead, most - len(constants)})
				if order != nil && (best == nil || cycles < least) {
					best, least = order, cycles
				}
			}
		}
	}
	if best == nil {
		panic("gen: a block needs too many registers")
	}
	return assign(pick(block, best), constants)
}

func pick(block []instruction, order []int) []instruction {
	out := make([]instruction, len(order))
	for i, j := range order {
		out[i] = block[j]
	}
	return out
}

// registers is the number of vectors there are.
const registers = 32

// limits bound how many instructions one may pass, and how many vectors may be in use.
type limits struct{ ahead, vectors int }

// arrange simulates cycle by cycle: of the instructions whose operands are ready it takes
// the most urgent ones, as long as their units are free and the limits kept. It returns
// the order and the cycles that it takes, or nil if it gets stuck.
func (p *plan) arrange(l limits) (order []int, cycles int) {
	before := slices.Clone(p.before)
	ready := make([]int, len(p.block)) // the cycle in which all operands are there
	done := make([]bool, len(p.block))
	live := newLiveness(p.block)
	first, last := 0, 0 // the first that is not done, the cycle in which one was
	for cycle := 0; first < len(p.block); cycle++ {
		var candidates []int
		for i := first; i < min(len(p.block), first+l.ahead); i++ {
			if !done[i] && before[i] == 0 && ready[i] <= cycle {
				candidates = append(candidates, i)
			}
		}
		slices.SortStableFunc(candidates, func(a, b int) int { return p.urgency[b] - p.urgency[a] })
		var busy occupied
		for _, i := range candidates {
			in := p.block[i]
			if !live.fits(in, l.vectors) || !busy.take(in.unit) {
				continue
			}
			live.take(in)
			done[i], last = true, cycle
			order = append(order, i)
			for _, e := range p.after[i] {
				before[e.to]--
				ready[e.to] = max(ready[e.to], cycle+e.latency)
			}
		}
		for first < len(p.block) && done[first] {
			first++
		}
		if cycle > last+20 { // longer than any latency
			return nil, 0
		}
		cycles = cycle
	}
	return order, cycles
}

// occupied counts what a cycle has given to units.
type occupied [storer + 1]int

// take gives an instruction to a unit if that is free: two vectors a cycle, one of them
// multiplied and one shifted at most, and one load and one store.
func (o *occupied) take(u unit) bool {
	vector := u <= simple
	if vector && o[multiplier]+o[shifter]+o[simple] == 2 || o[u] == 1 && u != simple {
		return false
	}
	o[u]++
	return true
}

// liveness counts the vectors in use while a block is put in order.
type liveness struct {
	uses map[string]int // the instructions left that name a vector
	used map[string]bool
}

func newLiveness(block []instruction) *liveness {
	l := &liveness{map[string]int{}, map[string]bool{}}
	for _, in := range block {
		for _, o := range distinct(in) {
			l.uses[o]++
		}
	}
	return l
}

// distinct lists the vectors without a fixed place that an instruction names.
func distinct(in instruction) []string {
	var out []string
	for _, o := range in.operands {
		if o[0] == 'V' && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// fits tells whether an instruction leaves at most so many vectors in use.
func (l *liveness) fits(in instruction, most int) bool {
	n := len(l.used)
	for _, o := range distinct(in) {
		if !l.used[o] {
			n++
		} else if l.uses[o] == 1 && in.start == "" {
			n--
		}
	}
	return n <= most
}

func (l *liveness) take(in instruction) {
	for _, o := range distinct(in) {
		l.used[o] = true
		if l.uses[o]--; l.uses[o] == 0 {
			delete(l.used, o)
		}
	}
}
