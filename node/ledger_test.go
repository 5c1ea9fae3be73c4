package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"entente/node"
	"entente/node/federation"
	"entente/protocol/roster"
)

// Members that kept account in pairs found a ledger with a later roster, and live by it.
func TestPairFoundsALedger(t *testing.T) {
	ids := []string{"AU", "ID"}
	members := found(t, pilot, ids...)
	var cards []roster.Card
	for _, id := range ids {
		c, err := federation.ReadCard(members[id].dir)
		if err != nil {
			t.Fatal(err)
		}
		cards = append(cards, c)
	}
	r, err := roster.NewWithLedger("test", cards, ids, roster.Spread{})
	if err != nil {
		t.Fatal(err)
	}
	r.Version = 2
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fed.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := members[id].Ledger(); !errors.Is(err, node.ErrNoLedger) {
			t.Errorf("%s keeps a ledger before there is one: %v", id, err)
		}
		if _, _, err := members[id].SignRoster(file); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		v, err := members[id].JoinFederation(t.Context(), file)
		if err != nil || v.Version != 2 || v.Pending != "" || v.Ledger == nil || len(v.Partners) != 1 {
			t.Fatalf("%s: %+v, %v", id, v, err)
		}
	}
	late := time.After(2 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, id := range ids {
		l, err := members[id].Ledger()
		if err != nil {
			t.Fatal(err)
		}
		for {
			v, err := l.Standing(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if v.Waiting == 0 && v.Final > 0 {
				break
			}
			select {
			case <-tick.C:
			case <-late:
				t.Fatalf("%s: %+v", id, v)
			}
		}
		if _, err := members[id].JoinFederation(t.Context(), file); !errors.Is(err, node.ErrByLedger) {
			t.Errorf("%s: joined by a file once more: %v", id, err)
		}
	}
}
