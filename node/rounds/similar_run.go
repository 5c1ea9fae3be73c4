package rounds

import (
	"context"
	"errors"
	"iter"

	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/indicator"
	"entente/protocol/names"
	"entente/protocol/person"
	"entente/protocol/round"
	"entente/protocol/similar"
)

// compare runs the suite. A hit has no proof: nothing but both sides' word says that it is one.
func (t *talk) compare(ctx context.Context, index int, own secrets) (exact.Result, error) {
	agreed, err := session(t.machine.Offer(), t.machine.Answer())
	if err != nil {
		return exact.Result{}, err
	}
	secret, err := own.of(similar.Name)
	if err != nil {
		return exact.Result{}, err
	}
	if len(secret) != similar.SecretSize {
		return exact.Result{}, errors.New("the secret of the suite is damaged")
	}
	side := person.Probe
	if !t.machine.Proposer() {
		side = person.Template
	}
	list := &vectors{store: t.s.o.Store, snapshot: t.file.Snapshot, length: int(t.file.Items), kind: indicator.Kind(t.machine.Offer().Kind), side: side}
	defer list.close()
	if err := list.hold(ctx, agreed.all.Dimension); err != nil {
		return exact.Result{}, err
	}
	journal := t.s.o.Store.Journal(t.file.ID, index)
	progress := func(done, total int64) { t.s.report(t.file.id, done, total) }
	var result similar.Result
	if n := agreed.keys; n != nil {
		n.Agreement, n.Run, n.Secret = t.machine.Agreement(), index, similar.Secret(secret)
		if n.KeySecret, err = own.of(round.NamesSuite); err != nil {
			return exact.Result{}, err
		}
		work := names.Ask
		if !t.machine.Proposer() {
			work = names.Answer
		}
		var met names.Result
		met, err = work(ctx, t.bytes, *n, list, journal, progress)
		result = met.Result
	} else {
		s := agreed.all
		s.Agreement, s.Run, s.Secret = t.machine.Agreement(), index, similar.Secret(secret)
		work := similar.Ask
		if !t.machine.Proposer() {
			work = similar.Answer
		}
		result, err = work(ctx, t.bytes, s, list, journal, progress)
	}
	return exact.Result{Positions: result.Positions, Proofs: make([][exact.ProofSize]byte, len(result.Positions))}, err
}

// mostHeld is how many bytes of vectors are held in memory. Those of a longer list are read from
// the snapshot each time: in the secret order of a run that takes a quarter more time where
// probes come in thousands, and far more where they are few.
const mostHeld = 128 << 20

// vectors are a snapshot's, in its order.
type vectors struct {
	store    *store.Store
	snapshot int64
	length   int
	kind     indicator.Kind
	side     person.Side
	held     [][]int8 // all of them, if they are not too many

	next func() (store.SnapshotItem, error, bool) // of the items for keys, in order
	stop func()
	at   int
}

// hold reads a list that fits into memory.
func (v *vectors) hold(ctx context.Context, dimension int) error {
	if v.length*dimension > mostHeld {
		return nil
	}
	held := make([][]int8, 0, v.length)
	for item, err := range v.store.SnapshotItems(ctx, v.snapshot) {
		if err != nil {
			return err
		}
		one, err := vector(v.kind, item.Element, v.side)
		if err != nil {
			return err
		}
		held = append(held, one)
	}
	v.held = held
	return nil
}

// close ends the reading of keys.
func (v *vectors) close() {
	if v.stop != nil {
		v.stop()
	}
}

// Len implements similar.Vectors.
func (v *vectors) Len() int { return v.length }

// Keys implements names.Records. Keys are asked for once, in order.
func (v *vectors) Keys(ctx context.Context, position int) ([][]byte, error) {
	if v.next == nil {
		v.next, v.stop = iter.Pull2(v.store.SnapshotItems(ctx, v.snapshot))
	}
	item, err, ok := v.next()
	if err != nil {
		return nil, err
	}
	if !ok || position != v.at {
		return nil, errors.New("keys are read out of order")
	}
	v.at++
	p, err := person.Restore(item.Element)
	if err != nil {
		return nil, err
	}
	return p.Profile().Keys(), nil
}

// Vectors implements similar.Vectors.
func (v *vectors) Vectors(ctx context.Context, positions []int) ([][]int8, error) {
	out := make([][]int8, len(positions))
	if v.held != nil {
		for i, p := range positions {
			out[i] = v.held[p]
		}
		return out, nil
	}
	places := make([]int64, len(positions))
	for i, p := range positions {
		places[i] = int64(p)
	}
	items, err := v.store.SnapshotAt(ctx, v.snapshot, places)
	if err != nil {
		return nil, err
	}
	for i, item := range items {
		if out[i], err = vector(v.kind, item.Element, v.side); err != nil {
			return nil, err
		}
	}
	return out, nil
}
