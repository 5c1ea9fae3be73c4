// Package standing runs standing rounds for a node: it makes subscriptions with partners,
// publishes what the own lists hold as tags and then only what changes, asks about what is
// new here, and tells people of hits.
//
// The wire protocol, what it leaks and what it does not promise are protocol/standing's. On
// top of it this package promises that a subscription runs only while the own rules permit
// it; that everything survives a kill at any step, because what follows from a message is
// durable before the next one; that a question is charged before it is evaluated; that what
// must go (deleted, expired, shielded) is taken back from the partner at once, not at the
// next run; and that a partner who breaks the protocol is named and left alone until a
// person decides. Work from day to day follows the store's log of changes, never the length
// of a list. It does not promise that a partner forgets: see Consequence.
package standing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"entente/crypto/sign"
	"entente/node/federation"
	"entente/node/rounds"
	"entente/node/store"
	"entente/policy"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// Spans with their reasons.
const (
	passRest   = 250 * time.Millisecond // from pass to pass at least, however many streams end
	passEvery  = time.Minute            // how late an expiry or a due run is noticed at most
	forgetRest = time.Hour              // from look to look for what is to be forgotten
	retryFirst = 2 * time.Second        // after a failed stream
	retryLast  = time.Minute            // a partner that is away is tried this often at least: deletions wait for it
	checkTime  = 30 * time.Second       // an urgent check waits for one partner at most
	checkTries = 5                      // so often busy is more than the end of another sync: about 8 s
	// quietTime is how long a partner is turned away after a stream. Looking for hits has this
	// time for itself; it is the same however many there are.
	quietTime = time.Second
	// Whoever opens one stream after the other must not keep this side from looking for hits: if
	// that has waited for searchAge, the partner is turned away for searchTime, and for twice as
	// long the next time if it was not enough. Both are the same however many hits there are.
	searchAge  = 10 * time.Minute
	searchTime = time.Minute
	// streamTime is the longest stream of a partner: what it brought is kept, and the next one
	// goes on from there.
	streamTime = time.Hour
	// openingTime is how long a partner may take from its greeting to a sync.
	openingTime = time.Minute
)

// Options wires a Service. All fields but Audit, Tap and Log are required.
type Options struct {
	Self       string
	Key        func() *sign.PrivateKey // in force: it may be replaced
	Store      *store.Store
	Federation func() *federation.Federation // nil before one is joined
	Rules      func() *policy.Bundle
	Open       func(ctx context.Context, member string) (rounds.Stream, error)
	Audit      func(ctx context.Context) error // brings the audit folder up to date
	Limit      int                             // streams of partners at once
	// Accounted says why no new round may begin, because earlier ones are not accounted for
	// yet; nil if one may [always].
	Accounted func(ctx context.Context) error
	Tap       rounds.Tap // for demonstrations and tests
	Log       *slog.Logger
}

// Service runs the standing rounds of one node. It is safe for concurrent use.
type Service struct {
	o     Options
	wake  chan struct{} // capacity 1: lists or subscriptions have changed
	every time.Duration // passEvery, but for tests that live through months
	held  int           // matchTags, but for tests with short lists

	// mu guards everything below.
	mu        sync.Mutex
	changed   chan struct{} // closed and replaced whenever a subscription changes
	running   context.Context
	talks     map[standing.ID]*conversation
	retries   map[standing.ID]retry
	workers   sync.WaitGroup
	forgotten int64                     // up to where the log of changes was erased
	forgetAt  time.Time                 // when that may be looked at again
	peeked    map[feedID]peek           // how far it was looked through for what must go
	mirrored  map[feedID]int64          // receipts below were found in the audit folder
	matches   map[standing.ID]bool      // hits are to be looked for as soon as no stream is at work
	searches  map[standing.ID]search    // how long that has waited
	tidied    map[standing.ID]time.Time // when what no longer takes part was last looked for
	synced    map[standing.ID]time.Time // when a stream last ended, however it did
	sealed    bool                      // the audit folder lacks something

	deciding sync.Mutex // makes a decision and the quota that it uses one step
}

