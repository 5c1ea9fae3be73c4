package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/recovery"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// callAgain is how often whoever has called for a term asks the others about it.
const callAgain = 3 * time.Second

// mostSkipped is how many numbers of terms a call may pass over. It takes people to use any
// up, and there are enough.
const mostSkipped = 1 << 20

// mostAhead is how many terms this node enters at a time, of which all but one came to
// nothing here.
const mostAhead = 16

// Called is a call for a new ledger term, as an operator sees it.
type Called struct {
	ID         string   `json:"id"` // digest of the call
	Term       uint64   `json:"term"`
	Now        uint64   `json:"now"` // the present one
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
		one := Called{ID: fmt.Sprintf("%x", d), Term: c.Term, Now: now.Term, By: c.Member, Sequencers: c.Sequencers, Without: c.Without, Needed: need}
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
	own, ok, err := s.mirror.Pledged()
	if err != nil {
		return recovery.Stance{}, err
	}
	highest := s.mirror.Term().Term
	if ok {
		highest = max(highest, own.Term)
	}
	s.mu.Lock()
	for _, other := range s.called {
		highest = max(highest, other.Term)
	}
	if c.Term > highest+mostSkipped {
		s.mu.Unlock()
		return recovery.Stance{}, errors.New("the term's number is too far ahead")
	}
	before, known := s.called[member]
	fresh := !known || c.Later(checkpoint.Origin{Term: before.Term, Caller: before.Member})
	if fresh {
		s.called[member] = c
	}
	s.mu.Unlock()
	if fresh {
		s.o.Log.Warn("ledger: a member calls for a new term", slog.String("member", member), slog.Uint64("term", c.Term))
	}
	if !ok || own.Digest() != c.Digest() {
		return recovery.Stance{}, nil
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
	var bases []checkpoint.Signed // that pledges name, the largest first
	var pledges []recovery.Pledge
	for _, id := range slices.Sorted(maps.Keys(stances)) {
		stance := stances[id]
		pledges = append(pledges, stance.Pledges[0])
		if len(stance.Checkpoints) == 0 {
			continue
		}
		if err := s.reach(ctx, id, stance.Checkpoints[0]); err != nil {
			s.o.Log.Warn("ledger: what a pledge names is not held", slog.String("member", id), slog.Any("reason", err))
			continue
		}
		bases = append(bases, stance.Checkpoints[0])
	}
	slices.SortStableFunc(bases, func(a, b checkpoint.Signed) int {
		x, _ := a.Checkpoint() // reach has parsed them
		y, _ := b.Checkpoint()
		return cmp.Or(y.Origin.Compare(x.Origin), cmp.Compare(y.Size, x.Size), cmp.Compare(len(b.Signatures), len(a.Signatures)))
	})
	err := errors.New("no pledge names a tree that is held here")
	for _, base := range bases {
		if err = s.openAt(ctx, c, base, pledges); err == nil {
			return nil
		}
	}
	return err
}

// openAt begins the term with a base, with those of the pledges that can count.
func (s *Service) openAt(ctx context.Context, c recovery.Call, base checkpoint.Signed, all []recovery.Pledge) error {
	tree, err := base.Checkpoint()
	if err != nil {
		return err
	}
	var parent int
	var pledges []recovery.Pledge
	var entries [][]byte
	err = s.mirror.view(func(st *replay.State, tx *bbolt.Tx) error {
		parent = st.Number(tree.Origin)
		v := st.View(tree, roots(tx))
		var ids []string
		for _, p := range all {
			if err := v.Usable(c, base, p); err != nil {
				s.o.Log.Warn("ledger: a pledge does not count", slog.String("member", p.Member), slog.Any("reason", err))
				continue
			}
			if p.Member != c.Without {
				pledges, ids = append(pledges, p), append(ids, p.Member)
			}
		}
		return v.Enough(c, ids)
	})
	if err != nil {
		return err
	}
	o, err := recovery.Open(c, base, pledges, s.o.Key)
	if err != nil {
		return err
	}
	final, err := s.mirror.LastFinal()
	if err != nil {
		return err
	}
	if tree.Size < final.Size { // the pledges are older than this
		return fmt.Errorf("%w: %d entries", ErrFinal, final.Size)
	}
	if entries, err = s.mirror.Entries(final.Size, int(tree.Size-final.Size), exchange.MaxStepBytes+entryBytes); err != nil {
		return err
	}
	return s.mirror.Enter(ctx, parent, []recovery.Opening{o}, entries)
}

// entryBytes is more than one entry has.
const entryBytes = 1 << 17

// reach has the mirror hold the tree that a member has pledged. errors.Is ErrTerm if it is
// of a term in which this node was not.
func (s *Service) reach(ctx context.Context, member string, signed checkpoint.Signed) error {
	c, err := signed.Checkpoint()
	if err != nil {
		return err
	}
	err = s.mirror.Is(c)
	if errors.Is(err, ErrNotHeld) {
		if err = s.take(ctx, member, signed, 0, nil); errors.Is(err, ErrTooFar) || errors.Is(err, ErrBoundary) {
			if err = s.catchUp(ctx, member); err == nil {
				err = s.take(ctx, member, signed, 0, nil)
			}
		}
	}
	return err
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
	if !s.mayAdvance(member) {
		return
	}
	ctx, free, err := s.fetching(ctx, "a term") // from one member at a time
	if err != nil {
		return
	}
	defer free()
	err = s.enter(ctx, member)
	s.advanced(member, err)
	switch {
	case errors.Is(err, ErrFinal):
		s.alarm(member + " is in a term that begins without what is final here")
	case err != nil:
		s.o.Log.Warn("ledger: a member's later term was not entered", slog.String("member", member), slog.Any("reason", err))
	default:
		s.o.Log.Warn("ledger: a new term has begun", slog.String("member", member), slog.Uint64("term", o.Term))
	}
}

// How long a member whose later term could not be entered is not asked again: longer each
// time, since looking into it is work.
const (
	leastPause = 5 * time.Second
	mostPause  = time.Hour
)

// refusal is since when a member is not asked for its term, and for how long.
type refusal struct {
	at    time.Time
	pause time.Duration
}

func (s *Service) mayAdvance(member string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.refused[member]
	return !ok || s.o.Now().Sub(r.at) >= r.pause
}

func (s *Service) advanced(member string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.refused, member)
		return
	}
	s.refused[member] = refusal{s.o.Now(), min(max(2*s.refused[member].pause, leastPause), mostPause)}
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
		// later ones cannot be taken yet, nor what conflicts with an order that this node was
		// shown and that the new term drops.
		if err := s.catchUp(ctx, member); err != nil && !errors.Is(err, ErrTerm) && !errors.Is(err, ErrConflict) {
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
	o := openings[len(openings)-1]
	base, err := o.Tree()
	if err != nil {
		return err
	}
	final, err := s.mirror.LastFinal()
	if err != nil {
		return err
	}
	plausible := true
	err = s.mirror.State(func(st *replay.State) {
		if ids := st.Active(); final.Size > 0 { // before, no keys are known
			plausible = o.Plausible(st.CosigningKeys, roster.Faulty(len(ids))+1)
		}
	})
	if err != nil {
		return err
	}
	switch {
	case !plausible:
		return errors.New("hardly anybody has pledged for it")
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
