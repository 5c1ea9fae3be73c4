package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

const (
	// standInTime is how long the next sequencer waits for the one before it to have a
	// checkpoint made final: so a leader that orders entries and then does nothing only delays.
	standInTime = 5 * time.Second
	// roundTime is how long signatures of one checkpoint are waited for.
	roundTime = 15 * time.Second
)

// drive has what is ordered made final: it asks sequencers and then cosigners for their
// signatures. The leader does; the others stand in for it, one after the other.
func (q *sequencer) drive(ctx context.Context) {
	announce := newAnnouncer(ctx, q.s)
	defer announce.work.Wait()
	var goal, done uint64
	var since time.Time // when something was to be done, and last became final
	for ctx.Err() == nil {
		grown, changed := q.tail.changes(), q.s.mirror.Changed()
		next, err := q.goal()
		now, broken := q.s.mirror.LastFinal()
		if err != nil || broken != nil {
			return // the mirror is broken, and said so
		}
		if goal == 0 || now.Size > done {
			since = time.Now()
		}
		goal, done = next, now.Size
		if due := q.turn() - time.Since(since); goal == 0 || due > 0 {
			idle := time.NewTimer(max(due, 0))
			if goal == 0 {
				idle.Stop()
			}
			select {
			case <-grown:
			case <-changed:
			case <-idle.C:
			case <-ctx.Done():
			}
			idle.Stop()
			continue
		}
		final, err := q.conclude(ctx, goal)
		q.note(err)
		if err == nil {
			announce.all(final)
			continue
		}
		q.s.o.Log.Info("ledger: a checkpoint is not final yet", slog.Uint64("entries", goal), slog.Any("reason", err))
		if q.order.Leader() != q.s.o.Self {
			q.s.hurry() // it may be final, and this member behind
		}
		wait(ctx, pauseTime+time.Duration(min(time.Since(since)/4, standInTime)))
	}
}

// note notes since when sequencers that answer lack what others have ordered.
func (q *sequencer) note(err error) {
	final, broken := q.s.mirror.LastFinal()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case broken != nil || !errors.Is(err, errNoVote):
		q.stuck = time.Time{}
	case q.stuck.IsZero() || final.Size > q.stuckAt:
		q.stuck, q.stuckAt = time.Now(), final.Size
	}
}

// goal is the size of the tree to be made final next; zero if all is.
func (q *sequencer) goal() (uint64, error) {
	if next, err := q.tail.goal(); next > 0 || err != nil {
		return next, err
	}
	final, err := q.s.mirror.LastFinal()
	if err != nil {
		return 0, err
	}
	var size uint64
	err = q.s.mirror.State(func(st *replay.State) {
		size = st.Size()
		if b, ok := st.Boundary(final.Size); ok {
			size = b // signed by sequencers, and not yet by cosigners
		}
	})
	if size == final.Size {
		size = 0
	}
	return size, err
}

// turn is how long this member leaves it to others: not at all if it leads.
func (q *sequencer) turn() time.Duration {
	leader := q.order.Leader()
	if leader == q.s.o.Self {
		return 0
	}
	ids := slices.DeleteFunc(q.s.sequencers(), func(id string) bool { return id == leader })
	place := slices.Index(ids, q.s.o.Self)
	if place < 0 {
		place = len(ids) // no sequencer any more: last of all
	}
	return time.Duration(place+1) * standInTime
}

// conclude collects signatures until the tree of a size is final.
func (q *sequencer) conclude(ctx context.Context, size uint64) (checkpoint.Signed, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	signed, err := q.collectSequencers(ctx, size)
	if err != nil {
		return signed, err
	}
	var from uint64
	if err := q.s.mirror.State(func(st *replay.State) { from = st.Size() }); err != nil {
		return signed, err
	}
	if err := q.settle(signed, size, nil); err != nil {
		return signed, err
	}
	return q.collectCosigners(ctx, signed, min(from, size))
}

