package ledger

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"entente/protocol/exchange"
)

// A sequencer that has missed that a change of sequencers is final comes to lead, and gives
// those a vote again who have left. When it learns of the change, they take part once more,
// until their votes are taken from them: else they would be missed for ever.
func TestLaggingLeaderUndoesAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lagging, alone atomic.Bool
		var slow atomic.Value
		slow.Store("")
		w := begun(t, 8, 6, func(w *world) {
			for id, m := range w.members {
				inner := m.options.Open
				m.options.Open = func(ctx context.Context, to, protocol string) (Stream, error) {
					l := slow.Load().(string)
					lost := protocol == exchange.Protocol && (id == l || to == l)
					if protocol == RaftProtocol { // who asks for no votes is not elected
						lost = alone.Load() != (id == l)
					}
					if lagging.Load() && lost {
						return nil, errors.New("lost")
					}
					return inner(ctx, to, protocol)
				}
			}
		})
		defer w.stopAll()
		w.timed()
		again := func(ids ...string) { // open streams end
			for _, a := range ids {
				for _, b := range w.ids() {
					if a != b {
						w.separate(a, b, true)
						w.separate(a, b, false)
					}
				}
			}
		}
		old := w.leader()
		next := slices.DeleteFunc(w.ids(), func(id string) bool { return id == old || id == name(6) })
		next = append(next[:3], name(7))
		slow.Store(next[0])
		lagging.Store(true)
		again(next[0])
		w.replace(name(6), next)
		w.until("the change is final", func() bool { // for all but one, which cannot be elected yet
			return slices.Equal(w.members[name(6)].service.sequencers(), next)
		})
		w.until("the old leader has left", func() bool { return w.members[old].service.sequencer() == nil })
		alone.Store(true) // only the one that lags can be elected
		again(w.ids()...)
		w.until("it has undone the change", func() bool {
			return slices.Equal(w.members[next[0]].service.sequencer().votes(), w.w.genesis.Sequencers)
		})
		lagging.Store(false)
		for i := range 8 {
			w.write(name(i), 1)
		}
		w.soon(w.ids()...)
		w.until("those who sequence now have the votes", func() bool {
			q := w.members[name(7)].service.sequencer()
			return q != nil && q.order.Leader() != "" && slices.Equal(q.votes(), next)
		})
	})
}
