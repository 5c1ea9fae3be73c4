package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"entente/node/ledger/ordering"
	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/exchange"
	"entente/protocol/replay"
)

// RaftProtocol is spoken between sequencers.
const RaftProtocol = "/entente/raft/1"

// errNewTerm says that the ledger goes on in a new term, whose log is another.
var errNewTerm = errors.New("a new term has begun")

// errAstray says that a quorum has signed another order than this sequencer's Raft has. Its
// log is worth nothing then: it starts anew and gets the others'.
var errAstray = errors.New("the leader has shown this sequencer another order than the others")

// sequencer is a member's part in ordering entries.
type sequencer struct {
	s      *Service
	ctx    context.Context   // of its part
	origin checkpoint.Origin // of the term in which it orders
	guard  *ordering.Guard
	order  *ordering.Order
	tail   *tail

	mu      sync.Mutex
	voters  []string
	pending map[string]*waiting // entries to be ordered, by author
	added   chan struct{}       // closed when some are added
	lost    chan struct{}       // closed when the log has gone astray
	stuck   time.Time           // since when checkpoints fail although others answer; zero: they do not
	stuckAt uint64              // entries that were final then
	gone    sync.Once
}

// waiting are entries of one author, in its order.
type waiting struct {
	entries [][]byte
	next    uint64    // number of the first
	told    string    // the leader to whom all of them were handed on
	owes    string    // the leader who knows of the first
	since   time.Time // when it was told, or that became the first
}

// sequencer is this member's part in ordering, or nil.
func (s *Service) sequencer() *sequencer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.orders
}

// ServeRaft answers Raft's requests of another sequencer. It owns the stream.
func (s *Service) ServeRaft(ctx context.Context, stream Stream) {
	q := s.sequencer()
	if q == nil {
		s.recall(stream.Member())
	}
	if q == nil || !q.greeted(stream) {
		stream.Reset()
		return
	}
	q.guard.Serve(ctx, stream)
}

// recall has one that has left ordering take part again, for a sequencer that still counts on its
// vote: it may have come to lead before it learnt that others sequence now, and given the vote
// back. It cannot take it away again without those to whom it gave one.
func (s *Service) recall(by string) {
	if _, err := os.Stat(filepath.Join(s.o.Dir, raftFolder)); err != nil || !slices.Contains(s.sequencers(), by) {
		return
	}
	select {
	case s.recalled <- struct{}{}:
	default:
	}
}

