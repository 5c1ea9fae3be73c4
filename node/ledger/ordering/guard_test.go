package ordering

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// answering has a Guard's requests answered by f until the test ends.
func answering(t *testing.T, g *Guard, f func(raft.RPC) (any, error)) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case r := <-g.Consumer():
				r.Respond(f(r))
			case <-done:
				return
			}
		}
	}()
}

// yes is the answer to any request.
func yes(r raft.RPC) (any, error) {
	switch r.Command.(type) {
	case *raft.AppendEntriesRequest:
		return &raft.AppendEntriesResponse{RPCHeader: head("AU"), Term: 7, LastLog: 8, Success: true, NoRetryBackoff: true}, nil
	case *raft.RequestVoteRequest:
		return &raft.RequestVoteResponse{RPCHeader: head("AU"), Term: 7, Granted: true}, nil
	case *raft.RequestPreVoteRequest:
		return &raft.RequestPreVoteResponse{RPCHeader: head("AU"), Term: 7, Granted: true}, nil
	case *raft.InstallSnapshotRequest:
		if _, err := io.Copy(io.Discard, r.Reader); err != nil {
			return nil, err
		}
		return &raft.InstallSnapshotResponse{RPCHeader: head("AU"), Term: 7, Success: true}, nil
	}
	return &raft.TimeoutNowResponse{RPCHeader: head("AU")}, nil
}

func heartbeat(name string, term uint64) *raft.AppendEntriesRequest {
	return &raft.AppendEntriesRequest{RPCHeader: head(name), Term: term}
}

func beat(from *Guard, term uint64) error {
	return from.AppendEntries("AU", "AU", heartbeat(from.self, term), new(raft.AppendEntriesResponse))
}

func TestRequestsArriveAsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		var got any
		var state []byte
		answering(t, au, func(r raft.RPC) (any, error) {
			got = r.Command
			if r.Reader != nil {
				var err error
				if state, err = io.ReadAll(r.Reader); err != nil {
					return nil, err
				}
				r.Reader = strings.NewReader("")
			}
			return yes(r)
		})
		check := func(want any, err error, response, full any) {
			t.Helper()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("sent %+v\n got %+v, %v", want, got, err)
			}
			if !reflect.DeepEqual(response, full) {
				t.Errorf("answer %+v, not %+v", response, full)
			}
		}
		entries := []*raft.Log{
			{Index: 5, Term: 3, Data: []byte("one"), Extensions: []byte("more"), AppendedAt: time.Unix(3, 4).UTC()},
			{Index: 6, Term: 3, Type: raft.LogNoop, Data: []byte{}, Extensions: []byte{}},
			{Index: 7, Term: 4, Type: raft.LogBarrier, Data: []byte{}, Extensions: []byte{}},
			{Index: 8, Term: 4, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(servers(three)), Extensions: []byte{}},
		}
		a := &raft.AppendEntriesRequest{RPCHeader: head("BR"), Term: 4, PrevLogEntry: 4, PrevLogTerm: 3, Entries: entries, LeaderCommitIndex: 5}
		var ar raft.AppendEntriesResponse
		check(a, br.AppendEntries("AU", "AU", a, &ar), ar,
			raft.AppendEntriesResponse{RPCHeader: head("AU"), Term: 7, LastLog: 8, Success: true, NoRetryBackoff: true})
		v := &raft.RequestVoteRequest{RPCHeader: head("BR"), Term: 4, LastLogIndex: 5, LastLogTerm: 3, LeadershipTransfer: true}
		var vr raft.RequestVoteResponse
		check(v, br.RequestVote("AU", "AU", v, &vr), vr, raft.RequestVoteResponse{RPCHeader: head("AU"), Term: 7, Granted: true})
		p := &raft.RequestPreVoteRequest{RPCHeader: head("BR"), Term: 4, LastLogIndex: 5, LastLogTerm: 3}
		var pr raft.RequestPreVoteResponse
		check(p, br.RequestPreVote("AU", "AU", p, &pr), pr, raft.RequestPreVoteResponse{RPCHeader: head("AU"), Term: 7, Granted: true})
		n := &raft.TimeoutNowRequest{RPCHeader: head("BR")}
		var nr raft.TimeoutNowResponse
		check(n, br.TimeoutNow("AU", "AU", n, &nr), nr, raft.TimeoutNowResponse{RPCHeader: head("AU")})
		content := bytes.Repeat([]byte("state"), maxPart/2)
		s := &raft.InstallSnapshotRequest{
			RPCHeader: head("BR"), SnapshotVersion: raft.SnapshotVersionMax, Term: 4, LastLogIndex: 9, LastLogTerm: 4,
			Configuration: raft.EncodeConfiguration(servers(three)), ConfigurationIndex: 8, Size: int64(len(content)),
		}
		var sr raft.InstallSnapshotResponse
		check(s, br.InstallSnapshot("AU", "AU", s, &sr, bytes.NewReader(content)), sr,
			raft.InstallSnapshotResponse{RPCHeader: head("AU"), Term: 7, Success: true})
		if !bytes.Equal(state, content) {
			t.Errorf("%d bytes of state arrived, not the %d sent", len(state), len(content))
		}
		if n := net.opened(); n != 2 || net.resets() != 0 {
			t.Errorf("%d streams, %d resets; one must do for all but the snapshot", n, net.resets())
		}
	})
}

func TestCallsGoToVotersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		answering(t, net.add(t, "AU", among(three...), Options{}), yes)
		br := net.add(t, "BR", among("AU", "BR"), Options{})
		for _, c := range []struct{ id, address string }{{"CH", "CH"}, {"BR", "BR"}, {"AU", "DE"}, {"", ""}} {
			err := br.AppendEntries(raft.ServerID(c.id), raft.ServerAddress(c.address), heartbeat("BR", 1), new(raft.AppendEntriesResponse))
			if err == nil || c.id == c.address && !errors.Is(err, ErrNotVoter) {
				t.Errorf("call of %s at %s: %v", c.id, c.address, err)
			}
		}
		if n := net.opened(); n != 0 {
			t.Errorf("%d streams were opened", n)
		}
		if _, err := br.AppendEntriesPipeline("AU", "AU"); err != raft.ErrPipelineReplicationNotSupported {
			t.Errorf("pipeline: %v", err)
		}
	})
}

// TestVoteIsLostMidStream: a stream outlives its member's vote, but no request on it does.
func TestVoteIsLostMidStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		voters := among(three...)
		au := net.add(t, "AU", func(m string) bool { return voters(m) }, Options{})
		br := net.add(t, "BR", among(three...), Options{})
		answering(t, au, yes)
		if err := beat(br, 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		voters = among("AU", "CH")
		if err := beat(br, 1); err == nil {
			t.Error("a member without a vote got an answer")
		}
		synctest.Wait()
		if net.resets() == 0 {
			t.Error("no stream was reset")
		}
	})
}

// TestHeartbeatsPassTheQueue: they are answered while nobody takes requests.
func TestHeartbeatsPassTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		au.SetHeartbeatHandler(func(r raft.RPC) { r.Respond(yes(r)) })
		if err := beat(br, 1); err != nil {
			t.Error(err)
		}
		request := heartbeat("BR", 1)
		request.LeaderCommitIndex = 1
		if err := br.AppendEntries("AU", "AU", request, new(raft.AppendEntriesResponse)); err == nil {
			t.Error("an append that is no heartbeat was answered")
		}
	})
}

func TestSilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{Timeout: time.Minute}), net.add(t, "BR", among(three...), Options{})
		begun := time.Now()
		if err := beat(br, 1); !errors.Is(err, errLate) || time.Since(begun) != br.o.Timeout {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		// Half a frame, and then nothing.
		x, y := pair("BR", "AU")
		served := make(chan struct{})
		go func() {
			au.Serve(t.Context(), y)
			close(served)
		}()
		if _, err := x.Write([]byte{byte(kindVote), 0}); err != nil {
			t.Fatal(err)
		}
		begun = time.Now()
		<-served
		if d := time.Since(begun); d != au.o.Timeout || x.resets.Load() == 0 {
			t.Errorf("half a frame was waited for %s, resets %d", d, x.resets.Load())
		}
	})
}

func TestOpeningEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := NewGuard("BR", func(ctx context.Context, _ string) (Stream, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, among(three...), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := beat(g, 1); !errors.Is(err, errLate) {
			t.Error(err)
		}
		go func() {
			time.Sleep(time.Second)
			_ = g.Close()
		}()
		if err := beat(g, 1); !errors.Is(err, raft.ErrTransportShutdown) {
			t.Error(err)
		}
	})
}

// keeps counts the idle streams.
func keeps(g *Guard) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, links := range g.idle {
		n += len(links)
	}
	return n
}

// TestAnotherAnswers: a stream that leads to somebody else is of no use.
func TestAnotherAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := pair("BR", "CH")
		go func() { _, _ = io.Copy(io.Discard, y) }()
		g, err := NewGuard("BR", func(context.Context, string) (Stream, error) { return x, nil }, among(three...), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := beat(g, 1); err == nil || errors.Is(err, errLate) || x.resets.Load() == 0 {
			t.Errorf("%v, %d resets", err, x.resets.Load())
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamsAreKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		release := make(chan struct{})
		au.SetHeartbeatHandler(func(r raft.RPC) {
			<-release
			r.Respond(yes(r))
		})
		errs := make(chan error)
		for range 5 {
			go func() { errs <- beat(br, 1) }()
		}
		synctest.Wait()
		close(release)
		for range 5 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n := keeps(br); net.opened() != 5 || n != mostIdle {
			t.Errorf("%d streams opened, %d kept", net.opened(), n)
		}
		time.Sleep(2*br.o.Idle + time.Second)
		if n := keeps(br); n != 0 || net.resets() != 0 {
			t.Errorf("%d streams are left, %d resets", n, net.resets())
		}
		if err := beat(br, 1); err != nil || net.opened() != 6 {
			t.Errorf("after the rest: %v, %d streams opened", err, net.opened())
		}
	})
}

