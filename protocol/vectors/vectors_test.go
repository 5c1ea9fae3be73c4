package vectors_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"entente/protocol/vectors"
)

// block matches a fenced hex block of SPEC.md: its vector's file and name, its digits.
var block = regexp.MustCompile("(?s)```hex ([a-z]+)/([a-zA-Z0-9_./-]+)\n(.*?)```")

// TestSpecificationQuotesTheVectors compares every hex block of SPEC.md with the
// vector that it names. The vectors themselves are recomputed by their packages.
func TestSpecificationQuotesTheVectors(t *testing.T) {
	spec, err := os.ReadFile("../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(spec), -1)
	if len(blocks) < 20 {
		t.Fatalf("SPEC.md has only %d hex blocks", len(blocks))
	}
	if n := strings.Count(string(spec), "```hex"); n != len(blocks) {
		t.Errorf("%d blocks begin like hex blocks, %d are well formed", n, len(blocks))
	}
	for _, b := range blocks {
		file, name := b[1], b[2]
		got, err := hex.DecodeString(strings.Join(strings.Fields(b[3]), ""))
		if err != nil {
			t.Errorf("%s/%s: %v", file, name, err)
			continue
		}
		vs, err := vectors.Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		found := false
		for _, v := range vs {
			if v.Name != name {
				continue
			}
			found = true
			want, err := v.Bytes()
			if err != nil {
				t.Error(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s/%s: SPEC.md says %x, the vector %x", file, name, got, want)
			}
		}
		if !found {
			t.Errorf("%s/%s: there is no such vector", file, name)
		}
	}
}

func TestVectorsAreWellFormed(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, e := range entries {
		file, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		files++
		vs, err := vectors.Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		seen := map[string]bool{}
		for _, v := range vs {
			if _, err := v.Bytes(); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			switch {
			case v.Name == "" || seen[v.Name]:
				t.Errorf("%s: a vector has no name of its own: %q", file, v.Name)
			case v.Valid && v.Fault != "":
				t.Errorf("%s/%s is valid and names a fault", file, v.Name)
			case !v.Valid && v.Fault == "":
				t.Errorf("%s/%s is invalid and names no fault", file, v.Name)
			}
			seen[v.Name] = true
		}
	}
	if files < 8 {
		t.Errorf("only %d vector files", files)
	}
}

func TestLoadNames(t *testing.T) {
	if _, err := vectors.Load("nothing"); err == nil {
		t.Error("vectors of nothing are loaded")
	}
}
