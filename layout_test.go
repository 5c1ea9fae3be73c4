package entente_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the module and what it imports.
type source struct {
	folder  string // slash-separated, relative to the root
	name    string
	test    bool
	pkg     string
	lines   int
	imports []string
	syntax  *ast.File
}

// module reads every Go file with go/parser. It calls no go command, whose cached
// answers would let a broken rule pass.
func module(t *testing.T) []source {
	t.Helper()
	var out []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, name, b, parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{
			folder: path.Dir(filepath.ToSlash(name)), name: filepath.ToSlash(name),
			test: strings.HasSuffix(name, "_test.go"), pkg: f.Name.Name,
			lines: strings.Count(string(b), "\n"), syntax: f,
		}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found only %d Go files: the walk is broken", len(out))
	}
	return out
}

// in reports whether a folder is one of the trees or lies below it.
func in(folder string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool {
		return folder == tree || strings.HasPrefix(folder, tree+"/")
	})
}

// allowed lists, for the tree that a folder belongs to, the trees of ours that it
// may import. External test files may also import the fabric and the vectors.
func allowed(folder string) []string {
	switch {
	case in(folder, "crypto"):
		return []string{"crypto"}
	case in(folder, "protocol/indicator"):
		return []string{"protocol/person"}
	case in(folder, "protocol/wire", "protocol/vectors"):
		return nil
	case in(folder, "protocol"):
		return []string{"protocol", "crypto"}
	case in(folder, "policy"):
		return []string{"policy", "protocol/indicator", "protocol/terms", "crypto/sign"}
	case in(folder, "node"):
		return []string{"node", "policy", "protocol", "crypto/sign", "crypto/seal", "crypto/dp", "crypto/oprf"}
	case in(folder, "simulations"):
		return []string{"simulations", "node", "policy", "protocol", "crypto"}
	case in(folder, "cmd/entente"):
		return []string{"node", "policy", "protocol", "crypto", "simulations/demo", "simulations/bench"}
	case in(folder, "cmd/entente-sim"):
		return []string{"simulations"}
	case in(folder, "cmd/entente-verify"):
		return []string{"node/audit", "protocol", "crypto"}
	}
	return nil
}

func TestImportsGoOneWay(t *testing.T) {
	for _, s := range module(t) {
		trees := allowed(s.folder)
		if s.test {
			trees = append(trees, "protocol/vectors", "protocol/wire", s.folder)
			if strings.HasSuffix(s.pkg, "_test") {
				trees = append(trees, "simulations/fabric")
			}
		}
		for _, p := range s.imports {
			ours, ok := strings.CutPrefix(p, "entente/")
			if ok && !in(ours, trees...) {
				t.Errorf("%s imports %s: %s may import only %v", s.name, ours, s.folder, trees)
			}
		}
	}
}

// TestNodesLinkNoAttackers follows the imports of every binary. What attackers and weak
// baselines live in must reach entente-sim, and no other.
func TestNodesLinkNoAttackers(t *testing.T) {
	imports := map[string][]string{}
	for _, s := range module(t) {
		if !s.test {
			imports[s.folder] = append(imports[s.folder], s.imports...)
		}
	}
	binaries := 0
	for folder := range imports {
		if !in(folder, "cmd") {
			continue
		}
		binaries++
		linked := map[string]bool{}
		for queue := []string{folder}; len(queue) > 0; queue = queue[1:] {
			for _, p := range imports[queue[0]] {
				if ours, ok := strings.CutPrefix(p, "entente/"); ok && !linked[ours] {
					linked[ours] = true
					queue = append(queue, ours)
				}
			}
		}
		if attacks := folder == "cmd/entente-sim"; linked["simulations/adversary"] != attacks {
			t.Errorf("%s links simulations/adversary: %v, must be %v", folder, !attacks, attacks)
		}
	}
	if binaries < 3 {
		t.Errorf("found only %d binaries", binaries)
	}
}

