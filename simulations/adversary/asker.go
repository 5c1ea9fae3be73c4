package adversary

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// errBroken is how A breaks a sync off without having taken its answers.
var errBroken = errors.New("broken off on purpose")

// conduct is what A does in one sync.
type conduct int

const (
	within conduct = iota // ask up to the quota
	over                  // and then go on
	broken                // ask one chunk, and break off when its answer comes
	other                 // put other guesses under the number of the oldest chunk
)

// guesser is A: an asker that follows the protocol on the wire, since B would drop it
// otherwise, and fills every place with a guess. It has a cache of B's tags as every asker
// has. One sync uses it at a time.
type guesser struct {
	plan    *plan
	conduct conduct
	told    func(places int)
	state   standing.State
	tags    map[standing.Tag]bool

	mu     sync.Mutex   // answers come while questions are made
	chunks []chunk      // made so far, within the quota; the place is the number
	asked  int          // guesses in them
	next   uint32       // oldest chunk without its answer
	named  map[int]bool // numbers whose tag is among B's
}

// chunk is a question and the numbers that its items are.
type chunk struct {
	standing.Question
	numbers []int
}

// State returns what the cache holds.
func (g *guesser) State(context.Context) (standing.State, error) { return g.state, nil }

// Begin forgets all tags.
func (g *guesser) Begin(_ context.Context, p standing.Period, s round.Signed) error {
	g.state, g.tags = standing.State{Signed: s, Period: p}, map[standing.Tag]bool{}
	return nil
}

// Block keeps the tags of a block.
func (g *guesser) Block(_ context.Context, b standing.Block) error {
	for _, t := range b.Tags {
		g.tags[t] = true
	}
	g.state.Blocks, g.state.Last, g.state.Mark, g.state.Known = b.Index+1, b.Tags[len(b.Tags)-1], b.Mark, b.Mark
	return nil
}

// Apply is never called: B's list does not change in the scenario.
func (g *guesser) Apply(context.Context, standing.Run, standing.Mark) error {
	return errors.New("a run in a scenario without changes")
}

// Resume goes on with the oldest chunk without an answer.
func (g *guesser) Resume(context.Context, uint32, standing.Position) (uint32, error) {
	return g.next, nil
}

// Questions yields what A asks in this sync.
func (g *guesser) Questions(context.Context, uint32) iter.Seq2[standing.Question, error] {
	first := g.next // nothing is answered before something is asked
	return func(yield func(standing.Question, error) bool) {
		if g.conduct == other {
			q := g.chunk(first, g.plan.order[len(g.plan.order)-standing.MinPlaces:])
			q.Seed = g.plan.secret("other seed of a chunk", first)
			yield(q.Question, nil)
			return
		}
		for number := first; ; number++ {
			c, ok := g.at(number)
			if !ok || !yield(c.Question, nil) || g.conduct == broken {
				return
			}
		}
	}
}

// at returns the chunk of a number. Within the quota A keeps it; over the quota there is a
// small one more, if that is what A is up to.
func (g *guesser) at(number uint32) (chunk, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if int(number) < len(g.chunks) {
		return g.chunks[number], true
	}
	places := 0
	for _, c := range g.chunks {
		places += c.Class
	}
	left := g.plan.order[g.asked:]
	size := min(g.plan.Quota-places, standing.MaxPlaces)
	switch {
	case len(left) == 0:
		return chunk{}, false
	case size > 0:
		c := g.chunk(number, left[:min(size, len(left))])
		g.chunks, g.asked = append(g.chunks, c), g.asked+len(c.numbers)
		return c, true
	case g.conduct == over && int(number) == len(g.chunks):
		return g.chunk(number, left[:min(standing.MinPlaces, len(left))]), true
	}
	return chunk{}, false
}

// chunk puts numbers into a question. Only the last one of a plan has places to spare.
func (g *guesser) chunk(number uint32, numbers []int) chunk {
	c := chunk{standing.Question{
		Number: number, Class: wire.SizeClass(len(numbers)), Seed: g.plan.secret("seed of a chunk", number),
	}, numbers}
	for _, n := range numbers {
		c.Items = append(c.Items, item(n))
	}
	return c
}

// Answered looks the tags up among B's.
func (g *guesser) Answered(_ context.Context, _, number uint32, entries []standing.Entry) error {
	if g.conduct == broken {
		return errBroken
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if int(number) >= len(g.chunks) || len(entries) != len(g.chunks[number].numbers) {
		return fmt.Errorf("an answer to chunk %d, which is over the quota or was never asked", number)
	}
	for i, e := range entries {
		if g.tags[e.Tag] {
			g.named[g.chunks[number].numbers[i]] = true
		}
	}
	g.next = number + 1
	g.told(min(int(g.next)*standing.MaxPlaces, g.asked))
	return nil
}
