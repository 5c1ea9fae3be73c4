package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"entente/node/api"
)

func TestEveryCommandIsExplained(t *testing.T) {
	a := &app{out: io.Discard, err: io.Discard}
	var walk func(c *cobra.Command, example string)
	walk = func(c *cobra.Command, example string) {
		if c.Example != "" {
			example = c.Example
		}
		if c.Short == "" {
			t.Errorf("%q says not what it does", c.CommandPath())
		}
		if !c.HasSubCommands() && !strings.Contains(example, "entente ") {
			t.Errorf("%q has no example", c.CommandPath())
		}
		if c.Example != "" && !strings.Contains(c.Example, strings.TrimSuffix(c.CommandPath(), " ")) {
			t.Errorf("the example of %q is for another: %s", c.CommandPath(), c.Example)
		}
		for _, sub := range c.Commands() {
			walk(sub, example)
		}
	}
	for _, c := range a.root().Commands() {
		walk(c, "")
	}
}

// Every exit code is in the help, and every failure has the code that the help says.
func TestExitCodes(t *testing.T) {
	for code := exitDone; code <= exitFound; code++ {
		if !strings.Contains(strings.ReplaceAll(about, "\n", " "), fmt.Sprintf(" %d ", code)) {
			t.Errorf("the help does not mention exit code %d", code)
		}
	}
	for _, x := range []struct {
		err  error
		code int
		says string
	}{
		{nil, exitDone, ""},
		{errors.New("e"), exitFailed, "entente: e\n"},
		{usage(errors.New("e")), exitUsage, "entente: e\n"},
		{fmt.Errorf("while: %w", &exit{exitRefused, errors.New("e")}), exitRefused, "entente: e\n"},
		{&exit{exitFound, nil}, exitFound, ""},
		{&api.Problem{Code: api.Failed, Message: "m"}, exitFailed, "entente: m\n"},
		{&api.Problem{Code: api.Invalid, Message: "m"}, exitUsage, "entente: m\n"},
		{&api.Problem{Code: api.BadRules, Message: "m"}, exitFound, "entente: m\n"},
		{&api.Problem{Code: api.BadRoster, Message: "m"}, exitFailed, "compare its words by telephone"},
		{&api.Problem{Code: api.NotJoined, Message: "m"}, exitFailed, "entente federation join"},
		{&api.Problem{Code: api.Denied, Message: "m", Grounds: []string{"g"}}, exitDenied, "m\n   g\n"},
	} {
		var stderr bytes.Buffer
		a := &app{err: &stderr}
		if code := a.code(x.err); code != x.code {
			t.Errorf("%v has exit code %d, want %d", x.err, code, x.code)
		}
		if got := stderr.String(); !strings.Contains(got, x.says) || x.says == "" && got != "" {
			t.Errorf("%v says %q, want %q", x.err, got, x.says)
		}
	}
}

// Results go to standard output, and all talk to standard error.
func TestWhereOutputGoes(t *testing.T) {
	for _, args := range [][]string{{"nothing"}, {"list"}, {"list", "show"}, {"init", "--no"}, {"list", "show", "--dir", t.TempDir()}} {
		var out, stderr bytes.Buffer
		if code := run(args, strings.NewReader(""), &out, &stderr); code == exitDone || out.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%v: exit code %d, %d bytes of results: %s", args, code, out.Len(), &stderr)
		}
	}
	var out, stderr bytes.Buffer
	if code := run([]string{"--help"}, strings.NewReader(""), &out, &stderr); code != exitDone || out.Len() == 0 || stderr.Len() > 0 {
		t.Errorf("help: exit code %d: %s", code, &stderr)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 999_949: "999.9 kB", 1_000_000: "1.0 MB", 1_000_000_000: "1.0 GB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) is %s, want %s", n, got, want)
		}
	}
	if got := when(time.Time{}); got != "–" {
		t.Errorf("no time is %s", got)
	}
}

// Progress is a line every ten percent, and never counts back or beyond the whole.
func TestMeter(t *testing.T) {
	var w bytes.Buffer
	m := (&app{err: &w}).meter("round")
	for done := range int64(1001) {
		m.set(done, 1000)
	}
	m.set(1001, 1000)
	m.set(1, 0)
	m.end()
	lines := strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
	if len(lines) != 11 || lines[0] != "round: 0 %, 0 bytes of 1.0 kB" || lines[10] != "round: 100 %, 1.0 kB of 1.0 kB" {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

// What remains is estimated from what was done since the meter began, not from what
// an earlier connection had done.
func TestMeterAfterResume(t *testing.T) {
	m := &meter{first: 500, began: time.Now().Add(-10 * time.Second)}
	if got := m.left(600, 1000, time.Now()); got != ", about 40s left" {
		t.Errorf("left%s", got)
	}
	if got := m.left(1000, 1000, time.Now()); got != "" {
		t.Errorf("left%s", got)
	}
}

func TestWordsOfAPlan(t *testing.T) {
	for got, want := range map[string]string{
		wrongHits(1e-17): "practically none (1e-17 expected)", wrongHits(0.5): "0.5 expected",
		computing(0.2): "under a second", computing(4.4): "about 4 s", excluded("other"): "faces of another model", excluded("unheard_of"): "unheard_of",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, reason := range []string{"expired", "shielded", "never_with", "held"} {
		if excluded(reason) == reason {
			t.Errorf("%s is not put into plain words", reason)
		}
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{"": false, ".": false, "..": false, "...": false, "a": true, "a/..": true, strings.Repeat("x", 65): false} {
		if path, err := listPath(name); (err == nil) != ok || ok && !strings.HasPrefix(path, "/lists/") {
			t.Errorf("list %q: %s, %v", name, path, err)
		}
	}
	if path, err := listPath("a/../b?c"); err != nil || path != "/lists/a%2F..%2Fb%3Fc" {
		t.Errorf("%s, %v", path, err)
	}
	for id, ok := range map[string]bool{"": false, "12": false, strings.Repeat("g", 32): false, strings.Repeat("A", 32): true, "../status": false} {
		if _, err := roundID(id); (err == nil) != ok {
			t.Errorf("round %q: %v", id, err)
		}
	}
}