// feedID names a feed of a subscription.
type feedID struct {
	id   standing.ID
	feed uint8
}

// peek is how far the log of changes was looked through while a feed was as it is at a run of
// a tag period: a later run may have published what has gone since.
type peek struct {
	index, run uint32
	upTo       int64
}

// search is a search for hits that streams may keep from ending.
type search struct {
	since time.Time     // when it was wanted, or last had its time; zero: it is done
	span  time.Duration // for which the partner was turned away last
	until time.Time     // when that ends
}

// retry is when a partner that could not be reached is tried again.
type retry struct {
	at    time.Time
	pause time.Duration
}

// conversation is whoever works on a subscription at a time.
type conversation struct {
	who    worker
	member string // the partner
	firm   bool   // it opens a tag period, and no stream ends it
	cancel context.CancelFunc
	ended  chan struct{}
}

type worker uint8

const (
	asking    worker = iota // a stream of this side's own
	answering               // a stream of the partner's
	person                  // somebody on this side decides
	matching                // this side looks for hits
)

// Errors on which a caller branches.
var (
	ErrUnknown = errors.New("there is no such standing round")
	ErrState   = errors.New("the standing round is not in a state for this")
)

// New makes a Service. Nothing runs before Run.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Accounted == nil {
		o.Accounted = func(context.Context) error { return nil }
	}
	return &Service{o: o, wake: make(chan struct{}, 1), every: passEvery, held: matchTags, changed: make(chan struct{}),
		talks: map[standing.ID]*conversation{}, retries: map[standing.ID]retry{}, peeked: map[feedID]peek{},
		mirrored: map[feedID]int64{}, matches: map[standing.ID]bool{}, searches: map[standing.ID]search{},
		tidied: map[standing.ID]time.Time{}, synced: map[standing.ID]time.Time{}}
}

// Run drives the subscriptions until the context ends; then it waits for every
// conversation to end. TakeUp comes before it.
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
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for ctx.Err() == nil {
		next, err := s.pass(ctx)
		if err != nil && ctx.Err() == nil {
			s.o.Log.Error("look after standing rounds", "error", err)
		}
		soon, rested := time.NewTimer(next), time.NewTimer(passRest)
		select {
		case <-ctx.Done():
		case <-rested.C:
			select {
			case <-ctx.Done():
			case <-tick.C:
			case <-soon.C:
			case <-s.wake:
			}
		}
		soon.Stop()
		rested.Stop()
	}
	return nil
}

// Changed says that lists have changed: what must go is taken back from partners at once.
func (s *Service) Changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// TakeUp clears what a killed process left, and gives subscriptions that came back from a
// backup a new secret: their next tag period begins anew. It comes before Run and before the
// first stream of a partner is served.
func (s *Service) TakeUp(ctx context.Context) error {
	if err := s.Roster(ctx); err != nil {
		return err
	}
	all, err := s.load(ctx)
	if err != nil {
		return err
	}
	var keep []string
	for _, f := range all {
		if f.Restored {
			if err := s.restored(ctx, f); err != nil {
				return err
			}
		}
		names, err := s.segmentsOf(ctx, f)
		if err != nil {
			return err
		}
		keep = append(keep, names...)
	}
	_, err = s.o.Store.RemoveStraySegments(keep)
	return err
}

// restored gives a subscription that came back from a backup a new secret.
func (s *Service) restored(ctx context.Context, f *file) error {
	f.Restored = false
	if !f.machine.Stage().Over() {
		f.Secret, f.Note = newSecret(), "the node was restored from a backup: a new tag period begins"
	}
	return s.put(ctx, f, func(tx *store.Tx) error { return noteRestored(tx, f.ID) })
}

