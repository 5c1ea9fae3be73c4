package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"entente/simulations/demo"
)

// TestDemo runs the command as a script does: one document on standard output, nothing
// else anywhere.
func TestDemo(t *testing.T) {
	var out, stderr bytes.Buffer
	if code := run([]string{"demo", "-o", "json"}, strings.NewReader(""), &out, &stderr); code != exitDone || stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	var document demo.Document
	if err := d.Decode(&document); err != nil || !document.Verified || len(document.Rounds) == 0 {
		t.Fatalf("verified is %v: %v", document.Verified, err)
	}
	for _, r := range document.Rounds {
		if !reflect.DeepEqual(r.Hits, r.Expected) {
			t.Errorf("%s: hits and expected differ", r.Title)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("something follows the document: %v", err)
	}
}

func TestDemoArguments(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"occupied":      {[]string{"demo", "--dir", full}, exitUsage, "not empty"},
		"occupied JSON": {[]string{"demo", "--dir", full, "-o", "json"}, exitUsage, "not empty"},
		"no directory":  {[]string{"demo", "--dir", filepath.Join(full, "file", "x")}, exitFailed, "make a directory"},
		"an argument":   {[]string{"demo", "x"}, exitUsage, "nothing but flags"},
	} {
		var out, stderr bytes.Buffer
		code := run(c.args, strings.NewReader(""), &out, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%s: exit code %d, %s", name, code, &stderr)
		}
		if name != "no directory" && out.Len() > 0 {
			t.Errorf("%s: printed %s", name, &out)
		}
	}
}
