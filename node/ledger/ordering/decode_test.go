package ordering

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := wire.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// soundAppend is one that decode takes.
func soundAppend() *appendMessage {
	return &appendMessage{
		Header: fromHeader(head("BR")), Term: 4, PreviousLog: 4, PreviousTerm: 2,
		Entries: []entry{{Index: 5, Term: 2}, {Index: 6, Term: 3, Type: uint8(raft.LogNoop)}},
	}
}

func soundSnapshot() *snapshotMessage {
	return &snapshotMessage{
		Header: fromHeader(head("BR")), Term: 4, LastLog: 9, LastTerm: 3,
		Configuration: fromConfiguration(servers(three)), ConfigurationIndex: 1, Size: 5,
	}
}

func TestDecodeRefuses(t *testing.T) {
	configured := func(change func(c *configuration)) []byte {
		c := fromConfiguration(servers(three))
		change(&c)
		return marshal(t, &c)
	}
	ofType := func(kind uint8, data []byte) func(m *appendMessage) {
		return func(m *appendMessage) { m.Entries[1].Type, m.Entries[1].Data = kind, data }
	}
	const configurationType = uint8(raft.LogConfiguration)
	for what, change := range map[string]func(m *appendMessage){
		"":                         func(*appendMessage) {},
		"term 0":                   func(m *appendMessage) { m.Term, m.PreviousTerm, m.Entries = 0, 0, nil },
		"gap before":               func(m *appendMessage) { m.PreviousLog = 3 },
		"gap between":              func(m *appendMessage) { m.Entries[1].Index = 7 },
		"same index twice":         func(m *appendMessage) { m.Entries[1].Index = 5 },
		"index over the end":       func(m *appendMessage) { m.PreviousLog = math.MaxUint64; m.Entries[0].Index = 0 },
		"falling term":             func(m *appendMessage) { m.Entries[1].Term = 1 },
		"term before the previous": func(m *appendMessage) { m.PreviousTerm = 3 },
		"term after the leader's":  func(m *appendMessage) { m.Entries[1].Term = 5 },
		"entry of term 0":          func(m *appendMessage) { m.PreviousTerm, m.Entries[0].Term = 0, 0 },
		"unknown type":             ofType(6, nil),
		"last type":                ofType(255, nil),
		"old type, add":            ofType(uint8(raft.LogAddPeerDeprecated), nil),
		"old type, remove":         ofType(uint8(raft.LogRemovePeerDeprecated), nil),
		"no configuration":         ofType(configurationType, nil),
		"configuration of msgpack": ofType(configurationType, raft.EncodeConfiguration(servers(three))),
		"empty configuration":      ofType(configurationType, configured(func(c *configuration) { c.Servers = nil })),
		"server without id":        ofType(configurationType, configured(func(c *configuration) { c.Servers[0] = server{} })),
		"server elsewhere":         ofType(configurationType, configured(func(c *configuration) { c.Servers[0].Address = "BR" })),
		"server twice":             ofType(configurationType, configured(func(c *configuration) { c.Servers[0] = c.Servers[1] })),
		"unknown suffrage":         ofType(configurationType, configured(func(c *configuration) { c.Servers[0].Suffrage = 3 })),
		"suffrage in between":      ofType(configurationType, configured(func(c *configuration) { c.Servers[0].Suffrage = 2 })),
		"no voter":                 ofType(configurationType, configured(func(c *configuration) { c.Servers = []server{{Suffrage: 1, ID: "AU", Address: "AU"}} })),
		"long id": ofType(configurationType, configured(func(c *configuration) {
			l := strings.Repeat("A", maxMember+1)
			c.Servers[0].ID, c.Servers[0].Address = l, l
		})),
		"too many entries": func(m *appendMessage) { *m = *many(maxEntries+1, 0, nil) },
		"too many configurations": func(m *appendMessage) {
			*m = *many(maxConfigurations+1, configurationType, configured(func(*configuration) {}))
		},
	} {
		m := soundAppend()
		change(m)
		if _, err := decode(kindAppend, marshal(t, m)); (err == nil) != (what == "") {
			t.Errorf("append with %q: %v", what, err)
		}
	}
	for what, change := range map[string]func(m *snapshotMessage){
		"":                    func(*snapshotMessage) {},
		"term 0":              func(m *snapshotMessage) { m.Term, m.LastTerm = 0, 0 },
		"negative size":       func(m *snapshotMessage) { m.Size = -1 },
		"no entry":            func(m *snapshotMessage) { m.LastLog, m.ConfigurationIndex = 0, 0 },
		"term of the future":  func(m *snapshotMessage) { m.LastTerm = 5 },
		"later configuration": func(m *snapshotMessage) { m.ConfigurationIndex = 10 },
		"no configuration":    func(m *snapshotMessage) { m.Configuration.Servers = nil },
	} {
		m := soundSnapshot()
		change(m)
		if _, err := decode(kindSnapshot, marshal(t, m)); (err == nil) != (what == "") {
			t.Errorf("snapshot with %q: %v", what, err)
		}
	}
	for k := range kindPart + 2 {
		if _, err := decode(k, []byte{0x81}); err == nil {
			t.Errorf("kind %d takes anything", k)
		}
	}
}

