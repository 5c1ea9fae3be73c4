package ordering

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

func snapshotOf(name string, size int) *raft.InstallSnapshotRequest {
	return &raft.InstallSnapshotRequest{
		RPCHeader: head(name), SnapshotVersion: raft.SnapshotVersionMax, Term: 1,
		LastLogIndex: 9, LastLogTerm: 1, Configuration: raft.EncodeConfiguration(servers(three)), ConfigurationIndex: 1, Size: int64(size),
	}
}

func TestSnapshotSizes(t *testing.T) {
	const most = 2*maxPart + 1
	for _, c := range []struct {
		size            int
		sender          int64 // its limit
		taken, resetted bool
	}{
		{0, most, true, false}, {1, most, true, false}, {maxPart, most, true, false}, {maxPart + 1, most, true, false},
		{most, most, true, false},
		{most + 1, most, false, false},    // refused by the sender
		{most + 1, 2 * most, false, true}, // by the receiver
	} {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			au := net.add(t, "AU", among(three...), Options{MaxSnapshot: most})
			br := net.add(t, "BR", among(three...), Options{MaxSnapshot: c.sender})
			got := -1
			answering(t, au, func(r raft.RPC) (any, error) {
				b, err := io.ReadAll(r.Reader)
				got = len(b)
				if err != nil {
					return nil, err
				}
				return &raft.InstallSnapshotResponse{Success: true}, nil
			})
			var response raft.InstallSnapshotResponse
			err := br.InstallSnapshot("AU", "AU", snapshotOf("BR", c.size), &response, bytes.NewReader(make([]byte, c.size)))
			if taken := err == nil && response.Success && got == c.size; taken != c.taken {
				t.Errorf("%d bytes: %v, %+v, %d arrived", c.size, err, response, got)
			}
			if resetted := net.resets() > 0; resetted != c.resetted {
				t.Errorf("%d bytes: reset %v", c.size, resetted)
			}
		})
	}
}

// TestCutSnapshot: Raft learns that a state is not whole.
func TestCutSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		var got error
		answering(t, au, func(r raft.RPC) (any, error) {
			_, got = io.Copy(io.Discard, r.Reader)
			return nil, got
		})
		err := br.InstallSnapshot("AU", "AU", snapshotOf("BR", maxPart+5), new(raft.InstallSnapshotResponse), strings.NewReader(strings.Repeat("x", maxPart+4)))
		synctest.Wait()
		if !errors.Is(err, io.ErrUnexpectedEOF) || got == nil {
			t.Errorf("sender: %v, receiver: %v", err, got)
		}
	})
}

// slow is a state whose every read takes a while, as on a thin link.
type slow struct {
	io.Reader
	rest time.Duration
}

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(s.rest)
	return io.ReadFull(s.Reader, p)
}

// TestSlowSnapshot: a transfer may take long if it goes on, and so may the restoring.
func TestSlowSnapshot(t *testing.T) {
	for _, c := range []struct {
		part, restore time.Duration
		ok            bool
	}{
		{0, 0, true}, {9 * time.Second, 0, true}, {11 * time.Second, 0, false},
		{0, 9 * time.Minute, true}, {0, 11 * time.Minute, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
			answering(t, au, func(r raft.RPC) (any, error) {
				_, err := io.Copy(io.Discard, r.Reader)
				time.Sleep(c.restore)
				return &raft.InstallSnapshotResponse{Success: true}, err
			})
			const size = 5 * maxPart
			state := slow{bytes.NewReader(make([]byte, size)), c.part}
			if err := br.InstallSnapshot("AU", "AU", snapshotOf("BR", size), new(raft.InstallSnapshotResponse), state); (err == nil) != c.ok {
				t.Errorf("%s a part and %s to restore: %v", c.part, c.restore, err)
			}
			time.Sleep(time.Hour)
		})
	}
}

// TestRefusedSnapshotCostsOneMessage: no byte of the state is read unless Raft wants it.
func TestRefusedSnapshotCostsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		answering(t, au, func(raft.RPC) (any, error) { return nil, errors.New("not now") })
		state := strings.NewReader("state")
		var stated *wire.PeerError
		err := br.InstallSnapshot("AU", "AU", snapshotOf("BR", 5), new(raft.InstallSnapshotResponse), state)
		if !errors.As(err, &stated) || state.Len() != 5 {
			t.Errorf("%v, %d bytes left", err, state.Len())
		}
	})
}

func TestUnreadSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log text
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{Log: log.logger()}), net.add(t, "BR", among(three...), Options{})
		answering(t, au, func(r raft.RPC) (any, error) {
			_, err := r.Reader.Read(make([]byte, 1))
			return &raft.InstallSnapshotResponse{Success: true}, err
		})
		err := br.InstallSnapshot("AU", "AU", snapshotOf("BR", 2*maxPart), new(raft.InstallSnapshotResponse), bytes.NewReader(make([]byte, 2*maxPart)))
		synctest.Wait()
		if err == nil || !strings.Contains(log.String(), "not read to its end") {
			t.Errorf("%v, log: %s", err, log.String())
		}
	})
}

// TestHostileParts: a part that is empty or over what is left ends the stream.
func TestHostileParts(t *testing.T) {
	for _, size := range []int{0, 11} {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			au := net.add(t, "AU", among(three...), Options{})
			var got error
			answering(t, au, func(r raft.RPC) (any, error) {
				_, got = io.Copy(io.Discard, r.Reader)
				return nil, got
			})
			x, y := pair("BR", "AU")
			go au.Serve(t.Context(), y)
			c := wire.NewConn(x)
			if err := c.Send(kindSnapshot, &snapshotMessage{
				Header: fromHeader(head("BR")), Term: 1, LastLog: 9, LastTerm: 1,
				Configuration: fromConfiguration(servers(three)), ConfigurationIndex: 1, Size: 10,
			}); err != nil {
				t.Fatal(err)
			}
			var proceed proceedMessage
			if err := c.Expect(kindProceed, maxSmall, &proceed); err != nil || proceed.Size != 10 {
				t.Fatal(proceed, err)
			}
			_ = c.SendBytes(kindPart, make([]byte, size)) // the receiver may already have gone
			synctest.Wait()
			if got == nil || x.resets.Load() == 0 {
				t.Errorf("part of %d bytes: %v, %d resets", size, got, x.resets.Load())
			}
		})
	}
}

// TestFollowerCatchesUpBySnapshot runs it all: a follower that was away gets the state, not
// the entries that were cut.
func TestFollowerCatchesUpBySnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t)
		leader := g.leader(t, "")
		away := "AU"
		if leader == away {
			away = "BR"
		}
		g.guards[away].Suspect(leader)
		g.apply(t, leader, 50)
		c := g.nodes[leader].raft.ReloadableConfig()
		c.TrailingLogs = 1
		if err := g.nodes[leader].raft.ReloadConfig(c); err != nil {
			t.Fatal(err)
		}
		if err := g.nodes[leader].raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		g.guards[away].Clear()
		g.apply(t, leader, 1)
		settle()
		if got := g.nodes[away].machine.count.Load(); got != 51 {
			t.Errorf("%s counts %d", away, got)
		}
		if err := g.nodes[away].logs.GetLog(20, new(raft.Log)); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry 20: %v; it came by itself, not by the snapshot", err)
		}
	})
}
