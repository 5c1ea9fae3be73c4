package standing

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"

	"entente/crypto/oprf"
	"entente/node/store"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// outputBatch is how many inputs one core works on at a time.
const outputBatch = 1024

// begin opens a new tag period: a new key, everything that takes part as tags, all of the
// old period gone.
func (h *shelf) begin(ctx context.Context) error {
	old := h.state
	var last standing.Period
	if len(old.Signed.Body) > 0 && wire.Unmarshal(old.Signed.Body, &last) != nil {
		last = standing.Period{Index: old.LastIndex}
	}
	start := now().UnixMilli()
	ends := min(start+int64(h.session.PeriodSeconds)*1000, h.session.Expires)
	fresh := shelfState{LastIndex: standing.NextIndex(h.session.Created, start, max(last.Index, old.LastIndex))}
	rand.Read(fresh.Nonce[:])
	rand.Read(fresh.Dummies[:])
	h.state = fresh
	err := h.publish(ctx, start, ends)
	if err != nil {
		h.state = old
		return err
	}
	err = h.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		if err := h.drop(tx, recordMark, recordRun, recordDelta, recordAnswer); err != nil {
			return err
		}
		if err := h.write(tx, recordMark, 0, h.state.Last); err != nil {
			return err
		}
		return h.write(tx, recordShelf, 0, h.state)
	})
	if err != nil {
		made := nameOf(h.state.Tags, h.state.Published)
		h.state = old
		return errors.Join(err, h.s.remove(made))
	}
	return h.s.remove(nameOf(old.Tags, old.Published))
}

