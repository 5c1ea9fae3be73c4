package checkpoint

import "golang.org/x/mod/sumdb/tlog"

// Peaks is a tree that only grows, kept as the roots of its complete subtrees: all that its
// own root needs, and at most 46 hashes however many entries there are. It proves nothing.
// The zero value is the empty tree.
type Peaks struct {
	size  uint64
	roots []Hash // of the complete subtrees, the largest first
}

// Add adds the next leaf.
func (p *Peaks) Add(leaf Hash) {
	p.roots = append(p.roots, leaf)
	for n := p.size; n&1 == 1; n >>= 1 { // two subtrees of one height make one
		last := len(p.roots) - 1
		p.roots[last-1] = tlog.NodeHash(p.roots[last-1], p.roots[last])
		p.roots = p.roots[:last]
	}
	p.size++
}

// Size is the number of leaves.
func (p *Peaks) Size() uint64 { return p.size }

// Root is the tree's root.
func (p *Peaks) Root() Hash {
	if p.size == 0 {
		h, _ := Root(0, Memory(nil)) // of no entry: reads nothing, so cannot fail
		return h
	}
	last := len(p.roots) - 1
	h := p.roots[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(p.roots[i], h)
	}
	return h
}
