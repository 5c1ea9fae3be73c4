// Package rounds runs match rounds for a node: it asks the rules, makes the
// agreement, carries the messages, runs the suites, keeps the hits and closes with
// a receipt.
//
// Everything that follows from a message is stored before the message that follows
// from it is sent, so a process that dies at any step finds its rounds again: those
// it proposed go on by themselves, those it answered go on when the proposer comes
// back, and what cannot go on is plainly failed. A round's secrets serve one
// agreement and are destroyed with the round. The package promises nothing about
// the matching itself (see protocol/exact) and shows each hit only beside the own
// record.
package rounds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"entente/crypto/sign"
	"entente/node/federation"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/round"
	"entente/protocol/wire"
)

// Spans with their reasons.
const (
	defaultExpiry = 24 * time.Hour      // a person on the other side may be asleep
	maxExpiry     = 30 * 24 * time.Hour // the protocol's limit
	pollFirst     = 500 * time.Millisecond
	pollLast      = 15 * time.Second // a waiting partner is asked this often at most
)

// Stream is one authenticated stream to a member. Reset tells the peer that
// something is wrong; Close that all is said.
type Stream interface {
	io.ReadWriteCloser
	Member() string
	CloseWrite() error
	Reset()
}

// Tap stands between a round and its stream with a member, before the channel
// encrypts: it returns what the round is to read from and write to. It exists so that
// demonstrations and tests can look at every byte that a partner gets; the daemon
// sets none.
type Tap func(member string, stream io.ReadWriter) io.ReadWriter

// Options wires a Service. All fields but Accounted, Tap and Log are required.
type Options struct {
	Self       string
	Key        func() *sign.PrivateKey // in force: it may be replaced
	Store      *store.Store
	Federation func() *federation.Federation // nil before one is joined
	Rules      func() *policy.Bundle
	Open       func(ctx context.Context, member string) (Stream, error)
	Audit      func(ctx context.Context) error // brings the audit folder up to date
	Limit      int                             // rounds at once
	// Accounted says why no new round may begin, because earlier ones are not accounted for
	// yet; nil if one may [always].
	Accounted func(ctx context.Context) error
	Tap       Tap // for demonstrations and tests
	Log       *slog.Logger
}

// Service runs the rounds of one node. It is safe for concurrent use.
type Service struct {
	o Options

	// changed is closed and replaced whenever a round changes; mu guards it and
	// everything below.
	mu       sync.Mutex
	changed  chan struct{}
	running  context.Context // of Run; nil while the node does not serve
	talks    map[round.ID]*conversation
	progress map[round.ID]progress
	workers  sync.WaitGroup

	// deciding makes a decision and the quota that it uses one step.
	deciding sync.Mutex

	// storing is called at the end of each transaction that changes a round and can fail
	// it, stored after the change is durable. Only tests set them.
	storing func() error
	stored  func()
}

// conversation is whoever works on a round at a time: one stream, or a person.
type conversation struct {
	who    worker
	member string // at the other end of the stream
	cancel context.CancelFunc
	ended  chan struct{}
}

// worker is what kind of conversation it is.
type worker uint8

const (
	asking    worker = iota // a stream of this side's own
	answering               // a stream of a partner's
	somebody                // a person on this side decides; nothing breaks in on that
)

type progress struct{ done, total int64 }

// Errors on which a caller branches.
var (
	ErrUnknownRound   = errors.New("there is no such round")
	ErrUnknownPartner = errors.New("the partner is not in the roster")
	ErrNotServing     = errors.New("the daemon is not running; start it with: entente serve")
	ErrDenied         = errors.New("the own rules do not allow this round")
	ErrNothing        = errors.New("no record of this list may take part")
	ErrState          = errors.New("the round is not in a state for this")
)

// New makes a Service. Nothing runs before Run.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Accounted == nil {
		o.Accounted = func(context.Context) error { return nil }
	}
	return &Service{o: o, changed: make(chan struct{}), talks: map[round.ID]*conversation{}, progress: map[round.ID]progress{}, storing: func() error { return nil }, stored: func() {}}
}

// Run takes up the rounds that were left and drives own proposals until the
// context ends; then it waits for every conversation to end.
func (s *Service) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = ctx
	s.mu.Unlock()
	defer s.workers.Wait()
	defer func() {
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
	}()
	if err := s.takeUp(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("take up rounds: %w", err)
	}
	expiry := time.NewTicker(time.Minute)
	defer expiry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-expiry.C:
			if err := s.expire(ctx); err != nil {
				s.o.Log.Error("expire rounds", "error", err)
			}
		}
	}
}

