package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"entente-sim": main}) }

// TestStories runs what people and their scripts do with the program, one story a file.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "results": results, "narrow": narrow},
	})
}

// exits runs a command and demands its exit code: exits 2 entente-sim …
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
}

// results writes the document on standard output to a file, without what was measured:
// results file
func results(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: results file")
	}
	document, _, found := strings.Cut(ts.ReadFile("stdout"), `"measured"`)
	if !found {
		ts.Fatalf("standard output has nothing measured")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(document), 0o600))
}

// narrow demands that standard output fits a usual terminal.
func narrow(ts *testscript.TestScript, neg bool, _ []string) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if n := len(strings.TrimRight(line, "\n")); neg || n > 80 {
			ts.Fatalf("a line of %d bytes: %s", n, line)
		}
	}
}

// TestInterrupted ends a long sweep as a person does, once it is under way.
func TestInterrupted(t *testing.T) {
	program, err := exec.LookPath("entente-sim")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "attack", "filter-sweep", "--guesses", "10000000")
	var stdout bytes.Buffer
	c.Stdout = &stdout
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for lines := bufio.NewScanner(stderr); lines.Scan(); said = lines.Text() {
		if said == "" {
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	var e *exec.ExitError
	if err := c.Wait(); !errors.As(err, &e) || e.ExitCode() != exitFailed {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(said, "stopped before it was done") || stdout.Len() > 0 {
		t.Errorf("said last %q, printed %q", said, &stdout)
	}
}

func TestMeter(t *testing.T) {
	var b bytes.Buffer
	m := newMeter(&b)
	for i := range 101 {
		m.set("one", i, 100)
	}
	m.set("one", 200, 100) // more than there is: not shown
	m.set("two", 0, 0)
	m.set("two", 50, 100)
	m.end()
	if got := b.String(); strings.Count(got, "\n") != 11 || !strings.Contains(got, "one: 100 %\n") || !strings.HasSuffix(got, "two: 50 %\n") {
		t.Errorf("%q", got)
	}
	m.terminal = true
	b.Reset()
	m.set("three", 100, 100)
	m.end()
	if got := b.String(); !strings.HasPrefix(got, "\rthree: 100 %") || !strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
}
