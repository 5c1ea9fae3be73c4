package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

const (
	// patience is how long an entry that was handed to one sequencer may take until it is
	// handed to all of them, and how long a sequencer waits for its leader to order an
	// entry before it stops following it.
	patience = 10 * time.Second
	// retryTime is how often entries that are on their way are handed in again.
	retryTime = 2 * time.Second
	// A node looks for what it has to write when the ledger has grown, but not more often than
	// dutyPause, and every dutyTime.
	dutyPause = time.Second
	dutyTime  = 10 * time.Second
)

// handIn brings the entries of the own chain that are not in the ledger to a sequencer, and
// to all of them if that takes too long: then those notice that their leader withholds it.
func (s *Service) handIn(ctx context.Context) {
	var since time.Time // that the oldest of them waits
	var oldest uint64
	var last time.Time // that entries were handed in
	for turn := 0; ; turn++ {
		// Of many entries one after the other the first goes at once, the others together.
		if !wait(ctx, pauseTime-time.Since(last)) {
			return
		}
		grown, appended := s.mirror.Changed(), s.o.Chain.Appended()
		list, head, err := s.unordered(ctx)
		var again <-chan time.Time
		if err == nil && len(list) > 0 {
			if since.IsZero() || head != oldest {
				since, oldest = s.o.Now(), head
			}
			s.submit(ctx, list, s.o.Now().Sub(since) > patience, turn)
			last = time.Now()
			again = time.After(retryTime)
		} else {
			since = time.Time{}
		}
		if err != nil && ctx.Err() == nil {
			s.alarm("the own chain cannot be handed in: " + err.Error())
			again = time.After(patience)
		}
		for waiting := true; waiting; {
			select {
			case <-grown: // something was ordered: wait for the own ones, if they may be among it
				grown = s.mirror.Changed()
				now, err := s.head()
				waiting = err == nil && len(list) > 0 && now == head
			case <-appended:
				waiting = false
			case <-again:
				waiting = false
			case <-ctx.Done():
				return
			}
		}
	}
}

// head is the number of the own chain's next entry in the ledger.
func (s *Service) head() (next uint64, err error) {
	err = s.mirror.State(func(st *replay.State) { next = st.Head(s.o.Self).Next() })
	return next, err
}

// unordered are the own entries that follow those in the ledger, and their first number.
func (s *Service) unordered(ctx context.Context) (list [][]byte, next uint64, err error) {
	var head entry.Head
	active := false
	err = s.mirror.State(func(st *replay.State) {
		head, active = st.Head(s.o.Self), slices.Contains(st.Active(), s.o.Self)
	})
	if err != nil || !active {
		return nil, 0, err
	}
	if list, err = s.o.Chain.Entries(ctx, head, exchange.MaxEntries); err != nil {
		return nil, 0, err
	}
	return list[:exchange.Fit(list)], head.Next(), nil
}

// submit hands entries in.
func (s *Service) submit(ctx context.Context, list [][]byte, all bool, turn int) {
	if q := s.sequencer(); q != nil {
		q.add(s.o.Self, list, true)
		if !all {
			return
		}
	}
	s.mu.Lock()
	leader := s.leader
	s.mu.Unlock()
	ids := slices.DeleteFunc(s.sequencers(), func(id string) bool { return id == s.o.Self })
	if len(ids) == 0 {
		return
	}
	ids = slices.Concat(ids[turn%len(ids):], ids[:turn%len(ids)])
	if slices.Contains(ids, leader) {
		ids = slices.Insert(ids, 0, leader)
	}
	for _, id := range ids { // until one has taken them
		var taken exchange.Taken
		err := s.ask(ctx, id, exchange.KindSubmit, &exchange.Entries{Entries: list}, &taken)
		s.mu.Lock()
		s.leader = taken.Leader
		s.mu.Unlock()
		if err != nil {
			s.o.Log.Debug("ledger: entries were not taken", slog.String("member", id), slog.Any("reason", err))
		} else if !all {
			return
		}
	}
}

// submitted takes entries from a member: its own, or anybody's from another sequencer.
func (s *Service) submitted(member string, list [][]byte) (exchange.Taken, error) {
	q := s.sequencer()
	if q == nil {
		return exchange.Taken{}, errors.New("this member is no sequencer")
	}
	if len(list) == 0 {
		return exchange.Taken{Leader: q.order.Leader()}, nil
	}
	author := ""
	for i, b := range list {
		one, err := entry.Unmarshal(b)
		if err != nil {
			return exchange.Taken{}, fmt.Errorf("entry %d: %w", i+1, err)
		}
		e, err := one.Decode()
		if err != nil {
			return exchange.Taken{}, fmt.Errorf("entry %d: %w", i+1, err)
		}
		if author == "" {
			author = e.Member
		}
		if e.Member != author || author != member && !q.isVoter(member) {
			return exchange.Taken{}, fmt.Errorf("entry %d is not the member's", i+1)
		}
	}
	if author != member && !q.wanted(author, list[0]) || !q.add(author, list, author == member) {
		return exchange.Taken{Leader: q.order.Leader()}, nil
	}
	return exchange.Taken{Count: uint64(len(list)), Leader: q.order.Leader()}, nil
}

