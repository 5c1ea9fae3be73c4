package ordering

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// InstallSnapshot sends a state on a stream of its own. The parts follow only once the other
// side asks for them, so that a refusal costs one message.
func (g *Guard) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	member, err := g.callee(id, target)
	if err != nil {
		return err
	}
	if args.SnapshotVersion != raft.SnapshotVersionMax || args.Size > g.o.MaxSnapshot {
		return fmt.Errorf("send snapshot to %s: version %d of %d bytes; it must be version %d of at most %d",
			member, args.SnapshotVersion, args.Size, raft.SnapshotVersionMax, g.o.MaxSnapshot)
	}
	if !g.enter() {
		return raft.ErrTransportShutdown
	}
	defer g.tasks.Done()
	l, err := g.dial(member)
	if err != nil {
		return fmt.Errorf("send snapshot to %s: %w", member, err)
	}
	m, err := g.send(l, args, data)
	if err == nil {
		err = g.checkReply(&m.Header, member)
	}
	if err != nil {
		err = l.explain(err)
		l.reset(err)
		return fmt.Errorf("send snapshot to %s: %w", member, err)
	}
	l.close()
	*resp = raft.InstallSnapshotResponse{RPCHeader: toHeader(m.Header), Term: m.Term, Success: m.Success}
	return nil
}

// send sends a snapshot and receives the answer.
func (g *Guard) send(l *link, args *raft.InstallSnapshotRequest, data io.Reader) (m installedMessage, err error) {
	err = l.conn.Send(kindSnapshot, &snapshotMessage{
		Header: fromHeader(args.RPCHeader), Term: args.Term,
		LastLog: args.LastLogIndex, LastTerm: args.LastLogTerm,
		Configuration:      fromConfiguration(raft.DecodeConfiguration(args.Configuration)),
		ConfigurationIndex: args.ConfigurationIndex, Size: args.Size,
	})
	if err != nil {
		return m, err
	}
	k, body, err := l.conn.Receive(func(k wire.Kind) (uint32, bool) { return maxSmall, k == kindProceed || k == kindInstalled })
	if err != nil {
		return m, err
	}
	if k == kindInstalled { // Raft needed no data to decide
		return m, wire.Unmarshal(body, &m)
	}
	var proceed proceedMessage
	if err := wire.Unmarshal(body, &proceed); err != nil {
		return m, err
	}
	part := make([]byte, min(args.Size, maxPart))
	for left := args.Size; left > 0; left -= int64(len(part)) {
		l.within(g.o.Timeout)
		part = part[:min(left, maxPart)]
		if _, err := io.ReadFull(data, part); err != nil {
			return m, fmt.Errorf("read snapshot: %w", err)
		}
		if err := l.conn.SendBytes(kindPart, part); err != nil {
			return m, err
		}
	}
	l.within(g.o.Restore)
	return m, l.conn.Expect(kindInstalled, maxSmall, &m)
}

// incoming is a snapshot that Raft reads from a stream. It asks for the data at the first
// read: until then Raft may refuse.
type incoming struct {
	g     *Guard
	l     *link
	size  int64
	left  int64
	part  []byte
	begun bool
}

// Read reads what has come. It returns io.EOF only when all has.
func (r *incoming) Read(p []byte) (int, error) {
	if len(r.part) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, fmt.Errorf("receive snapshot: %w", err)
		}
	}
	n := copy(p, r.part)
	r.part = r.part[n:]
	return n, nil
}

func (r *incoming) next() error {
	r.l.within(r.g.o.Timeout)
	if !r.begun {
		r.begun = true
		if err := r.l.conn.Send(kindProceed, &proceedMessage{Size: r.size}); err != nil {
			return err
		}
	}
	part, err := r.l.conn.ExpectBytes(kindPart, uint32(min(r.left, maxPart)))
	if err == nil && len(part) == 0 {
		err = errors.New("empty part")
	}
	if err != nil {
		// Raft asks again to get in step; there is nothing to get in step with.
		r.l.cancel(err)
		return err
	}
	if r.part, r.left = part, r.left-int64(len(part)); r.left == 0 {
		r.l.within(r.g.o.Restore)
	}
	return nil
}
