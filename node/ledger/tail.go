package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sync"

	"go.etcd.io/bbolt"

	"entente/protocol/checkpoint"
	"entente/protocol/exchange"
	"entente/protocol/replay"
	"entente/protocol/wire"
)

// command is what a leader puts into Raft's log: entries, and the size of the tree that
// they go on from. One that does not go on from where the log has led so far, or of which an
// entry is not admitted, has no effect, for whoever applies it: so after a change of leaders
// nothing is in twice or in another place.
type command struct {
	_       struct{} `codec:",toarray"`
	From    uint64
	Entries [][]byte
}

// tail is what a sequencer has ordered beyond its mirror: not yet signed by a quorum of
// sequencers, so not for others, and forgotten if a quorum signs something else.
type tail struct {
	mirror *Mirror
	origin checkpoint.Origin // of the term in which it orders

	mu       sync.Mutex
	base     uint64        // entries of the mirror that the tail goes on from
	log      uint64        // size of the tree to which Raft's log has led so far
	head     *replay.State // after all of the tail; never changed, only replaced
	entries  [][]byte
	hashes   map[int64]checkpoint.Hash // of the tree, beyond the base
	marks    []mark                    // ends of commands, ascending
	expected map[string]expected       // of own commands that are on their way
	astray   bool                      // a quorum has signed another order than this one
	grown    chan struct{}
}

// mark is a size at which a command ended, and so one that checkpoints are made of.
type mark struct {
	index uint64 // of the command
	voids []void // among the entries since the mark before
	state *replay.State
	tree  checkpoint.Checkpoint
}

// expected is what an own command leads to, if it is applied to the state for which it was
// made: the same one, not one like it.
type expected struct {
	from, to *replay.State
	voids    []void
}

func newTail(m *Mirror) (*tail, error) {
	t := &tail{mirror: m, origin: m.Term(), grown: make(chan struct{}), expected: map[string]expected{}}
	_, size, err := m.ordered()
	if err != nil {
		return nil, err
	}
	if err := t.reset(); err != nil {
		return nil, err
	}
	t.log = max(size, t.head.Base()) // a term's log begins where its tree does
	return t, nil
}

// reset forgets the tail. The caller holds mu, or is alone.
func (t *tail) reset() error {
	t.entries, t.marks, t.hashes = nil, nil, map[int64]checkpoint.Hash{}
	return t.mirror.State(func(s *replay.State) { t.head, t.base = s.Clone(), s.Size() })
}

// follow brings the tail up to the mirror, which may have grown by itself while this member
// began to sequence. The caller holds mu.
func (t *tail) follow() error {
	var size uint64
	var now checkpoint.Origin
	if err := t.mirror.State(func(s *replay.State) { size, now = s.Size(), s.Term() }); err != nil {
		return err
	}
	if now != t.origin {
		return ErrTerm // what is ordered here is worth nothing any more
	}
	if size == t.base {
		return nil
	}
	c, err := t.mirror.Checkpoint(size)
	if err != nil {
		return err
	}
	for i, m := range t.marks {
		if m.tree == c {
			t.cut(i)
			return nil
		}
	}
	t.astray = t.astray || size <= t.head.Size() // no command ended there
	for _, m := range t.marks {
		if m.tree.Size > size {
			break
		}
		held, err := t.mirror.Checkpoint(m.tree.Size)
		if err != nil {
			return err
		}
		t.astray = t.astray || held != m.tree // it was ordered otherwise
	}
	return t.reset()
}

// cut forgets what is in the mirror: up to a mark.
func (t *tail) cut(i int) {
	size := t.marks[i].tree.Size
	t.entries, t.marks, t.base = t.entries[size-t.base:], t.marks[i+1:], size
	below := int64(checkpoint.Stored(size))
	for p := range t.hashes {
		if p < below {
			delete(t.hashes, p)
		}
	}
}

// overlay reads the tree's hashes from the tail, and below it from the mirror.
type overlay struct {
	tail map[int64]checkpoint.Hash
	file reader
}

