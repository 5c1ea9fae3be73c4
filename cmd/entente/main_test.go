package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"entente/node"
	"entente/node/api"
	"entente/node/ledger"
	"entente/node/rounds"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"entente": main}) }

// TestStories runs what people and their scripts do with the program, one story a file.
func TestStories(t *testing.T) {
	ports := &sync.Map{} // that stories have
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error { return setUp(e, ports) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "pair": pair, "serve": serve, "end": end, "phones": phones,
			"take": take, "fields": fields, "values": values, "flip": flip, "secrets": secrets, "bytes": rawBytes,
			"edit": edit, "private": private, "inbox": inbox, "over": over, "murder": murder, "until": until,
			"five": five, "settled": settled, "decided": decided, "level": level, "shown": shown, "warned": warned,
			"called": called, "term": term, "scrape": scrape, "faces": faces,
		},
	})
}

// setUp gives a story five free ports and a place for its daemons, which end with it.
func setUp(e *testscript.Env, ports *sync.Map) error {
	for i := range 5 {
		port, err := freePort(ports)
		if err != nil {
			return err
		}
		e.Setenv(fmt.Sprintf("PORT%d", i+1), strconv.Itoa(port))
	}
	// Sockets of directories with long names lie in the folder for temporary files.
	folder, err := os.MkdirTemp("", "e")
	if err != nil {
		return err
	}
	e.Defer(func() { _ = os.RemoveAll(folder) })
	e.Setenv("TMPDIR", folder)
	e.Setenv("LONG", strings.Repeat("long-name-of-a-folder-", 6))
	all := &daemons{running: map[string]*daemon{}}
	e.Values[daemonsKey{}] = all
	e.Defer(all.kill)
	return nil
}

// freePort is a port that no story uses, below those that the system gives to whoever calls
// out: else another daemon's connection could take it before it is listened on, or while a
// story has its daemon down. The tests of package node, which run at the same time, take ports
// below 22,000.
func freePort(ports *sync.Map) (int, error) {
	for range 1000 {
		port := 22_000 + rand.IntN(10_000)
		if _, taken := ports.LoadOrStore(port, true); taken {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		stream, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		packets, err := net.ListenPacket("udp", address)
		if err = errors.Join(err, stream.Close()); err != nil {
			continue
		}
		return port, packets.Close()
	}
	return 0, errors.New("there is no free port")
}

// exits runs a command and demands its exit code: exits 3 entente round plan …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command [argument...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if stderr := ts.ReadFile("stderr"); strings.Contains(stderr, "goroutine ") || strings.Contains(stderr, "panic") {
		ts.Fatalf("a stack trace reached the screen")
	}
}

// pair sets up AU and ID, which have joined one roster and live by the pilot's rules:
// pair [flag of policy init...]
func pair(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: pair [flag...]")
	}
	do := func(command ...string) { ts.Check(ts.Exec("entente", command...)) }
	do("init", "--dir", "au", "--member", "AU", "--name", "Australia", "--listen", "/ip4/127.0.0.1/tcp/"+ts.Getenv("PORT1"))
	do("init", "--dir", "id", "--member", "ID", "--name", "Indonesia", "--listen", "/ip4/127.0.0.1/tcp/"+ts.Getenv("PORT2"))
	do("federation", "create", "--name", "bali", "--out", "fed.json", "au/member.json", "id/member.json")
	do("federation", "sign", "--dir", "au", "fed.json")
	do("federation", "sign", "--dir", "id", "fed.json")
	for dir, partner := range map[string]string{"au": "ID", "id": "AU"} {
		do("federation", "join", "--dir", dir, "fed.json")
		do(append([]string{"policy", "init", "--dir", dir, "--partner", partner, "--basis", strings.ToUpper(dir) + "-TIP"}, args...)...)
		do("policy", "activate", "--dir", dir, dir+"/rules")
	}
}

type daemonsKey struct{}

// daemons are those of one story, by their directory. A story is one goroutine.
type daemons struct{ running map[string]*daemon }

type daemon struct {
	command *exec.Cmd
	ended   chan error // of the process, after its log is whole
}

func (d *daemons) kill() {
	for _, one := range d.running {
		_ = one.command.Process.Kill() // it may have ended by itself
		<-one.ended
	}
}

