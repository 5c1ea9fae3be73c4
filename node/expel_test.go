package node_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"entente/node"
	"entente/node/rounds"
)

// decide proposes a change by the first of some members and has the others approve it.
func decide(t *testing.T, w node.Wanted, by *member, others ...*member) {
	t.Helper()
	w.Days = 1
	id, err := by.Propose(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range others {
		m.knows(t, func(node.Federation) bool {
			_, err := m.Answer(t.Context(), id[:12], true)
			if err != nil && !errors.Is(err, node.ErrNoProposal) { // it is on its way
				t.Fatal(err)
			}
			return err == nil
		})
	}
}

func listed(id string) func(node.Federation) bool {
	return func(f node.Federation) bool { return wordsOf(f, id) != "" }
}

func unlisted(id string) func(node.Federation) bool {
	return func(f node.Federation) bool { return wordsOf(f, id) == "" }
}

// greeted waits until a member can speak with another about rounds, or cannot.
func (m *member) greeted(t *testing.T, with string, can bool) {
	t.Helper()
	m.knows(t, func(node.Federation) bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return (m.Rounds().Greet(ctx, with) == nil) == can
	})
}

// Nobody speaks with a member that is suspended about rounds, and with one that was expelled at
// all, as soon as that is final; one that is suspended still follows the ledger.
func TestSuspendedAndExpelled(t *testing.T) {
	members := foundWith(t, four, pilot, "AU", "ID", "MY", "TH", "VN")
	au, id, my, th, vn := members["AU"], members["ID"], members["MY"], members["TH"], members["VN"]
	for _, m := range members {
		m.settled(t)
	}
	au.greeted(t, "VN", true)
	decide(t, node.Wanted{Action: "suspend", Member: "VN"}, au, id, my, th)
	au.knows(t, unlisted("VN"))
	if err := au.Rounds().Greet(t.Context(), "VN"); !errors.Is(err, rounds.ErrUnknownPartner) {
		t.Errorf("greeted who is suspended: %v", err)
	}
	vn.greeted(t, "AU", false)
	decide(t, node.Wanted{Action: "readmit", Member: "VN"}, id, au, my, th)
	vn.greeted(t, "AU", true)
	au.greeted(t, "VN", true)

	decide(t, node.Wanted{Action: "leave", Member: "VN"}, th, au, id, my)
	for _, m := range []*member{au, id, my, th} {
		m.knows(t, unlisted("VN"))
	}
	began := time.Now()
	vn.knows(t, func(f node.Federation) bool {
		for _, p := range f.Partners {
			if p.Connected {
				return false
			}
		}
		return true
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("cut off after %s", took)
	}
	vn.greeted(t, "AU", false)
	au.knows(t, listed("TH"))
}
