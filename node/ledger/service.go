package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/recovery"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// Chain is the own submitted chain.
type Chain interface {
	// Entries returns the entries that follow one, as marshalled, at most so many.
	Entries(ctx context.Context, after entry.Head, most int) ([][]byte, error)
	// Append writes the next entry; body gets the head that it follows.
	Append(ctx context.Context, kind entry.Kind, body func(prev entry.Head) ([]byte, error)) error
	// Begun reports whether the chain has begun. One that has not goes on from what the ledger
	// holds, once the others have restored this member; until then there is nothing to write.
	Begun(ctx context.Context) (bool, error)
	// Appended is closed when something is appended. Take it before looking.
	Appended() <-chan struct{}
}

// Options of a Service; what is zero gets the value in brackets.
type Options struct {
	Self   string
	Roster roster.Roster      // with which the ledger begins
	Dir    string             // of the mirror and of Raft's files
	Key    *sign.CosigningKey // lives and dies with Dir
	Chain  Chain
	Open   Opener
	// Members is told who is a member, and who of them is suspended, each time when that
	// has changed and is final.
	Members func(r roster.Roster, suspended []string) // [nobody is told]
	Silence time.Duration                             // see ordering.Settings
	Now     func() time.Time                          // [time.Now]
	Log     *slog.Logger                              // [none]
}

// Names of files in a Service's folder.
const (
	mirrorFile = "mirror"
	raftFolder = "raft"
)

// Service is a member's part in the ledger: it holds a mirror, hands in the own entries,
// cosigns, and orders if it is a sequencer.
type Service struct {
	o      Options
	mirror *Mirror
	signer *Signer

	soon     chan struct{} // others are to be asked at once
	recalled chan struct{} // a sequencer asks for this member's vote, which it has no more
	ticked   uint64        // size of the ledger when this sequencer last ticked; of duties alone

	mu      sync.Mutex
	peers   *peers                       // while it runs
	orders  *sequencer                   // while it is a sequencer
	leader  string                       // as others last said
	alarms  []string                     // what an operator must know, newest last
	taking  map[string]bool              // members from whom a step is being fetched
	doubted map[string]time.Time         // who claimed another history, and when it was asked for it
	accused map[string]bool              // by this node, since it was opened
	shown   map[string]checkpoint.Signed // what members have shown of another tree, and nothing kept here convicts
	called  map[string]recovery.Call     // for terms that are not yet, by who called
	refused map[string]refusal           // whose later terms could not be entered
	stances map[string]bool              // who has pledged for the own call
	calling chan struct{}                // the own call is to be asked about at once
	seen    map[string]heard
	times   []time.Duration // until own entries were final, the last ones
	finalAt time.Time       // when the last of them became so
	told    [32]byte        // of whom Members was told last
	silent  []string
}

// OpenService opens the mirror, which replays all that it holds.
func OpenService(ctx context.Context, o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	m, err := OpenMirror(ctx, filepath.Join(o.Dir, mirrorFile), o.Roster)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return &Service{o: o, mirror: m, signer: NewSigner(m, o.Self, o.Key, o.Now), soon: make(chan struct{}, 1), recalled: make(chan struct{}, 1), taking: map[string]bool{}, doubted: map[string]time.Time{}, accused: map[string]bool{}, shown: map[string]checkpoint.Signed{}, seen: map[string]heard{}, called: map[string]recovery.Call{}, refused: map[string]refusal{}, stances: map[string]bool{}, calling: make(chan struct{}, 1)}, nil
}

// Mirror is this node's copy of the ledger.
func (s *Service) Mirror() *Mirror { return s.mirror }

// Close gives the files back. Run must have returned.
func (s *Service) Close() error { return s.mirror.Close() }

// Run takes part until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.mu.Lock()
	s.peers = newPeers(ctx, s.o.Open)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		p := s.peers
		s.peers = nil
		s.mu.Unlock()
		p.close()
	}()
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	work.Go(func() { s.gossip(ctx) })
	work.Go(func() { s.duties(ctx) })
	work.Go(func() { s.handIn(ctx) })
	work.Go(func() { s.measure(ctx) })
	work.Go(func() { s.reopen(ctx) })
	return s.order(ctx)
}

// order has a sequencer run while this member is one.
func (s *Service) order(ctx context.Context) error {
	wipe := false
	for ctx.Err() == nil {
		changed := s.mirror.Changed()
		s.tell()
		if !s.sequences() {
			select {
			case <-s.recalled:
			case <-changed:
				continue
			case <-ctx.Done():
				continue
			}
		}
		err := s.sequenceUntil(ctx, wipe)
		if wipe = err != nil; ctx.Err() != nil || err == nil || errors.Is(err, errAstray) {
			continue
		}
		if errors.Is(err, errNewTerm) {
			wipe = false // it begins anew by itself
			continue
		}
		// Raft's files are worth less than the node's part in cosigning: they begin anew.
		s.alarm("this sequencer cannot order entries: " + err.Error())
		wait(ctx, forgiveTime)
	}
	return nil
}

// hurry has what is final elsewhere fetched soon.
func (s *Service) hurry() {
	select {
	case s.soon <- struct{}{}:
	default:
	}
}

// Hurry is for whoever knows that there may be news.
func (s *Service) Hurry() { s.hurry() }

// sequences reports whether this member is a sequencer: by what is final, or at the start.
func (s *Service) sequences() bool {
	return slices.Contains(s.sequencers(), s.o.Self)
}

// sequencers are who orders entries, by what is final.
func (s *Service) sequencers() (ids []string) {
	if ids = s.mirror.Sequencers(); ids == nil {
		ids = slices.Clone(s.o.Roster.Sequencers)
	}
	return ids
}

// tell says who is a member if that has changed.
func (s *Service) tell() {
	var r roster.Roster
	var suspended []string
	if s.o.Members == nil || !s.mirror.FinalState(func(st *replay.State) { r, suspended = st.Roster(), st.Suspended() }) {
		return
	}
	s.mu.Lock()
	same := s.told == r.Digest() && slices.Equal(s.silent, suspended)
	s.told, s.silent = r.Digest(), suspended
	s.mu.Unlock()
	if !same {
		s.o.Members(r, suspended)
	}
}

// ask sends a request to another member.
func (s *Service) ask(ctx context.Context, member string, k kind, request, reply any) error {
	s.mu.Lock()
	p := s.peers
	s.mu.Unlock()
	if p == nil {
		return errStopped
	}
	return p.ask(ctx, member, k, request, reply)
}

var errStopped = errors.New("the ledger's service does not run")

// mostAlarms is how many alarms are kept: the first ones say what began.
const mostAlarms = 32

// alarm keeps what an operator must know.
func (s *Service) alarm(text string) {
	s.o.Log.Error("ledger: " + text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.alarms, text) && len(s.alarms) < mostAlarms {
		s.alarms = append(s.alarms, text)
	}
}

// others are the members but this one, by the state that is held. The suspended are among
// them: they have to learn when they are readmitted.
func (s *Service) others() (ids []string) {
	err := s.mirror.State(func(st *replay.State) {
		for _, m := range st.Roster().Members {
			if m.ID != s.o.Self {
				ids = append(ids, m.ID)
			}
		}
	})
	if err != nil {
		return nil
	}
	return ids
}

// decide is who decides whether a term's tree of a size is final.
func (s *Service) decide(o checkpoint.Origin, size uint64) (c checkpoint.Committee, err error) {
	err = s.mirror.State(func(st *replay.State) { c = st.CommitteeOf(o, size) })
	return c, err
}
