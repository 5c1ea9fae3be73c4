// Package node is one member's node: keys, store, roster, rules, channel and rounds
// wired into one value.
//
// Open takes the directory for this process; Run serves partners until its context
// ends; Close gives the directory back. Everything else is a method that works
// whether the node serves or not, so that the daemon's API, a command without a
// daemon, the demonstration and the simulations use the same code. Run takes no
// signal and opens no socket but the channel's; API and metrics belong to cmd.
//
// The node promises to its operator that nothing is shared that the active rules do
// not allow, that what was shared is accounted for in two signed chains and in
// receipts of both sides, and that no secret and no indicator reaches its log. It
// cannot promise what a partner does with a hit.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"entente/node/config"
	"entente/node/federation"
	"entente/node/keys"
	"entente/node/ledger"
	"entente/node/rounds"
	"entente/node/standing"
	"entente/node/store"
	"entente/node/transport"
	"entente/policy"
	"entente/protocol/entry"
	"entente/protocol/round"
	protocol "entente/protocol/standing"
)

// Options are what a caller may decide about an open node; the zero value is usual.
type Options struct {
	Log          *slog.Logger
	Listen       []string // in place of the configured addresses
	ListenPacket func(network string, addr *net.UDPAddr) (net.PacketConn, error)
	Version      string     // of the program, for the log and doctor
	Tap          rounds.Tap // sees the bytes of rounds; for demonstrations and tests, never for a daemon
}

// Node is an open node. It is safe for concurrent use.
type Node struct {
	dir     string
	o       Options
	log     *slog.Logger
	config  config.Config
	keys    atomic.Pointer[keys.Keys]
	next    atomic.Pointer[keys.Keys] // that are to take the place of keys; nil: there are none
	held    *store.Held
	store   *store.Store
	rounds  *rounds.Service
	lasting *standing.Service

	joined atomic.Pointer[federation.Federation]
	first  atomic.Pointer[federation.Federation] // with which the ledger begins, if there is one
	ledger atomic.Pointer[ledger.Service]
	// founded is closed once there is a ledger.
	founded chan struct{}
	rules   atomic.Pointer[policy.Bundle]

	// changing serialises what alters members or rules.
	changing sync.Mutex
	channel  atomic.Pointer[transport.Transport] // while the node serves
	heir     atomic.Pointer[transport.Transport] // with the next transport key, while that waits
	rekeyed  chan struct{}                       // holds a token when keys have changed
	mirrors  sync.Mutex                          // one writer of the audit folder

	importing chan struct{} // holds a token while an import is under way
}

