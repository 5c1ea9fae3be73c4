package ledger

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/replay"
)

// MaxSkew is how far the ledger's clock may be ahead of the own one where this node
// cosigns. That it is behind is usual: an idle ledger has no ticks.
const MaxSkew = 5 * time.Minute

// Why a node does not sign a checkpoint, where a caller branches.
var (
	ErrConflict = errors.New("the checkpoint is not of the tree that this node holds")
	ErrSigned   = errors.New("this node has signed another tree")
	ErrBoundary = errors.New("a change of the committee must be final first")
	ErrClock    = errors.New("the ledger's clock is ahead of this node's")
)

// Signer signs checkpoints of what a mirror holds, as one member. It notes each in the
// mirror's file, durably, before it lets the signature go; the file and the key live and
// die together, and neither is ever in a backup.
type Signer struct {
	mirror *Mirror
	member string
	key    *sign.CosigningKey
	now    func() time.Time
}

// NewSigner returns a member's signer. The key is its cosigning key.
func NewSigner(m *Mirror, member string, key *sign.CosigningKey, now func() time.Time) *Signer {
	return &Signer{mirror: m, member: member, key: key, now: now}
}

// Sequence signs, as sequencer, the tree of a size that the mirror holds: one root for
// each size, since the mirror only grows.
func (s *Signer) Sequence(size uint64) (checkpoint.Checkpoint, checkpoint.Signature, error) {
	c, err := s.mirror.Checkpoint(size)
	if err == nil {
		err = s.record(c, checkpoint.Sequencer)
	}
	if err != nil {
		return checkpoint.Checkpoint{}, checkpoint.Signature{}, fmt.Errorf("sign as sequencer: %w", err)
	}
	return c, checkpoint.Sign(c, s.member, checkpoint.Sequencer, s.key, s.now()), nil
}

// Cosign signs a sequenced checkpoint as cosigner, if the mirror holds all of its entries,
// which are then admitted, and the rules of SPEC "When a checkpoint is final" and "Who
// decides" allow it. A checkpoint of another tree is ErrConflict: whoever signed it and
// one of this tree can be convicted.
func (s *Signer) Cosign(offered checkpoint.Signed) (checkpoint.Signature, error) {
	c, err := offered.Checkpoint()
	if err != nil {
		return checkpoint.Signature{}, fmt.Errorf("cosign: %w", err)
	}
	err = s.mirror.view(func(state *replay.State, tx *bbolt.Tx) error {
		own, err := s.mirror.at(state, tx, c.Size)
		if err != nil {
			return err
		}
		if c != own {
			return ErrConflict
		}
		if err := state.Committee(c.Size).Sequenced(offered); err != nil {
			return err
		}
		if b, ok := state.Boundary(lastFinal(tx)); ok && b < c.Size {
			return fmt.Errorf("%w: at %d entries", ErrBoundary, b)
		}
		if ahead := time.UnixMilli(state.Clock()).Sub(s.now()); ahead > MaxSkew {
			return fmt.Errorf("%w: by %s", ErrClock, ahead.Round(time.Second))
		}
		return nil
	})
	if err == nil {
		err = s.record(c, checkpoint.Cosigner)
	}
	if err != nil {
		return checkpoint.Signature{}, fmt.Errorf("cosign: %w", err)
	}
	return checkpoint.Sign(c, s.member, checkpoint.Cosigner, s.key, s.now()), nil
}

// record notes, durably, that a checkpoint is signed in a role. It refuses if what was
// signed before is not of the tree that the mirror holds: then the file is another one.
func (s *Signer) record(c checkpoint.Checkpoint, role checkpoint.Role) error {
	m := s.mirror
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	err := m.db.Update(func(tx *bbolt.Tx) error {
		bucket, key := tx.Bucket([]byte(signedBucket)), []byte{byte(role)}
		if text := bucket.Get(key); text != nil {
			last, err := checkpoint.Parse(text)
			if err != nil {
				return fmt.Errorf("%w: the note of it is damaged", ErrSigned)
			}
			own, err := m.at(m.state, tx, last.Size)
			if err != nil || own != last {
				return fmt.Errorf("%w: at %d entries", ErrSigned, last.Size)
			}
			if last.Size >= c.Size { // one tree: what is signed of it is signed
				return nil
			}
		}
		return bucket.Put(key, c.Text())
	})
	if err != nil && !errors.Is(err, ErrSigned) {
		m.broken = fmt.Errorf("note what is signed: %w", err)
		return m.broken
	}
	return err
}
