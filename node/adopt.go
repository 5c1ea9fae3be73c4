package node

import (
	"context"
	"fmt"
	"iter"
	"time"

	"entente/node/ledger"
	"entente/node/store"
	"entente/protocol/entry"
	"entente/protocol/replay"
)

// What is read from the copy of the ledger at a time to find the own entries.
const (
	adoptEntries = 1024
	adoptBytes   = 4 << 20
)

// adopt begins this member's submitted chain with what the ledger holds of it, if the node was
// set up in place of one that was lost. The others have restored the member with this node's
// keys by then, so nothing follows that the lost node might still enter.
func (n *Node) adopt(ctx context.Context) error {
	waits := false
	err := n.store.View(ctx, func(tx *store.Tx) (err error) {
		waits, err = tx.Awaits()
		return err
	})
	if err != nil || !waits {
		return err
	}
	l := n.ledger.Load()
	var last entry.Head
	l.Mirror().FinalState(func(s *replay.State) { last = s.Head(n.ID()) })
	rules := n.rules.Load()
	digest := rules.Digest()
	body, err := entry.Body(entry.PolicyState{Version: rules.Version(), Digest: digest[:]})
	if err != nil {
		return err
	}
	err = n.store.Update(ctx, func(tx *store.Tx) error {
		now := time.Now()
		if err := tx.Adopt(ownEntries(ctx, l, n.ID(), last), now); err != nil {
			return err
		}
		return tx.Append(entry.Submitted, entry.PolicyActivated, body, now)
	})
	if err != nil {
		return fmt.Errorf("go on in this member's chain: %w", err)
	}
	n.log.Info("this member's chain goes on from what the ledger holds of it")
	return nil
}

// ownEntries are a member's entries in the ledger, up to one of them.
func ownEntries(ctx context.Context, l *ledger.Service, id string, last entry.Head) iter.Seq2[entry.Signed, error] {
	return func(yield func(entry.Signed, error) bool) {
		for next := uint64(0); !last.Empty(); {
			some, err := l.Mirror().Entries(next, adoptEntries, adoptBytes)
			if err == nil && len(some) == 0 {
				err = ledger.ErrNotHeld
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(entry.Signed{}, err)
				return
			}
			for _, b := range some {
				signed, err := entry.Unmarshal(b)
				if err != nil {
					yield(entry.Signed{}, err)
					return
				}
				e, err := signed.Decode()
				if err == nil && e.Member != id {
					continue
				}
				if !yield(signed, err) || err != nil || signed.Digest() == last.Digest {
					return
				}
			}
			next += uint64(len(some))
		}
	}
}
