package replay

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"entente/protocol/entry"
	"entente/protocol/roster"
)

// again is a state after the same entries as a world's, for a comparison.
func (w *world) again(t testing.TB) *State {
	t.Helper()
	s, err := New(w.roster)
	must(t, err)
	for _, b := range w.entries {
		if _, err := s.Apply(b); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// oneByOne is what ApplyAll must come to.
func oneByOne(s *State, entries [][]byte) (out []Applied, err error) {
	for _, b := range entries {
		a, err := s.Apply(b)
		if err != nil {
			return out, err
		}
		out = append(out, a)
	}
	return out, nil
}

// random writes entries of all authors, most of them right, in an order in which they can
// be applied; with a few changes of keys and, if faulty, one entry that is not right.
func (w *world) random(t testing.TB, r *rand.Rand, n int, faulty bool) (out [][]byte) {
	t.Helper()
	seed := byte(100)
	for len(out) < n {
		i := r.IntN(len(w.authors))
		author := id(i)
		switch k := r.IntN(12); {
		case k == 0:
			seed++
			next := key(t, seed)
			s, head, err := w.authors[author].Rotate(w.heads[author], entry.Submitted, next,
				ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)), w.now)
			must(t, err)
			b, err := s.Marshal()
			must(t, err)
			out = append(out, b)
			w.heads[author], w.authors[author] = head, entry.Author{Member: author, Key: next}
			continue
		case k == 1:
			w.now = w.now.Add(time.Minute)
			b, head := w.next(i, entry.Tick, nil)
			out, w.heads[author] = append(out, b), head
		case k == 2: // void: there is no such proposal
			b, head := w.next(i, entry.Approval, body(t, entry.Reference{Proposal: bytes.Repeat([]byte{seed}, 32)}))
			out, w.heads[author] = append(out, b), head
		case k == 3:
			b, err := entry.Propose(entry.Grant, entry.Granted{Member: author, Kind: "phone", Period: 1, Items: 64}, w.now.Add(time.Hour).UnixMilli())
			must(t, err)
			p, head := w.next(i, entry.Proposal, b)
			out, w.heads[author] = append(out, p), head
		default:
			b, head := w.next(i, entry.SealedDigest, body(t, entry.Sealed{Digest: bytes.Repeat([]byte{byte(len(out))}, 32)}))
			out, w.heads[author] = append(out, b), head
		}
	}
	if faulty {
		spoil(r, out)
	}
	return out
}

// spoil makes one of the entries wrong, in one of the ways in which one can be.
func spoil(r *rand.Rand, entries [][]byte) {
	i, j := r.IntN(len(entries)), r.IntN(len(entries))
	switch r.IntN(5) {
	case 0:
		entries[i], entries[j] = entries[j], entries[i]
	case 1:
		entries[i] = entries[j]
	case 2:
		entries[i] = entries[i][:r.IntN(len(entries[i]))]
	case 3:
		entries[i] = bytes.Clone(entries[i])
		entries[i][r.IntN(len(entries[i]))] ^= 1 << r.IntN(8)
	default:
		entries[i] = bytes.Clone(entries[i])
		entries[i][len(entries[i])-1-r.IntN(3300)] ^= 1 // within the signature
	}
}

func TestApplyAllIsApplyOneByOne(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // also where there are fewer
	refusals := 0
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := found(t, 4, 4, roster.Spread{})
		one, all := w.again(t), w.again(t)
		entries := w.random(t, r, 1+r.IntN(2*blockSize), seed%4 > 0)
		want, refused := oneByOne(one, entries)
		got, err := all.ApplyAll(t.Context(), entries)
		if fmt.Sprint(err) != fmt.Sprint(refused) || len(got) != len(want) {
			t.Fatalf("seed %d: %d of %d in, %v; one by one %d, %v", seed, len(got), len(entries), err, len(want), refused)
		}
		for _, known := range []error{ErrNotMember, ErrNotNext, ErrTooMany} {
			if errors.Is(err, known) != errors.Is(refused, known) {
				t.Errorf("seed %d: %v is another kind of error than %v", seed, err, refused)
			}
		}
		for i := range got {
			g, o := got[i], want[i]
			if fmt.Sprint(g.Void) != fmt.Sprint(o.Void) || fmt.Sprint(g.Outcomes) != fmt.Sprint(o.Outcomes) {
				t.Fatalf("seed %d, entry %d: %v, one by one %v", seed, i, g, o)
			}
			g.Void, o.Void, g.Outcomes, o.Outcomes = nil, nil, nil, nil
			if !reflect.DeepEqual(g, o) {
				t.Fatalf("seed %d, entry %d: %v, one by one %v", seed, i, g, o)
			}
		}
		if !reflect.DeepEqual(fingerprint(all), fingerprint(one)) {
			t.Fatalf("seed %d: another state", seed)
		}
		if refused != nil {
			refusals++
		}
	}
	if refusals < 8 {
		t.Errorf("only %d sequences were refused: the test sees too little", refusals)
	}
}

func TestApplyAllStops(t *testing.T) {
	w := found(t, 4, 4, roster.Spread{})
	s := w.again(t)
	before := fingerprint(s)
	entries := w.random(t, rand.New(rand.NewPCG(1, 1)), 40, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	goroutines := runtime.NumGoroutine()
	if got, err := s.ApplyAll(ctx, entries); !errors.Is(err, context.Canceled) || len(got) > 0 || !reflect.DeepEqual(before, fingerprint(s)) {
		t.Errorf("%d entries, %v", len(got), err)
	}
	if got, err := s.ApplyAll(t.Context(), nil); err != nil || len(got) > 0 {
		t.Errorf("%d entries of none, %v", len(got), err)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines are left over", n-goroutines)
	}
}

// BenchmarkApplyAll is what one of many entries costs.
func BenchmarkApplyAll(b *testing.B) {
	w := found(b, 4, 4, roster.Spread{})
	sealed := body(b, entry.Sealed{Digest: make([]byte, 32)})
	made := make([][]byte, b.N)
	for i := range made {
		made[i], w.heads[id(3)] = w.next(3, entry.SealedDigest, sealed)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for len(made) > 0 {
		w.state.members[id(3)].entries = 0
		some := made[:min(len(made), 10_000)]
		if _, err := w.state.ApplyAll(b.Context(), some); err != nil {
			b.Fatal(err)
		}
		made = made[len(some):]
	}
}
