package main

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Whoever relies on the verifier must trust all that it links. This is the whole list;
// the reason for each stands beside it.
var modules = map[string]string{
	"filippo.io/edwards25519":              "group of protocol/standing, of which only the signed messages are read",
	"github.com/cloudflare/circl":          "ML-DSA signatures",
	"github.com/spf13/cobra":               "command line",
	"github.com/spf13/pflag":               "command line",
	"github.com/inconshreveable/mousetrap": "command line on Windows",
	"github.com/transparency-dev/merkle":   "trees of protocol/round",
	"github.com/ugorji/go/codec":           "canonical CBOR",
	"golang.org/x/mod":                     "trees of protocol/checkpoint",
	"golang.org/x/sys":                     "processor features for circl",
}

// The test's own binary links what the command links, so its build information tells.
func TestLinksOnlyTheListedModules(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) == 0 {
		t.Fatal("the test binary has no build information")
	}
	for _, d := range info.Deps {
		if _, listed := modules[d.Path]; !listed {
			t.Errorf("links %s, which is not on the list", d.Path)
		}
	}
}

// Neither the standard library's SQL and HTTP packages, nor ours that stand for disk,
// streams and people's approvals, may come in through our own imports.
func TestImportsNothingThatOpensSocketsOrDatabases(t *testing.T) {
	root := filepath.Join("..", "..")
	banned := []string{"database/sql", "net", "net/http", "os/exec", "plugin"}
	allowed := []string{"entente/crypto/", "entente/protocol/", "entente/node/audit"}
	seen := map[string]bool{}
	queue := []string{"entente/cmd/entente-verify"}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		for _, i := range importsOf(t, filepath.Join(root, strings.TrimPrefix(p, "entente/"))) {
			if slices.Contains(banned, i) {
				t.Errorf("%s imports %s", p, i)
			}
			if !strings.HasPrefix(i, "entente/") || seen[i] {
				continue
			}
			seen[i] = true
			queue = append(queue, i)
			if !slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(i, a) }) {
				t.Errorf("%s imports %s", p, i)
			}
		}
	}
	for _, must := range []string{"entente/node/audit", "entente/protocol/entry", "entente/crypto/sign"} {
		if !seen[must] {
			t.Errorf("the walk did not reach %s: the test sees too little", path.Base(must))
		}
	}
}

// importsOf reads the import lines of a package's files, those of its tests aside.
func importsOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p)
		}
	}
	return out
}
