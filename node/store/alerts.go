package store

import (
	"encoding/binary"
	"fmt"
)

// AddHits stores hits of a subscription at the next free positions, which run on for ever,
// whatever is dropped, and returns the first of them. Positions of the given hits play no
// part.
func (t *Tx) AddHits(subscription [16]byte, hits []Hit) (int64, error) {
	var next int64
	err := t.row(`INSERT INTO counters (name, next) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET next = next + excluded.next RETURNING next`,
		[]any{fmt.Sprintf("hits %x", subscription), len(hits)}, &next)
	if err != nil {
		return 0, fmt.Errorf("add hits: %w", err)
	}
	first := next - int64(len(hits))
	numbered := make([]Hit, len(hits))
	for i, h := range hits {
		h.Position = first + int64(i)
		numbered[i] = h
	}
	return first, t.PutHits(subscription, numbered)
}

// HitsFrom returns the hits of a round or subscription from a position on, by position.
func (t *Tx) HitsFrom(round [16]byte, position int64) ([]Hit, error) {
	var out []Hit
	err := t.rows("SELECT position, state, sealed FROM hits WHERE round = ? AND position >= ? ORDER BY position",
		[]any{round[:], position}, func(scan func(...any) error) error {
			var h Hit
			var sealed []byte
			if err := scan(&h.Position, &h.State, &sealed); err != nil {
				return err
			}
			b, err := unseal(t.store.keys.column, sealed, "hits", "sealed", hitRow(round, h.Position))
			if err != nil {
				return err
			}
			if len(b) < 8 {
				return fmt.Errorf("%w: a hit is too short", ErrDamaged)
			}
			h.Indicator, h.Proof = int64(binary.BigEndian.Uint64(b)), b[8:]
			out = append(out, h)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read hits: %w", err)
	}
	return out, nil
}

// HitCounts returns how many hits of a round or subscription are in which state; the empty
// one is that of hits that nobody has reviewed.
func (t *Tx) HitCounts(round [16]byte) (map[string]int64, error) {
	out := make(map[string]int64)
	err := t.rows("SELECT state, count(*) FROM hits WHERE round = ? GROUP BY state", []any{round[:]},
		func(scan func(...any) error) error {
			var state string
			var n int64
			err := scan(&state, &n)
			out[state] = n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("count hits: %w", err)
	}
	return out, nil
}