// publish computes the tags of everything that takes part, signs the period and fills the
// state in.
func (h *shelf) publish(ctx context.Context, starts, ends int64) (err error) {
	if err := h.room(ctx); err != nil {
		return err
	}
	index := h.state.LastIndex
	key, err := h.key(index)
	if err != nil {
		return err
	}
	if h.state.Seen, err = h.s.lastTouch(ctx); err != nil {
		return err
	}
	tags, err := h.own(ctx, key, index)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.s.remove(nameOf(h.state.Published, h.state.Tags)))
		}
	}()
	class := h.session.PublicationClass(len(tags))
	if class > int(h.session.Tags) {
		return errGrown
	}
	dummies, err := h.dummies(ctx, key, index, class-len(tags))
	if err != nil {
		return err
	}
	tags = append(tags, dummies...)
	sortTags(tags)
	h.state.Tags, err = h.s.build(standing.TagSize, standing.TagSize, func(w *store.SegmentWriter) error {
		for i := range tags {
			if err := w.Append(tags[i][:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.state.Last, err = standing.Published(h.session.Agreement, h.session.Feed, index, uint32(class), each(tags))
	if err != nil {
		return err
	}
	_, h.state.Signed, err = standing.SignPeriod(h.session, index, starts, ends, key.Public(), h.state.Last)
	return err
}

// room is errGrown if there is too much to publish, before anything is computed. Values are
// only counted one by one if the lists are so long that it could be.
func (h *shelf) room(ctx context.Context) error {
	spec, err := h.s.spec(ctx, h.f)
	if err != nil {
		return err
	}
	records := 0
	err = h.s.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Lists()
		for _, l := range all {
			if slices.Contains(spec.Lists, l.ID) {
				records += int(l.Items)
			}
		}
		return err
	})
	if err != nil || h.session.PublicationClass(records) <= int(h.session.Tags) {
		return err
	}
	n := 0
	for _, err := range h.s.o.Store.AllEligible(ctx, spec) {
		if err != nil {
			return err
		}
		n++
	}
	if h.session.PublicationClass(n) > int(h.session.Tags) {
		return errGrown
	}
	return nil
}

func each(tags []standing.Tag) iter.Seq2[standing.Tag, error] {
	return func(yield func(standing.Tag, error) bool) {
		for _, t := range tags {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func sortTags(tags []standing.Tag) {
	slices.SortFunc(tags, func(a, b standing.Tag) int { return bytes.Compare(a[:], b[:]) })
}

// own computes the tags of all values that take part and keeps which is whose.
func (h *shelf) own(ctx context.Context, key *oprf.Key, index uint32) (tags []standing.Tag, err error) {
	spec, err := h.s.spec(ctx, h.f)
	if err != nil {
		return nil, err
	}
	var part []store.Eligible
	var entry []byte
	h.state.Published, err = h.s.build(itemSize, lookupSize, func(w *store.SegmentWriter) error {
		flush := func() error {
			some, err := h.tagsOf(ctx, key, index, part)
			if err != nil {
				return err
			}
			for i, e := range part {
				entry = appendItem(entry[:0], e.Lookup, item{some[i], true})
				if err := w.Append(entry); err != nil {
					return err
				}
			}
			tags, part = append(tags, some...), part[:0]
			return nil
		}
		for e, err := range h.s.o.Store.AllEligible(ctx, spec) {
			if err != nil {
				return err
			}
			if part = append(part, e); len(part) == 8*outputBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return flush()
	})
	return tags, err
}

// tagsOf computes the tags of values.
func (h *shelf) tagsOf(ctx context.Context, key *oprf.Key, index uint32, values []store.Eligible) ([]standing.Tag, error) {
	in := standing.NewInputs(h.session.Agreement, h.session.Feed, index)
	inputs := make([][]byte, len(values))
	for i, e := range values {
		it, err := h.item(e)
		if err == nil {
			inputs[i], err = in.Element(it)
		}
		if err != nil {
			return nil, err
		}
	}
	return evaluate(ctx, key, inputs)
}

// item gives a value the version of its kind that was agreed.
func (x *feed) item(e store.Eligible) (standing.Item, error) {
	for _, k := range x.session.Kinds {
		if k.Name == string(e.Kind) {
			return standing.Item{Kind: k.Name, Version: k.Version, Element: e.Element}, nil
		}
	}
	return standing.Item{}, fmt.Errorf("kind %s is not part of the agreement", e.Kind)
}

// dummies computes the tags of the next n dummies.
func (h *shelf) dummies(ctx context.Context, key *oprf.Key, index uint32, n int) ([]standing.Tag, error) {
	places := make([]uint32, n)
	for i := range places {
		places[i] = h.state.Next + uint32(i)
	}
	h.state.Next += uint32(n)
	return h.dummiesAt(ctx, key, index, places)
}

func (h *shelf) dummiesAt(ctx context.Context, key *oprf.Key, index uint32, places []uint32) ([]standing.Tag, error) {
	in := standing.NewInputs(h.session.Agreement, h.session.Feed, index)
	inputs := make([][]byte, len(places))
	for i, place := range places {
		inputs[i] = in.Padding(h.state.Dummies[:], place)
	}
	return evaluate(ctx, key, inputs)
}

// evaluate computes tags on all cores.
func evaluate(ctx context.Context, key *oprf.Key, inputs [][]byte) ([]standing.Tag, error) {
	tags := make([]standing.Tag, len(inputs))
	parts := make(chan int, (len(inputs)+outputBatch-1)/outputBatch)
	for first := 0; first < len(inputs); first += outputBatch {
		parts <- first
	}
	close(parts)
	var work sync.WaitGroup
	var once sync.Once
	var failed error
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for first := range parts {
				part := inputs[first:min(first+outputBatch, len(inputs))]
				outputs, err := key.Outputs(part)
				if err == nil {
					err = ctx.Err()
				}
				if err != nil {
					once.Do(func() { failed = fmt.Errorf("compute tags: %w", err) })
					return
				}
				for i, out := range outputs {
					tags[first+i] = standing.EntryOf(out).Tag
				}
			}
		})
	}
	work.Wait()
	return tags, failed
}

// update makes the runs that are due: at a cadence always one, however often its syncs
// break, else only if something must go. A list that has grown beyond what was agreed still
// has what must go taken back: that is errGrown.
func (h *shelf) update(ctx context.Context, due bool) error {
	if err := h.get(ctx); err != nil {
		return err
	}
	p, ok := h.current()
	if !ok {
		return nil // the sync opens a new tag period
	}
	due = due && h.state.Made != h.f.dueAt()
	c, err := h.s.changes(ctx, h.state.Seen)
	if err != nil {
		return err
	}
	if c.all {
		return h.s.o.Store.Update(ctx, h.renew)
	}
	d, err := h.difference(ctx, c, false)
	if err != nil || !due && len(d.removes) == 0 {
		return err
	}
	fits, tombstones := h.outlook(len(d.adds), len(d.removes))
	if uint64(h.state.Last.Removed)+uint64(tombstones) > h.session.MostRemoved() {
		return h.s.o.Store.Update(ctx, h.renew) // the partner would refuse so many in one tag period
	}
	if !fits {
		d.adds, d.upTo = nil, h.state.Seen // they stay to be added
	}
	if err := h.runs(ctx, p.Index, d, due); err != nil || fits {
		return err
	}
	return errGrown
}

// runs makes as many runs as the changes need, at least one, in one step.
func (h *shelf) runs(ctx context.Context, index uint32, d difference, due bool) error {
	key, err := h.key(index)
	if err != nil {
		return err
	}
	adds, err := h.tagsOf(ctx, key, index, d.adds)
	if err != nil {
		return err
	}
	before := h.state
	var made []standing.Run
	var marks []standing.Mark
	var deltas [][]byte
	for first := true; first || len(d.adds)+len(d.removes) > 0; first = false {
		plan := standing.PlanRun(len(d.adds), len(d.removes), h.state.dummies())
		run, delta, err := h.run(ctx, key, index, plan, &d, &adds)
		if err != nil {
			h.state = before
			return err
		}
		made, marks, deltas = append(made, run), append(marks, h.state.Last), append(deltas, delta)
		h.state.Changed += uint32(len(delta) / itemSize)
	}
	h.state.Seen = d.upTo
	if due {
		h.state.Made = h.f.dueAt()
	}
	err = h.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		for i, r := range made {
			n := int64(marks[i].Run)
			if err := errors.Join(h.write(tx, recordRun, n, recordOf(r)), h.write(tx, recordMark, n, marks[i]),
				tx.PutStanding(h.f.ID, h.number(), recordDelta, n, deltas[i])); err != nil {
				return err
			}
		}
		return h.write(tx, recordShelf, 0, h.state)
	})
	if err != nil {
		h.state = before
	}
	return err
}

// outlook tells what runs with so many additions and removals would lead to: whether the tags
// stay within what was agreed, and how many tombstones there are in them.
func (h *shelf) outlook(adds, removes int) (fits bool, tombstones int) {
	living, dummies := int(h.state.Last.Living), h.state.dummies()
	fits = true
	for first := true; first || adds+removes > 0; first = false {
		p := standing.PlanRun(adds, removes, dummies)
		living += p.Adds + p.AddDummies - p.Removes - p.RemoveDummies
		dummies += p.AddDummies - p.RemoveDummies
		adds, removes = adds-p.Adds, removes-p.Removes
		fits = fits && living <= int(h.session.Tags)
		tombstones += p.Removes + p.RemoveDummies
	}
	return fits, tombstones
}

// run makes one run of the plan and takes what it tells off the difference.
func (h *shelf) run(ctx context.Context, key *oprf.Key, index uint32, plan standing.RunPlan, d *difference, adds *[]standing.Tag) (standing.Run, []byte, error) {
	var delta []byte
	additions := slices.Clone((*adds)[:plan.Adds])
	for i, e := range d.adds[:plan.Adds] {
		delta = appendItem(delta, e.Lookup, item{additions[i], true})
	}
	tombstones := slices.Clone(d.tags[:plan.Removes])
	for i, l := range d.removes[:plan.Removes] {
		delta = appendItem(delta, l, item{tombstones[i], false})
	}
	places, err := h.state.retire(plan.RemoveDummies)
	if err != nil {
		return standing.Run{}, nil, err
	}
	gone, err := h.dummiesAt(ctx, key, index, places)
	if err != nil {
		return standing.Run{}, nil, err
	}
	come, err := h.dummies(ctx, key, index, plan.AddDummies)
	if err != nil {
		return standing.Run{}, nil, err
	}
	additions, tombstones = append(additions, come...), append(tombstones, gone...)
	sortTags(additions)
	sortTags(tombstones)
	run, after, err := standing.SignRun(h.session, index, h.state.Last, additions, tombstones)
	if err != nil {
		return run, nil, err
	}
	h.state.Last = after
	*adds, d.adds = (*adds)[plan.Adds:], d.adds[plan.Adds:]
	d.removes, d.tags = d.removes[plan.Removes:], d.tags[plan.Removes:]
	return run, delta, nil
}
