package ot

import (
	"crypto/subtle"
	"fmt"

	"entente/crypto/transcript"
)

const (
	// fieldBits is the depth of trees, and the size in bits of the field of small-field VOLE.
	// A transfer costs ⌈128/fieldBits⌉ − 1 bits of columns, and on either side the work of
	// some 2^fieldBits·128/fieldBits bits of streams. BenchmarkFieldBits gave 75, 76, 100 and
	// 125 ns for both sides and 7.9, 5.3, 3.9 and 3.1 bytes for 2, 3, 4 and 5: from 3 to 4 a
	// byte costs 17 ns, from 4 to 5 it costs 33, which a line of 250 Mbit/s takes for it.
	fieldBits = 4
	// checkSize is the length of a leaf's check value: 256 bits, so that no two leaves have
	// the same one.
	checkSize = transcript.Size

	nodeLabel  = "entente/ot/tree/node/1"
	leafLabel  = "entente/ot/tree/leaf/1"
	checkLabel = "entente/ot/tree/check/1"
	treesLabel = "entente/ot/trees/1"
)

// shape says how the base transfers are divided among trees: one transfer for each level.
type shape []int

// shapeOf gives trees of one depth, and the last the rest.
func shapeOf(depth int) shape {
	var s shape
	for left := security; left > 0; left -= depth {
		s = append(s, min(depth, left))
	}
	return s
}

// size is the length of the message of trees: two blocks for each level but the first, a
// check value for each tree, and a digest.
func (s shape) size() int {
	n := transcript.Size
	for _, depth := range s {
		n += (depth-1)*2*BlockSize + checkSize
	}
	return n
}

// columnsSize is the length of the message of columns for a number of rows.
func (s shape) columnsSize(rows int) int { return (len(s) - 1) * rows / 8 }

// TreesSize is the length in bytes of a receiver's message of trees.
func TreesSize() int { return shapeOf(fieldBits).size() }

// tree tells the hashes of one tree from those of all others.
type tree struct {
	session *[SessionSize]byte
	index   int
}

// node derives child x of level (1 is below the root) from its parent.
func (t tree) node(level, x int, parent *Block) Block {
	place := [3]byte{byte(t.index), byte(level), byte(x)}
	d := transcript.Digest(nodeLabel, t.session[:], place[:], parent[:])
	return Block(d[:BlockSize])
}

// leaf derives from the node at the end of path x the seed of a stream and a check value.
func (t tree) leaf(x int, node *Block) (Block, [checkSize]byte) {
	place := [2]byte{byte(t.index), byte(x)}
	seed := transcript.Digest(leafLabel, t.session[:], place[:], node[:])
	return Block(seed[:BlockSize]), transcript.Digest(checkLabel, t.session[:], place[:], node[:])
}

// grow makes a tree whose first level are the keys of the first transfer. It returns the
// leaves' seeds and check values, and appends what the sender needs to find all of them but
// one: for each further level, the sum of all nodes that are left children and that of all
// right ones, each under a key of the level's transfer, and the sum of the check values.
func (t tree) grow(keys [][2]Block, message []byte) ([]Block, [][checkSize]byte, []byte) {
	nodes := []Block{keys[0][0], keys[0][1]}
	for l := 1; l < len(keys); l++ {
		below := make([]Block, 2*len(nodes))
		sums := keys[l]
		for x := range below {
			below[x] = t.node(l+1, x, &nodes[x/2])
			subtle.XORBytes(sums[x%2][:], sums[x%2][:], below[x][:])
		}
		message = append(append(message, sums[0][:]...), sums[1][:]...)
		nodes = below
	}
	checks := make([][checkSize]byte, len(nodes))
	var sum [checkSize]byte
	for x := range nodes {
		nodes[x], checks[x] = t.leaf(x, &nodes[x])
		subtle.XORBytes(sum[:], sum[:], checks[x][:])
	}
	return nodes, checks, append(message, sum[:]...)
}

