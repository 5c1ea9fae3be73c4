package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"entente/crypto/sign"
	"entente/node/federation"
	"entente/node/keys"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// A member replaces its keys in three steps, and a crash after any of them loses neither the
// old keys nor the new ones:
//
//  1. The new keys are written beside the present ones (package keys).
//  2. Both chains hand over to them, in one transaction. What is appended from then on is
//     signed by the new key; which key goes on with a chain says its newest entry.
//  3. That is final in the ledger: the roster names the new keys, and they take the place of
//     the present ones. Until then the others know this node by those, and it signs rounds
//     and answers calls with them.

// Why keys cannot be replaced now.
var (
	ErrKeysByPairs = errors.New("the members of this federation keep account in pairs, and nobody could vouch for new keys; " +
		"set up a node with new keys (entente init), draw up a roster of a higher version with its card, and let every member sign that")
	ErrNoPart   = errors.New("this member has no part in the federation now; see: entente federation show")
	ErrRotating = errors.New("new keys wait already to be final; see: entente ledger status")
)

// Rotation is a change of keys that is under way.
type Rotation struct {
	Words string `json:"words"` // of the member's entry with the new keys
}

// identity is the signing key in force.
func (n *Node) identity() *sign.PrivateKey { return n.keys.Load().Identity() }

// openKeys reads the keys, and those that are to follow them.
func (n *Node) openKeys(u keys.Unlock) (entry.Author, error) {
	k, err := keys.Open(n.dir, u)
	if err != nil {
		return entry.Author{}, err
	}
	n.keys.Store(&k)
	next, there, err := keys.OpenNext(n.dir, u, k)
	if err != nil {
		return entry.Author{}, err
	}
	if there {
		n.next.Store(&next)
	}
	return authorOf(n.dir, n.ID(), k, next, there)
}

// authorOf is who writes the chains of the node in dir.
func authorOf(dir, id string, k, next keys.Keys, there bool) (entry.Author, error) {
	a := entry.Author{Member: id, Key: k.Identity()}
	if there {
		a.Heir = next.Identity()
	}
	first, kept, err := federation.FirstCard(dir)
	if err != nil || !kept {
		return a, err
	}
	a.First, err = first.Member.PublicKey()
	return a, err
}

// RotateKeys replaces the signing and the transport key of this member. It returns when both
// chains have handed over; the new keys are in force when the ledger has that final.
func (n *Node) RotateKeys(ctx context.Context) (Rotation, error) {
	n.changing.Lock()
	defer n.changing.Unlock()
	l, err := n.Ledger()
	if err != nil {
		return Rotation{}, ErrKeysByPairs
	}
	f := n.joined.Load()
	if _, suspended := l.Members(); f == nil || slices.Contains(suspended, n.ID()) {
		return Rotation{}, ErrNoPart
	}
	if n.next.Load() != nil && n.handedOver(ctx) {
		return Rotation{}, ErrRotating
	}
	unlock, err := keys.ParseUnlock(n.config.Keys.Unlock, n.config.Keys.UnlockFrom)
	if err != nil {
		return Rotation{}, fmt.Errorf("replace keys: %w", err)
	}
	now := *n.keys.Load()
	next, err := keys.MakeNext(n.dir, unlock, now)
	if err != nil {
		return Rotation{}, fmt.Errorf("replace keys: %w", err)
	}
	author, err := authorOf(n.dir, n.ID(), now, next, true)
	if err != nil {
		return Rotation{}, fmt.Errorf("replace keys: %w", err)
	}
	n.next.Store(&next)
	n.store.SetAuthor(author)
	if err := n.handOver(ctx, next, entry.Local, entry.Submitted); err != nil {
		return Rotation{}, fmt.Errorf("replace keys: %w", err)
	}
	n.rekey()
	words, err := withKeys(f.Own().Member, next).Words()
	if err != nil {
		return Rotation{}, fmt.Errorf("replace keys: %w", err)
	}
	return Rotation{Words: words}, n.Mirror(ctx)
}

// handOver has chains go on under new keys, in one step.
func (n *Node) handOver(ctx context.Context, next keys.Keys, chains ...entry.Chain) error {
	return n.store.Update(ctx, func(tx *store.Tx) error {
		for _, c := range chains {
			if err := tx.HandOver(c, next.Transport().Private(), time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// handedOver reports whether the submitted chain goes on under the next keys.
func (n *Node) handedOver(ctx context.Context) (done bool) {
	err := n.store.View(ctx, func(tx *store.Tx) (err error) {
		done, err = tx.HandedOver(entry.Submitted)
		return err
	})
	return err == nil && done
}

// rekey has the channel look at the keys.
func (n *Node) rekey() {
	select {
	case n.rekeyed <- struct{}{}:
	default:
	}
}

// withKeys is a member's entry with other keys.
func withKeys(m roster.Member, k keys.Keys) roster.Member {
	m.Sign, m.Transport = k.Identity().Public().Bytes(), k.Transport().Public()
	return m
}

// promote puts the next keys in place of the present ones once a roster in force names them.
// The store must know that the chain handed over: one that came from a backup may not, and
// then this node cannot go on in its chain, whichever keys it has.
func (n *Node) promote(ctx context.Context, r roster.Roster) error {
	next := n.next.Load()
	own, listed := r.Find(n.ID())
	if next == nil || !listed || !own.Equal(withKeys(own, *next)) || !n.handedOver(ctx) {
		return nil
	}
	if err := n.handOver(ctx, *next, entry.Local); err != nil {
		return fmt.Errorf("put new keys in place: %w", err)
	}
	// The card first: with it goes the last that tells under which key the chains began.
	if err := n.keepCard(own, next); err != nil {
		return fmt.Errorf("put new keys in place: %w", err)
	}
	if err := keys.Promote(n.dir); err != nil {
		return err
	}
	author, err := authorOf(n.dir, n.ID(), *next, keys.Keys{}, false)
	if err != nil {
		return fmt.Errorf("put new keys in place: %w", err)
	}
	n.store.SetAuthor(author)
	n.keys.Store(next)
	n.next.Store(nil)
	n.rekey()
	n.log.Info("the new keys are in force")
	return nil
}

// keepCard brings the own card up to date with the entry that the ledger has of this member.
func (n *Node) keepCard(own roster.Member, k *keys.Keys) error {
	card, err := federation.ReadCard(n.dir)
	if err != nil {
		return err
	}
	if card.Member.Equal(own) {
		return nil
	}
	if card, err = roster.NewCard(own, k.Identity()); err != nil {
		return err
	}
	return federation.ReplaceCard(n.dir, card)
}
