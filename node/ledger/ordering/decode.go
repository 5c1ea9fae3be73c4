package ordering

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// decode turns the frame of a request into Raft's command. It admits only what a sound
// voter can send, since Raft checks little: it deletes, panics or loops over the rest.
func decode(k wire.Kind, body []byte) (raft.WithRPCHeader, error) {
	switch k {
	case kindAppend:
		return decodeAppend(body)
	case kindVote:
		return decodeVote(body)
	case kindPreVote:
		return decodePreVote(body)
	case kindSnapshot:
		return decodeSnapshot(body)
	case kindTimeout:
		var m timeoutMessage
		err := wire.Unmarshal(body, &m)
		return &raft.TimeoutNowRequest{RPCHeader: toHeader(m.Header)}, err
	}
	return nil, fmt.Errorf("kind %d is no request", k)
}

func decodeAppend(body []byte) (*raft.AppendEntriesRequest, error) {
	var m appendMessage
	if err := wire.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	if m.Term == 0 {
		return nil, errors.New("append in term 0")
	}
	logs, err := decodeEntries(&m)
	if err != nil {
		return nil, err
	}
	return &raft.AppendEntriesRequest{
		RPCHeader: toHeader(m.Header), Term: m.Term,
		PrevLogEntry: m.PreviousLog, PrevLogTerm: m.PreviousTerm,
		Entries: logs, LeaderCommitIndex: m.Commit,
	}, nil
}

// decodeEntries holds entries to Raft's own invariants: they follow one another without a
// gap, and terms never fall.
func decodeEntries(m *appendMessage) ([]*raft.Log, error) {
	if len(m.Entries) == 0 {
		return nil, nil
	}
	if len(m.Entries) > maxEntries {
		return nil, fmt.Errorf("%d entries, at most %d go in one request", len(m.Entries), maxEntries)
	}
	values, out := make([]raft.Log, len(m.Entries)), make([]*raft.Log, len(m.Entries))
	index, term, configurations := m.PreviousLog, m.PreviousTerm, 0
	for i := range m.Entries {
		e := &m.Entries[i]
		if index++; e.Index != index || index == 0 {
			return nil, fmt.Errorf("entry %d where %d must follow", e.Index, index)
		}
		if e.Term < term || e.Term > m.Term || e.Term == 0 {
			return nil, fmt.Errorf("entry %d of term %d, after %d and in an append of %d", e.Index, e.Term, term, m.Term)
		}
		term = e.Term
		switch raft.LogType(e.Type) {
		case raft.LogCommand, raft.LogNoop, raft.LogBarrier:
		case raft.LogConfiguration:
			if configurations++; configurations > maxConfigurations {
				return nil, fmt.Errorf("more than %d configurations in one request", maxConfigurations)
			}
			data, err := decodeConfiguration(e.Data)
			if err != nil {
				return nil, fmt.Errorf("entry %d: %w", e.Index, err)
			}
			e.Data = data
		default:
			return nil, fmt.Errorf("entry %d is of type %d, which is none of ours", e.Index, e.Type)
		}
		values[i] = toLog(e)
		out[i] = &values[i]
	}
	return out, nil
}

// decodeConfiguration turns our form of a configuration into Raft's.
func decodeConfiguration(body []byte) ([]byte, error) {
	var c configuration
	if err := wire.Unmarshal(body, &c); err != nil {
		return nil, err
	}
	return c.encode()
}

func (c configuration) encode() ([]byte, error) {
	if len(c.Servers) == 0 || len(c.Servers) > maxServers {
		return nil, fmt.Errorf("configuration of %d servers", len(c.Servers))
	}
	known, voters := map[string]bool{}, 0
	out := raft.Configuration{Servers: make([]raft.Server, 0, len(c.Servers))}
	for _, s := range c.Servers {
		switch {
		case s.ID == "" || len(s.ID) > maxMember || s.Address != s.ID:
			return nil, errors.New("configuration with a server whose id is not its address")
		case known[s.ID]:
			return nil, fmt.Errorf("configuration names %q twice", s.ID)
		case s.Suffrage > uint8(raft.Nonvoter):
			return nil, fmt.Errorf("configuration with suffrage %d", s.Suffrage)
		}
		known[s.ID] = true
		if raft.ServerSuffrage(s.Suffrage) == raft.Voter {
			voters++
		}
		out.Servers = append(out.Servers, raft.Server{
			Suffrage: raft.ServerSuffrage(s.Suffrage), ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Address),
		})
	}
	if voters == 0 {
		return nil, errors.New("configuration without a voter")
	}
	return raft.EncodeConfiguration(out), nil
}

func decodeVote(body []byte) (*raft.RequestVoteRequest, error) {
	var m voteMessage
	if err := wire.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	return &raft.RequestVoteRequest{
		RPCHeader: toHeader(m.Header), Term: m.Term,
		LastLogIndex: m.LastLog, LastLogTerm: m.LastTerm, LeadershipTransfer: m.Transfer,
	}, nil
}

func decodePreVote(body []byte) (*raft.RequestPreVoteRequest, error) {
	var m preVoteMessage
	if err := wire.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	return &raft.RequestPreVoteRequest{
		RPCHeader: toHeader(m.Header), Term: m.Term, LastLogIndex: m.LastLog, LastLogTerm: m.LastTerm,
	}, nil
}

func decodeSnapshot(body []byte) (*raft.InstallSnapshotRequest, error) {
	var m snapshotMessage
	if err := wire.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	if m.Term == 0 || m.Size < 0 || m.LastLog == 0 || m.LastTerm > m.Term || m.ConfigurationIndex > m.LastLog {
		return nil, errors.New("snapshot that no log can end in")
	}
	c, err := m.Configuration.encode()
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return &raft.InstallSnapshotRequest{
		RPCHeader: toHeader(m.Header), SnapshotVersion: raft.SnapshotVersionMax,
		Term: m.Term, LastLogIndex: m.LastLog, LastLogTerm: m.LastTerm,
		Configuration: c, ConfigurationIndex: m.ConfigurationIndex, Size: m.Size,
	}, nil
}

// errName says that a message speaks for somebody else than its sender.
var errName = errors.New("speaks under another name")

// checkName holds a command's names to the stream's member.
func checkName(c raft.WithRPCHeader, member string) error {
	h := c.GetRPCHeader()
	for _, name := range [][]byte{h.ID, h.Addr} {
		if string(name) != member {
			return fmt.Errorf("%w: %q", errName, name[:min(len(name), maxMember)])
		}
	}
	return nil
}
