package rounds

import (
	"context"
	"errors"

	"entente/node/store"
	"entente/protocol/exact"
	"entente/protocol/indicator"
	"entente/protocol/person"
	"entente/protocol/similar"
)

// compare runs the suite. A hit has no proof: nothing but both sides' word says that it is one.
func (t *talk) compare(ctx context.Context, index int, own secrets) (exact.Result, error) {
	s, err := session(t.machine.Offer(), t.machine.Answer())
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
	s.Agreement, s.Run, s.Secret = t.machine.Agreement(), index, similar.Secret(secret)
	side, work := person.Probe, similar.Ask
	if !t.machine.Proposer() {
		side, work = person.Template, similar.Answer
	}
	list := &vectors{store: t.s.o.Store, snapshot: t.file.Snapshot, length: int(t.file.Items), kind: indicator.Kind(t.machine.Offer().Kind), side: side}
	if err := list.hold(ctx, s.Dimension); err != nil {
		return exact.Result{}, err
	}
	result, err := work(ctx, t.bytes, s, list, t.s.o.Store.Journal(t.file.ID, index), func(done, total int64) { t.s.report(t.file.id, done, total) })
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

// Len implements similar.Vectors.
func (v *vectors) Len() int { return v.length }

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
