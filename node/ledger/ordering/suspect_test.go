package ordering

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// group is five members, each with its Raft over Guards.
type group struct {
	*network
	nodes map[string]*node
}

var five = []string{"AU", "BR", "CH", "DE", "EE"}

func newGroup(t *testing.T) *group {
	g := &group{newNetwork(), map[string]*node{}}
	for _, m := range five {
		trans := g.add(t, m, among(five...), Options{Timeout: time.Second})
		memory := memoryStore()
		g.nodes[m] = start(t, m, five, trans, memory, memory, time.Second)
	}
	return g
}

// leader waits until a majority follows one member that is not old, and returns it.
func (g *group) leader(t *testing.T, old string) string {
	t.Helper()
	for range 600 {
		time.Sleep(100 * time.Millisecond)
		for m, n := range g.nodes {
			if m != old && n.raft.State() == raft.Leader && n.raft.VerifyLeader().Error() == nil {
				return m
			}
		}
	}
	t.Fatalf("a minute passed, and nobody but %q leads", old)
	return ""
}

func (g *group) apply(t *testing.T, leader string, n int) {
	t.Helper()
	for i := range n {
		if err := g.nodes[leader].raft.Apply(fmt.Appendf(nil, "entry %d", i), time.Minute).Error(); err != nil {
			t.Fatalf("%s applies: %v", leader, err)
		}
	}
}

// TestSuspectedLeaderIsReplaced: when a majority suspects the leader, another one is
// elected, whom also the old one follows; nothing that was committed is lost.
func TestSuspectedLeaderIsReplaced(t *testing.T) {
	for _, suspecting := range []int{4, 3} {
		t.Run(fmt.Sprint(suspecting), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroup(t)
				old := g.leader(t, "")
				g.apply(t, old, 3)
				left := suspecting
				for _, m := range five {
					if m != old && left > 0 {
						g.guards[m].Suspect(old)
						left--
					}
				}
				next := g.leader(t, old)
				g.apply(t, next, 2)
				time.Sleep(5 * time.Second)
				for m, n := range g.nodes {
					if _, id := n.raft.LeaderWithID(); string(id) != next || n.machine.count.Load() != 5 {
						t.Errorf("%s follows %s and counts %d; %s leads", m, id, n.machine.count.Load(), next)
					}
				}
				if state := g.nodes[old].raft.State(); state != raft.Follower {
					t.Errorf("the old leader is %s", state)
				}
			})
		})
	}
}

// TestMinoritySuspectsInVain: two of five do not depose a leader, and follow again once they
// suspect it no more.
func TestMinoritySuspectsInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		leader := g.leader(t, "")
		term := g.nodes[leader].raft.Stats()["term"]
		var doubting []string
		for _, m := range five {
			if m != leader && len(doubting) < 2 {
				doubting = append(doubting, m)
				g.guards[m].Suspect(leader)
			}
		}
		time.Sleep(time.Minute)
		g.apply(t, leader, 3)
		for _, m := range doubting {
			if got := g.nodes[m].machine.count.Load(); got != 0 {
				t.Errorf("%s suspects %s and yet has %d entries of it", m, leader, got)
			}
			g.guards[m].Clear()
		}
		time.Sleep(time.Minute)
		for m, n := range g.nodes {
			if _, id := n.raft.LeaderWithID(); string(id) != leader || n.machine.count.Load() != 3 {
				t.Errorf("%s follows %s and counts %d; %s leads", m, id, n.machine.count.Load(), leader)
			}
		}
		if got := g.nodes[leader].raft.Stats()["term"]; got != term {
			t.Errorf("term %s became %s", term, got)
		}
	})
}

// TestSuspectIsRefusedEverything: no request of a suspect reaches Raft.
func TestSuspectIsRefusedEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		reached := 0
		count := func(r raft.RPC) (any, error) {
			reached++
			return yes(r)
		}
		answering(t, au, count)
		au.SetHeartbeatHandler(func(r raft.RPC) { r.Respond(count(r)) })
		requests := map[string]func() error{
			"heartbeat": func() error { return beat(br, 1) },
			"append": func() error {
				return br.AppendEntries("AU", "AU", &raft.AppendEntriesRequest{
					RPCHeader: head("BR"), Term: 1, Entries: []*raft.Log{{Index: 1, Term: 1}},
				}, new(raft.AppendEntriesResponse))
			},
			"snapshot": func() error { return replaceState(br, "BR", 1) },
			"vote": func() error {
				return br.RequestVote("AU", "AU", &raft.RequestVoteRequest{RPCHeader: head("BR"), Term: 2}, new(raft.RequestVoteResponse))
			},
		}
		for what, request := range requests {
			au.Suspect("BR")
			au.Suspect("CH")
			if err := request(); err == nil || reached != 0 {
				t.Errorf("%s of a suspect: %v, %d reached Raft", what, err, reached)
			}
			au.Clear()
			if err := request(); err != nil || reached != 1 {
				t.Errorf("%s of a member that is cleared: %v, %d reached Raft", what, err, reached)
			}
			reached = 0
		}
	})
}

// settle lets Raft's time pass.
func settle() { time.Sleep(time.Minute) }
