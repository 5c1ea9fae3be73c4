package node

import (
	"context"

	"entente/node/ledger"
	"entente/node/store"
	"entente/protocol/round"
	protocol "entente/protocol/standing"
)

// Vitals are what tells an operator how a node does. Nothing in them is computed from an
// indicator, a list, a tag or a hit, or says with whom a round is.
type Vitals struct {
	ID        string            // the own member id
	Version   string            // of the program
	Partners  int               // that this node admits
	Connected int               // of these
	Refused   map[string]uint64 // connections turned away since this node serves, by reason
	Rounds    map[string]int64  // by state
	Standing  map[string]int64  // standing rounds by state
	HeldBack  bool              // no new rounds begin: own entries wait for longer than ledger.patience
	Free      uint64            // bytes that the node may still use on its disk
	Ledger    *ledger.Standing  // nil: the federation keeps none, or it cannot be read
	Problems  map[string]error  // of the parts rounds, disk and ledger, if there is one; nil: it could be read
}

// Vitals reads how the node does now. What cannot be read does not hide the rest.
func (n *Node) Vitals(ctx context.Context) Vitals {
	v := Vitals{ID: n.ID(), Version: n.o.Version, Problems: map[string]error{}}
	if t := n.channel.Load(); t != nil {
		v.Refused = t.Refused()
		for _, p := range t.Status() {
			v.Partners++
			if p.Connected {
				v.Connected++
			}
		}
	}
	v.Problems["rounds"] = n.store.View(ctx, func(tx *store.Tx) (err error) {
		if v.Rounds, err = tx.RoundStates(); err != nil {
			return err
		}
		v.Standing, err = tx.SubscriptionStates()
		return err
	})
	if v.Problems["rounds"] == nil {
		// A state without a round is a number too: 0.
		for s := round.Offered; s <= round.Failed; s++ {
			v.Rounds[s.String()] += 0
		}
		for s := protocol.Offered; s <= protocol.Failed; s++ {
			v.Standing[s.String()] += 0
		}
		v.Standing["paused"] += 0
	}
	v.Free, v.Problems["disk"] = freeSpace(n.dir)
	if l := n.ledger.Load(); l != nil {
		s, err := l.Standing(ctx)
		if v.Problems["ledger"] = err; err == nil {
			v.Ledger, v.HeldBack = &s, n.overdue(s.Waiting, s.Oldest)
		}
	}
	return v
}
