package adversary

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"

	"entente/simulations/measure"
)

// falseRate is that of a filter from which a list can be worked with: at one in a
// thousand, the analysts' numbers would be lost among the wrong hits.
const falseRate = 1e-6

// filter is the weak baseline: a Bloom filter with double hashing (Kirsch and Mitzenmacher,
// ESA 2006) of a keyed hash. Whoever may look up own numbers has the key.
type filter struct {
	bits   []uint64
	size   uint64
	hashes int
	key    []byte
}

// newFilter makes an empty filter for n elements.
func newFilter(n int, rate float64, key []byte) *filter {
	size := math.Ceil(float64(n) * math.Log(1/rate) / (math.Ln2 * math.Ln2))
	return &filter{
		bits: make([]uint64, int(size)/64+1), size: uint64(size),
		hashes: max(1, int(math.Round(size/float64(n)*math.Ln2))), key: key,
	}
}

// reader looks elements up. It is for one goroutine.
type reader struct {
	*filter
	mac hash.Hash
	sum [sha256.Size]byte
}

func (f *filter) reader() *reader { return &reader{filter: f, mac: hmac.New(sha256.New, f.key)} }

// start returns the first place of an element and the step to the next ones.
func (r *reader) start(element []byte) (at, step uint64) {
	r.mac.Reset()
	r.mac.Write(element)
	r.mac.Sum(r.sum[:0])
	return binary.BigEndian.Uint64(r.sum[:]), binary.BigEndian.Uint64(r.sum[8:]) | 1
}

func (r *reader) add(element []byte) {
	at, step := r.start(element)
	for range r.hashes {
		r.bits[at%r.size/64] |= 1 << (at % r.size % 64)
		at += step
	}
}

func (r *reader) has(element []byte) bool {
	at, step := r.start(element)
	for range r.hashes {
		if r.bits[at%r.size/64]>>(at%r.size%64)&1 == 0 {
			return false
		}
		at += step
	}
	return true
}

// sweepFilter looks every number of the plan up in B's filter. B has handed it over and
// sees nothing of that.
func sweepFilter(ctx context.Context, p *plan, _ *holder, told Progress, r *Report) error {
	key := p.secret("shared filter key", 0)
	f := newFilter(p.Held, falseRate, key[:])
	published := f.reader()
	for _, n := range p.list {
		published.add(element(n))
	}
	type worker struct {
		*reader
		found []int
	}
	named := map[int]bool{}
	watch := measure.Start()
	err := each(ctx, p.Guesses,
		func() (*worker, error) { return &worker{reader: f.reader()}, nil },
		func(w *worker, from, to int) error {
			for _, n := range p.order[from:to] {
				if w.has(element(n)) {
					w.found = append(w.found, n)
				}
			}
			return nil
		},
		func(w *worker) {
			for _, n := range w.found {
				named[n] = true
			}
		},
		func(done int) { told("Bloom filter", done, p.Guesses) })
	if err != nil {
		return fmt.Errorf("sweep the filter: %w", err)
	}
	r.Measured.Filter = watch.Span()
	r.Results.Filter = Filter{Outcome: p.outcome(p.Guesses, named, 0), FalseRate: falseRate, Bits: int(f.size), Hashes: f.hashes}
	return nil
}