// pass starts what is due, and returns when the next pass should be.
func (s *Service) pass(ctx context.Context) (time.Duration, error) {
	now := time.Now()
	all, err := s.load(ctx)
	if err != nil {
		return s.every, err
	}
	if slices.ContainsFunc(all, func(f *file) bool { return !f.Over }) {
		err := s.o.Store.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.TouchExpired(now)
			return err
		})
		if err != nil {
			return s.every, err
		}
	}
	next := s.every
	var errs []error
	if s.forgetting(now) {
		errs = append(errs, s.forgetChanges(ctx, all))
		for _, f := range all {
			errs = append(errs, s.forget(ctx, f, now))
		}
	}
	for _, f := range all { // what is wrong with one does not keep the others
		wait, err := s.look(ctx, f, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("subscription %x: %w", f.ID, err))
			continue
		}
		next = min(next, wait)
	}
	return max(next, time.Second), errors.Join(append(errs, s.mirror(ctx))...)
}

// forgetting tells whether it is time to look for what is to be forgotten.
func (s *Service) forgetting(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Before(s.forgetAt) {
		return false
	}
	s.forgetAt = at.Add(forgetRest)
	return true
}

// mirror brings the audit folder up to date if something was sealed since, once for however
// many streams.
func (s *Service) mirror(ctx context.Context) error {
	s.mu.Lock()
	due := s.sealed
	s.sealed = false
	s.mu.Unlock()
	if !due || s.o.Audit == nil {
		return nil
	}
	return s.o.Audit(ctx)
}

// submitted notes that something was sealed.
func (s *Service) submitted() {
	s.mu.Lock()
	s.sealed = true
	s.mu.Unlock()
	s.Changed()
}

// look starts a conversation about one subscription if something is due.
func (s *Service) look(ctx context.Context, f *file, now time.Time) (time.Duration, error) {
	switch {
	case f.machine.Stage().Over():
		return s.every, nil
	case f.machine.Expire(now.UnixMilli()):
		return s.every, s.expire(ctx, f.ID)
	}
	s.mu.Lock()
	wait := time.Until(s.retries[f.ID].at)
	s.mu.Unlock()
	if wait > 0 {
		return wait, nil
	}
	due := false
	s.tidySoon(f, now)
	switch stage := f.machine.Stage(); {
	case stage == standing.Ending:
		due = true
	case stage < standing.Active:
		due = f.machine.Proposer()
	case f.Paused || f.Stopped != "":
		return s.every, s.lapse(ctx, f)
	default:
		due = f.machine.Proposer() && !now.Before(f.Next)
		if !due {
			gone, err := s.mustGo(ctx, f)
			if err != nil {
				return s.every, err
			}
			due = gone
		}
	}
	if due {
		s.start(f.ID)
		return s.every, nil
	}
	if f.machine.Proposer() && f.Next.After(now) {
		return f.Next.Sub(now), nil
	}
	return s.every, nil
}

// start drives a subscription in the background.
func (s *Service) start(id standing.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if talk := s.talks[id]; s.running == nil || talk != nil && talk.who != matching {
		return
	}
	ctx := s.running
	s.workers.Go(func() {
		if err := s.drive(ctx, id, nil); err != nil && ctx.Err() == nil {
			s.o.Log.Info("a standing round goes on later", "subscription", id, "error", err)
		}
	})
}

// claim makes the caller the only one who works on a subscription. A person ends whatever
// stream is at work. A partner's stream ends one of this side's own if the partner is the
// proposer: so two sides that open at once cannot block each other. One that comes while an
// older one of the partner's is at work ends that, and is turned away itself. The search for
// hits gives way to everybody and goes on afterwards: whoever had to wait for it would learn
// how much there is to find.
func (s *Service) claim(ctx context.Context, f *file, who worker) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	mine := &conversation{who: who, member: f.Partner, cancel: cancel, ended: make(chan struct{})}
	for first := true; ; first = false {
		s.mu.Lock()
		old := s.talks[f.ID]
		if first && who == answering && !s.admissible(f, old) {
			if old != nil && old.who == answering && gives(old, who, f.machine.Proposer()) {
				old.cancel() // it may hang on a link that is gone: the next try finds the place free
			}
			s.mu.Unlock()
			cancel()
			return nil, nil, busy()
		}
		if old == nil {
			s.talks[f.ID] = mine
			s.mu.Unlock()
			break
		}
		if gives(old, who, f.machine.Proposer()) {
			old.cancel()
		}
		s.mu.Unlock()
		select {
		case <-old.ended:
		case <-ctx.Done():
			err := ctx.Err()
			cancel()
			return nil, nil, err
		}
	}
	return ctx, func() {
		cancel()
		s.mu.Lock()
		delete(s.talks, f.ID)
		s.mu.Unlock()
		close(mine.ended)
	}, nil
}