// duties writes the entries that are for this node itself to write: its cosigning key, the
// ledger's beginning and ticks.
func (s *Service) duties(ctx context.Context) {
	begun := s.o.Now()
	var named time.Time
	for {
		changed := s.mirror.Changed()
		if err := s.duty(ctx, s.o.Now().Sub(begun), &named); err != nil && ctx.Err() == nil {
			s.alarm("an entry for the ledger was not written: " + err.Error())
		}
		if !wait(ctx, dutyPause) {
			return
		}
		select {
		case <-changed:
		case <-time.After(dutyTime):
		case <-ctx.Done():
			return
		}
	}
}

// renameTime is how long a node waits before it names its cosigning key again where it
// replaces another: that is void if it comes twice a day.
const renameTime = time.Hour

func (s *Service) duty(ctx context.Context, up time.Duration, named *time.Time) error {
	if begun, err := s.o.Chain.Begun(ctx); err != nil || !begun {
		return err
	}
	s.beware()
	list, _, err := s.unordered(ctx)
	if err != nil {
		return err
	}
	under := kinds(list) // on its way
	var key []byte
	var again time.Duration
	var place int
	var size uint64
	var active, begun, due bool
	err = s.mirror.State(func(st *replay.State) {
		if k := st.CosigningKey(s.o.Self); k != nil {
			key = k.Bytes()
		}
		if again = renameTime; key == nil {
			again = patience // a first one that was void
		}
		active, begun = slices.Contains(st.Active(), s.o.Self), st.Begun()
		size, place = st.Size(), slices.Index(st.Sequencers(), s.o.Self)
		due = place >= 0 && begun && s.tickDue(st)
	})
	now := s.o.Now()
	switch {
	case err != nil || !active:
		return err
	case !under[entry.CosigningKey] && !bytes.Equal(key, s.o.Key.Public().Bytes()) && (named.IsZero() || now.Sub(*named) > again):
		*named = now
		return s.o.Chain.Append(ctx, entry.CosigningKey, func(prev entry.Head) ([]byte, error) {
			b, err := entry.NewKeyState(prev, s.o.Self, s.o.Key)
			if err != nil {
				return nil, err
			}
			return entry.Body(b)
		})
	case !under[entry.Genesis] && place >= 0 && !begun && up >= time.Duration(place)*patience: // one of them does it
		digest := s.o.Roster.Digest()
		return s.o.Chain.Append(ctx, entry.Genesis, func(entry.Head) ([]byte, error) {
			return entry.Body(entry.RosterState{Version: s.o.Roster.Version, Digest: digest[:]})
		})
	case due && len(under) == 0:
		s.ticked = size
		return s.o.Chain.Append(ctx, entry.Tick, func(entry.Head) ([]byte, error) { return nil, nil })
	}
	return nil
}

// beware tells whoever still has this member's keys that others are about to replace them.
func (s *Service) beware() {
	var warnings []string
	err := s.mirror.State(func(st *replay.State) {
		for _, p := range st.Proposals() {
			if b, ok := p.Body.(entry.Renewal); ok && b.Member.ID == s.o.Self {
				warnings = append(warnings, fmt.Sprintf("%s proposes new keys for this member, as if it had lost its own; if it has not, object with: entente federation object %x",
					p.By, p.Digest[:4]))
			}
		}
	})
	if err != nil {
		return // others say so
	}
	for _, w := range warnings {
		s.alarm(w)
	}
}

// kinds are those of some entries.
func kinds(list [][]byte) map[entry.Kind]bool {
	out := map[entry.Kind]bool{}
	for _, b := range list {
		if one, err := entry.Unmarshal(b); err == nil {
			if e, err := one.Decode(); err == nil {
				out[e.Kind] = true
			}
		}
	}
	return out
}

// When a sequencer ticks: soon while there is something for which the time matters, seldom
// otherwise, so that an idle ledger stays quiet.
const (
	tickBusy = 5 * time.Minute
	tickIdle = 6 * time.Hour
)

// tickDue reports whether this sequencer should tick: the ledger has no time yet, something
// waits for time to pass, or long ago.
func (s *Service) tickDue(st *replay.State) bool {
	last := st.LastTick(s.o.Self)
	since := s.o.Now().Sub(time.UnixMilli(last))
	switch {
	case last == 0:
		return true
	case since < time.Duration(replay.MinTick)*time.Millisecond:
		return false
	case st.Clock() == 0:
		return true
	}
	// Ticks of the others are no reason to tick.
	busy := len(st.Proposals()) > 0 || st.Size() > s.ticked+2*uint64(len(st.Sequencers()))
	return since >= tickIdle || busy && since >= tickBusy
}
