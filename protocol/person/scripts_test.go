package person

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestScriptsMeet reads each name in its own script and in the published spelling; both
// must give the same skeletons, in any order.
func TestScriptsMeet(t *testing.T) {
	b, err := os.ReadFile("testdata/scripts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			t.Fatalf("a row has %d columns", len(f))
		}
		seen[f[0]]++
		own, published := skeletonsOf(t, f[1]), skeletonsOf(t, f[2])
		if !slices.Equal(own, published) {
			t.Errorf("%s %s: own %v, published %v (%s)", f[0], f[1], own, published, f[2])
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d scripts are tested", len(seen))
	}
}

func skeletonsOf(t *testing.T, name string) []string {
	t.Helper()
	p, changes, err := Parse(Fields{Name: name, Born: "1950"}, Defaults{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if slices.Contains(changes, changeUnknown) {
		t.Errorf("%s: letters are in no table", name)
	}
	var out []string
	for _, w := range p.Profile().names[0] {
		out = append(out, w.skeleton)
	}
	slices.Sort(out)
	return out
}
