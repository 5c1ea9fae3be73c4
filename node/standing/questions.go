package standing

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"slices"

	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// inlineTodo is how many lookups wait in the state itself; more become a file.
const inlineTodo = 1 << 14

// questionRecord is a chunk of questions until its answer is here.
type questionRecord struct {
	_       struct{} `codec:",toarray"`
	Urgent  bool
	Class   uint32
	Seed    [standing.SecretSize]byte
	Items   []itemRecord
	Lookups []byte
}

type itemRecord struct {
	_       struct{} `codec:",toarray"`
	Kind    string
	Version uint16
	Element []byte
}

func (q questionRecord) question(number uint32) standing.Question {
	out := standing.Question{Number: number, Urgent: q.Urgent, Class: int(q.Class), Seed: q.Seed}
	for _, i := range q.Items {
		out.Items = append(out.Items, standing.Item{Kind: i.Kind, Version: i.Version, Element: i.Element})
	}
	return out
}

// check is one value that a person wants asked about now.
type check struct {
	item   standing.Item
	lookup store.Lookup
	tried  bool   // it had a chunk in a try that broke
	made   bool   // it has a chunk
	number uint32 // of its chunk
	tag    standing.Tag
	done   bool // it was answered
	over   bool // the day's checks are used up: it was not asked
	hit    bool
}

// Resume hears where the holder is. Questions that the holder has charged and forgotten
// cannot be asked again; so numbers go on where the holder's do.
func (a *asker) Resume(ctx context.Context, index uint32, p standing.Position) (uint32, error) {
	a.left, a.charged = int64(a.session.Queries)-int64(p.Used), p.Next
	a.checksLeft = max(int(a.session.Checks)-int(p.Checks), 0)
	if err := a.withdraw(ctx); err != nil {
		return 0, err
	}
	if a.state.Oldest < p.Acknowledged || a.state.Next < p.Next {
		lost, err := a.pending(ctx)
		if err != nil {
			return 0, err
		}
		if err := a.jump(ctx, p.Next, lost); err != nil {
			return 0, err
		}
	}
	return a.state.Oldest, nil
}

// jump goes on with other numbers, above all that there were; the holder states how far.
// Entries that were compared go to files before, others move up to the new numbers, so that
// none is taken for compared. What was under way begins anew.
func (a *asker) jump(ctx context.Context, next uint32, lost []questionRecord) error {
	if err := a.keep(ctx); err != nil {
		return err
	}
	before := a.state
	a.state.Todo = slices.Clone(a.state.Todo)
	for _, q := range lost {
		a.state.Todo = append(a.state.Todo, q.Lookups...)
	}
	loose := before.Oldest - before.MatchedChunk
	a.state.Oldest, a.state.Next = next, next
	a.state.MatchedChunk, a.state.Kept = next-loose, next-loose
	err := a.save(ctx, func(tx *store.Tx) error {
		for i := range int64(loose) { // from the last one on: the ranges may overlap
			b, err := tx.Standing(a.f.ID, a.number(), recordAsked, int64(before.Oldest)-1-i)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err == nil {
				err = tx.PutStanding(a.f.ID, a.number(), recordAsked, int64(next)-1-i, b)
			}
			if err != nil {
				return err
			}
		}
		return errors.Join(a.drop(tx, recordQuestion), tx.DropStanding(a.f.ID, a.number(), recordAsked, int64(next-loose)))
	})
	if err != nil {
		a.state = before
	}
	return err
}