// gives tells whether whoever is at work gives way to somebody else.
func gives(old *conversation, to worker, proposer bool) bool {
	switch {
	case old.who == person || to == matching:
		return false
	case old.who == matching || to == person:
		return true
	}
	return to == answering && !old.firm && (old.who == answering || !proposer)
}

// searching tells whether the search for hits has its time now. The caller holds mu.
func (s *Service) searching(id standing.ID) bool {
	q := s.searches[id]
	if now := now(); !q.since.IsZero() && now.After(q.until) && now.Sub(q.since) >= searchAge {
		q.span = min(max(2*q.span, searchTime), streamTime)
		q.since, q.until = now, now.Add(q.span)
		s.searches[id] = q
	}
	return now().Before(q.until)
}

// firmly keeps partners' streams from ending the conversation about a subscription, until the
// returned function is called.
func (s *Service) firmly(id standing.ID) (free func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	talk := s.talks[id]
	if talk == nil {
		return func() {}
	}
	talk.firm = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		talk.firm = false
	}
}

// admissible tells whether a partner's stream may be served now: not while somebody is at work
// who does not give way, not right after a sync, and not if the node answers as many streams as
// it may, or half of that for the same partner. The caller holds mu.
func (s *Service) admissible(f *file, old *conversation) bool {
	switch {
	case old != nil && (old.who == answering || !gives(old, answering, f.machine.Proposer())):
		return false
	case time.Since(s.synced[f.ID]) < quietTime, s.searching(f.ID):
		return false
	}
	all, same := 0, 0
	for _, c := range s.talks {
		if c.who == answering {
			all++
			if c.member == f.Partner {
				same++
			}
		}
	}
	return all < s.o.Limit && same < max(s.o.Limit/2, 1)
}

func busy() error {
	return &wire.ProtocolError{Code: wire.Busy, Err: errors.New("this side is at work on the subscription, or on too many")}
}

// notify wakes everyone who waits for a subscription to change.
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

// later notes that a partner could not be reached; reached that it could. The next pass must
// be planned anew: the last one was planned before the stream failed.
func (s *Service) later(id standing.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := min(max(2*s.retries[id].pause, retryFirst), retryLast)
	s.retries[id] = retry{time.Now().Add(pause), pause}
	s.Changed()
}

// over forgets what is kept in memory of a subscription that is over.
func (s *Service) over(id standing.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tidied, id)
	delete(s.synced, id)
	delete(s.searches, id)
	for feed := range uint8(2) {
		delete(s.peeked, feedID{id, feed})
	}
}

func (s *Service) reached(id standing.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.retries, id)
}

// parties binds a machine to this node, a partner and the roster.
func (s *Service) parties(partner string) (round.Parties, error) {
	_, p, digest, err := s.partner(partner)
	if err != nil {
		return round.Parties{}, err
	}
	return round.Parties{Self: s.o.Self, Peer: partner, Roster: digest, Key: s.o.Key(), PeerKey: p.Key}, nil
}

func (s *Service) partner(id string) (*federation.Federation, federation.Partner, [32]byte, error) {
	f := s.o.Federation()
	if f == nil {
		return nil, federation.Partner{}, [32]byte{}, fmt.Errorf("%w: %w", federation.ErrNotJoined, rounds.ErrUnknownPartner)
	}
	p, ok := f.Find(id)
	if !ok {
		return f, p, f.Digest(), rounds.ErrUnknownPartner
	}
	return f, p, f.Digest(), nil
}