// collectSequencers has a quorum of sequencers sign the tree of a size.
func (q *sequencer) collectSequencers(ctx context.Context, size uint64) (checkpoint.Signed, error) {
	own, err := q.s.vote(q, size)
	if err != nil {
		return checkpoint.Signed{}, err
	}
	if len(own.Signatures) == 0 {
		return checkpoint.Signed{}, fmt.Errorf("%w: the tree of %d entries", ErrNotHeld, size)
	}
	signed := own.Signed()
	committee, err := q.committee(size)
	if err != nil {
		return signed, err
	}
	var ids []string
	seats, keys := 0, 0
	for id, seat := range committee.Seats {
		if seat.Key != nil {
			keys++
		}
		if seat.Sequencer {
			if seats++; id != q.s.o.Self {
				ids = append(ids, id)
			}
		}
	}
	if keys < checkpoint.Quorum(len(committee.Seats)) {
		return signed, fmt.Errorf("%d of %d members have named the key with which they cosign", keys, len(committee.Seats))
	}
	if _, ok := committee.Seats[q.s.o.Self]; !ok {
		signed.Signatures = nil
	}
	want := checkpoint.SequencerQuorum(seats)
	request := &exchange.Position{Size: size}
	behind := 0
	q.collect(ctx, ids, exchange.KindSequence, func(string) any { return request }, func(id string, v exchange.Vote) bool {
		if err := accept(&signed, v, id, checkpoint.Sequencer, committee); err != nil {
			switch {
			case errors.Is(err, errNoVote):
				behind++
			case errors.Is(err, ErrConflict):
				q.s.alarm(fmt.Sprintf("%s has signed another order of entries than this sequencer has: a leader has shown them different ones", id))
			}
			q.s.o.Log.Warn("ledger: a sequencer did not sign what is ordered here", slog.String("member", id), slog.Any("reason", err))
		}
		return len(signed.Signatures) >= want
	})
	err = committee.Sequenced(signed)
	if err != nil && behind > 0 {
		err = fmt.Errorf("%d sequencers have not ordered so far: %w: %w", behind, errNoVote, err)
	}
	return signed, err
}

// committee is who decides on a tree that is ordered here.
func (q *sequencer) committee(size uint64) (c checkpoint.Committee, err error) {
	q.tail.mu.Lock()
	defer q.tail.mu.Unlock()
	for _, m := range q.tail.marks {
		if m.tree.Size == size {
			return m.state.Committee(size), nil
		}
	}
	c, err = q.s.decide(q.origin, size)
	return c, err
}

// collectCosigners has a quorum of members cosign a checkpoint. They get the entries from
// one on with it, if these fit a frame.
func (q *sequencer) collectCosigners(ctx context.Context, signed checkpoint.Signed, from uint64) (checkpoint.Signed, error) {
	c, err := signed.Checkpoint()
	if err != nil {
		return signed, err
	}
	committee, err := q.s.decide(c.Origin, c.Size)
	if err != nil {
		return signed, err
	}
	entries, err := q.s.mirror.Entries(from, int(c.Size-from), exchange.MaxBatch)
	if err != nil {
		return signed, err
	}
	if len(entries) > exchange.MaxEntries || from+uint64(len(entries)) != c.Size {
		entries = nil
	}
	request := &exchange.Offer{Signed: signed, From: from, Entries: entries}
	if seat := committee.Seats[q.s.o.Self]; seat.Key != nil {
		own, err := q.s.signer.Cosign(signed)
		if err != nil {
			return signed, err
		}
		signed.Signatures = append(slices.Clone(signed.Signatures), own)
	}
	var ids []string
	for id, seat := range committee.Seats {
		if id != q.s.o.Self && seat.Key != nil {
			ids = append(ids, id)
		}
	}
	final := func() bool { // in ascending order of cost
		n := 0
		for _, one := range signed.Signatures {
			if one.Role == checkpoint.Cosigner {
				n++
			}
		}
		return n >= checkpoint.Quorum(len(committee.Seats)) && committee.Final(signed) == nil
	}
	if !final() {
		q.collect(ctx, ids, exchange.KindOffer, func(string) any { return request }, func(id string, v exchange.Vote) bool {
			if err := accept(&signed, v, id, checkpoint.Cosigner, committee); err != nil {
				q.s.o.Log.Warn("ledger: a member did not cosign what was offered", slog.String("member", id), slog.Any("reason", err))
			}
			return final()
		})
	}
	return signed, q.s.mirror.Finalise(signed)
}

