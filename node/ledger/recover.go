package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/recovery"
	"entente/protocol/replay"
)

// callAgain is how often whoever has called for a term asks the others about it.
const callAgain = 3 * time.Second

// mostAhead is how many terms this node enters at a time, of which all but one came to
// nothing here.
const mostAhead = 16

// Called is a call for a new ledger term, as an operator sees it.
type Called struct {
	ID         string   `json:"id"` // digest of the call
	Term       uint64   `json:"term"`
	By         string   `json:"by"`
	Sequencers []string `json:"sequencers"`
	Without    string   `json:"without,omitempty"` // who has no part from then on
	Pledged    bool     `json:"pledged"`           // this node has
	Pledges    []string `json:"pledges,omitempty"` // who else has, if the call is this node's
	Needed     int      `json:"needed"`
}

// Call calls for a new term, ordered by these, and pledges this node for it: from then on it
// signs nothing more in this one. Without names who has no part in it, where three members
// have part; else it is empty.
func (s *Service) Call(sequencers []string, without string) (recovery.Call, error) {
	var now uint64
	var federation [32]byte
	if err := s.mirror.State(func(st *replay.State) { now, federation = st.Term().Term, st.Federation() }); err != nil {
		return recovery.Call{}, err
	}
	pledged, ok, err := s.mirror.Pledged()
	if err != nil {
		return recovery.Call{}, err
	}
	if ok {
		now = pledged.Term
	}
	sequencers = slices.Sorted(slices.Values(sequencers))
	c := recovery.Call{Federation: federation[:], Term: now + 1, Member: s.o.Self, Sequencers: sequencers, Without: without}
	if err := s.pledge(c); err != nil {
		return recovery.Call{}, fmt.Errorf("call for a term: %w", err)
	}
	return c, nil
}

// ErrNoCall says that nobody is known to have called for such a term.
var ErrNoCall = errors.New("there is no such call for a term")

// Agree pledges this node for a term for which another member has called.
func (s *Service) Agree(id [32]byte) error {
	s.mu.Lock()
	var call recovery.Call
	found := false
	for _, c := range s.called {
		if c.Digest() == id {
			call, found = c, true
		}
	}
	s.mu.Unlock()
	if !found {
		return ErrNoCall
	}
	if err := s.pledge(call); err != nil {
		return fmt.Errorf("agree to a term: %w", err)
	}
	return nil
}

// pledge pledges for a call that could come about.
func (s *Service) pledge(c recovery.Call) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := s.callable(c); err != nil {
		return err
	}
	if _, err := s.signer.Pledge(c); err != nil {
		return err
	}
	s.o.Log.Warn("ledger: this node has pledged for a new term, and signs no more in this one", slog.String("member", c.Member), slog.Uint64("term", c.Term))
	select {
	case s.calling <- struct{}{}:
	default:
	}
	return nil
}

func (s *Service) callable(c recovery.Call) (err error) {
	if bad := s.mirror.State(func(st *replay.State) { err = st.Callable(c) }); bad != nil {
		return bad
	}
	return err
}

// Calls are the calls for terms that are still to come: this node's own, that for which it
// has pledged, and the newest of each other member.
func (s *Service) Calls() ([]Called, error) {
	pledged, ok, err := s.mirror.Pledged()
	if err != nil {
		return nil, err
	}
	var need int
	var now checkpoint.Origin
	if err := s.mirror.State(func(st *replay.State) { now, need = st.Term(), checkpoint.Quorum(len(st.Active())) }); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[[32]byte]recovery.Call{}
	for _, c := range s.called {
		all[c.Digest()] = c
	}
	if ok {
		all[pledged.Digest()] = pledged
	}
	out := []Called{}
	for d, c := range all {
		if !c.Later(now) {
			continue
		}
		one := Called{ID: fmt.Sprintf("%x", d), Term: c.Term, By: c.Member, Sequencers: c.Sequencers, Without: c.Without, Needed: need}
		if c.Without != "" {
			one.Needed = recovery.Alone - 1
		}
		one.Pledged = ok && d == pledged.Digest()
		if c.Member == s.o.Self {
			for id := range s.stances {
				one.Pledges = append(one.Pledges, id)
			}
			slices.Sort(one.Pledges)
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Called) int {
		return checkpoint.Origin{Term: a.Term, Caller: a.By}.Compare(checkpoint.Origin{Term: b.Term, Caller: b.By})
	})
	return out, nil
}

// heed takes note of a member's call, and returns this node's stance if its people have
// agreed.
func (s *Service) heed(member string, c recovery.Call) (recovery.Stance, error) {
	if c.Member != member {
		return recovery.Stance{}, errors.New("a member calls in another's name")
	}
	if err := s.callable(c); err != nil {
		return recovery.Stance{}, err
	}
	s.mu.Lock()
	before, known := s.called[member]
	fresh := !known || c.Later(checkpoint.Origin{Term: before.Term, Caller: before.Member})
	if fresh {
		s.called[member] = c
	}
	s.mu.Unlock()
	if fresh {
		s.o.Log.Warn("ledger: a member calls for a new term", slog.String("member", member), slog.Uint64("term", c.Term))
	}
	pledged, ok, err := s.mirror.Pledged()
	if err != nil || !ok || pledged.Digest() != c.Digest() {
		return recovery.Stance{}, err
	}
	return s.signer.Pledge(c)
}

