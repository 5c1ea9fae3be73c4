package standing

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/protocol/round"
	"entente/protocol/tags"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

const testNow = int64(1_800_000_000_000)

const hour = int64(3_600_000)

func key(t testing.TB, b byte) *sign.PrivateKey {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{b}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// feed is one feed with both sides in one process: what each keeps, and what is true.
type feed struct {
	t      testing.TB
	asker  Session
	holder Session
	now    atomic.Int64
	shelf  *memoryShelf
	meter  *memoryMeter
	proofs *memoryReceipts
	cache  *memoryCache
	queue  *memoryQueue
	// wrap changes the ends of a stream, faults what the interfaces do.
	wrap   func(asker bool, c net.Conn) io.ReadWriter
	faults *faults
}

func newFeed(t testing.TB, number uint8) *feed {
	t.Helper()
	a, h := key(t, 1), key(t, 2)
	f := &feed{t: t}
	f.now.Store(testNow)
	s := Session{
		Agreement: [32]byte{9, 9}, Feed: number, Kinds: []Kind{{Name: "phone", Version: 1}}, Created: testNow - hour,
		Expires: testNow + 366*24*hour, Cadence: 24 * 3600, PeriodSeconds: 7 * 24 * 3600, Tags: 1 << 20, Queries: 1 << 16, Checks: 3,
		Now: func() time.Time { return time.UnixMilli(f.now.Load()) },
	}
	f.asker, f.holder = s, s
	f.asker.Asker, f.asker.Key, f.asker.PeerKey = true, a, h.Public()
	f.holder.Key, f.holder.PeerKey = h, a.Public()
	f.shelf = newShelf(t, f.holder)
	f.meter = &memoryMeter{limits: Limits{s.Queries, s.Checks}, now: &f.now}
	f.proofs = &memoryReceipts{}
	f.cache = &memoryCache{}
	f.queue = newQueue(f.cache)
	f.cache.queue = f.queue
	return f
}

// results is what one sync gave.
type results struct {
	ask, hold       Summary
	askErr, holdErr error
}

func (r results) must(t testing.TB) results {
	t.Helper()
	if r.askErr != nil || r.holdErr != nil {
		t.Fatalf("asker: %v, holder: %v", r.askErr, r.holdErr)
	}
	return r
}

// sync runs both sides over a pipe.
func (f *feed) sync() results { return f.syncContext(context.Background()) }

func (f *feed) syncContext(ctx context.Context) (r results) {
	a, h := net.Pipe()
	var ends [2]io.ReadWriter
	ends[0], ends[1] = a, h
	if f.wrap != nil {
		ends[0], ends[1] = f.wrap(true, a), f.wrap(false, h)
	}
	var both sync.WaitGroup
	both.Go(func() {
		r.ask, r.askErr = Ask(ctx, ends[0], f.asker, faultyCache{f.cache, f.faults}, faultyQueue{f.queue, f.faults})
	})
	both.Go(func() {
		r.hold, r.holdErr = Hold(ctx, ends[1], f.holder, faultyShelf{f.shelf, f.faults}, faultyMeter{f.meter, f.faults}, faultyReceipts{f.proofs, f.faults})
	})
	both.Wait()
	a.Close()
	h.Close()
	return r
}

// hits are what the asker finds out, after the stream has ended.
func (f *feed) hits() []string {
	var found []string
	for item, e := range f.queue.entries {
		if f.queue.list[item] && f.cache.set[e.Tag] {
			found = append(found, item)
		}
	}
	slices.Sort(found)
	return found
}

// truth is what there is to find out.
func (f *feed) truth() []string {
	var shared []string
	for item := range f.queue.list {
		if _, ok := f.shelf.items[item]; ok {
			shared = append(shared, item)
		}
	}
	slices.Sort(shared)
	return shared
}

func (f *feed) check() {
	f.t.Helper()
	if got, want := f.hits(), f.truth(); !slices.Equal(got, want) {
		f.t.Fatalf("hits %v, truth %v", got, want)
	}
}

// memoryShelf publishes a list of strings.
type memoryShelf struct {
	t         testing.TB
	s         Session
	secret    []byte
	open      *Open
	index     uint32
	seed      []byte
	drawn     uint32
	items     map[string]Tag // real ones, as published up to the newest run
	dummies   []Tag
	published []Tag
	marks     []Mark
	stock     []Run
	renew     bool
	forced    []Tag           // of a holder that publishes other tags, in its next run
	extra     int             // more dummies in a publication
	list      map[string]bool // real list, before the next run or publication
}

func newShelf(t testing.TB, s Session) *memoryShelf {
	return &memoryShelf{t: t, s: s, secret: bytes.Repeat([]byte{5}, SecretSize), items: map[string]Tag{}, list: map[string]bool{}}
}

func (m *memoryShelf) tag(item string) Tag {
	input, err := NewInputs(m.s.Agreement, m.s.Feed, m.index).Element(itemOf(m.s, item))
	outputs, again := m.open.Key.Outputs([][]byte{input})
	if err := errors.Join(err, again); err != nil {
		m.t.Fatal(err)
	}
	return EntryOf(outputs[0]).Tag
}

// fresh draws dummies. That they are outputs of the function makes no difference here.
func (m *memoryShelf) fresh(n int) []Tag {
	list := make([]Tag, n)
	for i := range list {
		m.drawn++
		digest := sha256.Sum256(binary.BigEndian.AppendUint32(slices.Clone(m.seed), m.drawn))
		list[i] = Tag(digest[:])
	}
	return list
}

func ascending(list []Tag) []Tag {
	slices.SortFunc(list, tags.Compare)
	return list
}

func (m *memoryShelf) Period(context.Context) (Open, error) {
	now := m.s.Now().UnixMilli()
	if m.open != nil && !m.renew && now < m.open.Period.Ends {
		return *m.open, nil
	}
	m.renew = false
	m.index = NextIndex(m.s.Created, now, m.index)
	var nonce [32]byte
	rand.Read(nonce[:])
	m.seed = slices.Clone(nonce[:])
	k, err := HolderKey(m.secret, m.s.Agreement, m.s.Feed, m.index, nonce)
	if err != nil {
		return Open{}, err
	}
	m.open = &Open{Key: k}
	m.items, m.stock = map[string]Tag{}, nil
	var all []Tag
	for item := range m.list {
		m.items[item] = m.tag(item)
		all = append(all, m.items[item])
	}
	class := m.s.PublicationClass(len(all) + m.extra)
	m.dummies = m.fresh(class - len(all))
	m.published = ascending(append(all, m.dummies...))
	mark, err := Published(m.s.Agreement, m.s.Feed, m.index, uint32(class), each(m.published))
	if err != nil {
		return Open{}, err
	}
	m.marks = []Mark{mark}
	m.open.Period, m.open.Signed, err = SignPeriod(m.s, m.index, now, min(now+int64(m.s.PeriodSeconds)*1000, m.s.Expires), k.Public(), mark)
	return *m.open, err
}

// change makes the runs that bring what is published up to the list: at least one.
func (m *memoryShelf) change() {
	m.t.Helper()
	if m.open == nil {
		return
	}
	for once := true; once; {
		var adds, removes []string
		for item := range m.list {
			if _, ok := m.items[item]; !ok {
				adds = append(adds, item)
			}
		}
		for item := range m.items {
			if !m.list[item] {
				removes = append(removes, item)
			}
		}
		p := PlanRun(len(adds), len(removes), len(m.dummies))
		once = p.Adds < len(adds) || p.Removes < len(removes)
		var additions, tombstones []Tag
		for _, item := range removes[:p.Removes] {
			tombstones = append(tombstones, m.items[item])
			delete(m.items, item)
		}
		tombstones = append(tombstones, m.dummies[:p.RemoveDummies]...)
		m.dummies = m.dummies[p.RemoveDummies:]
		for _, item := range adds[:p.Adds] {
			m.items[item] = m.tag(item)
			additions = append(additions, m.items[item])
		}
		dummies := append(m.fresh(p.AddDummies-len(m.forced)), m.forced...)
		m.forced = nil
		additions = append(additions, dummies...)
		m.dummies = append(m.dummies, dummies...)
		if len(m.dummies) < MinDummies {
			m.t.Fatalf("%d dummies", len(m.dummies))
		}
		r, after, err := SignRun(m.s, m.index, m.marks[len(m.marks)-1], ascending(additions), ascending(tombstones))
		if err != nil {
			m.t.Fatal(err)
		}
		m.stock, m.marks = append(m.stock, r), append(m.marks, after)
	}
}

func each(list []Tag) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func (m *memoryShelf) Publication(_ context.Context, index, block uint32) iter.Seq2[Tag, error] {
	return each(m.published[min(int(block)*BlockTags, len(m.published)):])
}

func (m *memoryShelf) Runs(_ context.Context, index, after uint32) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		for _, r := range m.stock[after:] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *memoryShelf) Mark(_ context.Context, index, run uint32) (Mark, bool, error) {
	if run == Latest {
		run = uint32(len(m.marks) - 1)
	}
	if index != m.index || int(run) >= len(m.marks) {
		return Mark{}, false, nil
	}
	return m.marks[run], true, nil
}

