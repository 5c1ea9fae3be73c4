package ordering

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// The victim is AU. BR leads term 1, and CH votes. ZZ is none of them.
var three = []string{"AU", "BR", "CH"}

func head(name string) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(name), Addr: []byte(name)}
}

// lead has BR replicate ten entries to the victim and commit nine of them.
func lead(t *testing.T, from raft.Transport, victim *node) {
	t.Helper()
	request := &raft.AppendEntriesRequest{
		RPCHeader: head("BR"), Term: 1,
		PrevLogEntry: 1, PrevLogTerm: 1, LeaderCommitIndex: 10,
	}
	for index := uint64(2); index <= 11; index++ {
		request.Entries = append(request.Entries, &raft.Log{Index: index, Term: 1, Data: []byte("entry")})
	}
	var response raft.AppendEntriesResponse
	if err := from.AppendEntries("AU", "AU", request, &response); err != nil || !response.Success {
		t.Fatalf("honest append: %+v, %v", response, err)
	}
	synctest.Wait()
	if got := victim.raft.AppliedIndex(); got != 10 || victim.machine.count.Load() != 9 {
		t.Fatalf("applied %d and counted %d before the attack", got, victim.machine.count.Load())
	}
}

// cutLog claims to lead a term and replaces entry 3 of the victim, far below its commit index.
func cutLog(from raft.Transport, name string, term uint64) error {
	var response raft.AppendEntriesResponse
	err := from.AppendEntries("AU", "AU", &raft.AppendEntriesRequest{
		RPCHeader: head(name), Term: term, PrevLogEntry: 2, PrevLogTerm: 1,
		Entries: []*raft.Log{{Index: 3, Term: term, Data: []byte("forged")}},
	}, &response)
	if err == nil && !response.Success {
		err = fmt.Errorf("append refused: %+v", response)
	}
	return err
}

// replaceState claims to lead a term and sends a state of its own.
func replaceState(from raft.Transport, name string, term uint64) error {
	state := indexKey(999999)
	var response raft.InstallSnapshotResponse
	err := from.InstallSnapshot("AU", "AU", &raft.InstallSnapshotRequest{
		RPCHeader: head(name), SnapshotVersion: raft.SnapshotVersionMax, Term: term,
		LastLogIndex: 2000, LastLogTerm: term, Configuration: raft.EncodeConfiguration(servers(three)),
		ConfigurationIndex: 1, Size: int64(len(state)),
	}, &response, bytes.NewReader(state))
	if err == nil && !response.Success {
		err = fmt.Errorf("snapshot refused: %+v", response)
	}
	return err
}

// layer carries the library's own transport over pipes.
type layer struct {
	accept chan net.Conn
	dial   chan net.Conn
	done   chan struct{}
}

func (l *layer) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *layer) Close() error {
	close(l.done)
	return nil
}

func (l *layer) Addr() net.Addr { return &net.UnixAddr{Name: "AU"} }

func (l *layer) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) {
	if l.dial == nil {
		return nil, net.ErrClosed
	}
	a, b := net.Pipe()
	l.dial <- b
	return a, nil
}

// TestStockTransportBelievesAnybody shows what the Guard is for: with the library's own
// transport, whoever can connect rewrites a follower.
func TestStockTransportBelievesAnybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stock := func(l *layer) *raft.NetworkTransport {
			n := raft.NewNetworkTransport(l, 3, time.Minute, io.Discard)
			t.Cleanup(func() { _ = n.Close() })
			return n
		}
		incoming := make(chan net.Conn)
		victim := &layer{accept: incoming, done: make(chan struct{})}
		memory := memoryStore()
		n := start(t, "AU", three, stock(victim), memory, memory, time.Hour)
		anybody := stock(&layer{dial: incoming, done: make(chan struct{})})
		lead(t, anybody, n)

		if err := cutLog(anybody, "ZZ", 1000); err != nil {
			t.Fatal(err)
		}
		if last, commit := n.raft.LastIndex(), n.raft.CommitIndex(); last != 3 || commit != 10 {
			t.Errorf("log ends at %d, committed %d; the attack should cut it to 3 below 10", last, commit)
		}
		if err := replaceState(anybody, "ZZ", 1001); err != nil {
			t.Fatal(err)
		}
		if got := n.machine.count.Load(); got != 999999 {
			t.Errorf("state %d; the attack should replace it", got)
		}
	})
}

