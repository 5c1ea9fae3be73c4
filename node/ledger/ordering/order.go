package ordering

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Machine is what the commands of the log are applied to, in the log's order. After a
// restart those since the last snapshot are applied again.
type Machine interface {
	// Apply takes the next command in. Whatever it is, it cannot fail.
	Apply(index uint64, command []byte)
	// Snapshot returns the state after the last command. It is kept once settled returns.
	Snapshot() (state []byte, settled func(context.Context) error)
	// Restore puts a state in place of the present one.
	Restore(ctx context.Context, state []byte) error
}

// Settings of an Order; what is zero gets the value in brackets.
type Settings struct {
	Dir     string        // of log, votes and snapshots
	Members []string      // with whom a new log begins; none: wait until a leader calls
	Silence time.Duration // of the leader, after which another is elected [1.5 s]
	// Commands after which a snapshot is due, and how many stay in the log after one
	// [4096, 1024]: whoever is further behind gets the snapshot.
	Snapshot, Trail uint64
	Log             *slog.Logger // [none]
}

// maxState is how long the state of a snapshot may be in bytes.
const maxState = 64 << 10

// timeout bounds what an Order asks of the others while it leads.
const timeout = 10 * time.Second

// Order is a member's part in a log that its voters agree on.
type Order struct {
	raft  *raft.Raft
	guard *Guard
	store *Store
	end   context.CancelFunc
}

// Start joins in, over a Guard, which the Order closes when it is closed.
func Start(g *Guard, m Machine, o Settings) (_ *Order, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Silence == 0 {
		o.Silence = 1500 * time.Millisecond
	}
	if o.Snapshot == 0 {
		o.Snapshot, o.Trail = 4096, 1024
	}
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(g.self)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = o.Silence, o.Silence, o.Silence*2/3
	c.MaxAppendEntries = maxEntries
	c.SnapshotThreshold, c.TrailingLogs = o.Snapshot, o.Trail
	c.Logger = raftLogger(o.Log)
	ctx, end := context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			end()
		}
	}()
	store, err := OpenStore(filepath.Join(o.Dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(o.Dir, 2, c.Logger)
	if err != nil {
		return nil, fmt.Errorf("start ordering: %w", err)
	}
	held, err := raft.HasExistingState(store, store, snapshots)
	if err != nil {
		return nil, fmt.Errorf("start ordering: %w", err)
	}
	if !held && len(o.Members) > 0 {
		var all raft.Configuration
		for _, id := range o.Members {
			all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
		}
		if err := raft.BootstrapCluster(c, store, store, snapshots, g, all); err != nil {
			return nil, fmt.Errorf("start ordering: %w", err)
		}
	}
	r, err := raft.NewRaft(c, machine{ctx, m}, store, store, snapshots, g)
	if err != nil {
		return nil, fmt.Errorf("start ordering: %w", err)
	}
	return &Order{raft: r, guard: g, store: store, end: end}, nil
}

// Close ends this member's part and waits for what is under way.
func (o *Order) Close() error {
	o.end()
	err := o.raft.Shutdown().Error()
	return errors.Join(err, o.guard.Close(), o.store.Close())
}

// Leads tells when this member begins or ceases to lead; only the latest is kept.
func (o *Order) Leads() <-chan bool { return o.raft.LeaderCh() }

// Leader is who leads, as far as is known here; empty if nobody does.
func (o *Order) Leader() string {
	_, id := o.raft.LeaderWithID()
	return string(id)
}

// Propose puts a command into the log, if this member leads. wait returns when it has been
// applied here, or why that is not known; commands are applied in the order of proposals.
func (o *Order) Propose(command []byte) (wait func() error) {
	f := o.raft.Apply(command, timeout)
	return func() error {
		if err := f.Error(); err != nil {
			return fmt.Errorf("order a command: %w", err)
		}
		return nil
	}
}

// Settle waits until all that earlier leaders put into the log has been applied here.
func (o *Order) Settle() error {
	if err := o.raft.Barrier(timeout).Error(); err != nil {
		return fmt.Errorf("take up the lead: %w", err)
	}
	return nil
}

// Voters are those who have a vote now, ascending.
func (o *Order) Voters() ([]string, error) {
	f := o.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, fmt.Errorf("read voters: %w", err)
	}
	var ids []string
	for _, s := range f.Configuration().Servers {
		ids = append(ids, string(s.ID))
	}
	slices.Sort(ids)
	return ids, nil
}

// SetVoters changes who has a vote, one after the other, if this member leads. A leader that
// loses its vote steps down, last of all.
func (o *Order) SetVoters(ids []string) error {
	now, err := o.Voters()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.Contains(now, id) {
			if err := o.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, timeout).Error(); err != nil {
				return fmt.Errorf("give %s a vote: %w", id, err)
			}
		}
	}
	slices.SortFunc(now, func(a, b string) int { // the own one last
		switch o.guard.self {
		case a:
			return 1
		case b:
			return -1
		}
		return 0
	})
	for _, id := range now {
		if !slices.Contains(ids, id) {
			if err := o.raft.RemoveServer(raft.ServerID(id), 0, timeout).Error(); err != nil {
				return fmt.Errorf("take the vote of %s: %w", id, err)
			}
		}
	}
	return nil
}

// machine is a Machine as Raft wants it.
type machine struct {
	ctx context.Context
	m   Machine
}

var _ raft.FSM = machine{}

func (m machine) Apply(l *raft.Log) any {
	m.m.Apply(l.Index, l.Data)
	return nil
}

func (m machine) Snapshot() (raft.FSMSnapshot, error) {
	state, settled := m.m.Snapshot()
	return snapshot{m.ctx, state, settled}, nil
}

func (m machine) Restore(r io.ReadCloser) error {
	state, err := io.ReadAll(io.LimitReader(r, maxState+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if len(state) > maxState {
		return fmt.Errorf("read snapshot: has more than %d bytes", maxState)
	}
	return m.m.Restore(m.ctx, state)
}

type snapshot struct {
	ctx     context.Context
	state   []byte
	settled func(context.Context) error
}

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	err := s.settled(s.ctx)
	if err == nil {
		_, err = io.Copy(sink, bytes.NewReader(s.state))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep snapshot: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (snapshot) Release() {}
