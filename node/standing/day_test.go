//go:build unix

package standing_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"entente/node"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/standing"
	"entente/policy"
	"entente/protocol/indicator"
)

// BenchmarkDay is a day of standing rounds: 100 new items among a million, and 44 partners
// with as many tags each. The partners are one other node with 44 subscriptions. What a first
// evaluation of the lists would have left is invented (Fill): it takes ten minutes. That
// needs both nodes in one process; for the day itself the partner moves into another, so
// that the asking node's processor time is counted alone. A partner's is that of all 44.
func BenchmarkDay(b *testing.B) {
	const partners, held = 44, 1_000_000 - 1_000_000%64
	au, id, stop := pair(b)
	ctx := b.Context()
	var all []string
	for range partners {
		v, err := au.Standing().Subscribe(ctx, standing.Request{Partner: "ID", Lists: []string{"wanted"}, Purpose: "trafficking",
			Learn: "us", Every: 24 * time.Hour, Period: 48 * time.Hour, Questions: 4096})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, v.ID)
	}
	settled(b, au, all, time.Time{})
	phones(b, au, 1000, held)
	class := 917_504 // the size class below a million
	f, err := standing.Fill(id.Standing(), au.Standing(), class)
	if err != nil {
		b.Fatal(err)
	}
	for _, sub := range all {
		if err := standing.Pretend(ctx, id.Standing(), au.Standing(), sub, 0, f); err != nil {
			b.Fatal(err)
		}
	}
	for _, sub := range all { // the partners have runs that are due as well
		if err := id.Standing().Resume(ctx, sub); err != nil {
			b.Fatal(err)
		}
	}
	if err := au.Standing().Forget(ctx); err != nil { // of a million imported rows, which is no day's work
		b.Fatal(err)
	}
	stop()
	ended := elsewhere(b, id.Dir())
	for b.Loop() {
		phones(b, au, held+2000, 100)
		before := traffic(b, au, all)
		start, wall := processor(), time.Now()
		for _, sub := range all {
			if err := au.Standing().Resume(ctx, sub); err != nil {
				b.Fatal(err)
			}
		}
		settled(b, au, all, wall)
		b.ReportMetric((processor() - start).Seconds(), "asker-cpu-s/day")
		b.ReportMetric(float64(traffic(b, au, all)-before)/partners/1000, "kB/partner")
	}
	b.ReportMetric(ended().Seconds()/float64(b.N), "holder-cpu-s/day")
}

// elsewhere serves a node in another process. The function that it returns ends that, and
// tells what processor time it took.
func elsewhere(b *testing.B, dir string) func() time.Duration {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	child := exec.CommandContext(b.Context(), self)
	child.Env, child.Stderr = append(os.Environ(), served+"="+dir), os.Stderr
	in, err1 := child.StdinPipe()
	pipe, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		b.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		b.Fatalf("the other process said %q: %v", line, err)
	}
	return func() time.Duration {
		var used time.Duration
		err1 := in.Close()
		_, err2 := fmt.Fscan(out, &used)
		if err := errors.Join(err1, err2, child.Wait()); err != nil {
			b.Fatal(err)
		}
		return used
	}
}

const served = "ENTENTE_TEST_SERVED" // the directory of a node that another process serves

func TestMain(m *testing.M) {
	dir := os.Getenv(served)
	if dir == "" {
		m.Run()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	n, err := node.Open(ctx, dir, node.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var start time.Duration
	err = n.Run(ctx, func() {
		start = processor()
		fmt.Println("ready")
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // until it is closed
			fmt.Println(int64(processor() - start))
			cancel()
		}()
	})
	if err := errors.Join(err, n.Close()); err != nil {
		log.Fatal(err)
	}
}

func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for a bad argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// settled waits until every standing round has run after a time.
func settled(b *testing.B, n *node.Node, all []string, after time.Time) {
	b.Helper()
	for _, sub := range all {
		v, err := n.Standing().Wait(b.Context(), sub, after)
		if err != nil || v.LastRun == nil {
			b.Fatalf("%+v: %v", v, err)
		}
	}
}

func traffic(b *testing.B, n *node.Node, all []string) uint64 {
	b.Helper()
	sum := uint64(0)
	for _, sub := range all {
		v, err := n.Standing().Show(b.Context(), sub)
		if err != nil {
			b.Fatal(err)
		}
		sum += v.Sent + v.Received
	}
	return sum
}

// phones imports invented numbers.
func phones(b *testing.B, n *node.Node, from, count int) {
	b.Helper()
	var text strings.Builder
	text.WriteString("phone\n")
	for i := range count {
		fmt.Fprintf(&text, "+49151%08d\n", 31_415_926+from+i)
	}
	i := node.Import{List: "wanted", File: "wanted.csv"}
	i.Kind = indicator.Phone
	i.Handling = indicator.Handling{Category: "suspect", Purpose: "trafficking", Basis: n.ID() + "-TIP"}
	report, err := n.ImportList(b.Context(), i, strings.NewReader(text.String()))
	if err != nil || report.Ready != count {
		b.Fatalf("%d of %d rows are ready: %v, %v", report.Ready, count, report.Reasons, err)
	}
}

// pair starts two nodes on loopback; stop ends the second.
func pair(b *testing.B) (au, id *node.Node, stop func()) {
	b.Helper()
	base := b.TempDir()
	var cards, dirs []string
	for _, member := range []string{"AU", "ID"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		c := config.Default()
		c.Member = config.Member{ID: member, Name: "Member " + member, Role: "state"}
		c.Network.Listen = []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)}
		c.Limits.Rounds = 64
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
		dir := filepath.Join(base, member)
		if _, err := node.Init(b.Context(), dir, node.Setup{Config: c}); err != nil {
			b.Fatal(err)
		}
		cards, dirs = append(cards, filepath.Join(dir, federation.CardName)), append(dirs, dir)
	}
	file := filepath.Join(base, "fed.json")
	if _, err := federation.Create("bench", file, cards); err != nil {
		b.Fatal(err)
	}
	nodes := []*node.Node{}
	for _, dir := range dirs {
		n, err := node.Open(b.Context(), dir, node.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := n.SignRoster(file); err != nil {
			b.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		if _, err := n.JoinFederation(b.Context(), file); err != nil {
			b.Fatal(err)
		}
		files, err := policy.Pilot(policy.PilotOptions{Version: 2, Partners: []string{nodes[1-i].ID()}, Basis: n.ID() + "-TIP"})
		if err != nil {
			b.Fatal(err)
		}
		for name, text := range files {
			files[name] = []byte(strings.ReplaceAll(string(text), "250000", "250000000"))
		}
		folder := filepath.Join(n.Dir(), node.RulesFolder)
		if err := node.WriteRules(folder, files); err != nil {
			b.Fatal(err)
		}
		if _, err := n.ActivateRules(b.Context(), folder); err != nil {
			b.Fatal(err)
		}
		phones(b, n, i*10, 20)
		stop = serve(b, n)
	}
	return nodes[0], nodes[1], stop
}

// serve runs a node until the benchmark or the function that it returns ends it.
func serve(b *testing.B, n *node.Node) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- n.Run(ctx, func() { close(ready) }) }()
	<-ready
	stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, n.Close()); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(stop)
	return stop
}
