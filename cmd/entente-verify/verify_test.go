package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/crypto/sign"
	"entente/node/audit"
	"entente/protocol/entry"
	"entente/protocol/roster"
)

// folder writes the audit folder of a node that was set up and did nothing since.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	key, err := sign.NewPrivateKey(bytes.Repeat([]byte{1}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	card, err := roster.NewCard(roster.Member{
		ID: "AU", Name: "Australia", Role: roster.State, Sign: key.Public().Bytes(),
		Transport: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32)).Public().(ed25519.PublicKey),
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := card.JSON()
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "member.json"), b)
	for _, c := range []entry.Chain{entry.Local, entry.Submitted} {
		s, _, err := entry.Author{Member: "AU", Key: key}.Next(entry.Head{}, c, entry.Created, nil, time.UnixMilli(1_790_000_000_000))
		if err != nil {
			t.Fatal(err)
		}
		log, err := entry.AppendFrame(entry.LogHeader(c), s)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, c.LogName()), log)
	}
	return dir
}

func put(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExitCodes(t *testing.T) {
	right, wrong := folder(t), folder(t)
	log, err := os.ReadFile(filepath.Join(wrong, "local.log"))
	if err != nil {
		t.Fatal(err)
	}
	log[len(log)-1] ^= 1
	put(t, filepath.Join(wrong, "local.log"), log)
	for name, c := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string // parts
	}{
		"right":        {[]string{right}, exitRight, "everything that is here is right", ""},
		"wrong":        {[]string{wrong}, exitWrong, "WRONG       local.log, entry 0, offset 26: entry: signature", ""},
		"no folder":    {[]string{filepath.Join(right, "none")}, exitUsage, "", "open audit folder"},
		"a file":       {[]string{filepath.Join(right, "local.log")}, exitUsage, "", "entente-verify:"},
		"no argument":  {nil, exitUsage, "", "accepts 1 arg"},
		"two":          {[]string{right, wrong}, exitUsage, "", "accepts 1 arg"},
		"unknown flag": {[]string{"--x", right}, exitUsage, "", "unknown flag"},
		"output":       {[]string{"-o", "xml", right}, exitUsage, "", "table or json"},
		"against":      {[]string{"--against", right, wrong}, exitWrong, "WRONG       ledger: one of the two has no copy", ""},
		"against json": {[]string{"-o", "json", "--against", right, wrong}, exitWrong, `"common": 0`, ""},
		"against none": {[]string{"--against", filepath.Join(right, "none"), right}, exitUsage, "", "open audit folder"},
		"help":         {[]string{"--help"}, exitRight, "Exit codes", ""},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(c.args, &stdout, &stderr); code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}
		if !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) || c.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%s: printed %q and %q", name, &stdout, &stderr)
		}
	}
}

func TestJSON(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-o", "json", folder(t)}, &stdout, &stderr); code != exitRight {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var r audit.Report
	d := json.NewDecoder(&stdout)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || !r.OK || r.Member != "AU" || len(r.Chains) != 2 || d.More() {
		t.Errorf("report %+v, %v", r, err)
	}
}