// TestStreamsOfFormerVoters are closed, however new.
func TestStreamsOfFormerVoters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		var former atomic.Bool
		au := net.add(t, "AU", among(three...), Options{})
		br := net.add(t, "BR", func(m string) bool { return m != "AU" || !former.Load() }, Options{})
		answering(t, au, yes)
		time.Sleep(br.o.Idle - time.Second)
		if err := beat(br, 1); err != nil {
			t.Fatal(err)
		}
		former.Store(true)
		time.Sleep(2 * time.Second)
		if n := keeps(br); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

// TestKeptStreamThatEnded: the other side may restart at any time, and a vote that is lost
// for that would cost an election.
func TestKeptStreamThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		answering(t, au, yes)
		if err := beat(br, 1); err != nil {
			t.Fatal(err)
		}
		net.ends[0].Reset()
		if err := beat(br, 1); err != nil || net.opened() != 2 {
			t.Errorf("%v, %d streams opened", err, net.opened())
		}
	})
}

func TestStreamsOfAMemberAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log text
		net := newNetwork()
		au := net.add(t, "AU", among(three...), Options{Log: log.logger()})
		for i := range mostServed + 1 {
			x, y := pair("BR", "AU")
			go au.Serve(t.Context(), y)
			synctest.Wait()
			if reset := x.resets.Load() > 0; reset != (i == mostServed) {
				t.Errorf("stream %d: reset %v", i, reset)
			}
		}
		if !strings.Contains(log.String(), errTooMany.Error()) {
			t.Errorf("log: %s", log.String())
		}
		x, y := pair("CH", "AU")
		go au.Serve(t.Context(), y)
		synctest.Wait()
		if x.resets.Load() > 0 {
			t.Error("another member was refused too")
		}
	})
}

// TestAnswersUnderAnotherName: who is called speaks for itself alone, too.
func TestAnswersUnderAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		answering(t, au, func(raft.RPC) (any, error) {
			return &raft.RequestVoteResponse{RPCHeader: head("CH"), Term: 1, Granted: true}, nil
		})
		var response raft.RequestVoteResponse
		err := br.RequestVote("AU", "AU", &raft.RequestVoteRequest{RPCHeader: head("BR"), Term: 1}, &response)
		if !errors.Is(err, errName) || response.Granted || net.resets() == 0 {
			t.Errorf("%v, %+v, %d resets", err, response, net.resets())
		}
	})
}

// TestRaftErrorsStayHere: the other side learns that it failed, and may go on.
func TestRaftErrorsStayHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		answering(t, au, func(raft.RPC) (any, error) { return nil, errors.New("of no interest to others") })
		for range 2 {
			var stated *wire.PeerError
			if err := beat(br, 1); !errors.As(err, &stated) || stated.Code != wire.Internal {
				t.Error(err)
			}
		}
		if net.opened() != 1 {
			t.Errorf("%d streams opened", net.opened())
		}
	})
}

func TestClosedGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		au, br := net.add(t, "AU", among(three...), Options{}), net.add(t, "BR", among(three...), Options{})
		pending := make(chan error)
		go func() { pending <- beat(br, 1) }() // nobody answers
		synctest.Wait()
		if err := br.Close(); err != nil {
			t.Error(err)
		}
		if err := <-pending; !errors.Is(err, raft.ErrTransportShutdown) {
			t.Error(err)
		}
		if err := beat(br, 1); !errors.Is(err, raft.ErrTransportShutdown) {
			t.Error(err)
		}
		if err := au.Close(); err != nil {
			t.Error(err)
		}
		x, y := pair("BR", "AU")
		au.Serve(t.Context(), y)
		if x.resets.Load() == 0 {
			t.Error("a closed Guard served")
		}
	})
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Timeout: -1}, {Restore: -1}, {Idle: -1}, {MaxSnapshot: -1}} {
		if _, err := NewGuard("AU", nil, among(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	for _, self := range []string{"", strings.Repeat("A", maxMember+1)} {
		if _, err := NewGuard(self, nil, among(), Options{}); err == nil {
			t.Errorf("member %q was taken", self)
		}
	}
}