// memoryMeter keeps an Account through its encoding, as a database would.
type memoryMeter struct {
	mu      sync.Mutex
	limits  Limits
	now     *atomic.Int64
	record  []byte
	answers map[uint32][]byte
	taking  func() // told of each charge; may be nil
	most    int    // answers stored at a time
	taken   int    // chunks charged, repetitions not counted
	places  int
}

func (m *memoryMeter) with(use func(*Account) error) error {
	var a Account
	if m.record != nil {
		if err := wire.Unmarshal(m.record, &a); err != nil {
			return err
		}
	}
	err := use(&a)
	b, again := wire.Marshal(a)
	m.record = b
	return errors.Join(err, again)
}

func (m *memoryMeter) Position(_ context.Context, index uint32) (p Position, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err = m.with(func(a *Account) error {
		if a.Index != index {
			m.answers = map[uint32][]byte{}
		}
		if err := a.Begin(index); err != nil {
			return err
		}
		p = a.Position(m.now.Load())
		return nil
	})
	return p, err
}

func (m *memoryMeter) Take(_ context.Context, c Chunk) (answer []byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err = m.with(func(a *Account) error {
		again, err := a.Take(m.limits, c, m.now.Load())
		if err == nil && !again {
			m.taken++
			m.places += c.Class
			if m.taking != nil {
				m.taking()
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m.answers[c.Number], nil
}

func (m *memoryMeter) Keep(_ context.Context, index, number uint32, answer []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers[number] == nil {
		m.answers[number] = answer
	}
	m.most = max(m.most, len(m.answers))
	return nil
}

func (m *memoryMeter) Acknowledged(_ context.Context, index, next uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.answers {
		if n < next {
			delete(m.answers, n)
		}
	}
	return m.with(func(a *Account) error { return a.Acknowledge(index, next) })
}

type memoryReceipts struct{ all []Applied }

func (m *memoryReceipts) Applied(_ context.Context, a Applied, _ round.Signed) error {
	m.all = append(m.all, a)
	return nil
}

// memoryCache is a set of tags.
type memoryCache struct {
	state State
	set   map[Tag]bool
	queue *memoryQueue
}

func (m *memoryCache) State(context.Context) (State, error) { return m.state, nil }

func (m *memoryCache) Begin(_ context.Context, p Period, s round.Signed) error {
	known := m.state.Known
	if p.Index != m.state.Period.Index {
		known = Mark{}
		m.queue.begin()
	}
	m.state, m.set = State{Signed: s, Period: p, Known: known}, map[Tag]bool{}
	return nil
}

func (m *memoryCache) Block(_ context.Context, b Block) error {
	if b.Index != m.state.Blocks {
		return errors.New("not the next block")
	}
	for _, t := range b.Tags {
		m.set[t] = true
	}
	m.state.Blocks, m.state.Mark, m.state.Last = b.Index+1, b.Mark, b.Tags[len(b.Tags)-1]
	return nil
}

func (m *memoryCache) Apply(_ context.Context, r Run, after Mark) error {
	for _, t := range r.Additions {
		if err := CheckMember(after.Run, true, m.set[t]); err != nil {
			return err
		}
	}
	for _, t := range r.Tombstones {
		if err := CheckMember(after.Run, false, m.set[t]); err != nil {
			return err
		}
	}
	for _, t := range r.Additions {
		m.set[t] = true
	}
	for _, t := range r.Tombstones {
		delete(m.set, t)
	}
	m.state.Mark = after
	if after.Run > m.state.Known.Run {
		m.state.Known = after
	}
	if len(m.set) != int(after.Living) {
		return errors.New("the mark's count is wrong")
	}
	return nil
}

// memoryQueue asks about a list of strings.
type memoryQueue struct {
	mu      sync.Mutex
	cache   *memoryCache
	list    map[string]bool
	entries map[string]Entry // of this period
	made    map[string]bool  // is in a chunk
	chunks  []Question
	base    uint32 // number of the first chunk here
	next    uint32 // oldest one without answer
	split   int    // most items in a chunk; 0: no limit
	class   int    // of new chunks; 0: the smallest that fits
	cadence bool   // make a chunk even if there is nothing to ask
	urgent  []string
	version uint16 // of the kind
}

// itemOf is an item of the first agreed kind.
func itemOf(s Session, element string) Item {
	return Item{s.Kinds[0].Name, s.Kinds[0].Version, []byte(element)}
}

func newQueue(c *memoryCache) *memoryQueue {
	q := &memoryQueue{cache: c, version: 1, list: map[string]bool{}}
	q.begin()
	return q
}

func (q *memoryQueue) begin() {
	q.entries, q.made, q.chunks, q.next, q.base = map[string]Entry{}, map[string]bool{}, nil, 0, 0
}

func (q *memoryQueue) Resume(_ context.Context, index uint32, p Position) (uint32, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) == 0 && q.next < p.Next { // lost
		q.next, q.base = p.Next, p.Next
	}
	return q.next, nil
}

// make puts what is new into a chunk.
func (q *memoryQueue) make() (Question, bool) {
	question := Question{Number: q.base + uint32(len(q.chunks)), Class: MinPlaces}
	var items []string
	if len(q.urgent) > 0 {
		question.Urgent, items, q.urgent = true, q.urgent[:1], q.urgent[1:]
	} else {
		for item := range q.list {
			if !q.made[item] && len(items) < cmp.Or(q.split, MaxPlaces) {
				items = append(items, item)
			}
		}
		slices.Sort(items)
		if len(items) == 0 && !q.cadence {
			return question, false
		}
		question.Class = max(q.class, wire.SizeClass(len(items)))
		q.cadence = false
	}
	rand.Read(question.Seed[:])
	for _, item := range items {
		q.made[item] = true
		question.Items = append(question.Items, Item{"phone", q.version, []byte(item)})
	}
	q.chunks = append(q.chunks, question)
	return question, true
}

func (q *memoryQueue) Questions(ctx context.Context, index uint32) iter.Seq2[Question, error] {
	return func(yield func(Question, error) bool) {
		q.mu.Lock()
		number := q.next
		q.mu.Unlock()
		for ; ; number++ {
			q.mu.Lock()
			var question Question
			more := true
			if at := int(number - q.base); at < len(q.chunks) {
				question = q.chunks[at]
			} else {
				question, more = q.make()
			}
			q.mu.Unlock()
			if !more || !yield(question, nil) {
				return
			}
		}
	}
}

func (q *memoryQueue) Answered(_ context.Context, index, number uint32, entries []Entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if number != q.next {
		return errors.New("not the next answer")
	}
	for i, e := range entries {
		q.entries[string(q.chunks[number-q.base].Items[i].Element)] = e
	}
	q.next++
	return nil
}

// pair is both sides of a subscription.
type pair struct {
	proposer, responder round.Parties
	offer               Offer
	answer              Answer
}

func newPair(t testing.TB) *pair {
	t.Helper()
	a, b := key(t, 1), key(t, 2)
	roster := [32]byte{7}
	p := &pair{
		proposer:  round.Parties{Self: "AU", Peer: "ID", Roster: roster, Key: a, PeerKey: b.Public()},
		responder: round.Parties{Self: "ID", Peer: "AU", Roster: roster, Key: b, PeerKey: a.Public()},
	}
	granted := terms.Widest(terms.IDs, terms.IDs)
	bounds := Bounds{Cadence: 24 * 3600, Period: 7 * 24 * 3600, Tags: 1 << 20, Queries: 1 << 16, Checks: 10}
	p.offer = Offer{
		Version: Version, Subscription: bytes.Repeat([]byte{3}, IDSize), Roster: roster[:], From: "AU", To: "ID",
		Created: testNow, Expires: testNow + 90*24*hour, Kinds: []Kind{{Name: "email", Version: 1}, {Name: "phone", Version: 2}},
		Purpose: "trafficking", Basis: "AU-TIP", Asked: granted, Granted: granted, Rules: make([]byte, 32),
		Limit: bounds, Class: 64, Consequence: ConsequenceVersion,
	}
	p.answer = Answer{
		Created: testNow + 1000, Expires: testNow + 60*24*hour, Kinds: []Kind{{Name: "phone", Version: 1}}, Basis: "ID-TIP",
		Terms: granted, Rules: make([]byte, 32), Limit: bounds, Class: 80,
	}
	p.answer.Limit.Checks = 2
	return p
}

// tape records the frames that both sides write, and may change them.
type tape struct {
	mu     sync.Mutex
	frames []taped
	change func(taped) []taped // what is written instead; nil: as it is
}

type taped struct {
	asker bool
	kind  wire.Kind
	body  []byte
}

func (f taped) bytes() []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(f.kind)}, uint32(len(f.body)))
	return append(b, f.body...)
}

func (t *tape) wrap(asker bool, c net.Conn) io.ReadWriter { return tapedConn{c, asker, t} }

type tapedConn struct {
	net.Conn
	asker bool
	tape  *tape
}

func (c tapedConn) Write(b []byte) (int, error) {
	out := []taped{{c.asker, wire.Kind(b[0]), bytes.Clone(b[wire.HeaderSize:])}}
	c.tape.mu.Lock()
	if c.tape.change != nil {
		out = c.tape.change(out[0])
	}
	c.tape.frames = append(c.tape.frames, out...)
	c.tape.mu.Unlock()
	for _, f := range out {
		if _, err := c.Conn.Write(f.bytes()); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
