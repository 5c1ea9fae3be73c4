package ordering

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/hashicorp/raft"

	"entente/protocol/vectors/memory"
	"entente/protocol/wire"
)

// requests are messages of each kind, sound or at a limit.
func requests() map[wire.Kind][]any {
	h := fromHeader(head("BR"))
	c, err := wire.Marshal(fromConfiguration(servers(three)))
	if err != nil {
		panic(err)
	}
	crowd := configuration{}
	for i := range maxServers {
		id := string(rune('A'+i/26)) + string(rune('A'+i%26))
		crowd.Servers = append(crowd.Servers, server{ID: id, Address: id})
	}
	full, err := wire.Marshal(&crowd)
	if err != nil {
		panic(err)
	}
	return map[wire.Kind][]any{
		kindAppend: {
			soundAppend(), many(0, 0, nil), many(maxEntries, 0, nil), many(maxEntries+1, 0, nil),
			many(maxConfigurations, uint8(raft.LogConfiguration), c), many(maxConfigurations, uint8(raft.LogConfiguration), full),
			many(2, 6, nil),
		},
		kindVote:     {&voteMessage{Header: h, Term: 4, LastLog: 5, LastTerm: 3, Transfer: true}},
		kindPreVote:  {&preVoteMessage{Header: h, Term: 4, LastLog: 5, LastTerm: 3}},
		kindSnapshot: {soundSnapshot()},
		kindTimeout:  {&timeoutMessage{Header: h}},
	}
}

// again encodes a command as a sender would.
func again(c raft.WithRPCHeader) (any, error) {
	h := fromHeader(c.GetRPCHeader())
	switch c := c.(type) {
	case *raft.AppendEntriesRequest:
		all, err := split(c)
		if err != nil || len(all) != 1 {
			return nil, errors.Join(err, errors.New("not one message"))
		}
		return &all[0], nil
	case *raft.RequestVoteRequest:
		return &voteMessage{Header: h, Term: c.Term, LastLog: c.LastLogIndex, LastTerm: c.LastLogTerm, Transfer: c.LeadershipTransfer}, nil
	case *raft.RequestPreVoteRequest:
		return &preVoteMessage{Header: h, Term: c.Term, LastLog: c.LastLogIndex, LastTerm: c.LastLogTerm}, nil
	case *raft.InstallSnapshotRequest:
		return &snapshotMessage{
			Header: h, Term: c.Term, LastLog: c.LastLogIndex, LastTerm: c.LastLogTerm,
			Configuration: fromConfiguration(raft.DecodeConfiguration(c.Configuration)), ConfigurationIndex: c.ConfigurationIndex, Size: c.Size,
		}, nil
	}
	return &timeoutMessage{Header: h}, nil
}

// FuzzRequest: what is decoded encodes to the same bytes, and memory is in proportion.
func FuzzRequest(f *testing.F) {
	for k, all := range requests() {
		for _, m := range all {
			f.Add(byte(k), marshal(f, m))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		k := wire.Kind(kind)
		if most, ok := requestLimit(k); !ok || len(data) > int(most) {
			return
		}
		var command raft.WithRPCHeader
		var err error
		used := memory.Allocated(func() { command, err = decode(k, data) })
		if limit := uint64(16*len(data) + 64<<10); used > limit {
			t.Errorf("%d bytes allocated for %d", used, len(data))
		}
		if err != nil {
			return
		}
		m, err := again(command)
		if err != nil {
			t.Fatalf("%+v: %v", command, err)
		}
		if b := marshal(t, m); !bytes.Equal(b, data) {
			t.Errorf("%x came back as %x", data, b)
		}
	})
}

// tape is a stream of which all has come.
type tape struct {
	io.Reader
	reset bool
}

func (*tape) Write(p []byte) (int, error) { return len(p), nil }
func (*tape) Close() error                { return nil }
func (*tape) Member() string              { return "BR" }
func (s *tape) Reset()                    { s.reset = true }

// FuzzStream: whatever a voter sends on a stream, what reaches Raft bears its name, and
// serving takes memory in proportion.
func FuzzStream(f *testing.F) {
	frames := func(k wire.Kind, m any) []byte {
		var b bytes.Buffer
		if err := wire.NewConn(&b).Send(k, m); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	for k, all := range requests() {
		for _, m := range all {
			f.Add(frames(k, m))
			f.Add(append(frames(k, m), frames(kindTimeout, &timeoutMessage{Header: fromHeader(head("BR"))})...))
			f.Add(append(frames(k, m), byte(kindPart), 0, 0, 0, 5, 1, 2, 3, 4, 5))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := NewGuard("AU", nil, among(three...), Options{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		answered := uint64(0)
		defer func() {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
			close(done)
		}()
		go func() {
			for {
				select {
				case r := <-g.Consumer():
					if h := r.Command.(raft.WithRPCHeader).GetRPCHeader(); string(h.ID) != "BR" || string(h.Addr) != "BR" {
						t.Errorf("a request of %s at %s reached Raft", h.ID, h.Addr)
					}
					answered++
					r.Respond(yes(r))
				case <-done:
					return
				}
			}
		}()
		used := memory.Allocated(func() { g.Serve(t.Context(), &tape{Reader: bytes.NewReader(data)}) })
		// What one request took is free before the next, so each may take a little.
		if limit := uint64(16*len(data)+64<<10) + answered*2<<10; used > limit {
			t.Errorf("%d bytes allocated for %d in %d requests", used, len(data), answered)
		}
	})
}

// FuzzRecord: a record that decodes is the one of its entry, and no other.
func FuzzRecord(f *testing.F) {
	for _, l := range samples() {
		record, err := encodeLog(&l)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(l.Index, record)
		f.Add(l.Index+1, record)
	}
	f.Fuzz(func(t *testing.T, index uint64, record []byte) {
		// So that the fuzzer need not find a checksum.
		if len(record) >= checksumSize {
			record = seal(bucketLog, indexKey(index), record[checksumSize:])
		}
		var l raft.Log
		var err error
		used := memory.Allocated(func() { l, err = decodeLog(index, record) })
		if limit := uint64(16*len(record) + 64<<10); used > limit {
			t.Errorf("%d bytes allocated for %d", used, len(record))
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) || !reflect.DeepEqual(l, raft.Log{}) {
				t.Errorf("%+v, %v", l, err)
			}
			return
		}
		b, err := encodeLog(&l)
		if len(l.Data)+len(l.Extensions) > MaxEntry {
			return // the encoder's limit alone
		}
		if err != nil || l.Index != index || !bytes.Equal(b, record) {
			t.Errorf("%x came back as %x, %v", record, b, err)
		}
	})
}