// sequenceUntil takes part in ordering until ctx ends or this member is no sequencer any more.
// wipe has Raft's log begin anew.
func (s *Service) sequenceUntil(ctx context.Context, wipe bool) (err error) {
	folder := filepath.Join(s.o.Dir, raftFolder)
	origin, anew, err := s.mirror.orders()
	if err != nil {
		return fmt.Errorf("order entries: %w", err)
	}
	if wipe || anew {
		s.o.Log.Warn("ledger: ordering begins anew, with what is final")
		if err := errors.Join(os.RemoveAll(folder), s.mirror.disorder(origin)); err != nil {
			return fmt.Errorf("order entries: %w", err)
		}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("order entries: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	q := &sequencer{s: s, ctx: ctx, origin: origin, pending: map[string]*waiting{}, added: make(chan struct{}), lost: make(chan struct{}), voters: s.sequencers()}
	if q.tail, err = newTail(s.mirror); err != nil {
		return fmt.Errorf("order entries: %w", err)
	}
	if q.tail.origin != origin {
		return errNewTerm
	}
	open := func(ctx context.Context, member string) (ordering.Stream, error) {
		return q.greet(s.o.Open(ctx, member, RaftProtocol))
	}
	if q.guard, err = ordering.NewGuard(s.o.Self, open, q.isVoter, ordering.Options{Log: s.o.Log}); err != nil {
		return fmt.Errorf("order entries: %w", err)
	}
	settings := ordering.Settings{Dir: folder, Silence: s.o.Silence, Log: s.o.Log}
	if size, base := q.tail.size(); size == base && !wipe {
		settings.Members = q.voters
	}
	if q.order, err = ordering.Start(q.guard, q, settings); err != nil {
		return errors.Join(fmt.Errorf("order entries: %w", err), q.guard.Close())
	}
	s.setSequencer(q)
	var work sync.WaitGroup
	for _, part := range []func(context.Context){q.lead, q.drive, q.watch, q.handOn} {
		work.Go(func() { part(ctx) })
	}
	err = q.until(ctx)
	s.setSequencer(nil)
	stop()
	closed := q.order.Close()
	work.Wait()
	return errors.Join(err, closed)
}

func (s *Service) setSequencer(q *sequencer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = q
}

// How long one that sequences no more stays although no leader speaks to it: with a vote, since
// the others may have taken that without its learning of it; without one, since a leader may
// be on its way to give it back.
const (
	leaveTime   = time.Minute
	partingTime = 10 * time.Second
)

// until returns when this member has no part in ordering any more: by what is final, and by
// Raft, whose other voters may need its vote until it is taken from it.
func (q *sequencer) until(ctx context.Context) error {
	alone := time.Now()
	for {
		changed := q.s.mirror.Changed()
		q.s.tell()
		if q.s.mirror.Term() != q.origin {
			return errNewTerm
		}
		var again <-chan time.Time
		if !q.s.sequences() {
			if q.order.Leader() != "" {
				alone = time.Now()
			}
			stay := partingTime
			if slices.Contains(q.votes(), q.s.o.Self) {
				stay = leaveTime
			}
			if time.Since(alone) > stay {
				return nil
			}
			again = time.After(pauseTime)
		}
		select {
		case <-changed:
		case <-again:
		case <-q.lost:
			return errAstray
		case <-ctx.Done():
			return nil
		}
	}
}

// votes are who has a vote by what is known here. They are kept for isVoter.
func (q *sequencer) votes() []string {
	now, err := q.order.Voters()
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		q.voters = now
	}
	return q.voters
}

// greetTime is how long a sequencer waits for the other side to say for which term it orders.
const greetTime = 10 * time.Second

// greeting is what goes first on a stream: whose log it is about. Logs of two terms must not
// be taken for one.
func (q *sequencer) greeting() [sha256.Size]byte { return sha256.Sum256([]byte(q.origin.String())) }

// greet begins a stream.
func (q *sequencer) greet(stream Stream, err error) (ordering.Stream, error) {
	if err != nil {
		return nil, err
	}
	g := q.greeting()
	if _, err := stream.Write(g[:]); err != nil {
		stream.Reset()
		return nil, err
	}
	return stream, nil
}

// greeted reports whether a stream is about the log of this term.
func (q *sequencer) greeted(stream Stream) bool {
	timer := time.AfterFunc(greetTime, stream.Reset)
	defer timer.Stop()
	var g [sha256.Size]byte
	_, err := io.ReadFull(stream, g[:])
	return err == nil && g == q.greeting()
}

// isVoter reports whether a member may speak in Raft: it sequences by what is final, or has
// a vote that the leader has not taken from it yet.
func (q *sequencer) isVoter(id string) bool {
	if slices.Contains(q.s.sequencers(), id) {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Contains(q.voters, id)
}

// Apply implements ordering.Machine.
func (q *sequencer) Apply(index uint64, b []byte) {
	// A leader that orders on and on, while nothing becomes final, has this side wait, not fill up.
	for q.tail.ahead() > 2*exchange.MaxStep && wait(q.ctx, pauseTime) {
	}
	done, _, err := q.s.mirror.ordered()
	if err == nil && index <= done {
		return // applied before a restart, and in the mirror
	}
	if err == nil {
		err = q.tail.apply(index, b)
		q.look()
	}
	if err != nil {
		q.s.o.Log.Debug("ledger: a command had no effect", slog.Any("reason", err))
		return
	}
	q.ordered()
}

// Snapshot implements ordering.Machine: the state is the mirror itself, so what is kept is
// only how many entries it must hold. It is kept once these are final, since nobody
// restores what is not.
func (q *sequencer) Snapshot() ([]byte, func(context.Context) error) {
	size, _ := q.tail.end()
	return binary.BigEndian.AppendUint64(nil, size), func(ctx context.Context) error {
		for {
			changed := q.s.mirror.Changed()
			final, err := q.s.mirror.LastFinal()
			if err != nil || final.Size >= size {
				return err
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// Restore implements ordering.Machine: entries come from other members with a final
// checkpoint, never from a leader's word.
func (q *sequencer) Restore(_ context.Context, state []byte) error {
	if len(state) != 8 {
		return errors.New("restore ledger: the snapshot is malformed")
	}
	want := binary.BigEndian.Uint64(state)
	final, err := q.s.mirror.LastFinal()
	if err != nil {
		return err
	}
	if final.Size < want { // Raft waits for this: who fetches is another, and the leader asks again
		q.s.hurry()
		return fmt.Errorf("restore ledger: %d entries of %d are final here yet", final.Size, want)
	}
	return q.tail.restored(want)
}

// settle is tail.settle, and notices when the own log has gone astray.
func (q *sequencer) settle(signed checkpoint.Signed, from uint64, entries [][]byte) error {
	err := q.tail.settle(signed, from, entries)
	q.look()
	return err
}

// look has ordering begin anew if the log has gone astray.
func (q *sequencer) look() {
	q.tail.mu.Lock()
	defer q.tail.mu.Unlock()
	if q.tail.astray {
		q.gone.Do(func() { close(q.lost) })
	}
}

// wanted reports whether what another sequencer hands on is worth keeping: nothing of its
// author waits here, and the first entry can be ordered next. So nobody fills this member
// with what it made up.
func (q *sequencer) wanted(author string, first []byte) bool {
	q.mu.Lock()
	waits := q.pending[author] != nil
	q.mu.Unlock()
	if waits {
		return false
	}
	var trial *replay.State
	q.tail.view(func(st *replay.State, _ checkpoint.Checkpoint) { trial = st.Clone() })
	_, err := trial.Apply(first)
	return err == nil
}

// add has entries of one author ordered, and reports whether it takes them. What the author
// hands in itself takes the place of what was waiting of it; what others hand on does not: it
// may be older, and left out what has come meanwhile.
func (q *sequencer) add(author string, list [][]byte, itself bool) bool {
	one, err := entry.Unmarshal(list[0])
	if err != nil {
		return false // looked at before
	}
	e, err := one.Decode()
	if err != nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiting{entries: list, next: e.Sequence} // the leader is told again: it may have lost them
	if old := q.pending[author]; old != nil {
		if !itself {
			return false
		}
		if old.next == w.next {
			w.owes, w.since = old.owes, old.since
		}
	}
	q.pending[author] = w
	close(q.added)
	q.added = make(chan struct{})
	return true
}

// ordered drops what waits no more, after the tail has grown.
func (q *sequencer) ordered() {
	q.tail.view(func(st *replay.State, _ checkpoint.Checkpoint) {
		q.mu.Lock()
		defer q.mu.Unlock()
		for author, w := range q.pending {
			q.drop(author, w, st.Head(author).Next())
		}
	})
}

// drop leaves out entries with numbers below the next.
func (q *sequencer) drop(author string, w *waiting, next uint64) {
	for len(w.entries) > 0 && w.next < next {
		if w.entries = w.entries[1:]; len(w.entries) == 0 {
			break
		}
		w.since = time.Now()
		one, err := entry.Unmarshal(w.entries[0])
		if err != nil {
			w.entries = nil
			break
		}
		e, err := one.Decode()
		if err != nil {
			w.entries = nil
			break
		}
		w.next = e.Sequence
	}
	if len(w.entries) == 0 {
		delete(q.pending, author)
	}
}

// queue returns the authors with entries that wait, in order, and what is closed when there
// are more.
func (q *sequencer) queue() (lists map[string][][]byte, more <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lists = map[string][][]byte{}
	for author, w := range q.pending {
		lists[author] = w.entries
	}
	return lists, q.added
}
