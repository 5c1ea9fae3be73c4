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
	suspect, since, unequal := "", time.Time{}, time.Now()
	for wait(ctx, time.Second) {
		if slices.Equal(q.votes(), q.s.sequencers()) {
			unequal = time.Now()
		}
		leader := q.order.Leader()
		if suspect != "" && (leader != "" && leader != suspect || time.Since(since) > forgiveTime) {
			q.guard.Clear()
			q.forgive()
			suspect = ""
		}
		if suspect != "" || leader == "" || leader == q.s.o.Self {
			continue
		}
		if fault := q.fault(unequal); fault != "" {
			suspect, since, unequal = leader, time.Now(), time.Now()
			q.s.alarm(leader + " leads and " + fault + ": this sequencer follows it no more")
			q.guard.Suspect(leader)
		}
	}
}

// fault says what the leader does wrong, or nothing.
func (q *sequencer) fault(unequal time.Time) string {
	if author := q.withheld(); author != "" {
		return "does not order entries of " + author
	}
	if time.Since(unequal) > slowTime {
		return "does not give a vote to those who sequence now"
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.stuck.IsZero() && time.Since(q.stuck) > slowTime {
		q.stuck = time.Time{}
		return "does not bring other sequencers what it orders"
	}
	return ""
}

// withheld returns the author of an entry that waits for too long although it is admitted,
// or nothing.
func (q *sequencer) withheld() (author string) {
	type candidate struct {
		author string
		entry  []byte
	}
	var old []candidate
	q.mu.Lock()
	for id, w := range q.pending {
		if time.Since(w.since) > patience && w.told != "" {
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

// forgive begins the waiting anew, for the next leader.
func (q *sequencer) forgive() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.pending {
		w.since, w.told = time.Now(), ""
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
			for w, list := range q.untold(leader) {
				var taken exchange.Taken
				if err := q.s.ask(ctx, leader, exchange.KindSubmit, &exchange.Entries{Entries: list}, &taken); err != nil {
					q.s.o.Log.Debug("ledger: the leader took no entries", slog.String("member", leader), slog.Any("reason", err))
				}
				q.mu.Lock()
				w.told = leader // also if it did not answer: it has to
				q.mu.Unlock()
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

// untold are the entries of which a leader does not know yet.
func (q *sequencer) untold(leader string) map[*waiting][][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[*waiting][][]byte{}
	for _, w := range q.pending {
		if w.told != leader {
			out[w] = w.entries
		}
	}
	return out
}
