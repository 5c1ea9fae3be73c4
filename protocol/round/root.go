package round

import (
	"fmt"
	"iter"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Root is the RFC 6962 tree head over a snapshot's elements in their order. It
// never leaves the node except under Commit: anyone could test guesses against it.
func Root(elements iter.Seq2[[]byte, error]) ([32]byte, error) {
	var root [32]byte
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for element, err := range elements {
		if err != nil {
			return root, fmt.Errorf("read snapshot: %w", err)
		}
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(element), nil); err != nil {
			return root, fmt.Errorf("hash snapshot: %w", err)
		}
	}
	if tree.End() == 0 {
		copy(root[:], rfc6962.DefaultHasher.EmptyRoot())
		return root, nil
	}
	hash, err := tree.GetRootHash(nil)
	if err != nil {
		return root, fmt.Errorf("hash snapshot: %w", err)
	}
	copy(root[:], hash)
	return root, nil
}
