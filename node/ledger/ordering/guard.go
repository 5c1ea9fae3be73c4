// Package ordering stands between Raft (Ongaro and Ousterhout 2014; the library is
// hashicorp/raft), which orders the ledger's entries, and the other members and the disk: its
// transport, and its store of the log and of votes.
//
// Raft trusts its leader and every message. [Guard] gives it only messages of current
// voters, each under the sender's own name, as the stream's key proves it, well formed, of
// bounded size and with an end in time. Against whoever is no voter, a voter under another's
// name, and a second leader of a term, this promises that log, term and state stay as they
// are. Against a voter that sends anything whatever it promises no panic, memory in
// proportion to what came, and that no msgpack of its making is ever decoded. A leader that
// withholds entries is deposed once a majority suspects it.
//
// It does not promise that a voter under its own name is right: it can still claim a higher
// term, lead badly, and cut a log or replace a state. What is final therefore rests on
// signatures and cosigners (protocol/entry, protocol/checkpoint), never on Raft.
//
// [Store] promises that a record that it gives back is what was stored, against disks that
// flip bytes, not against a person who writes to the disk.
package ordering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Stream is an ordered, two-way flow of bytes with an authenticated member.
type Stream interface {
	io.ReadWriteCloser
	// Member is who the other end has proved to be.
	Member() string
	// Reset ends both directions at once and may be called at any time, also twice.
	Reset()
}

// Opener opens a stream that lives until ctx ends.
type Opener func(ctx context.Context, member string) (Stream, error)

// Options of a Guard; what is zero gets the value in brackets.
type Options struct {
	Timeout     time.Duration // of a request, and of each part of a snapshot [10 s]
	Restore     time.Duration // how long a member may take to restore a snapshot [10 min]
	Idle        time.Duration // after which an unused stream is closed [1 min]
	MaxSnapshot int64         // bytes [256 MiB]
	Log         *slog.Logger  // [none]
}

func (o *Options) fill() error {
	if o.Timeout < 0 || o.Restore < 0 || o.Idle < 0 || o.MaxSnapshot < 0 {
		return errors.New("a limit is negative")
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Restore == 0 {
		o.Restore = 10 * time.Minute
	}
	if o.Idle == 0 {
		o.Idle = time.Minute
	}
	if o.MaxSnapshot == 0 {
		o.MaxSnapshot = 256 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// ErrNotVoter says that a member has no part in ordering entries.
var ErrNotVoter = errors.New("not a voter")

// Guard is the transport that Raft gets. A server's id and address are its member id.
type Guard struct {
	self  string
	open  Opener
	voter func(member string) bool
	o     Options

	ctx      context.Context
	end      context.CancelCauseFunc
	requests chan raft.RPC
	tasks    sync.WaitGroup // calls, served streams and the closing of idle ones

	mu        sync.Mutex // guards all below
	closed    bool
	idle      map[string][]*link
	served    map[string]int // streams of each member that are being served
	suspects  []string
	heartbeat func(raft.RPC)
	term      uint64 // the highest that anyone has led in, as seen here
	leader    string // who did
}

var (
	_ raft.Transport   = (*Guard)(nil)
	_ raft.WithPreVote = (*Guard)(nil)
	_ raft.WithClose   = (*Guard)(nil)
)

// NewGuard returns the transport of the member self. voter is asked at every request in
// either direction, so it must be quick and never call the Guard. Close ends it.
func NewGuard(self string, open Opener, voter func(member string) bool, o Options) (*Guard, error) {
	if err := o.fill(); err != nil {
		return nil, fmt.Errorf("start ledger transport: %w", err)
	}
	if self == "" || len(self) > maxMember {
		return nil, fmt.Errorf("start ledger transport: %q is no member id", self)
	}
	g := &Guard{
		self: self, open: open, voter: voter, o: o,
		requests: make(chan raft.RPC),
		idle:     map[string][]*link{}, served: map[string]int{},
	}
	g.ctx, g.end = context.WithCancelCause(context.Background())
	g.tasks.Go(g.sweep)
	return g, nil
}

// Suspect refuses all requests of a member from now on, heartbeats included. A leader that
// a majority suspects loses its lease, and the others elect another. Its votes are refused
// too: else it could win again at once, only to be refused as leader.
func (g *Guard) Suspect(member string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.suspects, member) {
		g.suspects = append(g.suspects, member)
	}
}

// Clear ends all suspicion.
func (g *Guard) Clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.suspects = nil
}

func (g *Guard) isSuspect(member string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.suspects, member)
}

// errLeader says that somebody else leads in a term: Raft elects one at most, but does not
// check that.
var errLeader = errors.New("leads in a term that is another's")

// lead notes that a member leads in a term, or refuses that.
func (g *Guard) lead(member string, term uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if term == g.term && member != g.leader {
		return fmt.Errorf("%w: term %d is that of %s", errLeader, term, g.leader)
	}
	if term > g.term {
		g.term, g.leader = term, member
	}
	return nil
}

// enter counts a task that Close waits for.
func (g *Guard) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.tasks.Add(1)
	return true
}

// Close resets every stream and waits until nothing is under way.
func (g *Guard) Close() error {
	g.mu.Lock()
	g.closed = true
	idle := g.idle
	g.idle = map[string][]*link{}
	g.mu.Unlock()
	g.end(raft.ErrTransportShutdown)
	for _, links := range idle {
		for _, l := range links {
			l.reset(raft.ErrTransportShutdown)
		}
	}
	g.tasks.Wait()
	return nil
}

// Consumer is where Raft takes requests from.
func (g *Guard) Consumer() <-chan raft.RPC { return g.requests }

// LocalAddr is the own member id.
func (g *Guard) LocalAddr() raft.ServerAddress { return raft.ServerAddress(g.self) }

// EncodePeer is the member id as bytes.
func (g *Guard) EncodePeer(_ raft.ServerID, a raft.ServerAddress) []byte { return []byte(a) }

// DecodePeer is the inverse of EncodePeer.
func (g *Guard) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

// SetHeartbeatHandler has heartbeats go to f, past requests that wait for the disk.
func (g *Guard) SetHeartbeatHandler(f func(raft.RPC)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heartbeat = f
}
