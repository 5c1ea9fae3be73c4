package ordering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// mostServed is how many streams of one member are served at a time, so that what a voter
// can have this side hold stays bounded.
const mostServed = 8

var errTooMany = errors.New("has too many streams open")

// Serve answers the requests of a member until it ends the stream, breaks the rules or ctx
// ends. It owns the stream.
func (g *Guard) Serve(ctx context.Context, s Stream) {
	member := s.Member()
	if !g.enter() {
		s.Reset()
		return
	}
	defer g.tasks.Done()
	if err := g.admit(member); err != nil {
		s.Reset()
		g.refused(member, err)
		return
	}
	defer g.release(member)
	ctx, cancel := context.WithCancelCause(ctx)
	defer context.AfterFunc(g.ctx, func() { cancel(raft.ErrTransportShutdown) })()
	l := newLink(ctx, cancel, s, 2*g.o.Idle)
	for {
		// Twice as long as the opener keeps an idle stream, so that it ends it first.
		l.within(2 * g.o.Idle)
		if _, err := l.in.Peek(1); err != nil {
			if l.close(); !errors.Is(err, io.EOF) {
				g.o.Log.Debug("ledger stream ended", slog.String("member", member), slog.Any("reason", l.explain(err)))
			}
			return
		}
		l.within(g.o.Timeout)
		if err := g.answer(l, member); err != nil {
			err = l.explain(err)
			l.reset(err)
			g.refused(member, err)
			return
		}
	}
}

func (g *Guard) refused(member string, err error) {
	g.o.Log.Warn("ledger stream reset", slog.String("member", member), slog.Any("reason", err))
}

// admit counts a stream of a voter.
func (g *Guard) admit(member string) error {
	if member == g.self || !g.voter(member) {
		return ErrNotVoter
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.served[member] >= mostServed {
		return errTooMany
	}
	g.served[member]++
	return nil
}

func (g *Guard) release(member string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.served[member]--; g.served[member] == 0 {
		delete(g.served, member)
	}
}

// receive reads a request that this member may make.
func (g *Guard) receive(l *link, member string) (raft.WithRPCHeader, error) {
	k, body, err := l.conn.Receive(requestLimit)
	if err != nil {
		return nil, err
	}
	if !g.voter(member) { // may have changed since the stream was opened
		return nil, ErrNotVoter
	}
	command, err := decode(k, body)
	if err != nil {
		return nil, err
	}
	return command, checkName(command, member)
}

// answer serves one request. An error means that the stream must not go on.
func (g *Guard) answer(l *link, member string) error {
	command, err := g.receive(l, member)
	if err != nil {
		return err
	}
	if g.isSuspect(member) {
		return l.conn.SendError(wire.NotAvailable)
	}
	rpc := raft.RPC{Command: command}
	var parts *incoming
	switch c := command.(type) {
	case *raft.AppendEntriesRequest:
		err = g.lead(member, c.Term)
	case *raft.InstallSnapshotRequest:
		parts = &incoming{g: g, l: l, size: c.Size, left: c.Size}
		if rpc.Reader = parts; c.Size > g.o.MaxSnapshot {
			return fmt.Errorf("snapshot of %d bytes, at most %d", c.Size, g.o.MaxSnapshot)
		}
		err = g.lead(member, c.Term)
	}
	if err != nil {
		return err
	}
	response, err := g.hand(l, rpc)
	if err != nil {
		return err
	}
	if parts != nil && parts.begun && parts.left > 0 {
		return errors.New("snapshot was not read to its end")
	}
	return g.reply(l, response)
}

// hand gives a request to Raft and waits for its response.
func (g *Guard) hand(l *link, rpc raft.RPC) (raft.RPCResponse, error) {
	response := make(chan raft.RPCResponse, 1)
	rpc.RespChan = response
	g.mu.Lock()
	heartbeat := g.heartbeat
	g.mu.Unlock()
	if heartbeat != nil && isHeartbeat(rpc.Command) {
		heartbeat(rpc)
	} else {
		select {
		case g.requests <- rpc:
		case <-l.ctx.Done():
			return raft.RPCResponse{}, context.Cause(l.ctx)
		}
	}
	select {
	case r := <-response:
		return r, nil
	case <-l.ctx.Done():
		return raft.RPCResponse{}, context.Cause(l.ctx)
	}
}

// isHeartbeat tells what Raft handles outside its main loop: an append that touches neither
// log nor commit index.
func isHeartbeat(command any) bool {
	a, ok := command.(*raft.AppendEntriesRequest)
	return ok && a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0
}

// reply sends Raft's response. Why Raft failed is this side's business.
func (g *Guard) reply(l *link, r raft.RPCResponse) error {
	if r.Error != nil {
		g.o.Log.Debug("raft refused a request", slog.String("member", l.stream.Member()), slog.Any("reason", r.Error))
		return l.conn.SendError(wire.Internal)
	}
	switch m := r.Response.(type) {
	case *raft.AppendEntriesResponse:
		return l.conn.Send(kindAppended, &appendedMessage{
			Header: fromHeader(m.RPCHeader), Term: m.Term, LastLog: m.LastLog,
			Success: m.Success, NoRetryBackoff: m.NoRetryBackoff,
		})
	case *raft.RequestVoteResponse:
		return l.conn.Send(kindVoted, &votedMessage{Header: fromHeader(m.RPCHeader), Term: m.Term, Granted: m.Granted})
	case *raft.RequestPreVoteResponse:
		return l.conn.Send(kindPreVoted, &votedMessage{Header: fromHeader(m.RPCHeader), Term: m.Term, Granted: m.Granted})
	case *raft.InstallSnapshotResponse:
		return l.conn.Send(kindInstalled, &installedMessage{Header: fromHeader(m.RPCHeader), Term: m.Term, Success: m.Success})
	case *raft.TimeoutNowResponse:
		return l.conn.Send(kindTimedOut, &timedOutMessage{Header: fromHeader(m.RPCHeader)})
	}
	return fmt.Errorf("raft answered with %T", r.Response)
}