// serve starts a node's daemon and returns once partners can reach it. What it says
// goes to DIR.log, after what earlier daemons said.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve dir")
	}
	log, err := os.OpenFile(ts.MkAbs(args[0]+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	program, err := exec.LookPath("entente")
	ts.Check(err)
	c := exec.Command(program, "serve", "--dir", args[0])
	c.Dir, c.Env = ts.MkAbs("."), append(os.Environ(), "TMPDIR="+ts.Getenv("TMPDIR"))
	stderr, err := c.StderrPipe()
	ts.Check(err)
	ts.Check(c.Start())
	ready, d := make(chan struct{}), &daemon{command: c, ended: make(chan error, 1)}
	go func() {
		reached := false
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			_, _ = fmt.Fprintln(log, lines.Text())
			if !reached && strings.Contains(lines.Text(), " serves on ") {
				reached = true
				close(ready)
			}
		}
		_ = log.Close()
		d.ended <- c.Wait()
	}()
	select {
	case <-ready:
		ts.Value(daemonsKey{}).(*daemons).running[args[0]] = d
	case err := <-d.ended:
		ts.Fatalf("the daemon ended: %v: %s", err, ts.ReadFile(args[0]+".log"))
	}
}

// end tells a daemon to end and demands that it does so cleanly: end dir
func end(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: end dir")
	}
	all := ts.Value(daemonsKey{}).(*daemons).running
	d, ok := all[args[0]]
	if !ok {
		ts.Fatalf("no daemon serves %s", args[0])
	}
	delete(all, args[0])
	ts.Check(d.command.Process.Signal(syscall.SIGTERM))
	if err := <-d.ended; err != nil {
		ts.Fatalf("the daemon of %s ended with: %v", args[0], err)
	}
}

// murder gives a daemon no time to clean up.
func murder(ts *testscript.TestScript, neg bool, args []string) {
	all := ts.Value(daemonsKey{}).(*daemons).running
	if neg || len(args) != 1 || all[args[0]] == nil {
		ts.Fatalf("usage: murder dir")
	}
	ts.Check(all[args[0]].command.Process.Kill())
	<-all[args[0]].ended
	delete(all, args[0])
}

// over waits until a round is over: over dir round
func over(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: over dir round")
	}
	ask(ts, args[0], func(x *api.Client) error {
		var v rounds.View
		return x.Get(context.Background(), "/rounds/"+args[1]+"/wait?seconds=60", &v)
	})
}

// inbox waits until so many rounds wait for a person: inbox dir n
func inbox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: inbox dir n")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ask(ts, args[0], func(x *api.Client) error {
		for {
			var all, waiting []rounds.View
			if err := x.Get(context.Background(), "/inbox", &waiting); err != nil || len(waiting) == want {
				return err
			}
			if err := x.Get(context.Background(), "/rounds", &all); err != nil {
				return err
			}
			if len(all) == 0 {
				continue // the offer is on its way
			}
			// The newest round changes next: a second's wait costs nothing.
			var v rounds.View
			if err := x.Get(context.Background(), "/rounds/"+all[len(all)-1].ID+"/wait?seconds=1", &v); err != nil {
				return err
			}
		}
	})
}

// until waits until a standing round has these fields: until dir round hits=50 state=ended
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: until dir round field=value...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ask(ts, args[0], func(x *api.Client) error {
		for {
			var v map[string]any
			if err := x.Get(ctx, "/standing/"+args[1], &v); err != nil {
				return fmt.Errorf("wait for %v: %w", args[2:], err)
			}
			if has(v, args[2:]) {
				return nil
			}
			// Whatever changes the fields comes with a run, or soon after: a second's wait costs nothing.
			after := int64(0)
			if last, ok := v["last_run"].(string); ok {
				at, err := time.Parse(time.RFC3339Nano, last)
				if err != nil {
					return err
				}
				after = at.UnixMilli()
			}
			if err := x.Get(ctx, fmt.Sprintf("/standing/%s/wait?seconds=1&after=%d", args[1], after), nil); err != nil {
				return fmt.Errorf("wait for %v, it is %v: %w", args[2:], v, err)
			}
		}
	})
}

