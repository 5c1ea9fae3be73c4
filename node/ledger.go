package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"entente/node/federation"
	"entente/node/ledger"
	"entente/node/store"
	"entente/node/transport"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/roster"
)

// LedgerFolder holds this node's copy of the ledger, its cosigning key and what it orders, in
// the node's directory. No backup holds it: other members do.
const LedgerFolder = "ledger"

// ErrNoLedger says that the members of this federation keep no common ledger.
var ErrNoLedger = errors.New("this federation keeps no ledger: its roster names nobody who sequences one")

// submitted is the own submitted chain as the ledger needs it.
type submitted struct{ store *store.Store }

// Begun reports whether there is a chain: a member that lost its node has none before the
// others have restored it.
func (c submitted) Begun(ctx context.Context) (begun bool, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		waits, err := tx.Awaits()
		begun = !waits
		return err
	})
	return begun, err
}

func (c submitted) Appended() <-chan struct{} { return c.store.Appended() }

// Entries returns what follows an entry of the ledger. That entry must be in the store: if
// not, the store is older than the ledger.
func (c submitted) Entries(ctx context.Context, after entry.Head, most int) (out [][]byte, err error) {
	err = c.store.View(ctx, func(tx *store.Tx) error {
		if waits, err := tx.Awaits(); err != nil || waits {
			return err
		}
		known := after.Empty()
		for signed, err := range tx.Entries(entry.Submitted, after.Sequence) {
			if err != nil {
				return err
			}
			if !known {
				if known = signed.Digest() == after.Digest; known {
					continue
				}
				break
			}
			if len(out) == most {
				break
			}
			b, err := signed.Marshal()
			if err != nil {
				return err
			}
			out = append(out, b)
		}
		if !known {
			return errors.New("the ledger holds entries of this member that its store does not: the store came from a backup; " +
				"the others have to restore this member with the keys of another node (entente init --lost)")
		}
		return nil
	})
	return out, err
}

func (c submitted) Append(ctx context.Context, kind entry.Kind, body func(entry.Head) ([]byte, error)) error {
	return c.store.Update(ctx, func(tx *store.Tx) error {
		prev, err := tx.Head(entry.Submitted)
		if err != nil {
			return err
		}
		b, err := body(prev)
		if err != nil {
			return err
		}
		return tx.Append(entry.Submitted, kind, b, time.Now())
	})
}

// openLedger opens this node's part in the ledger, which begins with a roster that every
// member has signed.
func (n *Node) openLedger(ctx context.Context, first *federation.Federation) error {
	dir := filepath.Join(n.dir, LedgerFolder)
	key, err := ledger.OpenKey(dir, n.keys.Load().Store())
	if err != nil {
		return err
	}
	s, err := ledger.OpenService(ctx, ledger.Options{
		Self: n.ID(), Roster: first.Roster(), Dir: dir, Key: key, Chain: submitted{n.store}, Log: n.log,
		Open: func(ctx context.Context, member, protocol string) (ledger.Stream, error) {
			s, err := n.openEither(ctx, member, protocol)
			if err != nil {
				return nil, err // not a nil *Stream in a non-nil interface
			}
			return s, nil
		},
		Members: func(r roster.Roster, suspended []string) { n.live(context.WithoutCancel(ctx), r, suspended) },
	})
	if err != nil {
		return fmt.Errorf("the copy of the ledger cannot be used (if it is damaged, move %s away: it comes back from the other members): %w", dir, err)
	}
	n.first.Store(first)
	n.ledger.Store(s)
	r, suspended := s.Members()
	if err := n.liveBy(ctx, r, suspended); err != nil {
		return err
	}
	close(n.founded) // what it writes from here on is bound to a roster of the ledger
	return nil
}

// joinLedger has this node take part in the ledger that begins with a roster.
func (n *Node) joinLedger(ctx context.Context, first *federation.Federation) (Federation, error) {
	if err := n.openLedger(ctx, first); err != nil {
		return Federation{}, err
	}
	if err := n.admit(ctx); err != nil {
		return Federation{}, err
	}
	if n.joined.Load() != nil {
		if err := n.lasting.Roster(ctx); err != nil {
			return Federation{}, err
		}
	}
	if err := n.Mirror(ctx); err != nil {
		return Federation{}, err
	}
	return n.Federation(ctx)
}