// reopen has the own call answered, and opens the term once enough members have pledged.
func (s *Service) reopen(ctx context.Context) {
	for ctx.Err() == nil {
		changed := s.mirror.Changed()
		call, ok, err := s.mirror.Pledged()
		if err != nil {
			s.alarm("the pledge for a term cannot be read: " + err.Error())
			return
		}
		if !ok || call.Member != s.o.Self {
			select {
			case <-s.calling:
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		stances := s.stancesOf(ctx, call)
		if stances[s.o.Self], err = s.signer.Pledge(call); err == nil {
			err = s.open(ctx, call, stances)
		}
		if err != nil {
			s.o.Log.Info("ledger: the term is not open yet", slog.Uint64("term", call.Term), slog.Any("reason", err))
			wait(ctx, callAgain)
			continue
		}
		s.o.Log.Warn("ledger: the term is open", slog.Uint64("term", call.Term))
		s.greetAll(ctx)
	}
}

// stancesOf asks all others about the own call.
func (s *Service) stancesOf(ctx context.Context, c recovery.Call) map[string]recovery.Stance {
	var mu sync.Mutex
	var work sync.WaitGroup
	out := map[string]recovery.Stance{}
	for _, id := range s.others() {
		work.Go(func() {
			var stance recovery.Stance
			if err := s.ask(ctx, id, exchange.KindCall, &c, &stance); err != nil {
				s.o.Log.Debug("ledger: no stance", slog.String("member", id), slog.Any("reason", err))
				return
			}
			if len(stance.Pledges) == 0 || stance.Pledges[0].Member != id {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			out[id] = stance
		})
	}
	work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stances = map[string]bool{}
	for id := range out {
		s.stances[id] = true
	}
	return out
}

// open begins the term, if these stances suffice.
func (s *Service) open(ctx context.Context, c recovery.Call, stances map[string]recovery.Stance) error {
	var base checkpoint.Signed
	var largest checkpoint.Checkpoint
	for id, stance := range stances {
		if len(stance.Checkpoints) == 0 {
			continue
		}
		at, err := s.reach(ctx, id, stance.Checkpoints[0])
		if err != nil {
			s.o.Log.Warn("ledger: a pledge cannot be used", slog.String("member", id), slog.Any("reason", err))
			delete(stances, id)
			continue
		}
		if later := at.Origin.Compare(largest.Origin); later > 0 || later == 0 && at.Size > largest.Size {
			base, largest = stance.Checkpoints[0], at
		}
	}
	var parent int
	var committee checkpoint.Committee
	var rekeyed []string
	err := s.mirror.State(func(st *replay.State) {
		if len(base.Text) == 0 {
			largest.Origin = st.Origin(0)
		}
		committee, parent = st.CommitteeOf(largest.Origin, largest.Size), st.Number(largest.Origin)
		rekeyed = st.Rekeyed(largest.Size)
	})
	if err != nil {
		return err
	}
	var pledges []recovery.Pledge
	var ids []string
	for id, stance := range stances {
		if _, ok := committee.Seats[id]; ok && id != c.Without && !slices.Contains(rekeyed, id) {
			pledges, ids = append(pledges, stance.Pledges[0]), append(ids, id)
		}
	}
	if err := committee.Decided(ids); err != nil && c.Without == "" {
		return err
	}
	slices.SortFunc(pledges, func(a, b recovery.Pledge) int { return strings.Compare(a.Member, b.Member) })
	o, err := recovery.Open(c, base, pledges, s.o.Key)
	if err != nil {
		return err
	}
	last, err := s.mirror.LastFinal()
	if err != nil {
		return err
	}
	if largest.Size < last.Size { // the own pledge tells of no more: it is older than this
		return fmt.Errorf("%w: %d entries", ErrFinal, last.Size)
	}
	entries, err := s.mirror.Entries(last.Size, int(largest.Size-last.Size), exchange.MaxStepBytes+entryBytes)
	if err != nil {
		return err
	}
	return s.mirror.Enter(ctx, parent, []recovery.Opening{o}, entries)
}

// entryBytes is more than one entry has.
const entryBytes = 1 << 17

// reach has the mirror hold the tree that a member has pledged, if it is of a term in which
// this node is or was.
func (s *Service) reach(ctx context.Context, member string, signed checkpoint.Signed) (checkpoint.Checkpoint, error) {
	c, err := signed.Checkpoint()
	if err != nil {
		return c, err
	}
	err = s.mirror.Is(c)
	if errors.Is(err, ErrNotHeld) {
		if err = s.take(ctx, member, signed, 0, nil); errors.Is(err, ErrTooFar) || errors.Is(err, ErrBoundary) {
			if err = s.catchUp(ctx, member); err == nil {
				err = s.take(ctx, member, signed, 0, nil)
			}
		}
	}
	if errors.Is(err, ErrTerm) && c.Origin.Federation == s.mirror.first.Federation && c.Origin.Compare(s.mirror.Term()) < 0 {
		return checkpoint.Checkpoint{}, nil // of a term that came to nothing, before this one
	}
	return c, err
}

// greetAll tells everybody how far this node is, and so in which term.
func (s *Service) greetAll(ctx context.Context) {
	own, err := s.status()
	if err != nil {
		return
	}
	var work sync.WaitGroup
	defer work.Wait()
	for _, id := range s.others() {
		work.Go(func() {
			var theirs exchange.Status
			if err := s.ask(ctx, id, exchange.KindStatus, &own, &theirs); err == nil {
				s.hear(id, theirs)
			}
		})
	}
}

// opening is the opening of a term that this node has been in, by its place after the
// first; empty if there is none.
func (s *Service) opening(n uint64) ([]byte, error) {
	terms := s.mirror.Terms()
	if n == 0 || n > uint64(len(terms)) {
		return []byte{}, nil
	}
	return terms[n-1].Marshal()
}

// advance enters the term that a member is in, if it is later than the own.
func (s *Service) advance(ctx context.Context, member string, theirs exchange.Status) {
	o, err := checkpoint.ParseOrigin(theirs.Term)
	if err != nil || o.Federation != s.mirror.first.Federation || o.Compare(s.mirror.Term()) <= 0 {
		return
	}
	ctx, free, err := s.fetching(ctx, "term of "+member)
	if err != nil {
		return // it is being fetched
	}
	defer free()
	switch err := s.enter(ctx, member); {
	case errors.Is(err, ErrFinal):
		s.alarm(member + " is in a term that begins without what is final here")
	case err != nil:
		s.o.Log.Warn("ledger: a member's later term was not entered", slog.String("member", member), slog.Any("reason", err))
	default:
		s.o.Log.Warn("ledger: a new term has begun", slog.String("member", member), slog.Uint64("term", o.Term))
	}
}

// enter enters the terms that a member has been in and that are later than the own, one
// after the other: between two of them more can have become final than is taken in at once.
func (s *Service) enter(ctx context.Context, member string) error {
	entered := false
	for ctx.Err() == nil {
		openings, parent, err := s.later(ctx, member)
		if err != nil {
			return err
		}
		if len(openings) == 0 && !entered {
			return errors.New("it shows no later term")
		}
		// What is final in terms that this node is in already comes step by step; what is of
		// later ones cannot be taken yet.
		if err := s.catchUp(ctx, member); err != nil && !errors.Is(err, ErrTerm) {
			return err
		}
		if len(openings) == 0 {
			return nil
		}
		if err := s.enterNext(ctx, member, parent, openings); err != nil {
			return err
		}
		entered = true
	}
	return ctx.Err()
}

// later fetches a member's openings that are not in the own terms, up to the first that is of
// a later term than the own; none if there is none. Parent is as Mirror.Enter has it.
func (s *Service) later(ctx context.Context, member string) (openings []recovery.Opening, parent int, err error) {
	own, now := s.mirror.Terms(), s.mirror.Term()
	parent = 1
	for n := uint64(1); len(openings) < mostAhead; n++ {
		var b []byte
		if err := s.ask(ctx, member, exchange.KindTerm, &exchange.Position{Size: n}, &b); err != nil {
			return nil, 0, err
		}
		if len(b) == 0 {
			return nil, 0, nil
		}
		o, err := recovery.Unmarshal(b)
		if err != nil {
			return nil, 0, err
		}
		if len(openings) == 0 && n <= uint64(len(own)) && own[n-1].Origin() == o.Origin() {
			parent++
			continue
		}
		if openings = append(openings, o); o.Call.Later(now) {
			return openings, parent, nil
		}
	}
	return nil, 0, fmt.Errorf("it shows more than %d terms that are not later", mostAhead)
}

// enterNext enters the last of these terms, with the entries up to its base.
func (s *Service) enterNext(ctx context.Context, member string, parent int, openings []recovery.Opening) error {
	base, err := openings[len(openings)-1].Tree()
	if err != nil {
		return err
	}
	final, err := s.mirror.LastFinal()
	if err != nil {
		return err
	}
	switch {
	case base.Size < final.Size:
		return ErrFinal
	case base.Size > final.Size+exchange.MaxStep:
		return fmt.Errorf("%w: by %d entries", ErrTooFar, base.Size-final.Size)
	}
	var entries [][]byte
	if base.Size > final.Size {
		if entries, err = s.fetch(ctx, member, final.Size, base.Size); err != nil {
			return err
		}
	}
	return s.mirror.Enter(ctx, parent, openings, entries)
}