func TestGuardRefusesAttacks(t *testing.T) {
	attacks := map[string]func(from raft.Transport, name string, term uint64) error{
		"cut the log": cutLog, "replace the state": replaceState,
	}
	cases := []struct {
		what, member, name string
		term               uint64
		reason             string // in the victim's log
	}{
		{"no voter", "ZZ", "ZZ", 1000, "not a voter"},
		{"no voter under the leader's name", "ZZ", "BR", 1000, "not a voter"},
		{"a voter under the leader's name", "CH", "BR", 1000, "speaks under another name"},
		{"a voter under the victim's name", "CH", "AU", 1000, "speaks under another name"},
		{"a voter without a name", "CH", "", 1000, "speaks under another name"},
		{"a voter in the leader's term", "CH", "CH", 1, "leads in a term that is another's"},
	}
	for what, attack := range attacks {
		for _, c := range cases {
			t.Run(what+"/"+c.what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log text
					net := newNetwork()
					trans := net.add(t, "AU", among(three...), Options{Log: log.logger()})
					memory := memoryStore()
					victim := start(t, "AU", three, trans, memory, memory, time.Hour)
					anybody := func(string) bool { return true }
					lead(t, net.add(t, "BR", anybody, Options{}), victim)
					if err := attack(net.add(t, c.member, anybody, Options{}), c.name, c.term); err == nil {
						t.Error("the attacker got an answer")
					}
					synctest.Wait()
					if net.resets() == 0 {
						t.Error("the stream was not reset")
					}
					if got := log.String(); !strings.Contains(got, "member="+c.member) || !strings.Contains(got, c.reason) {
						t.Errorf("log does not name %s and %q:\n%s", c.member, c.reason, got)
					}
					unchanged(t, victim)
				})
			})
		}
	}
}

// unchanged checks that the victim is as lead left it.
func unchanged(t *testing.T, victim *node) {
	t.Helper()
	if last, commit := victim.raft.LastIndex(), victim.raft.CommitIndex(); last != 11 || commit != 10 {
		t.Errorf("log ends at %d, committed %d", last, commit)
	}
	if got := victim.raft.Stats()["term"]; got != "1" {
		t.Errorf("term %s", got)
	}
	if got := victim.machine.count.Load(); got != 9 {
		t.Errorf("state %d", got)
	}
	for index := uint64(2); index <= 11; index++ {
		var l raft.Log
		if err := victim.logs.GetLog(index, &l); err != nil || string(l.Data) != "entry" || l.Term != 1 {
			t.Errorf("entry %d: %+v, %v", index, l, err)
		}
	}
	if address, id := victim.raft.LeaderWithID(); address != "BR" || id != "BR" {
		t.Errorf("follows %s (%s)", address, id)
	}
}

// TestLyingLeaderIsBelieved states the limit: a voter that claims a new term under its own
// name is Raft's leader. It also shows that the attacks above would work if they got through.
func TestLyingLeaderIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		memory := memoryStore()
		victim := start(t, "AU", three, net.add(t, "AU", among(three...), Options{}), memory, memory, time.Hour)
		lead(t, net.add(t, "BR", among(three...), Options{}), victim)
		liar := net.add(t, "CH", among(three...), Options{})
		if err := cutLog(liar, "CH", 2); err != nil {
			t.Fatal(err)
		}
		if last := victim.raft.LastIndex(); last != 3 {
			t.Errorf("log ends at %d", last)
		}
		if err := replaceState(liar, "CH", 2); err != nil {
			t.Fatal(err)
		}
		if got := victim.machine.count.Load(); got != 999999 {
			t.Errorf("state %d", got)
		}
	})
}