// takeUp starts a worker for every own proposal that is not over. A round that came
// back from a backup has lost its secrets, which must never be used twice, and fails.
func (s *Service) takeUp(ctx context.Context) error {
	all, err := s.load(ctx)
	if err != nil {
		return err
	}
	s.deciding.Lock()
	err = s.dropUnused(ctx)
	s.deciding.Unlock()
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.Restored && !f.machine.State().Over() {
			f.machine.End(round.Failed, wire.Internal)
			f.Note = "the node was restored from a backup, which holds no secrets of rounds"
			if err := s.put(ctx, f, s.dropping(f)); err != nil {
				return err
			}
		}
		if f.Restored && f.Evidence { // what an auditor could have opened was in no backup
			f.Evidence = false
			if err := s.put(ctx, f, s.dropping(f)); err != nil {
				return err
			}
		}
		if f.machine.State().Over() && !f.concluded() {
			s.conclude(ctx, f.id)
		}
		if f.machine.Proposer() && !f.machine.State().Over() {
			s.start(f.id)
		}
	}
	return nil
}

// dropUnused erases the copies of lists for which no round was stored, because that
// failed or the process died before. The caller holds deciding.
func (s *Service) dropUnused(ctx context.Context) error {
	n, err := s.o.Store.DropStraySnapshots(context.WithoutCancel(ctx))
	if n > 0 {
		s.o.Log.Info("copies of lists that no round uses were erased", "copies", n)
	}
	return err
}

// start drives an own proposal in the background, if the node is serving.
func (s *Service) start(id round.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return false
	}
	ctx := s.running
	s.workers.Go(func() { s.drive(ctx, id) })
	return true
}

// claim makes the caller the only one who works on a round: an older stream, left
// hanging by a dead link, is ended first, a person is waited for. The returned function
// frees the round. A partner's stream is turned away if another member's is at work on
// the round, or if the node answers as many as it may, or half of that for the same
// member; own proposals do not count, lest two nodes that propose to each other turn
// each other away for ever.
func (s *Service) claim(ctx context.Context, id round.ID, who worker, member string) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	mine := &conversation{who: who, member: member, cancel: cancel, ended: make(chan struct{})}
	s.mu.Lock()
	old := s.talks[id]
	if err := s.admissible(id, old, mine); err != nil {
		s.mu.Unlock()
		cancel()
		return nil, nil, err
	}
	s.talks[id] = mine
	s.mu.Unlock()
	if old != nil {
		if old.who != somebody {
			old.cancel()
		}
		<-old.ended
	}
	return ctx, func() {
		cancel()
		s.mu.Lock()
		if s.talks[id] == mine {
			delete(s.talks, id)
		}
		s.mu.Unlock()
		close(mine.ended)
	}, nil
}

// admissible judges a partner's stream; the caller holds mu.
func (s *Service) admissible(id round.ID, old, mine *conversation) error {
	if mine.who != answering {
		return nil
	}
	if old != nil && old.who == answering && old.member != mine.member {
		return errNotYours
	}
	others, same := 0, 0
	for other, c := range s.talks {
		if other != id && c.who == answering {
			others++
			if c.member == mine.member {
				same++
			}
		}
	}
	if others >= s.o.Limit || same >= max(1, s.o.Limit/2) { // one member leaves room for the others
		return &wire.ProtocolError{Code: wire.Busy, Err: errors.New("too many rounds at once")}
	}
	return nil
}

// notify wakes everyone who waits for a round to change.
func (s *Service) notify() {
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
}

func (s *Service) waiting() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// report keeps a round's progress for those who look at it.
func (s *Service) report(id round.ID, done, total int64) {
	s.mu.Lock()
	s.progress[id] = progress{done, total}
	s.mu.Unlock()
}

// partner finds a partner in the roster that this node has joined.
func (s *Service) partner(id string) (*federation.Federation, federation.Partner, error) {
	f := s.o.Federation()
	if f == nil {
		return nil, federation.Partner{}, fmt.Errorf("%w: %w", federation.ErrNotJoined, ErrUnknownPartner)
	}
	p, ok := f.Find(id)
	if !ok {
		return f, p, ErrUnknownPartner
	}
	return f, p, nil
}

// parties binds a machine to this node, a partner and the roster.
func (s *Service) parties(partner string) (round.Parties, error) {
	f, p, err := s.partner(partner)
	if err != nil {
		return round.Parties{}, err
	}
	return round.Parties{Self: s.o.Self, Peer: partner, Roster: f.Digest(), Key: s.o.Key(), PeerKey: p.Key}, nil
}