// live is liveBy when the ledger says so.
func (n *Node) live(ctx context.Context, r roster.Roster, suspended []string) {
	n.changing.Lock()
	defer n.changing.Unlock()
	err := n.liveBy(ctx, r, suspended)
	if err == nil {
		err = n.admit(ctx, suspended...) // what is under way with them ends; they come back for the ledger
	}
	if err == nil && n.joined.Load() != nil {
		err = errors.Join(n.lasting.Roster(ctx), n.Mirror(ctx))
	}
	if err != nil {
		n.log.Error("the members have changed, and this node could not follow", "error", err)
	}
}

// liveBy makes the roster that the ledger has in force this node's own, and says so in both
// chains. If the ledger does not know yet under which roster this node last wrote, it is
// behind, and the node lives by none until it has caught up.
func (n *Node) liveBy(ctx context.Context, r roster.Roster, suspended []string) error {
	if err := n.promote(ctx, r); err != nil {
		return err
	}
	f, err := federation.Vouched(r, suspended, n.ID(), n.ownKeys())
	var own *federation.OwnEntryError
	if errors.As(err, &own) {
		n.log.Warn("by this node's copy of the ledger it is no member, or with other keys", "reason", err)
		n.joined.Store(nil)
		return nil
	}
	if err != nil {
		return err
	}
	if err := n.keepCard(f.Own().Member, n.keys.Load()); err != nil {
		return err
	}
	if err := n.adopt(ctx); err != nil {
		return err
	}
	known := n.ledger.Load().Knows
	behind := false
	err = n.store.Update(ctx, func(tx *store.Tx) error {
		for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
			head, err := tx.Head(c)
			if err != nil {
				return err
			}
			if f.Check(head.Federation) == nil {
				continue
			}
			var last [32]byte
			copy(last[:], head.Federation)
			if len(head.Federation) > 0 && !known(last) && !federation.Kept(n.dir, last) {
				behind = true
				return nil
			}
			digest := f.Digest()
			body, err := entry.Body(entry.RosterState{Version: r.Version, Digest: digest[:]})
			if err != nil {
				return err
			}
			if err := tx.Append(c, entry.RosterJoined, body, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if behind {
		n.log.Warn("this node's copy of the ledger is older than its own chains: it lives by no roster until it has caught up")
		f = nil
	}
	n.joined.Store(f)
	return nil
}

// peers are whom the channel may speak with.
func (n *Node) peers() []federation.Peer {
	if f := n.joined.Load(); f != nil {
		return f.Peers()
	}
	f := n.first.Load()
	if f == nil {
		return nil
	}
	return f.Peers() // who is behind learns from them who is a member now
}

// keepLedger takes part in the ledger as soon as there is one, until ctx ends.
func (n *Node) keepLedger(ctx context.Context) error {
	select {
	case <-n.founded:
	case <-ctx.Done():
		return nil
	}
	return n.ledger.Load().Run(ctx)
}

// serveLedger registers the ledger's protocols with a channel.
func (n *Node) serveLedger(t *transport.Transport) {
	for protocol, serve := range map[string]func(*ledger.Service, context.Context, ledger.Stream){
		exchange.Protocol: (*ledger.Service).Serve, ledger.RaftProtocol: (*ledger.Service).ServeRaft,
	} {
		t.Handle(protocol, func(ctx context.Context, s *transport.Stream) {
			if l := n.ledger.Load(); l != nil {
				serve(l, ctx, s)
			}
		})
	}
}

// Ledger is this node's part in the ledger. errors.Is ErrNoLedger.
func (n *Node) Ledger() (*ledger.Service, error) {
	if l := n.ledger.Load(); l != nil {
		return l, nil
	}
	return nil, ErrNoLedger
}

// ErrUnaccounted says that no new round begins, because the ledger stands still.
var ErrUnaccounted = errors.New("no new rounds begin: the federation's ledger stands still, and with it the account of earlier ones")

// overdue tells whether own entries have waited longer to become final than this node bears.
func (n *Node) overdue(waiting int, oldest time.Time) bool {
	return waiting > 0 && time.Since(oldest) > time.Duration(n.config.Ledger.Patience)
}

// accounted says why no new round may begin; nil if one may.
func (n *Node) accounted(ctx context.Context) error {
	l := n.ledger.Load()
	if l == nil {
		return nil
	}
	waiting, oldest, err := l.Waiting(ctx)
	if err != nil {
		return err
	}
	if n.overdue(waiting, oldest) {
		return fmt.Errorf("%w (%d own entries wait, the first since %s); see: entente ledger status",
			ErrUnaccounted, waiting, oldest.UTC().Format("2006-01-02 15:04"))
	}
	return nil
}
