package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
	"entente/protocol/roster"
)

// Standing is how the ledger stands, as an operator needs it.
type Standing struct {
	Origin  string    `json:"origin"`  // of its checkpoints
	Term    uint64    `json:"term"`    // 1 unless it had to go on in a new one
	Entries uint64    `json:"entries"` // that this node holds
	Final   uint64    `json:"final"`   // of these, that can never change
	Since   time.Time `json:"since"`   // when this node learnt of the newest final ones; zero: not since it started
	Clock   time.Time `json:"clock"`   // the ledger's own time; zero: it has none yet
	Leader  string    `json:"leader,omitempty"`
	Waiting int       `json:"waiting"`            // own entries that are not final
	Oldest  time.Time `json:"oldest"`             // when the first of them was written
	Took    string    `json:"took,omitempty"`     // until own entries were final, median of the last
	Quorum  int       `json:"quorum"`             // members that must cosign
	Members []Member  `json:"members"`            // that have part, ascending
	Alarms  []string  `json:"alarms,omitempty"`   // what this node found wrong
	Remedy  []string  `json:"remedies,omitempty"` // what to do, if something is amiss
}

// Member is one member's part, as this node sees it.
type Member struct {
	ID        string    `json:"id"`
	Sequencer bool      `json:"sequencer"`
	Key       bool      `json:"key"`      // it has named the key with which it cosigns
	Cosigned  bool      `json:"cosigned"` // the newest final checkpoint that this node keeps
	Behind    uint64    `json:"behind"`   // final entries that it had not when last heard of
	Heard     time.Time `json:"heard"`    // when it last answered; zero: not since this node started
	Convicted bool      `json:"convicted,omitempty"`
}

// heard is what a member last said of itself.
type heard struct {
	at     time.Time
	behind uint64 // final entries that it did not know of then
}

// hear notes how far a member is.
func (s *Service) hear(member string, theirs exchange.Status) {
	c, _ := checkpoint.Parse(theirs.Final) // without one nothing is final there: size 0
	own, err := s.mirror.LastFinal()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[member] = heard{s.o.Now(), own.Size - min(c.Size, own.Size)}
}

// mostTimes is how many of the last own entries tell how long it takes until they are final.
const mostTimes = 64

