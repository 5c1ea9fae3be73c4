package checkpoint

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a node of the tree, SHA-256 with RFC 6962's prefixes.
type Hash = tlog.Hash

// HashSize is the length of a Hash in bytes.
const HashSize = tlog.HashSize

// MaxProof is how many hashes a proof may have: two for each level.
const MaxProof = 2 * 46

// Reader reads hashes of complete subtrees by their place in the order in which Append
// returns them.
type Reader = tlog.HashReader

// Leaf returns the tree's leaf for an entry: a hash of its marshalled signed bytes, so
// that the tree also fixes which of many possible signatures everybody has seen.
func Leaf(signed []byte) Hash { return tlog.RecordHash(signed) }

// Append returns the hashes that are to be stored, behind those before, when a leaf is
// added to a tree of that size.
func Append(size uint64, leaf Hash, r Reader) ([]Hash, error) {
	if size >= MaxSize {
		return nil, errors.New("append to tree: it is full")
	}
	hashes, err := tlog.StoredHashesForRecordHash(int64(size), leaf, r)
	if err != nil {
		return nil, fmt.Errorf("append to tree: %w", err)
	}
	return hashes, nil
}

// Stored is how many hashes are stored for a tree of that size.
func Stored(size uint64) uint64 { return uint64(tlog.StoredHashCount(int64(size))) }

// Root returns the root of the tree at that size.
func Root(size uint64, r Reader) (Hash, error) {
	h, err := tlog.TreeHash(int64(size), r)
	if err != nil {
		return Hash{}, fmt.Errorf("root of tree: %w", err)
	}
	return h, nil
}

// Memory holds hashes in memory, in their order.
type Memory []Hash

// ReadHashes returns the hashes at those places.
func (m Memory) ReadHashes(places []int64) ([]Hash, error) {
	out := make([]Hash, len(places))
	for i, p := range places {
		if p < 0 || p >= int64(len(m)) {
			return nil, fmt.Errorf("hash %d of %d is not held", p, len(m))
		}
		out[i] = m[p]
	}
	return out, nil
}

// ProveInclusion proves that the tree of that size holds its leaf of that index.
func ProveInclusion(index, size uint64, r Reader) ([]Hash, error) {
	if index >= size || size > MaxSize {
		return nil, fmt.Errorf("prove inclusion: entry %d of %d", index, size)
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), r)
	if err != nil {
		return nil, fmt.Errorf("prove inclusion: %w", err)
	}
	return p, nil
}

// CheckInclusion checks that the checkpoint's tree has that leaf at that index.
func (c Checkpoint) CheckInclusion(proof []Hash, index uint64, leaf Hash) error {
	if index >= c.Size || c.Size > MaxSize || len(proof) > MaxProof {
		return errors.New("check inclusion: index or proof is out of range")
	}
	if err := tlog.CheckRecord(proof, int64(c.Size), c.Root, int64(index), leaf); err != nil {
		return errors.New("check inclusion: the proof does not lead to the checkpoint's root")
	}
	return nil
}

// ProveConsistency proves that the tree of one size begins as that of a smaller one. There
// is nothing to prove of the empty tree, nor of equal sizes.
func ProveConsistency(old, size uint64, r Reader) ([]Hash, error) {
	if old > size || size > MaxSize {
		return nil, fmt.Errorf("prove consistency: from %d to %d entries", old, size)
	}
	if old == 0 || old == size {
		return nil, nil
	}
	p, err := tlog.ProveTree(int64(size), int64(old), r)
	if err != nil {
		return nil, fmt.Errorf("prove consistency: %w", err)
	}
	return p, nil
}

// ErrInconsistent says that one tree does not continue another.
var ErrInconsistent = errors.New("the trees do not continue one another")

// CheckConsistency checks that the checkpoint's tree begins as the tree of an older size
// and root. errors.Is ErrInconsistent.
func (c Checkpoint) CheckConsistency(proof []Hash, size uint64, root Hash) error {
	switch {
	case size > c.Size || c.Size > MaxSize || len(proof) > MaxProof:
		return fmt.Errorf("check consistency: sizes or proof are out of range: %w", ErrInconsistent)
	case size == 0 || size == c.Size:
		empty, err := Root(0, Memory(nil))
		if err != nil || len(proof) > 0 || size == 0 && root != empty || size == c.Size && root != c.Root {
			return fmt.Errorf("check consistency: %w", ErrInconsistent)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, int64(c.Size), c.Root, int64(size), root); err != nil {
		return fmt.Errorf("check consistency: %w", ErrInconsistent)
	}
	return nil
}