// five sets up AU, ID, MY, TH and VN, of which the first four sequence a ledger, and starts
// their daemons.
func five(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: five")
	}
	do := func(command ...string) { ts.Check(ts.Exec("entente", command...)) }
	ids := []string{"AU", "ID", "MY", "TH", "VN"}
	create := []string{"federation", "create", "--name", "bali", "--out", "fed.json", "--sequencers", "AU,ID,MY,TH"}
	for i, id := range ids {
		dir := strings.ToLower(id)
		do("init", "--dir", dir, "--member", id, "--name", "Member "+id, "--listen", "/ip4/127.0.0.1/tcp/"+ts.Getenv(fmt.Sprintf("PORT%d", i+1)))
		create = append(create, dir+"/member.json")
	}
	do(create...)
	for _, id := range ids {
		do("federation", "sign", "--dir", strings.ToLower(id), "fed.json")
	}
	for _, id := range ids {
		do("federation", "join", "--dir", strings.ToLower(id), "fed.json")
		serve(ts, false, []string{strings.ToLower(id)})
	}
}

// settled waits until the ledger has a time and all that these nodes wrote is final there.
func settled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: settled dir...")
	}
	for _, dir := range args {
		ledgerUntil(ts, dir, func(_ *api.Client, v ledger.Standing) (bool, error) {
			return v.Waiting == 0 && v.Final == v.Entries && !v.Clock.IsZero(), nil
		})
	}
}

// level waits until all that is final at one node is final at another: level from to
func level(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: level from to")
	}
	var from ledger.Standing
	ask(ts, args[0], func(x *api.Client) error { return x.Get(context.Background(), "/ledger", &from) })
	ledgerUntil(ts, args[1], func(_ *api.Client, v ledger.Standing) (bool, error) { return v.Final >= from.Final, nil })
}

// decided waits until so many proposals have ended for good by a node's copy of the ledger:
// decided dir 2
func decided(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: decided dir number")
	}
	ledgerUntil(ts, args[0], func(x *api.Client, _ ledger.Standing) (bool, error) {
		var all []node.Proposal
		err := x.Get(context.Background(), "/proposals", &all)
		n := 0
		for _, p := range all {
			if p.Final {
				n++
			}
		}
		return fmt.Sprint(n) == args[1], err
	})
}

// called waits until a node has heard of a call for a new term: called dir
func called(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: called dir")
	}
	ledgerUntil(ts, args[0], func(x *api.Client, _ ledger.Standing) (bool, error) {
		var all []ledger.Called
		err := x.Get(context.Background(), "/ledger/calls", &all)
		return len(all) > 0, err
	})
}

// term waits until a node is in a ledger term: term dir number
func term(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: term dir number")
	}
	ledgerUntil(ts, args[0], func(_ *api.Client, v ledger.Standing) (bool, error) { return fmt.Sprint(v.Term) == args[1], nil })
}

// shown waits until what a node knows of the federation holds a text: shown dir text
func shown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shown dir text")
	}
	ledgerUntil(ts, args[0], func(x *api.Client, _ ledger.Standing) (bool, error) {
		var v json.RawMessage
		err := x.Get(context.Background(), "/federation", &v)
		return strings.Contains(string(v), args[1]), err
	})
}

// warned waits until a node's ledger has an alarm with a text: warned dir text
func warned(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: warned dir text")
	}
	ledgerUntil(ts, args[0], func(_ *api.Client, v ledger.Standing) (bool, error) {
		return strings.Contains(strings.Join(v.Alarms, "\n"), args[1]), nil
	})
}

func ledgerUntil(ts *testscript.TestScript, dir string, holds func(*api.Client, ledger.Standing) (bool, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ask(ts, dir, func(x *api.Client) error {
		var v ledger.Standing
		err := x.Get(ctx, "/ledger", &v)
		for err == nil {
			ok, bad := holds(x, v)
			if ok || bad != nil {
				return bad
			}
			err = x.Get(ctx, "/ledger/wait?seconds=1", &v)
		}
		return fmt.Errorf("wait for the ledger of %s, which stands so: %+v: %w", dir, v, err)
	})
}

// has tells whether the paths of a document have these values.
func has(document any, want []string) bool {
	for _, one := range want {
		path, value, _ := strings.Cut(one, "=")
		v := document
		for _, step := range strings.Split(path, ".") {
			m, _ := v.(map[string]any) // nil: it has nothing
			v = m[step]
		}
		if fmt.Sprint(v) != value {
			return false
		}
	}
	return true
}

// ask puts a question to a daemon.
func ask(ts *testscript.TestScript, dir string, f func(*api.Client) error) {
	x, err := api.Dial(context.Background(), ts.MkAbs(dir), node.Options{})
	ts.Check(err)
	if !x.Daemon {
		ts.Fatalf("no daemon serves %s", dir)
	}
	ts.Check(errors.Join(f(x), x.Close()))
}
