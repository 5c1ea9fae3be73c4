package ledger

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

// forgiveTime is how long a sequencer refuses to follow a leader that it suspects, if the
// others go on following it.
const forgiveTime = time.Minute

// slowTime is how long a leader may leave sequencers behind that others reach, or without a
// vote that the ledger gives them.
const slowTime = 30 * time.Second

// watch stops following a leader that does not order what was handed to it, that does not
// bring the others what it orders, or that does not give those a vote who should have one.
// Once a majority does, another one is elected.
func (q *sequencer) watch(ctx context.Context) {
	last, suspect, since, unequal := "", "", time.Time{}, time.Now()
	for wait(ctx, time.Second) {
		if slices.Equal(q.votes(), q.s.sequencers()) {
			unequal = time.Now()
		}
		leader := q.order.Leader()
		if leader != "" && leader != last || suspect != "" && time.Since(since) > forgiveTime {
			q.guard.Clear()
			q.forgive() // what the one before left undone is not the fault of this one
			suspect, unequal = "", time.Now()
		}
		if leader != "" {
			last = leader
		}
		if suspect != "" || leader == "" || leader == q.s.o.Self {
			continue
		}
		if fault := q.fault(leader, unequal); fault != "" {
			suspect, since = leader, time.Now()
			q.s.alarm(leader + " leads and " + fault + ": this sequencer follows it no more")
			q.guard.Suspect(leader)
		}
	}
}

// fault says what the leader does wrong, or nothing.
func (q *sequencer) fault(leader string, unequal time.Time) string {
	if author := q.withheld(leader); author != "" {
		return "does not order entries of " + author
	}
	if time.Since(unequal) > slowTime {
		return "does not give a vote to those who sequence now"
	}
	final, err := q.s.mirror.LastFinal()
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil && final.Size <= q.stuckAt && !q.stuck.IsZero() && time.Since(q.stuck) > slowTime {
		return "does not bring other sequencers what it orders"
	}
	return ""
}

// withheld returns the author of an entry of which a leader has known for too long although it is
// admitted, or nothing.
func (q *sequencer) withheld(leader string) (author string) {
	type candidate struct {
		author string
		entry  []byte
	}
	var old []candidate
	q.mu.Lock()
	for id, w := range q.pending {
		if w.owes == leader && time.Since(w.since) > patience {
			old = append(old, candidate{id, w.entries[0]})
		}
	}
	q.mu.Unlock()
	if len(old) == 0 {
		return ""
	}
	q.tail.view(func(st *replay.State, _ checkpoint.Checkpoint) {
		trial := st.Clone()
		for _, c := range old {
			if _, err := trial.Apply(c.entry); err == nil {
				author = c.author
				return
			}
		}
	})
	return author
}

// forgive begins the waiting anew.
func (q *sequencer) forgive() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stuck = time.Time{}
	for _, w := range q.pending {
		w.told, w.owes = "", ""
	}
}

// handOn gives what waits here to the leader.
func (q *sequencer) handOn(ctx context.Context) {
	for ctx.Err() == nil {
		q.mu.Lock()
		added := q.added
		q.mu.Unlock()
		leader := q.order.Leader()
		if leader != "" && leader != q.s.o.Self {
			for _, list := range q.untold(leader) {
				var taken exchange.Taken
				if err := q.s.ask(ctx, leader, exchange.KindSubmit, &exchange.Entries{Entries: list}, &taken); err != nil {
					q.s.o.Log.Debug("ledger: the leader took no entries", slog.String("member", leader), slog.Any("reason", err))
				}
			}
		}
		pause := retryTime
		if leader == "" {
			pause = pauseTime // one is being elected
		}
		select {
		case <-added:
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// untold are the entries of which a leader does not know yet. It is about to be told; also if it
// does not answer then, since it has to.
func (q *sequencer) untold(leader string) (lists [][][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.pending {
		if w.told == leader {
			continue
		}
		if w.told = leader; w.owes != leader {
			w.owes, w.since = leader, time.Now()
		}
		lists = append(lists, w.entries)
	}
	return lists
}
