package rounds_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"entente/node/rounds"
)

// everyFrame runs a round once for each of its frames, stops the network before that
// frame, and lets the round go on after f.
func everyFrame(t *testing.T, r rounds.Request, least int, f func(x *pair)) {
	synctest.Test(t, func(t *testing.T) {
		x := newPair(t)
		for k := 1; ; k += pace() {
			x.name = fmt.Sprintf("frame %d", k)
			x.net.arm(k)
			x.round = x.propose(x.au, r)
			whole := !x.until()
			if !whole {
				f(x)
			}
			x.complete(r.Result)
			if whole {
				if k <= least {
					t.Errorf("the round has only %d frames", k-1)
				}
				break
			}
		}
		x.settled()
	})
}

// TestDisconnectAtEachMessage loses the connection before each frame of a round arrives,
// in either direction.
func TestDisconnectAtEachMessage(t *testing.T) {
	for result, least := range map[string]int{"which": 18, "count": 20} {
		t.Run(result, func(t *testing.T) {
			t.Parallel()
			r := request("ID")
			r.Result = result
			everyFrame(t, r, least, func(x *pair) { x.net.heal() })
		})
	}
}

// revive ends a member's process and starts it anew from a directory.
func (x *pair) revive(s *side, dir string) {
	x.t.Helper()
	x.halt(s)
	again := x.start(s.id, dir)
	if s == x.au {
		x.au = again
	} else {
		x.id = again
	}
}

// TestKilledAtEachMessage ends one process or both before each frame of a round arrives
// and starts it from what was on disk then.
func TestKilledAtEachMessage(t *testing.T) {
	for name, who := range map[string]func(*pair) []*side{
		"proposer":  func(x *pair) []*side { return []*side{x.au} },
		"responder": func(x *pair) []*side { return []*side{x.id} },
		"both":      func(x *pair) []*side { return []*side{x.au, x.id} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyFrame(t, request("ID"), 18, func(x *pair) {
				dirs := map[*side]string{}
				for _, s := range who(x) {
					dirs[s] = filepath.Join(x.t.TempDir(), s.id)
					copyDir(x.t, s.dir, dirs[s])
				}
				x.net.heal()
				for s, dir := range dirs {
					x.revive(s, dir)
				}
			})
		})
	}
}

// TestKilledAtEachStep ends the process at each point of a round at which it has
// changed what is stored, or asks the rules: the steps between two messages.
func TestKilledAtEachStep(t *testing.T) {
	for name, who := range map[string]func(*pair) *side{
		"proposer":  func(x *pair) *side { return x.au },
		"responder": func(x *pair) *side { return x.id },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newPair(t)
				k := 1
				for x.killAt(who(x), k) {
					k++
				}
				if k < 8 {
					t.Errorf("only %d steps", k-1)
				}
				x.settled()
			})
		})
	}
}

// killAt runs a round and kills a member at its k-th step. It reports false if the
// round has fewer.
func (x *pair) killAt(s *side, k int) bool {
	x.t.Helper()
	dir := filepath.Join(x.t.TempDir(), s.id)
	var mu sync.Mutex
	step := 0
	x.net.arm(0)
	at := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		if step++; step == k {
			x.name = fmt.Sprintf("step %d of %s (%s)", k, s.id, name)
			copyDir(x.t, s.dir, dir)
			x.net.halt()
		}
	}
	s.point.Store(&at)
	x.round = x.propose(x.au, request("ID"))
	killed := x.until()
	if killed {
		x.net.heal()
		x.revive(s, dir)
		synctest.Wait()
		if _, err := x.au.Show(x.t.Context(), x.round); errors.Is(err, rounds.ErrUnknownRound) {
			x.never()
			return true
		}
	}
	s.point.Store(nil)
	x.complete("which")
	return killed
}

// never requires that a round of which the proposer had not stored anything has left
// nothing, and that the same can be asked again.
func (x *pair) never() {
	x.t.Helper()
	if _, err := x.id.Show(x.t.Context(), x.round); !errors.Is(err, rounds.ErrUnknownRound) {
		x.t.Errorf("%s: the partner knows a round that the proposer does not: %v", x.name, err)
	}
	x.round = x.propose(x.au, request("ID"))
	x.complete("which")
}
