package transport_test

import (
	"bufio"
	"errors"
	"go/build"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// absent is what a closed federation does not need, and what must therefore not be
// in a ministry's binary.
var absent = []string{
	"github.com/libp2p/go-libp2p$",
	"github.com/libp2p/go-libp2p/config", "github.com/libp2p/go-libp2p/x/simlibp2p",
	"github.com/libp2p/go-libp2p/p2p/transport/webrtc", "github.com/pion",
	"github.com/libp2p/go-libp2p/p2p/transport/webtransport", "github.com/quic-go/webtransport-go",
	"github.com/libp2p/go-libp2p/p2p/transport/websocket", "github.com/gorilla/websocket",
	"github.com/libp2p/go-libp2p/p2p/protocol", // relay, hole punching, identify, ping, autonat v2
	"github.com/libp2p/go-libp2p/p2p/host/autonat", "github.com/libp2p/go-libp2p/p2p/host/autorelay",
	"github.com/libp2p/go-libp2p/p2p/host/relaysvc", "github.com/libp2p/go-libp2p/p2p/host/basic",
	"github.com/libp2p/go-libp2p/p2p/discovery", "github.com/libp2p/zeroconf",
	"github.com/libp2p/go-libp2p/p2p/net/nat", "github.com/huin/goupnp", "github.com/jackpal/go-nat-pmp",
	"github.com/libp2p/go-libp2p-kad-dht", "github.com/libp2p/go-libp2p-pubsub",
	"github.com/libp2p/go-libp2p/p2p/security/noise", "github.com/libp2p/go-libp2p/p2p/security/insecure",
	"github.com/flynn/noise", "go.uber.org/fx", "github.com/stretchr/testify",
}

// modules reads which version of which module the build uses.
func modules(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if w := strings.Fields(strings.TrimPrefix(lines.Text(), "require ")); len(w) >= 2 && strings.HasPrefix(w[1], "v") {
			out[w[0]] = w[1]
		}
	}
	return out
}

// escaped is a module path in the module cache: capitals are written "!small".
func escaped(path string) string {
	var b strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// folder returns where the source of an import path lies, "" for the standard library.
func folder(path string, versions map[string]string) string {
	if ours, ok := strings.CutPrefix(path, "entente/"); ok {
		return filepath.Join("../..", ours)
	}
	cache := os.Getenv("GOMODCACHE")
	if cache == "" {
		cache = filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "pkg", "mod")
	}
	for module := path; module != "."; module = filepath.Dir(module) {
		if v, ok := versions[module]; ok {
			return filepath.Join(cache, escaped(module)+"@"+v, strings.TrimPrefix(path, module))
		}
	}
	return ""
}

// TestLinksOnlyWhatItNeeds follows the imports of this package, for this platform,
// through the sources that the build uses.
func TestLinksOnlyWhatItNeeds(t *testing.T) {
	versions := modules(t)
	from := map[string]string{"entente/node/transport": ""} // package → who imports it
	todo := []string{"entente/node/transport"}
	for len(todo) > 0 {
		path := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		dir := folder(path, versions)
		if dir == "" {
			continue
		}
		p, err := build.ImportDir(dir, 0)
		var none *build.NoGoError
		if err != nil && !errors.As(err, &none) {
			t.Fatalf("%s: %v", path, err)
		}
		for _, i := range p.Imports {
			if _, seen := from[i]; !seen {
				from[i] = path
				todo = append(todo, i)
			}
		}
	}
	for _, must := range []string{"github.com/libp2p/go-libp2p/p2p/net/swarm", "github.com/quic-go/quic-go", "github.com/libp2p/go-yamux/v5"} {
		if _, ok := from[must]; !ok {
			t.Errorf("%s is not found: the walk is broken", must)
		}
	}
	for path := range from {
		for _, a := range absent {
			exact, whole := strings.CutSuffix(a, "$")
			if path == exact || (!whole && strings.HasPrefix(path, a+"/")) || (!whole && path == a) {
				t.Errorf("links %s, imported by %s", path, from[path])
			}
		}
	}
	t.Logf("%d packages", len(from))
}
