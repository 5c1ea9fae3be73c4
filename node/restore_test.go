package node_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/ledger"
	"entente/protocol/roster"
	"entente/simulations/fabric"
)

// lostNode is a federation of four on simulated lines, in virtual time.
type lostNode struct {
	*testing.T
	f       *fabric.Fabric
	base    string
	first   string // roster
	members map[string]*member
}

func (x *lostNode) setUp(place int, id, dir string, lost bool) {
	x.Helper()
	c := config.Default()
	c.Member = config.Member{ID: id, Name: "Member " + id, Role: "state"}
	c.Network.Listen = []string{x.f.Node(place).Address()}
	if _, err := node.Init(x.Context(), dir, node.Setup{Config: c, Lost: lost}); err != nil {
		x.Fatal(err)
	}
}

func (x *lostNode) open(place int, dir string) *member {
	x.Helper()
	m := &member{dir: dir, o: node.Options{Version: "test", ListenPacket: x.f.Node(place).ListenPacket}}
	n, err := node.Open(x.Context(), dir, m.o)
	if err != nil {
		x.Fatal(err)
	}
	m.Node = n
	x.Cleanup(func() { _ = n.Close() })
	return m
}

func newLostNode(t *testing.T) *lostNode {
	time.Sleep(time.Until(time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC))) // a bubble begins before entries may
	line := near
	x := &lostNode{T: t, base: t.TempDir(), members: map[string]*member{}}
	x.f = fabric.New(t, line, line, line, line, line)
	x.first = filepath.Join(x.base, "fed.json")
	var cards []string
	for i, id := range four {
		dir := filepath.Join(x.base, strings.ToLower(id))
		x.setUp(i, id, dir, false)
		cards = append(cards, filepath.Join(dir, federation.CardName))
	}
	if _, err := federation.CreateWithLedger("test", x.first, cards, four, roster.Spread{}); err != nil {
		t.Fatal(err)
	}
	for i, id := range four {
		x.members[id] = x.open(i, filepath.Join(x.base, strings.ToLower(id)))
		if _, _, err := x.members[id].SignRoster(x.first); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range four {
		if _, err := x.members[id].JoinFederation(t.Context(), x.first); err != nil {
			t.Fatal(err)
		}
		x.members[id].serve(t)
	}
	return x
}

// A member whose keys are lost is restored by the others three days after they approved it. Its
// new node goes on in the chain that the ledger holds, after a gap, with a cosigning key of its
// own; whoever still has the old keys is warned, and can object until then.
func TestRestoreAfterLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newLostNode(t)
		au, id, my, th := x.members["AU"], x.members["ID"], x.members["MY"], x.members["TH"]
		for _, m := range x.members {
			m.settled(t)
		}
		dir := filepath.Join(x.base, "th2")
		x.setUp(4, "TH", dir, true)
		fresh := x.open(4, dir)
		if f, err := fresh.JoinFederation(t.Context(), x.first); err != nil || f.Pending == "" {
			t.Fatalf("joined: %+v, %v", f, err)
		}
		restore := node.Wanted{Action: "restore", Member: "TH", Card: filepath.Join(dir, federation.CardName)}

		// The old node warns its operators, who object.
		decide(t, restore, au, id, my)
		th.until(t, func(v ledger.Standing) bool {
			return strings.Contains(strings.Join(v.Alarms, " "), "proposes new keys for this member")
		})
		th.until(t, func(ledger.Standing) bool { return !must1(th.Proposals())[0].Due.IsZero() })
		if _, err := th.Answer(t.Context(), must1(th.Proposals())[0].ID, false); err != nil {
			t.Fatal(err)
		}
		au.until(t, func(ledger.Standing) bool {
			p := must1(au.Proposals())[0]
			return p.Final && strings.Contains(p.Outcome, "objected")
		})

		// Now the old node is gone.
		th.stop()
		before := wordsOf(must1(au.Federation(t.Context())), "TH")
		decide(t, restore, au, id, my)
		au.until(t, func(ledger.Standing) bool {
			p := must1(au.Proposals()) // the second is on its way
			return len(p) == 2 && !p[1].Due.IsZero()
		})
		sleeps := func(d time.Duration, all ...*member) { // with nobody awake days cost nothing
			for _, m := range all {
				m.stop()
			}
			time.Sleep(d)
			for _, m := range all {
				m.serve(t)
			}
		}
		sleeps(71*time.Hour, au, id, my)
		time.Sleep(10 * time.Minute) // a tick at least
		if now := wordsOf(must1(au.Federation(t.Context())), "TH"); now != before {
			t.Fatal("restored before three days had passed")
		}
		own, err := roster.Member.Words(must1(federation.ReadCard(dir)).Member)
		if err != nil {
			t.Fatal(err)
		}
		sleeps(time.Hour, au, id, my)
		fresh.serve(t)
		for _, m := range []*member{au, id, my} {
			m.knows(t, func(f node.Federation) bool { return wordsOf(f, "TH") == own })
		}
		fresh.knows(t, func(f node.Federation) bool { return f.Pending == "" && f.OwnWords == own })
		fresh.settled(t)
		fresh.until(t, func(v ledger.Standing) bool {
			for _, m := range v.Members {
				if m.ID == "TH" {
					return m.Key && len(v.Alarms) == 0
				}
			}
			return false
		})
		fresh.greeted(t, "AU", true)
		for _, m := range []*member{au, fresh} {
			m.checked(t)
		}
		for _, m := range []*member{fresh, au, id, my} {
			m.stop()
		}
	})
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
