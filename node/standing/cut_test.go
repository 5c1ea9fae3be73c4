package standing_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/standing"
)

// pace is how many frames a test that breaks a sync at each of them goes on at a time. The
// race detector's run, which is ten times slower, takes fewer.
func pace() int {
	if testing.Short() {
		return 12
	}
	return 1
}

// both are two members whose lists share three phones.
type both struct {
	*world
	au, id *side
	sub    string
	name   string // of the case
}

func newBoth(t *testing.T) *both { return newWorld(t, "AU-TIP").both() }

func (w *world) both() *both {
	b := &both{world: w, au: w.fresh("AU"), id: w.fresh("ID")}
	b.au.suspects("wanted", numbers(0, 8)...)
	b.au.suspects("second", numbers(400, 1)...)
	b.id.suspects("wanted", numbers(5, 8)...)
	return b
}

// broken waits for the network to stop, or for both sides to have run after a time.
func (b *both) broken(after time.Time) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range []*side{b.au, b.id} {
			_, _ = s.Wait(b.t.Context(), b.sub, after) // the caller looks at what is there
		}
	}()
	stopped := false
	select {
	case <-b.net.stopped:
		stopped = true
	case <-done:
	}
	synctest.Wait()
	return stopped
}

// kill ends processes and starts them from what was on disk.
func (b *both) kill(which ...**side) {
	b.t.Helper()
	dirs := make([]string, len(which))
	for i, s := range which {
		dirs[i] = filepath.Join(b.t.TempDir(), (*s).id)
		copyDir(b.t, (*s).dir, dirs[i])
	}
	b.net.heal()
	for i, s := range which {
		b.halt(*s)
		*s = b.start((*s).id, dirs[i])
	}
}

// victims are, in turn, one process, the other, and both.
func (b *both) victims(k int) []**side {
	return [][]**side{{&b.au}, {&b.id}, {&b.au, &b.id}}[k%3]
}

// found requires that both sides have run after a time and then know these values.
func (b *both) found(after time.Time, want ...string) {
	b.t.Helper()
	for _, s := range []*side{b.au, b.id} {
		s.ran(b.sub, after)
	}
	synctest.Wait()
	for _, s := range []*side{b.au, b.id} {
		if got := s.values(b.sub); !slices.Equal(got, want) {
			b.t.Errorf("%s: %s knows of %d values, not of %d: %v", b.name, s.id, len(got), len(want), got)
		}
		if v := s.show(b.sub); v.Broke || v.Refused > 0 {
			b.t.Errorf("%s: %s blames the partner: %q, %d refused", b.name, s.id, v.Note, v.Refused)
		}
	}
}

// TestBrokenAtEachFrame makes a standing round and its first run, once for each frame of
// them: the connection is lost before that frame arrives, or processes are killed. All is
// found, and no question is charged twice.
func TestBrokenAtEachFrame(t *testing.T) {
	for name, kill := range map[string]bool{"disconnected": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBoth(t)
				for k := 1; ; k += pace() {
					b.name = fmt.Sprint("frame ", k)
					b.net.arm(k)
					begun := time.Now()
					b.sub = b.au.subscribe(nil)
					cut := b.broken(time.Time{})
					if cut && kill {
						b.kill(b.victims(k / pace())...)
					}
					b.net.heal()
					b.found(time.Time{}, numbers(5, 3)...)
					// If only one side heard that the first run was over, the other has run a day later.
					allowed := uint32(64 * (1 + time.Since(begun)/(20*time.Hour)))
					for _, s := range []*side{b.au, b.id} {
						if v := s.show(b.sub); v.Asked > allowed {
							t.Errorf("%s: %s has charged %d places", b.name, s.id, v.Asked)
						}
					}
					must(t, b.au.End(t.Context(), b.sub))
					for b.id.show(b.sub).State != "ended" {
						pass(time.Second)
					}
					if !cut || t.Failed() {
						if k < 30 {
							t.Errorf("there are only %d frames", k-1)
						}
						break
					}
				}
				b.halt(b.au, b.id)
			})
		})
	}
}

// TestChangesBrokenAtEachFrame breaks the run after changes of both lists in the same way:
// one value more on each side that the other had asked about, and a list that goes and
// comes again.
func TestChangesBrokenAtEachFrame(t *testing.T) {
	for name, kill := range map[string]bool{"disconnected": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBoth(t)
				b.au.suspects("wanted", numbers(100, 90)...)
				b.id.suspects("wanted", numbers(200, 90)...)
				b.id.suspects("second", numbers(300, 1)...)
				b.sub = b.au.subscribe(func(r *standing.Request) { r.Period, r.For, r.Questions = 92*24*time.Hour, 366*24*time.Hour, 1<<14 })
				want := numbers(5, 3)
				b.found(time.Time{}, want...)
				for i, k := 0, 1; i < 90; i, k = i+1, k+2*pace() {
					b.name = fmt.Sprint("frame ", k)
					after := *b.au.show(b.sub).LastRun
					pass(time.Hour)
					b.net.arm(k)
					b.au.suspects("wanted", numbers(200+i, 1)...)
					b.id.suspects("wanted", numbers(100+i, 1)...)
					b.id.drop("second")
					b.id.suspects("second", numbers(300, 1)...)
					want = append(append(want, numbers(100+i, 1)...), numbers(200+i, 1)...)
					slices.Sort(want)
					cut := b.broken(after.Add(23 * time.Hour))
					if cut && kill {
						b.kill(b.victims(i)...)
					}
					b.net.heal()
					b.found(after.Add(23*time.Hour), want...)
					if !cut || t.Failed() {
						if k < 20 {
							t.Errorf("there are only %d frames", k-1)
						}
						break
					}
				}
				b.halt(b.au, b.id)
			})
		})
	}
}

// TestLongListsBroken breaks first runs of lists that take several blocks and several chunks
// of questions: each goes on where it was, and no place is charged twice.
func TestLongListsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "AU-TIP")
		b := &both{world: w, au: w.fresh("AU"), id: w.fresh("ID")}
		b.au.suspects("wanted", numbers(0, 4800)...)
		b.id.suspects("wanted", numbers(4760, 4800)...)
		for k := 7; ; k += 2*pace() + 3 {
			b.name = fmt.Sprint("frame ", k)
			b.net.arm(k)
			begun := time.Now()
			b.sub = b.au.subscribe(func(r *standing.Request) { r.Questions = 8192 })
			cut := b.broken(time.Time{})
			if cut {
				b.kill(b.victims(k)...)
			}
			b.net.heal()
			b.found(time.Time{}, numbers(4760, 40)...)
			if v := b.id.show(b.sub); time.Since(begun) < 20*time.Hour && v.Asked > 5120 {
				t.Errorf("%s: %d places were charged for 4,800 items", b.name, v.Asked)
			}
			must(t, b.au.End(t.Context(), b.sub))
			for b.id.show(b.sub).State != "ended" {
				pass(time.Second)
			}
			if !cut || t.Failed() {
				break
			}
		}
		b.halt(b.au, b.id)
	})
}
