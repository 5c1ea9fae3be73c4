package standing

import (
	"context"
	"slices"
	"time"

	"entente/node/store"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// sweepEvery is how long entries of values that no longer take part may stay: well within
// the day, and not so often that a list is written anew for each value that goes.
const sweepEvery = 12 * time.Hour

// known answers what was asked in this tag period: files, loose entries, and questions that
// are under way, whose tag is not here yet.
type known struct {
	files []*store.Segment
	loose map[store.Lookup]evaluated
	asked map[store.Lookup]bool
}

func (k *known) close() {
	for _, g := range k.files {
		closing(g)
	}
}

// find tells whether a value was asked about, and its tag unless that is still to come.
// Asked in order, each chunk of a file is opened once.
func (k *known) find(l store.Lookup) (tag *standing.Tag, is bool, err error) {
	if e, ok := k.loose[l]; ok {
		return &e.Tag, true, nil
	}
	for _, g := range slices.Backward(k.files) {
		entry, ok, err := g.Find(l[:])
		if err != nil {
			return nil, false, err
		}
		if ok {
			t := standing.Tag(entry[lookupSize:])
			return &t, true, nil
		}
	}
	return nil, k.asked[l], nil
}

// had opens what was asked; it is to be closed.
func (a *asker) had(ctx context.Context) (*known, error) {
	k := &known{loose: map[store.Lookup]evaluated{}, asked: map[store.Lookup]bool{}}
	list, err := a.entries(ctx, a.state.Kept, a.state.Next)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		k.loose[e.lookup] = e
	}
	err = a.s.o.Store.View(ctx, func(tx *store.Tx) error {
		for rec, err := range tx.StandingRange(a.f.ID, a.number(), recordQuestion, 0) {
			if err != nil {
				return err
			}
			var q questionRecord
			if err := wire.Unmarshal(rec.Value, &q); err != nil {
				return err
			}
			for _, l := range lookupsOf(q.Lookups) {
				k.asked[l] = true
			}
		}
		return nil
	})
	for _, info := range a.state.Had {
		if err != nil {
			break
		}
		var g *store.Segment
		if g, err = a.s.segment(info); err == nil {
			k.files = append(k.files, g)
		}
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// rematch compares values that were asked before and have changed with the partner's set:
// one that takes part again, or on another list, may have become a hit meanwhile.
func (a *asker) rematch(ctx context.Context, set *tagSet, found map[store.Lookup]evaluated) (upTo int64, err error) {
	c, err := a.s.changes(ctx, a.state.Rematched)
	if err != nil || !c.all && len(c.lookups) == 0 {
		return c.upTo, err
	}
	if c.all {
		if upTo, err = a.s.lastTouch(ctx); err != nil {
			return 0, err
		}
		return upTo, a.rematchAll(ctx, set, found)
	}
	k, err := a.had(ctx)
	if err != nil {
		return 0, err
	}
	defer k.close()
	var back []standing.Tag
	for _, l := range c.sorted() {
		tag, _, err := k.find(l)
		if err != nil {
			return 0, err
		}
		if tag == nil {
			continue
		}
		in, err := set.has(*tag)
		if err != nil {
			return 0, err
		}
		if e, loose := k.loose[l]; in && loose {
			found[l] = e
		} else if in {
			back = append(back, *tag)
		}
	}
	sortTags(back)
	for _, info := range a.state.Asked {
		if err := a.among(ctx, info, back, found); err != nil {
			return 0, err
		}
	}
	return c.upTo, nil
}

// rematchAll is rematch when the log of changes no longer tells what has changed.
func (a *asker) rematchAll(ctx context.Context, set *tagSet, found map[store.Lookup]evaluated) error {
	for _, info := range a.state.Asked {
		g, err := a.s.segment(info)
		if err != nil {
			return err
		}
		n := 0
		for b, err := range g.From(0) {
			in := false
			e := evaluated{}
			if n++; err == nil && n%giveWay == 0 {
				err = ctx.Err()
			}
			if err == nil {
				e = evaluatedOf(b)
				in, err = set.has(e.Tag)
			}
			if err != nil {
				closing(g)
				return err
			}
			if in {
				found[e.lookup] = e
			}
		}
		closing(g)
	}
	return a.amongLoose(ctx, found, set.has)
}

// sweep erases the entries of values that no longer take part, once their time has come.
// The merge looks at every entry, so it runs only if one has to go.
func (a *asker) sweep(ctx context.Context) error {
	if !a.state.Prepared || time.Since(time.UnixMilli(a.state.SweptAt)) < sweepEvery {
		return nil
	}
	c, err := a.s.changes(ctx, a.state.Swept)
	if err != nil {
		return err
	}
	upTo := c.upTo
	if c.all {
		if upTo, err = a.s.lastTouch(ctx); err != nil {
			return err
		}
	}
	gone, err := a.gone(ctx, c)
	if err != nil {
		return err
	}
	if gone != nil {
		if err := a.keep(ctx); err != nil {
			return err
		}
		if err := a.merge(ctx, gone); err != nil {
			return err
		}
	}
	a.state.Swept, a.state.SweptAt = upTo, now().UnixMilli()
	return a.save(ctx, nil)
}

// gone tells which of the entries have to go; nil for none.
func (a *asker) gone(ctx context.Context, c changes) (func(store.Lookup) bool, error) {
	if c.all {
		stay := map[store.Lookup]bool{}
		spec, err := a.s.spec(ctx, a.f)
		if err != nil {
			return nil, err
		}
		for e, err := range a.s.o.Store.AllEligible(ctx, spec) {
			if err != nil {
				return nil, err
			}
			stay[e.Lookup] = true
		}
		return func(l store.Lookup) bool { return !stay[l] }, nil
	}
	eligible, err := a.s.eligible(ctx, a.f, c.lookups)
	if err != nil {
		return nil, err
	}
	k, err := a.had(ctx)
	if err != nil {
		return nil, err
	}
	defer k.close()
	out := map[store.Lookup]bool{}
	for _, l := range c.sorted() {
		if _, ok := eligible[l]; ok {
			continue
		}
		_, is, err := k.find(l)
		if err != nil {
			return nil, err
		}
		if is {
			out[l] = true
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return func(l store.Lookup) bool { return out[l] }, nil
}

// takingPart leaves only entries of values that take part, and so drops what was checked
// though it is on no list, and what was deleted while its question was under way.
func (a *asker) takingPart(ctx context.Context, list []evaluated) ([]evaluated, error) {
	lookups := make([]store.Lookup, len(list))
	for i, e := range list {
		lookups[i] = e.lookup
	}
	eligible, err := a.s.eligible(ctx, a.f, lookups)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(e evaluated) bool {
		_, ok := eligible[e.lookup]
		return !ok
	}), nil
}
