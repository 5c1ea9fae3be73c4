package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/rounds"
	"entente/simulations/fabric"
)

// distant sets up two whole nodes, AU and ID, on simulated lines, with three shared
// phones among 200.
func distant(t *testing.T, line fabric.Link) (*fabric.Fabric, *member, *member) {
	t.Helper()
	time.Sleep(time.Until(time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC))) // a bubble begins before entries may
	f := fabric.New(t, line, line)
	base := t.TempDir()
	var members []*member
	var cards []string
	for i, id := range []string{"AU", "ID"} {
		c := config.Default()
		c.Member = config.Member{ID: id, Name: "Member " + id, Role: "state"}
		c.Network.Listen = []string{f.Node(i).Address()}
		dir := filepath.Join(base, strings.ToLower(id))
		if _, err := node.Init(t.Context(), dir, node.Setup{Config: c}); err != nil {
			t.Fatal(err)
		}
		cards = append(cards, filepath.Join(dir, federation.CardName))
		members = append(members, &member{dir: dir})
	}
	file := filepath.Join(base, "fed.json")
	_, err := federation.Create("test", file, cards)
	for i, m := range members {
		m.o = node.Options{Version: "test", ListenPacket: f.Node(i).ListenPacket}
		if err == nil {
			m.Node, err = node.Open(t.Context(), m.dir, m.o)
		}
		if err == nil {
			_, _, err = m.SignRoster(file)
		}
	}
	for i, m := range members {
		if err == nil {
			_, err = m.JoinFederation(t.Context(), file)
		}
		folder := filepath.Join(m.dir, node.RulesFolder)
		if err == nil {
			err = node.WriteRules(folder, pilot(m.ID(), []string{members[1-i].ID()}))
		}
		if err == nil {
			_, err = m.ActivateRules(t.Context(), folder)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		m.list(t, "wanted", "suspect", phones(i*197, 200)...)
		m.serve(t)
	}
	return f, members[0], members[1]
}

// phones are n numbers of a range that is kept for invented ones, from the given place.
func phones(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("+6149157%04d", from+i)
	}
	return out
}

// underWay proposes a round and returns when some of it has arrived.
func underWay(t *testing.T, au *member) string {
	t.Helper()
	v, err := au.Rounds().Propose(t.Context(), rounds.Request{
		Partner: "ID", List: "wanted", Kind: "phone", Purpose: "trafficking", Learn: "both", Result: "which",
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if v, err = au.Rounds().Show(t.Context(), v.ID); err != nil || v.Done > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil || v.State != "running" || v.Done == 0 {
		t.Fatalf("the round is %s with %d of %d: %v", v.State, v.Done, v.Total, err)
	}
	return v.ID
}

// stands requires that a round is under way and stays so.
func stands(t *testing.T, m *member, round string) {
	t.Helper()
	v, err := m.Rounds().Show(t.Context(), round)
	if err != nil || v.State != "running" {
		t.Errorf("%s: the round is %s: %v", m.ID(), v.State, err)
	}
}

// completes requires that a round ends with the three shared phones on both sides.
func completes(t *testing.T, round string, members ...*member) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Hour)
	defer cancel()
	for _, m := range members {
		v, err := m.Rounds().Wait(ctx, round)
		if err != nil || v.State != "done" || v.Hits == nil || *v.Hits != 3 {
			t.Errorf("%s: the round is %s (%s), %v hits: %v", m.ID(), v.State, v.Note, v.Hits, err)
		}
	}
}

// TestPartnerStoppedInTheMiddle cuts a partner off while a round runs, and lets it in again.
func TestPartnerStoppedInTheMiddle(t *testing.T) {
	for _, who := range []string{"AU", "ID"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, au, id := distant(t, fabric.Link{Latency: 150 * time.Millisecond, Bandwidth: 512_000})
				m, other := au, "ID"
				if who == "ID" {
					m, other = id, "AU"
				}
				round := underWay(t, au)
				if err := m.StopPartner(t.Context(), other, true); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				stands(t, au, round)
				stands(t, id, round)
				if err := m.StopPartner(t.Context(), other, false); err != nil {
					t.Fatal(err)
				}
				completes(t, round, au, id)
			})
		})
	}
}

// TestStalledLine loses every packet for ten minutes in the middle of a round, without
// either side being told.
func TestStalledLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, au, id := distant(t, fabric.Link{Latency: 150 * time.Millisecond, Bandwidth: 512_000})
		round := underWay(t, au)
		f.Cut(0, 1)
		time.Sleep(10 * time.Minute)
		stands(t, au, round)
		f.Heal(0, 1)
		completes(t, round, au, id)
	})
}

// TestDaemonsRestart stops both nodes in the middle of a round and starts them again.
func TestDaemonsRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, fabric.Link{Latency: 150 * time.Millisecond, Bandwidth: 512_000})
		round := underWay(t, au)
		id.stop()
		time.Sleep(time.Minute)
		stands(t, au, round)
		au.stop()
		id.serve(t)
		time.Sleep(time.Minute)
		stands(t, id, round)
		au.serve(t)
		completes(t, round, au, id)
		if err := au.Rounds().Greet(t.Context(), "XX"); !errors.Is(err, rounds.ErrUnknownPartner) {
			t.Errorf("a stranger is greeted: %v", err)
		}
	})
}
