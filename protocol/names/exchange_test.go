package names

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"entente/protocol/exact"
	"entente/protocol/similar"
	"entente/protocol/wire"
)

// commonOf is what an exact run would give one side, with keys for proofs.
func commonOf(t testing.TB, own, other *list) (*buckets, exact.Result) {
	t.Helper()
	b, err := readKeys(t.Context(), own, 64)
	if err != nil {
		t.Fatal(err)
	}
	o, err := readKeys(t.Context(), other, 64)
	if err != nil {
		t.Fatal(err)
	}
	var r exact.Result
	for i, k := range b.keys {
		if slices.ContainsFunc(o.keys, func(x []byte) bool { return string(x) == string(k) }) {
			r.Positions = append(r.Positions, i)
			r.Proofs = append(r.Proofs, [exact.ProofSize]byte(append(slices.Clone(k), make([]byte, exact.ProofSize)...)))
		}
	}
	return b, r
}

// meet runs both sides' exchange alone.
func meet(t *testing.T, change func(as role, k wire.Kind, body []byte) []byte) (map[role]*exchange, map[role]error) {
	t.Helper()
	x := small(t, similar.BothLearn)
	a, b := net.Pipe()
	out, errs := map[role]*exchange{}, map[role]error{}
	var one sync.Mutex
	var both sync.WaitGroup
	for as, c := range map[role]net.Conn{asker: a, answerer: b} {
		s, own, other := &x.asker, x.probes, x.templates
		if as == answerer {
			s, own, other = &x.answerer, x.templates, x.probes
		}
		keys, common := commonOf(t, own, other)
		e := &exchange{session: s, role: as, stream: tapped{c, as, change, &one}, journal: new(exact.MemoryJournal)}
		if err := e.begin(keys, common, own.Len()); err != nil {
			t.Fatal(err)
		}
		out[as] = e
		both.Go(func() {
			defer c.Close()
			err := e.run(t.Context())
			one.Lock()
			errs[as] = err
			one.Unlock()
		})
	}
	both.Wait()
	return out, errs
}

// TestExchange: both sides find the same candidates.
func TestExchange(t *testing.T) {
	x, errs := meet(t, plain)
	if errs[asker] != nil || errs[answerer] != nil || len(x[asker].pairs) == 0 || !slices.Equal(x[asker].pairs, x[answerer].pairs) {
		t.Errorf("%d and %d candidates: %v", len(x[asker].pairs), len(x[answerer].pairs), errs)
	}
}

// TestHostileFrames changes what one side says of its keys. The other side blames it.
func TestHostileFrames(t *testing.T) {
	for name, c := range map[string]struct {
		kind   wire.Kind
		code   wire.Code
		change func([]byte) []byte
	}{
		"open of no length":   {kindOpen, wire.Malformed, func([]byte) []byte { return []byte{} }},
		"open too long":       {kindOpen, wire.TooLarge, func(b []byte) []byte { return append(b, make([]byte, 64)...) }},
		"own role":            {kindOpen, wire.Unexpected, func(b []byte) []byte { b[1] ^= 3; return b }},
		"another session":     {kindOpen, wire.Altered, func(b []byte) []byte { b[9] ^= 1; return b }},
		"other common keys":   {kindOpen, wire.Altered, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		"no handles":          {kindHandles, wire.Malformed, func([]byte) []byte { return []byte{} }},
		"cut handles":         {kindHandles, wire.Malformed, func(b []byte) []byte { return b[:len(b)-1] }},
		"a byte more":         {kindHandles, wire.Malformed, func(b []byte) []byte { return append(b, 0) }},
		"handle out of range": {kindHandles, wire.Malformed, func(b []byte) []byte { b[1] = 1; return b }},
		"empty bucket":        {kindHandles, wire.Malformed, func(b []byte) []byte { b[0] = 0; return b }},
		"full bucket":         {kindHandles, wire.Malformed, func(b []byte) []byte { b[0] = BucketCap + 1; return b }},
		"far too long":        {kindHandles, wire.TooLarge, func([]byte) []byte { return make([]byte, 1<<20) }},
	} {
		for _, from := range []role{asker, answerer} {
			// In a bubble the wait for a peer that does not read costs nothing.
			synctest.Test(t, func(t *testing.T) {
				done := false
				_, errs := meet(t, func(as role, k wire.Kind, b []byte) []byte {
					if k == c.kind && as == from && !done {
						done = true
						return c.change(b)
					}
					return b
				})
				err := errs[asker+answerer-from]
				var fault *wire.ProtocolError
				if !errors.As(err, &fault) || fault.Code != c.code {
					t.Errorf("%s of role %d: %v", name, from, err)
				}
			})
		}
	}
}
