package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
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
	ErrFinal    = errors.New("others have made a tree of this size final")
	ErrClock    = errors.New("the ledger's clock is ahead of this node's")
	ErrPledged  = errors.New("this node has pledged to sign no more in this term")
)

// Signer signs checkpoints of what a mirror holds, as one member. It notes each in the
// mirror's file, durably, before it lets the signature go; the file and the key live and
// die together, and neither is ever in a backup.
type Signer struct {
	mirror *Mirror
	member string
	key    *sign.CosigningKey
	now    func() time.Time

	recording sync.Mutex // what is noted never goes back
}

// NewSigner returns a member's signer. The key is its cosigning key.
func NewSigner(m *Mirror, member string, key *sign.CosigningKey, now func() time.Time) *Signer {
	return &Signer{mirror: m, member: member, key: key, now: now}
}

// Sequence signs, as sequencer, the tree of a size that the mirror holds.
func (s *Signer) Sequence(size uint64) (checkpoint.Checkpoint, checkpoint.Signature, error) {
	c, err := s.mirror.Checkpoint(size)
	if err != nil {
		return checkpoint.Checkpoint{}, checkpoint.Signature{}, fmt.Errorf("sign as sequencer: %w", err)
	}
	signed, err := s.sequence(c, func(uint64) (checkpoint.Checkpoint, bool) { return checkpoint.Checkpoint{}, false })
	return c, signed, err
}

// sequence signs, as sequencer, a tree of which this node holds or has ordered every entry;
// ordered tells other sizes of it. One root for each size is signed, and only what goes on
// from what was signed before, unless others have made something else final since.
func (s *Signer) sequence(c checkpoint.Checkpoint, ordered func(size uint64) (checkpoint.Checkpoint, bool)) (checkpoint.Signature, error) {
	if err := s.record(c, checkpoint.Sequencer, nil, ordered); err != nil {
		return checkpoint.Signature{}, fmt.Errorf("sign as sequencer: %w", err)
	}
	return checkpoint.Sign(c, s.member, checkpoint.Sequencer, s.key, s.now()), nil
}

// Cosign signs a sequenced checkpoint as cosigner, if the mirror holds all of its entries,
// which are then admitted, and the rules of SPEC "When a checkpoint is final" and "Who
// decides" allow it. A checkpoint of another tree is ErrConflict: whoever cosigned it and
// one of this tree can be convicted.
func (s *Signer) Cosign(offered checkpoint.Signed) (checkpoint.Signature, error) {
	c, err := offered.Checkpoint()
	if err != nil {
		return checkpoint.Signature{}, fmt.Errorf("cosign: %w", err)
	}
	err = s.mirror.view(func(state *replay.State, tx *bbolt.Tx) error {
		if err := s.mirror.is(state, tx, c); err != nil {
			return err
		}
		if err := state.CommitteeOf(c.Origin, c.Size).Sequenced(offered); err != nil {
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
		err = s.record(c, checkpoint.Cosigner, &offered, nil)
	}
	if err != nil {
		return checkpoint.Signature{}, fmt.Errorf("cosign: %w", err)
	}
	return checkpoint.Sign(c, s.member, checkpoint.Cosigner, s.key, s.now()), nil
}

// record notes, durably, that a checkpoint is signed in a role. It refuses if what was
// signed before is not of the same tree: then the file is another one, or a leader has shown
// this sequencer something else before.
func (s *Signer) record(c checkpoint.Checkpoint, role checkpoint.Role, offered *checkpoint.Signed, ordered func(uint64) (checkpoint.Checkpoint, bool)) error {
	s.recording.Lock()
	defer s.recording.Unlock()
	m := s.mirror
	last, err := s.last(role)
	if err != nil {
		return err
	}
	switch later := last.Origin.Compare(c.Origin); {
	case last.Size > 0 && (later > 0 || later == 0 && last.Origin != c.Origin):
		return ErrPledged // whoever signs in a term signs in none before it, nor of its place
	case later < 0: // the trees of an earlier term are others
		last = checkpoint.Checkpoint{}
	}
	var known bool
	if last.Size > 0 && ordered != nil {
		var tree checkpoint.Checkpoint
		tree, known = ordered(last.Size)
		known = known && tree == last
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	err = m.db.Update(func(tx *bbolt.Tx) error {
		if c.Origin != m.state.Term() {
			return ErrTerm
		}
		if pledged, err := pledge(tx); err != nil || pledged != nil && pledged.call.Later(c.Origin) {
			return cmp.Or(err, ErrPledged)
		}
		if last.Size > 0 && !known {
			known = m.is(m.state, tx, last) == nil
		}
		// Sequencers are convicted by two trees of one size, so one that a leader deceived
		// goes on behind what is final.
		overtaken := role == checkpoint.Sequencer && last.Size < c.Size && last.Size <= lastFinal(tx)
		switch {
		case role == checkpoint.Sequencer && c.Size <= lastFinal(tx):
			// Nobody needs it; and whoever was deceived before may have signed another of that size.
			return ErrFinal
		case last.Size > 0 && !known && !overtaken:
			return fmt.Errorf("%w: at %d entries", ErrSigned, last.Size)
		case known && last.Size >= c.Size: // one tree: what is signed of it is signed
			return nil
		}
		if offered != nil {
			b, err := offered.Marshal()
			if err != nil {
				return err
			}
			if err := tx.Bucket([]byte(signedBucket)).Put(cosignedKey, b); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(signedBucket)).Put([]byte{byte(role)}, c.Text())
	})
	if err != nil && !slices.ContainsFunc([]error{ErrSigned, ErrFinal, ErrTerm, ErrPledged}, func(e error) bool { return errors.Is(err, e) }) {
		m.broken = fmt.Errorf("note what is signed: %w", err)
		return m.broken
	}
	return err
}

// last is what was signed in a role before; of size 0 if nothing was.
func (s *Signer) last(role checkpoint.Role) (c checkpoint.Checkpoint, err error) {
	err = s.mirror.view(func(_ *replay.State, tx *bbolt.Tx) error {
		text := tx.Bucket([]byte(signedBucket)).Get([]byte{byte(role)})
		if text == nil {
			return nil
		}
		if c, err = checkpoint.Parse(text); err != nil {
			return fmt.Errorf("%w: the note of it is damaged", ErrSigned)
		}
		return nil
	})
	return c, err
}
