package ot

import (
	"crypto/cipher"
	"crypto/subtle"
)

// piece is how many bytes of a column are worked on at a time: what a tree of the depths
// used needs of it then stays in a cache of 32 KiB.
const piece = 2048

// streams expands the leaves of all trees: a leaf gives the key stream of AES-128 in counter
// mode under its seed, from a counter of zero, and each extension takes the next bytes.
type streams struct {
	leaves [][]cipher.Stream
	work   [][]byte // one piece for each level
	zero   []byte
}

// newStreams begins the streams of all trees.
func newStreams(seeds [][]Block) *streams {
	e := &streams{zero: make([]byte, piece), leaves: make([][]cipher.Stream, len(seeds))}
	for i := range seeds {
		for x := range seeds[i] {
			var counter Block
			e.leaves[i] = append(e.leaves[i], cipher.NewCTR(newAES(&seeds[i][x]), counter[:]))
		}
	}
	for left := len(seeds[0]); left > 1; left /= 2 { // no tree is deeper than the first
		e.work = append(e.work, make([]byte, piece))
	}
	return e
}

// expand computes the columns of one tree for an extension. The streams are taken as vectors
// of bits. Column l becomes the sum of the leaves whose bit for level l is 1, the highest bit
// for the first level; sum, if it is not nil, that of all leaves. Leaf 0 counts in the sum
// alone and need not be known without it.
func (e *streams) expand(index int, sum []byte, columns [][]byte) {
	f := folding{e, e.leaves[index], make([][]byte, len(columns))}
	size := len(columns[0])
	for from := 0; from < size; from += piece {
		to := min(from+piece, size)
		for l := range columns {
			f.columns[l] = columns[l][from:to]
		}
		if sum == nil {
			f.fold(nil, len(columns), 0)
		} else {
			f.fold(sum[from:to], len(columns), 0)
		}
	}
}

// folding is the work on one piece of one tree.
type folding struct {
	*streams
	running []cipher.Stream
	columns [][]byte
}

// fold sets dst, if it is not nil, to the sum of the 2^height leaves from x on, and adds to
// the columns of the height lowest levels what these leaves give. The sum of the upper half
// is needed twice: in the whole and in the column of this level. Upper halves come first, so
// the first sum that belongs to a column is computed in its place.
func (f *folding) fold(dst []byte, height, x int) {
	if height == 0 {
		f.running[x].XORKeyStream(dst, f.zero[:len(dst)])
		return
	}
	column, half := f.columns[len(f.columns)-height], 1<<(height-1)
	upper := column
	if x+2*half < len(f.running) {
		upper = f.work[height-1][:len(column)]
	}
	f.fold(upper, height-1, x+half)
	if x+2*half < len(f.running) {
		subtle.XORBytes(column, column, upper)
	}
	switch {
	case height > 1:
		f.fold(dst, height-1, x)
		if dst != nil {
			subtle.XORBytes(dst, dst, upper)
		}
	case dst != nil:
		f.running[x].XORKeyStream(dst, upper)
	}
}