// Open takes a node's directory. It fails if another process has it, a key does not
// open, or the roster or rules on disk are not what they should be.
func Open(ctx context.Context, dir string, o Options) (*Node, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{dir: dir, o: o, log: o.Log, importing: make(chan struct{}, 1), founded: make(chan struct{}), rekeyed: make(chan struct{}, 1)}
	if err := n.open(ctx); err != nil {
		return nil, fmt.Errorf("open node: %w", errors.Join(err, n.Close()))
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) (err error) {
	if n.config, err = config.Load(n.dir); err != nil {
		return err
	}
	if n.held, err = store.Lock(n.dir); err != nil {
		return err
	}
	unlock, err := keys.ParseUnlock(n.config.Keys.Unlock, n.config.Keys.UnlockFrom)
	if err != nil {
		return err
	}
	author, err := n.openKeys(unlock)
	if err != nil {
		return err
	}
	if n.store, err = store.Open(ctx, n.dir, n.keys.Load().Store(), author); err != nil {
		return err
	}
	if err := n.loadRules(ctx); err != nil {
		return err
	}
	if err := n.loadFederation(ctx); err != nil {
		return err
	}
	n.rounds = rounds.New(rounds.Options{
		Self: n.config.Member.ID, Key: n.identity, Store: n.store, Federation: n.joined.Load,
		Rules: n.rules.Load, Open: n.opener(round.Protocol), Audit: n.Mirror, Limit: n.config.Limits.Rounds, Tap: n.o.Tap, Log: n.log,
		Accounted: n.accounted,
	})
	n.lasting = standing.New(standing.Options{
		Self: n.config.Member.ID, Key: n.identity, Store: n.store, Federation: n.joined.Load,
		Rules: n.rules.Load, Open: n.opener(protocol.Protocol), Audit: n.Mirror, Limit: n.config.Limits.Rounds, Tap: n.o.Tap, Log: n.log,
		Accounted: n.accounted,
	})
	return nil
}

// Close gives the directory back. Run must have returned.
func (n *Node) Close() error {
	var errs []error
	if l := n.ledger.Load(); l != nil {
		errs = append(errs, l.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.held != nil {
		errs = append(errs, n.held.Release())
	}
	return errors.Join(errs...)
}

// ID is the own member id.
func (n *Node) ID() string { return n.config.Member.ID }

// Dir is the node's directory.
func (n *Node) Dir() string { return n.dir }

// Config returns the node's settings.
func (n *Node) Config() config.Config { return n.config }

// Rounds gives access to the match rounds.
func (n *Node) Rounds() *rounds.Service { return n.rounds }

// Standing gives access to the standing rounds.
func (n *Node) Standing() *standing.Service { return n.lasting }

// AuditDir is the folder that an auditor takes away.
func (n *Node) AuditDir() string { return filepath.Join(n.dir, store.AuditFolder) }

// Serving tells where partners can reach the node; nothing while it does not serve.
func (n *Node) Serving() []string {
	if t := n.channel.Load(); t != nil {
		return t.Addresses()
	}
	return nil
}

// Run serves partners and drives the own rounds until the context ends. ready, if
// not nil, is called once the node can be reached.
func (n *Node) Run(ctx context.Context, ready func()) error {
	if err := n.begin(ctx); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	t, err := n.listen()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if err := n.lasting.TakeUp(ctx); err != nil {
		return errors.Join(fmt.Errorf("serve: take up standing rounds: %w", err), t.Close())
	}
	n.serveOn(t)
	n.channel.Store(t)
	defer n.channel.Store(nil)
	if err := n.admit(ctx); err != nil {
		return errors.Join(fmt.Errorf("serve: %w", err), t.Close())
	}
	if ready != nil {
		ready()
	}
	// If one of the services cannot go on, the node stops as a whole.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var work sync.WaitGroup
	work.Go(func() { n.daily(ctx) })
	var lasting, common, rekeyed error
	work.Go(func() {
		defer stop()
		lasting = n.lasting.Run(ctx)
	})
	work.Go(func() {
		defer stop()
		common = n.keepLedger(ctx)
	})
	work.Go(func() {
		defer stop()
		rekeyed = n.followKeys(ctx, t)
	})
	err = n.rounds.Run(ctx)
	stop()
	work.Wait()
	return errors.Join(err, lasting, common, rekeyed)
}

// begin notes the start and brings the audit folder up to date.
func (n *Node) begin(ctx context.Context) error {
	body, err := entry.Body(started{Version: n.o.Version})
	if err != nil {
		return err
	}
	err = n.store.Update(ctx, func(tx *store.Tx) error {
		return tx.Append(entry.Local, entry.NodeStarted, body, time.Now())
	})
	if err != nil {
		return err
	}
	return n.Mirror(ctx)
}

// started is the body of a NodeStarted entry.
type started struct {
	_       struct{} `codec:",toarray"`
	Version string
}

// opener returns a function that opens streams of a protocol to partners.
func (n *Node) opener(protocol string) func(ctx context.Context, member string) (rounds.Stream, error) {
	return func(ctx context.Context, member string) (rounds.Stream, error) {
		t := n.channel.Load()
		if t == nil {
			return nil, rounds.ErrNotServing
		}
		s, err := t.Open(ctx, member, protocol)
		if err != nil {
			return nil, err // not a nil *Stream in a non-nil interface
		}
		return s, nil
	}
}