func (o overlay) ReadHashes(places []int64) ([]checkpoint.Hash, error) {
	out := make([]checkpoint.Hash, len(places))
	for i, p := range places {
		h, ok := o.tail[p]
		if !ok {
			below, err := o.file.ReadHashes(places[i : i+1])
			if err != nil {
				return nil, err
			}
			h = below[0]
		}
		out[i] = h
	}
	return out, nil
}

// apply takes a command of Raft's log in, if it fits.
func (t *tail) apply(index uint64, b []byte) error {
	var c command
	if err := wire.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("command %d: %w", index, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.follow(); err != nil {
		return err
	}
	want := t.expected[string(b)]
	delete(t.expected, string(b))
	if n := len(c.Entries); n == 0 || n > exchange.MaxEntries {
		return fmt.Errorf("command %d has %d entries, must have 1 to %d", index, n, exchange.MaxEntries)
	}
	if c.From != t.log {
		return fmt.Errorf("command %d goes on from %d entries, the log has led to %d", index, c.From, t.log)
	}
	end := c.From + uint64(len(c.Entries))
	if c.From < t.base {
		return t.known(index, c, end)
	}
	if size := t.head.Size(); c.From != size {
		return fmt.Errorf("command %d goes on from %d entries, the tree has %d", index, c.From, size)
	}
	after, voids := want.to, want.voids
	if after == nil || want.from != t.head {
		after, voids = t.head.Clone(), nil
		for i, e := range c.Entries {
			a, err := after.Apply(e)
			if err != nil {
				return fmt.Errorf("command %d, entry %d: %w", index, i+1, err)
			}
			if a.Boundary && i+1 < len(c.Entries) {
				return fmt.Errorf("command %d goes on after a change of the committee", index)
			}
			voids = voided(voids, a)
		}
	}
	if err := t.push(index, c.Entries, after, voids); err != nil {
		return err
	}
	t.log = end
	return nil
}

// known follows a command whose entries the mirror may hold already, since others have made
// them final. It had effect exactly if they are there: then all sequencers' trees are one.
func (t *tail) known(index uint64, c command, end uint64) error {
	held, err := t.mirror.Entries(c.From, len(c.Entries), math.MaxInt)
	if err != nil {
		return err
	}
	if end > t.base || len(held) != len(c.Entries) {
		t.astray = true
		return fmt.Errorf("command %d goes beyond a checkpoint that ends within it", index)
	}
	for i, b := range held {
		if !bytes.Equal(b, c.Entries[i]) {
			return fmt.Errorf("command %d had no effect for the others", index)
		}
	}
	t.log = end
	return nil
}

// tree is the tree of all that is ordered.
func (t *tail) tree() checkpoint.Checkpoint {
	if n := len(t.marks); n > 0 {
		return t.marks[n-1].tree
	}
	c, err := t.mirror.Checkpoint(t.base)
	if err != nil {
		return checkpoint.Checkpoint{} // equal to none
	}
	return c
}

func (t *tail) push(index uint64, entries [][]byte, after *replay.State, voids []void) error {
	return t.mirror.view(func(_ *replay.State, tx *bbolt.Tx) error {
		hashes := overlay{t.hashes, reader{tx}}
		size := t.head.Size()
		for _, e := range entries {
			added, err := checkpoint.Append(size, checkpoint.Leaf(e), hashes)
			if err != nil {
				return err
			}
			for i, h := range added {
				t.hashes[int64(checkpoint.Stored(size))+int64(i)] = h
			}
			size++
		}
		root, err := checkpoint.Root(size, hashes)
		if err != nil {
			return err
		}
		t.head, t.entries = after, append(t.entries, entries...)
		t.marks = append(t.marks, mark{index, voids, after, checkpoint.Checkpoint{Origin: after.Term(), Size: size, Root: root}})
		close(t.grown)
		t.grown = make(chan struct{})
		return nil
	})
}

// expect notes what an own command will lead to, so that it is not checked twice.
func (t *tail) expect(b []byte, e expected) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expected[string(b)] = e
}

// forget ends all expectations: this member leads no more.
func (t *tail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expected = map[string]expected{}
}

// at is the tree of a size that is held or ordered, if a command ended there.
func (t *tail) at(size uint64) (checkpoint.Checkpoint, bool) {
	for _, m := range t.marks {
		if m.tree.Size == size {
			return m.tree, true
		}
	}
	c, err := t.mirror.Checkpoint(size)
	return c, err == nil
}