var errNoVote = errors.New("it cannot sign yet")

// accept adds a vote to a checkpoint, if it is one, in that member's name.
func accept(signed *checkpoint.Signed, v exchange.Vote, id string, role checkpoint.Role, committee checkpoint.Committee) error {
	if len(v.Signatures) == 0 {
		return fmt.Errorf("%w: it holds %d entries", errNoVote, v.Size)
	}
	one := v.Signatures[0]
	if one.Member != id || one.Role != role || slices.ContainsFunc(signed.Signatures, func(o checkpoint.Signature) bool {
		return o.Member == id && o.Role == role
	}) {
		return errors.New("the signature is not what was asked for")
	}
	if string(v.Checkpoint) != string(signed.Text) {
		return ErrConflict
	}
	c, err := checkpoint.Parse(signed.Text)
	if err != nil {
		return err
	}
	if err := one.Verify(c, committee.Seats[id].Key); err != nil {
		return err
	}
	// A request with the shorter list may still be on its way.
	signed.Signatures = append(slices.Clone(signed.Signatures), one)
	return nil
}

// collect asks members at the same time until enough have answered.
func (q *sequencer) collect(ctx context.Context, ids []string, k kind, request func(id string) any, enough func(id string, v exchange.Vote) bool) {
	type answer struct {
		id   string
		vote exchange.Vote
		err  error
	}
	answers := make(chan answer, len(ids))
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	for _, id := range ids {
		work.Go(func() {
			var v exchange.Vote
			err := q.s.ask(ctx, id, k, request(id), &v)
			answers <- answer{id, v, err}
		})
	}
	for range ids {
		select {
		case a := <-answers:
			if a.err != nil {
				q.s.o.Log.Debug("ledger: no signature", slog.String("member", a.id), slog.Any("reason", a.err))
			} else if enough(a.id, a.vote) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// announcer tells all members of final checkpoints, each the newest when it is ready for it:
// a slow one does not hold up the others.
type announcer struct {
	ctx  context.Context
	s    *Service
	work sync.WaitGroup

	mu   sync.Mutex
	next map[string][]byte // to be told; present while somebody is telling it
}

func newAnnouncer(ctx context.Context, s *Service) *announcer {
	return &announcer{ctx: ctx, s: s, next: map[string][]byte{}}
}

func (a *announcer) all(final checkpoint.Signed) {
	b, err := final.Marshal()
	if err != nil {
		return // it was decoded before
	}
	for _, id := range a.s.others() {
		a.mu.Lock()
		_, busy := a.next[id]
		a.next[id] = b
		a.mu.Unlock()
		if !busy {
			a.work.Go(func() { a.tell(id) })
		}
	}
}

// mostTries is how often a member is told that does not answer. It asks by itself later.
const mostTries = 3

// tell tells one member until it knows the newest.
func (a *announcer) tell(id string) {
	for tries := 1; ; tries++ {
		a.mu.Lock()
		b := a.next[id]
		if a.next[id] = nil; b == nil || a.ctx.Err() != nil {
			delete(a.next, id)
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		var theirs exchange.Status
		if err := a.s.ask(a.ctx, id, exchange.KindFinal, b, &theirs); err != nil {
			a.s.o.Log.Debug("ledger: a final checkpoint was not taken", slog.String("member", id), slog.Any("reason", err))
			if tries < mostTries && wait(a.ctx, retryTime) {
				a.mu.Lock()
				if a.next[id] == nil { // there is no newer one
					a.next[id] = b
				}
				a.mu.Unlock()
			}
		} else {
			a.s.hear(id, theirs)
		}
	}
}