// measure notes how long own entries take until they are final, until ctx ends.
func (s *Service) measure(ctx context.Context) {
	var last entry.Head
	s.mirror.FinalState(func(st *replay.State) { last = st.Head(s.o.Self) })
	for {
		changed := s.mirror.Changed()
		var now entry.Head
		s.mirror.FinalState(func(st *replay.State) { now = st.Head(s.o.Self) })
		if now.Digest != last.Digest {
			s.took(ctx, last, now)
			last = now
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// took notes the times of own entries behind one up to another, which are final now.
func (s *Service) took(ctx context.Context, from, to entry.Head) {
	list, err := s.o.Chain.Entries(ctx, from, mostTimes)
	if err != nil {
		return // handIn says so
	}
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finalAt = now
	for _, b := range list {
		one, err := entry.Unmarshal(b)
		if err != nil {
			return
		}
		e, err := one.Decode()
		if err != nil || e.Sequence > to.Sequence {
			return
		}
		s.times = append(s.times, now.Sub(time.UnixMilli(e.Time)))
		s.times = s.times[max(0, len(s.times)-mostTimes):]
	}
}

// Standing tells how the ledger stands.
func (s *Service) Standing(ctx context.Context) (Standing, error) {
	var out Standing
	final, err := s.mirror.LastFinal()
	if err != nil {
		return out, err
	}
	kept, err := s.mirror.Final()
	if err != nil {
		return out, err
	}
	cosigned := map[string]bool{}
	if len(kept) > 0 {
		for _, one := range kept[len(kept)-1].Signatures {
			cosigned[one.Member] = cosigned[one.Member] || one.Role == checkpoint.Cosigner
		}
	}
	out.Final = final.Size
	err = s.mirror.State(func(st *replay.State) {
		out.Entries, out.Origin, out.Term = st.Size(), st.Term().String(), st.Term().Term
		if st.Clock() > 0 {
			out.Clock = time.UnixMilli(st.Clock())
		}
		ids, sequencers, convicted := st.Active(), st.Sequencers(), st.Convicted()
		out.Quorum = checkpoint.Quorum(len(ids))
		for _, id := range ids {
			_, bad := convicted[id]
			out.Members = append(out.Members, Member{
				ID: id, Sequencer: slices.Contains(sequencers, id), Key: st.CosigningKey(id) != nil,
				Cosigned: cosigned[id], Convicted: bad,
			})
		}
	})
	if err != nil {
		return out, err
	}
	if out.Waiting, out.Oldest, err = s.Waiting(ctx); err != nil {
		return out, err
	}
	calls, err := s.Calls()
	if err != nil {
		return out, err
	}
	if q := s.sequencer(); q != nil {
		out.Leader = q.order.Leader()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if out.Leader == "" {
		out.Leader = s.leader
	}
	out.Alarms, out.Since = slices.Clone(s.alarms), s.finalAt
	if n := len(s.times); n > 0 {
		times := slices.Sorted(slices.Values(s.times))
		out.Took = times[n/2].Round(time.Millisecond).String()
	}
	for i := range out.Members {
		m := &out.Members[i]
		h := s.seen[m.ID]
		if m.ID == s.o.Self {
			h = heard{s.o.Now(), 0}
		}
		m.Heard, m.Behind = h.at, h.behind
	}
	for _, c := range calls {
		if !c.Pledged {
			out.Remedy = append(out.Remedy, fmt.Sprintf("%s calls for ledger term %d: see entente ledger recover", c.By, c.Term))
		} else {
			out.Remedy = append(out.Remedy, fmt.Sprintf("this node signs nothing more before ledger term %d begins, for which %s has called (entente ledger recover)", c.Term, c.By))
		}
	}
	out.remedies(s.o.Now())
	return out, nil
}

// Wait returns when the mirror has changed, after so long, or when ctx ends.
func (s *Service) Wait(ctx context.Context, most time.Duration) {
	select {
	case <-s.mirror.Changed():
	case <-time.After(most):
	case <-ctx.Done():
	}
}

// slow is how long an entry may wait before an operator should look into it.
const slow = 5 * time.Minute

// hopeless is how long it may wait before people should consider a new term.
const hopeless = time.Hour

// remedies says what to do about what is amiss.
func (o *Standing) remedies(now time.Time) {
	add := func(format string, args ...any) { o.Remedy = append(o.Remedy, fmt.Sprintf(format, args...)) }
	var silent, keyless, convicted []string
	for _, m := range o.Members {
		if now.Sub(m.Heard) > 3*gossipTime*time.Duration(len(o.Members)) {
			silent = append(silent, m.ID)
		}
		if !m.Key {
			keyless = append(keyless, m.ID)
		}
		if m.Convicted {
			convicted = append(convicted, m.ID)
		}
	}
	if len(convicted) > 0 {
		add("%v signed what cannot both be true: ask them, and suspend them if they have no good answer (entente federation suspend)", convicted)
	}
	if len(keyless) > 0 && o.Final == 0 {
		add("%v have not named the key with which they cosign: their nodes have to serve", keyless)
	}
	if o.Waiting == 0 || now.Sub(o.Oldest) < slow {
		return
	}
	add("own entries have waited for %s to become final", now.Sub(o.Oldest).Round(time.Second))
	if present := len(o.Members) - len(silent); present < o.Quorum {
		add("%d of %d members must cosign, and only %d answered lately: reach %v by telephone", o.Quorum, len(o.Members), present, silent)
	} else if o.Leader == "" {
		add("no sequencer leads: more than half of them must be able to reach one another")
	}
	if now.Sub(o.Oldest) > hopeless {
		add("the ledger may stand still for good: speak to the other members, and go on in a new term (entente ledger recover)")
	}
}

// Waiting counts the own entries that are not final, and tells when the first of them was written.
func (s *Service) Waiting(ctx context.Context) (n int, oldest time.Time, err error) {
	var head entry.Head
	s.mirror.FinalState(func(st *replay.State) { head = st.Head(s.o.Self) })
	list, err := s.o.Chain.Entries(ctx, head, mostWaiting)
	if err != nil || len(list) == 0 {
		return 0, time.Time{}, err
	}
	one, err := entry.Unmarshal(list[0])
	if err != nil {
		return 0, time.Time{}, err
	}
	e, err := one.Decode()
	return len(list), time.UnixMilli(e.Time), err
}

// mostWaiting is as far as waiting entries are counted.
const mostWaiting = 10_000

// Members returns the roster that is in force by what is final, and who of it is suspended.
func (s *Service) Members() (r roster.Roster, suspended []string) {
	if !s.mirror.FinalState(func(st *replay.State) { r, suspended = st.Roster(), st.Suspended() }) {
		r = s.o.Roster
	}
	return r, suspended
}

// Order is who orders entries by what is final, and of which blocs those who decide must be.
func (s *Service) Order() (sequencers []string, spread roster.Spread) {
	if !s.mirror.FinalState(func(st *replay.State) { spread = st.Spread() }) {
		spread = s.o.Roster.Spread
	}
	return s.sequencers(), spread
}

// Knows reports whether a roster is or was in force by what is final.
func (s *Service) Knows(digest [32]byte) (known bool) {
	if !s.mirror.FinalState(func(st *replay.State) { known = st.InForce(digest) }) {
		known = digest == s.o.Roster.Digest()
	}
	return known
}

// Proof returns the proof that an entry is in the newest final tree, as a C2SP tlog-proof:
// index, hashes, and the checkpoint as a signed note.
func (s *Service) Proof(index uint64) (string, error) {
	final, note, err := s.Note()
	if err != nil {
		return "", err
	}
	if index >= final.Size {
		return "", fmt.Errorf("prove entry %d: %w: %d entries are final", index, ErrNotHeld, final.Size)
	}
	hashes, err := s.mirror.Inclusion(index, final.Size)
	if err != nil {
		return "", err
	}
	return checkpoint.Proof(index, hashes, note), nil
}

// Note is the newest final checkpoint, and the same as a signed note. errors.Is ErrNotHeld.
func (s *Service) Note() (checkpoint.Checkpoint, string, error) {
	kept, err := s.mirror.Final()
	if err != nil {
		return checkpoint.Checkpoint{}, "", err
	}
	if len(kept) == 0 {
		return checkpoint.Checkpoint{}, "", fmt.Errorf("%w: nothing is final yet", ErrNotHeld)
	}
	signed := kept[len(kept)-1]
	c, err := signed.Checkpoint()
	if err != nil {
		return c, "", err
	}
	committee, err := s.decide(c.Origin, c.Size)
	if err != nil {
		return c, "", err
	}
	note, err := committee.Note(signed)
	return c, note, err
}