// sign signs the tree of a size as sequencer, if a command that is ordered here, or the
// mirror, ends there, and it is not further beyond what is final than others can follow.
// errors.Is ErrNotHeld.
func (t *tail) sign(s *Signer, size uint64) (checkpoint.Checkpoint, checkpoint.Signature, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.follow(); err != nil {
		return checkpoint.Checkpoint{}, checkpoint.Signature{}, err
	}
	c, ok := t.at(size)
	if !ok || size < t.base {
		return c, checkpoint.Signature{}, fmt.Errorf("sign as sequencer: %w: the tree of %d entries", ErrNotHeld, size)
	}
	most, err := t.most()
	if err != nil {
		return c, checkpoint.Signature{}, err
	}
	if size > max(most, t.base) {
		return c, checkpoint.Signature{}, fmt.Errorf("sign as sequencer: %w: %d entries", ErrTooFar, size)
	}
	signed, err := s.sequence(c, t.at)
	return c, signed, err
}

// settle moves what a quorum has signed from the tail to the mirror, or takes it in if it
// is ahead of the tail or another order. entries are those from from on, if the caller has
// them.
func (t *tail) settle(s checkpoint.Signed, from uint64, entries [][]byte) error {
	c, err := s.Checkpoint()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.follow(); err != nil {
		return err
	}
	for i, m := range t.marks {
		if m.tree != c {
			continue
		}
		next := step{entries: t.entries[:c.Size-t.base], after: m.state, index: m.index}
		for _, before := range t.marks[:i+1] {
			next.voids = append(next.voids, before.voids...)
		}
		if err := t.mirror.extend(s, next); err != nil {
			return err
		}
		t.cut(i)
		return nil
	}
	if from < t.base {
		entries = entries[min(t.base-from, uint64(len(entries))):]
	}
	if err := t.mirror.Extend(s, entries); err != nil {
		return err
	}
	return t.follow()
}

// end is the tree of all that is ordered, and the sizes of checkpoints that it allows.
func (t *tail) end() (size uint64, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head.Size(), t.grown
}

// size is how many entries are ordered in all, and with how many the term began.
func (t *tail) size() (all, base uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head.Size(), t.head.Base()
}

// changes is closed when something is ordered.
func (t *tail) changes() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.grown
}

// goal is the largest tree beyond the mirror that may be signed next; zero if there is none.
func (t *tail) goal() (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.follow(); err != nil {
		return 0, err
	}
	goal, err := t.most()
	if goal == t.base {
		goal = 0
	}
	return goal, err
}

// most is the largest tree that may be signed: at most a step beyond what is final, since
// members take in no more at a time, and not beyond a change of the committee that is not
// final. The mirror's own size if there is none beyond it. The caller holds mu.
func (t *tail) most() (uint64, error) {
	final, entries, bytes, err := t.mirror.room()
	if err != nil {
		return 0, err
	}
	most, from := t.base, uint64(0)
	for _, m := range t.marks {
		size := m.tree.Size
		for ; from < size-t.base; from++ {
			bytes += uint64(len(t.entries[from]))
		}
		if b, ok := m.state.Boundary(final); ok && b < size || entries+size-t.base > exchange.MaxStep || bytes > exchange.MaxStepBytes {
			break
		}
		most = size
	}
	return most, nil
}

// open is how many of so many entries are not final yet.
func (t *tail) open(size uint64) uint64 {
	final, _, _, err := t.mirror.room()
	if err != nil {
		return math.MaxUint64
	}
	return size - min(final, size)
}

// ahead is how many ordered entries are not final yet.
func (t *tail) ahead() uint64 {
	size, _ := t.end()
	return t.open(size)
}

// restored notes that Raft's log goes on from a snapshot of a tree of that size.
func (t *tail) restored(size uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = size
	return errors.Join(t.mirror.disorder(t.head.Term()), t.reset())
}

// view gives use the state after all that is ordered. It must not change it.
func (t *tail) view(use func(*replay.State, checkpoint.Checkpoint)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	use(t.head, t.tree())
}