// withdraw takes back what the holder has not charged, if the day's checks do not suffice for
// the urgent questions in it: they would be refused, and all that follows with them. What is
// not urgent is asked anew, under new numbers.
func (a *asker) withdraw(ctx context.Context) error {
	all, err := a.pending(ctx)
	if err != nil {
		return err
	}
	old := min(int(max(a.charged, a.state.Oldest)-a.state.Oldest), len(all)) // these are charged
	urgent, todo := 0, slices.Clone(a.state.Todo)
	for _, q := range all[old:] {
		if q.Urgent {
			urgent++
		} else {
			todo = append(todo, q.Lookups...)
		}
	}
	if urgent <= a.checksLeft {
		a.checksLeft -= urgent
		return nil
	}
	before := a.state
	a.state.Next, a.state.Todo = a.state.Oldest+uint32(old), todo
	err = a.save(ctx, func(tx *store.Tx) error {
		if err := a.drop(tx, recordQuestion); err != nil {
			return err
		}
		for i, q := range all[:old] {
			if err := a.write(tx, recordQuestion, int64(before.Oldest)+int64(i), q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		a.state = before
	}
	return err
}

// pending are the chunks without answers, by number from the oldest on.
func (a *asker) pending(ctx context.Context) ([]questionRecord, error) {
	var out []questionRecord
	err := a.s.o.Store.View(ctx, func(tx *store.Tx) error {
		for rec, err := range tx.StandingRange(a.f.ID, a.number(), recordQuestion, 0) {
			if err != nil {
				return err
			}
			var q questionRecord
			if err := wire.Unmarshal(rec.Value, &q); err != nil {
				return err
			}
			out = append(out, q)
		}
		return nil
	})
	return out, err
}

// Questions yields the chunks that lack an answer, then urgent checks, then what the
// cadence asks.
func (a *asker) Questions(ctx context.Context, index uint32) iter.Seq2[standing.Question, error] {
	return func(yield func(standing.Question, error) bool) {
		old, err := a.pending(ctx)
		if err != nil {
			yield(standing.Question{}, err)
			return
		}
		a.mu.Lock()
		first := a.state.Oldest
		for i, q := range old {
			a.underWay(q, first+uint32(i))
		}
		a.mu.Unlock()
		for i, q := range old {
			if !q.Urgent && first+uint32(i) >= a.charged {
				a.left -= int64(q.Class)
			}
			if !yield(q.question(first+uint32(i)), nil) {
				return
			}
		}
		if err := a.answeredBefore(ctx); err != nil {
			yield(standing.Question{}, err)
			return
		}
		for i := range a.checks {
			if a.checks[i].made {
				continue
			}
			if a.checks[i].over = a.checksLeft == 0; a.checks[i].over {
				continue
			}
			a.checksLeft--
			q, err := a.urgent(ctx, &a.checks[i])
			if !yield(q, err) || err != nil {
				return
			}
		}
		if a.due && a.state.Made != a.f.dueAt() {
			a.cadence(ctx, yield)
		}
	}
}

// underWay finds the check that a chunk is about, if a try that broke has made one: it is not
// asked twice. The caller holds mu.
func (a *asker) underWay(q questionRecord, number uint32) {
	for i := range a.checks {
		if c := &a.checks[i]; q.Urgent && bytes.Equal(q.Lookups, c.lookup[:]) {
			c.made, c.number = true, number
		}
	}
}

// answeredBefore finds checks whose chunk an earlier try has made and another stream, of the
// partner's perhaps, has had answered: they are not asked again.
func (a *asker) answeredBefore(ctx context.Context) error {
	if !slices.ContainsFunc(a.checks, func(c check) bool { return c.tried && !c.made }) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.had(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	for i := range a.checks {
		c := &a.checks[i]
		if !c.tried || c.made {
			continue
		}
		tag, _, err := k.find(c.lookup)
		if err != nil {
			return err
		}
		if tag != nil {
			c.made, c.done, c.tag = true, true, *tag
		}
	}
	return nil
}

// urgent makes the chunk of one check.
func (a *asker) urgent(ctx context.Context, c *check) (standing.Question, error) {
	q := questionRecord{Urgent: true, Class: standing.MinPlaces, Lookups: c.lookup[:],
		Items: []itemRecord{{Kind: c.item.Kind, Version: c.item.Version, Element: c.item.Element}}}
	return a.make(ctx, &q, func(number uint32) { c.made, c.number = true, number })
}

// make draws a chunk's seed and makes it durable, in one step with what change does to the
// state.
func (a *asker) make(ctx context.Context, q *questionRecord, change func(number uint32)) (standing.Question, error) {
	rand.Read(q.Seed[:])
	a.mu.Lock()
	defer a.mu.Unlock()
	before, number := a.state, a.state.Next
	a.state.Next++
	change(number)
	err := a.save(ctx, func(tx *store.Tx) error {
		if err := tx.AddQuota(a.f.Partner, rounds.Day(now()), int64(q.Class)); err != nil {
			return err
		}
		return a.write(tx, recordQuestion, int64(number), *q)
	})
	if err != nil {
		a.state = before
		return standing.Question{}, err
	}
	return q.question(number), nil
}

// cadence asks about everything that waits, as far as the quota reaches, in chunks that
// together tell no more than a size class; nothing to ask is one chunk of padding.
func (a *asker) cadence(ctx context.Context, yield func(standing.Question, error) bool) {
	if err := a.prepare(ctx); err != nil {
		yield(standing.Question{}, err)
		return
	}
	queue, err := a.queue()
	if err != nil {
		yield(standing.Question{}, err)
		return
	}
	defer queue.close()
	plan := standing.PlanQuestions(int(queue.len()))
	for i, class := range plan {
		if int64(class) > a.left {
			class = classWithin(a.left)
		}
		if class == 0 {
			return // the rest waits for the next tag period
		}
		lookups, err := queue.next(class)
		if err == nil {
			var q standing.Question
			if q, err = a.chunk(ctx, class, lookups, queue, i == len(plan)-1); err == nil {
				a.left -= int64(class)
				if !yield(q, nil) {
					return
				}
				continue
			}
		}
		yield(standing.Question{}, err)
		return
	}
}

// classWithin is the largest class of questions that a quota still allows; 0 for none.
func classWithin(left int64) int {
	best := 0
	for class := standing.MinPlaces; int64(class) <= left && class <= standing.MaxPlaces; class = wire.SizeClass(class + 1) {
		best = class
	}
	return best
}

// chunk makes the questions about some values; those that no longer take part are left out.
// The last one says that the cadence has its questions: a sync that breaks afterwards must
// not use the quota again for padding.
func (a *asker) chunk(ctx context.Context, class int, lookups []store.Lookup, queue *queue, last bool) (standing.Question, error) {
	q := questionRecord{Class: uint32(class)}
	eligible, err := a.s.eligible(ctx, a.f, lookups)
	if err != nil {
		return standing.Question{}, err
	}
	for _, l := range lookups {
		e, ok := eligible[l]
		if !ok {
			continue
		}
		i, err := a.item(e)
		if err != nil {
			return standing.Question{}, err
		}
		q.Items = append(q.Items, itemRecord{Kind: i.Kind, Version: i.Version, Element: i.Element})
		q.Lookups = append(q.Lookups, l[:]...)
	}
	return a.make(ctx, &q, func(uint32) {
		a.state.WantedAt, a.state.Todo = queue.position, queue.rest
		if last {
			a.state.Made = a.f.dueAt()
		}
	})
}

// queue is what waits to be asked: first a file, then what came since.
type queue struct {
	file     *store.Segment
	position int64
	rest     []byte
}

func (a *asker) queue() (*queue, error) {
	g, err := a.s.segment(a.state.Wanted)
	return &queue{file: g, position: a.state.WantedAt, rest: a.state.Todo}, err
}

func (q *queue) close() { closing(q.file) }

func (q *queue) len() int64 {
	n := int64(len(q.rest) / lookupSize)
	if q.file != nil {
		n += q.file.Len() - q.position
	}
	return n
}

// next takes up to n lookups.
func (q *queue) next(n int) ([]store.Lookup, error) {
	var out []store.Lookup
	if q.file != nil && q.position < q.file.Len() {
		for e, err := range q.file.From(q.position) {
			if err != nil {
				return nil, err
			}
			out = append(out, store.Lookup(e))
			q.position++
			if len(out) == n {
				return out, nil
			}
		}
	}
	k := min(n-len(out), len(q.rest)/lookupSize)
	out = append(out, lookupsOf(q.rest[:k*lookupSize])...)
	q.rest = q.rest[k*lookupSize:]
	return out, nil
}

// prepare finds out what is to be asked: at first everything that takes part, then what the
// log of changes names.
func (a *asker) prepare(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state.Prepared {
		c, err := a.s.changes(ctx, a.state.Seen)
		if err != nil {
			return err
		}
		if !c.all {
			return a.follow(ctx, c)
		}
	}
	seen, err := a.s.lastTouch(ctx)
	if err != nil {
		return err
	}
	spec, err := a.s.spec(ctx, a.f)
	if err != nil {
		return err
	}
	had, err := a.had(ctx)
	if err != nil {
		return err
	}
	defer had.close()
	wanted, err := a.s.build(lookupSize, lookupSize, func(w *store.SegmentWriter) error {
		for e, err := range a.s.o.Store.AllEligible(ctx, spec) {
			if err != nil {
				return err
			}
			if _, known, err := had.find(e.Lookup); known || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			if err := w.Append(e.Lookup[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.replace(ctx, wanted, func() {
		if !a.state.Prepared {
			a.state.Rematched, a.state.Swept, a.state.SweptAt = seen, seen, now().UnixMilli()
		}
		a.state.WantedAt, a.state.Todo, a.state.Seen, a.state.Prepared = 0, nil, seen, true
	})
}

// replace puts another file in place of what is wanted.
func (a *asker) replace(ctx context.Context, wanted []byte, change func()) error {
	before := a.state
	change()
	a.state.Wanted = wanted
	if err := a.save(ctx, nil); err != nil {
		a.state = before
		return errors.Join(err, a.s.remove(nameOf(wanted)))
	}
	return a.s.remove(nameOf(before.Wanted))
}

// follow adds what has come to what is wanted. What was asked in this tag period is not
// asked again, whatever has changed about it.
func (a *asker) follow(ctx context.Context, c changes) error {
	if len(c.lookups) == 0 {
		return nil
	}
	eligible, err := a.s.eligible(ctx, a.f, c.lookups)
	if err != nil {
		return err
	}
	had, err := a.had(ctx)
	if err != nil {
		return err
	}
	defer had.close()
	// What was not asked before has no entry that could have become a hit.
	rematched := a.state.Rematched
	if rematched == a.state.Seen {
		rematched = c.upTo
	}
	todo := slices.Clone(a.state.Todo)
	for _, l := range c.sorted() {
		if _, ok := eligible[l]; !ok {
			continue
		}
		_, known, err := had.find(l)
		if err != nil {
			return err
		}
		if known {
			rematched = a.state.Rematched
		} else {
			todo = append(todo, l[:]...)
		}
	}
	if len(todo) <= inlineTodo*lookupSize {
		before := a.state
		a.state.Todo, a.state.Seen, a.state.Rematched = todo, c.upTo, rematched
		if err := a.save(ctx, nil); err != nil {
			a.state = before
			return err
		}
		return nil
	}
	wanted, err := a.join(todo)
	if err != nil {
		return err
	}
	return a.replace(ctx, wanted, func() { a.state.WantedAt, a.state.Todo, a.state.Seen, a.state.Rematched = 0, nil, c.upTo, rematched })
}

// join makes one file of what is left of the old one and more lookups.
func (a *asker) join(more []byte) ([]byte, error) {
	list := lookupsOf(more)
	old, err := a.queue()
	if err != nil {
		return nil, err
	}
	defer old.close()
	if old.file != nil {
		rest, err := old.next(int(old.file.Len() - old.position))
		if err != nil {
			return nil, err
		}
		list = append(list, rest...)
	}
	slices.SortFunc(list, compareLookups)
	list = slices.Compact(list)
	return a.s.build(lookupSize, lookupSize, func(w *store.SegmentWriter) error {
		for i := range list {
			if err := w.Append(list[i][:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Answered makes the entries of a chunk durable.
func (a *asker) Answered(ctx context.Context, index, number uint32, entries []standing.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var q questionRecord
	found, err := a.load(ctx, recordQuestion, int64(number), &q)
	if err != nil {
		return err
	}
	lookups := lookupsOf(q.Lookups)
	if !found || len(lookups) != len(entries) {
		return errors.New("an answer to a question that is not kept")
	}
	b := make([]byte, 0, len(entries)*entrySize)
	for i, e := range entries {
		b = appendEntry(b, evaluated{e, lookups[i]})
	}
	before := a.state
	a.state.Oldest, a.state.Unsure = number+1, a.state.Unsure || q.Urgent
	err = a.save(ctx, func(tx *store.Tx) error {
		if err := tx.DropStanding(a.f.ID, a.number(), recordQuestion, int64(number)+1); err != nil {
			return err
		}
		return tx.PutStanding(a.f.ID, a.number(), recordAsked, int64(number), b)
	})
	if err != nil {
		a.state = before
		return err
	}
	for i := range a.checks {
		c := &a.checks[i]
		if q.Urgent && c.made && c.number == number && len(entries) > 0 {
			c.done, c.tag = true, entries[0].Tag
		}
	}
	return nil
}