// homes names the only folders that may import a third-party library.
var homes = map[string][]string{
	"github.com/libp2p/":           {"node/transport", "simulations/fabric"},
	"github.com/multiformats/":     {"node/transport", "simulations/fabric"},
	"github.com/quic-go/":          {"node/transport", "simulations/fabric"},
	"github.com/marcopolo/simnet":  {"simulations/fabric"},
	"github.com/ugorji/go/codec":   {"protocol/wire"},
	"github.com/cloudflare/circl":  {"crypto", "simulations/bench"}, // bench measures against it
	"filippo.io/edwards25519":      {"crypto"},
	"github.com/tuneinsight/":      {"crypto/he"},
	"github.com/cedar-policy/":     {"policy"},
	"database/sql":                 {"node/store"},
	"modernc.org/":                 {"node/store"},
	"github.com/pressly/goose":     {"node/store"},
	"github.com/nyaruka/":          {"protocol/indicator"},
	"github.com/BurntSushi/toml":   {"node/config", "policy"},
	"github.com/danielgtaylor/":    {"node/api"},
	"github.com/spf13/cobra":       {"cmd"},
	"github.com/transparency-dev/": {"protocol/round", "protocol/checkpoint"},
	"golang.org/x/mod":             {"protocol/checkpoint"},
	"go.etcd.io/":                  {"node/ledger"},
	"github.com/hashicorp/":        {"node/ledger/ordering"},
	"github.com/anishathalye/":     {"node/ledger"}, // tests
	"github.com/prometheus/":       {"node/metrics"},
}

func TestLibrariesHaveOneHome(t *testing.T) {
	for _, s := range module(t) {
		for library, folders := range homes {
			for _, p := range s.imports {
				if strings.HasPrefix(p, library) && !in(s.folder, folders...) {
					t.Errorf("%s imports %s, whose home is %v", s.name, p, folders)
				}
			}
		}
	}
}

func TestShape(t *testing.T) {
	commented := map[string]bool{}
	for _, s := range module(t) {
		if s.lines > 800 {
			t.Errorf("%s has %d lines; the limit is 800", s.name, s.lines)
		}
		if s.test {
			continue
		}
		commented[s.folder] = commented[s.folder] || s.syntax.Doc != nil
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s has an init function: state must have an owner", s.name)
			}
		}
		for _, word := range strings.Split(s.folder, "/") {
			if slices.Contains([]string{"internal", "pkg", "util", "utils", "common", "docs"}, word) {
				t.Errorf("%s lies in a folder named %q, which says nothing", s.name, word)
			}
		}
	}
	for folder, ok := range commented {
		if !ok {
			t.Errorf("package %s has no package comment", folder)
		}
	}
	for _, folder := range []string{"crypto", "protocol", "cmd", "simulations"} {
		if _, ok := commented[folder]; ok {
			t.Errorf("%s is a folder, not a package", folder)
		}
	}
}

func TestMainsAreShort(t *testing.T) {
	for _, s := range module(t) {
		if !s.test && path.Base(s.name) == "main.go" && s.lines > 40 {
			t.Errorf("%s has %d lines: main parses nothing and decides nothing", s.name, s.lines)
		}
	}
}

// TestTestsDoNotSleep keeps tests independent of the machine's load: time passes
// in a testing/synctest bubble or not at all.
func TestTestsDoNotSleep(t *testing.T) {
	for _, s := range module(t) {
		if !s.test {
			continue
		}
		bubble := slices.Contains(s.imports, "testing/synctest")
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && x.Name == "time" && sel.Sel.Name == "Sleep" && !bubble {
				t.Errorf("%s calls time.Sleep outside a synctest bubble", s.name)
			}
			if ok && x.Name == "t" && strings.HasPrefix(sel.Sel.Name, "Skip") {
				t.Errorf("%s skips a test", s.name)
			}
			return true
		})
	}
}
