package ledger

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/replay"
	"entente/protocol/wire"
)

const (
	mostUnderWay = 4                      // commands that a leader has in Raft at a time
	gatherTime   = 5 * time.Millisecond   // that a leader waits for more entries for a command
	pauseTime    = 100 * time.Millisecond // that it waits if it may not put in more
)

// lead puts what waits into Raft's log, whenever this member leads.
func (q *sequencer) lead(ctx context.Context) {
	leads := false
	for ctx.Err() == nil {
		if !leads {
			select {
			case leads = <-q.order.Leads():
			case <-ctx.Done():
			}
			continue
		}
		term, end := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			q.leadWhile(term)
		}()
		select {
		case leads = <-q.order.Leads():
		case <-done: // it failed: begin again, if this member still leads
		case <-ctx.Done():
		}
		end()
		<-done
		q.tail.forget()
	}
}

// leadWhile orders entries until ctx ends or a command fails.
func (q *sequencer) leadWhile(ctx context.Context) {
	if err := q.order.Settle(); err != nil {
		q.s.o.Log.Debug("ledger: this member does not lead yet", slog.Any("reason", err))
		wait(ctx, pauseTime)
		return
	}
	q.seatVoters()
	var head *replay.State
	q.tail.view(func(st *replay.State, _ checkpoint.Checkpoint) { head = st })
	underWay := make(chan struct{}, mostUnderWay)
	failed := make(chan struct{})
	results := make(chan func() error, mostUnderWay)
	go func() { // in the order of proposals
		defer close(failed)
		for result := range results {
			err := result()
			<-underWay
			if err != nil {
				q.s.o.Log.Info("ledger: a command was not ordered", slog.Any("reason", err))
				return
			}
		}
	}()
	defer func() { <-failed }()
	defer close(results)
	voters := q.s.mirror.Changed()
	for {
		lists, more := q.queue()
		b, next := q.batch(head, lists)
		if b == nil {
			select {
			case <-more:
				if !wait(ctx, gatherTime) {
					return
				}
			case <-voters:
				voters = q.s.mirror.Changed()
				q.seatVoters()
			case <-time.After(dutyTime):
				q.seatVoters()
			case <-failed:
				return
			case <-ctx.Done():
				return
			}
			continue
		}
		select {
		case underWay <- struct{}{}:
		case <-failed:
			return
		case <-ctx.Done():
			return
		}
		q.tail.expect(b, next)
		head = next.to
		select {
		case results <- q.order.Propose(b):
		case <-failed:
			return
		}
	}
}

// wait lets time pass; false if ctx ends.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// seatVoters gives the sequencers a vote, and takes it from others.
func (q *sequencer) seatVoters() {
	if ids := q.s.sequencers(); !slices.Equal(q.votes(), ids) {
		if err := q.order.SetVoters(ids); err != nil {
			q.s.o.Log.Info("ledger: votes were not changed", slog.Any("reason", err))
		}
		q.votes()
	}
}

// batch makes the next command from what waits: entries of every author in turn, as far as
// they are admitted after a state, up to a change of the committee. It returns nil if
// nothing is to be ordered, or too much is ordered that is not signed.
func (q *sequencer) batch(from *replay.State, lists map[string][][]byte) ([]byte, expected) {
	if q.tail.open(from.Size()) >= exchange.MaxStep {
		return nil, expected{}
	}
	next := expected{from: from, to: from.Clone()}
	c := command{From: from.Size()}
	bytes := 0
	for _, author := range slices.Sorted(maps.Keys(lists)) {
		for _, b := range lists[author] {
			if len(c.Entries) == exchange.MaxEntries || bytes+len(b) > exchange.MaxBatch {
				break
			}
			a, err := next.to.Apply(b)
			if errors.Is(err, replay.ErrNotNext) {
				continue // it is on its way, or does not follow yet
			}
			if err != nil {
				q.refuse(author, lists[author], err)
				break
			}
			c.Entries, next.voids = append(c.Entries, b), voided(next.voids, a)
			if bytes += len(b) + 8; a.Boundary {
				return encode(c), next
			}
		}
	}
	if len(c.Entries) == 0 {
		return nil, expected{}
	}
	return encode(c), next
}

// refuse drops what an author handed in. It may hand it in again.
func (q *sequencer) refuse(author string, list [][]byte, why error) {
	q.s.o.Log.Debug("ledger: entries are not admitted", slog.String("member", author), slog.Any("reason", why))
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.pending[author]; w != nil && &w.entries[0] == &list[0] {
		delete(q.pending, author)
	}
}

func encode(c command) []byte {
	b, err := wire.Marshal(c)
	if err != nil {
		return nil // it consists of bytes and a number
	}
	return b
}
