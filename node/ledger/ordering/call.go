package ordering

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// exchange sends a request and receives its answer into reply, a pointer to a message.
func exchange(l *link, k wire.Kind, request any, answer wire.Kind, reply any) error {
	if err := l.conn.Send(k, request); err != nil {
		return err
	}
	return l.conn.Expect(answer, maxSmall, reply)
}

// call makes one request of a voter. A kept stream may have ended meanwhile, so a failure on
// one is tried again on a new one: Raft's requests may all come twice.
func (g *Guard) call(member string, k wire.Kind, request any, answer wire.Kind, reply any, head *header) error {
	if !g.enter() {
		return raft.ErrTransportShutdown
	}
	defer g.tasks.Done()
	l := g.take(member)
	kept := l != nil
	for {
		if l == nil {
			var err error
			if l, err = g.dial(member); err != nil {
				return err
			}
		}
		l.within(g.o.Timeout)
		err := exchange(l, k, request, answer, reply)
		var stated *wire.PeerError
		if errors.As(err, &stated) {
			g.put(member, l)
			return err
		}
		if err == nil {
			err = g.checkReply(head, member)
		}
		if err == nil {
			g.put(member, l)
			return nil
		}
		err = l.explain(err)
		l.reset(err)
		if !kept || errors.Is(err, errLate) || errors.Is(err, errName) {
			return err
		}
		l, kept = nil, false
	}
}

// checkReply holds the names in an answer to whom was asked. Raft leaves some empty.
func (g *Guard) checkReply(h *header, member string) error {
	for _, name := range []string{h.ID, h.Address} {
		if name != "" && name != member {
			err := fmt.Errorf("%w: %q", errName, name[:min(len(name), maxMember)])
			g.refused(member, err)
			return err
		}
	}
	return nil
}

// AppendEntriesPipeline is refused: with two requests under way at most it gains little, and
// its errors are harder to place.
func (g *Guard) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries sends entries in as many requests as their size asks for. The first that
// does not succeed is the answer to all.
func (g *Guard) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	member, err := g.callee(id, target)
	if err != nil {
		return err
	}
	if err := g.lead(g.self, args.Term); err != nil {
		return fmt.Errorf("append to %s: %w", member, err)
	}
	messages, err := split(args)
	if err != nil {
		return fmt.Errorf("append to %s: %w", member, err)
	}
	for i := range messages {
		var m appendedMessage
		if err := g.call(member, kindAppend, &messages[i], kindAppended, &m, &m.Header); err != nil {
			return fmt.Errorf("append to %s: %w", member, err)
		}
		*resp = raft.AppendEntriesResponse{
			RPCHeader: toHeader(m.Header), Term: m.Term, LastLog: m.LastLog,
			Success: m.Success, NoRetryBackoff: m.NoRetryBackoff,
		}
		if !m.Success {
			break
		}
	}
	return nil
}

// split cuts an append into messages that each fit a frame. All but the last commit only
// what they carry: what the receiver holds beyond may still be cut by the next.
func split(args *raft.AppendEntriesRequest) ([]appendMessage, error) {
	m := appendMessage{
		Header: fromHeader(args.RPCHeader), Term: args.Term,
		PreviousLog: args.PrevLogEntry, PreviousTerm: args.PrevLogTerm, Commit: args.LeaderCommitIndex,
	}
	var out []appendMessage
	size, configurations := messageOverhead, 0
	for _, l := range args.Entries {
		e, err := sendable(l)
		if err != nil {
			return nil, err
		}
		isConfiguration := l.Type == raft.LogConfiguration
		more := len(e.Data) + len(e.Extensions) + entryOverhead
		full := size+more > wire.MaxChunk || len(m.Entries) == maxEntries || isConfiguration && configurations == maxConfigurations
		if n := len(m.Entries); n > 0 && full {
			last := m.Entries[n-1]
			m.Commit = min(args.LeaderCommitIndex, last.Index)
			out = append(out, m)
			m.PreviousLog, m.PreviousTerm, m.Entries = last.Index, last.Term, nil
			size, configurations = messageOverhead, 0
		}
		m.Entries = append(m.Entries, e)
		if size += more; isConfiguration {
			configurations++
		}
	}
	m.Commit = args.LeaderCommitIndex
	return append(out, m), nil
}

// sendable turns an entry of the own log into its form on the wire.
func sendable(l *raft.Log) (entry, error) {
	e := fromLog(l)
	if l.Type == raft.LogConfiguration {
		data, err := wire.Marshal(fromConfiguration(raft.DecodeConfiguration(l.Data)))
		if err != nil {
			return entry{}, fmt.Errorf("entry %d: %w", l.Index, err)
		}
		e.Data = data
	}
	if n := len(e.Data) + len(e.Extensions); n > MaxEntry {
		return entry{}, fmt.Errorf("entry %d has %d bytes, at most %d", l.Index, n, MaxEntry)
	}
	return e, nil
}

func fromConfiguration(c raft.Configuration) configuration {
	var out configuration
	for _, s := range c.Servers {
		out.Servers = append(out.Servers, server{Suffrage: uint8(s.Suffrage), ID: string(s.ID), Address: string(s.Address)})
	}
	return out
}

// RequestVote asks a voter for its vote.
func (g *Guard) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	member, err := g.callee(id, target)
	if err != nil {
		return err
	}
	var m votedMessage
	err = g.call(member, kindVote, &voteMessage{
		Header: fromHeader(args.RPCHeader), Term: args.Term,
		LastLog: args.LastLogIndex, LastTerm: args.LastLogTerm, Transfer: args.LeadershipTransfer,
	}, kindVoted, &m, &m.Header)
	if err != nil {
		return fmt.Errorf("ask %s for its vote: %w", member, err)
	}
	*resp = raft.RequestVoteResponse{RPCHeader: toHeader(m.Header), Term: m.Term, Granted: m.Granted}
	return nil
}

// RequestPreVote asks a voter whether it would give its vote.
func (g *Guard) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	member, err := g.callee(id, target)
	if err != nil {
		return err
	}
	var m votedMessage
	err = g.call(member, kindPreVote, &preVoteMessage{
		Header: fromHeader(args.RPCHeader), Term: args.Term, LastLog: args.LastLogIndex, LastTerm: args.LastLogTerm,
	}, kindPreVoted, &m, &m.Header)
	if err != nil {
		return fmt.Errorf("ask %s whether it would vote: %w", member, err)
	}
	*resp = raft.RequestPreVoteResponse{RPCHeader: toHeader(m.Header), Term: m.Term, Granted: m.Granted}
	return nil
}

// TimeoutNow hands the lead to a voter.
func (g *Guard) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	member, err := g.callee(id, target)
	if err != nil {
		return err
	}
	var m timedOutMessage
	if err := g.call(member, kindTimeout, &timeoutMessage{Header: fromHeader(args.RPCHeader)}, kindTimedOut, &m, &m.Header); err != nil {
		return fmt.Errorf("hand the lead to %s: %w", member, err)
	}
	*resp = raft.TimeoutNowResponse{RPCHeader: toHeader(m.Header)}
	return nil
}
