package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/node"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/rounds"
	"entente/policy"
	"entente/protocol/indicator"
	"entente/protocol/roster"
)

// member is one running node of a test's federation.
type member struct {
	*node.Node
	dir  string
	o    node.Options
	stop func()
}

// found sets up nodes with these ids, a roster that all have signed, and the rules
// that the function gives each.
func found(t *testing.T, rules func(id string, partners []string) map[string][]byte, ids ...string) map[string]*member {
	t.Helper()
	return foundWith(t, nil, rules, ids...)
}

// foundWith is found for a federation with a ledger, if it has sequencers.
func foundWith(t *testing.T, sequencers []string, rules func(id string, partners []string) map[string][]byte, ids ...string) map[string]*member {
	t.Helper()
	ctx := t.Context()
	base := t.TempDir()
	var cards []string
	for i, port := range freePorts(t, len(ids)) {
		id := ids[i]
		c := config.Default()
		c.Member = config.Member{ID: id, Name: "Member " + id, Role: "state"}
		c.Network.Listen = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)}
		dir := filepath.Join(base, strings.ToLower(id))
		if _, err := node.Init(ctx, dir, node.Setup{Config: c}); err != nil {
			t.Fatal(err)
		}
		cards = append(cards, filepath.Join(dir, federation.CardName))
	}
	file := filepath.Join(base, "fed.json")
	if _, err := federation.CreateWithLedger("test", file, cards, sequencers, roster.Spread{}); err != nil {
		t.Fatal(err)
	}
	members := map[string]*member{}
	for _, id := range ids {
		dir := filepath.Join(base, strings.ToLower(id))
		n := open(t, dir)
		if _, _, err := n.SignRoster(file); err != nil {
			t.Fatal(err)
		}
		members[id] = &member{Node: n, dir: dir}
	}
	for _, id := range ids {
		m := members[id]
		if _, err := m.JoinFederation(ctx, file); err != nil {
			t.Fatal(err)
		}
		var partners []string
		for _, other := range ids {
			if other != id {
				partners = append(partners, other)
			}
		}
		folder := filepath.Join(m.dir, node.RulesFolder)
		if err := node.WriteRules(folder, rules(id, partners)); err != nil {
			t.Fatal(err)
		}
		if _, err := m.ActivateRules(ctx, folder); err != nil {
			t.Fatal(err)
		}
		m.serve(t)
	}
	return members
}

func open(t *testing.T, dir string) *node.Node {
	t.Helper()
	n, err := node.Open(t.Context(), dir, node.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// serve runs the node until the test ends or stop is called.
func (m *member) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- m.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("serve: %v", err)
	}
	stopped := false
	m.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(m.stop)
}

func pilot(id string, partners []string) map[string][]byte {
	files, err := policy.Pilot(policy.PilotOptions{Version: 2, Partners: partners, Basis: id + "-TIP", ExactCount: true})
	if err != nil {
		panic(err) // the arguments are constants of the tests
	}
	return files
}

// list imports phones of the given numbers.
func (m *member) list(t *testing.T, name string, category indicator.Category, numbers ...string) {
	t.Helper()
	i := node.Import{List: name, File: name + ".csv"}
	i.Kind = indicator.Phone
	i.Handling = indicator.Handling{Category: category, Purpose: "trafficking", Basis: m.ID() + "-TIP"}
	i.Defaults = indicator.Defaults{Country: "AU"}
	report, err := m.ImportList(t.Context(), i, strings.NewReader("phone\n"+strings.Join(numbers, "\n")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if report.Ready != len(numbers) {
		t.Fatalf("%d of %d rows are ready: %v", report.Ready, len(numbers), report.Reasons)
	}
}

func TestTwoNodesFindWhatTheyShare(t *testing.T) {
	members := found(t, pilot, "AU", "ID")
	au, id := members["AU"], members["ID"]
	au.list(t, "wanted", indicator.Suspect, "0491570156", "0491570157", "0491570158", "0491570159")
	id.list(t, "watch", indicator.Suspect, "+61491570159", "+61 491 570 110", "+61-491-570-156", "+61 491 570 111", "0061491570157")
	for _, result := range []string{"which", "count"} {
		for _, learn := range []string{"us", "them", "both"} {
			t.Run(result+" "+learn, func(t *testing.T) { runRound(t, au, id, learn, result) })
		}
	}
}

func runRound(t *testing.T, au, id *member, learn, result string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	v, err := au.Rounds().Propose(ctx, rounds.Request{Partner: id.ID(), List: "wanted", Kind: "phone", Purpose: "trafficking", Learn: learn, Result: result})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := au.Rounds().Wait(ctx, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	other, err := id.Rounds().Wait(ctx, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if theirs.State != "done" || other.State != "done" {
		t.Fatalf("ended %s and %s: %s %s", theirs.State, other.State, theirs.Note, other.Note)
	}
	for _, side := range []struct {
		who    string
		m      *member
		learns bool
		view   rounds.View
	}{{"us", au, learn != "them", theirs}, {"them", id, learn != "us", other}} {
		hits, err := side.m.Rounds().Hits(ctx, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		if side.learns && result == "which" {
			want = 3
		}
		if len(hits) != want {
			t.Errorf("%s: %d hits, want %d", side.who, len(hits), want)
		}
		for _, h := range hits {
			if h.Value == "" || h.Original == "" {
				t.Errorf("%s: a hit without its own record", side.who)
			}
		}
		if counted := side.learns && result == "count"; counted != (side.view.Count != nil) {
			t.Errorf("%s: count is %v", side.who, side.view.Count)
		} else if counted && *side.view.Count != "under 11" { // the pilot's floor for counts
			t.Errorf("%s: count of 3 is shown as %s", side.who, *side.view.Count)
		}
	}
}

func TestRulesRefuse(t *testing.T) {
	members := found(t, func(id string, partners []string) map[string][]byte {
		if id == "TH" {
			return policy.DenyAll(2)
		}
		return pilot(id, partners)
	}, "AU", "TH")
	au, th := members["AU"], members["TH"]
	au.list(t, "wanted", indicator.Suspect, "0491570156")
	th.list(t, "watch", indicator.Suspect, "0491570156")
	request := rounds.Request{List: "wanted", Kind: "phone", Purpose: "trafficking", Learn: "both", Result: "which"}
	request.Partner = "TH"
	v, err := au.Rounds().Propose(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := au.Rounds().Wait(t.Context(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if ours.State != "refused" || ours.Reason != "not available" {
		t.Errorf("the asking side sees %q, %q", ours.State, ours.Reason)
	}
	theirs, err := th.Rounds().Show(t.Context(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if theirs.State != "refused" {
		t.Errorf("the refusing side sees %q", theirs.State)
	}
	request.Partner, request.List = "AU", "watch"
	if _, err := th.Rounds().Propose(t.Context(), request); !errors.Is(err, rounds.ErrDenied) {
		t.Errorf("the own rules let a round out: %v", err)
	}
}
