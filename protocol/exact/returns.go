package exact

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"entente/protocol/tags"
)

// giveBack sends the proofs among random bytes, in random places of a message as long as the
// class, from where the peer has it. Filling and places derive from the peer's list too:
// were it another one, they would be others as well. Proofs go in the order of their tags,
// which the peer has: so neither order nor places tell of the receiver's other items.
func (r *oprfReceiver) giveBack(ctx context.Context, list [32]byte, hit bitmap, n int) error {
	stream, err := r.root.stream(returnLabel + string(list[:]))
	if err != nil {
		return err
	}
	g := giver{stream: bufio.NewReader(stream), flow: r.plan[returns], left: n}
	g.first, _ = r.link.at(returns)
	g.send = func(index int, content []byte) error { return r.link.send(ctx, returns, index, content) }
	err = r.entries.sweep(ctx, byTag, func(part []entry) error {
		for i := range part {
			if !hit.has(int(part[i].place)) {
				continue
			}
			if err := g.fill(part[i].proof); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return g.fill(tags.Proof{})
}

// giver makes the message of returns from its beginning on.
type giver struct {
	stream io.Reader
	flow   flow
	left   int // proofs to come
	place  int
	chunk  []byte
	first  int // chunk that the peer lacks
	send   func(index int, content []byte) error
}

// fill goes on with random bytes until a place is chosen for the proof, or to the end if
// there are no more proofs: each set of places is equally likely, see choose.
func (g *giver) fill(proof tags.Proof) error {
	for chosen := false; !chosen && g.place < g.flow.items; g.place++ {
		draw, err := below(g.stream, uint64(g.flow.items-g.place))
		if err != nil {
			return fmt.Errorf("fill returns: %w", err)
		}
		var item tags.Proof
		if _, err := io.ReadFull(g.stream, item[:]); err != nil {
			return fmt.Errorf("fill returns: %w", err)
		}
		if chosen = draw < uint64(g.left); chosen {
			item = proof
			g.left--
		}
		g.chunk = append(g.chunk, item[:]...)
		index := g.place / g.flow.chunk
		if len(g.chunk) < g.flow.bytes(index) {
			continue
		}
		if index >= g.first {
			if err := g.send(index, g.chunk); err != nil {
				return err
			}
		}
		g.chunk = nil
	}
	return nil
}