// many is an append of n entries, sound but for their number.
func many(n int, kind uint8, data []byte) *appendMessage {
	m := &appendMessage{Header: fromHeader(head("BR")), Term: 1}
	for i := range n {
		m.Entries = append(m.Entries, entry{Index: uint64(i + 1), Term: 1, Type: kind, Data: data})
	}
	return m
}

// TestSplit: whatever the entries, the messages fit frames and limits, follow one another,
// decode to the same entries, and commit nothing that they do not carry.
func TestSplit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		args := &raft.AppendEntriesRequest{
			RPCHeader: head("BR"), Term: 9, PrevLogEntry: 100, PrevLogTerm: 1,
			LeaderCommitIndex: 90 + random.Uint64N(700),
		}
		for i := range random.Uint64N(600) {
			l := &raft.Log{Index: 101 + i, Term: 1 + i/100, Data: []byte{1}, Extensions: []byte{}}
			switch random.IntN(200) {
			case 0:
				l.Data = make([]byte, random.IntN(MaxEntry))
			case 1:
				l.Type, l.Data = raft.LogConfiguration, raft.EncodeConfiguration(servers(three))
			}
			args.Entries = append(args.Entries, l)
		}
		messages, err := split(args)
		if err != nil {
			t.Fatal(err)
		}
		var got []*raft.Log
		for i := range messages {
			m := &messages[i]
			c, err := decode(kindAppend, marshal(t, m))
			if err != nil {
				t.Fatalf("message %d of %d: %v", i, len(messages), err)
			}
			a := c.(*raft.AppendEntriesRequest)
			if a.PrevLogEntry != 100+uint64(len(got)) || len(got) > 0 && a.PrevLogTerm != got[len(got)-1].Term {
				t.Fatalf("message %d follows entry %d of term %d", i, a.PrevLogEntry, a.PrevLogTerm)
			}
			got = append(got, a.Entries...)
			want := args.LeaderCommitIndex
			if i < len(messages)-1 {
				want = min(want, 100+uint64(len(got)))
			}
			if a.LeaderCommitIndex != want || checkName(a, "BR") != nil {
				t.Fatalf("message %d commits %d, not %d, as %s", i, a.LeaderCommitIndex, want, a.ID)
			}
		}
		if len(args.Entries) != len(got) || len(got) > 0 && !reflect.DeepEqual(args.Entries, got) {
			t.Fatalf("%d entries became %d", len(args.Entries), len(got))
		}
	}
}

// TestLargestEntry fits a frame with the longest names and numbers; one byte more is refused.
func TestLargestEntry(t *testing.T) {
	name := strings.Repeat("M", maxMember)
	args := &raft.AppendEntriesRequest{
		RPCHeader: head(name), Term: math.MaxUint64, PrevLogEntry: math.MaxUint64 - 1, PrevLogTerm: math.MaxUint64,
		LeaderCommitIndex: math.MaxUint64,
		Entries:           []*raft.Log{{Index: math.MaxUint64, Term: math.MaxUint64, Data: bytes.Repeat([]byte{1}, MaxEntry-1), Extensions: []byte{2}}},
	}
	messages, err := split(args)
	if err != nil || len(messages) != 1 {
		t.Fatal(len(messages), err)
	}
	if n := len(marshal(t, &messages[0])); n > wire.MaxChunk {
		t.Errorf("%d bytes", n)
	}
	args.Entries[0].Data = append(args.Entries[0].Data, 1)
	if _, err := split(args); err == nil {
		t.Error("an entry over the limit was taken")
	}
}

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		command raft.WithRPCHeader
		ok      bool
	}{
		{&raft.TimeoutNowRequest{RPCHeader: head("BR")}, true},
		{&raft.TimeoutNowRequest{RPCHeader: head("CH")}, false},
		{&raft.TimeoutNowRequest{}, false},
		{&raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ID: []byte("BR")}}, false},
		{&raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ID: []byte("BR"), Addr: []byte("CH")}}, false},
		{&raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ID: []byte("CH"), Addr: []byte("BR")}}, false},
		{&raft.RequestPreVoteRequest{RPCHeader: head("CH")}, false},
		{&raft.RequestVoteRequest{RPCHeader: head("BR")}, true},
		{&raft.RequestVoteRequest{RPCHeader: head("CH")}, false},
		{&raft.AppendEntriesRequest{RPCHeader: head("CH")}, false},
		{&raft.InstallSnapshotRequest{RPCHeader: head("CH")}, false},
		{&raft.InstallSnapshotRequest{RPCHeader: head("BR")}, true},
	} {
		if err := checkName(c.command, "BR"); (err == nil) != c.ok || err != nil && !errors.Is(err, errName) {
			t.Errorf("%T %+v: %v", c.command, c.command, err)
		}
	}
}