// regrow finds all leaves of a tree but one, from one key of each transfer: where the choice
// is c, the path to the leaf that stays unknown goes to the other side, 1 − c.
//
// Node p of the result is that whose path differs from the unknown one by p, so the unknown
// one is always at place 0 and no address depends on the choices. Check values are returned
// by path, that of the unknown leaf as it must be to give the sum.
func (t tree) regrow(choices []byte, keys []Block, message []byte) ([]Block, [][checkSize]byte) {
	nodes := []Block{{}, keys[0]}
	path := int(1 - choices[0])
	for l := 1; l < len(keys); l++ {
		sums := message[(l-1)*2*BlockSize:]
		side := int(1 - choices[l])
		below := make([]Block, 2*len(nodes))
		missing := keys[l]
		var sum Block
		copy(sum[:], sums[:BlockSize])
		subtle.ConstantTimeCopy(1-side, sum[:], sums[BlockSize:2*BlockSize])
		subtle.XORBytes(missing[:], missing[:], sum[:])
		for p := 1; p < len(nodes); p++ {
			x := 2 * (p ^ path)
			left, right := t.node(l+1, x, &nodes[p]), t.node(l+1, x+1, &nodes[p])
			swap(side, left[:], right[:])
			below[2*p], below[2*p+1] = left, right
			subtle.XORBytes(missing[:], missing[:], right[:])
		}
		below[1] = missing
		nodes, path = below, path<<1|side
	}
	return t.leaves(nodes, path, message[(len(keys)-1)*2*BlockSize:])
}

// leaves ends regrow with the leaves and, from the sum of all check values, the missing one.
func (t tree) leaves(nodes []Block, path int, message []byte) ([]Block, [][checkSize]byte) {
	checks := make([][checkSize]byte, len(nodes))
	copy(checks[0][:], message)
	for p := 1; p < len(nodes); p++ {
		nodes[p], checks[p] = t.leaf(p^path, &nodes[p])
		subtle.XORBytes(checks[0][:], checks[0][:], checks[p][:])
	}
	for bit := 0; 1<<bit < len(checks); bit++ { // from differences to paths
		for p := range checks {
			if p>>bit&1 == 0 {
				swap(path>>bit&1, checks[p][:], checks[p|1<<bit][:])
			}
		}
	}
	return nodes, checks
}

// swap exchanges a and b if the bit is set, in the same time and at the same addresses.
func swap(bit int, a, b []byte) {
	mask := byte(-bit)
	for i := range a {
		d := (a[i] ^ b[i]) & mask
		a[i] ^= d
		b[i] ^= d
	}
}

// growAll makes all trees. It returns the seeds of their leaves and the message.
func growAll(s shape, pairs *MaliciousPairs) (seeds [][]Block, message []byte) {
	message = make([]byte, 0, s.size())
	var all []byte
	level := 0
	for i, depth := range s {
		leaves, checks, more := tree{&pairs.session, i}.grow(pairs.keys[level:level+depth], message)
		seeds, message = append(seeds, leaves), more
		for x := range checks {
			all = append(all, checks[x][:]...)
		}
		level += depth
	}
	digest := digestOfTrees(&pairs.session, all)
	return seeds, append(message, digest[:]...)
}

// digestOfTrees is that of the check values of all leaves, by tree and path.
func digestOfTrees(session *[SessionSize]byte, checks []byte) [transcript.Size]byte {
	return transcript.Digest(treesLabel, session[:], checks)
}

// regrowAll finds the seeds of all leaves but one of each tree, by difference from the one
// that is missing, and checks that the trees are those of an honest receiver, whatever the
// choices are: any two senders that pass have the same check values, hence, since SHA-256
// has no collisions, the same leaves.
func regrowAll(s shape, chosen *MaliciousChosen, message []byte) ([][]Block, error) {
	if len(message) != s.size() {
		return nil, fmt.Errorf("trees of %d bytes: %w", len(message), ErrSize)
	}
	var seeds [][]Block
	var all []byte
	level := 0
	for i, depth := range s {
		choices := make([]byte, depth)
		for l := range choices {
			choices[l] = chosen.choices.bit(level + l)
		}
		size := (depth-1)*2*BlockSize + checkSize
		leaves, checks := tree{&chosen.session, i}.regrow(choices, chosen.keys[level:level+depth], message[:size])
		seeds, message = append(seeds, leaves), message[size:]
		for x := range checks {
			all = append(all, checks[x][:]...)
		}
		level += depth
	}
	digest := digestOfTrees(&chosen.session, all)
	if subtle.ConstantTimeCompare(digest[:], message) != 1 {
		return nil, ErrTrees
	}
	return seeds, nil
}
